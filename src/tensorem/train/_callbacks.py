"""The callbacks that most runs need: early stopping, the best model, averages of weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from tensorem.calls import AT_LEAST_0, FROM_0_BELOW_1, integer, named, number
from tensorem.errors import ArgumentError

from ._callback import Memory, Stop, Updated, When
from ._log import Entry
from ._run import EpochEvent
from ._state import Arrays, State
from ._whole import whole

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when a column has not become better for `patience` epochs.

    Args:
        monitor: A column of the row of an epoch.
        patience: Epochs without a better value that are borne.
        min_delta: By how much a value is to be better.
        mode: "min" where less is better, "max" where more is.
        name: Under which its memory is kept.

    Raises:
        ArgumentError: A value out of its range; at the start, a column that is not there.

    Example:
        >>> EarlyStopping("val_accuracy", patience=5, mode="max").monitor
        'val_accuracy'
    """

    monitor: str = "val_loss"
    patience: int = 3
    min_delta: float = 0.0
    mode: Mode = "min"
    name: str = "early_stopping"
    when: ClassVar[When] = "epoch"

    def __post_init__(self) -> None:
        require_mode(self, self.mode)
        with named("EarlyStopping"):
            integer("patience", self.patience, 0)
            number("min_delta", self.min_delta, AT_LEAST_0)

    def init(self, state: State, names: tuple[str, ...]) -> Memory:
        """The best value, and the epochs since."""
        require_column(self, self.monitor, names)
        return {"best": np.float64(np.nan), "since": np.int64(0)}

    def update(self, memory: Memory, event: EpochEvent) -> Memory | Stop:
        """Count the epochs since the best one."""
        value = column_value(event.row, self.monitor)
        if is_better(value, memory["best"], self.mode, self.min_delta):
            return {"best": np.float64(value), "since": np.int64(0)}
        after = {**memory, "since": np.int64(memory["since"] + 1)}
        if after["since"] < max(self.patience, 1):
            return after
        best = f"{self.monitor} was not better than {float(memory['best']):.6g}"
        return Stop(f"{best} for {int(after['since'])} epochs", after)


@dataclass(frozen=True)
class KeepBest:
    """Keep the model of the best epoch: `run.callback("best").model`, whatever ended the run.

    Args:
        monitor: A column of the row of an epoch.
        mode: "min" where less is better, "max" where more is.
        name: Under which its memory is kept.

    Raises:
        ArgumentError: A value out of its range; at the start, a column that is not there.

    Example:
        >>> from tensorem import data, nn, train
        >>> model, iris = nn.build(nn.Linear(4, 3), input=("N", 4)), data.iris()
        >>> run = train.fit(model, iris.train, epochs=3, validation=iris.test, progress="none",
        ...                 callbacks=KeepBest("val_loss"))
        >>> best = run.callback("best")
        >>> train.evaluate(best.model, iris.test)["loss"] == float(best.memory["value"])
        True
    """

    monitor: str = "val_loss"
    mode: Mode = "min"
    name: str = "best"
    when: ClassVar[When] = "epoch"

    def __post_init__(self) -> None:
        require_mode(self, self.mode)

    def init(self, state: State, names: tuple[str, ...]) -> Memory:
        """The first arrays, of epoch 0, whose value is not known."""
        require_column(self, self.monitor, names)
        return _snapshot(np.nan, 0, state)

    def update(self, memory: Memory, event: EpochEvent) -> Memory:
        """Take over the arrays of a better epoch."""
        value = column_value(event.row, self.monitor)
        if not is_better(value, memory["value"], self.mode, 0.0):
            return memory
        return _snapshot(value, event.epoch, event.run.state)

    def arrays(self, memory: Memory, state: State) -> tuple[Arrays, Arrays]:
        """The parameters and buffers of the best epoch."""
        return memory["params"], memory["buffers"]


