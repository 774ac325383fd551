"""Bounds of a graph on a box: intervals, and linear bounds sent backward (CROWN).

Everything here is floating point without directed rounding, to be compiled and batched by JAX: it
finds proofs, `tensorem.check` decides whether they are proofs.

Source: interval bound propagation: Gowal et al. 2018, eq. 6; backward linear bounds: Zhang et al.
2018 (CROWN), Theorem 3.2; both for general graphs: Xu et al. 2020 (auto_LiRPA), Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from tensorem.domains import Diagonal, End, Interval, Lines
from tensorem.errors import MeaningError
from tensorem.graph import Graph, Node, require_bound, unroll
from tensorem.ops._derive import Box, boxed
from tensorem.ops._op import results

T = TypeVar("T")


class Tightness(IntEnum):
    """What is known about the interval of a value."""

    LOOSE = 0
    EXACT = 1
    """Every entry's interval is its exact range."""
    BOX = 2
    """And the entries vary independently of each other."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """What is known about the values of a graph on a box.

    Args:
        boxes: Interval of every value that depends on the input; arrays for all others.
        lines: Linear bounds of every node that depends on the input, by the name of its result.
    """

    boxes: dict[str, Box] = field(default_factory=dict)
    lines: dict[str, Lines] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Propagation:
    """Bound propagation through one graph with one varying input.

    Args:
        graph: A graph without symbolic sizes and loops, with one input.
        arrays: Its weights and constants, as JAX arrays.
    """

    graph: Graph
    arrays: Mapping[str, End]

    @staticmethod
    def of(graph: Graph) -> Propagation:
        """Ready to compute bounds of a graph, its loops unrolled.

        Raises:
            MeaningError: The graph has several inputs, an output that depends on none of them, or
                an op without bounds; the error names it.
            GraphError: Sizes are still symbolic, or loops are too long to be unrolled.
        """
        require_bound(graph)
        graph = unroll(graph)
        if len(graph.inputs) != 1:
            raise MeaningError(f"Bounds take a graph with one input, got {len(graph.inputs)}.")
        propagation = Propagation(graph, graph.arrays)
        for node in propagation.varying:
            _require_bounds(node)
        moving = {*graph.inputs, *(name for node in propagation.varying for name in node.outputs)}
        for name in graph.outputs:
            if name not in moving:
                raise MeaningError(
                    f"Bounds take outputs that depend on the input, `{name}` does not."
                )
        return propagation

    @cached_property
    def varying(self) -> tuple[Node, ...]:
        """The nodes that depend on the input."""
        names, nodes = {self.graph.inputs[0]}, []
        for node in self.graph.nodes:
            if names & set(node.inputs):
                names |= set(node.outputs)
                nodes.append(node)
        return tuple(nodes)

    def intervals(self, lower: Array, upper: Array) -> Bounds:
        """Interval bound propagation from a box of the input."""
        bounds = self._start(lower, upper)
        for node in self.varying:
            bounds.boxes.update(_intervals(node, bounds))
        return bounds

    def crown(self, lower: Array, upper: Array) -> Bounds:
        """Intervals and lines, where every operand of a curved op is bounded backward first."""
        bounds = self._start(lower, upper)
        tightness = {self.graph.inputs[0]: Tightness.BOX}
        for node in self.varying:
            lines = self._lines(node, bounds)
            bent = not all(line.is_equation for line in lines.values())
            if bent and self._tighten(node, bounds, tightness):
                lines = self._lines(node, bounds)
            bounds.lines.update(lines)
            bounds.boxes.update(_intervals(node, bounds))
            for name, line in lines.items():
                tightness[name] = _tightness(node, line, tightness)
        return bounds

    def lower(self, rows: Array, name: str, bounds: Bounds) -> Array:
        """Lower bounds of linear functions of a value.

        Args:
            rows: (number of functions, *shape of the value).
            name: The value.
            bounds: With lines for every node before it.
        """
        rest = {name: rows}
        total = jnp.zeros(rows.shape[0], rows.dtype)
        for node in reversed(self.varying):
            for result in node.outputs:
                a = rest.pop(result, None)
                if a is not None:
                    total = total + _through(a, node, bounds.lines[result], rest)
        box = boxed(bounds.boxes[self.graph.inputs[0]])
        a = rest.get(self.graph.inputs[0])
        if a is None:  # the lines on the way are flat
            return total
        low, high = _contract(jnp.maximum(a, 0), box.lower), _contract(jnp.minimum(a, 0), box.upper)
        return total + low + high

    def _start(self, lower: Array, upper: Array) -> Bounds:
        """The input's box, and every value that does not depend on it."""
        still = dict(self.arrays)
        moving = {name for node in self.varying for name in node.outputs}
        for node in self.graph.nodes:
            if node.outputs[0] not in moving:
                operands = (still[i] for i in node.inputs)
                still.update(_named(node, node.row(*operands, **node.attrs)))
        return Bounds({**still, self.graph.inputs[0]: Interval(lower, upper)})

    def _lines(self, node: Node, bounds: Bounds) -> dict[str, Lines]:
        rule = node.row.meaning("lines")
        return _named(node, rule(*(bounds.boxes[i] for i in node.inputs), **node.attrs))

    def _tighten(self, node: Node, bounds: Bounds, tightness: Mapping[str, Tightness]) -> bool:
        """Bound the loose operands of a curved node backward; True if there were any."""
        loose = [i for i in dict.fromkeys(node.inputs) if tightness.get(i) == Tightness.LOOSE]
        for name in loose:
            box = boxed(bounds.boxes[name])
            unit = jnp.eye(box.lower.size, dtype=box.lower.dtype).reshape(-1, *box.shape)
            both = self.lower(jnp.concatenate([unit, -unit]), name, bounds).reshape(2, *box.shape)
            bounds.boxes[name] = box.meet(Interval(both[0], -both[1]))
        return bool(loose)


