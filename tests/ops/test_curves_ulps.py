"""The stated accuracy of NumPy's functions, against mpmath."""

from __future__ import annotations

import functools
from typing import Any

import mpmath
import numpy as np
import pytest

import law_numbers
from law_curves import CURVES
from tensorem import ops
from tensorem.domains import Interval

mpmath.mp.prec = 300

PAIRS = [(name, attrs) for name, case in CURVES.items() for attrs in case.attrs]
GRAIN = 2.0**-76
"""Below this the interval of a gate may be wide: a gate falls faster than its error grows."""


def _check(name: str, attrs: Any, count: int, seed: int) -> None:
    case = CURVES[name]
    x = law_numbers.every_size(count, seed, case.low, case.high)
    x = np.abs(x[x != 0]) if case.kind in ("positive", "above") else x
    y = ops.TABLE[name].meaning("interval")(Interval.of(x, x), **attrs)
    for a, lower, upper in zip(x.tolist(), y.lower.tolist(), y.upper.tolist(), strict=True):
        exact = case.exact(mpmath.mpf(a), **attrs)
        assert mpmath.mpf(lower) <= exact <= mpmath.mpf(upper), (name, a)
    width, grain = y.upper - y.lower, GRAIN if name == "gelu" else 2.0**-1000
    closely = width <= 260 * np.spacing(np.abs(y.upper)) + grain
    assert np.all(closely | np.isinf(y.upper)), name


@pytest.mark.parametrize(("name", "attrs"), PAIRS)
def test_values_at_points_are_enclosed_closely(name: str, attrs: Any) -> None:
    _check(name, attrs, 200, seed=1)


@pytest.mark.long
@pytest.mark.parametrize(("name", "attrs"), PAIRS)
def test_values_at_many_points_are_enclosed_closely(name: str, attrs: Any) -> None:
    _check(name, attrs, 20000, seed=2)


@pytest.mark.parametrize(("name", "peaks"), [("sin", 0.5), ("cos", 0.0)])
def test_waves_reach_their_peaks(name: str, peaks: float) -> None:
    """Thin boxes on peaks and troughs, and boxes between them."""
    wave = ops.TABLE[name].meaning("interval")
    k = np.arange(-50, 50)
    centre = np.pi * (k + peaks)
    y = wave(Interval.of(centre - 1e-3, centre + 1e-3))
    assert np.all(np.where(k % 2, y.lower == -1, y.upper == 1))
    between = wave(Interval.of(centre + 0.1, centre + 3.0))
    assert np.all(between.upper < 1) and np.all(between.lower > -1)
    whole = wave(Interval.of(np.array([0.0, 1e9]), np.array([7.0, 1e9])))
    assert (whole.lower.tolist(), whole.upper.tolist()) == ([-1.0, -1.0], [1.0, 1.0])


@pytest.mark.parametrize("name", ["sqrt", "log", "rsqrt", "log1p"])
def test_outside_its_domain_a_curve_may_be_anything(name: str) -> None:
    y = ops.TABLE[name].meaning("interval")(Interval.of([-2.0], [3.0]))
    assert (y.lower[0], y.upper[0]) == (-np.inf, np.inf)


def test_roots_are_exact_at_squares_of_rationals() -> None:
    from tensorem.domains import Rational

    read = functools.partial(ops.rsqrt.meaning("exact"))
    assert str(read(Rational.of([4.0, 0.25]))) == "Rational([1/2, 2])"
