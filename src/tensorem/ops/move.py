"""Entries change place and are not changed: reshapes, permutations, joins and cuts."""

from __future__ import annotations

import builtins
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from tensorem import rules
from tensorem.calls import named
from tensorem.domains import Interval, Lines, Rational, equation
from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import format_shape, is_negative, require_equal, reshape_shape, shape_of

from . import _specs
from ._derive import Box, additive, enclosed, move, value, varies
from ._kinds import Whole
from ._op import Chain, Cited, Op

Array = Any
Dims = tuple[int, ...]


# --- shapes


def _reshape_shape(x: Any, *, shape: Whole) -> Any:
    return replace(x, shape=reshape_shape(x.shape, shape))


def _permute_shape(x: Any, *, dims: Dims) -> Any:
    order = _specs.axes(dims, len(x.shape))
    if len(order) != len(x.shape):
        raise ArgumentError(f"takes {len(x.shape)} dims, got {dims}.")
    return replace(x, shape=tuple(x.shape[d] for d in order))


def _broadcast_shape(x: Any, *, shape: Whole, dims: Dims) -> Any:
    target: Any = shape_of(shape)
    within = all(0 <= d < len(target) for d in dims)
    if len(dims) != len(x.shape) or list(dims) != sorted(set(dims)) or not within:
        raise ArgumentError(f"takes {len(x.shape)} rising dims, got {dims}.")
    wanted = tuple(1 if n == 1 else target[d] for n, d in zip(x.shape, dims, strict=True))
    what = "takes sizes that are 1 or the target's, got "
    what += f"{format_shape(x.shape)} for {format_shape(target)} along {dims}."
    require_equal(x.shape, wanted, what)
    return replace(x, shape=target)


def _concat_shape(*xs: Any, dim: int) -> Any:
    d = _specs.axis(dim, len(xs[0].shape))
    _specs.one_dtype(*xs)
    for x in xs[1:]:
        _specs.equal(_without(xs[0].shape, d), _without(x.shape, d))
    total = xs[0].shape[d]
    for x in xs[1:]:
        total = total + x.shape[d]
    first = xs[0].shape
    return replace(xs[0], shape=(*first[:d], total, *first[d + 1 :]))


def _without(shape: tuple[Any, ...], d: int) -> tuple[Any, ...]:
    return (*shape[:d], *shape[d + 1 :])


