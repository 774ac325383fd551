"""The algorithm: interval bounds forward, linear bounds backward (CROWN), both rigorous.

Zhang et al. 2018, "Efficient Neural Network Robustness Certification with General Activation
Functions", theorem 3.2, with the rounding terms of docs/checker.md.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from dataclasses import fields

import numpy as np

from ._narrow import parts
from ._numbers import Arithmetic, Array, Enclosure, bounds
from ._program import Bounds, Program, Relax
from ._steps import (
    Affine,
    Bend,
    Box,
    Parts,
    Read,
    Relu,
    Smooth,
    affine_backward,
    bend_backward,
    collected,
    forward,
)


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
        if relax is not None and not isinstance(step, Affine):
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
    if isinstance(step, Relu | Smooth):
        values.sharp[program.entries(i)] |= values.sharp[at]


def tightened(program: Program, values: Bounds, at: Array, a: Arithmetic) -> Enclosure:
    """The interval bounds of entries, intersected with their linear ones."""
    old, found = values.at(at), [_ends(*part, a) for part in parts(program, values, at)]
    lower, upper = (np.concatenate(ends) for ends in zip(*found, strict=True))
    return bounds(np.maximum(old.lower, lower), np.minimum(old.upper, upper), a)


def _ends(program: Program, values: Bounds, a: Arithmetic) -> tuple[Array, Array]:
    """Linear bounds of the output, in one pass: each entry once with either sign."""
    size = program.output.count

    def rows(part: range) -> Array:
        made, entry = np.zeros((len(part), size)), np.r_[part]
        made[np.arange(len(part)), entry % size] = np.where(entry < size, 1, -1)
        return made

    found = least(program, values, program.output, 2 * size, rows, a)
    return found[:size], -found[size:]


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
