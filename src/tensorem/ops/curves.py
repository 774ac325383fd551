"""Functions of one number."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tensorem.domains import Interval, Lines, Rational
from tensorem.domains import _exact as exact

from . import _specs
from ._curve import Curve, curve, kink
from ._derive import IRRATIONAL, Box, enclosed
from ._op import Cited, Op

Array = Any

_erf = np.vectorize(math.erf, otypes=[np.float64])


# --- values in NumPy


def _sigmoid64(x: Array) -> Array:
    """exp(-|x|) never overflows, and a small result keeps its digits."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _softplus64(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _softplus(x: Array) -> Array:
    """max(x, 0) + log(1 + exp(-|x|)), with |x| as x sign(x), whose derivative in JAX is 0 at 0."""
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-x * jnp.sign(x)))


def _softplus_jvp(y: Array, xs: Any, ts: Any) -> Array:
    return sigmoid(xs[0]) * ts[0]


# --- kinks


def _relu(x: Array) -> Array:
    return jnp.maximum(x, 0)


def _relu_jvp(y: Array, xs: Any, ts: Any) -> Array:
    """Zero at 0, as in PyTorch: the derivative of maximum would be a half there."""
    return lax.select(xs[0] > 0, ts[0], jnp.zeros_like(ts[0]))


def _relu_lines(box: Box) -> Lines:
    return kink(0.0, 1.0, box)


def _leaky(x: Array, *, negative_slope: float) -> Array:
    return jnp.where(x > 0, x, negative_slope * x)


def _leaky_jvp(y: Array, xs: Any, ts: Any, *, negative_slope: float) -> Array:
    return lax.select(xs[0] > 0, ts[0], negative_slope * ts[0])


def _leaky_exact(x: Rational, *, negative_slope: float) -> Rational:
    positive = exact.truth(lambda num: num > 0, x)
    return exact.choose(positive, x, x.scaled(negative_slope))


def _leaky_interval(x: Interval, *, negative_slope: float) -> Interval:
    """max(x, 0) + slope min(x, 0): one of the two is zero, so nothing is lost."""
    xp = x.rounding.xp
    above, below = x.map(lambda end: xp.maximum(end, 0)), x.map(lambda end: xp.minimum(end, 0))
    return above + below * x.like(negative_slope)


def _leaky_lines(box: Box, *, negative_slope: float) -> Lines:
    return kink(negative_slope, 1.0, box)


# --- waves


def _wave(f: str, peak: float, x: Interval) -> Interval:
    """Sine or cosine: 1 where a peak may lie inside, -1 where a trough may, else by the ends."""
    xp = x.rounding.xp
    value = getattr(np if x.is_rigorous else jnp, f)
    low, high = (Interval.point(end).values(value, 4) for end in (x.lower, x.upper))
    y = low.hull(high)
    top = xp.where(_passes(x, peak), 1.0, y.upper)
    bottom = xp.where(_passes(x, peak + math.pi), -1.0, y.lower)
    far = xp.maximum(-x.lower, x.upper) > _FAR
    wide = Interval(xp.where(far, -1.0, bottom), xp.where(far, 1.0, top))
    return wide.clip(-1.0, 1.0)


def _passes(x: Interval, place: float) -> Array:
    """place + 2kπ may lie inside for some k; the slack covers the rounding below `_FAR`."""
    xp, turn = x.rounding.xp, 2 * math.pi
    first = xp.ceil((x.lower - place) / turn - _SLACK)
    return first <= (x.upper - place) / turn + _SLACK


_FAR = 2.0**20
_SLACK = 1e-9  # the quotients are off by 3 · 2^-53 · 2^18 at most


# --- rows


_ROOTS = "of squares of rationals; other roots are irrational"
_WAVE = "1 and -1 where a peak or a trough may lie inside; else its ends, 4 ulp outward"
_SINE = Cited(partial(_wave, "sin", math.pi / 2), _WAVE)
_COSINE = Cited(partial(_wave, "cos", 0.0), _WAVE)

sqrt = curve(
    "sqrt",
    Curve(lax.sqrt, np.sqrt, ulps=1, bend="concave", above=0.0, closed=True, least=0.0),
    exact=Cited(Rational.sqrt, _ROOTS),
)
rsqrt = curve(
    "rsqrt",
    Curve(lax.rsqrt, lambda x: 1 / np.sqrt(x), ulps=2, rising=False, above=0.0, least=0.0),
    exact=Cited(lambda x: Rational.of(np.ones(x.shape, np.int64)) / x.sqrt(), _ROOTS),
)
exp = curve("exp", Curve(lax.exp, np.exp, ulps=4, least=0.0))
log = curve("log", Curve(lax.log, np.log, ulps=4, bend="concave", above=0.0))
log1p = curve("log1p", Curve(lax.log1p, np.log1p, ulps=4, bend="concave", above=-1.0))
expm1 = curve("expm1", Curve(lax.expm1, np.expm1, ulps=4, least=-1.0))
tanh = curve("tanh", Curve(lax.tanh, np.tanh, ulps=4, bend="s", least=-1.0, greatest=1.0))
sigmoid = curve(
    "sigmoid", Curve(lax.logistic, _sigmoid64, ulps=8, bend="s", least=0.0, greatest=1.0)
)
erf = curve("erf", Curve(lax.erf, _erf, ulps=4, bend="s", least=-1.0, greatest=1.0))
softplus = curve("softplus", Curve(_softplus, _softplus64, ulps=8, least=0.0), jvp=_softplus_jvp)
sin = Op(
    "sin",
    1,
    _specs.floats,
    run=lax.sin,
    exact=IRRATIONAL,
    interval=_SINE,
    lines=enclosed(_SINE),
)
cos = Op(
    "cos",
    1,
    _specs.floats,
    run=lax.cos,
    exact=IRRATIONAL,
    interval=_COSINE,
    lines=enclosed(_COSINE),
)
relu = Op(
    "relu",
    1,
    _specs.numbers,
    run=_relu,
    exact=lambda x: x.map(lambda num: np.maximum(num, 0)),
    interval=Cited(
        lambda x: x.map(lambda end: x.rounding.xp.maximum(end, 0)),
        "rising: its ends, nothing is rounded",
    ),
    lines=Cited(_relu_lines, "Zhang et al. 2018 (CROWN), 3.3: chord, and adaptive slope"),
    jvp=_relu_jvp,
)
leaky_relu = Op(
    "leaky_relu",
    1,
    lambda x, *, negative_slope: _specs.floats(x),
    run=_leaky,
    exact=_leaky_exact,
    interval=Cited(_leaky_interval, "max(x, 0) + slope min(x, 0), one of which is zero"),
    lines=Cited(_leaky_lines, "as relu, for the slopes negative_slope and 1"),
    jvp=_leaky_jvp,
)
