"""Variants measured in turn, each round in another order, so that disturbance meets them all."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

QUIET = 0.08
"""Share of the machine that other processes may take in a slice; else it is measured again."""
ATTEMPTS = 4

Quartiles = tuple[float, float, float]
"""First quartile, median, third quartile."""


@dataclass(frozen=True)
class Timing:
    """What one variant needed.

    Args:
        name: The variant.
        wall: Microseconds per step in each round.
        cpu: The same in processor time of all threads; a thread that waits by spinning counts.
        peak: MiB of memory that its process held at most, libraries included (resident).
    """

    name: str
    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    peak: float

    def over(self, other: Timing) -> Quartiles:
        """How many times as long as another, round by round."""
        return quartiles([a / b for a, b in zip(self.wall, other.wall, strict=True)])


@dataclass(frozen=True)
class Comparison:
    """All variants of a workload in one run.

    Args:
        work: The workload.
        timings: One for each variant.
        others: Share of the machine that other processes took, in each slice.
    """

    work: str
    timings: tuple[Timing, ...]
    others: tuple[float, ...]


def quartiles(values: Sequence[float]) -> Quartiles:
    low, middle, high = statistics.quantiles(values, n=4)
    return low, middle, high


def compare(work: str, names: Sequence[str], rounds: int, seconds: float) -> Comparison:
    """The time of each variant of a workload, in rounds of one slice each."""
    workers = [_Worker(work, name) for name in names]
    try:
        for worker in workers:
            worker.answer()
        slices = [_round(workers, seconds, random.Random(number)) for number in range(rounds)]
    finally:
        for worker in workers:
            worker.stop()
    timings = [_timing(name, [row[i] for row in slices]) for i, name in enumerate(names)]
    return Comparison(work, tuple(timings), tuple(r["others"] for row in slices for r in row))


def _round(workers: list[_Worker], seconds: float, rng: random.Random) -> list[dict[str, Any]]:
    """A slice of each; a fixed order would always put the same variant after the same other."""
    order = rng.sample(workers, len(workers))
    reports = {worker.name: worker.quiet_slice(seconds) for worker in order}
    return [reports[worker.name] for worker in workers]


def _timing(name: str, reports: list[dict[str, Any]]) -> Timing:
    wall, cpu = (tuple(1e6 * r[clock] / r["steps"] for r in reports) for clock in ("wall", "cpu"))
    return Timing(name, wall, cpu, max(r["peak"] for r in reports))


class _Worker:
    """A process of `bench.worker`, from here."""

    def __init__(self, work: str, name: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", work, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with code {self.process.wait()}.")
        report: dict[str, Any] = json.loads(line)
        return report

    def slice(self, seconds: float) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return self.answer()

    def quiet_slice(self, seconds: float) -> dict[str, Any]:
        """The least disturbed of a few slices; the first that is quiet is taken."""
        tried = []
        for _ in range(ATTEMPTS):
            tried.append(self.slice(seconds))
            if tried[-1]["others"] <= QUIET:
                break
        return min(tried, key=lambda report: report["others"])

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)
