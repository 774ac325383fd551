"""One model read in several arithmetics; the oracle is exact arithmetic by hand."""

from __future__ import annotations

import re
import sys
from fractions import Fraction
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import tensorem as tm
from tensorem import functional as F
from tensorem import nn
from tensorem.domains import Ball, Interval, Rational
from tensorem.errors import ArgumentError, DataError, DTypeError, MeaningError, ShapeError
from tensorem.shapes import Spec


def fractions(array: Any) -> Any:
    return np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(np.asarray(array))


@pytest.fixture(scope="module")
def model() -> nn.Model:
    layer = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    return nn.build(layer, input=("N", 3), seed=5)


@pytest.fixture(scope="module")
def x() -> Any:
    return np.array([[0.1, -2.5, 3.7], [1e-3, 0.0, 7.0]], np.float32)


@pytest.fixture(scope="module")
def exact(model: nn.Model, x: Any) -> Any:
    """The model in fractions, written by hand."""
    w = {name: fractions(array) for name, array in model.params.items()}
    hidden = fractions(x) @ w["0.weight"].T + w["0.bias"]
    return np.maximum(hidden, Fraction(0)) @ w["2.weight"].T + w["2.bias"]


def test_rationals_are_exact(model: nn.Model, x: Any, exact: Any) -> None:
    found = tm.evaluate(model, x, dtype="rational")
    assert isinstance(found, Rational) and np.array_equal(found.fractions(), exact)


def test_intervals_enclose_the_exact_value_tightly(model: nn.Model, x: Any, exact: Any) -> None:
    found = tm.evaluate(model, x, dtype="interval")
    assert isinstance(found, Interval)
    assert np.all(fractions(found.lower) <= exact) and np.all(exact <= fractions(found.upper))
    assert np.all(found.upper - found.lower < 1e-13)


def test_an_interval_of_inputs_encloses_the_values_in_it(model: nn.Model, x: Any) -> None:
    found = tm.evaluate(model, Interval.of(x - 0.1, x + 0.1), dtype="interval")
    for step in np.linspace(-0.1, 0.1, 5):
        y = tm.evaluate(model, (x + step).astype(np.float32), dtype="float64")
        assert np.all((found.lower <= y) & (y <= found.upper))


def test_float64_is_closer_than_float32(model: nn.Model, x: Any, exact: Any) -> None:
    wide, narrow = tm.evaluate(model, x, dtype="float64"), tm.evaluate(model, x)
    assert wide.dtype == np.float64 and narrow.dtype == np.float32
    assert np.max(np.abs((fractions(wide) - exact).astype(float))) < 1e-14
    assert np.max(np.abs((fractions(narrow) - exact).astype(float))) < 1e-5


def test_float32_is_the_model_itself(model: nn.Model, x: Any) -> None:
    assert np.array_equal(tm.evaluate(model, x), model(x))


@pytest.mark.parametrize("dtype", ["float32", "float64", "rational", "interval"])
def test_a_graph_and_its_model_mean_the_same(model: nn.Model, x: Any, dtype: str) -> None:
    graph = tm.capture(model)
    ours, theirs = tm.evaluate(model, x, dtype=dtype), tm.evaluate(graph, x, dtype=dtype)
    assert repr(ours) == repr(theirs)
    assert repr(tm.evaluate(tm.GraphModel(graph), x, dtype=dtype)) == repr(ours)


def test_a_list_is_the_same_point_in_every_meaning(model: nn.Model) -> None:
    point = [[0.1, 0.2, 0.3]]
    array = np.array(point, np.float32)
    for dtype in ("float32", "float64", "rational", "interval"):
        listed = tm.evaluate(model, point, dtype=dtype)
        assert repr(listed) == repr(tm.evaluate(model, array, dtype=dtype))


def test_functions_of_trees_are_read_too() -> None:
    graph = tm.capture(lambda t: {"sum": t["a"] + t["b"]}, {"a": (2,), "b": (2,)})
    one = np.ones(2, np.float32)
    found = tm.evaluate(graph, {"a": one, "b": 2 * one}, dtype="rational")
    assert found["sum"].fractions().tolist() == [3, 3]


