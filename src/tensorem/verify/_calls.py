"""What one call of an op does to boxes and to rows, compiled by itself.

A program of a whole graph grows with the square of its depth, since every bend sends rows back
through all that lies before it. One program for each call and shape serves all layers that are
alike, of every graph, and may be fitted to how many rows there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from tensorem.domains import Diagonal, End, Interval, Lines
from tensorem.graph import Node
from tensorem.ops import Op
from tensorem.ops._derive import Box, boxed
from tensorem.ops._op import Attrs, Rule, results

Masks = tuple[Array | None, ...]
"""For each operand that varies, one truth for each entry."""
Rows = tuple[Array | None, ...]
"""Coefficients on several values, (rows, *shape) each; None are all zero."""


@dataclass(frozen=True)
class Call:
    """An op with its attributes, and which of its operands vary.

    The programs below take operands with a leading axis of boxes where they vary, and no such axis
    where they are constants.
    """

    op: Op
    attrs: Attrs
    varies: tuple[bool, ...]

    @staticmethod
    def of(node: Node, varying: frozenset[str]) -> Call:
        """The call of a node, where the values of these names vary."""
        attrs = tuple(sorted(node.attrs.items()))
        return Call(node.row, attrs, tuple(name in varying for name in node.inputs))

    def lines(self, *boxes: Box) -> list[Lines]:
        """The linear bounds of each result."""
        return results(self.op.meaning("lines")(*boxes, **dict(self.attrs)))


@dataclass(frozen=True)
class Form:
    """What is known of the lines of a call, whatever the boxes are.

    Args:
        is_equation: They are affine functions of the operands.
        is_entrywise: An entry of a result depends on that entry of the operands alone.
    """

    is_equation: bool
    is_entrywise: bool


def form(call: Call, specs: tuple[jax.ShapeDtypeStruct, ...]) -> Form:
    """The form of a call on operands of these shapes, read off a trace."""
    found: list[Form] = []

    def trace(*boxes: Box) -> None:
        lines = call.lines(*boxes)
        found.append(Form(all(line.is_equation for line in lines), _are_diagonal(lines)))

    pairs = zip(specs, call.varies, strict=True)
    jax.eval_shape(trace, *(Interval(s, s) if varies else s for s, varies in pairs))  # type: ignore[arg-type]
    return found[0]


def _are_diagonal(lines: list[Lines]) -> bool:
    maps = [m for line in lines for m in (*line.lower, *line.upper) if m is not None]
    return all(isinstance(m, Diagonal) for m in maps)


# --- programs: (operands with their boxes) -> ...


@cache
def intervals(call: Call) -> Callable[..., tuple[Interval, ...]]:
    """Operands -> the intervals of the results."""
    rule = call.op.meaning("interval")

    def one(*boxes: Box) -> tuple[Interval, ...]:
        return tuple(results(rule(*map(boxed, boxes), **dict(call.attrs))))

    return _over_boxes(call, one)


@cache
def openings(call: Call) -> Callable[..., Masks]:
    """Operands -> where tighter ones would give tighter lines."""

    def one(*boxes: Box) -> Masks:
        if call.op.opens is not None:
            return tuple(results(call.op.opens(*boxes, **dict(call.attrs))))
        open_ = _open(call.lines(*boxes))
        return tuple(
            jnp.broadcast_to(open_, boxed(box).shape) if varies else None
            for box, varies in zip(boxes, call.varies, strict=True)
        )

    return _over_boxes(call, one)


def _open(lines: list[Lines]) -> Array:
    """Where lines that work entry by entry are not one; everywhere for others."""
    if not _are_diagonal(lines):
        return jnp.asarray(True)
    apart = [
        differs
        for line in lines
        for differs in (
            jnp.asarray(line.lower_offset) != line.upper_offset,
            *(_unlike(*pair) for pair in zip(line.lower, line.upper, strict=True)),
        )
    ]
    return jnp.any(jnp.stack(jnp.broadcast_arrays(*apart)), axis=0)


def _unlike(below: object, above: object) -> Array:
    low, high = (m.coefficient if isinstance(m, Diagonal) else 0.0 for m in (below, above))
    return jnp.asarray(low != high)


@cache
def evidence(call: Call) -> Callable[..., dict[str, Array]]:
    """Operands -> what the checker needs to draw the lines of the result."""
    rule: Rule = call.op.evidence  # type: ignore[assignment]

    def one(*boxes: Box) -> dict[str, Array]:
        told: dict[str, Array] = rule(*boxes, *call.lines(*boxes), **dict(call.attrs))
        return told

    return _over_boxes(call, one)


@cache
def backward(call: Call) -> Callable[..., tuple[Array, Rows]]:
    """(what rows have come to, rows on the results, operands) -> the same, rows on the operands."""

    def one(total: Array, rows: Rows, *boxes: Box) -> tuple[Array, Rows]:
        parts: list[Array | None] = [None] * len(boxes)
        for a, lines in zip(rows, call.lines(*boxes), strict=True):
            if a is not None:
                total = total + _through(a, lines, parts)
        return total, tuple(parts)

    return _over_boxes(call, one, given=2)


def _through(a: Array, lines: Lines, parts: list[Array | None]) -> Array:
    """Send rows through lines: adds to the rows on every operand, gives what the offsets make."""
    if lines.is_equation:
        _send(a, lines.lower, parts)
        return contract(a, lines.lower_offset)
    positive, negative = jnp.maximum(a, 0), jnp.minimum(a, 0)
    _send(positive, lines.lower, parts)
    _send(negative, lines.upper, parts)
    return contract(positive, lines.lower_offset) + contract(negative, lines.upper_offset)


def _send(a: Array, maps: tuple[Any, ...], parts: list[Array | None]) -> None:
    for i, linear in enumerate(maps):
        if linear is not None:
            sent, before = jax.vmap(linear.transpose)(a), parts[i]
            parts[i] = sent if before is None else before + sent


def contract(a: Array, x: End) -> Array:
    """The product of every row with one array; a zero coefficient ignores an infinite bound."""
    terms = jnp.where(a == 0, 0.0, a * x)
    return jnp.sum(terms, axis=tuple(range(1, a.ndim)))


def _over_boxes(call: Call, one: Callable[..., Any], given: int = 0) -> Callable[..., Any]:
    """A function of one box compiled for several, of which all but constants have an axis."""
    axes = (*(0,) * given, *(0 if varies else None for varies in call.varies))
    return jax.jit(jax.vmap(one, in_axes=axes))


# --- programs without an op


@jax.jit
def at_box(total: Array, rows: Array, box: Interval) -> Array:
    """What rows have come to, and the least that they are on the box of the input."""

    def one(total: Array, a: Array, box: Interval) -> Array:
        low = contract(jnp.maximum(a, 0), box.lower)
        return total + low + contract(jnp.minimum(a, 0), box.upper)

    return jax.vmap(one)(total, rows, box)


@jax.jit
def units(places: Array, like: Interval) -> Array:
    """Rows that are one entry each, (boxes, rows) of them, and then those of the opposite sign."""
    boxes, *shape = like.lower.shape
    rows = jax.nn.one_hot(places, like.lower[0].size, dtype=like.lower.dtype)
    return jnp.concatenate([rows, -rows], axis=1).reshape(boxes, -1, *shape)


@jax.jit
def met(box: Interval, places: Array, found: Array) -> Interval:
    """A box met with what was found for `units` of some places."""
    low, high = jnp.split(found, 2, axis=1)

    def one(lower: Array, upper: Array, at: Array, low: Array, high: Array) -> tuple[Array, Array]:
        return lower.at[at].max(low), upper.at[at].min(-high)

    below, above = (jnp.reshape(end, (len(places), -1)) for end in (box.lower, box.upper))
    lower, upper = jax.vmap(one)(below, above, places, low, high)
    return Interval(lower.reshape(box.shape), upper.reshape(box.shape))
