"""An ONNX graph in the making: nodes, arrays, and sizes that have names."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tensorem.graph import Graph
from tensorem.shapes import Poly, Size, Spec, size_of

from ._read import package

TYPES = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9,
    "float16": 10, "float64": 11, "uint32": 12, "uint64": 13, "bfloat16": 16,
}  # fmt: skip


class Writer:
    """Nodes and arrays that are added one after another.

    Args:
        graph: The graph that is written; its values keep their names.
        outer: The writer of the graph around the body of a loop.
    """

    def __init__(self, graph: Graph, outer: Writer | None = None) -> None:
        self.graph = graph
        self.nodes: list[Any] = []
        self.arrays: dict[str, np.ndarray] = {}
        self._outer = outer
        self._numbers: Any = outer._numbers if outer else itertools.count()
        self._sizes: dict[str, str] = {}

    def spec(self, name: str) -> Spec:
        """Shape and dtype of a value."""
        return self.graph.specs[name]

    def node(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str] = (), **attrs: Any
    ) -> str:
        """Add a node; returns the name of its first result."""
        helper = package().helper
        names = list(outputs) or [self.fresh(op)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=names[0], **attrs))
        return names[0]

    def fresh(self, word: str) -> str:
        """A name that no value has."""
        return f"{word}_{next(self._numbers)}:"

    def constant(self, value: Any, dtype: str = "int64") -> str:
        """The name of an array."""
        array = np.asarray(value, dtype)
        name = self.fresh("const")
        self.arrays[name] = array
        return name

    def like(self, value: Any, name: str) -> str:
        """The name of a number of the dtype of a value."""
        return self.constant(value, self.spec(name).dtype)

    def shape(self, sizes: Iterable[Any]) -> str:
        """The name of a list of sizes, of which some may have names."""
        found = [size_of(size) for size in sizes]
        if all(isinstance(size, int) for size in found):
            return self.constant(np.asarray(found, np.int64).reshape(-1))
        return self.node("Concat", [self.size(size) for size in found], axis=0)

    def size(self, size: Size) -> str:
        """The name of a list of one size: a number, or a polynomial in sizes of the inputs."""
        if not isinstance(size, Poly):
            return self.constant([size])
        terms = [self._term(powers, factor) for powers, factor in size.terms]
        return self._joined("Add", terms)

    def _term(self, powers: Iterable[tuple[str, int]], factor: int) -> str:
        names = [self._named(name) for name, power in powers for _ in range(power)]
        return self._joined(
            "Mul", names if factor == 1 and names else [self.constant([factor]), *names]
        )

    def _joined(self, op: str, names: list[str]) -> str:
        total = names[0]
        for name in names[1:]:
            total = self.node(op, [total, name])
        return total

    def _named(self, name: str) -> str:
        """The size of this name, read off an input of the whole graph."""
        if self._outer:
            return self._outer._named(name)
        if name not in self._sizes:
            self._sizes[name] = self._read_off(name)
        return self._sizes[name]

    def _read_off(self, name: str) -> str:
        for given in self.graph.inputs:
            for axis, size in enumerate(self.spec(given).shape):
                if str(size) == name:
                    return self.node("Shape", [given], start=axis, end=axis + 1)
        return self._solved(name)

    def _solved(self, name: str) -> str:
        """From a multiple of it, such as the axis 2*H."""
        for given in self.graph.inputs:
            for axis, size in enumerate(self.spec(given).shape):
                match getattr(size, "terms", ()):
                    case ((((only, 1),), factor),) if only == name:
                        whole = self.node("Shape", [given], start=axis, end=axis + 1)
                        return self.node("Div", [whole, self.constant([factor])])
        raise KeyError(name)