def test_trees_of_another_form_are_refused() -> None:
    pair = tm.capture(lambda t: t[0] + t[1], ((2,), (2,)))
    named = tm.capture(lambda t: t["a"], {"a": (2,)})
    one = np.ones(2, np.float32)
    for wrong in (one, (one,), (one, one, one)):
        with pytest.raises(ShapeError, match="The graph takes a tuple of 2, got"):
            tm.evaluate(pair, wrong, dtype="rational")
    for other in (one, {"b": one}):
        with pytest.raises(ShapeError, match=r"The graph takes a dict of \['a'\], got"):
            tm.evaluate(named, other, dtype="rational")


def test_a_size_at_which_an_op_has_no_meaning_is_refused() -> None:
    third = tm.capture(lambda x: x[:, 2], ("N", "T"))
    for dtype in ("float32", "float64", "rational", "interval"):
        with pytest.raises(ArgumentError, match="every op has a meaning, got N=1, T=2"):
            tm.evaluate(third, np.ones((1, 2), np.float32), dtype=dtype)


def test_casts_are_widened_in_float64() -> None:
    graph = tm.capture(lambda x: (x.astype(jnp.float16) + 1).astype(jnp.float32), (1,))
    x = np.array([2.0**-20], np.float32)
    assert tm.evaluate(graph, x).tolist() == [1.0]
    assert tm.evaluate(graph, x, dtype="float64").tolist() == [1.0 + 2.0**-20]


def test_an_irrational_value_has_no_rational_meaning() -> None:
    graph = tm.capture(jnp.exp, (1,))
    with pytest.raises(MeaningError, match="`exp` has no exact meaning"):
        tm.evaluate(graph, np.ones(1, np.float32), dtype="rational")


@pytest.mark.parametrize("dtype", ["float8", "int8", "real", "", "ball[]", "ball[1]x"])
def test_an_unknown_meaning_names_the_known_ones(model: nn.Model, x: Any, dtype: str) -> None:
    with pytest.raises(
        DTypeError, match=rf"interval, ball, ball\[bits\], got '{re.escape(dtype)}'"
    ):
        tm.evaluate(model, x, dtype=dtype)


def test_other_shapes_are_refused(model: nn.Model) -> None:
    wrong = np.ones((2, 4), np.float32)
    for dtype in ("float64", "rational", "interval"):
        with pytest.raises(ShapeError, match=r"The graph takes \(N, 3\), got \(2, 4\)"):
            tm.evaluate(model, wrong, dtype=dtype)
    with pytest.raises(ShapeError, match="takes 1 inputs, got 2"):
        tm.evaluate(model, wrong, wrong, dtype="rational")


def test_values_that_a_dtype_does_not_hold_are_refused(model: nn.Model) -> None:
    graph = tm.GraphModel(tm.capture(model))
    with pytest.raises(DTypeError, match="takes float32, got float64 with values"):
        graph(np.full((1, 3), 0.1))
    with pytest.raises(DTypeError, match="takes numbers, got"):
        graph([["a", "b", "c"]])
    with pytest.raises(DTypeError, match="The graph takes numbers, got masked values"):
        graph(np.ma.masked_less(np.ones((1, 3), np.float32), 2))
    with pytest.raises(DTypeError, match="takes arrays, got a Rational"):
        graph(Rational.of(np.ones((1, 3))))
    with pytest.raises(ShapeError, match="ragged"):
        graph([[1.0], [1.0, 2.0]])


def test_capture_takes_models_and_functions(model: nn.Model) -> None:
    assert tm.capture(model).inputs == ("x0",)
    assert [n.op for n in tm.capture(jnp.tanh, (3,)).nodes] == ["tanh"]
    with pytest.raises(ArgumentError, match="takes a model alone"):
        tm.capture(model, (3,))
    with pytest.raises(ArgumentError, match="takes a model or a function, got Linear"):
        tm.capture(nn.Linear(3, 2))
    with pytest.raises(ArgumentError, match="takes a model or a graph, got int"):
        tm.evaluate(3, 4, dtype="rational")  # type: ignore[arg-type]


def test_a_graph_model_says_what_it_takes(model: nn.Model) -> None:
    shown = tm.GraphModel(tm.capture(model))
    assert repr(shown) == "GraphModel(float32 (N, 3) -> float32 (N, 2), 3 nodes)"


def test_a_rational_is_read_as_an_interval_and_an_interval_not_in_rationals() -> None:
    twice = tm.capture(lambda x: x * 2, (1,))
    third = Rational.of([Fraction(1, 3)])
    box = tm.evaluate(twice, third, dtype="interval")
    assert Fraction(float(box.lower[0])) < Fraction(2, 3) < Fraction(float(box.upper[0]))
    with pytest.raises(DTypeError, match="An exact reading takes numbers, got an Interval"):
        tm.evaluate(twice, box, dtype="rational")


