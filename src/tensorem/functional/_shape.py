"""The shapes of arrays, symbolic ones included, and the name in front of a rule's error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import jax

from tensorem.calls import called
from tensorem.errors import ArgumentError, ShapeError
from tensorem.ops import Op
from tensorem.shapes import Size, Spec, format_shape, sizes

Array = jax.Array
F = TypeVar("F", bound=Callable[..., Any])


def shape(x: Array) -> tuple[Size, ...]:
    """The shape of an array, with the symbolic sizes of a trace as polynomials.

    Example:
        >>> import jax.numpy as jnp
        >>> shape(jnp.zeros((2, 3)))
        (2, 3)
    """
    return sizes(getattr(x, "shape", ()))


def applied(op: Op, *xs: Array, **attrs: Any) -> Array:
    """An op, its shape rule asked before: an error then has the name of the function."""
    op.shape(*(Spec(shape(x), x.dtype.name) for x in xs), **attrs)
    return op(*xs, **attrs)


def axes(x: Array, dim: int | tuple[int, ...]) -> tuple[int, ...]:
    """Distinct axes of an array, counted from the front, in rising order.

    Raises:
        ArgumentError: dim is neither an integer nor a tuple of them.
        ShapeError: There is no such axis, or it is named twice.
    """
    dims = dim if isinstance(dim, tuple) else (dim,)
    if not all(type(d) is int for d in dims):
        raise ArgumentError(f"takes dim as an integer or a tuple of them, got {dim!r}.")
    found = sorted({d % x.ndim for d in dims if -x.ndim <= d < x.ndim})
    if len(found) < len(dims):
        raise ShapeError(
            f"takes an input with the axes dim={dim}, each once, got {format_shape(shape(x))}."
        )
    return tuple(found)


def static(dims: Iterable[Any]) -> bool:
    """Whether all of the dimensions are integers, and none is symbolic."""
    return all(isinstance(d, int) for d in dims)


def checked(f: F) -> F:
    """A function of this room: as `called`, and its name is `F.` and its own."""
    return called(f, f"F.{f.__name__}")
