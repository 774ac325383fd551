"""Arguments out of their range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorem.errors import ArgumentError


def at_least(layer: Any, least: int, *names: str) -> None:
    """Raise unless these fields are integers of at least `least`."""
    for name in names:
        value = getattr(layer, name)
        if not is_integer(value) or value < least:
            raise refused(layer, name, f"an integer of at least {least}")


def integers(layer: Any, *names: str) -> None:
    """Raise unless these fields are integers."""
    for name in names:
        if not is_integer(getattr(layer, name)):
            raise refused(layer, name, "an integer")


def flags(layer: Any, *names: str) -> None:
    """Raise unless these fields are True or False."""
    for name in names:
        if not isinstance(getattr(layer, name), bool):
            raise refused(layer, name, "True or False")


def among(layer: Any, name: str, allowed: tuple[str, ...]) -> None:
    """Raise unless this field is one of these words."""
    if getattr(layer, name) not in allowed:
        raise refused(layer, name, f"as one of {', '.join(allowed)}")


def within(layer: Any, name: str, low: float, high: float, form: str) -> None:
    """Raise unless this field is a finite number with low <= number <= high."""
    value = getattr(layer, name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and low <= value <= high):
        raise refused(layer, name, form)


def refused(layer: Any, name: str, form: str) -> ArgumentError:
    """The error of a field that is not of its form."""
    value = getattr(layer, name)
    return ArgumentError(f"{type(layer).__name__} takes {name} {form}, got {value!r}.")


def is_integer(value: object) -> bool:
    """Whether this is an integer and not a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def positive(takes: str, value: object) -> int:
    """The integer of at least 1 that a value is; those of NumPy are integers too.

    Args:
        takes: The beginning of the error, such as "Training takes batch_size".

    Raises:
        ArgumentError: It is none.

    Example:
        >>> positive("Training takes batch_size", np.int64(8))
        8
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1:
        return int(value)
    raise ArgumentError(f"{takes} as an integer of at least 1, got {value!r}.")
