"""Softmax and normalisations: composites of the rows of the other families."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from tensorem import rules
from tensorem.domains import Diagonal, End, Interval, Linear, Lines, equation

from ._derive import (
    CALL,
    Box,
    Reader,
    Value,
    boxed,
    composite,
    enclosed,
    rounded_once,
    value,
    varies,
)
from ._kept import kept
from ._op import Cited, Op, Operands, Unsupported
from ._shares import share_lines
from .arithmetic import add, div, minimum, mul, square, sub
from .curves import exp, log, rsqrt
from .move import broadcast
from .reduce import amax, mean, sum

READ, RUN = Reader("interval"), Reader("run")


# --- softmax


def _over(read: Reader, op: Op, x: Value, dim: int) -> Value:
    """A reduction over one axis, spread over it again."""
    gone = rules.axis(x.shape, dim)
    kept = tuple(d for d in range(len(x.shape)) if d != gone)
    return read(broadcast, read(op, x, dims=(gone,)), shape=tuple(x.shape), dims=kept)


def _below(read: Reader, x: Value, dim: int) -> Value:
    """x - max x, never above 0: XLA may compute x twice, and round it in the maximum alone."""
    top = _over(read, amax, x, dim)
    return read(sub, read(minimum, x, top), top)


def softmax_definition(read: Reader, x: Value, *, dim: int) -> Value:
    """exp(x - max x) / Σ exp(x - max x)."""
    e = read(exp, _below(read, x, dim))
    return read(div, e, _over(read, sum, e, dim))


def log_softmax_definition(read: Reader, x: Value, *, dim: int) -> Value:
    """x - max x - log Σ exp(x - max x)."""
    shifted = _below(read, x, dim)
    return read(sub, shifted, read(log, _over(read, sum, read(exp, shifted), dim)))


def _softmax_jvp(y: Array, xs: Operands, ts: Operands, *, dim: int) -> Array:
    return y * (ts[0] - jnp.sum(y * ts[0], axis=dim, keepdims=True))


def _log_softmax_jvp(y: Array, xs: Operands, ts: Operands, *, dim: int) -> Array:
    return ts[0] - jnp.sum(exp(y) * ts[0], axis=dim, keepdims=True)


def _softmax_interval(x: Interval, *, dim: int) -> Interval:
    """exp of the logarithm: least where x_i is least and all others are greatest."""
    y: Interval = READ(exp, _log_softmax_interval(x, dim=dim))
    return y.clip(0.0, 1.0)


def _log_softmax_interval(x: Interval, *, dim: int) -> Interval:
    """-log Σ_j exp(x_j - x_i), which rises in x_i and falls in all others."""
    xp = x.rounding.xp
    low, high = (xp.moveaxis(end, dim, -1) for end in (x.lower, x.upper))
    least, greatest = _log_share(low, high), _log_share(high, low)
    y = Interval(least.lower, xp.minimum(greatest.upper, 0))
    return y.map(lambda end: xp.moveaxis(end, -1, dim))


def _log_share(own: Array, others: Array) -> Interval:
    """-log(1 + Σ_{j≠i} exp(others_j - own_i)) at points, shifted by the greatest exponent."""
    exponents = Interval.point(others[..., None, :]) - Interval.point(own[..., :, None])
    xp = exponents.rounding.xp
    itself = xp.eye(own.shape[-1], dtype=bool)
    exponents = exponents.map(lambda end: xp.where(itself, 0, end))
    shift = Interval.point(exponents.upper.max(axis=-1))
    total = READ(sum, READ(exp, exponents - shift[..., None]), dims=(exponents.ndim - 1,))
    share: Interval = READ(log, total) + shift
    return -share


def _softmax_lines(box: Box, *, dim: int) -> Lines:
    x = boxed(box)
    return share_lines(lambda s: 1 / s, x, _softmax_interval(x, dim=dim), dim)


def _log_softmax_lines(box: Box, *, dim: int) -> Lines:
    x = boxed(box)
    return share_lines(lambda s: -jnp.log(s), x, _log_softmax_interval(x, dim=dim), dim)


# --- batch_norm


def batch_norm_definition(
    read: Reader, x: Value, weight: Value, bias: Value, mean: Value, var: Value, *, eps: float
) -> Value:
    """(x - mean) · weight / sqrt(var + eps) + bias, along axis 1."""
    scale = read(mul, weight, read(rsqrt, read(add, var, read.like(var, eps))))

    def wide(p: Value) -> Value:
        return read(broadcast, p, shape=tuple(x.shape), dims=(1,))

    return read(add, read(mul, read(sub, x, wide(mean)), wide(scale)), wide(bias))


def _batch_norm_lines(x: Box, weight: Box, bias: Box, mean: Box, var: Box, *, eps: float) -> Lines:
    """Affine in x and bias, where weight, mean and variance are constant."""
    if any(map(varies, (weight, mean, var))):
        derived = enclosed(partial(batch_norm_definition, READ))
        return derived(x, weight, bias, mean, var, eps=eps)
    scale = value(weight) * jax.lax.rsqrt(value(var) + eps)
    shape = value(x).shape

    def wide(p: End) -> Array:
        return jnp.broadcast_to(p.reshape((1, -1) + (1,) * (len(shape) - 2)), shape)

    shift = wide(-value(mean) * scale)
    along = Diagonal(wide(scale)) if varies(x) else None
    offset = shift if along else shift + wide(scale) * value(x)
    if varies(bias):
        return equation((along, None, Linear(wide, value(bias).shape), None, None), offset)
    return equation((along, None, None, None, None), offset + wide(value(bias)))


# --- layer_norm


def _standard(read: Reader, x: Value, ndim: int, eps: float) -> tuple[Value, Value]:
    """(x - mean x) / s and 1 / s, with s = sqrt(var x + eps), over the last axes."""
    rank = len(x.shape)
    dims, kept = tuple(range(rank - ndim, rank)), tuple(range(rank - ndim))

    def average(z: Value) -> Value:
        return read(broadcast, read(mean, z, dims=dims), shape=tuple(x.shape), dims=kept)

    centred = read(sub, x, average(x))
    var = average(read(square, centred))
    inverse = read(rsqrt, read(add, var, read.like(var, eps)))
    return read(mul, centred, inverse), inverse


def _scaled(read: Reader, z: Value, weight: Value, bias: Value, ndim: int) -> Value:
    last = tuple(range(len(z.shape) - ndim, len(z.shape)))

    def wide(p: Value) -> Value:
        return read(broadcast, p, shape=tuple(z.shape), dims=last)

    return read(add, read(mul, z, wide(weight)), wide(bias))


def layer_norm_definition(
    read: Reader, x: Value, weight: Value, bias: Value, *, ndim: int, eps: float
) -> Value:
    """(x - mean x) / sqrt(var x + eps) · weight + bias, over the last axes."""
    return _scaled(read, _standard(read, x, ndim, eps)[0], weight, bias, ndim)


def _layer_norm(x: Array, weight: Array, bias: Array, *, ndim: int, eps: float) -> Array:
    y: Array = layer_norm_definition(RUN, kept(x), weight, bias, ndim=ndim, eps=eps)
    return y


def _layer_norm_interval(
    x: Interval, weight: Interval, bias: Interval, *, ndim: int, eps: float
) -> Interval:
    """As the definition; and n standardised numbers lie within ±sqrt(n - 1)."""
    n = math.prod(x.shape[x.ndim - ndim :])
    most = math.nextafter(math.sqrt(n - 1), math.inf)
    z = _standard(READ, x, ndim, eps)[0].clip(-most, most)
    y: Interval = _scaled(READ, z, weight, bias, ndim)
    return y


def _layer_norm_jvp(y: Array, xs: Operands, ts: Operands, *, ndim: int, eps: float) -> Array:
    (x, weight, _), (t, tw, tb) = xs, ts
    x, t = kept(x), kept(t)
    z, inverse = _standard(CALL, x, ndim, eps)
    dims = tuple(range(x.ndim - ndim, x.ndim))
    centred = t - jnp.mean(t, axis=dims, keepdims=True)
    along = centred - z * jnp.mean(z * t, axis=dims, keepdims=True)
    lead = (1,) * (x.ndim - ndim)
    tw, tb, w = (p.reshape(lead + p.shape) for p in (tw, tb, weight))
    return w * (inverse * along) + z * tw + tb


# --- rms_norm


def _rooted(read: Reader, x: Value, ndim: int, eps: float) -> tuple[Value, Value]:
    """x / r and 1 / r, with r = sqrt(mean x² + eps), over the last axes."""
    rank = len(x.shape)
    dims, kept = tuple(range(rank - ndim, rank)), tuple(range(rank - ndim))
    mean_square = read(mean, read(square, x), dims=dims)
    wide = read(broadcast, mean_square, shape=tuple(x.shape), dims=kept)
    inverse = read(rsqrt, read(add, wide, read.like(wide, eps)))
    return read(mul, x, inverse), inverse


def rms_norm_definition(read: Reader, x: Value, weight: Value, *, ndim: int, eps: float) -> Value:
    """x / sqrt(mean x² + eps) · weight, over the last axes."""
    last = tuple(range(len(x.shape) - ndim, len(x.shape)))
    wide = read(broadcast, weight, shape=tuple(x.shape), dims=last)
    return read(mul, _rooted(read, x, ndim, eps)[0], wide)


def _rms_norm(x: Array, weight: Array, *, ndim: int, eps: float) -> Array:
    y: Array = rms_norm_definition(RUN, kept(x), weight, ndim=ndim, eps=eps)
    return y


def _rms_norm_interval(x: Interval, weight: Interval, *, ndim: int, eps: float) -> Interval:
    """As the definition; and n numbers over their root mean square lie within ±sqrt(n)."""
    n = math.prod(x.shape[x.ndim - ndim :])
    most = math.nextafter(math.sqrt(n), math.inf)
    z = _rooted(READ, x, ndim, eps)[0].clip(-most, most)
    last = tuple(range(x.ndim - ndim, x.ndim))
    y: Interval = READ(mul, z, READ(broadcast, weight, shape=tuple(x.shape), dims=last))
    return y


def _rms_norm_jvp(y: Array, xs: Operands, ts: Operands, *, ndim: int, eps: float) -> Array:
    (x, weight), (t, tw) = xs, ts
    x, t = kept(x), kept(t)
    z, inverse = _rooted(CALL, x, ndim, eps)
    dims = tuple(range(x.ndim - ndim, x.ndim))
    along = t - z * jnp.mean(z * t, axis=dims, keepdims=True)
    lead = (1,) * (x.ndim - ndim)
    tw, w = (p.reshape(lead + p.shape) for p in (tw, weight))
    return w * (inverse * along) + z * tw


# --- rows


_IRRATIONAL = Unsupported("exp of a nonzero rational is irrational", help="read it as an interval")
_WEI = "Wei et al. 2023: lines of 1 / s or -log s through those of exp; flat where that is better"
_CORNERS = "rising in its own entry, falling in all others: two corners of the box"

softmax = composite(
    "softmax",
    1,
    rules.softmax,
    softmax_definition,
    exact=_IRRATIONAL,
    interval=Cited(_softmax_interval, f"exp of log_softmax; {_CORNERS}"),
    lines=Cited(_softmax_lines, _WEI),
    jvp=_softmax_jvp,
)
log_softmax = composite(
    "log_softmax",
    1,
    rules.softmax,
    log_softmax_definition,
    exact=_IRRATIONAL,
    interval=Cited(_log_softmax_interval, _CORNERS),
    lines=Cited(_log_softmax_lines, _WEI),
    jvp=_log_softmax_jvp,
)
batch_norm = composite(
    "batch_norm",
    5,
    rules.batch_norm,
    batch_norm_definition,
    lines=Cited(_batch_norm_lines, "affine over constant weight and statistics; else flat"),
)
layer_norm = composite(
    "layer_norm",
    3,
    rules.layer_norm,
    layer_norm_definition,
    run=rounded_once(_layer_norm),
    interval=Cited(
        _layer_norm_interval, "its definition; Samuelson 1968: within ±sqrt(n - 1) before scaling"
    ),
    jvp=_layer_norm_jvp,
)
rms_norm = composite(
    "rms_norm",
    2,
    rules.rms_norm,
    rms_norm_definition,
    run=rounded_once(_rms_norm),
    interval=Cited(
        _rms_norm_interval, "its definition; no entry exceeds sqrt(n) root mean squares"
    ),
    jvp=_rms_norm_jvp,
)
