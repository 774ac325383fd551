"""An op with several results, in every meaning: a row that is not in the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import graph, ops, verify
from tensorem.domains import Interval
from tensorem.errors import GraphError
from tensorem.ops._op import Cited, Op

X = np.array([[1.5, -2.0, 0.25]], np.float32)


def both(column: str) -> Any:
    """The columns of relu and of abs side by side."""
    rules = [getattr(row, column) for row in (ops.relu, ops.abs)]
    return lambda x: tuple(rule(x) for rule in rules)


parts = Op(
    "parts",
    1,
    both("shape"),
    run=both("run"),
    exact=both("exact"),
    ball=Cited(both("ball"), "those of both"),
    interval=Cited(both("interval"), "those of both"),
    lines=Cited(both("lines"), "those of both"),
)


@pytest.fixture(autouse=True)
def _in_the_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(ops.TABLE, "parts", parts)
    yield


def network(x: Any) -> Any:
    positive, size = parts(x * 2.0)
    return jnp.concatenate([positive + size * 3.0, size], axis=1)


def test_it_is_captured_saved_read_and_bounded() -> None:
    g = graph.capture(network, ("N", 3))
    [node] = [node for node in g.nodes if node.op == "parts"]
    assert node.outputs == ("parts_2.0", "parts_2.1")
    back = graph.from_json(graph.to_json(g), g.arrays)
    assert graph.graph_hash(back) == graph.graph_hash(g)
    expected = np.array([[12.0, 12.0, 2.0, 3.0, 4.0, 0.5]])
    for dtype in ("float32", "float64"):
        assert np.array_equal(tm.evaluate(back, X, dtype=dtype), expected)
    assert np.array_equal(tm.evaluate(back, X, dtype="rational").to_float(), expected)
    box = tm.evaluate(back, Interval.of(X - 1.0, X + 1.0), dtype="interval")
    assert np.all(box.lower <= expected) and np.all(expected <= box.upper)
    assert tm.coverage(g)["exact"] == ""


def test_it_is_differentiated_and_captured_again() -> None:
    slope = jax.jacfwd(lambda x: network(x)[0])(jnp.asarray(X))
    assert np.array_equal(np.diag(slope[:3, 0]), [8.0, -6.0, 8.0])
    again = graph.capture(graph.to_jax(graph.capture(network, (1, 3))), (1, 3))
    assert "parts" in {node.op for node in again.nodes}


def test_its_lines_bound_it() -> None:
    p = verify.Propagation.of(graph.capture(network, (1, 3)))
    bounds = p.crown(jnp.asarray(X - 1)[None], jnp.asarray(X + 1)[None])
    name = p.graph.outputs[0]
    low = p.lower(jnp.eye(6)[None, :, None], name, bounds)
    points = np.random.default_rng(0).uniform(X - 1, X + 1, (100, 3)).astype(np.float32)
    assert np.all(np.asarray(low) <= np.asarray(network(jnp.asarray(points))).min(axis=0) + 1e-5)


def test_a_result_too_few_is_refused() -> None:
    g = graph.capture(network, (1, 3))
    text = graph.to_json(g).replace('["parts_2.0", "parts_2.1"]', '["parts_2.0"]')
    with pytest.raises(GraphError, match="`parts` gives float32"):
        graph.from_json(text, g.arrays)
