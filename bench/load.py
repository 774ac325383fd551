"""What other processes took of the machine while something was measured."""

from __future__ import annotations

import os
from pathlib import Path


def busy_seconds() -> float:
    """Time that all processors together have worked since the machine started."""
    user, nice, system, _, _, irq, soft, steal = map(
        int, Path("/proc/stat").read_text().split()[1:9]
    )
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def share_of_others(busy: float, own: float, wall: float) -> float:
    """The part of the machine, from 0 to 1, that was busy with something else.

    Args:
        busy: Seconds that all processors worked meanwhile.
        own: Those of them that belong to what was measured.
        wall: Seconds that went by.
    """
    return max(0.0, (busy - own) / wall / (os.cpu_count() or 1))