def _require_bounds(node: Node) -> None:
    for meaning in ("interval", "lines"):
        try:
            node.row.meaning(meaning)
        except MeaningError as error:
            raise error.with_notes(where=node.outputs[0]) from None


def _named(node: Node, value: T | tuple[T, ...]) -> dict[str, T]:
    """The results of a node by their names."""
    return dict(zip(node.outputs, results(value), strict=True))


def _intervals(node: Node, bounds: Bounds) -> dict[str, Interval]:
    boxes = (boxed(bounds.boxes[i]) for i in node.inputs)
    return _named(node, node.row.meaning("interval")(*boxes, **node.attrs))


def _tightness(node: Node, lines: Lines, known: Mapping[str, Tightness]) -> Tightness:
    """Moves and entrywise ops keep what is known; one mixing op of a box is exact."""
    operands = [known[i] for i in node.inputs if i in known]
    if len(operands) > 1:
        return Tightness.LOOSE
    maps = [m for m in (*lines.lower, *lines.upper) if m is not None]
    entrywise = node.row.moves == "once" or all(isinstance(m, Diagonal) for m in maps)
    if entrywise or operands[0] < Tightness.BOX:
        return operands[0] if entrywise else Tightness.LOOSE
    return Tightness.EXACT if lines.is_equation else Tightness.LOOSE


def _through(a: Array, node: Node, lines: Lines, rest: dict[str, Array]) -> Array:
    """Send rows through a node: adds its share to every operand, returns what the offsets give."""
    if lines.is_equation:
        for name, linear in zip(node.inputs, lines.lower, strict=True):
            if linear is not None:
                _add(rest, name, jax.vmap(linear.transpose)(a))
        return _contract(a, lines.lower_offset)
    positive, negative = jnp.maximum(a, 0), jnp.minimum(a, 0)
    for name, below, above in zip(node.inputs, lines.lower, lines.upper, strict=True):
        for part, linear in ((positive, below), (negative, above)):
            if linear is not None:
                _add(rest, name, jax.vmap(linear.transpose)(part))
    return _contract(positive, lines.lower_offset) + _contract(negative, lines.upper_offset)


def _add(rest: dict[str, Array], name: str, a: Array) -> None:
    rest[name] = rest[name] + a if name in rest else a


def _contract(a: Array, x: End) -> Array:
    """The product of every row with one array; a zero coefficient ignores an infinite bound."""
    terms = jnp.where(a == 0, 0.0, a * x)
    return jnp.sum(terms, axis=tuple(range(1, a.ndim)))