@pytest.mark.parametrize("dtype", ["float32", "float64", "rational"])
def test_an_index_out_of_range_is_an_error_in_every_reading(dtype: str) -> None:
    model = nn.build(nn.Embedding(5, 3), Spec(("N",), "int32"))
    for whole in (model, tm.GraphModel(tm.capture(model))):
        assert tm.evaluate(whole, [4], dtype=dtype).shape == (1, 3)
        with pytest.raises(DataError, match="takes indices from 0 to 4, got -1") as caught:
            tm.evaluate(whole, [0, -1], dtype=dtype)
        assert caught.value.where == "index[1]"


ARGUMENTS: dict[str, tuple[Any, Any, str]] = {
    "a list beyond float32": ([[1e300, 0, 0]], "float32", "with values that float32 does not hold"),
    "an array beyond float32": (np.full((1, 3), 1e300), "float32", "values that float32 does not"),
    "JAX's integers": (jnp.ones((1, 3), jnp.int32), "float32", "takes float32, got int32"),
    "JAX's halves": (jnp.ones((1, 3), jnp.float16), "float32", "takes float32, got float16"),
    "half a number": ([[1.5, 0, 0]], "int32", "with values that int32 does not hold"),
    "large numbers": (np.full((1, 3), 2**40), "int32", "with values that int32 does not hold"),
    "text": ([["a", "b", "c"]], "float32", "takes numbers, got <U1"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_model_and_its_graph_take_arguments_by_one_rule(name: str) -> None:
    x, dtype, words = ARGUMENTS[name]
    model = nn.build(nn.ReLU() if dtype == "float32" else Twice(), Spec(("N", 3), dtype))
    said = []
    for whole in (model, tm.GraphModel(tm.capture(model))):
        with pytest.raises(DTypeError, match=words) as caught:
            whole(x)
        said.append((caught.value.what.split(" ", 2)[2], caught.value.help))
    assert said[0] == said[1]


class Twice(nn.Layer):
    takes: ClassVar[str] = "integer"

    def forward(self, x: Any) -> Any:
        return x + x


def test_a_graph_is_called_in_a_trace_like_its_model(model: nn.Model, x: Any) -> None:
    whole = tm.GraphModel(tm.capture(model))
    np.testing.assert_allclose(jax.jit(whole)(x), model(x), rtol=1e-6)
    slope = jax.grad(lambda x: whole(x).sum())(jnp.asarray(x))
    expected = jax.grad(lambda x: model(x).sum())(jnp.asarray(x))
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "rational", "interval"])
def test_an_index_that_is_no_whole_number_is_refused_in_every_reading(dtype: str) -> None:
    model = nn.build(nn.Embedding(3, 2), Spec(("N",), "int32"))
    for index in ([1.5], np.array([1.5])):
        with pytest.raises(DTypeError, match="with values that int32 does not hold"):
            tm.evaluate(model, index, dtype=dtype)


def test_between_two_rows_there_is_none() -> None:
    table = tm.capture(nn.build(nn.Embedding(3, 2), Spec(("N",), "int32")))
    with pytest.raises(DataError, match="takes indices from 0 to 2, got 3/2"):
        tm.evaluate(table, Rational.of([1, 1.5]), dtype="rational")
    box = tm.evaluate(table, Interval.of([1.5, 1.0, 0.5], [1.5, 1.0, 1.5]), dtype="interval")
    assert np.isinf(box.lower[0]).all() and np.isinf(box.upper[0]).all()
    assert np.isfinite(box.lower[1:]).all() and np.array_equal(box.lower[1], box.upper[1])


@pytest.mark.parametrize("dtype", ["float32", "float64", "rational", "interval"])
@pytest.mark.parametrize("sizes", [(0, 3, 2), (4, 0, 2), (4, 3, 0)])
def test_an_empty_product_is_what_numpy_makes_of_it(dtype: str, sizes: Any) -> None:
    n, m, k = sizes
    whole = tm.capture(lambda x, y: x @ y, (n, m), (m, k))
    y = tm.evaluate(whole, np.ones((n, m), np.float32), np.ones((m, k), np.float32), dtype=dtype)
    assert y.shape == (np.ones((n, m)) @ np.ones((m, k))).shape
    values = y.to_float() if isinstance(y, Rational) else getattr(y, "lower", y)
    np.testing.assert_allclose(values, 0, atol=1e-300)


