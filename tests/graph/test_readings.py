"""One graph in several meanings: exact values, enclosures, and the runtime agree, gradients too."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import graph, ops
from tensorem.domains import Interval, Rational
from tensorem.errors import DataError, GraphError, MeaningError
from tensorem.shapes import Spec

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    """Numbers over many binades: a sum of them rounds, as that of uniform draws does not."""
    sizes = RNG.uniform(1, 2, shape) * 2.0 ** RNG.integers(-6, 3, shape)
    return np.asarray(sizes * RNG.choice([-1, 1], shape), np.float32)


def network(w: Any, x: Any) -> Any:
    h = ops.relu(ops.linear(x, w["a"], w["b"]))
    return ops.linear(h, w["c"])


def loss(w: Any, x: Any, y: Any) -> Any:
    return jnp.sum((network(w, x) - y) ** 2)


W = {"a": floats(5, 4), "b": floats(5), "c": floats(2, 5)}
X, Y = floats(3, 4), floats(3, 2)


def exactly(g: graph.Graph, *xs: np.ndarray) -> list[Rational]:
    arrays = {name: Rational.of(a) for name, a in g.arrays.items()}
    return graph.read(g, graph.by_rows("exact"), [Rational.of(x) for x in xs], arrays)


def rigorously(g: graph.Graph, *xs: np.ndarray) -> list[Interval]:
    arrays = {name: Interval.point(a) for name, a in g.arrays.items()}
    return graph.read(g, graph.by_rows("interval"), [Interval.point(x) for x in xs], arrays)


def assert_encloses(box: Interval, value: Rational) -> None:
    low, high = box.lower.ravel(), box.upper.ravel()
    for a, v, b in zip(low, value.fractions().ravel(), high, strict=True):
        assert Fraction(float(a)) <= v <= Fraction(float(b))


def by_hand(x: np.ndarray, y: np.ndarray) -> list[list[Fraction]]:
    """d loss / d c, in fractions, written out."""
    as_fractions = np.vectorize(lambda v: Fraction(float(v)), otypes=[object])
    a, b, c, p, q = (as_fractions(v) for v in (W["a"], W["b"], W["c"], x, y))
    h = np.maximum(p @ a.T + b, Fraction(0))
    residual = h @ c.T - q
    return (2 * residual.T @ h).tolist()  # type: ignore[no-any-return]


def test_a_gradient_is_read_exactly() -> None:
    g = graph.capture(jax.grad(loss), (3, 4), (3, 2), weights=W)
    values = dict(zip(graph.to_jax(g)(X, Y), exactly(g, X, Y), strict=True))
    assert values["c"].fractions().tolist() == by_hand(X, Y)


def test_a_gradient_is_enclosed_and_the_runtime_lies_near() -> None:
    g = graph.capture(jax.grad(loss), (3, 4), (3, 2), weights=W)
    run = jax.tree.leaves(graph.to_jax(g)(X, Y))
    for exact, box, value in zip(exactly(g, X, Y), rigorously(g, X, Y), run, strict=True):
        assert_encloses(box, exact)
        assert_close(box.upper - box.lower, np.zeros(box.shape), 0, 1e-9)
        assert_close(value, exact.to_float(), 1e-4, 1e-4)


def test_a_planted_fault_in_one_row_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    g = graph.capture(jax.grad(loss), (3, 4), (3, 2), weights=W)
    wrong = dataclasses.replace(ops.mul, interval=lambda x, y: x)
    monkeypatch.setitem(ops.TABLE, "mul", wrong)
    with pytest.raises(AssertionError):
        for exact, box in zip(exactly(g, X, Y), rigorously(g, X, Y), strict=True):
            assert_encloses(box, exact)


def test_a_loop_is_read_as_its_steps() -> None:
    def looped(x: Any) -> Any:
        step = lambda c, s: (c * 0.5 + s, c)  # noqa: E731
        return jax.lax.scan(step, jnp.zeros(4, jnp.float32), x, reverse=True)

    g = graph.capture(looped, (3, 4))
    run = jax.tree.leaves(jax.jit(looped)(X))
    for exact, box, value in zip(exactly(g, X), rigorously(g, X), run, strict=True):
        assert_encloses(box, exact)
        assert_close(value, exact.to_float(), 1e-6, 1e-6)


def test_what_cannot_be_read_exactly_names_the_value_and_a_remedy() -> None:
    g = graph.capture(lambda x: ops.tanh(ops.linear(x, W["a"])), (3, 4))
    with pytest.raises(MeaningError, match="`tanh` has no exact meaning") as caught:
        exactly(g, X)
    assert "where:   tanh_1" in str(caught.value) and "help:" in str(caught.value)


def test_symbolic_sizes_are_bound_first() -> None:
    g = graph.capture(network, ("N", 4), weights=W)
    with pytest.raises(GraphError, match=r"got N\.\n  help: write graph.bind\(N=1\)"):
        graph.to_jax(g)


def test_a_row_that_is_not_there_has_no_exact_value() -> None:
    g = graph.capture(lambda i: ops.embedding(i, jnp.ones((3, 2))), Spec((2,), "int32"))
    inputs = [Rational.of(np.array([0, 3]))]
    arrays = {name: Rational.of(a) for name, a in g.arrays.items()}
    with pytest.raises(DataError, match="embedding takes indices from 0 to 2, got 3"):
        graph.read(g, graph.by_rows("exact"), inputs, arrays)
    points = {name: Interval.point(a) for name, a in g.arrays.items()}
    at = [Interval.point(np.array([0, 3]))]
    [rows] = graph.read(g, graph.by_rows("interval"), at, points)
    assert rows.lower.tolist() == [[1, 1], [-np.inf] * 2]
    assert rows.upper.tolist() == [[1, 1], [np.inf] * 2]
