"""One variant in a process of its own: it works while the parent asks it to, and reports."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Generator

from bench import process
from bench.load import busy_seconds, share_of_others
from bench.variants import runs

WARM_UP = 0.7
"""Seconds of work after the first epoch before anything is measured."""
LEAD_IN = 0.05
"""Seconds of work at the start of a slice that do not count: caches fill with what this
process needs, and the threads of the process before it stop waiting by spinning."""

Epochs = Generator[str, int, None]
"""What waits for the steps of each epoch, and says on what the next one is to work."""


def measured() -> Epochs:
    """Warm up, then one slice for each line that the parent writes."""
    yield ""
    yield from _work_for(WARM_UP, "")
    report: dict[str, object] = {"ready": True}
    while True:
        print(json.dumps(report), flush=True)
        seconds, _, item = sys.stdin.readline().strip().partition(" ")
        if not seconds:
            raise SystemExit
        yield from _work_for(LEAD_IN, item)
        report = yield from _slice(float(seconds), item)


def _slice(seconds: float, item: str) -> Generator[str, int, dict[str, object]]:
    busy, cpu, wall = busy_seconds(), time.process_time(), time.perf_counter()
    steps = yield from _work_for(seconds, item)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    others = share_of_others(busy_seconds() - busy, cpu, wall)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"steps": steps, "wall": wall, "cpu": cpu, "others": others, "peak": peak}


def _work_for(seconds: float, item: str) -> Generator[str, int, int]:
    """Whole epochs until the time is over; the steps that they had."""
    steps, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        steps += yield item
    return steps


def main(group: str, variant: str) -> None:
    """Work until the parent closes the input."""
    process.limit_threads()
    epochs = measured()
    next(epochs)
    runs(group)[variant](epochs.send)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
