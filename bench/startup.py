"""`tensorem demo` from start to end: once with everything to compile, then from the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Startup:
    """Seconds of the whole demo.

    Args:
        cold: With an empty compile cache, one figure for each repetition.
        warm: The second time.
    """

    cold: tuple[float, ...]
    warm: tuple[float, ...]


def startup(repetitions: int) -> Startup:
    """Run the demo twice in a fresh cache folder, so many times."""
    pairs = [_cold_and_warm() for _ in range(repetitions)]
    cold, warm = zip(*pairs, strict=True)
    return Startup(cold, warm)


def _cold_and_warm() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        return _demo(Path(folder), "first"), _demo(Path(folder), "second")


def _demo(folder: Path, name: str) -> float:
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "NO_COLOR": "1"}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "tensorem", "demo", "--path", str(folder / name)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"tensorem demo ended with code {done.returncode}:\n{done.stderr}")
    return time.perf_counter() - started
