"""The algorithm: interval bounds forward, linear bounds backward (CROWN), both rigorous.

Zhang et al. 2018, "Efficient Neural Network Robustness Certification with General Activation
Functions", theorem 3.2, with the rounding terms of docs/checker.md.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ._numbers import Arithmetic, Array, Enclosure, bounds
from ._steps import (
    Affine,
    Bend,
    Box,
    Index,
    Lines,
    Max,
    Parts,
    Read,
    Relu,
    Stage,
    affine_backward,
    bend_backward,
    collected,
    forward,
    read,
)

CHUNK = 2**23
"""The most coefficients that a backward pass holds; more rows go in several passes."""


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


def propagate(program: Program, box: Enclosure, relax: Relax | None, a: Arithmetic) -> Bounds:
    """Bounds of every value for inputs in the box; intervals only where bends are not relaxed."""
    sharp = np.ones(program.starts[-1], bool)
    values = Bounds(Enclosure(*(a.zeros(program.starts[-1]) for _ in fields(Enclosure))), sharp)
    for i, step in enumerate(program.steps):
        sharp[program.entries(i)] = i not in program.tightened
        if isinstance(step, Box):
            found = box if step.bounds is None else step.bounds
            values.append(program.entries(i), found, 0 * found.size, a.tiny)
            continue
        if relax is not None and isinstance(step, Relu | Max):
            _relax(program, values, step, relax, a)
        x = values.at(step.read.at)
        lower, upper, noise = forward(step, x, a)
        found = bounds(lower, upper, a)
        values.append(program.entries(i), found, noise, a.tiny * (1 + x.size.sum()))
    return values


def _relax(program: Program, values: Bounds, step: Bend, relax: Relax, a: Arithmetic) -> None:
    """Bound what leaves the next step open backward, then draw its lines."""
    i, at = len(values.noise), step.read.at
    values.opened[i] = relax.opens(i, step, values.at(at))
    open_ = np.unique(np.arange(len(values.sharp))[at][values.opened[i]])
    loose = open_[~values.sharp[open_]]
    if loose.size:
        values.put(loose, tightened(program, values, loose, a))
        values.sharp[loose] = True
    values.lines[i] = relax.lines(i, step, values.at(at))
    if isinstance(step, Relu):
        values.sharp[program.entries(i)] |= values.sharp[at]


def tightened(program: Program, values: Bounds, at: Array, a: Arithmetic) -> Enclosure:
    """The interval bounds of entries, intersected with their linear ones."""
    old, size, source = values.at(at), at.size, read(at)
    lower = least(program, values, source, size, lambda p: np.eye(len(p), size, p.start), a)
    upper = -least(program, values, source, size, lambda p: -np.eye(len(p), size, p.start), a)
    return bounds(np.maximum(old.lower, lower), np.minimum(old.upper, upper), a)


def least(
    program: Program,
    values: Bounds,
    at: Read,
    count: int,
    rows_of: Callable[[range], Array],
    a: Arithmetic,
) -> Array:
    """`lowest` for so many rows, made and carried back in passes that fit in memory."""
    each = program.rows_at_once
    parts = [range(start, min(count, start + each)) for start in range(0, count, each)]
    return np.concatenate(
        [lowest(program, values, at, a.numbers(rows_of(part)), a) for part in parts]
    )


def lowest(program: Program, values: Bounds, at: Read, rows: Array, a: Arithmetic) -> Array:
    """A number below `rows @ (the entries read)` on the whole box, for each row.

    After each step, rows @ entries >= total - slop + open @ (all entries before that step).
    """
    last = bisect(program.starts, at.last) - 1
    open_ = a.zeros(len(rows), program.starts[last + 1])
    total = a.zeros(len(rows))
    slop = _add(open_, at, rows, values.bounds.size, a)
    for i in range(last, -1, -1):
        mine = open_[:, program.entries(i)]
        if not mine.any():
            continue
        term, error, parts = _step_back(program, values, i, mine, a)
        total = total + term
        slop = slop + error + values.floor[i] + a.gamma(0) * np.abs(total)
        for source, part in parts:
            slop = slop + _add(open_, source, part, values.bounds.size, a)
    return -a.up(2 * slop - total)


def _step_back(
    program: Program, values: Bounds, i: int, rows: Array, a: Arithmetic
) -> tuple[Array, Array, Parts]:
    """A constant term, the error made, and the rows on what the step reads."""
    step = program.steps[i]
    if isinstance(step, Affine):
        (term, parts), noise = affine_backward(step, rows, a), values.noise[i]
    elif i in values.lines:
        (term, parts), noise = bend_backward(values.lines[i], rows, a), values.lines[i].noise
    else:
        b = values.at(program.entries(i))
        term, parts = a.matmul(rows, b.middle) - a.matmul(np.abs(rows), b.radius), []
        noise = a.gamma(b.size.size) * b.size + a.tiny
    return term, a.matmul(np.abs(rows), noise), parts


def _add(open_: Array, source: Read, rows: Array, size: Array, a: Arithmetic) -> Array:
    """Add rows on what is read to the rows on all entries; the error that this makes."""
    before, sums, slop = open_[:, source.hit], collected(source, rows), a.zeros(len(rows))
    if source.groups is not None:
        slop = a.matmul(np.abs(rows), a.gamma(source.repeats) * size[source.at] + a.tiny)
    if before.any():
        sums = before + sums
        slop = slop + a.matmul(np.abs(sums), a.gamma(0) * size[source.hit] + a.tiny)
    open_[:, source.hit] = sums
    return slop
