"""One variant in a process of its own: it trains while the parent asks it to, and reports."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping

from bench import process
from bench.variants import variants
from bench.workloads import workload

WARM_UP = 0.7
"""Seconds of training after the first epoch before anything is measured."""


class Stopwatch:
    """Told of each epoch; where a slice is over, it reports and waits for the next request."""

    def __init__(self) -> None:
        self.until: float | None = None
        self.warm = False
        self.begin()

    def begin(self) -> None:
        self.steps, self.wall, self.cpu = 0, time.perf_counter(), time.process_time()

    def tick(self, steps: int) -> None:
        now, used = time.perf_counter(), time.process_time()
        self.steps += steps
        if self.until is None:
            self.until = now + WARM_UP
        if now < self.until:
            return
        if self.warm:
            report: Mapping[str, object] = {
                "steps": self.steps,
                "wall": now - self.wall,
                "cpu": used - self.cpu,
            }
        else:
            report, self.warm = {"ready": True}, True
        self.answer(report)

    def answer(self, report: Mapping[str, object]) -> None:
        print(json.dumps(report), flush=True)
        request = sys.stdin.readline()
        if not request.strip():
            raise SystemExit
        self.begin()
        self.until = self.wall + float(request)


def main(name: str, variant: str) -> None:
    """Train until the parent closes the input."""
    process.limit_threads()
    work = workload(name)
    variants(work.kind)[variant](work, Stopwatch().tick)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
