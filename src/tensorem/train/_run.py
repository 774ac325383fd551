"""A run: what `fit` gives back, and what hooks are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jax
import jax.numpy as jnp

from tensorem import nn
from tensorem.errors import ArgumentError, LayerError

from ._log import Entry
from ._plan import Plan
from ._state import State, used_up
from ._task import Task


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
    """

    task: Task
    plan: Plan
    state: State
    step: int
    history: tuple[Entry, ...]
    path: Path | None

    @cached_property
    def model(self) -> nn.Model:
        """The trained model; its arrays are its own, whatever becomes of the state.

        Raises:
            LayerError: The run was kept by a hook and went on, which used up its state.
        """
        if used_up(self.state):
            raise LayerError(
                f"This run, of step {self.step}, went on since, and its arrays are used up.",
                help="keep run.model in the hook, not the run.",
            )
        with self.task.model.precision():
            params, buffers = jax.tree.map(jnp.copy, (self.state.params, self.state.buffers))
        return self.task.model.replace(params=params, buffers=buffers)

    @property
    def finished(self) -> bool:
        """Whether every epoch of the plan is done."""
        return len(self.history) >= self.plan.epochs

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {value}" for name, value in self._last().items())
        done = f"{len(self.history)} of {self.plan.epochs} epochs"
        return f"Run({', '.join(filter(None, (done, last, str(self.path or ''))))})"

    def _last(self) -> Entry:
        row = self.history[-1] if self.history else {}
        return {k: f"{v:.4f}" for k, v in row.items() if isinstance(v, float) and k != "lr"}


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


@dataclass(frozen=True)
class Hooks:
    """Functions that are called while a run goes on; they see it, and cannot change its bits.

    Args:
        on_save: Called with the run after each checkpoint is on the disk.
        on_epoch: Called with the run after each epoch.
        on_nonfinite: Called before the run stops with an error.
        on_begin: Called with the folder of a new run, once it is ours and before its first
            checkpoint.

    Raises:
        ArgumentError: One is no function.
    """

    on_save: Callable[[Run], None] | None = None
    on_epoch: Callable[[Run], None] | None = None
    on_nonfinite: Callable[[NonFinite], None] | None = None
    on_begin: Callable[[Path], None] | None = None

    def __post_init__(self) -> None:
        for name in ("on_save", "on_epoch", "on_nonfinite", "on_begin"):
            hook = getattr(self, name)
            if hook is not None and not callable(hook):
                raise ArgumentError(f"Hooks takes {name} as a function, got {hook!r}.")
