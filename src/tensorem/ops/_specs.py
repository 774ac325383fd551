"""Shape rules that several rows share: Specs of the operands -> Spec of the result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tensorem.errors import ArgumentError, DTypeError, ShapeError
from tensorem.shapes import Size, Spec, format_shape, same_size

Dims = tuple[int, ...]


def same(x: Spec) -> Spec:
    """The result is like the operand."""
    return x


def alike(*xs: Spec) -> Spec:
    """All operands have one shape and one dtype, and so has the result."""
    first = xs[0]
    for x in xs[1:]:
        require_equal(first.shape, x.shape)
        if x.dtype != first.dtype:
            raise DTypeError(f"takes operands of one dtype, got {first.dtype} and {x.dtype}.")
    return first


def predicate(*xs: Spec) -> Spec:
    """Operands alike; the result says true or false at every entry."""
    return replace(alike(*xs), dtype="bool")


def require_equal(a: tuple[Size, ...], b: tuple[Size, ...]) -> None:
    """Raise unless two shapes can be the same."""
    if len(a) != len(b) or any(same_size(m, n) is False for m, n in zip(a, b, strict=True)):
        raise ShapeError(
            f"takes operands of equal shapes, got {format_shape(a)} and {format_shape(b)}."
        )


def axes(dims: Iterable[int], rank: int) -> Dims:
    """Dimensions as numbers from 0, each once.

    Raises:
        ArgumentError: A dimension out of range, or twice.
    """
    dims = tuple(dims)
    if any(not -rank <= d < rank for d in dims):
        raise ArgumentError(f"takes dims in [{-rank}, {rank}), got {dims}.")
    found = tuple(d % rank for d in dims)
    if len(set(found)) != len(found):
        raise ArgumentError(f"takes each dim once, got {dims}.")
    return found


def axis(dim: int, rank: int) -> int:
    """One dimension as a number from 0."""
    return axes((dim,), rank)[0]


def without(x: Spec, dims: Iterable[int]) -> Spec:
    """The operand's Spec with some axes gone."""
    gone = axes(dims, len(x.shape))
    return replace(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in gone))


def reduced(x: Spec, *, dims: Dims) -> Spec:
    """The rule of reductions over `dims`."""
    return without(x, dims)


def rank(x: Spec, *allowed: int) -> None:
    """Raise unless the operand has one of these ranks."""
    if len(x.shape) not in allowed:
        words = " or ".join(str(r) for r in allowed)
        raise ShapeError(f"takes {words} axes, got {format_shape(x.shape)}.")


def integers(x: Any) -> None:
    """Raise unless the operand counts."""
    if not (x.dtype.startswith("int") or x.dtype.startswith("uint")):
        raise DTypeError(f"takes an integer index, got {x.dtype}.")
