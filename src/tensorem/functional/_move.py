"""Entries change place and are not changed."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from tensorem import ops
from tensorem.shapes import reshape_shape, rules

from ._shape import checked, shape, sizes, static

Array = Any


@checked
def reshape(x: Array, target: tuple[int, ...]) -> Array:
    """The same entries, in row-major order, in another shape.

    Shapes:
        (...)  ->  target, where one size may be -1

    Raises:
        ShapeError: The target has another number of entries.

    Example:
        >>> reshape(jnp.zeros((2, 3)), (3, -1)).shape
        (3, 2)
    """
    reshape_shape(shape(x), sizes(target))
    return _reshaped(x, target)


@checked
def flatten(x: Array, start_dim: int = 0, end_dim: int = -1) -> Array:
    """Several axes as one.

    Shapes:
        (a, ..., c)  ->  (a, product of ..., c)

    Raises:
        ShapeError: There is no such axis.

    Example:
        >>> flatten(jnp.zeros((2, 3, 4)), start_dim=1).shape
        (2, 12)
    """
    rules.flatten(shape(x), start_dim, end_dim)
    first = start_dim % max(x.ndim, 1)
    last = end_dim % max(x.ndim, 1)
    size = 1
    for n in x.shape[first : last + 1]:
        size = size * n
    return _reshaped(x, (*x.shape[:first], size, *x.shape[last + 1 :]))


def broadcast(x: Array, target: tuple[Any, ...], dims: tuple[int, ...]) -> Array:
    """The array repeated along new axes.

    Args:
        target: The shape of the result.
        dims: Where each axis of x stands in the result.

    Raises:
        ShapeError: A size is neither 1 nor that of the target.
        ArgumentError: dims do not rise, or are not as many as x has.

    Example:
        >>> broadcast(jnp.array([1.0, 2.0]), (2, 3), (0,)).tolist()
        [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
    """
    if static(target):
        return ops.broadcast(x, shape=tuple(target), dims=dims)
    return lax.broadcast_in_dim(x, target, dims)  # attributes of an op are plain integers


def _reshaped(x: Array, target: tuple[Any, ...]) -> Array:
    """A reshape with at most one symbolic size has that as its -1; with more it is JAX's."""
    named = [i for i, n in enumerate(target) if not isinstance(n, int)]
    if len(named) == 1 and -1 not in target:
        target = tuple(-1 if i in named else n for i, n in enumerate(target))
    return ops.reshape(x, shape=target) if static(target) else jnp.reshape(x, target)
