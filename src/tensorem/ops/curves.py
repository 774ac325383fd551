"""Elementary functions of one number."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import lax

from tensorem.domains import Rational

from ._curve import CONCAVE, S_SHAPED, Arb, Bends, Curve, Function, Turn, Wide, curve
from ._op import Cited

OfArb = Callable[[Arb], Arb]

_erf = np.vectorize(math.erf, otypes=[np.float64])


# --- values in NumPy


def sigmoid64(x: Wide) -> Wide:
    """exp(-|x|) never overflows, and a small result keeps its digits."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_of_arb(x: Arb) -> Arb:
    """The same in balls; where the sign is not known, one over a sum of positive numbers."""
    e = (-x.__abs__()).exp()
    return 1 / (1 + e) if x >= 0 else e / (1 + e) if x < 0 else 1 / (1 + (-x).exp())


# --- waves


def _wave(run: Function, wide: Callable[[Wide], Wide], ball: OfArb, peak: float) -> Curve:
    """Sine or cosine. Where it turns is rounded, which the slack of a period covers."""
    trough, back = peak + math.pi, peak - math.pi / 2
    return Curve(
        run,
        wide,
        ulps=4,
        ball=ball,
        bends=Bends(("concave", "convex"), (back, back + math.pi), period=2 * math.pi),
        turns=(Turn(peak, peak, 1.0), Turn(trough, trough, -1.0)),
        least=-1.0,
        greatest=1.0,
    )


# --- rows


_ROOTS = "of squares of rationals; other roots are irrational"
_TANH = Curve(lax.tanh, np.tanh, 4, lambda x: x.tanh(), bends=S_SHAPED, least=-1.0, greatest=1.0)
_SINE = _wave(lax.sin, np.sin, lambda x: x.sin(), peak=math.pi / 2)
_COSINE = _wave(lax.cos, np.cos, lambda x: x.cos(), peak=0.0)

sqrt = curve(
    "sqrt",
    Curve(lax.sqrt, np.sqrt, 1, lambda x: x.sqrt(), bends=CONCAVE, above=0.0, least=0.0),
    exact=Cited(Rational.sqrt, _ROOTS),
    primitive=lax.sqrt_p,
)
rsqrt = curve(
    "rsqrt",
    Curve(
        lax.rsqrt,
        lambda x: 1 / np.sqrt(x),
        2,
        lambda x: x.rsqrt(),
        above=0.0,
        closed=False,
        least=0.0,
    ),
    exact=Cited(lambda x: Rational.of(np.ones(x.shape, np.int64)) / x.sqrt(), _ROOTS),
    primitive=lax.rsqrt_p,
)
exp = curve("exp", Curve(lax.exp, np.exp, 4, lambda x: x.exp(), least=0.0), primitive=lax.exp_p)
log = curve(
    "log",
    Curve(lax.log, np.log, 4, lambda x: x.log(), bends=CONCAVE, above=0.0, closed=False),
    primitive=lax.log_p,
)
log1p = curve(
    "log1p",
    Curve(lax.log1p, np.log1p, 4, lambda x: x.log1p(), bends=CONCAVE, above=-1.0, closed=False),
    primitive=lax.log1p_p,
)
expm1 = curve(
    "expm1", Curve(lax.expm1, np.expm1, 4, lambda x: x.expm1(), least=-1.0), primitive=lax.expm1_p
)
tanh = curve(
    "tanh",
    _TANH,
    primitive=lax.tanh_p,
    jvp=lambda y, xs, ts: (1 - jnp.square(y)) * ts[0],  # as in PyTorch; in JAX it takes a loop more
)
sigmoid = curve(
    "sigmoid",
    Curve(lax.logistic, sigmoid64, 8, sigmoid_of_arb, bends=S_SHAPED, least=0.0, greatest=1.0),
    primitive=lax.logistic_p,
)
erf = curve(
    "erf",
    Curve(lax.erf, _erf, 4, lambda x: x.erf(), bends=S_SHAPED, least=-1.0, greatest=1.0),
    primitive=lax.erf_p,
)
atan = curve(
    "atan",
    Curve(
        lax.atan, np.arctan, 4, lambda x: x.atan(), bends=S_SHAPED, least=-1.5708, greatest=1.5708
    ),
    primitive=lax.atan_p,
)
sin = curve("sin", _SINE, primitive=lax.sin_p)
cos = curve("cos", _COSINE, primitive=lax.cos_p)
