"""Entries in order, and entries at the places that an index says."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from tensorem import ops, rules
from tensorem.calls import flag, integer
from tensorem.shapes import is_negative, require_equal

from ._move import broadcast, narrow, permute, reshape
from ._shape import axes, checked, shape

Array = jax.Array


class Ranked(NamedTuple):
    """Entries in order, and the places where they stood, as int32."""

    values: Array
    indices: Array


@checked
def sort(x: Array, dim: int = -1, descending: bool = False) -> Ranked:
    """The entries of each line along an axis in order, and where they stood.

    Equal entries keep their order; NaN counts as the greatest, as in PyTorch.

    Shapes:
        (...)  ->  the same, twice

    Raises:
        ShapeError: There is no such axis.
        ArgumentError: descending is no truth value.

    Example:
        >>> values, indices = sort(jnp.array([3.0, 1.0, 2.0]))
        >>> values.tolist(), indices.tolist()
        ([1.0, 2.0, 3.0], [1, 2, 0])
    """
    return _ranked(x, dim, flag("descending", descending), -1)


@checked
def argsort(x: Array, dim: int = -1, descending: bool = False) -> Array:
    """The places of the entries in order; as the indices of `sort`.

    Raises:
        ShapeError: There is no such axis.
        ArgumentError: descending is no truth value.

    Example:
        >>> argsort(jnp.array([3.0, 1.0, 2.0]), descending=True).tolist()
        [0, 2, 1]
    """
    (axis,) = axes(x, dim)
    return ops.argsort(x, dim=axis, descending=flag("descending", descending), count=-1)


@checked
def topk(x: Array, k: int, dim: int = -1, largest: bool = True) -> Ranked:
    """The k greatest entries of each line along an axis, in order, and where they stand.

    Of equal entries the first comes first; NaN counts as the greatest.

    Shapes:
        (..., n, ...)  ->  (..., k, ...), twice

    Args:
        largest: False for the smallest ones.

    Raises:
        ShapeError: There is no such axis, or it has fewer entries.
        ArgumentError: k is below 0, or largest no truth value.

    Example:
        >>> values, indices = topk(jnp.array([3.0, 1.0, 2.0]), 2)
        >>> values.tolist(), indices.tolist()
        ([3.0, 2.0], [0, 2])
    """
    return _ranked(x, dim, flag("largest", largest), integer("k", k, 0))


def _ranked(x: Array, dim: int, descending: bool, count: int) -> Ranked:
    (axis,) = axes(x, dim)
    values, places = (
        op(x, dim=axis, descending=descending, count=count) for op in (ops.sort, ops.argsort)
    )
    return Ranked(values, places)


@checked
def gather(x: Array, dim: int, index: Array) -> Array:
    """Of each line along an axis the entries at the places that an index says.

    A place that there is not is an error where it is a value, and gives NaN inside a trace.

    Shapes:
        x (..., n, ...), index (..., k, ...)  ->  (..., k, ...); other axes of the index may be
        shorter than those of x

    Raises:
        DataError: A place is out of range.
        DTypeError: The index is none of integers.
        ShapeError: The shapes do not fit, or there is no such axis.

    Example:
        >>> gather(jnp.array([[1.0, 2.0], [3.0, 4.0]]), 1, jnp.array([[1], [0]])).tolist()
        [[2.0], [3.0]]
    """
    (axis,) = axes(x, dim)
    x = _cut(x, index, axis)
    y = ops.gather(x, index, dim=axis)
    _check_places(index, x.shape[axis])
    return y


@checked
def take_along_dim(x: Array, indices: Array, dim: int) -> Array:
    """As `gather`, but x and the indices are broadcast along the other axes.

    Raises:
        DataError: A place is out of range.
        DTypeError: The indices are no integers.
        ShapeError: The shapes do not fit, or there is no such axis.

    Example:
        >>> x = jnp.array([[1.0, 5.0], [4.0, 3.0]])
        >>> take_along_dim(x, jnp.array([[1]]), dim=1).tolist()
        [[5.0], [3.0]]
    """
    (axis,) = axes(x, dim)
    what = f"takes indices of {x.ndim} axes, got {indices.ndim}."
    require_equal((indices.ndim,), (x.ndim,), what)
    rest = [(*a.shape[:axis], 1, *a.shape[axis + 1 :]) for a in (x, indices)]
    wide = jnp.broadcast_shapes(*rest)
    x, indices = (_widened(a, axis, wide) for a in (x, indices))
    return gather(x, axis, indices)


def _widened(x: Array, axis: int, wide: tuple[int, ...]) -> Array:
    target = (*wide[:axis], x.shape[axis], *wide[axis + 1 :])
    return x if x.shape == target else broadcast(x, target, tuple(range(x.ndim)))


@checked
def index_select(x: Array, dim: int, index: Array) -> Array:
    """The slices of an axis that an index names, in its order.

    A place that there is not is an error where it is a value, and gives NaN inside a trace.

    Shapes:
        x (..., n, ...), index (k,)  ->  (..., k, ...)

    Raises:
        DataError: A place is out of range.
        DTypeError: The index is none of integers.
        ShapeError: The index has not one axis, or x no such axis.

    Example:
        >>> index_select(jnp.array([[1.0, 2.0], [3.0, 4.0]]), 1, jnp.array([1, 1, 0])).tolist()
        [[2.0, 2.0, 1.0], [4.0, 4.0, 3.0]]
    """
    (axis,) = axes(x, dim)
    what = f"takes an index of 1 axis, got {index.ndim}."
    require_equal((index.ndim,), (1,), what)
    order = (axis, *(d for d in range(x.ndim) if d != axis))
    front = permute(x, order)
    table = reshape(front, (x.shape[axis], -1)) if x.ndim != 2 else front
    rows = ops.embedding(index, table)
    _check_places(index, x.shape[axis])
    back = tuple(order.index(d) for d in range(x.ndim))
    return permute(reshape(rows, (*index.shape, *front.shape[1:])), back)


@checked
def scatter_add(x: Array, dim: int, index: Array, src: Array) -> Array:
    """The array, with each entry of src added at the place along an axis that an index says.

    A place that there is not is an error where it is a value; inside a trace nothing is added.

    Shapes:
        x (..., n, ...), index (..., k, ...)  ->  (..., n, ...); src as the index, or longer

    Raises:
        DataError: A place is out of range.
        DTypeError: The index is none of integers, or x and src have two dtypes.
        ShapeError: The shapes do not fit, or there is no such axis.

    Example:
        >>> scatter_add(jnp.zeros(3), 0, jnp.array([2, 0, 2]), jnp.array([1.0, 2.0, 3.0])).tolist()
        [2.0, 0.0, 4.0]
    """
    (axis,) = axes(x, dim)
    src = _cut(src, index, axis, along=True)
    y = ops.scatter_add(x, index, src, dim=axis)
    _check_places(index, x.shape[axis])
    return y


def _cut(x: Array, index: Array, axis: int, along: bool = False) -> Array:
    """The part of an array that an index of shorter axes is about."""
    if x.ndim != index.ndim:
        return x
    for d, (have, wanted) in enumerate(zip(shape(x), shape(index), strict=True)):
        if (d != axis or along) and have != wanted and not is_negative(have - wanted):
            x = narrow(x, d, 0, index.shape[d])
    return x


def _check_places(index: Array, size: int) -> None:
    if not isinstance(index, Tracer) and isinstance(size, int):
        rules.check_rows(np.asarray(index), size)
