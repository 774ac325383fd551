"""How far a run in float32 may lie from the real value, on a whole box of inputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from tensorem.calls import called
from tensorem.domains import Executed, Interval
from tensorem.domains._executed import contributions, nearer
from tensorem.errors import DTypeError, MeaningError
from tensorem.graph import Graph, Node, read, unflatten
from tensorem.graph._read import repeat
from tensorem.meanings import Operand, Readable, boxed
from tensorem.ops import executed

from ._trace import aligned

Bounds = NDArray[np.float64]
HEAD = ("layer", "op", "error", "share")
_SHOWN = 12


@dataclass(frozen=True)
class ErrorPart:
    """What the roundings of one op in one layer may do to the worst entry of the output.

    Args:
        path: Where the layer stands; "" is the model.
        op: The op, of all whose calls there this is the sum.
        error: A bound of it.
        share: It over the sum of all.
    """

    path: str
    op: str
    error: float
    share: float

    def cells(self) -> tuple[str, ...]:
        """The line of the table."""
        return (self.path or "model", self.op, f"{self.error:.3g}", f"{self.share:.1%}")


@dataclass(frozen=True, eq=False)
class Float32Error:
    """What `float32_error` proves; printed, it is a table.

    Args:
        bounds: A bound of |float32 value - real value| for every entry, in the output's tree.
        real: Where the real values lie, as intervals, in that tree.
        parts: Where the bound of the worst entry arises, the greatest part first.
        lost: The first op after which nothing is known, and why; "" where there is none.
    """

    bounds: Any
    real: Any
    parts: tuple[ErrorPart, ...]
    lost: str

    @property
    def worst(self) -> float:
        """The greatest bound of any entry."""
        return max((part for part in _greatest(self.bounds)), default=0.0)

    def __str__(self) -> str:
        shown = [part.cells() for part in self.parts[:_SHOWN]]
        more = len(self.parts) - len(shown)
        rest = [f"and {more} more"] if more else []
        head = f"|float32 - real| <= {self.worst:.3g}, whatever the order of sums"
        table = aligned([HEAD, *shown], words=2) if shown else "nothing is rounded"
        return "\n".join([head, *([self.lost] if self.lost else []), table, *rest])


@called
def float32_error(model: Readable, *xs: Operand) -> Float32Error:
    """How far a float32 run of a model may lie from its real value, on every input of a box.

    Proved of any run that computes each op of the graph in float32: sums in any order, with or
    without FMA, with or without numbers below 2^-126. `ops.executed` states the rule of each op.
    A compiler that makes one op of two, TF32 and Winograd convolutions are other programs.

    The inputs of the run are float32 numbers within the box. Where a relu may bend on the box, or a
    comparison change, the bound holds for both sides, so it is larger than at a point.

    Args:
        model: A model or a graph of float32.
        xs: Its inputs: arrays, or boxes as `domains.Interval`.

    Raises:
        MeaningError: An op has no rule; it is named.
        DTypeError: The model takes other floats than float32.
        ShapeError: A shape is not that of the model's input.

    Example:
        >>> from tensorem import nn
        >>> layer = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> model = nn.build(layer, input=("N", 8))
        >>> found = float32_error(model, np.ones((1, 8), np.float32))
        >>> found.bounds.shape, bool(found.worst < 1e-5)
        ((1, 2), True)
    """
    graph, boxes = boxed(model, xs)
    for name in graph.inputs:
        if graph.specs[name].dtype in ("float64", "float16", "bfloat16"):
            raise DTypeError(f"takes a model of float32, got {graph.specs[name]}.")
    makers: dict[Executed, Node] = {}
    values = _read(graph, boxes, makers)
    bounds = [nearer(value, value.error > 0) for value in values]
    named = {name: i for i, name in enumerate(graph.outputs)}
    return Float32Error(
        bounds=unflatten(graph.gives, {n: bounds[i] for n, i in named.items()}),
        real=unflatten(graph.gives, {n: values[i].real for n, i in named.items()}),
        parts=_parts(values, bounds, makers),
        lost=_lost(makers),
    )


def _read(
    graph: Graph, boxes: Mapping[str, Interval], makers: dict[Executed, Node]
) -> list[Executed]:
    """Every output as it is executed; who made which value is noted."""

    def apply(node: Node, operands: list[Executed]) -> list[Executed]:
        if node.body is not None:
            return repeat(node, node.body, apply, operands)
        try:
            result = executed(node.row, *operands, **node.attrs)
        except MeaningError as error:
            raise error.with_notes(where=", ".join(node.outputs)) from None
        makers.update(dict.fromkeys(_new(result, {*operands, *makers}), node))
        return [result]

    inputs = [Executed.given(boxes[name], graph.specs[name].dtype) for name in graph.inputs]
    arrays = {
        name: Executed.given(Interval.point(array), array.dtype.name)
        for name, array in graph.arrays.items()
    }
    return read(graph, apply, inputs, arrays)


def _new(value: Executed, known: set[Executed]) -> Iterator[Executed]:
    """A value, and those below it that were not there before: the parts of a definition."""
    if value not in known:
        known.add(value)
        yield value
        for share in value.shares:
            yield from _new(share.of, known)


def _parts(
    values: list[Executed], bounds: list[Bounds], makers: Mapping[Executed, Node]
) -> tuple[ErrorPart, ...]:
    """Where the bound of the worst entry of all outputs arises."""
    worst = max(range(len(values)), key=lambda i: float(np.max(bounds[i], initial=0.0)), default=0)
    if not values or not values[worst].error.size:
        return ()
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for value, bound in contributions(values[worst], np.array([np.argmax(bounds[worst])])):
        node = makers.get(value)
        sums[(node.place, node.op) if node else ("", "input")] += float(bound[0])
    total = sum(sums.values())
    # What is less pays for the arithmetic of the bound itself.
    told = {key: e for key, e in sums.items() if total * 2.0**-20 < e < np.inf}
    parts = [ErrorPart(*key, e, e / total) for key, e in told.items()]
    return tuple(sorted(parts, key=lambda part: -part.error))


def _lost(makers: Mapping[Executed, Node]) -> str:
    """The first op whose noise is infinite, in words."""
    for value, node in makers.items():
        bad = ~np.isfinite(value.noise)
        if bad.any():
            low, high = value.real.lower[bad].min(), value.real.upper[bad].max()
            place = node.place or "the model"
            what = f"{', '.join(node.outputs)} = {node.op} in {place}"
            return f"{what} may be any number: its real value lies from {low:.3g} to {high:.3g}"
    return ""


def _greatest(tree: Any) -> Iterator[float]:
    for leaf in jax.tree.leaves(tree):
        yield float(np.max(leaf, initial=0.0))
