"""Settings of a measured process; they come first, before JAX or PyTorch is loaded."""

from __future__ import annotations

import os

THREADS = 2


def limit_threads() -> None:
    """Keep to as many cores as there are threads; XLA takes one thread for each core it sees."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:THREADS])
