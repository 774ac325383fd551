"""Arithmetic of two arrays. Sizes are equal or 1, counted from the last axis; nothing else fits."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import dtypes, ops
from tensorem.errors import DTypeError
from tensorem.shapes import broadcast_shapes

from ._move import broadcast
from ._shape import checked, shape

Array = jax.Array


@checked
def add(x: Array | float, y: Array | float) -> Array:
    """The sum x + y.

    Shapes:
        x, y: equal, or equal after broadcasting  ->  the common shape

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have two dtypes, or a number is none of the array's.

    Example:
        >>> add(jnp.ones((2, 3)), jnp.array([1.0, 2.0, 3.0])).tolist()
        [[2.0, 3.0, 4.0], [2.0, 3.0, 4.0]]
    """
    return ops.add(*common(x, y))


@checked
def sub(x: Array | float, y: Array | float) -> Array:
    """The difference x - y; shapes as in `add`.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have two dtypes, or a number is none of the array's.

    Example:
        >>> sub(jnp.array([3.0, 4.0]), 1).tolist()
        [2.0, 3.0]
    """
    return ops.sub(*common(x, y))


@checked
def mul(x: Array | float, y: Array | float) -> Array:
    """The product x y, entry by entry; shapes as in `add`.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have two dtypes, or a number is none of the array's.

    Example:
        >>> mul(2, jnp.array([3.0, 4.0])).tolist()
        [6.0, 8.0]
    """
    return ops.mul(*common(x, y))


@checked
def div(x: Array | float, y: Array | float) -> Array:
    """The quotient x / y, entry by entry; shapes as in `add`.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have no common dtype of floats.

    Example:
        >>> div(jnp.array([3.0, 4.0]), 2).tolist()
        [1.5, 2.0]
    """
    return ops.div(*common(x, y))


@checked
def maximum(x: Array | float, y: Array | float) -> Array:
    """The greater of two, entry by entry; shapes as in `add`.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have two dtypes, or a number is none of the array's.

    Example:
        >>> maximum(jnp.array([3.0, 4.0]), jnp.array([5.0, 1.0])).tolist()
        [5.0, 4.0]
    """
    return ops.maximum(*common(x, y))


@checked
def minimum(x: Array | float, y: Array | float) -> Array:
    """The smaller of two, entry by entry; shapes as in `add`.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have two dtypes, or a number is none of the array's.

    Example:
        >>> minimum(jnp.array([3.0, 4.0]), jnp.array([5.0, 1.0])).tolist()
        [3.0, 1.0]
    """
    return ops.minimum(*common(x, y))


def common(a: Array | float, b: Array | float) -> tuple[Array, Array]:
    """Both operands with one dtype and one shape; every broadcast is an op of its own."""
    x, y = _as_array(a, b), _as_array(b, a)
    if x.dtype != y.dtype:
        raise DTypeError(
            f"takes operands of one dtype, got {x.dtype} and {y.dtype}.",
            help=f"convert one: y.astype({x.dtype.name!r}).",
        )
    if x.shape == y.shape:
        return x, y
    broadcast_shapes(shape(x), shape(y))  # raises where they do not fit
    target = jnp.broadcast_shapes(x.shape, y.shape)
    return _spread(x, target), _spread(y, target)


def _as_array(x: Array | float, other: Array | float) -> Array:
    """A Python number takes the dtype of the other operand, if that holds it."""
    if not isinstance(x, (int, float)) or isinstance(other, (int, float)):
        return jnp.asarray(x)
    if other.dtype.name not in dtypes.FLOATING and not _holds(other.dtype, x):
        raise DTypeError(
            f"takes operands of one dtype, got {other.dtype} and the number {x!r}.",
            help="convert the array: x.astype('float32').",
        )
    return jnp.asarray(x, other.dtype)


def _holds(dtype: np.dtype[Any], number: float) -> bool:
    """Whether the number is an integer of the dtype."""
    if type(number) is not int or dtype.kind not in "iu":
        return False
    return bool(np.iinfo(dtype).min <= number <= np.iinfo(dtype).max)


def _spread(x: Array, target: tuple[Any, ...]) -> Array:
    if x.shape == target:
        return x
    first = len(target) - x.ndim
    return broadcast(x, target, tuple(range(first, len(target))))
