"""Pooling and convolution with all arguments of PyTorch, in every meaning of one model."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import jax
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import graph, nn, train, verify

BODIES: dict[str, tuple[nn.Layer, ...]] = {
    "dilated max pool": (nn.MaxPool2d(2, 1, 1, 3),),
    "max pool with ceil_mode": (nn.MaxPool2d(2, 2, 1, 2, ceil_mode=True),),
    "avg pool with ceil_mode": (nn.AvgPool2d(2, ceil_mode=True),),
    "avg pool without its padding": (nn.AvgPool2d(3, 2, 1, False, False),),
    "avg pool with a divisor": (nn.AvgPool2d(3, 2, 1, divisor_override=5),),
    "uneven same": (nn.Conv2d(1, 2, (2, 4), padding="same"), nn.ReLU()),
    **{
        mode: (nn.Conv2d(1, 2, 3, 2, padding=(1, 2), padding_mode=mode), nn.ReLU())
        for mode in ("reflect", "replicate", "circular")
    },
}
X = np.random.default_rng(0).uniform(size=(1, 1, 5, 5)).astype(np.float32)


def built(name: str) -> nn.Model:
    """The layers, then one number for each of three classes; the batch has a name."""
    size = int(np.prod(nn.build(nn.Sequential(*BODIES[name]), X.shape).output.shape))
    layer = nn.Sequential(*BODIES[name], nn.Flatten(), nn.Linear(size, 3))
    return nn.build(layer, ("N", 1, 5, 5), seed=1)


@pytest.mark.parametrize("name", BODIES)
def test_a_graph_of_it_is_the_model_again_as_text_and_exactly(name: str) -> None:
    model = built(name)
    captured = graph.capture_model(model)
    read = graph.from_json(graph.to_json(captured), captured.arrays)
    assert read.nodes == captured.nodes and read.specs == captured.specs
    assert_close(graph.to_jax(read.bind(N=1))(X), model(X), 1e-6, 1e-6)
    exact = tm.evaluate(model, X, dtype="rational").fractions()
    assert_close(exact.astype(np.float64), model(X), 1e-5, 1e-5)
    box = tm.evaluate(model, X, dtype="interval")
    ends = [np.vectorize(Fraction, otypes=[object])(end) for end in (box.lower, box.upper)]
    assert np.all((ends[0] <= exact) & (exact <= ends[1]))


@pytest.mark.parametrize(
    ("layer", "means"),
    [
        (nn.AvgPool2d(2, ceil_mode=True), [2, Fraction(7, 2), Fraction(13, 2), 8]),
        (nn.AvgPool2d(3, 2, 1, count_include_pad=False), [2, 3, 5, 6]),
        (nn.AvgPool2d(3, 2, 1), [Fraction(n, 9) for n in (8, 12, 20, 24)]),
        (nn.AvgPool2d(2, 1, divisor_override=3), [Fraction(n, 3) for n in (8, 12, 20, 24)]),
    ],
    ids=str,
)
def test_means_are_exact_where_they_are_read_so(layer: nn.Layer, means: list[Any]) -> None:
    x = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    exact = tm.evaluate(nn.build(layer, x.shape), x, dtype="rational")
    assert exact.fractions().ravel().tolist() == means


@pytest.mark.parametrize("name", BODIES)
def test_its_gradient_is_a_graph_too(name: str) -> None:
    model = built(name)

    def slope(x: Any) -> Any:
        return jax.grad(lambda x: model.apply(model.params, x).sum())(x)

    found = graph.to_jax(graph.capture(slope, X.shape))(X)
    assert_close(found, jax.jit(slope)(X), 1e-5, 1e-6)


@pytest.mark.parametrize("name", BODIES)
def test_a_proof_about_it_is_checked(name: str) -> None:
    model = built(name)
    proof = verify.robust(model, X[0], int(np.argmax(model(X))), eps=1e-3)
    assert proof.verdict == "proved" and proof.check()


def test_a_padding_row_starts_at_0_and_stays_there() -> None:
    layer = nn.Sequential(nn.Embedding(4, 3, padding_idx=-1), nn.Flatten(), nn.Linear(6, 2))
    model = nn.build(layer, tm.shapes.Spec(("N", 2), "int32"))
    x = np.array([[0, 3], [3, 1], [2, 2], [3, 3]], np.int32)
    run = train.fit(model, (x, np.array([0, 1, 0, 1])), epochs=3, progress="none")
    before, after = (np.asarray(m.params["0.weight"]) for m in (model, run.model))
    assert not after[3].any() and not before[3].any()
    assert np.all(before[:3] != after[:3])
