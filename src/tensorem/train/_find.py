"""The range of learning rates in which a model learns, and a number of steps by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem import nn, optim
from tensorem.calls import ABOVE_0, called, integer, named, number
from tensorem.errors import ArgumentError

from ._checks import checked
from ._feed import Batches, Data, examples, feed
from ._objective import Score, Seeing
from ._pace import Pace
from ._record import Record
from ._runner import Runner
from ._state import State
from ._task import Task


@dataclass(frozen=True, eq=False)
class RateCurve:
    """The loss of each step while the learning rate grew.

    Args:
        rates: The learning rates, growing.
        losses: The mean losses of their batches, before the step; up to where they left the range.
    """

    rates: NDArray[Any]
    losses: NDArray[Any]

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss falls most steeply."""
        return float(self.rates[int(np.argmin(np.gradient(self._smoothed())))])

    def plot(self) -> str:
        """The smoothed loss over the rates, in lines of text."""
        shown = np.linspace(0, len(self.rates) - 1, min(60, len(self.rates))).round().astype(int)
        smoothed = self._smoothed()[shown]
        low, high = float(smoothed.min()), float(smoothed.max())
        levels = np.round((smoothed - low) / max(high - low, 1e-30) * 7).astype(int)
        lines = [
            f"{low + (high - low) * row / 7:9.3g} |" + "".join(" *"[int(n == row)] for n in levels)
            for row in reversed(range(8))
        ]
        axis = f"{'rate':>9}  {self.rates[0]:<.1e}{self.rates[-1]:>{max(len(shown) - 7, 9)}.1e}"
        return "\n".join([*map(str.rstrip, lines), " " * 9 + " +" + "-" * len(shown), axis])

    def _smoothed(self) -> NDArray[Any]:
        """The losses, each an average with those before it."""
        means, mean = [], float(self.losses[0])
        for loss in self.losses:
            mean = 0.9 * mean + 0.1 * float(loss)
            means.append(mean)
        return np.asarray(means)


@called
def lr_find(
    model: nn.Model,
    data: Data,
    loss: str | Score | Seeing = "cross_entropy",
    optimizer: Callable[[optim.Schedule], optim.Optimizer] = optim.adam,
    rates: tuple[float, float] = (1e-6, 1.0),
    *,
    steps: int = 100,
    batch_size: int = 32,
    seed: int = 0,
) -> RateCurve:
    """Train a copy with a rate that grows from step to step: where the loss falls, where it bursts.

    The model stays as it is, and no state is kept: what is trained after it has the same bytes as
    without it.

    Args:
        loss: As in `fit`.
        optimizer: What makes an optimizer of a schedule, such as `optim.sgd`.
        rates: The first and the last learning rate; between them it grows by one factor.
        steps: How many steps are tried.

    Raises:
        ArgumentError: A value out of its range, or the rates do not grow.
        DataError: The first loss is no finite number already.

    Example:
        >>> from tensorem import data, nn
        >>> model = nn.build(nn.Linear(4, 3), input=("N", 4))
        >>> curve = lr_find(model, data.iris().train)
        >>> 1e-4 < curve.suggestion < 1.0
        True

    Source:
        Smith 2017, section 3.3.
    """
    least, most = _range(rates)
    with named("lr_find"):
        steps = integer("steps", steps, 2)
    growth = (most / least) ** (1 / (steps - 1))
    runner = Runner(Task(model, loss, ()), optimizer(optim.exponential_lr(least, growth)))
    with model.precision():
        found = checked(runner.task, examples(data))
        state = runner.init(seed)
        _, losses = stepped(runner, state, feed(found, batch_size, seed), steps)
    usable = _usable(losses)
    return RateCurve((least * growth ** np.arange(steps))[:usable], losses[:usable])


def stepped(
    runner: Runner, state: State, batches: Batches, steps: int
) -> tuple[State, NDArray[Any]]:
    """So many steps from the first one on, over as many epochs as they need, and their losses."""
    losses, pace = [], Pace(every=steps)
    while int(state.step) < steps:
        state, record = _within(runner, state, batches, steps, pace)
        losses.append(record.losses())
    return state, np.concatenate(losses)


def _within(
    runner: Runner, state: State, batches: Batches, steps: int, pace: Pace
) -> tuple[State, Record]:
    """What is left of the epoch in which a state stands, up to a number of steps in all."""
    at = state, Record.empty(runner.task.names)
    for last in runner.chunks(*at, batches, pace):
        at = last
        if int(at[0].step) >= steps:
            break
    return at


def _usable(losses: NDArray[Any]) -> int:
    """How many losses there are before one is not finite, or is four times the least."""
    least = np.minimum.accumulate(losses)
    burst = ~np.isfinite(losses) | (losses > np.maximum(4 * least, least + 1))
    usable = int(np.argmax(burst)) if burst.any() else len(losses)
    if usable < 2:
        raise ArgumentError(
            f"lr_find takes a first rate at which the loss stays, got losses {losses[:2]}.",
            help="smaller rates=(..., ...).",
        )
    return usable


def _range(rates: object) -> tuple[float, float]:
    if not isinstance(rates, tuple) or len(rates) != 2:
        raise ArgumentError(f"lr_find takes rates as a pair, got {rates!r}.")
    with named("lr_find"):
        least, most = (number("rates", rate, ABOVE_0) for rate in rates)
    if least >= most:
        raise ArgumentError(f"lr_find takes rates that grow, got {rates}.")
    return least, most
