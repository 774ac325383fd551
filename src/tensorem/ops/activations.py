"""Functions of one number that layers are made of: kinks, gates, and exponentials below 0."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Literal, TypeVar

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tensorem import rules
from tensorem.domains import Ball, Interval, Lines, Rational
from tensorem.domains import _exact as exact
from tensorem.errors import ArgumentError

from ._curve import CONCAVE, Arb, Bends, Curve, Turn, Wide, curve, family, kink, slope_below
from ._derive import Box, rounded_once
from ._op import Cited, Op, Operands
from .arithmetic import abs, square
from .curves import erf, exp, sigmoid, sigmoid64, sigmoid_of_arb, tanh

Either = TypeVar("Either", Array, Wide)


# --- relu and its kin


def _relu(x: Array) -> Array:
    return jnp.maximum(x, 0)


def _bent(x: Arb, left: Arb, right: Arb) -> Arb:
    """What a function is below 0 and above it; where the sign is not known, both."""
    return right if x > 0 else left if x <= 0 else left.union(right)


def _relu_jvp(y: Array, xs: Operands, ts: Operands) -> Array:
    """Zero at 0, as in PyTorch: the derivative of maximum would be a half there."""
    return lax.select(xs[0] > 0, ts[0], jnp.zeros_like(ts[0]))


def _relu_lines(box: Box) -> Lines:
    return kink(0.0, 1.0, box)


def _leaky(x: Array, *, negative_slope: float) -> Array:
    return jnp.where(x > 0, x, negative_slope * x)


def _leaky_jvp(y: Array, xs: Operands, ts: Operands, *, negative_slope: float) -> Array:
    return lax.select(xs[0] > 0, ts[0], negative_slope * ts[0])


def _leaky_exact(x: Rational, *, negative_slope: float) -> Rational:
    positive = exact.truth(lambda num: num > 0, x)
    return exact.choose(positive, x, x.scaled(negative_slope))


def _leaky_ball(x: Ball, *, negative_slope: float) -> Ball:
    return x.each(lambda a: _bent(a, negative_slope * a, a))


def _leaky_interval(x: Interval, *, negative_slope: float) -> Interval:
    """max(x, 0) + slope min(x, 0): one of the two is zero, so nothing is lost."""
    xp = x.rounding.xp
    above, below = x.map(lambda end: xp.maximum(end, 0)), x.map(lambda end: xp.minimum(end, 0))
    return above + below * x.like(negative_slope)


def _leaky_lines(box: Box, *, negative_slope: float) -> Lines:
    return kink(negative_slope, 1.0, box)


def _hardtanh(*, min_val: float = -1.0, max_val: float = 1.0) -> Curve:
    if not min_val <= max_val:
        raise ArgumentError(f"takes min_val up to max_val, got {min_val} and {max_val}.")
    return Curve(
        run=lambda x: jnp.minimum(jnp.maximum(x, min_val), max_val),
        wide=lambda x: np.clip(x, min_val, max_val),
        ulps=0,
        ball=lambda x: x.max(min_val).min(max_val),
        slope=lambda x: ((x > min_val) & (x < max_val)).astype(x.dtype),
        bends=Bends(("linear",) * 3, (min_val, max_val)),
    )


def _hardtanh_exact(x: Rational, *, min_val: float, max_val: float) -> Rational:
    low, high = (Rational.of(np.full(x.shape, end)) for end in (min_val, max_val))
    return exact.joined(np.minimum, exact.joined(np.maximum, x, low), high)


def _hardtanh_interval(x: Interval, *, min_val: float, max_val: float) -> Interval:
    return x.map(lambda end: x.rounding.xp.clip(end, min_val, max_val))


# --- gates: x times a number that rises from 0 to 1


_FAR = 1000.0
"""Beyond it exp(-|x|) is 0 in float64, and so is its product with this number or its cube."""


def _from_far(x: Array) -> Array:
    """-inf · 0 would be no number."""
    return jnp.maximum(x, -_FAR)


def _near(x: Array) -> Array:
    return jnp.clip(x, -_FAR, _FAR)


def _gelu(*, approximate: Literal["none", "tanh"] = "none") -> Curve:
    forms = {"none": _GELU, "tanh": _GELU_TANH}
    if approximate not in forms:
        raise ArgumentError(f"takes approximate 'none' or 'tanh', got {approximate!r}.")
    return forms[approximate]


_ROOT = math.sqrt(0.5)
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _gelu_slope(x: Array) -> Array:
    """Φ(x) + x φ(x), of the normal distribution."""
    x = _near(x)
    density = exp(-x * x / 2) * (_ROOT / math.sqrt(math.pi))
    return (1 + erf(x * _ROOT)) / 2 + x * density


def _gelu64(x: Wide) -> Wide:
    x = np.maximum(x, -_FAR)
    y: Wide = x * (_erfc(-x * _ROOT) / 2)
    return y


_GELU = Curve(
    run=rounded_once(lambda x: _from_far(x) * (lax.erfc(-x * _ROOT) / 2)),
    wide=_gelu64,
    ulps=128,
    ball=lambda x: x * (-x / type(x)(2).sqrt()).erfc() / 2,
    grain=2.0**-32,  # the error of the exponent grows, but slower than the value falls
    slope=rounded_once(_gelu_slope),
    bends=Bends(("concave", "convex", "concave"), (-math.sqrt(2), math.sqrt(2))),
    turns=(Turn(-0.751791524693565, -0.751791524693564, -0.1699712074799037),),
)


def _twice_tanh(x: Either) -> Either:
    """2 u, u = sqrt(2 / π) (x + 0.044715 x³): Φ is nearly (1 + tanh u) / 2, logistic of 2 u."""
    y: Either = 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
    return y


def _gelu_tanh_of_arb(x: Arb) -> Arb:
    root = (2 / type(x).pi()).sqrt()
    return x * sigmoid_of_arb(2 * root * (x + 44715 * x * x * x / 1_000_000))


def _gelu_tanh_slope(x: Array) -> Array:
    x = _near(x)
    gate = sigmoid(_twice_tanh(x))
    inner = 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    return gate + x * gate * (1 - gate) * inner


_GELU_TANH = Curve(
    run=rounded_once(lambda x: _from_far(x) * lax.logistic(_twice_tanh(x))),
    wide=lambda x: np.maximum(x, -_FAR) * sigmoid64(_twice_tanh(x)),
    ulps=128,
    ball=_gelu_tanh_of_arb,
    grain=2.0**-32,
    slope=rounded_once(_gelu_tanh_slope),
    bends=Bends(("concave", "convex", "concave"), (-1.4185040087908283, 1.4185040087908283)),
    turns=(Turn(-0.752461422071017, -0.752461422071016, -0.1700407505712541),),
)


def _silu_slope(x: Array) -> Array:
    x = _near(x)
    gate = sigmoid(x)
    return gate * (1 + x * (1 - gate))


_SILU = Curve(
    run=rounded_once(lambda x: _from_far(x) * lax.logistic(x)),
    wide=lambda x: np.maximum(x, -_FAR) * sigmoid64(x),
    ulps=8,
    ball=lambda x: x * sigmoid_of_arb(x),
    grain=2.0**-960,
    slope=rounded_once(_silu_slope),
    bends=Bends(("concave", "convex", "concave"), (-2.3993572805154677, 2.3993572805154677)),
    turns=(Turn(-1.278464542761074, -1.278464542761073, -0.2784645427610739),),
)


def _softplus(x: Array) -> Array:
    """max(x, 0) + log(1 + exp(-|x|)), with |x| as x sign(x), whose derivative in JAX is 0 at 0."""
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-x * jnp.sign(x)))


def _softplus64(x: Wide) -> Wide:
    y: Wide = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return y


def _softplus_of_arb(x: Arb) -> Arb:
    return x.max(0) + (-x.__abs__()).exp().log1p()


def _mish64(x: Wide) -> Wide:
    """x p / q, tanh(softplus(x)) = p / q: sums of positive numbers, in e = exp(-|x|)."""
    e = np.exp(-np.abs(x))
    p = np.where(x > 0, 1 + 2 * e, e * (e + 2))
    y: Wide = np.maximum(x, -_FAR) * (p / (p + np.where(x > 0, 2 * e * e, 2)))
    return y


def _mish_slope(x: Array) -> Array:
    x = _near(x)
    gate = tanh(softplus(x))
    return gate + x * (1 - gate * gate) * sigmoid(x)


_MISH = Curve(
    run=rounded_once(lambda x: _from_far(x) * jnp.tanh(_softplus(x))),
    wide=_mish64,
    ulps=16,
    ball=lambda x: x * _softplus_of_arb(x).tanh(),
    grain=2.0**-960,
    slope=rounded_once(_mish_slope),
    bends=Bends(("concave", "convex", "concave"), (-2.256376396360793, 1.4905711794854284)),
    turns=(Turn(-1.192431214515496, -1.192431214515495, -0.3088434130172505),),
)


def _hardswish_slope(x: Array) -> Array:
    return jnp.where(x <= -3, 0, jnp.where(x < 3, x / 3 + 0.5, 1)).astype(x.dtype)


def _hardswish_exact(x: Rational) -> Rational:
    gate = _hardtanh_exact(x + Rational.of(np.full(x.shape, 3.0)), min_val=0.0, max_val=6.0)
    return (x * gate).scaled(Fraction(1, 6))


_HARDSWISH = Curve(
    run=rounded_once(lambda x: jnp.maximum(x, -3) * (jnp.clip(x + 3, 0, 6) / 6)),
    wide=lambda x: np.maximum(x, -3) * (np.clip(x + 3, 0, 6) / 6),
    ulps=4,
    ball=lambda x: x * (x + 3).max(0).min(6) / 6,
    slope=rounded_once(_hardswish_slope),
    bends=Bends(("linear", "convex", "linear"), (-3.0, 3.0)),
    turns=(Turn(-1.5, -1.5, -0.375),),
)


# --- saturation


def _exponential(below: float, above: float, width: float) -> Curve:
    """above · x over 0, below · (exp(x / width) - 1) elsewhere."""

    def run(x: Array) -> Array:
        return jnp.where(x > 0, above * x, below * jnp.expm1(jnp.minimum(x, 0) / width))

    def slope(x: Array) -> Array:
        return jnp.where(x > 0, above, below / width * exp(_left(x) / width))

    return Curve(
        run=rounded_once(run),
        wide=lambda x: np.where(x > 0, above * x, below * np.expm1(np.minimum(x, 0) / width)),
        ulps=8,
        ball=lambda x: _bent(x, below * (x.min(0) / width).expm1(), above * x),
        grain=width * 2.0**-1000,
        slope=rounded_once(slope),
        bends=Bends(("convex" if below > 0 else "concave", "linear"), (0.0,)),
        turns=(Turn(0.0, 0.0, 0.0),) if below < 0 else (),
    )


def _left(x: Array) -> Array:
    """min(x, 0), of derivative 0 at 0: PyTorch's second derivatives are 0 there."""
    return jnp.where(x < 0, x, jnp.zeros_like(x))


