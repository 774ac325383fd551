"""The graph: a pure program as a list of nodes, each one row of the op table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tensorem import runtime
from tensorem.errors import ArgumentError, GraphError
from tensorem.ops import TABLE
from tensorem.ops._op import Op
from tensorem.shapes import Spec, bind_size, format_shape, parse_size

Tree = Any
"""A tree of value names: a name, or a tuple, list or dict of trees."""

_CONSTANT = "const."


@dataclass(frozen=True)
class Loop:
    """How the body of a loop is read.

    Args:
        length: How often.
        fixed: Number of operands that are the same every time; they come first.
        carried: Number of operands that a reading passes on to the next; they come second. All
            further ones are stacks, of which every reading takes one slice.
        reverse: From the last slice to the first.
    """

    length: int
    fixed: int
    carried: int
    reverse: bool

    @staticmethod
    def of(attrs: Mapping[str, Any]) -> Loop:
        """The loop that the attributes of a node describe.

        Raises:
            GraphError: One is missing or unknown, or is no count (reverse: no truth value).
        """
        if attrs.keys() != _LOOP.keys():
            got = ", ".join(sorted(attrs)) or "none"
            raise GraphError(f"A loop takes the attributes {', '.join(_LOOP)}, got {got}.")
        for name, kind in _LOOP.items():
            value = attrs[name]
            if type(value) is not kind or value < 0:
                takes = "a truth value" if kind is bool else "an integer of at least 0"
                raise GraphError(f"The attribute `{name}` of a loop takes {takes}, got {value!r}.")
        return Loop(**attrs)

    def operands(self, body: Graph) -> list[Spec]:
        """The specs of what a loop with this body takes."""
        return self._specs(body, body.inputs, self.fixed + self.carried)

    def results(self, body: Graph) -> list[Spec]:
        """The specs of what a loop with this body gives: the last state, then the stacks."""
        return self._specs(body, body.outputs, self.carried)

    def _specs(self, body: Graph, names: tuple[str, ...], first: int) -> list[Spec]:
        """Those of the body's values, but stacks of them after the first few."""
        specs = [body.specs[name] for name in names]
        stacks = [Spec((self.length, *spec.shape), spec.dtype) for spec in specs[first:]]
        return [*specs[:first], *stacks]


_LOOP: Mapping[str, type[int]] = {"length": int, "fixed": int, "carried": int, "reverse": bool}


