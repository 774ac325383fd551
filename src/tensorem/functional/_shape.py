"""The shapes of arrays, symbolic ones included, and the name in front of a rule's error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import jax
from numpy.typing import NDArray

from tensorem import rules
from tensorem.calls import called
from tensorem.shapes import Size, Spec, sizes

Array = jax.Array
F = TypeVar("F", bound=Callable[..., Any])


def shape(x: Array | NDArray[Any]) -> tuple[Size, ...]:
    """The shape of an array, with the symbolic sizes of a trace as polynomials.

    Example:
        >>> import jax.numpy as jnp
        >>> shape(jnp.zeros((2, 3)))
        (2, 3)
    """
    return sizes(getattr(x, "shape", ()))


def spec(x: Array) -> Spec:
    """Shape and dtype of an array, for a rule."""
    return Spec(shape(x), x.dtype.name)


def axes(x: Array, dim: int | tuple[int, ...]) -> tuple[int, ...]:
    """Distinct axes of an array, counted from the front, in rising order.

    Raises:
        ArgumentError: dim is neither an integer nor a tuple of them.
        ShapeError: There is no such axis, or it is named twice.
    """
    if isinstance(dim, tuple | list):
        return tuple(sorted(rules.axes(shape(x), dim, "dim")))
    return (rules.axis(shape(x), dim),)


def static(dims: Iterable[object]) -> bool:
    """Whether all of the dimensions are integers, and none is symbolic."""
    return all(isinstance(d, int) for d in dims)


def checked(f: F) -> F:
    """A function of this room: as `called`, and its name is `F.` and its own."""
    return called(f, f"F.{f.__name__}")