def _elu(*, alpha: float = 1.0) -> Curve:
    if not math.isfinite(alpha):
        raise ArgumentError(f"takes a finite alpha, got {alpha}.")
    return _exponential(alpha, 1.0, 1.0)


def _celu(*, alpha: float = 1.0) -> Curve:
    if not 0 < alpha < math.inf:
        raise ArgumentError(f"takes a finite alpha above 0, got {alpha}.")
    return _exponential(alpha, 1.0, alpha)


_SELU = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"
_SCALE, _ALPHA = map(float, _SELU)


def _selu_of_arb(x: Arb) -> Arb:
    scale, alpha = map(type(x), _SELU)
    return scale * _bent(x, alpha * x.min(0).expm1(), x)


def _softsign_exact(x: Rational) -> Rational:
    return x / (Rational.of(np.ones(x.shape, np.int64)) + x.__abs__())


_MOST = {"float32": 2.0**100, "float64": 2.0**1000}


def _softsign(x: Array) -> Array:
    """x / (1 + |x|); the greatest numbers stand for ±inf."""
    x = jnp.clip(x, -_MOST[x.dtype.name], _MOST[x.dtype.name])
    return x / (1 + jnp.abs(x))


def _softsign64(x: Wide) -> Wide:
    x = np.clip(x, -_MOST["float64"], _MOST["float64"])
    y: Wide = x / (1 + np.abs(x))
    return y


