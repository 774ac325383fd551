"""The core of tensorem from scratch: one model, many meanings, in NumPy and fractions.

An op is a row that holds all its meanings. A model is a function that calls ops: on arrays it runs,
on a tracer it writes down a graph. A meaning reads the graph from the first node to the last, and
a proof reads it back. Here fractions stand in for floats, so that no bound has to be rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

Array = np.ndarray
Rule = Callable[..., Any]


# 1. An op: one row, all its meanings side by side.


@dataclass(frozen=True)
class Op:
    """One operation.

    Args:
        shape: Shapes of the operands -> shape of the result, or an error.
        run: Arrays -> array: of floats near the result, of fractions the result itself.
        interval: Boxes -> a box that holds the result for all operands in theirs.
        lines: A row a, and boxes -> a row for each operand (None for a weight), and a number:
            a . result >= sum of row . operand + number, for all operands in their boxes.
    """

    name: str
    shape: Rule
    run: Rule
    interval: Rule
    lines: Rule

    def __call__(self, *operands: Any) -> Any:
        tracer = next((x for x in operands if isinstance(x, Traced)), None)
        return tracer.noted(self, operands) if tracer else self.run(*operands)


@dataclass(frozen=True)
class Box:
    """All arrays between two."""

    lower: Array
    upper: Array


def linear_shape(x: Any, w: Any, b: Any) -> Any:
    if x != w[1:]:
        raise ValueError(f"linear takes {w[1:]}, got {x}.")
    return b


def linear_interval(x: Box, w: Box, b: Box) -> Box:
    """Each weight, a point, meets the end of x that makes the sum least, or greatest."""
    up, down = np.maximum(w.lower, 0), np.minimum(w.lower, 0)
    lower, upper = up @ x.lower + down @ x.upper, up @ x.upper + down @ x.lower
    return Box(lower + b.lower, upper + b.upper)


def relu_lines(a: Array, x: Box) -> Any:
    """Below a bend lies a line of slope 0 or 1, above it the chord (CROWN)."""
    bends = (x.lower < 0) & (x.upper > 0)
    chord = np.where(bends, x.upper / np.where(bends, x.upper - x.lower, 1), x.lower >= 0)
    below = np.where(bends, x.upper > -x.lower, chord)
    offsets = np.where(bends & (a < 0), -a * chord * x.lower, 0)
    return [a * np.where(a >= 0, below, chord)], offsets.sum()


linear = Op(
    "linear",
    linear_shape,
    lambda x, w, b: w @ x + b,
    linear_interval,
    lambda a, x, w, b: ([a @ w.lower, None, None], a @ b.lower),
)
relu = Op(
    "relu",
    lambda x: x,
    lambda x: np.maximum(x, 0),
    lambda x: Box(np.maximum(x.lower, 0), np.maximum(x.upper, 0)),
    relu_lines,
)
add = Op(
    "add",
    lambda x, y: x,
    lambda x, y: x + y,
    lambda x, y: Box(x.lower + y.lower, x.upper + y.upper),
    lambda a, x, y: ([a, a], 0),
)
TABLE = {op.name: op for op in (linear, relu, add)}


# 2. A graph: the program as data, written down by a tracer.


@dataclass(frozen=True)
class Node:
    op: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Graph:
    nodes: tuple[Node, ...]
    output: str
    weights: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Traced:
    """A value with a name and no number; an op that is called on it becomes a node."""

    name: str
    nodes: list[Node]

    def noted(self, op: Op, operands: tuple[Any, ...]) -> Traced:
        output = f"{op.name}_{len(self.nodes)}"
        self.nodes.append(Node(op.name, tuple(x.name for x in operands), output))
        return Traced(output, self.nodes)


def capture(model: Rule, weights: Mapping[str, Array]) -> Graph:
    nodes: list[Node] = []
    names = {name: Traced(name, nodes) for name in ("x", *weights)}
    output = model(names["x"], names).name
    return Graph(tuple(nodes), output, weights)


# 3. A meaning reads the graph forward.


def read(graph: Graph, meaning: str, x: Any, of: Callable[[Array], Any]) -> dict[str, Any]:
    """Every value in one meaning; `of` makes of a weight what the meaning computes with."""
    values = {"x": x, **{name: of(w) for name, w in graph.weights.items()}}
    for node in graph.nodes:
        rule = getattr(TABLE[node.op], meaning)
        values[node.output] = rule(*(values[name] for name in node.inputs))
    return values


def exact(array: Array) -> Array:
    """The numbers that floats are."""
    return np.frompyfunc(Fraction, 1, 1)(array)


def point(array: Array) -> Box:
    return Box(exact(array), exact(array))


# 4. A proof reads it back.


def least(graph: Graph, boxes: Mapping[str, Box], value: str, row: Array) -> Any:
    """A lower bound of row . value: lines in place of bends, back to the box of the input."""
    rows, total = {value: row}, 0
    for node in reversed(graph.nodes):
        if node.output in rows:
            operands = [boxes[name] for name in node.inputs]
            parts, number = TABLE[node.op].lines(rows.pop(node.output), *operands)
            total += number
            for name, part in zip(node.inputs, parts, strict=True):
                if part is not None:  # a value that is used twice gets the sum
                    rows[name] = rows.get(name, 0) + part
    a, box = rows["x"], boxes["x"]
    return total + np.where(a >= 0, a * box.lower, a * box.upper).sum()


def tightened(graph: Graph, boxes: dict[str, Box]) -> dict[str, Box]:
    """The boxes of intervals, those of `linear` bounded again by lines, from first to last."""
    for node in graph.nodes:
        box = TABLE[node.op].interval(*(boxes[name] for name in node.inputs))
        if node.op == "linear":
            ones = np.eye(len(box.lower), dtype=int)
            low = np.array([least(graph, boxes, node.output, one) for one in ones])
            high = np.array([-least(graph, boxes, node.output, -one) for one in ones])
            box = Box(np.maximum(box.lower, low), np.minimum(box.upper, high))
        boxes = {**boxes, node.output: box}
    return boxes


def margins(graph: Graph, x: Array, eps: Fraction, label: int) -> tuple[Any, Any]:
    """By what y[label] exceeds all others within eps of x, at least: by intervals, by lines."""
    boxes = read(graph, "interval", Box(exact(x) - eps, exact(x) + eps), point)
    y, ones = boxes[graph.output], np.eye(len(boxes[graph.output].lower), dtype=int)
    others = [other for other in range(len(ones)) if other != label]
    boxes = tightened(graph, boxes)
    lines = [least(graph, boxes, graph.output, ones[label] - ones[other]) for other in others]
    return min(y.lower[label] - y.upper[other] for other in others), min(lines)


# One model, and all that is said of it.


def model(x: Any, p: Mapping[str, Any]) -> Any:
    h = relu(linear(x, p["0.weight"], p["0.bias"]))
    h = add(h, relu(linear(h, p["1.weight"], p["1.bias"])))
    return linear(h, p["2.weight"], p["2.bias"])


def drawn(seed: int, *sizes: int) -> dict[str, Array]:
    rng, weights = np.random.default_rng(seed), {}
    for i in range(len(sizes) - 1):
        weights[f"{i}.weight"] = rng.normal(size=(sizes[i + 1], sizes[i])).astype(np.float32)
        weights[f"{i}.bias"] = rng.normal(size=sizes[i + 1]).astype(np.float32)
    return weights


weights, x, eps = drawn(2, 2, 6, 6, 2), np.array([0.5, -0.25], np.float32), Fraction(1, 10)
graph = capture(model, weights)
shape = read(graph, "shape", x.shape, np.shape)[graph.output]
y = read(graph, "run", x, np.asarray)[graph.output]
q = read(graph, "run", exact(x), exact)[graph.output]
loose, tight = margins(graph, x, eps, label=int(np.argmax(y)))

if __name__ == "__main__":
    print(*(f"{node.output} = {node.op}{node.inputs}" for node in graph.nodes), sep="\n")
    print(f"shape     {shape}")
    print(f"run       {y}, the model itself {model(x, weights)}")
    print(f"exact     {q[0]}, which is {float(q[0]):.4f}")
    print(f"interval  the label leads by at least {float(loose):.4f} within {eps}")
    print(f"lines     ... by at least {float(tight):.4f}: {'proved' if tight > 0 else 'unknown'}")
