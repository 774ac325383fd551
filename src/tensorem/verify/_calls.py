"""What one call of an op does to boxes and to rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from tensorem.domains import Diagonal, End, Interval, Lines
from tensorem.graph import Node
from tensorem.ops import Op
from tensorem.ops._derive import Box, boxed
from tensorem.ops._op import Attrs, results

Masks = tuple[Array | None, ...]
"""For each operand that varies, one truth for each entry."""
Rest = dict[int, Array]
"""Rows of coefficients on some values, (rows, *shape) each, by number."""
Known = tuple[Box | None, ...]
"""What is known of each value, by number, where it is needed."""


@dataclass(frozen=True)
class Call:
    """An op with its attributes, and which of its operands vary."""

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
class Step:
    """A call, its operands and its results, by number."""

    call: Call
    operands: tuple[int, ...]
    results: tuple[int, ...]


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
        found.append(Form(all(line.is_equation for line in lines), are_diagonal(lines)))

    pairs = zip(specs, call.varies, strict=True)
    jax.eval_shape(trace, *(Interval(s, s) if varies else s for s, varies in pairs))  # type: ignore[arg-type]
    return found[0]


def are_diagonal(lines: list[Lines]) -> bool:
    maps = [m for line in lines for m in (*line.lower, *line.upper) if m is not None]
    return all(isinstance(m, Diagonal) for m in maps)


def of(
    known: Known, numbers: tuple[int, ...], found: Mapping[int, Interval] = MappingProxyType({})
) -> list[Box]:
    """What is known of some values, or was found since."""
    return [found[i] if i in found else known[i] for i in numbers]  # type: ignore[misc]


def intervals(call: Call, boxes: list[Box]) -> list[Interval]:
    """The intervals of the results."""
    return results(call.op.meaning("interval")(*map(boxed, boxes), **dict(call.attrs)))


def openings(call: Call, boxes: list[Box]) -> Masks:
    """Where tighter operands would give tighter lines."""
    if call.op.opens is not None:
        return tuple(results(call.op.opens(*boxes, **dict(call.attrs))))
    open_ = _open(call.lines(*boxes))
    return tuple(
        jnp.broadcast_to(open_, boxed(box).shape) if varies else None
        for box, varies in zip(boxes, call.varies, strict=True)
    )


def _open(lines: list[Lines]) -> Array:
    """Where lines that work entry by entry are not one; everywhere for others."""
    if not are_diagonal(lines):
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


def evidence(call: Call, boxes: list[Box]) -> dict[str, Array]:
    """What the checker needs to draw the lines of the result."""
    assert call.op.evidence is not None
    told: dict[str, Array] = call.op.evidence(*boxes, *call.lines(*boxes), **dict(call.attrs))
    return told


def through(a: Array, lines: Lines, parts: list[Array | None]) -> Array:
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
