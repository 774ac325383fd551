"""Every error term is the one that docs/checker.md proves, to the last constant.

Real rounding is far smaller than its bounds, so that a term left out seldom shows. Here the code
runs in an arithmetic that rounds nothing and charges a lot: what it charges is then plain algebra,
and is compared with the formulas of the document, written down once more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from checker_cases import Array, fractions, mlp

from tensorem.check import UnsupportedError, _check, _numbers, _steps
from tensorem.check._bounds import Program, Values, lowest, propagate
from tensorem.check._errors import RejectedError
from tensorem.check._numbers import EXACT, FLOAT64, Bounds, Constant, bounds

TAU, UP = Fraction(1, 7000), Fraction(1, 11)


def g(n: int) -> Fraction:
    return Fraction(n + 8, 1000)


LOUD = dataclasses.replace(EXACT, name="loud", gamma=g, tiny=TAU, up=lambda x: x + UP)


def some(rng: Any, *shape: int) -> Array:
    return fractions(rng.integers(-40, 41, shape)) / 8


def interval(rng: Any, size: int) -> Bounds:
    ends = np.sort(np.stack([some(rng, size), some(rng, size)]), axis=0)
    return bounds(ends[0], ends[1] + Fraction(1, 8), LOUD)


def around(middle: Array, radius: Array) -> Constant:
    return Constant(middle - radius, middle + radius)


def assert_equal(found: Any, wanted: Any) -> None:
    assert np.array_equal(np.asarray(found, object), np.asarray(wanted, object))


@pytest.fixture
def rng() -> Any:
    return np.random.default_rng(0)


def test_lemma_1_gamma_is_that_of_the_document() -> None:
    for n in (0, 1, 5, 1000, 2**40):
        k = Fraction(n + 8, 2**53)
        wanted = k / (1 - k)
        assert abs(Fraction(FLOAT64.gamma(n)) - wanted) <= wanted * Fraction(2) ** -52
    assert FLOAT64.tiny == 2.0**-1000 and EXACT.tiny == EXACT.gamma(9) == 0


def test_lemma_4_middle_and_radius(rng: Any) -> None:
    x = interval(rng, 9)
    assert_equal(x.middle, (x.lower + x.upper) / 2)
    assert_equal(x.radius, (x.upper - x.lower) / 2 + UP)
    assert_equal(x.size, [max(abs(a), abs(b)) for a, b in zip(x.lower, x.upper, strict=True)])


def affine_step(rng: Any) -> tuple[_steps.Affine, dict[str, Array]]:
    w, d = some(rng, 2, 3, 5), abs(some(rng, 2, 3, 5)) / 9
    b, e = some(rng, 2, 1, 5), abs(some(rng, 2, 1, 5)) / 9
    step = _steps.affine((0,), 2, around(w, d), around(b, e), LOUD)
    return step, {"w": w, "d": d, "b": b, "e": e}


def test_lemma_5_affine(rng: Any) -> None:
    (step, c), x = affine_step(rng), interval(rng, 12)
    lower, upper, noise = _steps.forward(step, [x], LOUD)
    m, r, size = (v.reshape(2, 2, 3) for v in (x.middle, x.radius, x.size))
    wanted = size @ (g(5) * abs(c["w"]) + c["d"] + TAU) + g(20) * abs(c["b"]) + c["e"] + TAU
    assert_equal(noise, wanted.ravel())
    centre, radius = m @ c["w"] + c["b"], r @ abs(c["w"])
    assert_equal(lower, (centre - radius - 2 * wanted).ravel())
    assert_equal(upper, (centre + radius + 2 * wanted).ravel())


def test_lemma_5_affine_charges_for_its_longer_side(rng: Any) -> None:
    w = around(some(rng, 1, 7, 2), 0 * some(rng, 1, 7, 2))
    zero = Constant(np.zeros(1), np.zeros(1))
    assert_equal(_steps.affine((0,), 1, w, zero, LOUD).slack, g(7) * abs(w.lower) + TAU)


def assert_backward(step: Any, f: Callable[..., Array], *xs: Array, rng: Any) -> None:
    """Raise unless rows @ y = the sum of parts @ operands + the constant, exactly."""
    y = f(*xs)
    rows = some(rng, 4, y.size)
    parts, term = _steps.backward(step, rows, LOUD)
    assert_equal(rows @ y.ravel(), sum(p @ x for p, x in zip(parts, xs, strict=True)) + term)


def test_lemma_5_backward_is_exact_where_nothing_rounds(rng: Any) -> None:
    step, c = affine_step(rng)
    x, y = some(rng, 12), some(rng, 12)
    assert_backward(step, lambda x: x.reshape(2, 2, 3) @ c["w"] + c["b"], x, rng=rng)
    factor = some(rng, 12)
    scale = _steps.scale((0,), around(factor, 0 * factor), slice(None), LOUD)
    assert_backward(scale, lambda x: x * factor, x, rng=rng)
    assert_backward(_steps.Sum((0, 1), (1, -1)), lambda x, y: x - y, x, y, rng=rng)
    index = rng.integers(0, 24, 40)
    gather = _steps.gather((0, 1), (12, 12), index)
    assert_backward(gather, lambda x, y: np.concatenate([x, y])[index], x, y, rng=rng)


def test_lemma_5_scale(rng: Any) -> None:
    f, d, x = some(rng, 6), abs(some(rng, 6)) / 9, interval(rng, 6)
    step = _steps.scale((0,), around(f, d), slice(None), LOUD)
    lower, upper, noise = _steps.forward(step, [x], LOUD)
    assert_equal(noise, (g(1) * abs(f) + d + TAU) * x.size + TAU)
    assert_equal(lower, np.minimum(f * x.lower, f * x.upper) - 2 * noise)
    assert_equal(upper, np.maximum(f * x.lower, f * x.upper) + 2 * noise)


def test_lemma_5_sum(rng: Any) -> None:
    x, y, z = (interval(rng, 6) for _ in range(3))
    lower, upper, noise = _steps.forward(_steps.Sum((0, 1, 2), (1, -1, 1)), [x, y, z], LOUD)
    assert_equal(noise, g(3) * (x.size + y.size + z.size) + TAU)
    assert_equal(lower, x.lower - y.upper + z.lower - 2 * noise)
    assert_equal(upper, x.upper - y.lower + z.upper + 2 * noise)


def test_lemma_5_gather(rng: Any) -> None:
    x, index = interval(rng, 4), np.array([3, 1, 1, 0, 1])
    lower, upper, noise = _steps.forward(_steps.gather((0,), (4,), index), [x], LOUD)
    assert_equal(lower, x.lower[index])
    assert_equal(upper, x.upper[index])
    assert_equal(noise, g(3) * x.size[index] + TAU)


@pytest.mark.parametrize("leak", [Fraction(0), Fraction(1, 4)])
def test_lemma_5_relu(leak: Fraction, rng: Any) -> None:
    x = interval(rng, 30)
    lower, upper, noise = _steps.forward(_steps.Relu((0,), leak, "y"), [x], LOUD)
    assert_equal(noise, (g(1) * leak * x.size + TAU) * (leak > 0))
    assert_equal(lower, np.maximum(x.lower, leak * x.lower - 2 * noise))
    assert_equal(upper, np.maximum(x.upper, leak * x.upper + 2 * noise))


@pytest.mark.parametrize("leak", [Fraction(0), Fraction(1, 4)])
def test_lemma_6_relu_lines(leak: Fraction, rng: Any) -> None:
    x, slopes = interval(rng, 30), rng.integers(0, 9, 30) / np.float32(8)
    line = _steps.relu_lines(_steps.Relu((0,), leak, "y"), x, slopes, LOUD)
    open_, t = (x.lower < 0) & (x.upper > 0), line.upper_slope
    assert open_.any() and not open_.all()
    rise = np.maximum((t - leak) * -x.lower, (1 - t) * x.upper)
    assert_equal(line.offset, np.where(open_, rise + 2 * (g(4) * rise + TAU), 0))
    settled = np.where(x.lower >= 0, 1, leak)
    assert_equal(line.lower_slope, np.where(open_, np.maximum(fractions(slopes), leak), settled))
    assert_equal(t[~open_], settled[~open_])
    assert_equal(line.noise, g(1) * x.size + g(30) * line.offset + TAU)


def test_lemma_6_max_lines(rng: Any) -> None:
    x, inside = interval(rng, 80), rng.random((20, 4)) < 0.7
    inside[:, 1] = True
    picks = np.array([rng.choice(np.flatnonzero(row), 2) for row in inside]).T
    line = _steps.max_lines(_steps.Max((0,), inside, "y"), x, *picks, LOUD)
    cells, t = np.arange(20) * 4 + picks, line.upper_slope
    low, high = x.lower[cells[1]], x.upper[cells[1]]
    others = x.upper.reshape(20, 4)
    rest = np.array([
        max([low[j], *(others[j, k] for k in range(4) if inside[j, k] and k != picks[1][j])])
        for j in range(20)
    ])  # fmt: skip
    rise = np.maximum(rest - t * low, np.maximum(high, rest) - t * high)
    rise = rise + 2 * (g(4) * (abs(rest) + abs(low) + abs(high)) + TAU)
    assert_equal(line.offset, np.where(rest > low, rise, 0))
    assert_equal(t[rest <= low], np.ones(sum(rest <= low)))
    assert_equal(line.lower_cell, cells[0])
    assert_equal(line.upper_cell, cells[1])
    sizes = x.size[cells[0]] + x.size[cells[1]]
    assert_equal(line.noise, g(1) * sizes + g(20) * abs(line.offset) + TAU)


def passed(program: Program, x: Bounds, rows: Array, tensors: Any = None) -> tuple[Array, Values]:
    values = propagate(program, x, tensors, LOUD)
    return lowest(program, values, program.output, rows, LOUD), values


def at_box(rows: Array, x: Bounds) -> tuple[Array, Array]:
    """The term and the error where a backward pass ends, with the floor of the input."""
    term = rows @ x.middle - abs(rows) @ x.radius
    return term, abs(rows) @ (g(x.size.size) * x.size + TAU) + TAU


def floor(*sources: Bounds) -> Fraction:
    return TAU * (1 + sum(s.size.sum() for s in sources))


def test_lemma_7_a_pass_that_ends_at_once(rng: Any) -> None:
    x, rows = interval(rng, 5), some(rng, 3, 5)
    found, _ = passed(Program((_steps.Input(5),), 0, frozenset(), 5), x, rows)
    term, error = at_box(rows, x)
    assert_equal(found, term - 2 * (error + g(0) * abs(term)) - UP)


def test_lemma_7_a_pass_through_an_affine_step(rng: Any) -> None:
    (step, _), x = affine_step(rng), interval(rng, 12)
    rows = some(rng, 3, 20)
    program = Program((_steps.Input(12), step), 1, frozenset(), 20)
    found, values = passed(program, x, rows)
    (part,), first = _steps.backward(step, rows, LOUD)
    term, error = at_box(part, x)
    slop = abs(rows) @ values.noise[1] + floor(x) + g(0) * abs(first)
    slop = slop + error + g(0) * abs(first + term)
    assert_equal(found, first + term - 2 * slop - UP)


def test_lemma_7_a_value_with_two_users(rng: Any) -> None:
    x, rows = interval(rng, 5), some(rng, 3, 5)
    program = Program((_steps.Input(5), _steps.Sum((0, 0), (1, 1))), 1, frozenset(), 5)
    found, values = passed(program, x, rows)
    term, error = at_box(2 * rows, x)
    slop = abs(rows) @ values.noise[1] + floor(x, x) + error + g(0) * abs(term)
    slop = slop + abs(2 * rows) @ (g(0) * x.size + TAU)
    assert_equal(found, term - 2 * slop - UP)


def test_lemma_7_a_bend_with_lines(rng: Any) -> None:
    x, rows = interval(rng, 9), some(rng, 3, 9)
    step = _steps.Relu((0,), Fraction(0), "y")
    program = Program((_steps.Input(9), step), 1, frozenset(), 9)
    found, values = passed(program, x, rows, {"slope.y": np.full(9, 0.25, np.float32)})
    line = values.lines[1]
    positive, negative = np.maximum(rows, 0), np.minimum(rows, 0)
    term, error = at_box(positive * line.lower_slope + negative * line.upper_slope, x)
    first = negative @ line.offset
    slop = abs(rows) @ line.noise + floor(x) + g(0) * abs(first)
    slop = slop + error + g(0) * abs(first + term)
    assert_equal(found, first + term - 2 * slop - UP)


def test_tightened_bounds_are_the_better_of_both(rng: Any) -> None:
    """x - x is 0 backward and far from it forward; where errors are charged, forward is better."""
    x = interval(rng, 5)
    apart = (_steps.Input(5), _steps.Sum((0, 0), (1, -1)))
    values = propagate(Program(apart, 1, frozenset({1}), 5), x, {}, EXACT)
    assert_equal(values.bounds[1].upper, fractions(np.zeros(5)))
    alone = (_steps.Input(5), _steps.Sum((0,), (1,)))
    for tightened in (frozenset({1}), frozenset[int]()):
        found = propagate(Program(alone, 1, tightened, 5), x, {}, LOUD).bounds[1]
        assert_equal(found.lower, x.lower - 2 * (g(1) * x.size + TAU))


def test_lemma_8_bounds_are_finite_and_in_order() -> None:
    zero, one = np.zeros(1), np.ones(1)
    for lower, upper, words in [
        (one, zero, "a lower bound is not below its upper bound"),
        (zero, one * np.inf, "a bound is not finite"),
        (zero * np.nan, one, "a bound is not finite"),
    ]:
        with pytest.raises(RejectedError, match=words):
            bounds(lower, upper, FLOAT64)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_lemma_8_no_margin_but_a_positive_number_is_accepted(
    number: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = mlp(1)
    with monkeypatch.context() as patch:
        patch.setattr(_check, "least", lambda *_: np.array([1.0, number]))
        assert _check.check(case.document, case.arrays, case.claim, case.tensors) == (
            _check.Result(False, "a margin is not finite")
        )
    for margin in (np.nan, 0.0, -0.0, -np.inf):
        monkeypatch.setattr(_check, "_margin", lambda *_, margin=margin: margin)
        assert not _check.check(case.document, case.arrays, case.claim, case.tensors).accepted


def test_constants_are_enclosed() -> None:
    thirds = fractions(np.arange(-20, 20)) / 3
    middle, radius = FLOAT64.enclose(Constant(thirds, thirds + Fraction(1, 7)))
    assert np.all(fractions(middle) - fractions(radius) <= thirds)
    assert np.all(fractions(middle) + fractions(radius) >= thirds + Fraction(1, 7))
    known = _steps.known(Constant(thirds, thirds), FLOAT64).bounds
    assert np.all(fractions(known.lower) <= thirds) and np.all(thirds <= fractions(known.upper))


def test_a_process_that_flushes_small_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_numbers.np, "full", lambda shape, _: np.zeros(shape))
    with pytest.raises(UnsupportedError, match="flushes subnormal numbers to zero"):
        _numbers.assert_gradual_underflow()
