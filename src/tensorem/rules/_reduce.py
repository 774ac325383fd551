"""Sums, means, extremes over axes and along one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tensorem.errors import ShapeError
from tensorem.shapes import OpenShape, Spec, format_shape, same_size

from ._elementwise import floats, numbers
from ._known import axes, axis, without

Dims = tuple[int, ...]


def sums(x: Spec, *, dims: Dims) -> Spec:
    """Sums over `dims`.

    Example:
        >>> sums(Spec(("N", 3, 4)), dims=(0, -1))
        float32 (3,)
    """
    return without(numbers(x), dims)


def some_of(x: Spec, *, dims: Iterable[int]) -> Spec:
    """Extremes over `dims`: of nothing there is none.

    Raises:
        ShapeError: There is no such axis, or no entry along it.
    """
    dims = tuple(dims)
    if isinstance(x.shape, tuple) and any(same_size(x.shape[d], 0) for d in axes(x.shape, dims)):
        raise ShapeError(f"takes at least one entry along {dims}, got {format_shape(x.shape)}.")
    return without(x, dims)


def mean(x: Spec, *, dims: Dims) -> Spec:
    """Means of floats over `dims`."""
    return some_of(floats(x), dims=dims)


def argmax(x: Spec, *, dim: int) -> Spec:
    """The place of the greatest entry along an axis."""
    return replace(one_of(x, dim), dtype="int32")


def one_of(x: Spec, dim: int) -> Spec:
    """As `some_of`, over one axis."""
    if isinstance(x.shape, tuple):
        axis(x.shape, dim)
    return some_of(x, dims=(dim,))


def along(x: Spec, *, dim: int) -> Spec:
    """Numbers along an axis, as many as there were."""
    if not isinstance(x.shape, OpenShape):
        axis(x.shape, dim)
    return numbers(x)
