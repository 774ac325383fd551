"""What a layer declares: trained arrays and buffers, each with its shape and how it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray


class Initialiser(Protocol):
    """Shape and seed -> the values that an array starts with, in float64."""

    def __call__(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Derived:
    """An array that starts from another one of its layer.

    Args:
        source: The name of that one, from where this one is declared; an initial value itself.
        of: (its values, shape, seed) -> the values that the array starts with.
    """

    source: str
    of: Callable[[NDArray[Any], tuple[int, ...], int], NDArray[Any]]


@dataclass(frozen=True)
class Parameter:
    """A trained array that a layer declares: its shape and how it starts.

    Its dtype is that of the floats that the model takes.

    Args:
        seed: The seed that `init` gets; None for that which `build` makes of its own and the path.
    """

    shape: tuple[int, ...]
    init: Initialiser | Derived
    seed: int | None = None


@dataclass(frozen=True)
class Buffer:
    """An array that a layer carries along and that no gradient changes.

    Args:
        dtype: The dtype; None for that of the parameters.
    """

    shape: tuple[int, ...]
    init: Initialiser | Derived
    dtype: str | None = None