# --- rows


relu = Op(
    "relu",
    1,
    rules.numbers,
    run=_relu,
    exact=lambda x: x.map(lambda num: np.maximum(num, 0)),
    ball=Cited(lambda x: x.each(lambda a: a.max(0)), "rising"),
    interval=Cited(
        lambda x: x.map(lambda end: x.rounding.xp.maximum(end, 0)),
        "rising: its ends, nothing is rounded",
    ),
    lines=Cited(_relu_lines, "Zhang et al. 2018 (CROWN), 3.3: chord, and adaptive slope"),
    jvp=_relu_jvp,
    evidence=slope_below,
)
leaky_relu = Op(
    "leaky_relu",
    1,
    rules.leaky_relu,
    run=_leaky,
    exact=_leaky_exact,
    ball=Cited(_leaky_ball, "x or slope x; where the sign is not known, both"),
    interval=Cited(_leaky_interval, "max(x, 0) + slope min(x, 0), one of which is zero"),
    lines=Cited(_leaky_lines, "as relu, for the slopes negative_slope and 1"),
    jvp=_leaky_jvp,
    evidence=slope_below,
)
hardtanh = family(
    "hardtanh",
    _hardtanh,
    exact=_hardtanh_exact,
    interval=Cited(_hardtanh_interval, "rising: its ends, nothing is rounded"),
)
softplus = curve(
    "softplus",
    Curve(_softplus, _softplus64, 8, _softplus_of_arb, slope=sigmoid, least=0.0),
)
logsigmoid = curve(
    "logsigmoid",
    Curve(
        run=rounded_once(lambda x: -_softplus(-x)),
        wide=lambda x: -_softplus64(-x),
        ulps=8,
        ball=lambda x: -_softplus_of_arb(-x),
        slope=lambda x: sigmoid(-x),
        bends=CONCAVE,
        greatest=0.0,
    ),
)
gelu = family("gelu", _gelu)
silu = curve("silu", _SILU)
mish = curve("mish", _MISH)
hardswish = curve("hardswish", _HARDSWISH, exact=_hardswish_exact)
elu = family("elu", _elu)
celu = family("celu", _celu)
selu = curve("selu", replace(_exponential(_SCALE * _ALPHA, _SCALE, 1.0), ball=_selu_of_arb))
softsign = curve(
    "softsign",
    Curve(
        run=rounded_once(_softsign),
        wide=_softsign64,
        ulps=4,
        ball=lambda x: x / (1 + x.__abs__()),
        slope=rounded_once(lambda x: square(1 / (1 + abs(x)))),
        bends=Bends(("convex", "concave"), (0.0,)),
        least=-1.0,
        greatest=1.0,
    ),
    exact=_softsign_exact,
)
