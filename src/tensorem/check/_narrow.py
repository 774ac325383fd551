"""The part of a program that some entries depend on: through windows, a small one."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ._numbers import Array
from ._program import Bounds, Program
from ._steps import Affine, Lines, Read, Stage, read

TOGETHER = 16
"""How many entries that stand one after the other share a part."""

Part = tuple[Program, Bounds]
"""A program whose output are some entries, and what is known of its values."""


def parts(program: Program, values: Bounds, at: Array) -> Iterator[Part]:
    """Programs for the entries at these positions, together all of them, in order.

    One for all, unless the first few depend on less than half of what stands before.
    """
    first = narrowed(program, values, at[:TOGETHER])
    if 2 * first[0].starts[-1] > at.max():
        yield replace(program, output=read(at)), values
        return
    yield first
    for start in range(TOGETHER, at.size, TOGETHER):
        yield narrowed(program, values, at[start : start + TOGETHER])


def narrowed(program: Program, values: Bounds, at: Array) -> Part:
    """What a backward pass from these entries reaches, as a program of its own."""
    last = bisect(program.starts, at.max())
    reached = np.zeros(program.starts[last], bool)
    reached[at] = True
    for i in range(last - 1, -1, -1):
        _reach(program.steps[i], values.lines.get(i), reached[program.entries(i)], reached)
    place, kept = np.cumsum(reached) - 1, np.flatnonzero(reached)
    found = Bounds(values.at(kept), values.sharp[kept])
    starts, steps = [0], list[Stage]()
    for i, step in enumerate(program.steps[:last]):
        own = np.flatnonzero(reached[program.entries(i)])
        if own.size and i in values.lines:
            found.lines[i] = _lines(values.lines[i], own, place)
        steps.append(_affine(step, own, place) if own.size and isinstance(step, Affine) else step)
        starts.append(starts[-1] + own.size)
        found.noise.append(values.noise[i][own])
        found.floor.append(values.floor[i])
    return Program(tuple(steps), tuple(starts), read(place[at]), frozenset()), found


def _reach(step: Stage, lines: Lines | None, own: Array, reached: Array) -> None:
    """Mark what a step reads to make those of its own that are marked; its places as a whole."""
    if isinstance(step, Affine):
        cells = own.reshape(len(step.weight), step.places, -1)
        places = np.flatnonzero(cells.any(axis=(0, 2)))
        cells[:, places] = True
        reached[_windows(step)[:, places]] = True
    elif lines is not None:
        for side in (lines.lower, lines.upper):
            reached[_own(_positions(side), own, own.size)] = True


def _affine(step: Affine, own: Array, place: Array) -> Affine:
    """The step at those places alone that make some of these entries."""
    batch, _, out = step.weight.shape
    places = own[: own.size // batch : out] // out
    return replace(
        step,
        read=read(place[_windows(step)[:, places]]),
        places=places.size,
        bias=step.bias[own],
        bias_slack=step.bias_slack[own],
    )


def _windows(step: Affine) -> Array:
    """The positions that are read: (batch, places, how many for each)."""
    return _positions(step.read).reshape(len(step.weight), step.places, -1)


def _lines(lines: Lines, own: Array, place: Array) -> Lines:
    """The lines of these entries."""
    count, below = lines.offset.size, lines.lower_offset
    lower = upper = read(place[_own(_positions(lines.lower), own, count)])
    if lines.upper is not lines.lower:
        upper = read(place[_own(_positions(lines.upper), own, count)])
    return Lines(
        lower,
        _own(lines.lower_slope, own, count),
        upper,
        _own(lines.upper_slope, own, count),
        lines.offset[own],
        lines.noise[own],
        None if below is None else below[own],
    )


def _own(values: Array, own: Array, count: int) -> Array:
    """Of what so many entries read, one or two numbers each, that of some of them."""
    return values.reshape(-1, count)[:, own].ravel()


def _positions(source: Read) -> Array:
    at = source.at
    return np.arange(at.start, at.stop) if isinstance(at, slice) else at
