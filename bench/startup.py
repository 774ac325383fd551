"""`tensorem demo` from start to end: once with everything to compile, then from the cache."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.load import busy_seconds, share_of_others


@dataclass(frozen=True)
class Start:
    """One run of the whole demo.

    Args:
        seconds: From start to end.
        cpu: Processor time of all its processes.
        others: Share of the machine that other processes took meanwhile.
    """

    seconds: float
    cpu: float
    others: float


@dataclass(frozen=True)
class Startup:
    """Runs of the demo with an empty compile cache, and of the second time."""

    cold: tuple[Start, ...]
    warm: tuple[Start, ...]


def startup(repetitions: int) -> Startup:
    """Run the demo twice in a fresh cache folder, so many times."""
    pairs = [_cold_and_warm() for _ in range(repetitions)]
    cold, warm = zip(*pairs, strict=True)
    return Startup(cold, warm)


def _cold_and_warm() -> tuple[Start, Start]:
    with tempfile.TemporaryDirectory() as folder:
        return _measured(Path(folder), "first"), _measured(Path(folder), "second")


def _measured(folder: Path, name: str) -> Start:
    busy, own, started = busy_seconds(), _children(), time.perf_counter()
    _demo(folder, name)
    seconds, cpu = time.perf_counter() - started, _children() - own
    return Start(seconds, cpu, share_of_others(busy_seconds() - busy, cpu, seconds))


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _demo(folder: Path, name: str) -> None:
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tensorem", "demo", "--path", str(folder / name)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"tensorem demo ended with code {done.returncode}:\n{done.stderr}")
