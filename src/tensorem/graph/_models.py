"""The graph of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tensorem.errors import ArgumentError
from tensorem.graph._capture import capture
from tensorem.graph._graph import Graph
from tensorem.graph._rewrite import simplify
from tensorem.graph._tree import Tree


class Trained(Protocol):
    """A model as capture sees it: arrays by name, and a pure function of them."""

    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def buffers(self) -> Mapping[str, Any]: ...
    @property
    def input(self) -> Tree: ...

    def replace(self, *, params: dict[str, Any], buffers: dict[str, Any]) -> Trained: ...
    def apply(self, params: dict[str, Any], *xs: Tree) -> Tree: ...
    def __call__(self, *xs: Tree) -> Tree: ...


class Captured(Protocol):
    """A model that is a graph already, such as one that was loaded without its code."""

    @property
    def graph(self) -> Graph: ...


def graph_of(model: Trained | Captured | Graph) -> Graph:
    """The graph of a model: its own, or that of its evaluation, captured and simplified.

    Raises:
        ArgumentError: It is none of these.
        CaptureError: A layer does something that has no row in the op table.
    """
    if isinstance(model, Graph):
        return model
    captured = getattr(model, "graph", None)
    if isinstance(captured, Graph):
        return captured
    if not all(hasattr(model, name) for name in ("params", "buffers", "input", "apply")):
        raise ArgumentError(
            f"This takes a model or a graph, got {type(model).__name__}.",
            help="build a layer first: nn.build(layer, input=...); capture a function: "
            "tm.capture(f, (3,)).",
        )
    return simplify(capture_model(model))  # type: ignore[arg-type]


def capture_model(model: Trained) -> Graph:
    """The graph of a model in evaluation; weights keep their state-dict names.

    Raises:
        CaptureError: A layer does something that has no row in the op table.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), input=("N", 3))
        >>> print(capture_model(model))
        graph(x0: float32(N, 3)):
          linear_0: float32(N, 2) = linear(x0, 0.weight, 0.bias)
          relu_1: float32(N, 2) = relu(linear_0)
          return relu_1
    """

    def f(weights: Mapping[str, Any], *xs: Tree) -> Tree:
        params = {name: weights[name] for name in model.params}
        buffers = {name: weights[name] for name in model.buffers}
        return model.replace(params=params, buffers=buffers).apply(params, *xs)

    inputs = model.input if isinstance(model.input, tuple) else (model.input,)
    return capture(f, *inputs, weights={**model.params, **model.buffers})
