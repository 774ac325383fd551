"""Settings of a measured process; they come first, before JAX or PyTorch is loaded."""

from __future__ import annotations

import ctypes
import os

THREADS = 2
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def limit_threads() -> None:
    """Keep to as many cores as there are threads; XLA takes one thread for each core it sees."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:THREADS])


def keep_freed_memory() -> None:
    """The allocator setting of `tensorem.runtime`: what is freed is kept, and not touched anew."""
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(_M_TOP_PAD, 64 << 20)
