"""Bounds of a graph on a box: intervals, and linear bounds sent backward (CROWN).

Everything here is floating point without directed rounding, call by call in compiled programs: it
finds proofs, `tensorem.check` decides whether they are proofs.

Source: interval bound propagation: Gowal et al. 2018, eq. 6; backward linear bounds: Zhang et al.
2018 (CROWN), Theorem 3.2; both for general graphs: Xu et al. 2020 (auto_LiRPA), Algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from tensorem.domains import End, Interval
from tensorem.errors import MeaningError
from tensorem.graph import Graph, Node, require_bound, sizes, unroll
from tensorem.ops._derive import Box, boxed
from tensorem.ops._op import results
from tensorem.verify._calls import (
    Call,
    Form,
    at_box,
    backward,
    evidence,
    form,
    intervals,
    met,
    openings,
    units,
)

ROWS = 2**22
"""The most coefficients on one value that a backward pass holds; more rows go in several."""
LEAST_ROWS = 16
"""The smallest bucket of rows."""


class Tightness(IntEnum):
    """What is known about the interval of a value."""

    LOOSE = 0
    EXACT = 1
    """Every entry's interval is its exact range."""
    BOX = 2
    """And the entries vary independently of each other."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """What is known about the values of a graph on boxes.

    Args:
        boxes: Interval of every value that depends on the input, with a leading axis of boxes;
            arrays for all others.
        sharp: Entries of values that were bounded backward, or come entry by entry from such.
    """

    boxes: dict[str, Box] = field(default_factory=dict)
    sharp: dict[str, NDArray[np.bool_]] = field(default_factory=dict)


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

    def intervals(self, lower: End, upper: End) -> Bounds:
        """Interval bound propagation.

        Args:
            lower: Lower ends of boxes of the input: (boxes, *shape).
            upper: Their upper ends.
        """
        bounds = self._start(lower, upper)
        for node in self.varying:
            bounds.boxes.update(self._intervals(node, bounds))
        return bounds

    def crown(self, lower: End, upper: End) -> Bounds:
        """Intervals, where whatever leaves a bend open is bounded backward first.

        Args:
            lower: Lower ends of boxes of the input: (boxes, *shape).
            upper: Their upper ends.
        """
        bounds = self._start(lower, upper)
        for node in self.varying:
            if not self._forms[node.outputs[0]].is_equation:
                self._tighten(node, bounds)
            bounds.boxes.update(self._intervals(node, bounds))
            self._keep_sharp(node, bounds)
        return bounds

    def lower(self, rows: Array, name: str, bounds: Bounds) -> Array:
        """Lower bounds of linear functions of a value: (boxes, number of functions).

        Args:
            rows: (boxes, number of functions, *shape of the value).
            name: The value.
            bounds: With intervals of every value before it.
        """
        return self.below(rows, name, bounds)[0]

    def below(self, rows: Array, name: str, bounds: Bounds) -> tuple[Array, Array]:
        """`lower`, and the slopes of planes of which it is the least: (boxes, number, *shape)."""
        total, a = self.carried(rows, name, bounds)
        box = boxed(bounds.boxes[self.graph.inputs[0]])
        if a is None:  # the lines on the way are flat
            return total, jnp.zeros((*rows.shape[:2], *box.shape[1:]), rows.dtype)
        with _own_broadcasting():
            return at_box(total, a, box), a

    def carried(self, rows: Array, name: str, bounds: Bounds) -> tuple[Array, Array | None]:
        """Linear functions below those of a value: constants, and rows on the input, if any.

        Args:
            rows: As `lower` takes them.
            name: The value.
            bounds: With intervals of every value before it.
        """
        rest: dict[str, Array | None] = {name: rows}
        total = jnp.zeros(rows.shape[:2], rows.dtype)
        with _own_broadcasting():
            for node in reversed(self.varying):
                given = tuple(rest.pop(result, None) for result in node.outputs)
                if any(a is not None for a in given):
                    program = backward(self._calls[node.outputs[0]])
                    total, parts = program(total, given, *_operands(node, bounds))
                    for operand, part in zip(node.inputs, parts, strict=True):
                        _add(rest, operand, part)
        return total, rest.get(self.graph.inputs[0])

    def evidence(self, bounds: Bounds) -> dict[str, Array]:
        """What a certificate carries: for every bend what its row says that the checker needs."""
        arrays: dict[str, Array] = {}
        with _own_broadcasting():
            for node in self.varying:
                if node.row.evidence is not None:
                    [name] = node.outputs
                    told = evidence(self._calls[name])(*_operands(node, bounds))
                    arrays |= {f"{kind}.{name}": array for kind, array in told.items()}
        return arrays

    # --- known of the graph alone, by the name of a node's first result

    @cached_property
    def _moving(self) -> frozenset[str]:
        names = (name for node in self.varying for name in node.outputs)
        return frozenset((self.graph.inputs[0], *names))

    @cached_property
    def _calls(self) -> dict[str, Call]:
        return {node.outputs[0]: Call.of(node, self._moving) for node in self.varying}

    @cached_property
    def _forms(self) -> dict[str, Form]:
        with _own_broadcasting():
            return {
                node.outputs[0]: form(self._calls[node.outputs[0]], self._specs(node))
                for node in self.varying
            }

    def _specs(self, node: Node) -> tuple[jax.ShapeDtypeStruct, ...]:
        return tuple(
            jax.ShapeDtypeStruct(sizes(self.graph, name), self.graph.specs[name].dtype)
            for name in node.inputs
        )

    @cached_property
    def _tightness(self) -> dict[str, Tightness]:
        known = {self.graph.inputs[0]: Tightness.BOX}
        for node in self.varying:
            found = _tightness(node, self._forms[node.outputs[0]], known)
            known |= dict.fromkeys(node.outputs, found)
        return known

    @cached_property
    def _still(self) -> dict[str, Array]:
        """Every value that does not depend on the input."""
        still: dict[str, Array] = {name: jnp.asarray(a) for name, a in self.arrays.items()}
        for node in self.graph.nodes:
            if node.outputs[0] not in self._moving:
                value = node.row(*(still[i] for i in node.inputs), **node.attrs)
                still.update(zip(node.outputs, results(value), strict=True))
        return still

    @cached_property
    def _largest(self) -> int:
        """The most entries that a value has."""
        return max(math.prod(sizes(self.graph, name)) for name in self._moving)

    # --- steps

    def _start(self, lower: End, upper: End) -> Bounds:
        """The input's boxes, and every value that does not depend on it."""
        box = Interval(jnp.asarray(lower), jnp.asarray(upper))
        with _own_broadcasting():
            return Bounds({**self._still, self.graph.inputs[0]: box})

    def _intervals(self, node: Node, bounds: Bounds) -> dict[str, Interval]:
        with _own_broadcasting():
            found = intervals(self._calls[node.outputs[0]])(*_operands(node, bounds))
        return dict(zip(node.outputs, found, strict=True))

    def _tighten(self, node: Node, bounds: Bounds) -> None:
        """Bound what leaves a bend open backward, unless that was done or gives no more."""
        if Tightness.LOOSE not in (self._tightness.get(i) for i in node.inputs):
            return
        with _own_broadcasting():
            masks = openings(self._calls[node.outputs[0]])(*_operands(node, bounds))
        for name, mask in zip(node.inputs, masks, strict=True):
            if mask is not None and self._tightness[name] == Tightness.LOOSE:
                open_, sharp = np.asarray(mask), bounds.sharp.get(name, np.zeros(mask.shape, bool))
                self._sharpen(name, open_ & ~sharp, bounds)
                bounds.sharp[name] = sharp | open_

    def _sharpen(self, name: str, open_: NDArray[np.bool_], bounds: Bounds) -> None:
        """Bound entries of a value backward: those alone, as the checker does."""
        before = boxed(bounds.boxes[name])
        for places in _buckets(open_, ROWS // self._largest):
            box = bounds.boxes[name]
            found = self.lower(units(places, box), name, bounds)
            bounds.boxes[name] = met(box, places, found)
        after = boxed(bounds.boxes[name])
        bounds.boxes[name] = Interval(
            jnp.where(open_, after.lower, before.lower), jnp.where(open_, after.upper, before.upper)
        )

    def _keep_sharp(self, node: Node, bounds: Bounds) -> None:
        """An entrywise function of a sharp entry is sharp."""
        known = [bounds.sharp.get(i) for i in node.inputs if i in self._moving]
        if self._forms[node.outputs[0]].is_entrywise and len(known) == 1 and known[0] is not None:
            bounds.sharp.update(dict.fromkeys(node.outputs, known[0]))


def _require_bounds(node: Node) -> None:
    for meaning in ("interval", "lines"):
        try:
            node.row.meaning(meaning)
        except MeaningError as error:
            raise error.with_notes(where=node.outputs[0]) from None


def _operands(node: Node, bounds: Bounds) -> list[Box]:
    return [bounds.boxes[name] for name in node.inputs]


def _tightness(node: Node, form: Form, known: Mapping[str, Tightness]) -> Tightness:
    """Moves and entrywise ops keep what is known; one mixing op of a box is exact."""
    operands = [known[i] for i in node.inputs if i in known]
    if len(operands) > 1:
        return Tightness.LOOSE
    entrywise = node.row.moves == "once" or form.is_entrywise
    if entrywise or operands[0] < Tightness.BOX:
        return operands[0] if entrywise else Tightness.LOOSE
    return Tightness.EXACT if form.is_equation else Tightness.LOOSE


def _buckets(open_: NDArray[np.bool_], most: int) -> Iterator[NDArray[np.intp]]:
    """The places of the open entries of each box, filled up with others: (boxes, a power of two).

    Few sizes are few programs; `most` is how many rows there may be at once, in all boxes.
    """
    flat = open_.reshape(len(open_), -1)
    count = int(flat.sum(axis=1).max())
    order = np.argsort(~flat, axis=1, kind="stable")
    each = min(_power_of_two(count), _power_of_two(max(1, most // (2 * len(flat))) // 2 + 1))
    for start in range(0, count, each):
        yield order[:, start : start + each]


def _power_of_two(n: int) -> int:
    """The least one that is no smaller, from LEAST_ROWS on."""
    return max(LEAST_ROWS, 1 << (n - 1).bit_length())


def _add(rest: dict[str, Array | None], name: str, a: Array | None) -> None:
    before = rest.get(name)
    if a is not None:
        rest[name] = a if before is None else before + a


def _own_broadcasting() -> AbstractContextManager[None]:
    """JAX's own broadcasting, whatever the user's setting for their programs."""
    allowed: AbstractContextManager[None] = jax.numpy_rank_promotion("allow")
    return allowed
