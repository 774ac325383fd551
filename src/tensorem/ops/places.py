"""Entries taken from and added at the places that an index says."""

from __future__ import annotations

from types import ModuleType

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from tensorem import rules
from tensorem.calls import named
from tensorem.domains import Ball, End, Interval, Lines, Rational, equation
from tensorem.domains import _ball as balls

from ._derive import Box, additive, enclosed, value, varies
from ._op import Cited, Op

# --- arrays


def taken(x: Array, places: Array, dim: int) -> Array:
    """The entries; where there is none NaN, or of integers the least."""
    axis, others = _axes(x, dim)
    numbers = lax.GatherDimensionNumbers((), (axis,), (axis,), others, others)
    return lax.gather(x, _column(places), numbers, (1,) * x.ndim, mode="fill")


def _gather(x: Array, index: Array, *, dim: int) -> Array:
    return taken(x, index, dim)


def _scatter_add(x: Array, index: Array, src: Array, *, dim: int) -> Array:
    """The sums; what has no place is left out."""
    axis, others = _axes(x, dim)
    numbers = lax.ScatterDimensionNumbers((), (axis,), (axis,), others, others)
    return lax.scatter_add(x, _column(index), src, numbers, mode="drop")


def _axes(x: Array, dim: int) -> tuple[int, tuple[int, ...]]:
    axis = dim % x.ndim
    return axis, tuple(d for d in range(x.ndim) if d != axis)


def _column(index: Array) -> Array:
    """The places as JAX takes them, in integers that hold every size."""
    wide = index if index.dtype.itemsize >= 4 else index.astype("int32")
    return wide[..., None]


# --- rationals


def known_places(name: str, index: Rational, size: int) -> NDArray[np.int64]:
    """The places of an index; an error where there is none."""
    with named(name):
        rules.check_rows(index.fractions(), size)
    places: NDArray[np.int64] = (index.num // index.den).astype(np.int64)
    return places


def _gather_exact(x: Rational, index: Rational, *, dim: int) -> Rational:
    places = known_places("gather", index, x.shape[dim])
    return x.map(lambda num: np.take_along_axis(num, places, axis=dim))


def _scatter_add_exact(x: Rational, index: Rational, src: Rational, *, dim: int) -> Rational:
    d, places = dim % x.ndim, known_places("scatter_add", index, x.shape[dim])
    hit = np.expand_dims(places, d) == _steps(np, x.shape, d)
    return x + src.map(lambda num: np.where(hit, np.expand_dims(num, d), 0).sum(axis=d + 1))


def _gather_ball(x: Ball, index: Ball, *, dim: int) -> Ball:
    places = known_places("gather", index.rational("gather"), x.shape[dim])
    return balls.computed(lambda values: np.take_along_axis(values, places, axis=dim), x)


def _scatter_add_ball(x: Ball, index: Ball, src: Ball, *, dim: int) -> Ball:
    d = dim % x.ndim
    places = known_places("scatter_add", index.rational("scatter_add"), x.shape[dim])
    hit = np.expand_dims(places, d) == _steps(np, x.shape, d)
    shares = balls.computed(
        lambda values: np.where(hit, np.expand_dims(values, d), 0).sum(axis=d + 1), src
    )
    return x + shares


def _steps(xp: ModuleType, shape: tuple[int, ...], dim: int) -> End:
    """All places along an axis, beside all entries of an index along the next one."""
    steps: End = xp.arange(shape[dim]).reshape((-1,) + (1,) * (len(shape) - dim))
    return steps


# --- intervals


def _gather_interval(x: Interval, index: Interval, *, dim: int) -> Interval:
    """The entry, where the index is known; else the hull of all; all numbers for no entry."""
    xp, last = index.rounding.xp, x.shape[dim] - 1
    places = xp.clip(index.lower, 0, last).astype(xp.int32)
    unknown = index.lower != index.upper
    none = (index.lower < 0) | (index.upper > last) | (xp.floor(index.upper) < index.lower)
    least, most = x.lower.min(axis=dim, keepdims=True), x.upper.max(axis=dim, keepdims=True)
    lower, upper = (xp.take_along_axis(end, places, axis=dim) for end in (x.lower, x.upper))
    found = Interval(xp.where(unknown, least, lower), xp.where(unknown, most, upper))
    return found.unless(none)


def _scatter_add_interval(x: Interval, index: Interval, src: Interval, *, dim: int) -> Interval:
    """Sums over all entries, each where its index may be this place, or else 0."""
    xp, d = x.rounding.xp, dim % x.ndim
    steps, ends = _steps(xp, x.shape, d), (index.lower, index.upper, src.lower, src.upper)
    low, high, least, most = (xp.expand_dims(end, d) for end in ends)
    may, must = (low <= steps) & (steps <= high), (low == steps) & (steps == high)
    lower = xp.where(must, least, xp.where(may, xp.minimum(least, 0), 0))
    upper = xp.where(must, most, xp.where(may, xp.maximum(most, 0), 0))
    shares = Interval(lower, upper).sums(lambda a: a.sum(axis=d + 1), src.shape[d])
    outside = (index.lower < 0) | (index.upper > x.shape[dim] - 1)
    return (x + shares).unless(xp.any(outside, axis=d, keepdims=True))


# --- lines


def _gather_lines(x: Box, index: Box, *, dim: int) -> Lines:
    """A move; an index that varies leaves the ends only."""
    if varies(index):
        return enclosed(_gather_interval)(x, index, dim=dim)
    places = jnp.asarray(value(index))
    moved = additive(lambda a: _gather(a, places, dim=dim))(x)
    return equation((*moved.lower, None), moved.lower_offset)


def _scatter_add_lines(x: Box, index: Box, src: Box, *, dim: int) -> Lines:
    """Linear in both; an index that varies leaves the ends only."""
    if varies(index):
        return enclosed(_scatter_add_interval)(x, index, src, dim=dim)
    places = jnp.asarray(value(index))
    sums = additive(lambda a, b: _scatter_add(a, places, b, dim=dim))(x, src)
    of_x, of_src = sums.lower
    return equation((of_x, None, of_src), sums.lower_offset)


# --- rows


gather = Op(
    "gather",
    2,
    rules.gather,
    run=_gather,
    exact=_gather_exact,
    ball=Cited(_gather_ball, "a move, where the index is decided"),
    interval=Cited(_gather_interval, "a move; the hull of all where the index varies"),
    lines=Cited(_gather_lines, "linear in the entries; flat where the index varies"),
)
scatter_add = Op(
    "scatter_add",
    3,
    rules.scatter_add,
    run=_scatter_add,
    exact=_scatter_add_exact,
    ball=Cited(_scatter_add_ball, "sums of balls, where the index is decided"),
    interval=Cited(_scatter_add_interval, "sums of its ends, 0 too where the index varies"),
    lines=Cited(_scatter_add_lines, "linear in both; flat where the index varies"),
)
