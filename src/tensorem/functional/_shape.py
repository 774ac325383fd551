"""The shapes of arrays, symbolic ones included, and the name in front of a rule's error."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar, cast

import jax
import numpy as np

from tensorem.errors import ArgumentError, ShapeError
from tensorem.ops import Op
from tensorem.shapes import (
    Size,
    Spec,
    check_array,
    check_call,
    format_shape,
    named,
    read_arrays,
    sizes,
)
from tensorem.shapes.dtypes import as_numbers, exactly

Array = Any
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


def called(f: F, name: str = "") -> F:
    """The function, with its name in front of errors whose message begins with `takes`.

    A call that does not fit its signature is such an error, and so is a list where an array is
    annotated. An array of NumPy is taken with all of its values, or not at all. Traced code pays
    for this once, while it is traced.
    """
    signature, name = inspect.signature(f), name or f.__name__

    @wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        with named(name):
            bound = check_call(signature, args, kwargs)
            read_arrays(bound, _read)
            return f(*bound.args, **bound.kwargs)

    return cast(F, call)


def _read(value: Any, name: str) -> Array:
    """An array; one of NumPy in the dtype that JAX has for it, if that holds its values."""
    check_array(value, name)
    if not isinstance(value, np.ndarray | np.generic):
        return value
    array = as_numbers(value)
    return exactly(array, jax.dtypes.canonicalize_dtype(array.dtype).name, name)
