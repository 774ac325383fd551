"""Callbacks: values beside a run, each with a memory of its own and one moment when it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Protocol, get_args

import jax
import numpy as np
from jax import Array

from tensorem import optim
from tensorem.calls import AT_LEAST_0, named, number
from tensorem.errors import ArgumentError, ResumeError

from ._state import State
from ._whole import whole

Memory = Any
"""A tree of arrays: what a callback remembers; of one form from `init` on."""

When = Literal["update", "start", "step", "epoch", "save", "nonfinite", "end"]
"""The moments of a run. At "update" a callback is traced into the compiled step; else it is called
on the host: with the `Run` at "start", "save" and "end", with a `StepEvent` at "step", with an
`EpochEvent` at "epoch", with a `NonFinite` at "nonfinite"; at "save" by the thread that writes."""

_REMEMBERED = ("update", "step", "epoch")
"""The moments that no interval of writing and no resume moves."""


class Callback(Protocol):
    """A frozen value with a name, a moment, `init` and `update`, as a transform of optax has them.

    Its memory is part of the checkpoint, so that a resumed run goes on as if it had not stopped.
    """

    @property
    def name(self) -> str:
        """Under which its memory is kept."""
        ...

    @property
    def when(self) -> When:
        """The moment when it is told."""
        ...

    def init(self, state: State, names: tuple[str, ...], /) -> Memory:
        """The memory before the first step.

        Args:
            state: The state before the first step.
            names: The scores of a step; else the columns of the row of an epoch.
        """
        ...

    def update(self, memory: Memory, event: Any, /) -> Memory | Stop | Rescale | None:
        """The memory after an event; None leaves it as it is, `Stop` ends the run, and at "epoch"
        `Rescale` changes the length of the steps.
        """
        ...


Callbacks = Callback | Iterable[Any]
"""One callback, or several in the order in which they are told; groups within are taken apart."""


@dataclass(frozen=True, eq=False)
class Stop:
    """The answer of a callback that ends the run, after the epoch under way.

    Args:
        because: Why, in a few words.
        memory: The memory after the event; None leaves it as it is.
    """

    because: str
    memory: Memory = None


@dataclass(frozen=True, eq=False)
class Rescale:
    """The answer of a callback, at "epoch", that multiplies the steps of `optim.scaled`.

    Args:
        factor: What the scale is multiplied by.
        memory: The memory after the event; None leaves it as it is.
    """

    factor: float
    memory: Memory = None


@dataclass(frozen=True, eq=False)
class Updated:
    """What a callback at "update" sees, as tracers: it is part of the compiled step.

    Args:
        state: The state after the step.
        scores: The mean loss and metrics of the batch.
    """

    state: State
    scores: dict[str, Array]


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A step that was taken.

    Args:
        epoch: Its epoch, from 1.
        step: Its number in the run, from 1.
        scores: The mean loss and metrics of its batch.
    """

    epoch: int
    step: int
    scores: dict[str, float]

    @property
    def loss(self) -> float:
        """The mean loss of its batch."""
        return self.scores["loss"]


