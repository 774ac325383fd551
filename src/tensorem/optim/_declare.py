"""How a function becomes a row: what it takes is checked, and what it builds is built later."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from tensorem.calls import called

from ._description import Clock, Duration, Optimizer, Schedule
from ._table import DURATIONS, OPTIMIZERS, SCHEDULES, Check, Row

if TYPE_CHECKING:
    import optax

P = ParamSpec("P")
T = TypeVar("T", Optimizer, Schedule, Duration)
Requires = Callable[[dict[str, Any]], None]
"""Raise unless the arguments fit each other."""


def optimizer(
    requires: Requires = lambda given: None,
) -> Callable[[Callable[P, optax.GradientTransformation]], Callable[P, Optimizer]]:
    """A row of `OPTIMIZERS`: the function describes, its body builds the transformation."""
    return lambda build: _declared(build, Optimizer, OPTIMIZERS, requires)


def schedule(
    requires: Requires = lambda given: None, over: Callable[..., Any] | None = None
) -> Callable[[Callable[P, optax.Schedule]], Callable[P, Schedule]]:
    """A row of `SCHEDULES`: the function describes, its body builds the function of the step."""
    return lambda build: _declared(build, Schedule, SCHEDULES, requires, over)


def duration(build: Callable[P, Callable[[Clock], float]]) -> Callable[P, Duration]:
    """A row of `DURATIONS`: the function describes, its body counts steps by a clock."""
    return _declared(build, Duration, DURATIONS, lambda given: None)


def _declared(
    build: Callable[P, Any],
    kind: type[T],
    table: dict[str, Row],
    requires: Requires,
    over: Callable[..., Any] | None = None,
) -> Callable[P, T]:
    form, name = signature(build), build.__name__
    checks = {p.name: _check(p, build) for p in form.parameters.values()}

    @wraps(build)
    def make(*args: P.args, **kwargs: P.kwargs) -> T:
        bound = form.bind(*args, **kwargs)
        bound.apply_defaults()
        given: dict[str, Any] = {k: checks[k](k, value) for k, value in bound.arguments.items()}
        requires(given)
        return kind(name, tuple(given.items()))

    vars(make)["__signature__"] = form.replace(return_annotation=kind.__name__)
    spread = [p.name for p in form.parameters.values() if p.kind is Parameter.VAR_POSITIONAL]
    build_of = _spread(build, spread[0]) if spread else build
    public = called(make)
    table[name] = Row(public, build_of, checks, "".join(spread), over)
    return public


def _spread(build: Callable[..., Any], name: str) -> Callable[..., Any]:
    return lambda **given: build(*given.pop(name), **given)


def _check(parameter: Parameter, build: Callable[..., Any]) -> Check:
    """The check of an argument: its annotation is the name of a kind."""
    check: Check = build.__globals__[parameter.annotation].__metadata__[0]
    return check
