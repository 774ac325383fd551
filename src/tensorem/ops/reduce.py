"""Sums, means and extremes over axes."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from tensorem import rules
from tensorem.domains import Ball, End, Interval, Lines, Rational
from tensorem.domains import _ball as balls

from ._derive import Box, Total, affine, boxed, enclosed, opposite
from ._op import Cited, Op
from .pool import contenders, greatest_lines

Dims = tuple[int, ...]
Entries = NDArray[Any]


def _sums(x: Array, *, dims: Dims) -> Array:
    return x.sum(axis=rules.axes(x.shape, dims))


def _count(shape: tuple[int, ...], *, dims: Dims) -> int:
    return math.prod(shape[d] for d in dims)


def _amax(x: Array, *, dims: Dims) -> Array:
    return x.max(axis=rules.axes(x.shape, dims))


def _amin(x: Array, *, dims: Dims) -> Array:
    return x.min(axis=rules.axes(x.shape, dims))


def _amax_lines(box: Box, *, dims: Dims) -> Lines:
    cut = partial(_last, dims=dims)
    return greatest_lines(cut, cut, boxed(box))


def _amin_lines(box: Box, *, dims: Dims) -> Lines:
    """min x = -max(-x)."""
    return opposite(_amax_lines(-boxed(box), dims=dims))


def _amax_contenders(box: Box, *, dims: Dims) -> Array:
    cut = partial(_last, dims=dims)
    return contenders(cut, cut, boxed(box))


def _last(x: Array, *, dims: Dims) -> Array:
    """The reduced axes joined into one last axis."""
    moved = jnp.moveaxis(x, dims, range(-len(dims), 0)) if dims else x
    return jnp.reshape(moved, (*moved.shape[: x.ndim - len(dims)], -1 if x.size else 0))


def _argmax(x: Array, *, dim: int) -> Array:
    return jnp.argmax(x, axis=dim).astype(jnp.int32)


def _argmax_interval(x: Interval, *, dim: int) -> Interval:
    """From the first to the last entry that can be the first greatest one."""
    xp = x.rounding.xp
    low, high = (xp.moveaxis(end, dim, -1) for end in (x.lower, x.upper))
    earlier = running_max(low)[..., :-1]
    before = xp.concatenate([xp.full_like(low[..., :1], -np.inf), earlier], axis=-1)
    possible = (high >= low.max(axis=-1, keepdims=True)) & ((high > before) | (before == -np.inf))
    first = xp.argmax(possible, axis=-1)
    last = low.shape[-1] - 1 - xp.argmax(possible[..., ::-1], axis=-1)
    return Interval(first.astype(low.dtype), last.astype(low.dtype))


def running_max(x: End) -> End:
    """Of each entry and all before it on the last axis the greatest."""
    if isinstance(x, jax.Array):
        return jax.lax.cummax(x, axis=x.ndim - 1)
    greatest: End = np.maximum.accumulate(x, axis=-1)
    return greatest


def _amax_ball(x: Ball, *, dims: Dims) -> Ball:
    return balls.computed(lambda a: balls.reduced(lambda x, y: x.max(y), _joined(a, dims)), x)


def _amin_ball(x: Ball, *, dims: Dims) -> Ball:
    return balls.computed(lambda a: balls.reduced(lambda x, y: x.min(y), _joined(a, dims)), x)


def _joined(x: Entries, dims: Dims) -> Entries:
    """As `_last`, in NumPy."""
    moved = np.moveaxis(x, dims, range(-len(dims), 0))
    return moved.reshape((*moved.shape[: x.ndim - len(dims)], -1 if x.size else 0))


def _argmax_ball(x: Ball, *, dim: int) -> Ball:
    found = _argmax_interval(ranks(x, dim), dim=dim)
    return Ball.between(found.lower, found.upper, x.bits)


def ranks(x: Ball, dim: int) -> Interval:
    """The ends of the balls by their places in the order of all ends along an axis.

    What depends on the order alone is the same for the ranks.
    """
    ends = np.concatenate(x.ends(), axis=dim)
    order = np.argsort(ends, axis=dim)
    line = np.moveaxis(np.take_along_axis(ends, order, axis=dim), dim, 0)
    rises = np.concatenate([np.zeros_like(line[:1], bool), line[1:] != line[:-1]]).astype(bool)
    places = np.empty(ends.shape)
    np.put_along_axis(places, order, np.moveaxis(rises.cumsum(axis=0), 0, dim), axis=dim)
    low, high = np.split(places, 2, axis=dim)
    return Interval(low, high)


_EXTREME = "rising: the extremes of the ends, nothing is rounded"

sum = affine(
    "sum",
    rules.sums,
    lambda x, *, dims: jnp.sum(x, axis=dims, dtype=x.dtype),
    Total(_sums, terms=_count),
)
mean = affine(
    "mean",
    rules.mean,
    lambda x, *, dims: jnp.mean(x, axis=dims),
    Total(_sums, terms=_count, share=_count),
)
amax = Op(
    "amax",
    1,
    rules.some_of,
    run=lambda x, *, dims: jnp.max(x, axis=dims),
    exact=lambda x, *, dims: x.map(partial(_amax, dims=dims)),
    ball=Cited(_amax_ball, "of two balls that overlap, both"),
    interval=Cited(lambda x, *, dims: x.map(partial(_amax, dims=dims)), _EXTREME),
    lines=Cited(_amax_lines, "as max_pool2d, over one window"),
    opens=_amax_contenders,
)
amin = Op(
    "amin",
    1,
    rules.some_of,
    run=lambda x, *, dims: jnp.min(x, axis=dims),
    exact=lambda x, *, dims: x.map(partial(_amin, dims=dims)),
    ball=Cited(_amin_ball, "of two balls that overlap, both"),
    interval=Cited(lambda x, *, dims: x.map(partial(_amin, dims=dims)), _EXTREME),
    lines=Cited(_amin_lines, "as amax, of -amax(-x)"),
    opens=lambda box, *, dims: _amax_contenders(-boxed(box), dims=dims),
)
argmax = Op(
    "argmax",
    1,
    rules.argmax,
    run=_argmax,
    exact=lambda x, *, dim: Rational.of(np.argmax(x.num, axis=dim)),
    ball=Cited(_argmax_ball, "as the interval, of the ranks of its ends"),
    interval=Cited(_argmax_interval, "from first to last entry that can be the first greatest"),
    lines=enclosed(_argmax_interval),
)
cumsum = affine(
    "cumsum",
    rules.along,
    lambda x, *, dim: jnp.cumsum(x, axis=dim, dtype=x.dtype),
    Total(
        lambda x, *, dim: x.cumsum(axis=dim),
        terms=lambda shape, *, dim: int(shape[dim]),
    ),
)