def _slice_shape(x: Any, *, start: Any, stop: Any, step: Dims) -> Any:
    _per_axis(x, start, stop, step)
    starts: Any = shape_of(start)
    ends: Any = shape_of(stop)
    for n, a, b in zip(x.shape, starts, ends, strict=True):
        if is_negative(b - a) or is_negative(n - b):
            raise ShapeError(
                f"takes a part of {format_shape(x.shape)}, got {format_shape(starts)} to "
                f"{format_shape(ends)}."
            )
    if min(step, default=1) < 1:
        raise ArgumentError(f"takes steps of at least 1, got {step}.")
    sizes = [
        -((a - b) // s) if s != 1 else b - a for a, b, s in zip(starts, ends, step, strict=True)
    ]
    return replace(x, shape=tuple(sizes))


def _pad_shape(x: Any, value: Any, *, low: Dims, high: Dims, interior: Dims) -> Any:
    _per_axis(x, low, high, interior)
    _specs.one_dtype(x, value)
    if value.shape != ():
        raise ShapeError(f"takes one number to pad with, got {format_shape(value.shape)}.")
    sizes = [
        n + (n - 1) * i + a + b for n, a, b, i in zip(x.shape, low, high, interior, strict=True)
    ]
    if min(interior, default=0) < 0 or any(isinstance(n, int) and n < 0 for n in sizes):
        raise ArgumentError(f"takes frames that leave an image, got {low}, {high}, {interior}.")
    return replace(x, shape=tuple(sizes))


def _per_axis(x: Any, *attrs: Any) -> None:
    if any(len(a) != len(x.shape) for a in attrs):
        raise ArgumentError(f"takes one number per axis of {format_shape(x.shape)}, got {attrs}.")


def _flip_shape(x: Any, *, dims: Dims) -> Any:
    _specs.axes(dims, len(x.shape))
    return x


def _embedding_shape(index: Any, weight: Any) -> Any:
    _specs.integers(index)
    _specs.rank(weight, 2)
    return replace(weight, shape=(*index.shape, weight.shape[1]))


# --- the functions, in JAX and in NumPy


def _permute(x: Array, *, dims: Dims) -> Array:
    return lax.transpose(x, _specs.axes(dims, x.ndim))


def _broadcast(x: Array, *, shape: Any, dims: Dims) -> Array:
    return lax.broadcast_in_dim(x, shape, dims)


def _broadcast_twin(x: Array, *, shape: Dims, dims: Dims) -> Array:
    sizes = dict(zip(dims, x.shape, strict=True))
    return np.broadcast_to(x.reshape([sizes.get(d, 1) for d in range(len(shape))]), shape)


def _concat(*xs: Array, dim: int) -> Array:
    return jnp.concatenate(xs, axis=dim)


def _slice(x: Array, *, start: Dims, stop: Dims, step: Dims) -> Array:
    return lax.slice(x, start, stop, step)


def _slice_twin(x: Array, *, start: Dims, stop: Dims, step: Dims) -> Array:
    return x[tuple(builtins.slice(*s) for s in zip(start, stop, step, strict=True))]


def _pad(x: Array, value: Array, *, low: Dims, high: Dims, interior: Dims) -> Array:
    return lax.pad(x, value, list(zip(low, high, interior, strict=True)))


def _pad_twin(x: Array, value: Array, *, low: Dims, high: Dims, interior: Dims) -> Array:
    """Entries spread out, then framed; a negative frame cuts."""
    y = x
    for d, (a, b, i) in enumerate(zip(low, high, interior, strict=True)):
        y = _pad_axis(np.moveaxis(y, d, 0), value, a, b, i)
        y = np.moveaxis(y, 0, d)
    return y


def _pad_axis(x: Array, value: Array, low: int, high: int, interior: int) -> Array:
    n = x.shape[0]
    spread = np.empty((max(n + (n - 1) * interior, 0), *x.shape[1:]), x.dtype)
    spread[...] = value
    spread[:: interior + 1] = x
    framed = np.empty((max(low, 0) + len(spread) + max(high, 0), *x.shape[1:]), x.dtype)
    framed[...] = value
    framed[max(low, 0) : max(low, 0) + len(spread)] = spread
    return framed[max(-low, 0) : len(framed) - max(-high, 0)]


def _flip(x: Array, *, dims: Dims) -> Array:
    return lax.rev(x, _specs.axes(dims, x.ndim))


# --- rows of a table by index


def _rows(index: Array, weight: Array) -> Array:
    return jnp.take(weight, index, axis=0, mode="clip")


def _embedding(index: Array, weight: Array) -> Array:
    """The rows; for one that there is not an error, or NaN in a trace, where nobody sees it."""
    if not isinstance(index, Tracer):
        with named("embedding"):
            rules.check_rows(np.asarray(index), weight.shape[0])
    rows = _rows(index, weight)
    if not jnp.issubdtype(weight.dtype, jnp.floating):
        return rows
    number = index if index.dtype.itemsize >= 4 else index.astype("int32")
    there = jnp.logical_and(number >= 0, number < weight.shape[0])
    return jnp.where(there[..., None], rows, jnp.full((), jnp.nan, weight.dtype))


def _embedding_exact(index: Rational, weight: Rational) -> Rational:
    with named("embedding"):
        rules.check_rows(index.fractions(), weight.shape[0])
    rows = (index.num // index.den).astype(np.int64)
    return weight.map(lambda num: num[rows])


def _embedding_interval(index: Interval, weight: Interval) -> Interval:
    """The row, where the index is known; else the hull of all rows; all numbers for no row."""
    xp, last = index.rounding.xp, weight.shape[0] - 1
    rows = xp.clip(index.lower, 0, last).astype(xp.int32)
    unknown = (index.lower != index.upper)[..., None]
    outside = xp.logical_or(index.lower < 0, index.upper > last)
    between = xp.floor(index.upper) < index.lower
    none = xp.logical_or(outside, between)[..., None]
    lower = xp.where(unknown, weight.lower.min(axis=0), weight.lower[rows])
    upper = xp.where(unknown, weight.upper.max(axis=0), weight.upper[rows])
    return Interval(xp.where(none, -xp.inf, lower), xp.where(none, xp.inf, upper))


def _embedding_lines(index: Box, weight: Box) -> Lines:
    """Rows move; an index that varies leaves the ends only."""
    if varies(index):
        return enclosed(_embedding_interval)(index, weight)
    rows = value(index)
    taken = additive(lambda table: _rows(rows, table))(weight)
    return equation((None, *taken.lower), taken.lower_offset)


reshape = move(
    "reshape",
    1,
    _reshape_shape,
    run=lambda x, *, shape: jnp.reshape(x, shape),
    twin=lambda x, *, shape: x.reshape(shape),
    chain=Chain(after=lambda first, then: then, neutral=lambda x: {"shape": tuple(x.shape)}),
)
permute = move(
    "permute",
    1,
    _permute_shape,
    run=_permute,
    twin=lambda x, *, dims: np.transpose(x, dims),
    chain=Chain(
        after=lambda first, then: {"dims": tuple(first["dims"][d] for d in then["dims"])},
        neutral=lambda x: {"dims": tuple(range(len(x.shape)))},
    ),
)
broadcast = move(
    "broadcast", 1, _broadcast_shape, run=_broadcast, twin=_broadcast_twin, moves="often"
)
concat = move(
    "concat",
    None,
    _concat_shape,
    run=_concat,
    twin=lambda *xs, dim: np.concatenate(xs, axis=dim),
)
slice = move("slice", 1, _slice_shape, run=_slice, twin=_slice_twin)
pad = move("pad", 2, _pad_shape, run=_pad, twin=_pad_twin)
flip = move("flip", 1, _flip_shape, run=_flip, twin=lambda x, *, dims: np.flip(x, dims))
embedding = Op(
    "embedding",
    2,
    _embedding_shape,
    run=_embedding,
    exact=_embedding_exact,
    interval=Cited(_embedding_interval, "a move of rows; the hull of all where the index varies"),
    lines=Cited(_embedding_lines, "linear in the rows; flat where the index varies"),
)
