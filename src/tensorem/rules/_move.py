"""Entries change place and are not changed: reshapes, permutations, joins, cuts, rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem.dtypes import INTEGER
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError
from tensorem.shapes import (
    UNKNOWN,
    UNKNOWN_RANK,
    OpenShape,
    Shape,
    Size,
    Spec,
    format_shape,
    is_negative,
    numel,
    require_equal,
    reshape_shape,
    shape_of,
)

from ._contract import weight_of
from ._elementwise import one_dtype, one_shape
from ._kinds import Whole
from ._known import axes, axis, end, of_rank, sizes_of

Dims = tuple[int, ...]
Sizes = tuple[Size, ...]


def reshape(x: Spec, *, shape: Whole) -> Spec:
    """The same entries in another shape, where one size may be -1.

    Raises:
        ShapeError: The numbers of entries differ.
    """
    return replace(x, shape=reshape_shape(x.shape, tuple(shape)))


def flatten(x: Spec, *, start_dim: int, end_dim: int) -> Spec:
    """Several axes as one.

    Shapes:
        (a, ..., b, ..., c)  ->  (a, product of ..., c)

    Raises:
        ShapeError: An axis does not exist, or start_dim lies after end_dim.

    Example:
        >>> flatten(Spec(("N", 16, 4, 4)), start_dim=1, end_dim=-1)
        float32 (N, 256)
    """
    if isinstance(x.shape, OpenShape):
        is_behind = (start_dim < 0) == (end_dim < 0) and start_dim > end_dim
        shape = _flatten_open(x.shape, start_dim, end_dim)
    else:
        sizes = x.shape if x.shape else (1,)
        first, last = axis(sizes, start_dim, "start_dim"), axis(sizes, end_dim, "end_dim")
        is_behind = first > last
        shape = (*sizes[:first], numel(sizes[first : last + 1]), *sizes[last + 1 :])
    if is_behind:
        raise ShapeError(
            f"takes start_dim up to end_dim, got {start_dim} and {end_dim} for "
            f"{format_shape(x.shape)}."
        )
    return replace(x, shape=shape)


def _flatten_open(x: OpenShape, first: int, last: int) -> Shape:
    if last >= 0:  # what stands after it is counted from the last, of an unknown number
        return OpenShape(x.last[last + 1 :])
    after = end(x, -last - 1) or ()
    if first >= 0:
        return (UNKNOWN,) * (first + 1) + after
    known = len(x.last) + first
    joined = numel(x.last[known : len(x.last) + last + 1]) if known >= 0 else UNKNOWN
    return OpenShape((*x.last[: max(known, 0)], joined, *after))


def permute(x: Spec, *, dims: Dims) -> Spec:
    """The axes in another order.

    Raises:
        ArgumentError: dims does not name every axis once.
    """
    sizes = of_rank(x.shape, len(dims))
    if sizes is None or sorted(d % len(dims) for d in dims) != list(range(len(dims))):
        raise ArgumentError(
            f"takes dims that name every axis of {format_shape(x.shape)} once, got {dims}."
        )
    return replace(x, shape=tuple(sizes[d] for d in axes(sizes, dims)))


def broadcast(x: Spec, *, shape: Whole, dims: Dims) -> Spec:
    """The operand repeated along new axes.

    Raises:
        ShapeError: A size is neither 1 nor that of the target.
        ArgumentError: dims do not rise, or are not as many as x has.
    """
    target: Any = shape_of(tuple(shape))
    sizes = of_rank(x.shape, len(dims))
    rises = list(dims) == sorted(set(dims)) and all(0 <= d < len(target) for d in dims)
    if sizes is None or not rises:
        n = "as many" if isinstance(x.shape, OpenShape) else len(x.shape)
        raise ArgumentError(f"takes {n} rising dims, got {dims}.")
    wanted = tuple(1 if n == 1 else target[d] for n, d in zip(sizes, dims, strict=True))
    what = "takes sizes that are 1 or the target's, got "
    what += f"{format_shape(x.shape)} for {format_shape(target)} along {dims}."
    require_equal(sizes, wanted, what)
    return replace(x, shape=target)


def concat(*xs: Spec, dim: int) -> Spec:
    """Operands one after another along an axis.

    Raises:
        ShapeError: The other axes differ, or there is no such axis.
        DTypeError: The dtypes differ.

    Example:
        >>> concat(Spec(("N", 3)), Spec((None, 4)), dim=1)
        float32 (N, 7)
    """
    shapes = [x.shape for x in xs]
    rank = next((len(s) for s in shapes if isinstance(s, tuple)), None)
    if rank is None:
        n = max(-dim, *(len(s.last) for s in shapes))
        return replace(one_dtype(*xs), shape=OpenShape(_joined_open(shapes, n, dim)))
    sizes = [sizes_of(x, rank) for x in xs]
    return replace(one_dtype(*xs), shape=_joined(sizes, axis(sizes[0], dim)))


def _joined(shapes: Sequence[Sizes], d: int) -> Sizes:
    rest = _one([(*s[:d], *s[d + 1 :]) for s in shapes])
    return (*rest[:d], reduce(lambda n, s: n + s[d], shapes[1:], shapes[0][d]), *rest[d:])


def _joined_open(shapes: Sequence[Shape], n: int, dim: int) -> Sizes:
    """The last sizes of n; of an axis counted from the front it is known what stands after it."""
    ends = [end(s, n) or () for s in shapes]
    return _joined(ends, n + dim) if dim < 0 else _one([s[dim + 1 :] for s in ends])


def _one(shapes: Sequence[Sizes]) -> Sizes:
    found: Any = reduce(one_shape, shapes)  # type: ignore[arg-type]
    return tuple(found)


def slice(x: Spec, *, start: Sequence[object], stop: Sequence[object], step: Dims) -> Spec:
    """Of each axis the places from start up to stop, in steps.

    Raises:
        ShapeError: They are no part of the operand.
        ArgumentError: Not one number for each axis, or a step below 1.
    """
    sizes = _per_axis(x, start, stop, step)
    starts: Any = shape_of(tuple(start))
    ends: Any = shape_of(tuple(stop))
    for n, a, b in zip(sizes, starts, ends, strict=True):
        if is_negative(b - a) or is_negative(n - b):
            raise ShapeError(
                f"takes a part of {format_shape(x.shape)}, got {format_shape(starts)} to "
                f"{format_shape(ends)}."
            )
    if min(step, default=1) < 1:
        raise ArgumentError(f"takes steps of at least 1, got {step}.")
    cut = [-((a - b) // s) if s != 1 else b - a for a, b, s in zip(starts, ends, step, strict=True)]
    return replace(x, shape=tuple(cut))


def pad(x: Spec, value: Spec, *, low: Dims, high: Dims, interior: Dims) -> Spec:
    """The operand in a frame of one value, and spread out by it.

    Raises:
        ShapeError: The value is none.
        ArgumentError: Not one number for each axis, or frames that cut away more than there is.
        DTypeError: The dtypes differ.
    """
    sizes = _per_axis(x, low, high, interior)
    one_dtype(x, value)
    if value.shape not in ((), UNKNOWN_RANK):
        raise ShapeError(f"takes one number to pad with, got {format_shape(value.shape)}.")
    spread = [n + (n - 1) * i if n != 0 else 0 for n, i in zip(sizes, interior, strict=True)]
    framed = [n + a + b for n, a, b in zip(spread, low, high, strict=True)]
    if min(interior, default=0) < 0 or any(isinstance(n, int) and n < 0 for n in framed):
        raise ArgumentError(f"takes frames that leave an image, got {low}, {high}, {interior}.")
    return replace(x, shape=tuple(framed))


def _per_axis(x: Spec, *attrs: Sequence[object]) -> Sizes:
    sizes = of_rank(x.shape, len(attrs[0]))
    if sizes is None or any(len(a) != len(sizes) for a in attrs):
        raise ArgumentError(f"takes one number per axis of {format_shape(x.shape)}, got {attrs}.")
    return sizes


def flip(x: Spec, *, dims: Dims) -> Spec:
    """The operand, some axes the other way round.

    Raises:
        ShapeError: There is no such axis, or it is named twice.
    """
    if isinstance(x.shape, tuple):
        axes(x.shape, dims)
    return x


def embedding(index: Spec, weight: Spec) -> Spec:
    """One row of a table for each index.

    Shapes:
        index (*batch), weight (rows, dim)  ->  (*batch, dim)

    Raises:
        DTypeError: The index is none of integers.
        ShapeError: The weight is no table, or one without rows.

    Example:
        >>> embedding(Spec(("N", 7), "int32"), Spec((10, 4)))
        float32 (N, 7, 4)
    """
    if index.dtype not in INTEGER:
        raise DTypeError(
            f"takes integers (int32, ...), got {index.dtype}.", help='convert: x.astype("int32").'
        )
    rows, dim = weight_of(weight, "rows", "dim")
    if rows == 0:
        raise ShapeError(f"takes a table of at least one row, got {format_shape(weight.shape)}.")
    if isinstance(index.shape, OpenShape):
        return replace(weight, shape=OpenShape((*index.shape.last, dim)))
    return replace(weight, shape=(*index.shape, dim))


def check_row(row: int, rows: int) -> None:
    """Refuse a row that a table does not have; negative ones are counted from the last.

    Raises:
        ArgumentError: It has none of that number.
    """
    if type(row) is not int or not -rows <= row < rows:
        raise ArgumentError(f"takes padding_idx from {-rows} to {rows - 1}, or None, got {row!r}.")


def check_rows(index: NDArray[Any], rows: int) -> None:
    """Refuse an index of a row that a table does not have; the error says where it stands.

    Raises:
        DataError: One is below 0, beyond the last, or no whole number.
    """
    wrong = np.argwhere((index < 0) | (index >= rows) | (index % 1 != 0))
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise DataError(
            f"takes indices from 0 to {rows - 1}, got {index[at]}.",
            where=f"index[{', '.join(map(str, at))}]",
        )
