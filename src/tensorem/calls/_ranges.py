"""Arguments out of their range: one function for each kind, which gives the argument back.

A message begins with `takes`; `named` puts in front of it whose argument it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeGuard, TypeVar

import numpy as np

from tensorem.errors import ArgumentError

T = TypeVar("T")

MOST = 2**31 - 1
"""The greatest integer that JAX takes as a size, a step or an axis on every device."""


@dataclass(frozen=True)
class Range:
    """A set of finite numbers, and what it is called."""

    name: str
    holds: Callable[[float], bool]


ANY = Range("a finite number", lambda v: True)
AT_LEAST_0 = Range("a finite number of at least 0", lambda v: v >= 0)
ABOVE_0 = Range("a finite number above 0", lambda v: v > 0)
OTHER_THAN_0 = Range("a finite number other than 0", lambda v: v != 0)
FROM_0_TO_1 = Range("a number in [0, 1]", lambda v: 0 <= v <= 1)
FROM_0_BELOW_1 = Range("a number in [0, 1)", lambda v: 0 <= v < 1)


def integer(name: str, value: object, least: int = -MOST, most: int = MOST) -> int:
    """The integer that a value is; those of NumPy are integers too, truth values are not.

    Raises:
        ArgumentError: It is none, or out of range.

    Example:
        >>> integer("batch_size", np.int64(8), 1)
        8
    """
    if _fits(value, least, most):
        return int(value)
    raise ArgumentError(f"takes {name} as {_form(value, least, most)}, got {value!r}.")


def integers(name: str, value: object, least: int = -MOST) -> tuple[int, ...]:
    """The integers of a tuple or list.

    Raises:
        ArgumentError: It is none, or one is no integer or out of range.
    """
    several = value if isinstance(value, tuple | list) else (value,)
    wrong = [v for v in several if not _fits(v, least)]
    if isinstance(value, tuple | list) and not wrong:
        return tuple(map(int, value))
    form = _form((wrong or [None])[0], least).replace("an integer", "a tuple of integers")
    raise ArgumentError(f"takes {name} as {form}, got {value!r}.")


def each(name: str, value: object, count: int, least: int) -> tuple[int, ...]:
    """One integer for all axes, or one for each.

    Raises:
        ArgumentError: It is neither, or one is out of range.

    Example:
        >>> each("stride", 2, 3, 1)
        (2, 2, 2)
    """
    several = value if isinstance(value, tuple | list) else (value,) * count
    good = tuple(int(v) for v in several if _fits(v, least))
    if len(several) == len(good) == count:
        return good
    wrong = [v for v in several if not _fits(v, least)]
    form = _form((wrong or [None])[0], least)
    others = {1: "a tuple of one", 2: "a pair of these"}.get(count, f"{count} of these")
    raise ArgumentError(f"takes {name} as {form} or {others}, got {value!r}.")


def number(name: str, value: object, allowed: Range = ANY, other: str = "") -> float:
    """The number that a value is.

    Args:
        other: What is taken in place of a number, for the message: the caller lets it pass.

    Raises:
        ArgumentError: It is none, or not in the range.

    Example:
        >>> number("p", 0.5, FROM_0_TO_1)
        0.5
    """
    plain: object = value.item() if isinstance(value, np.generic) else value
    if _is_real(plain) and _is_finite(plain) and allowed.holds(plain):
        return plain
    form = f"{allowed.name} or {other}" if other else allowed.name
    raise ArgumentError(f"takes {name} as {form}, got {value!r}.")


def flag(name: str, value: object) -> bool:
    """The truth value that a value is.

    Raises:
        ArgumentError: It is none.
    """
    if not isinstance(value, bool | np.bool_):
        raise ArgumentError(f"takes {name} as True or False, got {value!r}.")
    return bool(value)


def batch_first(value: object) -> None:
    """Raise unless a layer is told that the batch comes first.

    Raises:
        ArgumentError: It is told otherwise.
    """
    if not flag("batch_first", value):
        raise ArgumentError(
            "takes batch_first as True, got False.",
            because="there is one layout: the batch comes first, the steps second.",
            help="leave it out, and turn the data: jnp.swapaxes(x, 0, 1).",
        )


def among(name: str, value: object, allowed: tuple[T, ...]) -> T:
    """One of these words, or one of these numbers.

    Raises:
        ArgumentError: It is none of them.

    Example:
        >>> among("p", 2.0, (1, 2))
        2
    """
    is_plain = isinstance(value, str | int | float | np.generic) and not isinstance(value, bool)
    found = [v for v in allowed if is_plain and v == value]
    if not found:
        raise ArgumentError(
            f"takes {name} as one of {', '.join(map(str, allowed))}, got {value!r}."
        )
    return found[0]


def _fits(value: object, least: int, most: int = MOST) -> TypeGuard[int | np.integer]:
    return _is_integer(value) and least <= int(value) <= most


def _form(value: object, least: int, most: int = MOST) -> str:
    """What is taken in place of a value, by the end that it lies beyond."""
    if _is_integer(value) and value > most:
        return f"an integer of at most {most}"
    anything = least == -MOST and not _is_integer(value)
    return "an integer" if anything else f"an integer of at least {least}"


def _is_integer(value: object) -> TypeGuard[int | np.integer]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_real(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: float) -> bool:
    """An integer beyond all floats is no finite number either."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
