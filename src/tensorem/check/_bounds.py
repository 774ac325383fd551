"""The algorithm: interval bounds forward, linear bounds backward (CROWN), both rigorous.

Zhang et al. 2018, "Efficient Neural Network Robustness Certification with General Activation
Functions", theorem 3.2, with the rounding terms of docs/checker.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._numbers import Arithmetic, Array, Bounds, bounds
from ._steps import (
    Affine,
    Gather,
    Input,
    Lines,
    Max,
    Relu,
    Scale,
    Step,
    Sum,
    backward,
    bend_backward,
    forward,
    lines,
)

CHUNK = 2**23
"""The most coefficients that a backward pass holds; more rows go in several passes."""


@dataclass(frozen=True)
class Program:
    """A graph as steps; step i reads only steps before i.

    Args:
        steps: The steps.
        output: The step that gives the result.
        tightened: The steps whose interval bounds are improved by a backward pass.
        width: The most entries that a backward pass holds coefficients of at a time.
    """

    steps: tuple[Step, ...]
    output: int
    tightened: frozenset[int]
    width: int


@dataclass(frozen=True)
class Values:
    """What is known about every step's value on the box.

    Args:
        bounds: Every entry lies in them.
        noise: How far a step may be from what float64 makes of it, per entry.
        floor: The same for underflow, per row.
        lines: The lines of every bend that the certificate relaxes.
    """

    bounds: list[Bounds] = field(default_factory=list)
    noise: list[Array] = field(default_factory=list)
    floor: list[Any] = field(default_factory=list)
    lines: dict[int, Lines] = field(default_factory=dict)


Tensors = Mapping[str, Array]


def propagate(program: Program, box: Bounds, tensors: Tensors | None, a: Arithmetic) -> Values:
    """Bounds of every value for inputs in the box; intervals only where no slopes are given."""
    values = Values()
    for i, step in enumerate(program.steps):
        _append(values, step, box, a)
        if tensors is not None and i in program.tightened:
            values.bounds[i] = _tightened(program, values, i, a)
        if tensors is not None and isinstance(step, Relu | Max):
            values.lines[i] = lines(step, values.bounds[step.sources[0]], tensors, a)
    return values


def _append(values: Values, step: Step, box: Bounds, a: Arithmetic) -> None:
    sources = [values.bounds[s] for s in sources_of(step)]
    if isinstance(step, Input):
        found, noise = box, 0 * box.size
    else:
        lower, upper, noise = forward(step, sources, a)
        found = bounds(lower, upper, a)
    values.bounds.append(found)
    values.noise.append(noise)
    values.floor.append(a.tiny * (1 + sum(x.size.sum() for x in sources)))


def sources_of(step: Step) -> tuple[int, ...]:
    """The steps that a step reads."""
    return getattr(step, "sources", ())


def _tightened(program: Program, values: Values, i: int, a: Arithmetic) -> Bounds:
    """The interval bounds of step i, intersected with its linear ones."""
    old = values.bounds[i]
    size = old.size.size
    lower = least(program, values, i, size, lambda p: np.eye(len(p), size, p.start), a)
    upper = -least(program, values, i, size, lambda p: -np.eye(len(p), size, p.start), a)
    return bounds(np.maximum(old.lower, lower), np.minimum(old.upper, upper), a)


def least(
    program: Program,
    values: Values,
    at: int,
    count: int,
    rows_of: Callable[[range], Array],
    a: Arithmetic,
) -> Array:
    """`lowest` for so many rows, made and carried back in passes that fit in memory."""
    each = max(1, CHUNK // program.width)
    parts = [range(start, min(count, start + each)) for start in range(0, count, each)]
    return np.concatenate(
        [lowest(program, values, at, a.numbers(rows_of(part)), a) for part in parts]
    )


def lowest(program: Program, values: Values, at: int, rows: Array, a: Arithmetic) -> Array:
    """A number below `rows @ (value of step at)` on the whole box, for each row.

    After each step, rows @ value >= total - slop + the sum over open steps of open[s] @ value[s].
    """
    open_: dict[int, Array] = {at: rows}
    total = slop = a.numbers(np.zeros(len(rows)))
    for i in range(at, -1, -1):
        if i not in open_:
            continue
        rows = open_.pop(i)
        term, error, parts = _step_back(program.steps[i], values, i, rows, a)
        total = total + term
        slop = slop + error + values.floor[i] + a.gamma(0) * np.abs(total)
        for source, part in parts:
            slop = slop + _add_rows(open_, source, part, values, a)
    return -a.up(2 * slop - total)


def _step_back(
    step: Step, values: Values, i: int, rows: Array, a: Arithmetic
) -> tuple[Array | int, Array, list[tuple[int, Array]]]:
    """A constant term, the error made, and the rows on what the step reads."""
    size = np.abs(rows)
    match step:
        case Gather() | Affine() | Scale() | Sum():
            parts, term = backward(step, rows, a)
            return (
                term,
                a.matmul(size, values.noise[i]),
                list(zip(step.sources, parts, strict=True)),
            )
        case Relu() | Max() if i in values.lines:
            line, (source,) = values.lines[i], step.sources
            part, term = bend_backward(line, rows, values.bounds[source].size.size, a)
            return term, a.matmul(size, line.noise), [(source, part)]
        case _:
            b = values.bounds[i]
            term = a.matmul(rows, b.middle) - a.matmul(size, b.radius)
            return term, a.matmul(size, a.gamma(b.size.size) * b.size + a.tiny), []


def _add_rows(
    open_: dict[int, Array], source: int, part: Array, values: Values, a: Arithmetic
) -> Array | int:
    """Add rows to those that other users of the same value left; the error that this makes."""
    if source not in open_:
        open_[source] = part
        return 0
    open_[source] = open_[source] + part
    return a.matmul(np.abs(open_[source]), a.gamma(0) * values.bounds[source].size + a.tiny)
