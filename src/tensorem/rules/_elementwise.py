"""Operands of one shape, entry by entry: who must be alike, and of which dtype."""

from __future__ import annotations

from dataclasses import replace

from tensorem.dtypes import FLOATING, INTEGER
from tensorem.errors import DTypeError
from tensorem.shapes import Shape, Spec, format_shape, require_equal

from ._kinds import DType
from ._known import merged

_CAST = "cast first: x.astype('float32')."


def same(x: Spec) -> Spec:
    """The result is like the operand."""
    return x


def alike(*xs: Spec) -> Spec:
    """All operands have one shape and one dtype, and so has the result.

    Raises:
        ShapeError: The shapes differ.
        DTypeError: The dtypes differ.

    Example:
        >>> alike(Spec(("N", None)), Spec((None, 3)))
        float32 (N, 3)
    """
    shape = xs[0].shape
    for x in xs[1:]:
        shape = one_shape(shape, x.shape)
    return replace(one_dtype(*xs), shape=shape)


def one_shape(a: Shape, b: Shape) -> Shape:
    """The shape that both are.

    Raises:
        ShapeError: They differ.
    """
    what = f"takes operands of equal shapes, got {format_shape(a)} and {format_shape(b)}."
    require_equal(b, a, what)
    return merged(a, b)


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


def numbers(*xs: Spec) -> Spec:
    """Operands alike, of floats or integers."""
    first = alike(*xs)
    if first.dtype not in (*FLOATING, *INTEGER):
        raise DTypeError(f"takes numbers, got {first.dtype}.", help=_CAST)
    return first


def signed(x: Spec) -> Spec:
    """Numbers of a dtype with a sign."""
    if x.dtype.startswith("uint"):
        raise DTypeError(f"takes numbers with a sign, got {x.dtype}.")
    return numbers(x)


def floats(*xs: Spec) -> Spec:
    """Operands alike, of floats."""
    return floating(alike(*xs))


def leaky_relu(x: Spec, *, negative_slope: float) -> Spec:
    """Floats, whatever the slope."""
    return floats(x)


def pow_int(x: Spec, *, exponent: int) -> Spec:
    """A power: one over an integer is none."""
    return floats(x) if exponent < 0 else numbers(x)


def cast(x: Spec, *, dtype: DType) -> Spec:
    """The same shape in another dtype."""
    return replace(x, dtype=dtype)


def predicate(*xs: Spec) -> Spec:
    """Operands alike; the result says true or false at every entry."""
    return replace(alike(*xs), dtype="bool")


def logic(*xs: Spec) -> Spec:
    """Operands alike, true or false at every entry."""
    if any(x.dtype != "bool" for x in xs):
        raise DTypeError(f"takes bool operands, got {', '.join(x.dtype for x in xs)}.")
    return alike(*xs)


def where(mask: Spec, x: Spec, y: Spec) -> Spec:
    """Of two operands alike one at every entry, as the mask says."""
    if mask.dtype != "bool":
        raise DTypeError(f"takes a bool mask, got {mask.dtype}.")
    chosen = alike(x, y)
    return replace(chosen, shape=one_shape(mask.shape, chosen.shape))
