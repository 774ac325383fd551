"""What an argument may be: each kind is a type for the reader, and a check for the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from tensorem.calls import (
    ABOVE_0,
    ANY,
    AT_LEAST_0,
    FROM_0_BELOW_1,
    FROM_0_TO_1,
    Range,
    among,
    flag,
    integer,
    number,
)
from tensorem.errors import ArgumentError

from ._description import Duration, Optimizer, Schedule, plain
from ._table import Check

if TYPE_CHECKING:
    import optax


def _number(allowed: Range) -> Check:
    return lambda name, value: number(name, value, allowed)


def _rate(name: str, value: object) -> object:
    if callable(value):
        return Schedule("function", (("rate", value),))
    return value if isinstance(value, Schedule) else number(name, value, AT_LEAST_0, "a schedule")


def _span(name: str, value: object) -> object:
    if isinstance(value, Duration):
        return value
    try:
        return integer(name, value, 1)
    except ArgumentError as error:
        raise ArgumentError(
            f"{error}".replace(
                "an integer of at least 1",
                "an integer of at least 1, optim.epochs(...) or optim.fraction(...)",
            )
        ) from None


def _spans(name: str, value: object) -> object:
    if not isinstance(value, tuple | list) or not value:
        raise ArgumentError(f"takes {name} as a tuple of steps, got {value!r}.")
    return tuple(_span(f"{name}[{i}]", v) for i, v in enumerate(value))


def _numbers(count: int, word: str, allowed: Range) -> Check:
    def check(name: str, value: object) -> object:
        if not isinstance(value, tuple | list) or len(value) != count:
            raise ArgumentError(f"takes {name} as {word}, got {value!r}.")
        return tuple(number(f"{name}[{i}]", v, allowed) for i, v in enumerate(value))

    return check


def _adafactor_eps(name: str, value: object) -> object:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ArgumentError(f"takes {name} as a pair, got {value!r}.")
    first = None if value[0] is None else number(f"{name}[0]", value[0], AT_LEAST_0, "None")
    return (first, number(f"{name}[1]", value[1], AT_LEAST_0))


def _words(*words: str) -> Check:
    return lambda name, value: among(name, plain(value), words)


def optimizer_of(value: Any) -> Optimizer:
    """An optimizer: one of ours, or a transformation of optax.

    Raises:
        ArgumentError: It is neither.
    """
    if isinstance(value, tuple) and callable(getattr(value, "update", None)):
        return Optimizer("from_optax", (("transform", value),))
    if not isinstance(value, Optimizer):
        raise ArgumentError(
            f"Training takes an optimizer of tensorem.optim, got {value!r}.",
            help="for example optim.adam(1e-3).",
        )
    return value


def _members(name: str, value: Any) -> object:
    try:
        found = tuple(optimizer_of(v) for v in value)
    except ArgumentError:
        found = ()
    if not found:
        raise ArgumentError(f"takes one or more optimizers, got {value!r}.")
    return found


def _one(name: str, value: Any) -> object:
    try:
        return optimizer_of(value)
    except ArgumentError:
        raise ArgumentError(f"takes one optimizer of tensorem.optim, got {value!r}.") from None


def _groups(name: str, value: Any) -> object:
    pairs = tuple(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(pairs, tuple) or not pairs or not all(map(_is_pair, pairs)):
        raise ArgumentError(
            f"takes a dictionary of patterns and optimizers, got {value!r}.",
            help='optim.groups({"backbone.*": optim.adam(1e-5), "*": optim.adam(1e-3)}).',
        )
    return tuple((key, _member(v)) for key, v in pairs)


def _member(value: object) -> Optimizer:
    return Optimizer("frozen", ()) if value is None else optimizer_of(value)


def _is_pair(pair: object) -> bool:
    return isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)


def _schedules(name: str, value: Any) -> object:
    found = tuple(_rate(name, v) for v in value)
    if not found:
        raise ArgumentError("takes one or more schedules, got none.")
    return found


def _transform(name: str, value: object) -> object:
    if not callable(getattr(value, "update", None)) or not callable(getattr(value, "init", None)):
        raise ArgumentError(
            f"takes {name} as a transformation of optax, got {value!r}.",
            because="a run records where its code stands, and not the code.",
        )
    return value


def _function(name: str, value: object) -> object:
    if not callable(value):
        raise ArgumentError(
            f"takes {name} as a function of the step, got {value!r}.",
            because="a run records where its code stands, and not the code.",
        )
    return value


Number = Annotated[float, _number(ANY)]
AtLeast0 = Annotated[float, _number(AT_LEAST_0)]
Above0 = Annotated[float, _number(ABOVE_0)]
Below1 = Annotated[float, _number(FROM_0_BELOW_1)]
UpTo1 = Annotated[float, _number(FROM_0_TO_1)]
Part = Annotated[float, _number(Range("a number in (0, 1]", lambda v: 0 < v <= 1))]
Count = Annotated[int, lambda name, value: integer(name, value, 1)]
Flag = Annotated[bool, flag]
Betas = Annotated[tuple[float, float], _numbers(2, "a pair", FROM_0_BELOW_1)]
Three = Annotated[tuple[float, float, float], _numbers(3, "three numbers", ANY)]
Eps = Annotated[tuple[float | None, float], _adafactor_eps]
AtLeast1 = Annotated[float, _number(Range("a finite number of at least 1", lambda v: v >= 1))]
UpTo0 = Annotated[float, _number(Range("a finite number of at most 0", lambda v: v <= 0))]
Rate = Annotated["float | Schedule | Callable[[Any], Any]", _rate]
Span = Annotated[int | Duration, _span]
MaybeSpan = Annotated[
    int | Duration | None, lambda name, value: None if value is None else _span(name, value)
]
Spans = Annotated[tuple[int | Duration, ...], _spans]
Anneal = Annotated[str, _words("cos", "linear")]
Mode = Annotated[str, _words("triangular", "triangular2", "exp_range")]
Adjust = Annotated[str, _words("original", "match_rms_adamw")]
Member = Annotated[Optimizer, _members]
One = Annotated[Optimizer, _one]
Groups = Annotated["Mapping[str, Optimizer | optax.GradientTransformation | None]", _groups]
Rates = Annotated["float | Schedule | Callable[[Any], Any]", _schedules]
Transform = Annotated["optax.GradientTransformation", _transform]
Function = Annotated[Callable[[Any], Any], _function]


def rate(lr: Rate) -> Any:
    """A learning rate as optax takes it."""
    return lr.function() if isinstance(lr, Schedule) else lr


def rate_at(lr: Rate, step: Any) -> Any:
    """A learning rate at a step."""
    found = rate(lr)
    return found(step) if callable(found) else found


def steps(span: int | Duration) -> int:
    """A number of steps.

    Raises:
        ArgumentError: It is an epoch or a fraction of a run that is not known yet.
    """
    if isinstance(span, Duration):
        raise ArgumentError(
            f"A schedule takes the length of its run to know the steps of {span!r}, got none.",
            help="train.fit knows it; else say it: optimizer.over(steps_per_epoch, epochs).",
        )
    return span
