"""Products over axes, and powers: composites of the rows of the other families."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import lax

from tensorem import rules
from tensorem.domains import Interval

from ._derive import IRRATIONAL, Reader, Value, composite
from ._op import Cited
from .arithmetic import add, mul
from .curves import exp, log
from .move import concat, permute, reshape, slice
from .reduce import sum

Dims = tuple[int, ...]


def _prod(read: Reader, x: Value, *, dims: Dims) -> Value:
    """One half of the entries times the other, until one is left."""
    shape: Dims = tuple(map(int, x.shape))
    gone: Dims = rules.axes(shape, dims)
    kept: Dims = tuple(d for d in range(len(shape)) if d not in gone)
    lead: Dims = tuple(shape[d] for d in kept)
    n: int = math.prod(shape[d] for d in gone)
    if n == 0:
        nothing = read(sum, x, dims=gone)
        return read(add, nothing, read.like(nothing, 1.0))
    y = read(reshape, read(permute, x, dims=(*kept, *gone)), shape=(*lead, n))
    while n > 1:
        half = n // 2
        both = read(mul, _part(read, y, 0, half), _part(read, y, half, 2 * half))
        y = read(concat, both, _part(read, y, 2 * half, n), dim=len(lead)) if n % 2 else both
        n -= half
    return read(reshape, y, shape=lead)


def _cumprod(read: Reader, x: Value, *, dim: int) -> Value:
    """Each entry times those before it: 1, then 2, 4, ... of them (Hillis and Steele 1986)."""
    rank: int = len(x.shape)
    last: int = rules.axis(x.shape, dim)
    n, step = int(x.shape[last]), 1
    order = (*(d for d in range(rank) if d != last), last)
    y = read(permute, x, dims=order)
    while step < n:
        more = read(mul, _part(read, y, step, n), _part(read, y, 0, n - step))
        y, step = read(concat, _part(read, y, 0, step), more, dim=rank - 1), 2 * step
    return read(permute, y, dims=tuple(map(order.index, range(rank))))


def _part(read: Reader, x: Value, start: int, stop: int) -> Value:
    """Entries of the last axis."""
    *lead, _ = map(int, x.shape)
    return read(
        slice,
        x,
        start=(*(0 for _ in lead), start),
        stop=(*lead, stop),
        step=(1,) * len(x.shape),
    )


def _pow(read: Reader, x: Value, y: Value) -> Value:
    """exp(y log x): of a base above 0."""
    return read(exp, read(mul, y, read(log, x)))


def _pow_interval(x: Interval, y: Interval) -> Interval:
    """A power above 0 rises with its base, from 0 on; where a base may lie below 0 it is any."""
    xp, z = x.rounding.xp, _pow(_READ, x, y)
    top = _pow(_READ, Interval(x.upper, x.upper), y).upper
    rises = (x.lower >= 0) & (y.lower > 0)
    upper = xp.where(rises, xp.where(x.upper == 0, 0.0, top), z.upper)
    return Interval(z.lower, upper.astype(z.upper.dtype)).unless(x.lower < 0)


_READ = Reader("interval")


prod = composite(
    "prod",
    1,
    rules.sums,
    _prod,
    run=lambda x, *, dims: jnp.prod(x, axis=dims, dtype=x.dtype),
)
cumprod = composite(
    "cumprod",
    1,
    rules.along,
    _cumprod,
    run=lambda x, *, dim: jnp.cumprod(x, axis=dim, dtype=x.dtype),
)
pow = composite(
    "pow",
    2,
    rules.floats,
    _pow,
    run=lax.pow,
    exact=IRRATIONAL,
    interval=Cited(_pow_interval, "rising in a base from 0 on; else its definition"),
    primitive=lax.pow_p,
)
