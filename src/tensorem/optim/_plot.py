"""A schedule drawn in text."""

from __future__ import annotations

import numpy as np

from ._description import Clock, Schedule, over

_WIDTH, _HEIGHT = 60, 8


def plot(schedule: Schedule, steps: int, steps_per_epoch: int = 1) -> str:
    """The learning rate over the steps of a run, in lines of text.

    Args:
        steps: How many steps are drawn; what counts in fractions counts in these.
        steps_per_epoch: For schedules that count epochs.

    Example:
        >>> from tensorem.optim import step_lr
        >>> print(plot(step_lr(1.0, 20, 0.5), 60))
                1 |********************
            0.857 |
            0.714 |
            0.571 |                    ********************
            0.429 |
            0.286 |                                        ********************
            0.143 |
                0 |
                  +------------------------------------------------------------
             step  0                                                         59
    """
    function = over(schedule, Clock(steps_per_epoch, steps)).function()
    at = np.linspace(0, max(steps - 1, 0), min(_WIDTH, steps)).round().astype(int)
    rates = [float(np.asarray(function(int(t)))) for t in at]
    top = max(rates) or 1.0
    levels = [round(rate / top * (_HEIGHT - 1)) for rate in rates]
    lines = [
        f"{top * row / (_HEIGHT - 1):9.3g} |" + "".join(" *"[level == row] for level in levels)
        for row in reversed(range(_HEIGHT))
    ]
    axis = " " * 9 + " +" + "-" * len(rates)
    return "\n".join(
        [*map(str.rstrip, lines), axis, f"{'step':>9}  0{steps - 1:>{len(rates) - 1}}"]
    )
