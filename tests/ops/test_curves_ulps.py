"""The stated accuracy of NumPy's functions, against mpmath."""

from __future__ import annotations

import functools
from typing import Any

import mpmath
import numpy as np
import pytest

import law_numbers
from tensorem import ops
from tensorem.domains import Interval

mpmath.mp.prec = 300

CURVES: dict[str, tuple[Any, int, int]] = {
    "sqrt": (mpmath.sqrt, -1074, 1000),
    "rsqrt": (lambda x: 1 / mpmath.sqrt(x), -1074, 1000),
    "exp": (mpmath.exp, -60, 10),
    "log": (mpmath.log, -1074, 1000),
    "log1p": (mpmath.log1p, -1074, 1000),
    "expm1": (mpmath.expm1, -1074, 10),
    "tanh": (mpmath.tanh, -1074, 6),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), -60, 10),
    "erf": (mpmath.erf, -1074, 4),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), -60, 10),
    "sin": (mpmath.sin, -300, 19),
    "cos": (mpmath.cos, -300, 19),
}
POSITIVE = {"sqrt", "rsqrt", "log", "log1p"}


def _check(name: str, count: int, seed: int) -> None:
    exact, low, high = CURVES[name]
    x = law_numbers.every_size(count, seed, low, high)
    x = np.abs(x[x != 0]) if name in POSITIVE else x
    y = ops.TABLE[name].meaning("interval")(Interval.of(x, x))
    for a, lower, upper in zip(x.tolist(), y.lower.tolist(), y.upper.tolist(), strict=True):
        assert mpmath.mpf(lower) <= exact(mpmath.mpf(a)) <= mpmath.mpf(upper), (name, a)
    assert np.all((y.upper - y.lower <= 64 * np.spacing(np.abs(y.upper))) | np.isinf(y.upper))


@pytest.mark.parametrize("name", CURVES)
def test_values_at_points_are_enclosed_closely(name: str) -> None:
    _check(name, 200, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("name", CURVES)
def test_values_at_many_points_are_enclosed_closely(name: str) -> None:
    _check(name, 20000, seed=2)


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