@dataclass(frozen=True)
class Watch:
    """A function that is told of one moment, as a callback without a memory.

    Args:
        when: The moment.
        function: What is called with the event; it may answer with a `Stop`.

    Raises:
        ArgumentError: There is no such moment, or the function is none.

    Example:
        >>> Watch("epoch", print).name
        'print'
    """

    when: When
    function: Callable[[Any], Stop | Any | None]

    def __post_init__(self) -> None:
        moments = [moment for moment in get_args(When) if moment != "update"]
        if self.when not in moments:
            raise ArgumentError(f"A Watch takes when of {', '.join(moments)}, got {self.when!r}.")
        if not callable(self.function):
            raise ArgumentError(f"A callback takes a function, got {self.function!r}.")

    @property
    def name(self) -> str:
        """The name of the function."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def init(self, state: State, names: tuple[str, ...]) -> Memory:
        """Nothing is remembered."""
        return ()

    def update(self, memory: Memory, event: Any) -> Stop | None:
        """What the function answers, where that is a `Stop`."""
        answer = self.function(event)
        return answer if isinstance(answer, Stop) else None


def callbacks_of(given: object) -> tuple[Callback, ...]:
    """Callbacks as they are given, in one tuple.

    Raises:
        ArgumentError: One is none, or there is no such moment.
    """
    if isinstance(given, tuple | list):
        return tuple(callback for group in given for callback in callbacks_of(group))
    if not all(hasattr(given, name) for name in ("name", "when", "init", "update")):
        raise ArgumentError(
            f"callbacks takes values with name, when, init and update, got {given!r}.",
            help="a function is told of a moment by train.on_epoch_end(function), on_step, ...",
        )
    callback: Any = given
    if callback.when not in get_args(When):
        raise ArgumentError(
            f"{callback.name} takes when of {', '.join(get_args(When))}, got {callback.when!r}."
        )
    return (callback,)


def begun(
    callbacks: Iterable[Callback], state: State, names: tuple[str, ...], columns: tuple[str, ...]
) -> dict[str, Memory]:
    """The memory of each callback that has one, by its name.

    Raises:
        ArgumentError: Two have one name, or one remembers what its moment cannot keep.
    """
    memories: dict[str, Memory] = {}
    for callback in callbacks:
        memory = callback.init(state, names if callback.when in ("update", "step") else columns)
        if not jax.tree.leaves(memory):
            continue
        if callback.name in memories:
            raise ArgumentError(f"callbacks takes names that differ, got {callback.name!r} twice.")
        if callback.when not in _REMEMBERED:
            raise ArgumentError(
                f"{callback.name} takes no memory at {callback.when!r}, got one.",
                because="this moment depends on when a run is written or resumed.",
            )
        memories[callback.name] = memory if callback.when == "update" else on_host(memory)
    return memories


def on_host(memory: Memory) -> Memory:
    """The same with arrays that no step uses up."""
    return jax.tree.map(lambda x: x if isinstance(x, np.ndarray) else np.array(x), whole(memory))


@dataclass(frozen=True, eq=False)
class Answer:
    """What a callback answered: its memory, why it stops the run, the factor of the steps."""

    memory: Memory
    stop: str = ""
    factor: float = 1.0


def answered(callback: Callback, memory: Memory, event: object) -> Answer:
    """What a callback answers to an event.

    Raises:
        ArgumentError: It raised, its memory has another form, it stops within a step, or it scales
            the steps at another moment than "epoch".
    """
    try:
        answer = callback.update(memory, event)
    except Exception as error:
        raise ArgumentError(
            f"The callback {callback.name} takes its event without an error, got "
            f"{type(error).__name__}: {error}"
        ) from error
    if isinstance(answer, Rescale) and callback.when != "epoch":
        raise ArgumentError(
            f'{callback.name} takes a Rescale at "epoch" only, got one at {callback.when!r}.'
        )
    if isinstance(answer, Stop) and callback.when == "update":
        raise ArgumentError(f"{callback.name} takes no Stop within a compiled step, got one.")
    stop = answer.because if isinstance(answer, Stop) else ""
    factor = answer.factor if isinstance(answer, Rescale) else 1.0
    after = answer.memory if isinstance(answer, Stop | Rescale) else answer
    if after is None:
        return Answer(memory, stop, factor)
    after = after if callback.when == "update" else on_host(after)
    _require_form(callback, memory, after)
    return Answer(after, stop, factor)


def require_scale(name: str, state: State) -> optim.Scaled:
    """The state of an optimizer that has a scale.

    Raises:
        ArgumentError: It has none.
    """
    found = state.optimizer
    if not isinstance(found, optim.Scaled):
        raise ArgumentError(
            f"{name} takes an optimizer whose steps have a scale, got another.",
            help="optimizer=optim.scaled(optim.adam(1e-3)).",
        )
    return found


def rescaled(name: str, state: State, factor: float) -> State:
    """The same state with steps that are longer or shorter by a factor from now on.

    Raises:
        ArgumentError: The optimizer has no scale, or the factor is no finite number of at least 0.
    """
    found = require_scale(name, state)
    with named(name):
        factor = number("factor", factor, AT_LEAST_0)
    scale = jax.device_put(np.asarray(found.number * factor, np.float32), found.scale.sharding)
    return replace(state, optimizer=found._replace(scale=scale))


def _require_form(callback: Callback, before: Memory, after: Memory) -> None:
    """Raise unless a memory has the form that it had: a checkpoint is read back by it."""

    def form(memory: Memory) -> object:
        leaves, tree = jax.tree.flatten(memory)
        return tree, [(leaf.shape, leaf.dtype) for leaf in leaves]

    if form(before) != form(after):
        raise ArgumentError(
            f"The callback {callback.name} takes a memory of one form, got another from update.",
            because=f"init gave {jax.tree.map(np.shape, before)}, "
            f"update {jax.tree.map(np.shape, after)}.",
        )


def described(callback: Callback) -> dict[str, Any]:
    """What a run records of a callback with a memory: its class, and its fields where ours."""
    kind = type(callback)
    if kind.__module__.startswith("tensorem."):
        arguments = {f.name: getattr(callback, f.name) for f in fields(kind)}  # type: ignore[arg-type]
        return {"name": callback.name, "class": kind.__name__, "arguments": arguments}
    return {"name": callback.name, "class": f"{kind.__module__}.{kind.__qualname__}"}


def again(
    recorded: list[dict[str, Any]],
    given: tuple[Callback, ...],
    ours: Mapping[str, Callable[..., Any]],
) -> tuple[Callback, ...]:
    """The callbacks of a resumed run: those given, and before them ours that were recorded.

    Raises:
        ResumeError: One of the user's own is needed and was not given, or another one was.
    """
    by_name = {callback.name: callback for callback in given}
    made = []
    for said in recorded:
        found = by_name.get(said["name"])
        if found is None and said["class"] in ours:
            made.append(ours[said["class"]](**said["arguments"]))
        elif found is None or described(found) != said:
            raise ResumeError(
                f"The run takes its callback {said['name']} again, got "
                f"{'none' if found is None else repr(found)}.",
                because=f"it was {said['class']}({_arguments(said)}).",
                help="pass callbacks=... to train.resume.",
            )
    return (*made, *given)


def _arguments(said: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in said.get("arguments", {}).items())
