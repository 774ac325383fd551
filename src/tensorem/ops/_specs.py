"""Shape rules that several rows share: Specs of the operands -> Spec of the result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tensorem.dtypes import FLOATING, INTEGER
from tensorem.errors import ArgumentError, DTypeError, ShapeError
from tensorem.shapes import Size, Spec, format_shape, require_equal, same_size

Dims = tuple[int, ...]


def same(x: Spec) -> Spec:
    """The result is like the operand."""
    return x


def alike(*xs: Spec) -> Spec:
    """All operands have one shape and one dtype, and so has the result."""
    for x in xs[1:]:
        equal(xs[0].shape, x.shape)
    return one_dtype(*xs)


def numbers(*xs: Spec) -> Spec:
    """Operands alike, of floats or integers."""
    first = alike(*xs)
    if first.dtype not in (*FLOATING, *INTEGER):
        raise DTypeError(f"takes numbers, got {first.dtype}.", help=_CAST)
    return first


def floats(*xs: Spec) -> Spec:
    """Operands alike, of floats."""
    return floating(alike(*xs))


def one_dtype(*xs: Spec) -> Spec:
    """The first operand; raises unless all have its dtype."""
    for x in xs[1:]:
        if x.dtype != xs[0].dtype:
            raise DTypeError(f"takes operands of one dtype, got {xs[0].dtype} and {x.dtype}.")
    return xs[0]


def floating(*xs: Spec) -> Spec:
    """The first operand; raises unless all have its dtype, a float."""
    if xs[0].dtype not in FLOATING:
        raise DTypeError(f"takes floats, got {xs[0].dtype}.", help=_CAST)
    return one_dtype(*xs)


_CAST = "cast first: x.astype('float32')."


def predicate(*xs: Spec) -> Spec:
    """Operands alike; the result says true or false at every entry."""
    return replace(alike(*xs), dtype="bool")


def equal(a: tuple[Size, ...], b: tuple[Size, ...]) -> None:
    """Raise unless two shapes are the same, as far as they are known."""
    what = f"takes operands of equal shapes, got {format_shape(a)} and {format_shape(b)}."
    require_equal(b, a, what)


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
    """The rule of sums over `dims`."""
    return without(numbers(x), dims)


def some_of(x: Spec, *, dims: Iterable[int]) -> Spec:
    """The rule of extremes and means over `dims`: of nothing there is none."""
    if any(same_size(x.shape[d], 0) for d in axes(dims, len(x.shape))):
        raise ShapeError(
            f"takes at least one entry along {tuple(dims)}, got {format_shape(x.shape)}."
        )
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
