"""Entries change place and are not changed: reshapes, permutations, joins and cuts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
from jax import lax

from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import format_shape, reshape_shape, same_size, shape_of

from . import _specs
from ._derive import row

Array = Any
Dims = tuple[int, ...]


def _reshape_shape(x: Any, *, shape: Any) -> Any:
    return replace(x, shape=reshape_shape(x.shape, shape))


def _permute_shape(x: Any, *, dims: Dims) -> Any:
    order = _specs.axes(dims, len(x.shape))
    if len(order) != len(x.shape):
        raise ArgumentError(f"takes {len(x.shape)} dims, got {dims}.")
    return replace(x, shape=tuple(x.shape[d] for d in order))


def _broadcast_shape(x: Any, *, shape: Any, dims: Dims) -> Any:
    target = shape_of(shape)
    if len(dims) != len(x.shape) or list(dims) != sorted(set(dims)):
        raise ArgumentError(f"takes {len(x.shape)} rising dims, got {dims}.")
    for n, d in zip(x.shape, dims, strict=True):
        if n != 1 and same_size(n, target[d]) is False:
            raise ShapeError(
                f"takes sizes that are 1 or the target's, got {format_shape(x.shape)} for "
                f"{format_shape(target)} along {dims}."
            )
    return replace(x, shape=target)


def _concat_shape(*xs: Any, dim: int) -> Any:
    d = _specs.axis(dim, len(xs[0].shape))
    for x in xs[1:]:
        _specs.require_equal(_without(xs[0].shape, d), _without(x.shape, d))
    total = xs[0].shape[d]
    for x in xs[1:]:
        total = total + x.shape[d]
    first = xs[0].shape
    return replace(xs[0], shape=(*first[:d], total, *first[d + 1 :]))


def _without(shape: tuple[Any, ...], d: int) -> tuple[Any, ...]:
    return (*shape[:d], *shape[d + 1 :])


def _slice_shape(x: Any, *, start: Dims, stop: Any, step: Dims) -> Any:
    _per_axis(x, start, stop, step)
    ends = shape_of(stop)
    sizes = [
        -((a - b) // s) if s != 1 else b - a for a, b, s in zip(start, ends, step, strict=True)
    ]
    return replace(x, shape=tuple(sizes))


def _pad_shape(x: Any, value: Any, *, low: Dims, high: Dims, interior: Dims) -> Any:
    _per_axis(x, low, high, interior)
    if value.shape != ():
        raise ShapeError(f"takes one number to pad with, got {format_shape(value.shape)}.")
    sizes = [
        n + (n - 1) * i + a + b for n, a, b, i in zip(x.shape, low, high, interior, strict=True)
    ]
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


def _pad(x: Array, value: Array, *, low: Dims, high: Dims, interior: Dims) -> Array:
    return lax.pad(x, value, list(zip(low, high, interior, strict=True)))


def _permute(x: Array, *, dims: Dims) -> Array:
    return lax.transpose(x, _specs.axes(dims, x.ndim))


reshape = row("reshape", 1, _reshape_shape, lambda x, *, shape: jnp.reshape(x, shape))
permute = row("permute", 1, _permute_shape, _permute)
broadcast = row(
    "broadcast", 1, _broadcast_shape, lambda x, *, shape, dims: lax.broadcast_in_dim(x, shape, dims)
)
concat = row("concat", None, _concat_shape, lambda *xs, dim: jnp.concatenate(xs, axis=dim))
slice = row(
    "slice", 1, _slice_shape, lambda x, *, start, stop, step: lax.slice(x, start, stop, step)
)
pad = row("pad", 2, _pad_shape, _pad)
flip = row("flip", 1, _flip_shape, lambda x, *, dims: lax.rev(x, _specs.axes(dims, x.ndim)))
embedding = row(
    "embedding",
    2,
    _embedding_shape,
    lambda index, weight: jnp.take(weight, index, axis=0, mode="clip"),
)
