"""Every error term is the one that docs/checker.md proves, to the last constant.

Real rounding is far smaller than its bounds, so that a term left out seldom shows. Here the code
runs in an arithmetic that rounds nothing and charges a lot: what it charges is then plain algebra,
and is compared with the formulas of the document, written down once more.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from checker_cases import Array, Net, fractions, mlp, naive_root

from tensorem.check import UnsupportedError, _bounds, _check, _lower, _numbers, _steps
from tensorem.check._bounds import lowest, propagate
from tensorem.check._errors import RejectedError
from tensorem.check._graph import parse_graph
from tensorem.check._numbers import EXACT, FLOAT64, Enclosure, bounds
from tensorem.check._program import Bounds, Program, Relax
from tensorem.check._steps import Affine, Box, Read, Relu, affine, read

TAU, UP = Fraction(1, 7000), Fraction(1, 11)


def g(n: int) -> Fraction:
    return Fraction(n + 8, 1000)


LOUD = dataclasses.replace(EXACT, name="loud", gamma=g, tiny=TAU, up=lambda x: x + UP)


def some(rng: Any, *shape: int) -> Array:
    return fractions(rng.integers(-40, 41, shape)) / 8


def interval(rng: Any, size: int) -> Enclosure:
    ends = np.sort(np.stack([some(rng, size), some(rng, size)]), axis=0)
    return bounds(ends[0], ends[1] + Fraction(1, 8), LOUD)


def around(middle: Array, radius: Any) -> Enclosure:
    return bounds(middle - radius, middle + radius, LOUD)


def line_of(count: int, start: int = 0) -> Read:
    return read(np.arange(start, start + count))


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


def affine_step(rng: Any) -> tuple[Affine, dict[str, Array]]:
    w, d = some(rng, 2, 3, 5), abs(some(rng, 2, 3, 5)) / 9
    b, e = some(rng, 2, 1, 5), abs(some(rng, 2, 1, 5)) / 9
    step = affine(line_of(12), 2, around(w, d), around(b, e), LOUD)
    return step, {"w": w, "d": d + UP, "b": b, "e": e + UP}


def test_lemma_5_affine(rng: Any) -> None:
    (step, c), x = affine_step(rng), interval(rng, 12)
    lower, upper, noise = _steps.forward(step, x, LOUD)
    m, r, size = (v.reshape(2, 2, 3) for v in (x.middle, x.radius, x.size))
    wanted = size @ (g(5) * abs(c["w"]) + c["d"] + TAU) + g(20) * abs(c["b"]) + c["e"] + TAU
    assert_equal(noise, wanted.ravel())
    centre, radius = m @ c["w"] + c["b"], r @ abs(c["w"])
    assert_equal(lower, (centre - radius - 2 * wanted).ravel())
    assert_equal(upper, (centre + radius + 2 * wanted).ravel())


def test_lemma_5_affine_charges_for_its_longer_side(rng: Any) -> None:
    w, zero = some(rng, 1, 7, 2), around(fractions(np.zeros((1, 1, 1))), 0)
    step = affine(line_of(7), 1, around(w, 0), zero, LOUD)
    assert_equal(step.slack, g(7) * abs(w) + UP + TAU)


def test_lemma_5_affine_one_by_one(rng: Any) -> None:
    f, d, b, x = some(rng, 6, 1, 1), abs(some(rng, 6, 1, 1)) / 9, some(rng, 6), interval(rng, 6)
    step = affine(line_of(6), 1, around(f, d), around(b.reshape(6, 1, 1), 0), LOUD)
    lower, _, noise = _steps.forward(step, x, LOUD)
    f, d = f.ravel(), d.ravel()
    wanted = x.size * (g(1) * abs(f) + d + UP + TAU) + g(6) * abs(b) + UP + TAU
    assert_equal(noise, wanted)
    assert_equal(lower, f * x.middle + b - abs(f) * x.radius - 2 * noise)


def test_lemma_5_backward_is_exact_where_nothing_rounds(rng: Any) -> None:
    step, c = affine_step(rng)
    x, rows = some(rng, 12), some(rng, 4, 20)
    term, [(_, part)] = _steps.affine_backward(step, rows, LOUD)
    assert_equal(rows @ (x.reshape(2, 2, 3) @ c["w"] + c["b"]).ravel(), part @ x + term)
    factor, rows = some(rng, 12, 1, 1), some(rng, 4, 12)
    step = affine(line_of(12), 1, around(factor, 0), around(factor, 0), LOUD)
    term, [(_, part)] = _steps.affine_backward(step, rows, LOUD)
    assert_equal(rows @ (factor.ravel() * (x + 1)), part @ x + term)


@pytest.mark.parametrize("at", [[3, 1, 1, 0, 1], [4, 2, 0], [1, 2, 3]])
def test_lemma_6_rows_are_added_up(at: list[int], rng: Any) -> None:
    """What is read twice, in disorder, or as a range; onto zeros and onto other rows."""
    source, size, repeats = read(np.array(at)), interval(rng, 5).size, max(map(at.count, at))
    rows, x, before = some(rng, 4, len(at)), some(rng, 5), some(rng, 4, 5)
    twice = 0 if repeats == 1 else abs(rows) @ (g(repeats) * size[at] + TAU)
    for open_ in (fractions(np.zeros((4, 5))), before.copy()):
        wanted = rows @ x[at] + open_ @ x
        adds, hit = bool(open_.any()), sorted(set(at))
        slop = _bounds._add(open_, source, rows, size, LOUD)
        assert_equal(open_ @ x, wanted)
        added = abs(open_[:, hit]) @ (g(0) * size[hit] + TAU)
        assert_equal(slop, twice + adds * added + 0 * added)


@pytest.mark.parametrize("leak", [Fraction(0), Fraction(1, 4)])
def test_lemma_5_relu(leak: Fraction, rng: Any) -> None:
    x = interval(rng, 30)
    lower, upper, noise = _steps.forward(Relu(line_of(30), leak, "y"), x, LOUD)
    assert_equal(noise, (g(1) * leak * x.size + TAU) * (leak > 0))
    assert_equal(lower, np.maximum(x.lower, leak * x.lower - 2 * noise))
    assert_equal(upper, np.maximum(x.upper, leak * x.upper + 2 * noise))


@pytest.mark.parametrize("leak", [Fraction(0), Fraction(1, 4)])
def test_lemma_7_relu_lines(leak: Fraction, rng: Any) -> None:
    x, step = interval(rng, 30), Relu(line_of(30), leak, "y")
    lower, t = np.maximum(fractions(rng.integers(0, 9, (2, 30))) / 8, leak)
    line = _steps.lines(step, x, (lower, t), {}, LOUD)
    ends = np.stack([x.lower, x.upper])
    rise = (np.maximum(ends, leak * ends) - t * ends).max(axis=0)
    assert_equal(line.offset, rise + 2 * (g(4) * rise + TAU))
    assert_equal(line.lower_slope, lower)
    assert_equal(line.upper_slope, t)
    assert_equal(line.noise, g(1) * x.size + g(30) * line.offset + TAU)


@pytest.mark.parametrize("leak", [0.0, 0.25])
def test_relu_slopes_are_the_given_ones_and_the_chords_where_the_sign_is_open(
    leak: float, rng: Any
) -> None:
    x, given = rounded(interval(rng, 30)), rng.integers(0, 9, 30) / np.float32(8)
    lower, upper = _steps.slopes(Relu(line_of(30), leak, "y"), x, {"slope.y": given})
    open_, itself = (x.lower < 0) & (x.upper > 0), np.where(x.lower >= 0, 1, leak)
    assert open_.any() and not open_.all()
    assert_equal(lower, np.where(open_, np.maximum(given, leak), itself))
    chord = (x.upper - leak * x.lower) / (x.upper - x.lower)
    assert upper == pytest.approx(np.where(open_, chord, itself))


def test_a_chord_that_overflows_is_a_slope_all_the_same() -> None:
    huge = np.full(1, 1.7e308)
    with np.errstate(all="ignore"):
        x = bounds(-huge, huge, FLOAT64)
        chosen = _steps.slopes(Relu(line_of(1), 0.25, "y"), x, {"slope.y": np.ones(1, np.float32)})
    assert_equal(chosen[1], [0.25])


def rounded(x: Enclosure) -> Enclosure:
    return bounds(x.lower.astype(float), x.upper.astype(float), FLOAT64)


def test_lemma_7_max_lines(rng: Any) -> None:
    x, inside = interval(rng, 80), rng.random((20, 4)) < 0.7
    inside[:4], inside[:, 1] = False, True
    picks = np.array([rng.choice(np.flatnonzero(row), 2) for row in inside]).T
    places, t = rng.permutation(80), fractions(rng.integers(0, 5, 20)) / 4
    t[:4] = [0, 1, Fraction(1, 4), 1]
    step = _steps.Max(read(places), inside, "y")
    line = _steps.max_lines(step, x, *picks, (t, t), LOUD)
    cells = np.arange(20) * 4 + picks
    low, high = x.lower[cells[1]], x.upper[cells[1]]
    others = x.upper.reshape(20, 4)
    rest = np.array([
        max([low[j], *(others[j, k] for k in range(4) if inside[j, k] and k != picks[1][j])])
        for j in range(20)
    ])  # fmt: skip
    rise = np.maximum(rest - t * low, np.maximum(high, rest) - t * high)
    rise = rise + 2 * (g(4) * (abs(rest) + abs(low) + abs(high)) + TAU)
    itself = (rest == low) & (t == 1)
    assert np.all(itself[:4] == [False, True, False, True])
    assert_equal(line.offset, np.where(itself, 0, rise))
    assert_equal(line.lower.at, places[cells[0]])
    assert_equal(line.upper.at, places[cells[1]])
    sizes = x.size[cells[0]] + x.size[cells[1]]
    assert_equal(line.noise, g(1) * sizes + g(20) * abs(line.offset) + TAU)


def program_of(*steps: Any, tightened: Any = frozenset()) -> Program:
    starts = tuple(np.cumsum([0, *(s.count for s in steps)]).tolist())
    return Program(steps, starts, line_of(steps[-1].count, starts[-2]), tightened)


def passed(
    program: Program, x: Enclosure, rows: Array, tensors: Any = None
) -> tuple[Array, Bounds]:
    def relax(_: int, step: Any, x: Enclosure) -> Any:
        return _steps.lines(step, x, _steps.slopes(step, rounded(x), tensors), tensors, LOUD)

    drawn = Relax(relax, lambda _, step, x: _steps.opens(step, x)) if tensors else None
    values = propagate(program, x, drawn, LOUD)
    return lowest(program, values, program.output, rows, LOUD), values


def at_box(rows: Array, x: Enclosure) -> tuple[Array, Array]:
    """The term and the error where a backward pass ends, with the floor of the box."""
    term = rows @ x.middle - abs(rows) @ x.radius
    return term, abs(rows) @ (g(x.size.size) * x.size + TAU) + TAU


def floor(x: Enclosure) -> Fraction:
    return TAU * (1 + x.size.sum())


def test_lemma_8_a_pass_that_ends_at_once(rng: Any) -> None:
    x, rows = interval(rng, 5), some(rng, 3, 5)
    found, _ = passed(program_of(Box(5)), x, rows)
    term, error = at_box(rows, x)
    assert_equal(found, term - 2 * (error + g(0) * abs(term)) - UP)


def test_lemma_8_a_pass_that_ends_at_a_constant(rng: Any) -> None:
    x, rows = interval(rng, 5), some(rng, 3, 5)
    found, _ = passed(program_of(Box(2), Box(5, x)), interval(rng, 2), rows)
    term, error = at_box(rows, x)
    assert_equal(found, term - 2 * (error + g(0) * abs(term)) - UP)


def test_lemma_8_a_pass_through_an_affine_step(rng: Any) -> None:
    (step, _), x = affine_step(rng), interval(rng, 12)
    rows = some(rng, 3, 20)
    found, values = passed(program_of(Box(12), step), x, rows)
    first, [(_, part)] = _steps.affine_backward(step, rows, LOUD)
    term, error = at_box(part, x)
    slop = abs(rows) @ values.noise[1] + floor(x) + g(0) * abs(first)
    slop = slop + error + g(0) * abs(first + term)
    assert_equal(found, first + term - 2 * slop - UP)


def test_lemma_8_a_value_with_two_users(rng: Any) -> None:
    """y = 2x read beside x: the rows of both meet at x."""
    x, rows, zero = interval(rng, 5), some(rng, 3, 10), around(fractions(np.zeros((1, 1, 1))), 0)
    twice = affine(line_of(5), 5, around(fractions(np.full((1, 1, 1), 2)), 0), zero, LOUD)
    program = dataclasses.replace(program_of(Box(5), twice), output=line_of(10))
    found, values = passed(program, x, rows)
    first, [(_, part)] = _steps.affine_backward(twice, rows[:, 5:], LOUD)
    both = rows[:, :5] + part
    term, error = at_box(both, x)
    slop = abs(rows[:, 5:]) @ values.noise[1] + floor(x) + g(0) * abs(first)
    slop = slop + abs(both) @ (g(0) * x.size + TAU) + error + g(0) * abs(first + term)
    assert_equal(found, first + term - 2 * slop - UP)


def test_lemma_8_a_pass_from_a_result_with_repeats(rng: Any) -> None:
    x, rows, at = interval(rng, 5), some(rng, 3, 4), np.array([4, 0, 4, 4])
    found, _ = passed(dataclasses.replace(program_of(Box(5)), output=read(at)), x, rows)
    whole = fractions(np.zeros((3, 5)))
    whole[:, 0], whole[:, 4] = rows[:, 1], rows[:, 0] + rows[:, 2] + rows[:, 3]
    term, error = at_box(whole, x)
    slop = abs(rows) @ (g(3) * x.size[at] + TAU) + error + g(0) * abs(term)
    assert_equal(found, term - 2 * slop - UP)


def test_lemma_8_a_bend_with_lines(rng: Any) -> None:
    x, rows = interval(rng, 9), some(rng, 3, 9)
    program = program_of(Box(9), Relu(line_of(9), Fraction(0), "y"))
    found, values = passed(program, x, rows, {"slope.y": np.full(9, 0.25, np.float32)})
    line = values.lines[1]
    positive, negative = np.maximum(rows, 0), np.minimum(rows, 0)
    term, error = at_box(positive * line.lower_slope + negative * line.upper_slope, x)
    first = negative @ line.offset
    slop = abs(rows) @ line.noise + floor(x) + g(0) * abs(first)
    slop = slop + error + g(0) * abs(first + term)
    assert_equal(found, first + term - 2 * slop - UP)


def sum_of(signs: list[int], count: int, a: Any) -> Affine:
    """The signed sum of as many copies of the first entries."""
    at = np.repeat(np.arange(count), len(signs))
    weight = fractions(np.reshape(signs, (1, -1, 1)))
    zero = fractions(np.zeros((1, 1, 1)))
    return affine(read(at), count, bounds(weight, weight, a), bounds(zero, zero, a), a)


def test_tightened_bounds_are_the_better_of_both(rng: Any) -> None:
    """x - x is 0 backward and far from it forward; where errors are charged, forward is better."""
    x, flat = interval(rng, 5), (fractions(np.zeros(5)), fractions(np.zeros(5)))
    relu = Relu(line_of(5, 5), Fraction(0), "y")

    def found(affine: Affine, a: Any, opened: Any) -> Bounds:
        drawn = Relax(lambda _, step, x: _steps.lines(step, x, flat, {}, a), lambda *_: opened)
        program = program_of(Box(5), affine, relu, tightened=frozenset({1, 2}))
        return propagate(program, x, drawn, a)

    opened = np.array([True, False, True, True, False])
    none = sum_of([1, -1], 5, EXACT)
    upper = found(none, EXACT, opened).bounds.upper[5:10]
    assert_equal(
        upper, np.where(opened, 0, _steps.forward(none, x.map(lambda v: v[none.read.at]), EXACT)[1])
    )
    alone = sum_of([1], 5, LOUD)
    for which in (opened, np.zeros(5, bool)):
        assert_equal(
            found(alone, LOUD, which).bounds.lower[5:10], _steps.forward(alone, x, LOUD)[0]
        )


def test_what_is_decided_is_not_open() -> None:
    ends = bounds(fractions([-1, 0, 1, -2, -1, -1]), fractions([0.5, 2, 3, -1, 0, 0]), EXACT)
    relu = _steps.opens(Relu(line_of(6), Fraction(0), "y"), ends)
    assert relu.tolist() == [True, False, False, False, False, False]
    inside = np.array([[True, True, True], [True, True, False]])
    greatest = _steps.opens(_steps.Max(line_of(6), inside, "y"), ends)
    assert greatest.tolist() == [False, True, True, False, False, False]


def test_lemma_9_bounds_are_finite_and_in_order() -> None:
    zero, one = np.zeros(1), np.ones(1)
    for lower, upper, words in [
        (one, zero, "a lower bound is not below its upper bound"),
        (zero, one * np.inf, "a bound is not finite"),
        (zero * np.nan, one, "a bound is not finite"),
    ]:
        with pytest.raises(RejectedError, match=words):
            bounds(lower, upper, FLOAT64)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_lemma_9_no_margin_but_a_positive_number_is_accepted(
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


def test_the_constants_of_a_batch_norm_are_rounded_outward_at_every_step(rng: Any) -> None:
    """Against a naive square root; each function of constants widens by UP at both ends."""
    net = Net((1, 3, 1, 1))
    w, b, mean, var = (np.array([2, -1, 3]), np.array([1, 0, -2]), np.array([-3, 1, 2]), [1, 4, 9])
    names = [net.array(name, v) for name, v in zip("wbmv", (w, b, mean, var), strict=True)]
    net.op("batch_norm", "x", *names, eps=0.5)
    step = _lower.lower(parse_graph(net.document), net.arrays, LOUD).steps[1]
    assert isinstance(step, Affine)
    for i in range(3):
        shifted = widened(var[i] + Fraction(1, 2))
        inverse = widened(*(1 / naive_root(v) for v in shifted))
        factor = widened(*(int(w[i]) * v for v in inverse))
        offset = widened(*(int(b[i]) - v for v in widened(*(int(mean[i]) * v for v in factor))))
        assert_near(step.weight.ravel()[i], sum(factor) / 2)
        assert_near(step.bias[i], sum(offset) / 2)
        radius = (offset[1] - offset[0]) / 2 + UP
        assert_near(step.bias_slack[i], g(3) * abs(sum(offset) / 2) + radius)
        radius = (factor[1] - factor[0]) / 2 + UP
        assert_near(step.slack.ravel()[i], g(1) * abs(sum(factor) / 2) + radius + TAU)


def widened(*ends: Fraction) -> tuple[Fraction, Fraction]:
    return min(ends) - UP, max(ends) + UP


def assert_near(found: Any, wanted: Fraction) -> None:
    assert abs(found - wanted) < Fraction(1, 2**80)


def float_interval(rng: Any, shape: tuple[int, ...], positive: bool = False) -> Enclosure:
    ends = np.ldexp(rng.uniform(1, 2, (2, *shape)), rng.integers(-400, 400, (2, *shape)))
    ends = np.sort(ends * (1 if positive else rng.choice([-1, 1], (1, *shape))), axis=0)
    return bounds(ends[0], ends[1], FLOAT64)


def test_constants_are_enclosed(rng: Any) -> None:
    x, y = float_interval(rng, (300,)), float_interval(rng, (300,))
    ends = [
        [p * q for p in ps for q in qs] for ps, qs in zip(exact_ends(x), exact_ends(y), strict=True)
    ]
    found = exact_ends(_numbers.product(x, y, FLOAT64))
    assert all(low <= min(e) and max(e) <= high for (low, high), e in zip(found, ends, strict=True))
    found = exact_ends(_numbers.inverse(x, FLOAT64))
    assert all(
        low <= 1 / b and 1 / a <= high
        for (low, high), (a, b) in zip(found, exact_ends(x), strict=True)
    )
    z = float_interval(rng, (300,), positive=True)
    found = exact_ends(_numbers.inverse_root(z, FLOAT64))
    assert all(
        low**2 * b <= 1 <= high**2 * a
        for (low, high), (a, b) in zip(found, exact_ends(z), strict=True)
    )


def exact_ends(x: Enclosure) -> list[tuple[Fraction, Fraction]]:
    return list(zip(fractions(x.lower), fractions(x.upper), strict=True))


def test_constants_are_exact_in_exact_arithmetic() -> None:
    third = bounds(fractions([3]) / 1, fractions([3]) / 1, EXACT)
    assert _numbers.inverse(third, EXACT).lower[0] == Fraction(1, 3)
    assert _numbers.product(third, third, EXACT).upper[0] == 9


def test_a_process_that_flushes_small_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_numbers.np, "full", lambda shape, _: np.zeros(shape))
    with pytest.raises(UnsupportedError, match="flushes subnormal numbers to zero"):
        _numbers.assert_gradual_underflow()
