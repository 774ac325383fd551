"""Where curves turn and bend, against mpmath; and that their lines are the best ones."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from law_curves import CURVES
from tensorem import ops
from tensorem.domains import Interval, Rational
from tensorem.graph import capture
from tensorem.ops import activations
from tensorem.ops._curve import Curve

Array = Any

IRRATIONAL = [
    ("gelu", {"approximate": "none"}, activations._GELU),
    ("gelu", {"approximate": "tanh"}, activations._GELU_TANH),
    ("silu", {}, activations._SILU),
    ("mish", {}, activations._MISH),
]
"""Facts with turning points and inflections that no float is."""


@pytest.mark.parametrize(("name", "attrs", "facts"), IRRATIONAL)
def test_turning_points_lie_where_they_are_stated(name: str, attrs: Any, facts: Curve) -> None:
    with mpmath.workprec(300):
        f = partial(CURVES[name].exact, **attrs)
        (turn,) = facts.turns
        place = mpmath.findroot(lambda x: mpmath.diff(f, x), turn.low)
        assert turn.low < place < turn.high and turn.high - turn.low < 1e-14
        assert turn.value <= f(place) <= turn.value + 4 * np.spacing(abs(turn.value))


@pytest.mark.parametrize(("name", "attrs", "facts"), IRRATIONAL)
def test_pieces_bend_as_they_are_stated_to(name: str, attrs: Any, facts: Curve) -> None:
    with mpmath.workprec(300):
        f = partial(CURVES[name].exact, **attrs)
        bend = lambda x: float(mpmath.sign(mpmath.diff(f, mpmath.mpf(x), 2)))  # noqa: E731
        ends = [-12.0, *facts.bends.joints, 12.0]
        for kind, (low, high) in zip(facts.bends.kinds, pairwise(ends), strict=True):
            inside = np.linspace(low + 1e-14, high - 1e-14, 15)
            assert {bend(x) for x in inside} == {1.0 if kind == "convex" else -1.0}


@pytest.mark.parametrize(
    ("name", "attrs"), [(n, a) for n, c in CURVES.items() if c.turns for a in c.attrs]
)
def test_an_interval_reaches_a_turning_point_and_not_much_further(name: str, attrs: Any) -> None:
    with mpmath.workprec(300):
        f = partial(CURVES[name].exact, **attrs)
        for near in CURVES[name].turns:
            t = mpmath.findroot(lambda x: mpmath.diff(f, x), near)
            at, least = float(t), f(t)
            y = ops.TABLE[name].meaning("interval")(
                Interval.of([at - 1e-3, at - 9, at + 1e-6], [at + 1e-3, 9, 9]), **attrs
            )
            for lower in y.lower[:2]:
                assert lower <= least <= lower + 1e-15
            assert y.lower[2] > least


@pytest.mark.parametrize(
    ("name", "attrs", "least", "greatest"),
    [
        ("gelu", {"approximate": "none"}, -0.16997120747990369, np.inf),
        ("silu", {}, -0.27846454276107380, np.inf),
        ("mish", {}, -0.30884341301725041, np.inf),
        ("hardswish", {}, -0.375, np.inf),
        ("elu", {"alpha": 2.5}, -2.5, np.inf),
        ("hardtanh", {"min_val": -1.0, "max_val": 2.0}, -1.0, 2.0),
        ("softsign", {}, -1.0, 1.0),
        ("logsigmoid", {}, -np.inf, 0.0),
        ("sin", {}, -1.0, 1.0),
    ],
)
def test_on_all_numbers_an_interval_is_the_range(
    name: str, attrs: Any, least: float, greatest: float
) -> None:
    for end in (np.inf, 1e300):
        y = ops.TABLE[name].meaning("interval")(Interval.of([-end], [end]), **attrs)
        assert y.lower[0] == pytest.approx(least if end == np.inf else max(least, -end))
        assert y.upper[0] == pytest.approx(greatest if end == np.inf else min(greatest, end))
    zero = ops.TABLE[name].meaning("interval")(Interval.of([-0.0], [0.0]), **attrs)
    at_0 = float(CURVES[name].exact(mpmath.mpf(0), **attrs))
    assert zero.lower[0] <= at_0 <= zero.upper[0] <= zero.lower[0] + 1e-14


def test_the_figure_of_gelu() -> None:
    y = ops.gelu.interval(Interval.of([-3.0], [3.0]), approximate="none")
    assert (y.lower[0], y.upper[0]) == pytest.approx((-0.1699712074799, 2.995950305905), abs=1e-12)
    read = jax.jit(lambda x: ops.gelu.lines(x, approximate="none").lower_offset)
    assert float(read(Interval(jnp.full(1, -3.0), jnp.full(1, 3.0)))[0]) == pytest.approx(
        0, abs=1e-6
    )


def test_a_curve_is_found_again_in_a_batch() -> None:
    for name, case in CURVES.items():
        batched = jax.vmap(partial(ops.TABLE[name], **case.attrs[0]))
        assert [node.op for node in capture(batched, (2, 3)).nodes] == [name]


@pytest.mark.parametrize("name", ["hardswish", "softsign", "hardtanh"])
def test_rational_curves_are_exact(name: str) -> None:
    x = Rational.of(np.linspace(-7, 7, 113))
    for attrs in CURVES[name].attrs:
        found = ops.TABLE[name].meaning("exact")(x, **attrs).fractions()
        for a, value in zip(x.fractions(), found, strict=True):
            exact = CURVES[name].exact(mpmath.mpf(a.numerator) / a.denominator, **attrs)
            assert abs(mpmath.mpf(value.numerator) / value.denominator - exact) < 1e-80


# --- lines


CENTRES = [-0.0, 0.3, -1.5, 1.4142135623730951, np.pi, -4.0, -700.0]
RADII = [0.0, 1e-13, 0.01, 0.5, 3.1, 20.0, 1e4]
SHAPES = [
    ("gelu", {"approximate": "none"}),
    ("hardtanh", {"min_val": -1.0, "max_val": 2.0}),
    ("selu", {}),
    ("sin", {}),
]
OTHERS = [
    *(("elu", {"alpha": a}) for a in (-1.0, 0.0, 0.3, 2.5)),
    *(("pow_int", {"exponent": n}) for n in (0, 1, 2, 3, 4)),
    *((name, a) for name in ("gelu", "hardtanh", "celu") for a in CURVES[name].attrs),
    *((name, {}) for name in ("silu", "mish", "hardswish", "softsign", "logsigmoid", "softplus")),
    *((name, {}) for name in ("cos", "tanh", "sigmoid", "erf", "abs", "relu", "square")),
]


def _lines(name: str, attrs: Any, x: Interval) -> list[Array]:
    """Slope and offset below, slope and offset above."""
    y = ops.TABLE[name].meaning("lines")(x, **attrs)
    slopes = (y.lower[0].coefficient, y.upper[0].coefficient)
    return [slopes[0], y.lower_offset, slopes[1], y.upper_offset]


def _hull_at(x: Array, y: Array, at: float) -> float:
    """The least concave function above points, at a place: a chain that never turns left."""
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (x[b] - x[a]) * (y[i] - y[a]) < (y[b] - y[a]) * (x[i] - x[a]):
                break
            hull.pop()
        hull.append(i)
    return float(np.interp(at, x[hull], y[hull]))


def _check_lines(name: str, attrs: Any) -> None:
    """On boxes of every kind: sound at 801 points; at the middle as good as their hull."""
    with jax.enable_x64(True):
        centre, radius = (a.ravel() for a in np.meshgrid(CENTRES, RADII))
        low, high = centre - radius, centre + radius
        box = Interval(jnp.asarray(low), jnp.asarray(high))
        a, b, c, d = map(np.asarray, jax.jit(partial(_lines, name, attrs))(box))
        x = np.linspace(low, high, 801)
        y = np.asarray(ops.TABLE[name](jnp.asarray(x), **attrs))
    size = 1 + np.abs(y).max(axis=0) + np.abs(centre) + radius
    above, below = c * x + d - y, y - a * x - b
    assert np.all(np.minimum(above, below).min(axis=0) > -1e-12 * size)
    short = radius < (np.pi if name in ("sin", "cos") else 100)  # else flat, or too few points
    assert np.all((a == 0) & (c == 0) | short | (name not in ("sin", "cos")))
    for i in np.flatnonzero(short):
        span, at = np.ptp(y[:, i]) + 1e-12 * size[i], low[i] / 2 + high[i] / 2
        top, bottom = _hull_at(x[:, i], y[:, i], at), -_hull_at(x[:, i], -y[:, i], at)
        assert c[i] * at + d[i] <= top + 2e-3 * span, (low[i], high[i])
        assert a[i] * at + b[i] >= bottom - 2e-3 * span, (low[i], high[i])


@pytest.mark.parametrize(("name", "attrs"), SHAPES)
def test_lines_are_the_best_at_the_middle(name: str, attrs: Any) -> None:
    _check_lines(name, attrs)


@pytest.mark.long
@pytest.mark.parametrize(("name", "attrs"), OTHERS)
def test_lines_of_all_curves_are_the_best_at_the_middle(name: str, attrs: Any) -> None:
    _check_lines(name, attrs)
