"""The shapes of arrays, symbolic ones included, and the name in front of a rule's error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, wraps
from typing import Any, TypeVar, cast

from tensorem.errors import TensoremError
from tensorem.shapes import UNKNOWN, Size, named, parse_size

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


def sizes(dims: Iterable[Any]) -> tuple[Size, ...]:
    """Dimensions as JAX has them, with the symbolic ones as polynomials."""
    return tuple(d if isinstance(d, int) else _parsed(str(d)) for d in dims)


def static(dims: Iterable[Any]) -> bool:
    """Whether all of the dimensions are integers, and none is symbolic."""
    return all(isinstance(d, int) for d in dims)


@cache
def _parsed(dim: str) -> Size:
    try:
        return parse_size(dim)
    except TensoremError:
        return UNKNOWN  # such as floordiv(N, 2), which is no polynomial


def checked(f: F) -> F:
    """The function, with its name in front of errors whose message begins with `takes`."""

    @wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        with named(f"F.{f.__name__}"):
            return f(*args, **kwargs)

    return cast(F, call)
