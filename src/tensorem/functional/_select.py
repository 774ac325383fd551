"""Entries that are chosen, limited, or stand for a class."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import ops
from tensorem.calls import integer
from tensorem.dtypes import EXECUTABLE, INTEGER
from tensorem.errors import ArgumentError, DTypeError

from ._arithmetic import common
from ._move import broadcast
from ._shape import axes, checked

Array = jax.Array


@checked
def where(mask: Array, x: Array | float, y: Array | float) -> Array:
    """x where the mask is True, y elsewhere.

    Shapes:
        mask, x, y: equal, or equal after broadcasting  ->  the common shape

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The mask holds other things than truth values, or x and y have two dtypes.

    Example:
        >>> where(jnp.array([True, False]), jnp.array([1.0, 2.0]), 0).tolist()
        [1.0, 0.0]
    """
    if mask.dtype != bool:
        raise DTypeError(
            f"takes a mask of truth values, got {mask.dtype}.", help="write mask != 0."
        )
    x, y = common(x, y)
    shape = jnp.broadcast_shapes(mask.shape, x.shape)
    mask, x, y = (
        broadcast(a, shape, tuple(range(len(shape) - a.ndim, len(shape)))) for a in (mask, x, y)
    )
    return ops.where(mask, x, y)


@checked
def masked_fill(x: Array, mask: Array, value: Array | float) -> Array:
    """One number where the mask is True, x elsewhere.

    Shapes:
        x, mask: equal, or equal after broadcasting  ->  the common shape

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The mask holds other things than truth values, or the dtype not the number.

    Example:
        >>> masked_fill(jnp.array([1.0, 2.0]), jnp.array([True, False]), -jnp.inf).tolist()
        [-inf, 2.0]
    """
    return where(mask, value, x)


@checked
def clamp(x: Array, min: float | None = None, max: float | None = None) -> Array:
    """x within two limits; its derivative is 1 within and at them, 0 beyond, as in PyTorch.

    Shapes:
        (...)  ->  the same

    Raises:
        ArgumentError: There is no limit, or one is no number of the dtype.

    Example:
        >>> clamp(jnp.array([-2.0, 0.5, 3.0]), 0, 1).tolist()
        [0.0, 0.5, 1.0]
    """
    if min is None and max is None:
        raise ArgumentError("takes at least one limit, min or max, got none.")
    if min is not None:
        low = common(x, min)[1]
        x = ops.where(ops.less(x, low), low, x)
    if max is not None:
        high = common(x, max)[1]
        x = ops.where(ops.greater(x, high), high, x)
    return x


@checked
def cumsum(x: Array, dim: int) -> Array:
    """The sums of all entries up to each, along an axis.

    Shapes:
        (...)  ->  the same

    Raises:
        ShapeError: There is no such axis.

    Example:
        >>> cumsum(jnp.array([1.0, 2.0, 4.0]), dim=0).tolist()
        [1.0, 3.0, 7.0]
    """
    (axis,) = axes(x, dim)
    return ops.cumsum(x, dim=axis)


@checked
def one_hot(index: Array, num_classes: int, dtype: str = "int32") -> Array:
    """1 at the place that an index says, 0 elsewhere; only 0 where there is no such place.

    Shapes:
        (...)  ->  (..., num_classes)

    Args:
        dtype: That of the result; "float32" for what goes into a layer.

    Raises:
        DTypeError: The indices are no integers, or there is no such dtype.
        ArgumentError: num_classes is below 1.

    Example:
        >>> one_hot(jnp.array([2, 0]), 3).tolist()
        [[0, 0, 1], [1, 0, 0]]
    """
    if index.dtype.name not in INTEGER:
        raise DTypeError(f"takes indices that are integers, got {index.dtype}.")
    if dtype not in EXECUTABLE:
        raise DTypeError(f"takes a dtype of {', '.join(EXECUTABLE)}, got {dtype!r}.")
    num_classes = integer("num_classes", num_classes, 1)
    index = index if index.dtype.itemsize >= 4 else ops.cast(index, dtype="int32")
    shape = (*index.shape, num_classes)
    places = jnp.asarray(np.arange(num_classes), index.dtype)
    own = broadcast(index, shape, tuple(range(index.ndim)))
    hit = ops.equal(own, broadcast(places, shape, (index.ndim,)))
    return ops.cast(hit, dtype=dtype)
