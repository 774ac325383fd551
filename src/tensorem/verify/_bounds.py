"""Bounds of a graph on a box: intervals, and linear bounds sent backward (CROWN).

Everything here is floating point without directed rounding, a few calls to a compiled program: it
finds proofs, `tensorem.check` decides whether they are proofs.

Source: interval bound propagation: Gowal et al. 2018, eq. 6; backward linear bounds: Zhang et al.
2018 (CROWN), Theorem 3.2; both for general graphs: Xu et al. 2020 (auto_LiRPA), Algorithm 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
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
from tensorem.verify._calls import Call, Form, Known, Masks, Step, form
from tensorem.verify._pieces import Piece, at_box, backward, bounded, forward, met, told

ROWS = 2**22
"""The most coefficients on one value that a backward pass holds; more rows go in several."""
LEAST_ROWS = 16
"""The smallest bucket of rows."""
MANY_ROWS = 64
"""From there on buckets are finer: a program more is less than the rows that fill up."""
PIECE = 8
"""How many nodes are compiled together."""

Span = tuple[int, int]
"""The first of some nodes one after the other, and the first after them."""


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


@dataclass(frozen=True)
class Part:
    """Some nodes one after the other as a piece, and the names of its values by number."""

    piece: Piece
    names: tuple[str, ...]

    def known(self, bounds: Bounds) -> Known:
        """What is known of the values."""
        return tuple(bounds.boxes.get(name) for name in self.names)


@dataclass(frozen=True, eq=False)
class Propagation:
    """Bound propagation through one graph with one varying input.

    Args:
        graph: A graph without symbolic sizes and loops, with one input.
        arrays: Its weights and constants, as JAX arrays.
    """

    graph: Graph
    arrays: Mapping[str, End]
    _parts: dict[Span, Part] = field(default_factory=dict, repr=False)

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

    @cached_property
    def has_composites(self) -> bool:
        """Whether an op is bounded as one that the checker makes of several bends."""
        forms = ((node.row, self._forms[node.outputs[0]]) for node in self.varying)
        return any(row.definition is not None and not form.is_equation for row, form in forms)

    def intervals(self, lower: End, upper: End) -> Bounds:
        """Interval bound propagation.

        Args:
            lower: Lower ends of boxes of the input: (boxes, *shape).
            upper: Their upper ends.
        """
        with _own_broadcasting():
            bounds = self._start(lower, upper)
            for span in _spans(0, len(self.varying)):
                self._forward(span, bounds)
        return bounds

    def crown(self, lower: End, upper: End) -> Bounds:
        """Intervals, where whatever leaves a bend open is bounded backward first.

        Args:
            lower: Lower ends of boxes of the input: (boxes, *shape).
            upper: Their upper ends.
        """
        with _own_broadcasting():
            bounds = self._start(lower, upper)
            for span, opens in self._stretches:
                masks = self._forward(span, bounds, opens)
                for node in self.varying[slice(*span)]:
                    self._keep_sharp(node, bounds)
                if opens:
                    self._tighten(self.varying[span[1]], masks, bounds)
        return bounds

    def lower(self, rows: End, name: str, bounds: Bounds) -> Array:
        """Lower bounds of linear functions of a value: (boxes, number of functions).

        Args:
            rows: (boxes, number of functions, *shape of the value).
            name: The value.
            bounds: With intervals of every value before it.
        """
        return self._carried(rows, name, bounds, ends=True)[0]

    def below(self, rows: End, name: str, bounds: Bounds) -> tuple[Array, Array]:
        """`lower`, and the slopes of planes of which it is the least: (boxes, number, *shape)."""
        total, a = self.carried(rows, name, bounds)
        box = boxed(bounds.boxes[self.graph.inputs[0]])
        if a is None:  # the lines on the way are flat
            return total, jnp.zeros((*rows.shape[:2], *box.shape[1:]), rows.dtype)
        with _own_broadcasting():
            return at_box(total, a, box), a

    def carried(self, rows: End, name: str, bounds: Bounds) -> tuple[Array, Array | None]:
        """Linear functions below those of a value: constants, and rows on the input, if any.

        Args:
            rows: As `lower` takes them.
            name: The value.
            bounds: With intervals of every value before it.
        """
        return self._carried(rows, name, bounds, ends=False)

    def evidence(self, bounds: Bounds) -> dict[str, Array]:
        """What a certificate carries: for every bend what its row says that the checker needs."""
        arrays: dict[str, Array] = {}
        for span in _spans(0, len(self.varying)):
            part = self._part(span)
            with _own_broadcasting():
                found = told(part.piece)(part.known(bounds))
            for i, kinds in found.items():
                arrays |= {f"{kind}.{part.names[i]}": array for kind, array in kinds.items()}
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

    @cached_property
    def _stretches(self) -> tuple[tuple[Span, bool], ...]:
        """Nodes to read forward, and whether the next one is a bend to be tightened for."""
        bends = [i for i, node in enumerate(self.varying) if self._may_open(node)]
        found: list[tuple[Span, bool]] = []
        for start, end in itertools.pairwise([0, *bends, len(self.varying)]):
            *spans, last = _spans(start, end) or [(start, end)]
            found += [*((span, False) for span in spans), (last, end < len(self.varying))]
        return tuple(found)

    def _may_open(self, node: Node) -> bool:
        """It bends, and reads what is looser than need be."""
        loose = Tightness.LOOSE in (self._tightness.get(name) for name in node.inputs)
        return loose and not self._forms[node.outputs[0]].is_equation

    def _part(self, span: Span) -> Part:
        if span not in self._parts:
            nodes, source = self.varying[slice(*span)], self.graph.inputs[0]
            used = dict.fromkeys(n for node in nodes for n in (*node.inputs, *node.outputs))
            names = tuple(used) or (source,)
            number = {name: i for i, name in enumerate(names)}
            steps = tuple(
                Step(
                    self._calls[node.outputs[0]],
                    tuple(number[name] for name in node.inputs),
                    tuple(number[name] for name in node.outputs),
                )
                for node in nodes
            )
            varies = tuple(name in self._moving for name in names)
            self._parts[span] = Part(Piece(steps, varies, number.get(source)), names)
        return self._parts[span]

    # --- steps

    def _start(self, lower: End, upper: End) -> Bounds:
        """The input's boxes, and every value that does not depend on it."""
        box = Interval(jnp.asarray(lower), jnp.asarray(upper))
        with _own_broadcasting():
            return Bounds({**self._still, self.graph.inputs[0]: box})

    def _forward(self, span: Span, bounds: Bounds, opens: bool = False) -> Masks:
        """The intervals of what some nodes make, and where the next node is open."""
        part = self._part((span[0], span[1] + opens))
        found, masks = forward(part.piece, opens)(part.known(bounds))
        bounds.boxes.update({part.names[i]: box for i, box in found.items()})
        return masks

    def _carried(
        self, rows: End, name: str, bounds: Bounds, ends: bool
    ) -> tuple[Array, Array | None]:
        with _own_broadcasting():
            total = jnp.asarray(np.zeros(rows.shape[:2], rows.dtype))
            rest = {name: jnp.asarray(rows)}
            return self._onward(self._before(name), total, rest, bounds, ends)

    def _onward(
        self,
        spans: Sequence[Span],
        total: Array,
        rest: dict[str, Array],
        bounds: Bounds,
        ends: bool,
    ) -> tuple[Array, Array | None]:
        """Send rows backward through nodes; where this `ends`, to the box of the input."""
        for span in spans:
            part = self._part(span)
            given = {i: rest.pop(name) for i, name in enumerate(part.names) if name in rest}
            program = backward(part.piece, ends and span[0] == 0)
            total, found = program(total, given, part.known(bounds))
            rest |= {part.names[i]: a for i, a in found.items()}
        return total, rest.get(self.graph.inputs[0])

    def _before(self, name: str) -> list[Span]:
        """The nodes that may make what a value depends on, the last of them first."""
        ends = [i + 1 for i, node in enumerate(self.varying) if name in node.outputs]
        return _spans(0, *ends or [1])[::-1]

    def _tighten(self, node: Node, masks: Masks, bounds: Bounds) -> None:
        """Bound what leaves a bend open backward: those entries alone, as the checker does."""
        for name, mask in zip(node.inputs, masks, strict=True):
            if mask is not None and self._tightness[name] == Tightness.LOOSE:
                open_ = np.asarray(mask)
                sharp = bounds.sharp.get(name, np.zeros(open_.shape, bool))
                for places in _buckets(open_ & ~sharp, ROWS // self._largest):
                    found = self._bounded(places, name, bounds)
                    bounds.boxes[name] = met(boxed(bounds.boxes[name]), places, found)
                bounds.sharp[name] = sharp | open_

    def _bounded(self, places: NDArray[np.intp], name: str, bounds: Bounds) -> Array:
        """Lower bounds of the entries at some places, and of their opposites."""
        first, *spans = self._before(name)
        part = self._part(first)
        program = bounded(part.piece, part.names.index(name), first[0] == 0)
        total, found = program(places, part.known(bounds))
        rest = {part.names[i]: a for i, a in found.items()}
        return self._onward(spans, total, rest, bounds, ends=True)[0]

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


def _tightness(node: Node, form: Form, known: Mapping[str, Tightness]) -> Tightness:
    """Moves and entrywise ops keep what is known; one mixing op of a box is exact."""
    operands = [known[i] for i in node.inputs if i in known]
    if len(operands) > 1:
        return Tightness.LOOSE
    entrywise = node.row.moves == "once" or form.is_entrywise
    if entrywise or operands[0] < Tightness.BOX:
        return operands[0] if entrywise else Tightness.LOOSE
    return Tightness.EXACT if form.is_equation else Tightness.LOOSE


def _spans(start: int, end: int) -> list[Span]:
    """So many nodes in pieces."""
    return [(i, min(i + PIECE, end)) for i in range(start, end, PIECE)]


def _buckets(open_: NDArray[np.bool_], most: int) -> Iterator[NDArray[np.intp]]:
    """The places of the open entries of each box, filled up with others: (boxes, a bucket).

    Few sizes are few programs; `most` is how many rows there may be at once, in all boxes. What
    fills up is a place beyond the value.
    """
    flat = open_.reshape(len(open_), -1)
    count = int(flat.sum(axis=1).max())
    order = np.argsort(~flat, axis=1, kind="stable")
    places = np.where(np.take_along_axis(flat, order, axis=1), order, flat.shape[1])
    each = min(_bucket(count), _bucket(max(1, most // (2 * len(flat))) // 2 + 1))
    places = np.pad(places, ((0, 0), (0, each)), constant_values=flat.shape[1])
    for start in range(0, count, each):
        yield places[:, start : start + each]


def _bucket(n: int) -> int:
    """The least power of two that is no smaller; of many rows, or half more of one."""
    power = max(LEAST_ROWS, 1 << (n - 1).bit_length())
    return power * 3 // 4 if MANY_ROWS < n <= power * 3 // 4 else power


def _own_broadcasting() -> AbstractContextManager[None]:
    """JAX's own broadcasting, whatever the user's setting for their programs."""
    allowed: AbstractContextManager[None] = jax.numpy_rank_promotion("allow")
    return allowed
