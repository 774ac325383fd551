"""Durations: what a schedule counts in when it does not count steps."""

from __future__ import annotations

from collections.abc import Callable

from ._declare import duration
from ._description import Clock
from ._kinds import Above0, Part


@duration
def epochs(count: Above0) -> Callable[[Clock], float]:
    """So many epochs, of which a run knows the steps; half an epoch too.

    Raises:
        ArgumentError: count is not above 0.

    Example:
        >>> from tensorem.optim import step_lr
        >>> step_lr(0.1, step_size=epochs(30)).over(steps_per_epoch=100, epochs=90)
        step_lr(lr=0.1, step_size=3000, gamma=0.1)
    """
    return lambda clock: count * clock.steps_per_epoch


@duration
def fraction(part: Part) -> Callable[[Clock], float]:
    """A part of the run; of what is left of it, within `warmup_lr` and `sequential_lr`.

    Raises:
        ArgumentError: part is not in (0, 1].

    Example:
        >>> from tensorem.optim import cosine_lr
        >>> cosine_lr(0.1, fraction(0.5)).over(steps_per_epoch=100, epochs=90)
        cosine_lr(lr=0.1, total_steps=4500, min_lr=0.0)
    """
    return lambda clock: part * clock.steps


WHOLE = fraction(1.0)
