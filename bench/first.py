"""From the start of a process to the end of its first step, with an empty and a full cache."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import process
from bench.variants import BY_HAND, OURS, PYTORCH, variants
from bench.workloads import FAMILIES, kind_of, workload


@dataclass(frozen=True)
class First:
    """One variant of a workload.

    Args:
        work: The workload, of which one batch is taken.
        variant: Its name.
        cold: Seconds with nothing compiled before.
        warm: The same when the process before it left its caches.
        peak: MiB that the cold process held at most, its libraries included.
    """

    work: str
    variant: str
    cold: float
    warm: float
    peak: float


def firsts(works: Iterator[str]) -> Iterator[First]:
    """Every variant that is asked for, of every workload, one after the other."""
    for work in works:
        for variant in asked(kind_of(work)):
            with tempfile.TemporaryDirectory() as folder:
                (cold, peak), (warm, _) = (_measured(work, variant, folder) for _ in range(2))
                yield First(work, variant, cold, warm, peak)


def asked(kind: str) -> list[str]:
    """Ours, JAX by hand, and PyTorch in one layout: eager and compiled."""
    fused = f"{PYTORCH} fused {'NHWC ' if FAMILIES[kind].images else ''}mallopt"
    wanted = (OURS, BY_HAND, "Flax NNX", "Equinox", fused, f"{fused} compile")
    return [name for name in variants(kind) if name in wanted]


def _measured(work: str, variant: str, folder: str) -> tuple[float, float]:
    """Seconds to the first step, and the most memory until then."""
    home = Path(folder)
    caches = {"XDG_CACHE_HOME": home, "TORCHINDUCTOR_CACHE_DIR": home / "torch"}
    if variant != OURS:  # which settles its own
        caches["JAX_COMPILATION_CACHE_DIR"] = home / "jax"
    settings = {
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bench.first", work, variant],
        env={**os.environ, **settings, **{k: str(v) for k, v in caches.items()}},
        stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    at, peak = json.loads(done.stdout)
    return at - started, peak


def main(name: str, variant: str) -> None:
    """One step, then the end: what time it is, and the most memory until then."""
    process.limit_threads()
    variants(kind_of(name))[variant](workload(name).first(), _end)


def _end(_: int) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([time.perf_counter(), peak]), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
