"""A graph as steps, and what is known about the values of them on a box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from ._numbers import Array, Enclosure
from ._steps import Bend, Index, Lines, Read, Stage

CHUNK = 2**19
"""The most coefficients that a backward pass holds, few enough for the cache of a processor; more
rows go in several passes."""


@dataclass(frozen=True)
class Program:
    """A graph as steps.

    Args:
        steps: The steps; each reads only entries of steps before it.
        starts: The position of the first entry of each step, and the number of all entries.
        output: The entries that are the result.
        tightened: The steps whose interval bounds a backward pass may improve.
        spent: How many entries the lowering made.
        work: How many multiplications it took.
    """

    steps: tuple[Stage, ...]
    starts: tuple[int, ...]
    output: Read
    tightened: frozenset[int]
    spent: int = 0
    work: int = 0

    def entries(self, i: int) -> slice:
        """The positions of step i."""
        return slice(self.starts[i], self.starts[i + 1])

    @property
    def rows_at_once(self) -> int:
        """How many rows of coefficients on all entries a backward pass carries."""
        return max(1, CHUNK // self.starts[-1])


@dataclass(frozen=True)
class Bounds:
    """What is known about the values on the box.

    Args:
        bounds: Every entry lies in them.
        noise: How far a step may be from what float64 makes of it, per entry.
        floor: The same for underflow, per row.
        lines: The lines of every bend that the certificate relaxes.
        opened: Which cells of those leave them open, by their intervals.
        sharp: The entries whose bounds another backward pass would not improve.
    """

    bounds: Enclosure
    sharp: Array
    noise: list[Array] = field(default_factory=list)
    floor: list[Any] = field(default_factory=list)
    lines: dict[int, Lines] = field(default_factory=dict)
    opened: dict[int, Array] = field(default_factory=dict)

    def at(self, entries: Index) -> Enclosure:
        """The bounds of some entries."""
        return self.bounds.map(lambda v: v[entries])

    def put(self, entries: Index, found: Enclosure) -> None:
        """Set the bounds of some entries."""
        for part in fields(Enclosure):
            getattr(self.bounds, part.name)[entries] = getattr(found, part.name)

    def append(self, entries: slice, found: Enclosure, noise: Array, floor: Any) -> None:
        """Add what is known about one more step."""
        self.put(entries, found)
        self.noise.append(noise)
        self.floor.append(floor)


@dataclass(frozen=True)
class Relax:
    """How bends are relaxed: from the number of a step, the step, and the bounds of what it reads.

    Args:
        lines: Its lines.
        opens: Which of the cells that it reads are bounded backward first.
    """

    lines: Callable[[int, Bend, Enclosure], Lines]
    opens: Callable[[int, Bend, Enclosure], Array]
