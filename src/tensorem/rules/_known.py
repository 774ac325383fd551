"""What is known of partly known shapes: ranks, axes, the last sizes, two shapes that are one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tensorem.calls import integer, integers
from tensorem.errors import ShapeError
from tensorem.shapes import (
    UNKNOWN,
    OpenShape,
    Shape,
    Size,
    Spec,
    Unknown,
    format_shape,
    require_equal,
)

Sizes = tuple[Size, ...]
Dims = tuple[int, ...]


def end(shape: Shape, n: int) -> Sizes | None:
    """The last n sizes, unknown where the shape is open; None if it has fewer axes."""
    if isinstance(shape, OpenShape):
        last = (UNKNOWN,) * (n - len(shape.last)) + shape.last
        return last[len(last) - n :]
    return shape[len(shape) - n :] if len(shape) >= n else None


def with_end(shape: Shape, n: int, sizes: Sizes) -> Shape:
    """The shape with other sizes in place of its last n."""
    if isinstance(shape, OpenShape):
        return OpenShape((*shape.last[: max(len(shape.last) - n, 0)], *sizes))
    return (*shape[: len(shape) - n], *sizes)


def of_rank(shape: Shape, rank: int) -> Sizes | None:
    """The sizes of a shape of this rank, unknown where it is open; None if it has another."""
    known = shape.last if isinstance(shape, OpenShape) else shape
    fits = len(known) <= rank if isinstance(shape, OpenShape) else len(known) == rank
    return end(shape, rank) if fits else None


def sizes_of(x: Spec, rank: int) -> Sizes:
    """The sizes of an operand of this rank.

    Raises:
        ShapeError: It has another rank.
    """
    sizes = of_rank(x.shape, rank)
    if sizes is None:
        axes = "1 axis" if rank == 1 else f"{rank} axes"
        raise ShapeError(f"takes {axes}, got {format_shape(x.shape)}.")
    return sizes


def merged(a: Shape, b: Shape) -> Shape:
    """What is known of a shape of which both are true."""
    n = max(len(s.last if isinstance(s, OpenShape) else s) for s in (a, b))
    sizes = tuple(map(known, end(a, n) or (), end(b, n) or ()))
    is_open = isinstance(a, OpenShape) and isinstance(b, OpenShape)
    return OpenShape(sizes) if is_open else sizes


def require(got: Shape, wanted: Shape, what: str, source: str = "") -> None:
    """As `require_equal`; the error says what set the sizes that are wanted."""
    try:
        require_equal(got, wanted, what)
    except ShapeError as error:
        raise error.with_notes(source=source) from None


def ended(shape: Shape, wanted: Sizes, form: str, source: str = "") -> Shape:
    """A shape that ends in these sizes.

    Args:
        form: How such a shape is written.
        source: What set the sizes.

    Raises:
        ShapeError: It does not.
    """
    got, what = end(shape, len(wanted)), f"takes {form}, got {format_shape(shape)}."
    if got is None:
        raise ShapeError(what, source=source)
    require(got, wanted, what, source)
    return with_end(shape, len(wanted), tuple(map(known, got, wanted)))


def known(a: Size, b: Size) -> Size:
    """What is known of a size that both are."""
    return b if isinstance(a, Unknown) else a


def divided(size: Size, by: int) -> Size | None:
    """A size over a number; None unless it divides the size for all values of its names.

    Example:
        >>> from tensorem.shapes import parse_size
        >>> divided(12, 4), divided(6, 4), divided(parse_size("4*N"), 2)
        (3, None, 2*N)
    """
    quotient = size // by
    is_whole = isinstance(size, Unknown) or quotient * by == size
    return quotient if is_whole else None


def axes(shape: Sizes, dims: Iterable[int], name: str = "dims") -> Dims:
    """Dimensions as numbers from 0, each once.

    Raises:
        ArgumentError: One is no integer.
        ShapeError: There is no such axis, or it is named twice.
    """
    dims, rank = tuple(dims), len(shape)
    integers(name, dims)
    found = tuple(d % rank for d in dims if -rank <= d < rank)
    if len(set(found)) < len(dims):
        raise ShapeError(
            f"takes an input with the axes {name}={dims}, each once, got {format_shape(shape)}."
        )
    return found


def axis(shape: Sizes, dim: int, name: str = "dim") -> int:
    """One dimension as a number from 0.

    Raises:
        ArgumentError: It is no integer.
        ShapeError: There is no such axis.
    """
    integer(name, dim)
    rank = len(shape)
    if not -rank <= dim < rank:
        raise ShapeError(
            f"takes an input with axis {name}={dim}, got {format_shape(shape)} with {rank} "
            f"{'axis' if rank == 1 else 'axes'}."
        )
    return dim % rank


def without(x: Spec, dims: Iterable[int]) -> Spec:
    """The operand with some axes gone."""
    if isinstance(x.shape, OpenShape):
        return replace(x, shape=_without_open(x.shape, tuple(dims)))
    gone = axes(x.shape, dims)
    return replace(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in gone))


def _without_open(shape: OpenShape, dims: Dims) -> OpenShape:
    # An axis that is counted from the front lies before the sizes that stand after as many.
    first = max((d + 1 for d in dims if d >= 0), default=0)
    n = len(shape.last)
    return OpenShape(tuple(s for i, s in enumerate(shape.last) if i >= first and i - n not in dims))
