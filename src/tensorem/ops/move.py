"""Entries change place and are not changed: reshapes, permutations, joins and cuts."""

from __future__ import annotations

import builtins
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.core import Tracer
from numpy.typing import NDArray

from tensorem import rules
from tensorem.domains import Ball, End, Interval, Lines, Rational, equation
from tensorem.domains import _ball as balls

from ._derive import Box, additive, enclosed, move, value, varies
from ._op import Chain, Cited, Op
from .places import known_places

Dims = tuple[int, ...]
Grid = NDArray[Any]


# --- the functions, in JAX and in NumPy


def _permute(x: Array, *, dims: Dims) -> Array:
    return lax.transpose(x, rules.axes(x.shape, dims))


def _broadcast(x: Array, *, shape: Dims, dims: Dims) -> Array:
    return lax.broadcast_in_dim(x, shape, dims)


def _broadcast_twin(x: Grid, *, shape: Dims, dims: Dims) -> Grid:
    sizes = dict(zip(dims, x.shape, strict=True))
    return np.broadcast_to(x.reshape([sizes.get(d, 1) for d in range(len(shape))]), shape)


def _concat(*xs: Array, dim: int) -> Array:
    return jnp.concatenate(xs, axis=dim)


def _slice(x: Array, *, start: Dims, stop: Dims, step: Dims) -> Array:
    return lax.slice(x, start, stop, step)


def _slice_twin(x: Grid, *, start: Dims, stop: Dims, step: Dims) -> Grid:
    return x[tuple(builtins.slice(*s) for s in zip(start, stop, step, strict=True))]


def _pad(x: Array, value: Array, *, low: Dims, high: Dims, interior: Dims) -> Array:
    return lax.pad(x, value, list(zip(low, high, interior, strict=True)))


def _pad_twin(x: Grid, value: Grid, *, low: Dims, high: Dims, interior: Dims) -> Grid:
    """Entries spread out, then framed; a negative frame cuts."""
    y = x
    for d, (a, b, i) in enumerate(zip(low, high, interior, strict=True)):
        y = _pad_axis(np.moveaxis(y, d, 0), value, a, b, i)
        y = np.moveaxis(y, 0, d)
    return y


def _pad_axis(x: Grid, value: Grid, low: int, high: int, interior: int) -> Grid:
    n = x.shape[0]
    spread = np.empty((max(n + (n - 1) * interior, 0), *x.shape[1:]), x.dtype)
    spread[...] = value
    spread[:: interior + 1] = x
    framed = np.empty((max(low, 0) + len(spread) + max(high, 0), *x.shape[1:]), x.dtype)
    framed[...] = value
    framed[max(low, 0) : max(low, 0) + len(spread)] = spread
    return framed[max(-low, 0) : len(framed) - max(-high, 0)]


def _flip(x: Array, *, dims: Dims) -> Array:
    return lax.rev(x, rules.axes(x.shape, dims))


# --- rows of a table by index


def _rows(index: End, weight: Array) -> Array:
    return jnp.take(weight, index, axis=0, mode="clip")


def _embedding(index: Array, weight: Array) -> Array:
    """The rows; for one that there is not an error, or NaN in a trace, where nobody sees it."""
    if not isinstance(index, Tracer):
        rules.check_rows(np.asarray(index), weight.shape[0])
    rows = _rows(index, weight)
    if not jnp.issubdtype(weight.dtype, jnp.floating):
        return rows
    number = index if index.dtype.itemsize >= 4 else index.astype("int32")
    there = jnp.logical_and(number >= 0, number < weight.shape[0])
    return jnp.where(there[..., None], rows, jnp.full((), jnp.nan, weight.dtype))


def _embedding_exact(index: Rational, weight: Rational) -> Rational:
    rows = known_places("embedding", index, weight.shape[0])
    return weight.map(lambda num: num[rows])


def _embedding_ball(index: Ball, weight: Ball) -> Ball:
    rows = known_places("embedding", index.rational("embedding"), weight.shape[0])
    return balls.computed(lambda values: values[rows], weight)


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
    rules.reshape,
    run=lambda x, *, shape: jnp.reshape(x, shape),
    twin=lambda x, *, shape: x.reshape(shape),
    chain=Chain(after=lambda first, then: then, neutral=lambda x: {"shape": tuple(x.shape)}),
)
permute = move(
    "permute",
    1,
    rules.permute,
    run=_permute,
    twin=lambda x, *, dims: np.transpose(x, dims),
    chain=Chain(
        after=lambda first, then: {"dims": tuple(first["dims"][d] for d in then["dims"])},
        neutral=lambda x: {"dims": tuple(range(len(x.shape)))},
    ),
)
broadcast = move(
    "broadcast", 1, rules.broadcast, run=_broadcast, twin=_broadcast_twin, moves="often"
)
concat = move(
    "concat",
    None,
    rules.concat,
    run=_concat,
    twin=lambda *xs, dim: np.concatenate(xs, axis=dim),
)
slice = move("slice", 1, rules.slice, run=_slice, twin=_slice_twin)
pad = move("pad", 2, rules.pad, run=_pad, twin=_pad_twin)
flip = move("flip", 1, rules.flip, run=_flip, twin=lambda x, *, dims: np.flip(x, dims))
embedding = Op(
    "embedding",
    2,
    rules.embedding,
    run=_embedding,
    exact=_embedding_exact,
    ball=Cited(_embedding_ball, "a move of rows, where the index is decided"),
    interval=Cited(_embedding_interval, "a move of rows; the hull of all where the index varies"),
    lines=Cited(_embedding_lines, "linear in the rows; flat where the index varies"),
    jvp=lambda y, xs, ts: _embedding(xs[0], ts[1]),
)
