"""Descriptions: a call of a function of this room, as a value that a run can record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, Union

import numpy as np

from ._table import rows

if TYPE_CHECKING:
    import optax

Argument = Union[
    float, bool, str, None, "Description", tuple["Argument", ...], Callable[..., object]
]
Arguments = tuple[tuple[str, Argument], ...]
Json = dict[str, Any]
D = TypeVar("D", bound="Description")


@dataclass(frozen=True)
class Clock:
    """How long a run is.

    Args:
        steps_per_epoch: Steps in an epoch.
        steps: Steps in the run, or in the part of it that a schedule fills.
    """

    steps_per_epoch: int
    steps: int


@dataclass(frozen=True)
class Description:
    """A call of a function of this room: its name and its arguments by name."""

    name: str
    arguments: Arguments

    def __post_init__(self) -> None:
        values = tuple((name, plain(value)) for name, value in self.arguments)
        object.__setattr__(self, "arguments", values)

    def to_json(self) -> Json:
        """The description as JSON values; `from_json` is the inverse."""
        arguments = {name: _to_json(value) for name, value in self.arguments}
        return {"name": self.name, "arguments": arguments}

    def __repr__(self) -> str:
        spread = rows()[self.name].spread
        return f"{self.name}({', '.join(_shown(k, v, k == spread) for k, v in self.arguments)})"


@dataclass(frozen=True, repr=False)
class Duration(Description):
    """A number of steps that is known when the run is: `epochs(3)`, `fraction(0.1)`.

    Args:
        name: The function of this room that makes it.
        arguments: Its arguments by name.

    Example:
        >>> from tensorem.optim import epochs
        >>> epochs(3).steps(Clock(steps_per_epoch=10, steps=200))
        30
    """

    def steps(self, clock: Clock) -> int:
        """As a number of steps, at least 1."""
        exact: float = rows()[self.name].build(**dict(self.arguments))(clock)
        return max(1, round(exact))


@dataclass(frozen=True, repr=False)
class Schedule(Description):
    """A learning rate as a function of the number of optimizer steps taken.

    Args:
        name: The function of this room that makes it.
        arguments: Its arguments by name.

    Example:
        >>> from tensorem.optim import step_lr
        >>> step_lr(0.1, step_size=100)
        step_lr(lr=0.1, step_size=100, gamma=0.1)
    """

    def function(self) -> optax.Schedule:
        """The schedule as optax takes it: step -> learning rate.

        Raises:
            ArgumentError: It counts epochs or a fraction of a run: first say which, `over`.
        """
        schedule: optax.Schedule = rows()[self.name].build(**dict(self.arguments))
        return schedule

    def over(self, steps_per_epoch: int, epochs: int) -> Schedule:
        """The schedule of a run of this length, counted in steps."""
        return over(self, Clock(steps_per_epoch, steps_per_epoch * epochs))


@dataclass(frozen=True, repr=False)
class Optimizer(Description):
    """A rule that turns gradients into updates of parameters.

    Args:
        name: The function of this room that makes it.
        arguments: Its arguments by name.

    Example:
        >>> from tensorem.optim import adagrad
        >>> adagrad(0.1).name
        'adagrad'
    """

    def transform(self) -> optax.GradientTransformation:
        """The optimizer as optax takes it.

        Raises:
            ArgumentError: A schedule counts epochs or a fraction of a run: first say which, `over`.
        """
        made: optax.GradientTransformation = rows()[self.name].build(**dict(self.arguments))
        return made

    def over(self, steps_per_epoch: int, epochs: int) -> Optimizer:
        """The optimizer of a run of this length, whose schedules count steps.

        Example:
            >>> from tensorem.optim import cosine_lr, sgd
            >>> sgd(cosine_lr(0.1)).over(steps_per_epoch=10, epochs=3).arguments[0][1]
            cosine_lr(lr=0.1, total_steps=30, min_lr=0.0)
        """
        return over(self, Clock(steps_per_epoch, steps_per_epoch * epochs))


def over(description: D, clock: Clock) -> D:
    """A description in which every duration is a number of steps."""
    row, given = rows()[description.name], dict(description.arguments)
    found = (
        row.over(given, clock) if row.over else {k: in_steps(v, clock) for k, v in given.items()}
    )
    return replace(description, arguments=tuple(found.items()))


def in_steps(value: Any, clock: Clock) -> Any:
    """An argument in which every duration is a number of steps."""
    if isinstance(value, Duration):
        return value.steps(clock)
    if isinstance(value, tuple):
        return tuple(in_steps(v, clock) for v in value)
    return over(value, clock) if isinstance(value, Description) else value


def place(function: object) -> str:
    """Where code stands, which is all that a run can record of it."""
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"


def plain(value: Any) -> Any:
    """A number of NumPy is that number, a list a tuple."""
    if isinstance(value, list) or type(value) is tuple:
        return tuple(map(plain, value))
    return value.item() if isinstance(value, np.generic) else value


def _shown(name: str, value: Any, spread: bool) -> str:
    """An argument as it is written in a call."""
    if spread:
        return ", ".join(map(repr, value))
    return repr(dict(value)) if name == "groups" else f"{name}={value!r}"


def _to_json(value: Any) -> object:
    if isinstance(value, Description):
        return value.to_json()
    if hasattr(value, "update"):
        return place(value.update)
    if isinstance(value, tuple):
        return [_to_json(v) for v in value]
    return place(value) if callable(value) else value
