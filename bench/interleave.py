"""Variants measured in turn, each round in another order, so that disturbance meets them all."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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

    def over(self, name: str, other: str) -> float:
        """How many times as long one variant takes as another, the median over the rounds."""
        timings = {timing.name: timing for timing in self.timings}
        return timings[name].over(timings[other])[1]

    def best(self) -> float:
        """How many times as long as the first the best of the others takes."""
        first, *others = self.timings
        return min(timing.over(first)[1] for timing in others)


def quartiles(values: Sequence[float]) -> Quartiles:
    low, middle, high = statistics.quantiles(values, n=4)
    return low, middle, high


def compare(
    group: str, asked: Mapping[str, Sequence[str]], rounds: int, seconds: float
) -> Iterator[Comparison]:
    """The time of each variant on each item of a group, in rounds of one slice each.

    Args:
        group: What the processes are told to hold: `bench.variants.runs`.
        asked: The variants of every item.
    """
    names = dict.fromkeys(name for some in asked.values() for name in some)
    workers = {name: _Worker(group, name) for name in names}
    try:
        for worker in workers.values():
            worker.answer()
        for item, some in asked.items():
            yield _compared(item, [workers[name] for name in some], rounds, seconds)
    finally:
        for worker in workers.values():
            worker.stop()


def _compared(item: str, workers: list[_Worker], rounds: int, seconds: float) -> Comparison:
    request = f"{seconds} {item}"
    slices = [_round(workers, request, random.Random(number)) for number in range(rounds)]
    timings = [_timing(w.name, [row[i] for row in slices]) for i, w in enumerate(workers)]
    return Comparison(item, tuple(timings), tuple(r["others"] for row in slices for r in row))


def _round(workers: list[_Worker], request: str, rng: random.Random) -> list[dict[str, Any]]:
    """A slice of each; a fixed order would always put the same variant after the same other."""
    order = rng.sample(workers, len(workers))
    reports = {worker.name: worker.quiet_slice(request) for worker in order}
    return [reports[worker.name] for worker in workers]


def _timing(name: str, reports: list[dict[str, Any]]) -> Timing:
    wall, cpu = (tuple(1e6 * r[clock] / r["steps"] for r in reports) for clock in ("wall", "cpu"))
    return Timing(name, wall, cpu, max(r["peak"] for r in reports))


class _Worker:
    """A process of `bench.worker`, from here."""

    def __init__(self, group: str, name: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", group, name],
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

    def slice(self, request: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{request}\n")
        self.process.stdin.flush()
        return self.answer()

    def quiet_slice(self, request: str) -> dict[str, Any]:
        """The least disturbed of a few slices; the first that is quiet is taken."""
        tried = []
        for _ in range(ATTEMPTS):
            tried.append(self.slice(request))
            if tried[-1]["others"] <= QUIET:
                break
        return min(tried, key=lambda report: report["others"])

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


def in_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each, called in turns in this process.

    Each is called once more before it is timed, so that what waits by spinning has stopped.
    """
    turns = [{name: _after_one(work) for name, work in works.items()} for _ in range(rounds)]
    return {name: [turn[name] for turn in turns] for name in works}


def _after_one(work: Callable[[], object]) -> float:
    work()
    return seconds_of(work)


def seconds_of(work: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
