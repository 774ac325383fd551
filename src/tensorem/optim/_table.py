"""The tables: every optimizer, schedule and duration by name, a row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Check = Callable[[str, object], object]
"""(name of an argument, what was given) -> the plain value; raises where it is none."""


@dataclass(frozen=True)
class Row:
    """What there is under a name.

    Args:
        make: The public function: arguments, checked, to a description.
        build: Arguments to what optax takes: a transformation, or a function of the step.
        arguments: The check of each argument.
        spread: The argument that is given as places, `chain(a, b)`, if there is one.
        over: Arguments and a clock to arguments in steps, where the parts have clocks of their own.
    """

    make: Callable[..., Any]
    build: Callable[..., Any]
    arguments: Mapping[str, Check]
    spread: str = ""
    over: Callable[..., Any] | None = None


OPTIMIZERS: dict[str, Row] = {}
SCHEDULES: dict[str, Row] = {}
DURATIONS: dict[str, Row] = {}


def rows() -> dict[str, Row]:
    """All rows by name."""
    return OPTIMIZERS | SCHEDULES | DURATIONS