@dataclass(frozen=True)
class EMA:
    """The exponential moving average of the parameters: `run.callback("ema").model`.

    It is part of the compiled step, and moves once for each step of the optimizer, however many
    parts a batch is accumulated from. Buffers are the run's own.

    Args:
        decay: What is kept of the average in a step.
        name: Under which its memory is kept.

    Raises:
        ArgumentError: decay is not in [0, 1).

    Example:
        >>> from tensorem import data, nn, train
        >>> model = nn.build(nn.Linear(4, 3), input=("N", 4))
        >>> run = train.fit(model, data.iris().train, epochs=1, progress="none",
        ...                 callbacks=EMA(0.9))
        >>> run.callback("ema").model.params["weight"].shape
        (3, 4)

    Source:
        torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn: it begins with the
        parameters after the first step.
    """

    decay: float = 0.999
    name: str = "ema"
    when: ClassVar[When] = "update"

    def __post_init__(self) -> None:
        with named("EMA"):
            number("decay", self.decay, FROM_0_BELOW_1)

    def init(self, state: State, names: tuple[str, ...]) -> Memory:
        """The parameters as they are."""
        return {"steps": jnp.zeros((), jnp.int32), "params": jax.tree.map(jnp.copy, state.params)}

    def update(self, memory: Memory, event: Updated) -> Memory:
        """Move by a part of the way to the parameters; at first by all of it."""
        part = jnp.where(memory["steps"] == 0, 1.0, 1.0 - self.decay)
        moved = jax.tree.map(_toward(part), memory["params"], event.state.params)
        return {"steps": memory["steps"] + 1, "params": moved}

    def arrays(self, memory: Memory, state: State) -> tuple[Arrays, Arrays]:
        """The average, with the buffers of the run."""
        return memory["params"], state.buffers


@dataclass(frozen=True)
class SWA:
    """The mean of the parameters after each epoch from `start` on: `run.callback("swa").model`.

    Statistics of batches belong to other parameters: `train.update_bn(model, data)` estimates
    those of the average.

    Args:
        start: The first epoch that is averaged, from 1.
        name: Under which its memory is kept.

    Raises:
        ArgumentError: start is no positive integer.

    Example:
        >>> SWA(start=10)
        SWA(start=10, name='swa')

    Source:
        Izmailov et al. 2018, algorithm 1; torch.optim.swa_utils.AveragedModel.
    """

    start: int = 1
    name: str = "swa"
    when: ClassVar[When] = "epoch"

    def __post_init__(self) -> None:
        with named("SWA"):
            integer("start", self.start, 1)

    def init(self, state: State, names: tuple[str, ...]) -> Memory:
        """The parameters as they are, a mean of none."""
        return {"epochs": np.int64(0), "params": state.params}

    def update(self, memory: Memory, event: EpochEvent) -> Memory:
        """Move to the mean of one more epoch."""
        if event.epoch < self.start:
            return memory
        count = memory["epochs"] + 1
        moved = jax.tree.map(
            lambda mean, new: mean + (np.asarray(new) - mean) * np.asarray(1 / count, mean.dtype),
            memory["params"],
            whole(event.run.state.params),
        )
        return {"epochs": np.int64(count), "params": moved}

    def arrays(self, memory: Memory, state: State) -> tuple[Arrays, Arrays]:
        """The mean, with the buffers of the run; the run's own before `start`."""
        return memory["params"] if memory["epochs"] else state.params, state.buffers


def _toward(part: jax.Array) -> Callable[[jax.Array, jax.Array], jax.Array]:
    return lambda average, new: average + part.astype(average.dtype) * (new - average)


def _snapshot(value: float, epoch: int, state: State) -> Memory:
    facts = {"value": np.float64(value), "epoch": np.int64(epoch)}
    return facts | {"params": state.params, "buffers": state.buffers}


def column_value(row: Entry, column: str) -> float:
    """A value that is no finite number is null in a row."""
    return np.nan if row[column] is None else float(row[column])


def is_better(value: float, best: float, mode: Mode, least: float) -> bool:
    """Whether a value is better than the best one by more than `least`; NaN is worse than any."""
    if np.isnan(best):
        return not np.isnan(value)
    return bool(value < best - least if mode == "min" else value > best + least)


def require_mode(callback: object, mode: object) -> None:
    """Raise unless a mode is one."""
    if mode not in ("min", "max"):
        raise ArgumentError(f"{type(callback).__name__} takes mode of min, max, got {mode!r}.")


def require_column(callback: object, monitor: str, names: tuple[str, ...]) -> None:
    """Raise unless a row of an epoch has a column."""
    if monitor not in names:
        raise ArgumentError(
            f"{type(callback).__name__} takes monitor of {', '.join(names)}, got {monitor!r}.",
            help="pass validation=... to train.fit." if monitor.startswith("val_") else "",
        )
