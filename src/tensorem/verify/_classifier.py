"""A graph that classifies, with its other readings: compiled, exact, and the checker."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from tensorem import check
from tensorem.domains import Interval, Rational
from tensorem.errors import DataError, DTypeError, MeaningError, ShapeError
from tensorem.graph import (
    Captured,
    Graph,
    Trained,
    by_rows,
    graph_hash,
    graph_of,
    read,
    sizes,
    to_jax,
    to_json,
    unroll,
    weights_hash,
)
from tensorem.shapes import format_shape

Exact = Sequence[Fraction | float]


@dataclass(frozen=True)
class Structure:
    """A graph without a thought of its weights; equal graphs share one compiled program."""

    digest: str
    graph: Graph = field(compare=False, repr=False)


@dataclass(frozen=True, eq=False)
class Classifier:
    """A graph with one input and one output: a classifier where these are (1, ...), (1, classes).

    Args:
        stored: The graph as it is named in claims: without loops, with sizes that may be symbolic.
        graph: The same for a batch of one.
        run: What was given, run in float32: an input -> outputs. A model runs as it is, so that a
            graph that is not its graph proves nothing.
        has_loops: Whether what was given has loops, which `stored` has not.
    """

    stored: Graph
    graph: Graph
    run: Callable[[Any], Any] = field(repr=False)
    has_loops: bool = False

    @staticmethod
    def of(model: Trained | Captured | Graph) -> Classifier:
        """A model or graph that classifies; the name of the batch axis is bound to 1.

        Raises:
            ShapeError: It does not take one array and give (1, classes), classes > 1; or another
                name is open.
            DTypeError: Its input or a weight is not float32.
            GraphError: Its loops are too long to be unrolled.
        """
        own, stored, graph = _bound(model)
        _require_classes(graph)
        return _reading(model, own, stored, graph)

    @staticmethod
    def reading(model: Trained | Captured | Graph) -> Classifier:
        """A model or graph with outputs of any shape.

        Raises:
            ShapeError: It does not take one array and give one; or a size is open that is not the
                batch's.
            DTypeError: Its input or a weight is not float32.
            GraphError: Its loops are too long to be unrolled.
        """
        own, stored, graph = _bound(model)
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise ShapeError(
                f"A proof takes a model from one array to one, got {len(graph.inputs)} to "
                f"{len(graph.outputs)}."
            )
        return _reading(model, own, stored, graph)

    @property
    def unrolled(self) -> str:
        """The graph without loops as text, where there were some; else nothing."""
        return to_json(self.stored) if self.has_loops else ""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input, with its batch axis of size 1."""
        return sizes(self.graph, self.graph.inputs[0])

    @property
    def classes(self) -> int:
        """The number of outputs."""
        return sizes(self.graph, self.graph.outputs[0])[1]

    @cached_property
    def structure(self) -> Structure:
        """The key of the compiled program."""
        return Structure(graph_hash(self.stored), self.graph)

    @cached_property
    def weights(self) -> str:
        """The hash of the weights."""
        return weights_hash(self.graph.arrays)

    @cached_property
    def checker(self) -> check.Checker:
        """The independent checker, which reads this graph and these weights once.

        Raises:
            MeaningError: The graph does something that the checker does not know.
            DataError: A weight is no finite number.
        """
        try:
            return check.prepare(to_json(self.stored), self.stored.arrays)
        except check.MalformedError as error:
            raise DataError(
                "A proof takes a graph with finite weights.", because=str(error)
            ) from None
        except check.UnsupportedError as error:
            raise MeaningError(
                "A proof takes a graph that the checker can check.",
                because=str(error),
                help="docs/checker.md lists the ops that it knows.",
            ) from None

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The outputs at a point in float32."""
        return np.asarray(self.run(x))

    def runtime_margin(self, x: np.ndarray, label: int) -> float:
        """The least y[label] - y[other] at a point in float32; NaN where both are infinite."""
        outputs = self.outputs(x).ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            return float(outputs[label] - np.delete(outputs, label).max())

    def exact_margin(self, x: np.ndarray, label: int) -> Fraction | float:
        """The least y[label] - y[other] at a point, in rational arithmetic.

        Where a value is irrational (the root in a batch norm), it is the upper end of a rigorous
        enclosure: a point that misses by this number misses for certain. It is infinite where the
        enclosure is.
        """
        low, high = self.exact_outputs(x)
        margins: list[Fraction | float] = [high[label] - y for j, y in enumerate(low) if j != label]
        return min(margins)

    def exact_outputs(self, x: np.ndarray) -> tuple[Exact, Exact]:
        """What the flat outputs at a point lie between: twice the same where they are rational."""
        try:
            [y] = read(self.graph, by_rows("exact"), [Rational.of(x)], self._exact_arrays)
            exact = list(y.fractions().ravel())
            return exact, exact
        except MeaningError:
            return self.enclosed_outputs(x)

    def enclosed_outputs(self, x: np.ndarray) -> tuple[Exact, Exact]:
        """What the flat outputs at a point lie between, by intervals."""
        [box] = read(self.graph, by_rows("interval"), [Interval.of(x, x)], self._points)
        low, high = (list(map(_exactly, end.ravel())) for end in (box.lower, box.upper))
        return low, high

    @cached_property
    def _points(self) -> dict[str, Interval]:
        return {name: Interval.point(array) for name, array in self.graph.arrays.items()}

    @cached_property
    def _exact_arrays(self) -> dict[str, Rational]:
        return {name: Rational.of(array) for name, array in self.graph.arrays.items()}


def _bound(model: Trained | Captured | Graph) -> tuple[Graph, Graph, Graph]:
    """The model's graph; it without loops; and that for a batch of one."""
    own = graph_of(model)
    _require_bound(own)
    stored = unroll(own)
    return own, stored, stored.bind(**dict.fromkeys(stored.names, 1))