@dataclass(frozen=True)
class Node:
    """One application of an op: values in, values out.

    Args:
        op: The name of a row of the op table, or "loop".
        inputs: Names of the operands.
        outputs: Names of the results.
        attrs: The op's attributes.
        body: For a loop, the graph that is read `attrs["length"]` times.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    body: Graph | None = None

    @property
    def row(self) -> Op:
        """The row of the op table that this node applies."""
        if self.op not in TABLE:
            raise GraphError(f"A graph takes the ops of the table, got `{self.op}`.")
        return TABLE[self.op]

    @property
    def loop(self) -> Loop:
        """How a loop is read."""
        return Loop.of(self.attrs)


@dataclass(frozen=True)
class Graph:
    """A pure program: what is serialised, read in other meanings, and proved about.

    Args:
        inputs: Names of the arguments, flat.
        outputs: Names of the results, flat.
        nodes: In topological order.
        specs: Shape and dtype of every value.
        arrays: Weights (under their state-dict names) and constants.
        takes: The arguments as one tree of names each.
        gives: The result as a tree of names.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    specs: Mapping[str, Spec]
    arrays: Mapping[str, np.ndarray]
    takes: tuple[Tree, ...]
    gives: Tree

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def __repr__(self) -> str:
        sizes = ", ".join(format_shape(self.specs[name].shape) for name in self.inputs)
        return f"Graph({sizes}; {len(self.nodes)} nodes)"

    def bind(self, **sizes: int) -> Graph:
        """The graph with names replaced by integers.

        Raises:
            ArgumentError: A size is no integer, no size has this name, or an op does not take what
                it would get: the column 2 of an axis that is bound to 1.
            ShapeError: A size, such as T-2, would be below 0.

        Example:
            >>> from tensorem.graph import capture
            >>> capture(lambda x: x.mean(1), ("N", "T")).bind(T=5)
            Graph((N, 5); 1 nodes)
        """
        for name, size in sizes.items():
            if name not in self.names:
                known = ", ".join(sorted(self.names)) or "none"
                raise ArgumentError(f"bind takes names of sizes ({known}), got {name!r}.")
            if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 0:
                raise ArgumentError(f"bind takes integers of at least 0, got {name}={size!r}.")
        bound = self._bound({name: int(size) for name, size in sizes.items()})
        bound._require_shapes(", ".join(f"{name}={size}" for name, size in sizes.items()))
        return bound

    def _require_shapes(self, sizes: str) -> None:
        from tensorem.graph._check import check  # which itself is about graphs

        try:
            check(self)
        except GraphError as error:
            raise ArgumentError(
                f"bind takes sizes at which every op has a meaning, got {sizes}.",
                where=error.where,
                because=error.what,
            ) from None

    def _bound(self, sizes: Mapping[str, int]) -> Graph:
        specs = {name: spec.bind(sizes) for name, spec in self.specs.items()}
        nodes = tuple(
            replace(
                node,
                attrs={k: _bind_attr(v, sizes) for k, v in node.attrs.items()},
                body=node.body._bound(sizes) if node.body else None,
            )
            for node in self.nodes
        )
        return replace(self, specs=specs, nodes=nodes)

    def precision(self) -> AbstractContextManager[None]:
        """A context in which JAX computes in 64 bits where a value of the graph has them."""
        return runtime.precision(spec.dtype for spec in self.specs.values())

    @property
    def names(self) -> frozenset[str]:
        """The symbolic sizes that are still unbound."""
        sizes = (n for spec in self.specs.values() for n in spec.shape)
        return frozenset(name for n in sizes for name in getattr(n, "names", ()))


def _bind_attr(value: Any, sizes: Mapping[str, int]) -> Any:
    """Text within a tuple is a symbolic size."""
    if not isinstance(value, tuple):
        return value
    return tuple(
        size_attr(bind_size(parse_size(v), sizes)) if isinstance(v, str) else _bind_attr(v, sizes)
        for v in value
    )


def size_attr(size: Any) -> int | str:
    """A size as it stands in attributes and JSON: an integer, or a polynomial as text."""
    return int(size) if isinstance(size, int | np.integer) else str(size)


def constant_name(number: int) -> str:
    """The name of a constant: one that no layer gives to its arrays."""
    return f"{_CONSTANT}{number}"


def is_constant(name: str) -> bool:
    """Whether an array of a graph is a constant of the program, and no weight."""
    return name.startswith(_CONSTANT)


def flatten(tree: Tree) -> Iterator[Any]:
    """The leaves of a tree, dicts in the order of their sorted keys (as JAX orders them)."""
    if isinstance(tree, dict):
        for key in sorted(tree):
            yield from flatten(tree[key])
    elif isinstance(tree, tuple | list):
        for item in tree:
            yield from flatten(item)
    elif tree is not None:
        yield tree


def unflatten(tree: Tree, values: Mapping[str, Any]) -> Tree:
    """The tree with every name replaced by its value."""
    if isinstance(tree, dict):
        return {key: unflatten(item, values) for key, item in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(unflatten(item, values) for item in tree)
    return None if tree is None else values[tree]


def _lines(graph: Graph, indent: str = "") -> Iterator[str]:
    def typed(name: str) -> str:
        spec = graph.specs[name]
        return f"{name}: {spec.dtype}{format_shape(spec.shape)}"

    yield f"{indent}graph({', '.join(map(typed, graph.inputs))}):"
    for node in graph.nodes:
        attrs = "".join(f", {k}={v}" for k, v in node.attrs.items())
        call = f"{node.op}({', '.join(node.inputs)}{attrs})"
        yield f"{indent}  {', '.join(map(typed, node.outputs))} = {call}"
        if node.body is not None:
            yield from _lines(node.body, indent + "    ")
    yield f"{indent}  return {', '.join(graph.outputs)}"
