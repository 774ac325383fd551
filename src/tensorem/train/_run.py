"""A run: what `fit` gives back, and what callbacks are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from tensorem import nn
from tensorem.errors import LayerError, PathError, TensoremError

from ._callback import Callback, Memory
from ._log import Entry, is_rate
from ._plan import Plan
from ._state import Arrays, State, used_up
from ._task import Task
from ._whole import whole


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A task trained so far.

    Args:
        task: The model as it was before, the loss and the metrics.
        plan: How it is trained.
        state: Where it stands.
        step: How many steps were taken.
        history: A row for each epoch: epoch, step, loss, metrics, the same in validation, lr.
        path: The run folder; None where nothing is written.
        stopped: Why a callback stopped it; empty where none did.
        callbacks: Those that remember something, each with what it remembers.
    """

    task: Task
    plan: Plan
    state: State
    step: int
    history: tuple[Entry, ...]
    path: Path | None
    stopped: str = ""
    callbacks: tuple[tuple[Callback, Memory], ...] = ()

    @cached_property
    def model(self) -> nn.Model:
        """The trained model; its arrays are its own, whatever becomes of the state.

        Raises:
            LayerError: The run was kept by a callback and went on, which used up its state.
        """
        self._require_whole()
        return self._model(self.state.params, self.state.buffers)

    def callback(self, name: str) -> Kept:
        """What a callback remembers, and the model that it keeps.

        Raises:
            PathError: No callback of this name remembers anything.
            LayerError: As for `model`.
        """
        self._require_whole()
        for callback, memory in self.callbacks:
            if callback.name == name:
                arrays: Any = getattr(callback, "arrays", None)
                found = None if arrays is None else self._model(*arrays(memory, self.state))
                return Kept(name, memory, found)
        names = ", ".join(callback.name for callback, _ in self.callbacks) or "none"
        raise PathError(f"The run takes the name of a callback, {names}, got {name!r}.")

    def _require_whole(self) -> None:
        if used_up(self.state):
            raise LayerError(
                f"This run, of step {self.step}, went on since, and its arrays are used up.",
                help="keep run.model in the callback, not the run.",
            )

    def _model(self, params: Arrays, buffers: Arrays) -> nn.Model:
        with self.task.model.precision():
            params, buffers = jax.tree.map(jnp.array, whole((params, buffers)))
        return self.task.model.replace(params=params, buffers=buffers)

    @property
    def finished(self) -> bool:
        """Whether every epoch of the plan is done, or a callback stopped the run."""
        return bool(self.stopped) or len(self.history) >= self.plan.epochs

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {value}" for name, value in self._last().items())
        done = f"{len(self.history)} of {self.plan.epochs} epochs"
        return f"Run({', '.join(filter(None, (done, self.stopped, last, str(self.path or ''))))})"

    def _last(self) -> Entry:
        row = self.history[-1] if self.history else {}
        return {k: f"{v:.4f}" for k, v in row.items() if isinstance(v, float) and not is_rate(k)}


@dataclass(frozen=True, eq=False)
class Kept:
    """What a callback of a run remembers.

    Args:
        name: The name of the callback.
        memory: What it remembers.
        found: The model that it keeps, if it keeps one.
    """

    name: str
    memory: Memory
    found: nn.Model | None = field(repr=False)

    @property
    def model(self) -> nn.Model:
        """The model that it keeps.

        Raises:
            LayerError: It keeps none.
        """
        if self.found is None:
            raise LayerError(f"The callback {self.name} keeps no model; run.model is the last one.")
        return self.found


@dataclass(frozen=True)
class NonFinite:
    """A loss or parameter that stopped being a finite number.

    Args:
        what: "the loss", or the name of a parameter.
        epoch: The epoch, from 1.
        step: The step of the run after which it was seen, from 1.
        examples: The rows of the data in the batch of that step; none are known of a `Stream`.
        path: The run folder, which holds the last good checkpoint; None if there is none.
    """

    what: str
    epoch: int
    step: int
    examples: tuple[int, ...]
    path: Path | None


@dataclass(frozen=True, eq=False)
class EpochEvent:
    """An epoch that was done.

    Args:
        epoch: Its number, from 1.
        steps: The steps of the run so far.
        row: Its row of the log.
        run: The run as it stands; the next step uses up its state, so keep `run.model`.
    """

    epoch: int
    steps: int
    row: Entry
    run: Run


class CallbackError(TensoremError, RuntimeError):
    """A callback raised: what it raised is the cause, and nothing that was trained is lost.

    Args:
        run: The run so far.
    """

    def __init__(self, what: str, run: Run, **notes: str) -> None:
        super().__init__(what, **notes)
        self.run = run
