"""Curves and products in the checker, against mpmath, exact corners, and points of whole nets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from checker_cases import SMOOTH, Array, Case, Net, certify, evaluate, fractions
from test_check_narrow import assert_alike
from test_check_sound import propagated

from tensorem.check import Result, UnsupportedError, check, prepare
from tensorem.check._curves import ERROR, FUNCTIONS, PIECES, enclosed_values, least, pieces
from tensorem.check._graph import parse_graph
from tensorem.check._lower import OPS, lower
from tensorem.check._numbers import EXACT, FLOAT64, Enclosure, bounds, floats
from tensorem.check._steps import (
    Lines,
    Product,
    Smooth,
    bend_backward,
    forward,
    lines,
    read,
    slopes,
)

mpmath = pytest.importorskip("mpmath")
TRUE: dict[str, Callable[[Any], Any]] = {
    "cos": mpmath.cos,
    "erf": mpmath.erf,
    "exp": mpmath.exp,
    "gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "log": mpmath.log,
    "reciprocal": lambda x: 1 / x,
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "sin": mpmath.sin,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "sqrt": mpmath.sqrt,
    "square": lambda x: x * x,
    "tanh": mpmath.tanh,
}
ABOVE_ZERO = {"log", "rsqrt", "sqrt", "reciprocal"}


@pytest.fixture(autouse=True)
def _digits() -> Any:
    with mpmath.workdps(60):
        yield


def intervals(kind: str, rng: Any, count: int = 40) -> tuple[Array, Array]:
    """Narrow and wide ones, of points too; where the function is known."""
    lower = rng.normal(size=count) * rng.choice([0.1, 3, 20], count)
    width = np.abs(rng.normal(size=count)) * rng.choice([0, 1e-9, 0.3, 5, 30], count)
    lower = np.abs(lower) + 1e-3 if kind in ABOVE_ZERO else lower
    return lower, lower + width


def within(lower: Array, upper: Array, rng: Any) -> list[Any]:
    """For each interval its ends, middle and some points between, in mpmath."""
    parts = [0, 1, 0.5, *rng.uniform(size=9)]
    return [
        [min(max(lo + (hi - lo) * p, lo), hi) for p in parts]
        for lo, hi in zip(map(mpmath.mpf, lower), map(mpmath.mpf, upper), strict=True)
    ]


def step_of(kind: str, count: int) -> Smooth:
    return Smooth(read(np.arange(count)), kind)


def test_every_function_has_its_truth() -> None:
    assert TRUE.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_assumption_5_values_are_nearly_right(kind: str) -> None:
    rng = np.random.default_rng(1)
    x = np.ldexp(rng.uniform(1, 2, 300), rng.integers(-40, 10, 300)) * rng.choice([-1, 1], 300)
    x = np.abs(x) if kind in ABOVE_ZERO else x
    with np.errstate(all="ignore"):
        found = FUNCTIONS[kind].value(x)
    for a, y in zip(x[np.isfinite(found)], found[np.isfinite(found)], strict=True):
        true = TRUE[kind](mpmath.mpf(a))
        assert abs(mpmath.mpf(y) - true) <= ERROR * abs(true) + mpmath.mpf(2) ** -1000, a


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_the_bend_is_no_less_than_the_second_derivative(kind: str) -> None:
    rng = np.random.default_rng(2)
    x = np.abs(rng.normal(size=60)) * 3 + 0.05
    x = x if kind in ABOVE_ZERO else np.r_[x, -x, np.linspace(-2, 2, 41)]
    bend = FUNCTIONS[kind].bend(x, x)
    for a, most in zip(x, bend, strict=True):
        assert abs(mpmath.diff(TRUE[kind], mpmath.mpf(a), 2)) <= most * (1 + 1e-9)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_lemma_12_lines_and_values_hold(kind: str) -> None:
    """For the slopes that are chosen and for any others."""
    rng = np.random.default_rng(3)
    ends = intervals(kind, rng)
    x, step = bounds(*ends, FLOAT64), step_of(kind, 40)
    low, high = enclosed_values(kind, *ends)
    points = within(*ends, rng)
    for chosen in (slopes(step, x, {}), tuple(rng.normal(size=(2, 40)))):
        line = lines(step, x, chosen, {}, FLOAT64)
        assert line.lower_offset is not None
        for j, own in enumerate(points):
            for at in own:
                y = TRUE[kind](at)
                assert low[j] <= y <= high[j]
                assert mpmath.mpf(line.lower_slope[j]) * at + line.lower_offset[j] <= y
                assert y <= mpmath.mpf(line.upper_slope[j]) * at + line.offset[j]


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_lines_are_close(kind: str) -> None:
    """At a middle no farther apart than the bend allows of a tangent and a chord."""
    lower = np.array([0.5, 1.0, 2.0])
    x, step = bounds(lower, lower + 0.5, FLOAT64), step_of(kind, 3)
    line = lines(step, x, slopes(step, x, {}), {}, FLOAT64)
    apart = (line.upper_slope - line.lower_slope) * x.middle + line.offset - line.lower_offset
    bend = FUNCTIONS[kind].bend(x.lower, x.upper)
    assert np.all(apart <= bend * 0.25 / 8 * 1.1)


def test_lemma_12_in_its_constants() -> None:
    cut = pieces("tanh", np.array([-1.0]), np.array([3.0]))
    assert cut.x.shape == (PIECES + 1, 1) and cut.x[0] == -1 and cut.x[-1] == 3
    assert np.all(cut.sag >= 0.77 * np.diff(cut.x, axis=0) ** 2 / 8)
    slope = np.array([0.3])
    slop = 2 * (ERROR * (np.abs(cut.y) + np.abs(slope * cut.x)) + 2.0**-1000)
    heights = cut.y - slope * cut.x - slop
    both = np.minimum(heights[1:], heights[:-1]) - cut.sag
    assert least(cut, slope) == both.min(axis=0)


@pytest.mark.parametrize("kind", ["log", "reciprocal", "rsqrt", "sqrt"])
def test_an_interval_that_leaves_a_curve_is_refused(kind: str) -> None:
    net = Net((1, 2))
    h = (
        net.op("div", net.array("one", np.ones((1, 2))), "x")
        if kind == "reciprocal"
        else net.op(kind, "x")
    )
    case = certify(net, np.array([[0.5, 2.0]]), "0.4", np.random.default_rng(0))
    assert h and margin_of(case).margin is not None
    for eps in ("0.5", "0.6"):
        case.claim["eps"] = eps
        assert "is not smooth on all of an interval" in margin_of(case).reason


def test_exact_ends_are_rounded_outward() -> None:
    third = fractions([Fraction(1, 3), Fraction(2, 3), Fraction(-1, 3), Fraction(-2, 3)])
    lower, upper = floats(bounds(third, third, EXACT))
    assert np.all(fractions(lower) < third) and np.all(third < fractions(upper))
    assert np.array_equal(np.nextafter(lower, np.inf), upper)


def test_what_overflows_is_refused() -> None:
    net = Net((1, 2))
    net.op("exp", "x")
    case = certify(net, np.array([[8.0, 2.0]]), "0", np.random.default_rng(0))
    case.claim["eps"] = "702"
    assert "too steep" in margin_of(case).reason


@pytest.mark.parametrize(
    ("op", "attrs", "words"),
    [
        ("gelu", {"approximate": "tanh"}, "it is known as x Phi"),
        ("pow_int", {"exponent": 3}, "its exponent is not -1, 1 or 2"),
    ],
)
def test_other_forms_are_unsupported(op: str, attrs: Any, words: str) -> None:
    net = Net((1, 2))
    net.op(op, "x", **attrs)
    with pytest.raises(UnsupportedError, match=words):
        prepare(net.document, net.arrays)


# --- products


def test_lemma_13_product_lines_hold_at_every_corner() -> None:
    rng = np.random.default_rng(4)
    ends = np.sort(np.ldexp(rng.normal(size=(2, 60)), rng.integers(-20, 20, 60)), axis=0)
    x, step = bounds(*ends, FLOAT64), Product(read(np.arange(60)))
    low, high, _ = forward(step, x, FLOAT64)
    for chosen in (slopes(step, x, {}), tuple(rng.normal(size=(2, 60)))):
        line = lines(step, x, chosen, {}, FLOAT64)
        for i in (0, 1):
            for j in (0, 1):
                u, v = fractions(ends[i][:30]), fractions(ends[j][30:])
                assert np.all(fractions(low) <= u * v) and np.all(u * v <= fractions(high))
                below, above = (
                    fractions(s[:30]) * u + fractions(s[30:]) * v + fractions(o)
                    for s, o in (
                        (line.lower_slope, line.lower_offset),
                        (line.upper_slope, line.offset),
                    )
                )
                assert np.all(below <= u * v) and np.all(u * v <= above)


LOUD = dataclasses.replace(
    EXACT, name="loud", gamma=lambda n: Fraction(n + 8, 1000), tiny=Fraction(1, 7000)
)


def loud(rng: Any, size: int) -> Enclosure:
    ends = fractions(np.sort(rng.integers(-40, 41, (2, size)) / 8, axis=0))
    return bounds(*ends, LOUD)


def noise_of(line: Lines, x: Enclosure, count: int) -> Array:
    """The formula of docs/checker.md, written once more."""
    size = ((abs(line.lower_slope) + abs(line.upper_slope)) * x.size).reshape(-1, count)
    rest = abs(line.lower_offset) + abs(line.offset)  # type: ignore[arg-type]
    return size.sum(axis=0) * Fraction(9, 1000) + rest * LOUD.gamma(count) + LOUD.tiny


def test_lemma_13_in_its_constants() -> None:
    rng = np.random.default_rng(5)
    x, step = loud(rng, 20), Product(read(np.arange(20)))
    below, above = fractions(rng.integers(-9, 9, (2, 20)) / 4)
    line = lines(step, x, (below, above), {}, LOUD)
    u, v = ([x.lower[part], x.upper[part]] for part in (slice(10), slice(10, 20)))
    sizes = x.size[:10], x.size[10:]

    def wanted(slope: Array, pick: Any, sign: int) -> Array:
        p, q = slope[:10], slope[10:]
        rest = [a * b - p * a - q * b for a in u for b in v]
        slop = sizes[0] * sizes[1] + abs(p) * sizes[0] + abs(q) * sizes[1]
        return pick.reduce(rest) + sign * 2 * (slop * LOUD.gamma(4) + LOUD.tiny)

    assert np.array_equal(line.lower_offset, wanted(below, np.minimum, -1))
    assert np.array_equal(line.offset, wanted(above, np.maximum, 1))
    assert np.array_equal(line.noise, noise_of(line, x, 10))
    smooth = step_of("tanh", 20)
    curved = lines(smooth, x, slopes(smooth, x, {}), {}, LOUD)
    assert np.array_equal(curved.noise, noise_of(curved, x, 20))


def test_rows_go_back_through_both_lines_of_a_product() -> None:
    rng = np.random.default_rng(6)
    x, step = loud(rng, 8), Product(read(np.arange(8)))
    rows = fractions(rng.integers(-9, 9, (3, 4)))
    line = lines(step, x, slopes(step, rounded(x), {}), {}, EXACT)
    term, [(_, part)] = bend_backward(line, rows, EXACT)
    at = (x.lower * 2 + x.upper) / 3
    below, above = (
        (s * at).reshape(2, 4).sum(axis=0) + o
        for s, o in ((line.lower_slope, line.lower_offset), (line.upper_slope, line.offset))
    )
    wanted = np.maximum(rows, 0) @ below + np.minimum(rows, 0) @ above
    assert np.array_equal(part @ at + term, wanted)


def rounded(x: Enclosure) -> Enclosure:
    return bounds(x.lower.astype(float), x.upper.astype(float), FLOAT64)


# --- whole nets


def margin_of(case: Case, mode: str = "float64") -> Result:
    case.rehash()
    return check(case.document, case.arrays, case.claim, case.tensors, mode)


def curved(kind: str, rng: Any) -> Net:
    """A net with an op of one kind between two products, kept above zero where it must be."""
    net = Net((1, 4))
    h = net.linear("x", 4, rng)
    if kind in ABOVE_ZERO:
        h = net.op("add", net.op("square", h), net.array("half", np.full((1, 4), 0.5)))
    attrs = {"gelu": {"approximate": "none"}, "pow_int": {"exponent": 2}}.get(kind, {})
    if kind in ("softmax", "log_softmax"):
        attrs = {"dim": 1}
    scale, shift = (net.array(n, rng.normal(size=4)) for n in ("scale", "shift"))
    rest = {"layer_norm": [scale, shift], "rms_norm": [scale]}.get(kind, [])
    attrs |= {"ndim": 1, "eps": 1e-5} if rest else {}
    net.linear(net.op(kind, h, *rest, **attrs), 3, rng)
    return net


def attention(rng: Any) -> Net:
    """Queries, keys and values of three places, and a quotient of two values that vary."""
    net = Net((1, 3, 2))
    q, k, v = (net.linear("x", 2, rng) for _ in range(3))
    scores = net.op("dot", q, k, contract=[[2], [2]], batch=[[0], [0]])
    h = net.op("matmul", net.op("softmax", scores, dim=2), v)
    h = net.op("div", h, net.op("exp", net.op("mul", q, k)))
    net.linear(net.flatten(h), 3, rng)
    return net


NETS: dict[str, Callable[[Any], Net]] = {
    **{kind: (lambda rng, kind=kind: curved(kind, rng)) for kind in SMOOTH},
    "attention": attention,
}


def test_every_smooth_op_is_in_a_net() -> None:
    from tensorem.check._smooth import OPS as OF_CURVES

    assert OF_CURVES.keys() == SMOOTH.keys() <= OPS.keys()


@pytest.mark.parametrize("name", NETS)
def test_margins_hold_at_points_of_the_box(name: str) -> None:
    rng = np.random.default_rng(7)
    net = NETS[name](rng)
    case = certify(net, rng.normal(size=net.shape), "0.01", rng)
    found, exact = margin_of(case), margin_of(case, "exact")
    assert found.margin is not None and exact.margin is not None
    assert abs(found.margin - exact.margin) <= 1e-9 * max(1, abs(found.margin))
    label, least_seen = case.claim["label"], np.inf
    for i in range(200):
        side = rng.choice([-1, 1], net.shape) if i % 2 else rng.uniform(-1, 1, net.shape)
        x = case.tensors["center"].astype(float) + 0.01 * side
        y = evaluate(case.document, case.arrays, x)[case.document["outputs"][0]].ravel()
        least_seen = min(least_seen, y[label] - np.delete(y, label).max())
    assert found.margin <= least_seen
    assert found.margin >= least_seen - 0.3


@pytest.mark.parametrize("name", ["attention", "layer_norm"])
def test_a_part_of_a_net_is_bounded_as_the_whole(name: str) -> None:
    rng = np.random.default_rng(9)
    net = NETS[name](rng)
    case = certify(net, rng.normal(size=net.shape), "0.01", rng).rehash()
    program, values = lower(parse_graph(case.document), case.arrays, EXACT), propagated(case, EXACT)
    assert_alike(program, values, np.array([program.starts[-1] - 1, program.starts[-3]]), EXACT)


def test_a_value_times_itself_is_a_square() -> None:
    """As a product of two values that differ, it could be negative."""
    rng = np.random.default_rng(8)
    net = Net((1, 2))
    net.op("concat", net.op("mul", "x", "x"), net.array("low", [[-0.01]]), dim=1)
    case = certify(net, np.array([[0.0, 0.1]]), "0.2", rng)
    case.claim["label"] = 0
    assert margin_of(case).margin == pytest.approx(0 - 0.09, abs=1e-3)
