"""A learning rate that falls when a value becomes no better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from tensorem.calls import ABOVE_0, AT_LEAST_0, among, integer, named, number
from tensorem.errors import ArgumentError

from ._callback import Memory, Rescale, When, require_scale
from ._callbacks import Mode, column_value, require_column, require_mode
from ._log import Entry, is_rate
from ._run import EpochEvent
from ._state import State


@dataclass(frozen=True)
class ReduceLROnPlateau:
    """Multiply the learning rate by a factor when a column has not become better for some epochs.

    It takes an optimizer with a scale, `optim.scaled(optim.adam(1e-3))`, whose every step is
    multiplied; groups keep their ratio, and a schedule goes on below it.

    Args:
        monitor: A column of the row of an epoch.
        factor: What the rate is multiplied by, below 1.
        patience: Epochs without a better value that are borne.
        threshold: By how much a value is to be better.
        threshold_mode: "rel": by this part of the best value; "abs": by this number.
        cooldown: Epochs after a reduction that do not count.
        min_lr: What the rate does not fall below; it takes an optimizer with one rate.
        eps: A reduction by no more than this is left out.
        mode: "min" where less is better, "max" where more is.
        name: Under which its memory is kept.

    Raises:
        ArgumentError: A value out of its range; at the start, a column that is not there, an
            optimizer without a scale, or several rates and a min_lr.

    Example:
        >>> from tensorem import data, nn, optim, train
        >>> model, iris = nn.build(nn.Linear(4, 3), input=("N", 4)), data.iris()
        >>> plateau = ReduceLROnPlateau("loss", factor=0.5, patience=0, threshold=0.9)
        >>> run = train.fit(model, iris.train, optimizer=optim.scaled(optim.sgd(0.1)), epochs=4,
        ...                 callbacks=plateau, progress="none")
        >>> [row["lr"] for row in run.history]
        [0.1, 0.1, 0.05, 0.025]

    Source:
        torch.optim.lr_scheduler.ReduceLROnPlateau, stepped at the end of each epoch.
    """

    monitor: str = "val_loss"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: int = 0
    min_lr: float = 0.0
    eps: float = 1e-8
    mode: Mode = "min"
    name: str = "plateau"
    when: ClassVar[When] = "epoch"

    def __post_init__(self) -> None:
        require_mode(self, self.mode)
        with named("ReduceLROnPlateau"):
            if number("factor", self.factor, ABOVE_0) >= 1:
                raise ArgumentError(f"takes factor below 1, got {self.factor!r}.")
            integer("patience", self.patience, 0)
            integer("cooldown", self.cooldown, 0)
            among("threshold_mode", self.threshold_mode, ("rel", "abs"))
            for name in ("threshold", "min_lr", "eps"):
                number(name, getattr(self, name), AT_LEAST_0)

    def init(self, state: State, names: tuple[str, ...]) -> Memory:
        """The best value, the bad epochs, and those of the cooldown that are left."""
        require_column(self, self.monitor, names)
        require_scale(self.name, state)
        rates = [name for name in names if is_rate(name)]
        if self.min_lr and len(rates) != 1:
            raise ArgumentError(
                f"ReduceLROnPlateau takes min_lr with one learning rate, got {len(rates)}."
            )
        best = np.inf if self.mode == "min" else -np.inf
        return {"best": np.float64(best), "bad": np.int64(0), "cooling": np.int64(0)}

    def update(self, memory: Memory, event: EpochEvent) -> Memory | Rescale:
        """Count the bad epochs; after too many of them the rate falls."""
        best, cooling = memory["best"], memory["cooling"]
        value = column_value(event.row, self.monitor)
        better = self._is_better(value, float(best))
        bad = 0 if better or cooling else int(memory["bad"]) + 1
        after = {
            "best": np.float64(value if better else best),
            "bad": np.int64(bad),
            "cooling": np.int64(max(cooling - 1, 0)),
        }
        if bad <= self.patience:
            return after
        after |= {"bad": np.int64(0), "cooling": np.int64(self.cooldown)}
        return Rescale(self._factor(event.row), after)

    def _is_better(self, value: float, best: float) -> bool:
        least = self.threshold if self.threshold_mode == "abs" else self.threshold * best
        if not np.isfinite(best):  # inf - inf is no number
            return not np.isnan(value)
        return value < best - least if self.mode == "min" else value > best + least

    def _factor(self, row: Entry) -> float:
        """What the rate is multiplied by: of several rates the greatest says how far."""
        lr = max((rate for name, rate in row.items() if is_rate(name)), default=1.0)
        after = max(lr * self.factor, self.min_lr)
        return after / lr if lr - after > self.eps else 1.0
