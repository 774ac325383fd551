"""Calls one after the other, compiled together.

A program of a whole graph grows with the square of its depth, since every bend sends rows back
through all that lies before it. A program of a few calls serves all places that are alike, of every
graph, and may be fitted to how many rows there are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from tensorem.domains import End, Interval
from tensorem.ops._derive import boxed

from ._calls import Known, Masks, Rest, Step, contract, evidence, intervals, of, openings, through
from ._windows import path_of, seen


@dataclass(frozen=True)
class Piece:
    """Calls one after the other.

    Args:
        steps: They; their values are numbered as they first occur.
        varies: Of each value, whether it depends on the input of the graph.
        source: The number of that input, where it occurs.
    """

    steps: tuple[Step, ...]
    varies: tuple[bool, ...]
    source: int | None

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Worked out once: a program is looked up at every call."""
        return hash((self.steps, self.varies, self.source))


@cache
def forward(piece: Piece, opens: bool) -> Callable[[Known], tuple[dict[int, Interval], Masks]]:
    """What is known -> the intervals of all results, by number.

    Of a piece that `opens` the last call is not made; told is where it is open.
    """
    made, last = (piece.steps[:-1], piece.steps[-1]) if opens else (piece.steps, None)

    def one(known: Known) -> tuple[dict[int, Interval], Masks]:
        found: dict[int, Interval] = {}
        for step in made:
            boxes = of(known, step.operands, found)
            found.update(zip(step.results, intervals(step.call, boxes), strict=True))
        return found, openings(last.call, of(known, last.operands, found)) if last else ()

    return _over_boxes(piece, one)


@cache
def told(piece: Piece) -> Callable[[Known], dict[int, dict[str, Array]]]:
    """What is known -> the evidence of each result that has some, by number."""
    bends = [step for step in piece.steps if step.call.op.evidence is not None]

    def one(known: Known) -> dict[int, dict[str, Array]]:
        return {step.results[0]: evidence(step.call, of(known, step.operands)) for step in bends}

    return _over_boxes(piece, one)


@cache
def backward(piece: Piece, ends: bool) -> Callable[[Array, Rest, Known], tuple[Array, Rest]]:
    """(what rows have come to, rows, what is known) -> the same, on values before the piece.

    Where it `ends` at the input, the rows come to the least that they are on its box.
    """

    def one(total: Array, rest: Rest, known: Known) -> tuple[Array, Rest]:
        return _onward(piece, total, dict(rest), known, ends)

    return _over_boxes(piece, one, given=2)


@cache
def bounded(piece: Piece, start: int, ends: bool) -> Callable[[End, Known], tuple[Array, Rest]]:
    """(places, what is known) -> as `backward`, for rows that are one entry of a value each.

    There are (boxes, rows) places, and then the same rows of the opposite sign; a place beyond the
    value is a row of zeros.
    """

    def one(places: Array, known: Known) -> tuple[Array, Rest]:
        path = path_of(reversed(piece.steps), start, known)
        first = seen(path, start, places, known) if path else _units(piece, start, places, known)
        return _onward(piece, *first, known, ends)

    return _over_boxes(piece, one, given=1)


def _units(piece: Piece, start: int, places: Array, known: Known) -> tuple[Array, Rest]:
    """Rows of one entry of a value each, and their opposites: beyond the calls that are affine,
    which they pass once for both."""
    shape = boxed(*of(known, (start,))).shape
    rows = jax.nn.one_hot(places, math.prod(shape)).reshape(-1, *shape)
    rest = {start: rows}
    steps = itertools.takewhile(lambda step: _is_equation(step, known), reversed(piece.steps))
    total = _carry(steps, jnp.zeros(len(rows), rows.dtype), rest, known)
    return jnp.concatenate([total, -total]), {i: jnp.concatenate([a, -a]) for i, a in rest.items()}


def _is_equation(step: Step, known: Known) -> bool:
    return all(line.is_equation for line in step.call.lines(*of(known, step.operands)))


@jax.jit
def met(box: Interval, places: Array, found: Array) -> Interval:
    """A box met with what was found for rows of one entry each; places beyond it are left out."""
    low, high = jnp.split(found, 2, axis=1)

    def one(lower: Array, upper: Array, at: Array, low: Array, high: Array) -> tuple[Array, Array]:
        return lower.at[at].max(low, mode="drop"), upper.at[at].min(-high, mode="drop")

    below, above = (jnp.reshape(end, (len(places), -1)) for end in (box.lower, box.upper))
    lower, upper = jax.vmap(one)(below, above, places, low, high)
    return Interval(lower.reshape(box.shape), upper.reshape(box.shape))


@jax.jit
def at_box(total: Array, rows: Array, box: Interval) -> Array:
    """What rows have come to, and the least that they are on the box of the input."""
    return jax.vmap(_least)(total, rows, box)


def _onward(piece: Piece, total: Array, rest: Rest, known: Known, ends: bool) -> tuple[Array, Rest]:
    """Send rows backward through a piece; what they have come to, and those on values before it."""
    total = _carry(reversed(piece.steps), total, rest, known)
    return (_at_box(piece, total, rest, known), rest) if ends else (total, rest)


def _carry(steps: Iterable[Step], total: Array, rest: Rest, known: Known) -> Array:
    """Send rows backward through calls: changes the rows, gives what they have come to."""
    for step in steps:
        given = [rest.pop(result, None) for result in step.results]
        if all(a is None for a in given):
            continue
        parts: list[Array | None] = [None] * len(step.operands)
        for a, lines in zip(given, step.call.lines(*of(known, step.operands)), strict=True):
            if a is not None:
                total = total + through(a, lines, parts)
        for operand, part in zip(step.operands, parts, strict=True):
            if part is not None:
                rest[operand] = rest[operand] + part if operand in rest else part
    return total


def _at_box(piece: Piece, total: Array, rest: Rest, known: Known) -> Array:
    """The least that rows are on the box of the input; without rows the lines were flat."""
    if piece.source is None or piece.source not in rest:
        return total
    [box] = map(boxed, of(known, (piece.source,)))
    return _least(total, rest.pop(piece.source), box)


def _least(total: Array, a: Array, box: Interval) -> Array:
    low = contract(jnp.maximum(a, 0), box.lower)
    return total + low + contract(jnp.minimum(a, 0), box.upper)


def _over_boxes(piece: Piece, one: Callable[..., Any], given: int = 0) -> Callable[..., Any]:
    """A function of one box compiled for several, of which all but constants have an axis."""
    axes = tuple(0 if varies else None for varies in piece.varies)
    return jax.jit(jax.vmap(one, in_axes=(*(0,) * given, axes)))
