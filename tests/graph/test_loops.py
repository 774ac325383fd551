"""Loops: unrolled they are the same program, in every meaning; how long they may run is limited."""

from __future__ import annotations

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import check, graph, nn, verify
from tensorem import functional as F
from tensorem.errors import FileError, GraphError, ShapeError

X = np.arange(6, dtype=np.float32).reshape(3, 2)


def forward(x: Any) -> Any:
    return jax.lax.scan(lambda c, row: (c * 0.5 + row, c), jnp.zeros(2), x)


def backward(x: Any) -> Any:
    return jax.lax.scan(lambda c, row: (c * 0.5 + row, c), jnp.zeros(2), x, reverse=True)


def nested(x: Any) -> Any:
    inner = lambda c, row: (c + row * jnp.sum(c), c * row)  # noqa: E731
    return jax.lax.scan(lambda c, _: jax.lax.scan(inner, c, x), jnp.ones(2), None, length=2)


def never(x: Any) -> Any:
    return jax.lax.scan(lambda c, row: (c + row, c), jnp.ones(2), x[:0])


def gradient(x: Any) -> Any:
    return jax.grad(lambda x: jnp.sum(nested(x)[0] ** 2))(x)


LOOPS = [forward, backward, nested, never, gradient]


@pytest.mark.parametrize("f", LOOPS)
def test_an_unrolled_loop_is_the_same_program(f: Any) -> None:
    looped = graph.capture(f, X.shape)
    flat = graph.unroll(looped)
    assert not any(node.body for node in flat.nodes)
    assert flat.work == len(flat.nodes) and graph.unroll(flat) is flat
    assert graph.graph_hash(graph.from_json(graph.to_json(flat), flat.arrays)) == (
        graph.graph_hash(flat)
    )
    for g in (looped, flat):
        exact = jax.tree.leaves(tm.evaluate(g, X, dtype="rational"))
        for ours, theirs in zip(exact, jax.tree.leaves(f(X)), strict=True):
            assert np.allclose(ours.to_float(), theirs, rtol=1e-6)
    assert all(
        a.num.tolist() == b.num.tolist()
        for a, b in zip(
            *(jax.tree.leaves(tm.evaluate(g, X, dtype="rational")) for g in (looped, flat)),
            strict=True,
        )
    )


def test_copies_are_limited() -> None:
    looped = graph.capture(nested, X.shape)
    assert looped.work > 20
    with pytest.raises(GraphError, match="unroll takes loops of at most 20 steps in all"):
        graph.unroll(looped, limit=20)


def forever(document: Any, length: int) -> str:
    [loop] = [node for node in document["nodes"] if node["op"] == "loop"]
    loop["attrs"]["length"] = length
    return json.dumps(document)


def test_a_loop_that_runs_too_long_is_refused_when_it_is_read() -> None:
    repeated = lambda n: lambda x: jax.lax.fori_loop(0, n, lambda i, c: c * c, x)  # noqa: E731
    long = "A graph takes loops of 10000000 steps in all"
    with pytest.raises(GraphError, match=long):
        graph.capture(repeated(10**8), (2,))
    g = graph.capture(repeated(1000), (2,))
    with pytest.raises(GraphError, match=long):
        graph.from_json(forever(json.loads(graph.to_json(g)), 10**9), g.arrays)
    inside = lambda x: jax.lax.fori_loop(0, 10**4, lambda i, c: repeated(1000)(c), x)  # noqa: E731
    with pytest.raises(GraphError, match=long):
        graph.capture(inside, (2,))


def test_a_saved_loop_that_was_made_longer_is_refused(tmp_path: Any) -> None:
    g = graph.capture(lambda x: jax.lax.fori_loop(0, 3, lambda i, c: c * c, x), (2,))
    tm.save(g, tmp_path)
    document = json.loads((tmp_path / "graph.json").read_text())
    (tmp_path / "graph.json").write_text(forever(document, 10**9))
    with pytest.raises(FileError, match="is not a graph") as caught:
        tm.load(tmp_path)
    assert "loops of 10000000 steps" in str(caught.value)


class ReLURNN(nn.Layer):
    """h <- relu(W x_t + U h), and a score of the last h."""

    inner: nn.Linear
    state: nn.Linear
    head: nn.Linear

    def output_shape(self, shape: Any) -> Any:
        return (shape[0], self.head.out_features)

    def forward(self, x: Any) -> Any:
        def step(h: Any, row: Any) -> Any:
            return F.relu(self.inner(row) + self.state(h)), None

        start = jnp.zeros((x.shape[0], self.state.in_features), x.dtype)
        return self.head(jax.lax.scan(step, start, jnp.swapaxes(x, 0, 1))[0])


@pytest.mark.parametrize("length", [5, "T"])
def test_a_recurrent_network_is_proved_robust(length: Any) -> None:
    layer = ReLURNN(nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    model: Any = nn.build(layer, input=("N", length, 3), seed=1)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    label = int(np.argmax(model(x[None])))
    if length == "T":
        with pytest.raises(ShapeError, match="got one that leaves T open"):
            verify.robust(model, x, label, "0.01")
        model = tm.capture(model).bind(T=5)
    assert graph.graph_of(model).has_loops
    near, far = (verify.robust(model, x, label, eps) for eps in ("0.001", "5"))
    assert near.verdict == "proved" and near.check()
    assert far.verdict == "refuted" and far.check()


def test_the_certificate_of_a_recurrent_network_is_accepted_from_files(tmp_path: Any) -> None:
    layer = ReLURNN(nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    model: Any = nn.build(layer, input=("N", 5, 3), seed=1)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    proof = verify.robust(model, x, int(np.argmax(model(x[None]))), "0.001")
    tm.save(graph.unroll(tm.capture(model)), tmp_path)
    proof.save(tmp_path / "proof")
    files = (tmp_path / "graph.json", tmp_path / "model.safetensors", tmp_path / "proof")
    assert check.check_files(*files).accepted
    assert check.check_files(*files, "exact").accepted