def test_a_nan_that_is_no_wrong_index_is_a_nan() -> None:
    def f(i: Any, x: Any) -> Any:
        return F.embedding(i, jnp.zeros((5, 1))) + x[:, None]

    whole = tm.GraphModel(tm.capture(f, Spec((1,), "int32"), (1,)))
    assert np.isnan(whole(np.array([1], np.int32), np.array([np.nan], np.float32))).all()


def test_coverage_names_the_op_that_stands_in_the_way() -> None:
    def cubed(x: Any) -> Any:
        return jax.lax.scan(lambda c, v: (jnp.arctan(c * v), c), x[0], x)

    looped = tm.coverage(tm.capture(cubed, (3,)))
    assert looped["exact"] == "atan: its values at rational numbers are irrational"
    assert looped["interval"] == looped["lines"] == ""
    assert looped["checker"] == "atan: the checker does not know it"
    linear = nn.build(nn.Linear(3, 2), input=("N", 3))
    assert set(tm.coverage(linear).values()) == {""}


# --- floats of 16 bits


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_model_in_half_is_one_that_is_built_in_half(model: nn.Model, dtype: str, x: Any) -> None:
    half = nn.build(model.layer, input=Spec(("N", 3), dtype))
    half = half.replace(params={k: a.astype(dtype) for k, a in model.params.items()})
    found = tm.evaluate(model, x, dtype=dtype)
    assert found.dtype == dtype and np.array_equal(found, half(jnp.asarray(x, dtype)))


def test_what_float16_does_not_hold_is_refused(model: nn.Model) -> None:
    x = np.full((1, 3), 1e5, np.float32)
    with pytest.raises(DTypeError, match=r"float16 does not hold 100000\.0") as caught:
        tm.evaluate(model, x, dtype="float16")
    assert caught.value.where == "x0"
    large = model.replace(params={**model.params, "2.bias": jnp.full(2, 1e6)})
    with pytest.raises(DTypeError, match=r"float16 does not hold 1000000\.0") as caught:
        tm.evaluate(large, x / 1e5, dtype="float16")
    assert caught.value.where == "2.bias"
    assert np.isfinite(tm.evaluate(large, x, dtype="bfloat16")).all()


# --- balls


@pytest.fixture
def flint() -> Any:
    return pytest.importorskip("flint")


class Mixture(nn.Layer):
    """What has no exact reading: a norm, curves and a softmax."""

    norm: nn.Layer
    linear: nn.Linear

    def forward(self, x: Any) -> Any:
        return F.softmax(jnp.sin(F.gelu(self.linear(self.norm(x)))), dim=-1)


def by_mpmath(model: nn.Model, x: Any) -> list[Any]:
    """The mixture for one row, with 400 digits."""
    p = {
        name: np.vectorize(mpmath.mpf, [object])(np.float64(a)) for name, a in model.params.items()
    }
    x = np.vectorize(mpmath.mpf, [object])(np.float64(x))
    centred = x - x.sum() / 3
    z = centred / mpmath.sqrt((centred**2).sum() / 3 + mpmath.mpf(1e-5))
    h = p["linear.weight"] @ (z * p["norm.weight"] + p["norm.bias"]) + p["linear.bias"]
    e = [mpmath.exp(mpmath.sin(v * mpmath.erfc(-v / mpmath.sqrt(2)) / 2)) for v in h]
    return [v / sum(e) for v in e]


def test_balls_read_to_any_number_of_digits(flint: Any) -> None:
    model = nn.build(Mixture(nn.LayerNorm(3), nn.Linear(3, 2)), input=("N", 3), seed=3)
    x = np.array([[0.1, -2.5, 3.7]], np.float32)
    with mpmath.workdps(400):
        true = by_mpmath(model, x[0])
        for bits in (53, 128, 1000):
            found = tm.evaluate(model, x, dtype=f"ball[{bits}]")
            assert isinstance(found, Ball) and found.bits == bits
            for ball, value in zip(found.values.ravel(), true, strict=True):
                middle = mpmath.mpf(int(ball.mid().man_exp()[0]))
                middle *= mpmath.mpf(2) ** int(ball.mid().man_exp()[1])
                radius = mpmath.mpf(2) ** (12 - bits)
                assert float(ball.rad()) <= 2.0 ** max(12 - bits, -1000)
                assert abs(middle - value) <= radius
    assert tm.evaluate(model, x, dtype="ball").bits == 128
    assert np.allclose(tm.evaluate(model, x, dtype="ball").to_float(), model(x), atol=1e-6)


