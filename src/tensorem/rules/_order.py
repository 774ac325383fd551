"""Entries in order, and entries at places that an index says."""

from __future__ import annotations

from dataclasses import replace

from tensorem.dtypes import INTEGER
from tensorem.errors import ArgumentError, DTypeError, ShapeError
from tensorem.shapes import OpenShape, Shape, Size, Spec, format_shape, is_negative

from ._elementwise import numbers, one_dtype
from ._known import axis, end, known, merged, of_rank, require, with_end
from ._reduce import some_of

Sizes = tuple[Size, ...]


def sort(x: Spec, *, dim: int, descending: bool, count: int) -> Spec:
    """The first entries of an axis in order; -1 for all of them.

    Raises:
        ShapeError: There is no such axis, or it has fewer entries.
        ArgumentError: The count is below -1.

    Example:
        >>> sort(Spec(("N", 7)), dim=-1, descending=True, count=3)
        float32 (N, 3)
    """
    if count < -1:
        raise ArgumentError(f"takes a count of at least 0, or -1 for all, got {count}.")
    return replace(numbers(x), shape=_counted(x.shape, dim, count))


def argsort(x: Spec, *, dim: int, descending: bool, count: int) -> Spec:
    """The places at which these entries stand."""
    return replace(sort(x, dim=dim, descending=descending, count=count), dtype="int32")


def _counted(shape: Shape, dim: int, count: int) -> Shape:
    if isinstance(shape, tuple):
        d = axis(shape, dim)
        if is_negative(shape[d] - count):
            raise ShapeError(f"takes up to {shape[d]} entries of axis {dim}, got {count}.")
        return shape if count < 0 else (*shape[:d], count, *shape[d + 1 :])
    if count < 0:
        return shape
    if dim < 0:
        after = (end(shape, -dim) or ())[1:]
        return with_end(shape, -dim, (count, *after))
    return OpenShape(shape.last[dim + 1 :])  # what stands before may be the axis


def gather(x: Spec, index: Spec, *, dim: int) -> Spec:
    """Of each line along an axis the entries at the places that an index says.

    Shapes:
        x (..., n, ...), index (..., k, ...)  ->  (..., k, ...)

    Raises:
        DTypeError: The index is none of integers.
        ShapeError: The other axes differ, or there is no such axis, or no entry along it.

    Example:
        >>> gather(Spec(("N", 7)), Spec(("N", 2), "int32"), dim=1)
        float32 (N, 2)
    """
    picked = _picked(x.shape, index, dim)
    some_of(x, dims=(dim,))
    return replace(x, shape=picked)


def scatter_add(x: Spec, index: Spec, src: Spec, *, dim: int) -> Spec:
    """An array, with the entries of another added at the places that an index says.

    Shapes:
        x (..., n, ...), index and src (..., k, ...)  ->  (..., n, ...)

    Raises:
        DTypeError: The index is none of integers, or x and src have two dtypes.
        ShapeError: The shapes do not fit.
    """
    one_dtype(numbers(x), src)
    what = f"takes one index for each entry of src, got {format_shape(index.shape)} for "
    require(index.shape, src.shape, f"{what}{format_shape(src.shape)}.")
    found = merged(index.shape, src.shape)
    wide = _picked(found, replace(x, dtype="int32"), dim)
    _picked(x.shape, index, dim)
    return replace(x, shape=wide)


def _picked(shape: Shape, index: Spec, dim: int) -> Shape:
    """The shape of an index, whose sizes but one are those of the array."""
    if index.dtype not in INTEGER:
        raise DTypeError(
            f"takes indices that are integers (int32, ...), got {index.dtype}.",
            help='convert: index.astype("int32").',
        )
    rank = next((len(s) for s in (shape, index.shape) if isinstance(s, tuple)), None)
    if rank is None:
        both: Shape = index.shape
        return both
    sizes, places = of_rank(shape, rank), of_rank(index.shape, rank)
    what = f"takes an index of as many axes, their sizes equal but for axis {dim}, got "
    what += f"{format_shape(index.shape)} for {format_shape(shape)}."
    if sizes is None or places is None:
        raise ShapeError(what)
    d = axis(sizes, dim)
    wanted: Sizes = (*sizes[:d], places[d], *sizes[d + 1 :])
    require(places, wanted, what)
    found: Sizes = tuple(known(a, b) for a, b in zip(places, wanted, strict=True))
    return found
