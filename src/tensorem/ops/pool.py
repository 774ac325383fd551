"""Pooling over windows of an image (N, C, H, W)."""

from __future__ import annotations

import math
from functools import partial
from types import ModuleType
from typing import Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tensorem import rules
from tensorem.domains import Ball, End, Interval, Linear, Lines
from tensorem.domains import _ball as balls

from . import _pooling
from ._convolution import places
from ._derive import Box, Total, affine, boxed, rounded_once
from ._kept import kept_if_large
from ._op import Cited, Op, Operands, Rule
from ._pooling import Dilated, Divided, Window

Two = tuple[int, int]
Padding = tuple[Two, Two]


def windows(
    x: End, fill: float, *, kernel_size: Two, stride: Two, padding: Padding, dilation: Two
) -> End:
    """The windows of an image: (N, C, H, W) -> (N, C, H', W', kh*kw), row-major within a window."""
    n, c, h, w = x.shape
    kh, kw = kernel_size
    if _pooling.are_tiles(
        (h, w), kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation
    ):
        tiles = x.reshape((n, c, h // kh, kh, w // kw, kw))
        return tiles.transpose((0, 1, 2, 4, 3, 5)).reshape((n, c, h // kh, w // kw, kh * kw))
    x = _framed(x, fill, padding)
    cuts = places(x.shape[2:], kernel_size, stride, dilation)
    entries: End = library(x).stack([x[:, :, *cut] for cut in cuts], axis=-1)
    return entries


def library(x: End) -> ModuleType:
    """The array library that an array belongs to."""
    return jnp if isinstance(x, jax.Array) else np


def _framed(x: End, fill: float, padding: Padding) -> End:
    if padding == ((0, 0), (0, 0)):
        return x
    (top, bottom), (left, right) = padding
    if isinstance(x, jax.Array):
        ends = [(0, 0, 0), (0, 0, 0), (top, bottom, 0), (left, right, 0)]
        return lax.pad(x, jnp.asarray(fill, x.dtype), ends)
    n, c, h, w = x.shape
    y = np.full((n, c, top + h + bottom, left + w + right), fill, x.dtype)
    y[:, :, top : top + h, left : left + w] = x
    return y


# --- the greatest of a window


def _max_pool(x: End, **attrs: Unpack[Dilated]) -> End:
    return windows(x, -np.inf, **attrs).max(axis=-1)


def _max_pool_ball(x: Ball, **attrs: Unpack[Dilated]) -> Ball:
    """No window lies outside of the image as a whole, so that what fills up is never greatest."""
    cut = balls.computed(lambda values: np.asarray(windows(values, -np.inf, **attrs)), x)
    return balls.computed(partial(balls.reduced, lambda a, b: a.max(b)), cut)


def _max_pool_run(x: Array, **attrs: Unpack[Dilated]) -> Array:
    return _nchw(kept_if_large(_pooling.max_pool(_nhwc(x), **attrs)))


def _max_pool_jvp(y: Array, xs: Operands, ts: Operands, **attrs: Unpack[Dilated]) -> Array:
    """The tangent of the first maximum in row-major order, as in PyTorch."""
    x, y, t = map(_nhwc, (xs[0], y, ts[0]))
    return _nchw(kept_if_large(_pooling.max_pool_tangent(x, y, t, **attrs)))


def _nhwc(x: Array) -> Array:
    """Channels last; a large image lies so, and is not changed again at each read."""
    return kept_if_large(jnp.transpose(x, (0, 2, 3, 1)))


def _nchw(x: Array) -> Array:
    return jnp.transpose(x, (0, 3, 1, 2))


def carrier(ends: End) -> Array:
    """The entry of each window (..., k) that carries a line: of the greatest end, the first."""
    return jnp.argmax(ends, axis=-1)


def _picks(box: Box, lines: Lines, **attrs: Unpack[Dilated]) -> dict[str, Array]:
    """The evidence of a maximum: the entries of each window that carry its lines."""
    x = boxed(box)
    ends = {"pick_lower": x.lower, "pick_upper": x.upper}
    return {k: carrier(windows(end, -np.inf, **attrs)).astype(jnp.int32) for k, end in ends.items()}


def greatest_lines(cut: Rule, fill: Rule, box: Interval) -> Lines:
    """Lines of the greatest entry y of each window.

    Below, the entry x of the greatest lower end: y >= x. Above, that of the greatest upper end, the
    chord from (l, max(l, m)) to (u, u) of it, where m is the greatest upper end of the others.

    Args:
        cut: Windows of an array, linear: (..., k); entries outside are 0.
        fill: Windows of an array; entries outside are -inf.
        box: Where.
    """
    low, high = fill(box.lower), fill(box.upper)
    k = low.shape[-1]
    below, above = (jax.nn.one_hot(carrier(end), k, dtype=low.dtype) for end in (low, high))
    slope, offset = _chord(low, high, above)
    return Lines(
        (Linear(lambda x: jnp.sum(below * cut(x), axis=-1), box.shape),),
        (Linear(lambda x: jnp.sum(slope[..., None] * above * cut(x), axis=-1), box.shape),),
        jnp.zeros_like(offset),
        offset,
    )


def _chord(low: Array, high: Array, above: Array) -> tuple[Array, Array]:
    """Slope and offset over the picked entry, whatever the others do."""
    others = jnp.max(jnp.where(above > 0, -jnp.inf, high), axis=-1)
    a, b = (jnp.sum(jnp.where(above > 0, end, 0), axis=-1) for end in (low, high))
    alone = others <= a
    top = jnp.maximum(others, b)
    slope = jnp.where(alone, 1, (top - others) / jnp.where(alone | (b <= a), 1, b - a))
    return slope, jnp.where(alone, 0, top - slope * b)


def contenders(cut: Rule, fill: Rule, box: Interval) -> Array:
    """Entries that can be the greatest of a window in which others can be too; as above."""
    low, high = fill(box.lower), fill(box.upper)
    above = jax.nn.one_hot(carrier(high), high.shape[-1], dtype=bool)
    others = jnp.max(jnp.where(above, -jnp.inf, high), axis=-1)
    open_ = others > jnp.sum(jnp.where(above, low, 0), axis=-1)
    able = open_[..., None] & (high >= jnp.max(low, axis=-1, keepdims=True))
    [hits] = jax.linear_transpose(cut, box.lower)(able.astype(low.dtype))
    return jnp.asarray(hits > 0)


def _max_pool_contenders(box: Box, **attrs: Unpack[Dilated]) -> Array:
    cut, fill = (partial(windows, fill=f, **attrs) for f in (0.0, -np.inf))
    return contenders(cut, fill, boxed(box))


def _max_pool_lines(box: Box, **attrs: Unpack[Dilated]) -> Lines:
    cut, fill = (partial(windows, fill=f, **attrs) for f in (0.0, -np.inf))
    return greatest_lines(cut, fill, boxed(box))


# --- the sum of a window over one number


def _window_sums(x: End, *, divisor: int, **window: Unpack[Window]) -> End:
    return windows(x, 0, **window, dilation=(1, 1)).sum(axis=-1)


def _avg_pool_run(x: Array, **attrs: Unpack[Divided]) -> Array:
    """A sum is little work, so an image does not change its layout for it."""
    known = all(isinstance(n, int) for n in x.shape[2:])
    if not known or math.prod(attrs["kernel_size"]) > _pooling.FEW:
        return jnp.asarray(_window_sums(x, **attrs)) / attrs["divisor"]
    return _by_channel(_pooling.sums, x, **_undivided(**attrs)) / attrs["divisor"]


def _avg_pool_jvp(y: Array, xs: Operands, ts: Operands, **attrs: Unpack[Divided]) -> Array:
    return _by_channel(_pooling.sums_tangent, ts[0], **_undivided(**attrs)) / attrs["divisor"]


def _undivided(*, divisor: int, **window: Unpack[Window]) -> Dilated:
    return {**window, "dilation": (1, 1)}


def _by_channel(pool: Rule, x: Array, **window: Unpack[Dilated]) -> Array:
    """A pooling of each channel as an image of its own."""
    y: Array = pool(x.reshape(-1, *x.shape[2:], 1), **window)
    return y.reshape(*x.shape[:2], *y.shape[1:3])


def _window_size(shape: tuple[int, ...], **attrs: Unpack[Divided]) -> int:
    return math.prod(attrs["kernel_size"])


def _divisor(shape: tuple[int, ...], **attrs: Unpack[Divided]) -> int:
    return attrs["divisor"]


max_pool2d = Op(
    "max_pool2d",
    1,
    rules.of_batches(rules.max_pool2d),
    run=_pooling.over_names("max_pool2d", _max_pool_run),
    exact=lambda x, **attrs: x.map(partial(_max_pool, **attrs)),
    ball=Cited(_max_pool_ball, "of two balls that overlap, both"),
    interval=Cited(
        lambda x, **attrs: x.map(partial(_max_pool, **attrs)),
        "rising: the greatest of the ends, nothing is rounded",
    ),
    lines=Cited(
        _max_pool_lines, "below, the entry of the greatest lower end; above, a chord over one entry"
    ),
    jvp=_max_pool_jvp,
    evidence=_picks,
    opens=_max_pool_contenders,
)
avg_pool2d = affine(
    "avg_pool2d",
    rules.of_batches(rules.avg_pool2d),
    _pooling.over_names("avg_pool2d", rounded_once(_avg_pool_run)),
    Total(_window_sums, terms=_window_size, share=_divisor),
    jvp=rounded_once(_avg_pool_jvp),
)