def test_a_gradient_and_a_loop_are_read_in_balls(flint: Any) -> None:
    def looped(x: Any) -> Any:
        return jax.lax.fori_loop(0, 5, lambda i, y: jnp.tanh(y * 2), x).sum()

    x = np.array([0.25, -0.125], np.float32)
    slope = tm.capture(jax.grad(looped), (2,))
    found = tm.evaluate(slope, x, dtype="ball[200]")
    near = tm.evaluate(slope, x, dtype="float64")
    assert np.allclose(found.to_float(), near, rtol=1e-12) and np.all(found.radius() < 1e-50)


def test_a_ball_is_read_of_boxes_and_rationals_and_by_nothing_else(flint: Any) -> None:
    twice = tm.capture(lambda x: x * 2, (1,))
    third = tm.evaluate(twice, Rational.of([Fraction(1, 3)]), dtype="ball")
    assert third.to_float() == [2 / 3] and 0 < third.radius()[0] < 1e-37
    low, high = tm.evaluate(twice, Interval.of([1.0], [2.0]), dtype="ball").ends()
    assert low[0] <= 2 and high[0] >= 4 and high[0] - low[0] < 2.1
    assert tm.evaluate(twice, third, dtype="ball").to_float() == [4 / 3]
    for dtype, words in (
        ("rational", "exact reading takes numbers, got a Ball"),
        ("interval", "interval reading takes numbers or a box, got a Ball"),
        ("float64", "Computing in float64 takes arrays, got a Ball"),
    ):
        with pytest.raises(DTypeError, match=words):
            tm.evaluate(twice, third, dtype=dtype)


def test_a_mask_of_infinities_is_read_in_balls(flint: Any) -> None:
    masked = tm.capture(lambda x: jax.nn.softmax(jnp.where(x > 0, x, -jnp.inf)), (3,))
    found = tm.evaluate(masked, np.float32([1, -1, 2]), dtype="ball")
    assert found.to_float()[1] == 0 and np.all(found.radius() < 1e-36)
    assert np.allclose(found.to_float(), jax.nn.softmax(jnp.array([1, -jnp.inf, 2])))


def test_what_bits_do_not_decide_is_said(flint: Any) -> None:
    def picked(x: Any) -> Any:
        near = jnp.sqrt(x) * jnp.sqrt(x) - x  # 0, which no number of bits shows
        return F.embedding(jnp.argmax(jnp.concatenate([near, 0 * x])[None], 1), jnp.ones((2, 1)))

    with pytest.raises(MeaningError, match="`embedding` has no ball meaning here") as caught:
        tm.evaluate(tm.capture(picked, (1,)), np.float32([2.0]), dtype="ball")
    assert "128 bits do not decide" in caught.value.because
    whole = tm.capture(lambda x: jnp.exp(x).astype(jnp.int32), (1,))
    assert tm.evaluate(whole, np.float32([3.0]), dtype="ball").to_float() == [20.0]
    with pytest.raises(MeaningError, match="`cast` has no ball meaning here"):
        tm.evaluate(whole, np.float32([80.0]), dtype="ball")


def test_balls_that_cannot_be_are_refused(model: nn.Model, flint: Any) -> None:
    for bits in ("1", "2000000"):
        with pytest.raises(DTypeError, match=f"ball takes 16 to 1000000 bits, got {bits}"):
            tm.evaluate(model, np.ones((1, 3), np.float32), dtype=f"ball[{bits}]")
    with pytest.raises(DataError, match="in balls takes numbers, got nan"):
        tm.evaluate(model, np.full((1, 3), np.nan, np.float32), dtype="ball")
    with pytest.raises(DTypeError, match="takes numbers, got complex64"):
        Ball.of(np.zeros(1, np.complex64))


def test_balls_take_an_extra_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(MeaningError, match="takes python-flint, which is not installed") as caught:
        tm.evaluate(tm.capture(jnp.exp, (1,)), np.ones(1, np.float32), dtype="ball")
    assert caught.value.help == 'pip install "tensorem[exact]"'