def _reading(
    model: Trained | Captured | Graph, own: Graph, stored: Graph, graph: Graph
) -> Classifier:
    _require_float32(graph)
    is_graph = own is getattr(model, "graph", model)
    run = to_jax(graph) if is_graph else model
    return Classifier(stored, graph, run, own.has_loops)  # type: ignore[arg-type]


def _exactly(end: float) -> Fraction | float:
    """An end of an enclosure; an infinite one is no fraction."""
    return Fraction(float(end)) if math.isfinite(end) else float(end)


def _require_classes(graph: Graph) -> None:
    outputs = [graph.specs[name].shape for name in graph.outputs]
    if len(graph.inputs) != 1 or [s[:-1] for s in outputs] != [(1,)]:
        raise ShapeError(
            f"A proof of robustness takes a model from one array to (N, classes), got "
            f"{len(graph.inputs)} arrays to {', '.join(map(format_shape, outputs))}."
        )
    if outputs[0][-1] == 1:
        raise ShapeError(
            "A proof of robustness takes a model with two outputs or more, got one.",
            because="it says that one output stays above every other",
        )


def _require_float32(graph: Graph) -> None:
    for name in (*graph.inputs, *graph.arrays):
        if graph.specs[name].dtype != "float32":
            raise DTypeError(
                f"A proof takes a model in float32, got {graph.specs[name].dtype} in `{name}`.",
                help="build it for a float32 input: the claim is about exactly these numbers.",
            )


def _require_bound(graph: Graph) -> None:
    """Raise unless every size is known but for that of the batch."""
    first = [graph.specs[name].shape[:1] for name in graph.inputs]
    batch = {name for sizes in first for size in sizes for name in getattr(size, "names", ())}
    unknown = sorted(graph.names - batch)
    if unknown:
        given = ", ".join(f"{name}=..." for name in unknown)
        raise ShapeError(
            f"A proof takes a model of known sizes, got one that leaves {', '.join(unknown)} open.",
            help=f"say how large: verify.robust(tm.capture(model).bind({given}), ...).",
        )
