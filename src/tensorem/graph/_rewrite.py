"""Rewrites: each replaces a graph by an equal one, and states the identity it uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from tensorem.errors import GraphError
from tensorem.graph._graph import Graph, Node
from tensorem.graph._read import read, repeat
from tensorem.graph._tree import unflatten
from tensorem.ops._op import results
from tensorem.shapes import Spec, parse_size

T = TypeVar("T")
MOST_NODES = 10_000
"""As many as the checker reads."""


def needed(nodes: Iterable[Node], outputs: Iterable[str]) -> tuple[tuple[Node, ...], set[str]]:
    """The nodes that outputs need, and the names of all values that these take and give."""
    live, kept = set(outputs), []
    for node in reversed(list(nodes)):
        if live & set(node.outputs):
            live |= {*node.inputs, *node.outputs}
            kept.append(node)
    return tuple(reversed(kept)), live


def only(table: Mapping[str, T], names: Iterable[str]) -> dict[str, T]:
    """A table without what has another name, in its own order."""
    kept = set(names)
    return {name: value for name, value in table.items() if name in kept}


def drop_dead(graph: Graph) -> Graph:
    """The graph without the values that no output needs."""
    nodes, live = needed(graph.nodes, graph.outputs)
    specs = only(graph.specs, {*live, *graph.inputs})
    return replace(graph, nodes=nodes, specs=specs, arrays=only(graph.arrays, live))


# --- moves


def simplify(graph: Graph) -> Graph:
    """Moves: permute∘permute = permute, reshape∘reshape = reshape, identity = nothing.

    Example:
        >>> from tensorem.graph import capture
        >>> print(simplify(capture(lambda x: x.T.T.reshape(6).reshape(3, 2), (2, 3))))
        graph(x0: float32(2, 3)):
          reshape_3: float32(3, 2) = reshape(x0, shape=(3, 2))
          return reshape_3
    """
    made: dict[str, Node] = {}
    alias: dict[str, str] = {}
    for node in graph.nodes:
        node = replace(node, inputs=tuple(alias.get(i, i) for i in node.inputs))
        node = _merged(node, made)
        if _is_identity(node, graph):
            alias[node.outputs[0]] = node.inputs[0]
        else:
            made[node.outputs[0]] = node
    outputs = {name: alias.get(name, name) for name in graph.outputs}
    return _with_nodes(graph, made.values(), graph.specs, outputs)


def _merged(node: Node, made: Mapping[str, Node]) -> Node:
    """One call instead of two that follow each other."""
    before = made.get(node.inputs[0]) if node.inputs else None
    if before is None or before.op != node.op or node.body is not None or node.row.chain is None:
        return node
    attrs = node.row.chain.after(before.attrs, node.attrs)
    return replace(node, inputs=before.inputs, attrs=attrs)


def _is_identity(node: Node, graph: Graph) -> bool:
    if node.body is not None or node.row.chain is None:
        return False
    neutral = node.row.chain.neutral(graph.specs[node.inputs[0]])
    return bool({name: _sizes(value) for name, value in node.attrs.items()} == neutral)


def _sizes(value: Any) -> Any:
    """Texts as the sizes that they name."""
    if isinstance(value, tuple):
        return tuple(map(_sizes, value))
    return parse_size(value) if isinstance(value, str) else value


def _with_nodes(
    graph: Graph, nodes: Iterable[Node], specs: Mapping[str, Spec], outputs: Mapping[str, str]
) -> Graph:
    """The graph with other nodes, where the outputs have other names."""
    given = tuple(outputs[name] for name in graph.outputs)
    kept, live = needed(nodes, given)
    return replace(
        graph,
        nodes=kept,
        outputs=given,
        gives=unflatten(graph.gives, outputs),
        specs=only(specs, {*live, *graph.inputs}),
        arrays=only(graph.arrays, live),
    )


# --- loops


def unroll(graph: Graph, limit: int = MOST_NODES) -> Graph:
    """Loops: a body that is read n times = n copies of it; loops inside of loops too.

    Raises:
        GraphError: The copies would be more ops than the limit, or a length is still a name.

    Example:
        >>> import jax
        >>> from tensorem.graph import capture
        >>> halved = lambda x: jax.lax.fori_loop(0, 2, lambda i, x: x * x, x)
        >>> print(unroll(capture(halved, (3,))))
        graph(x0: float32(3,)):
          mul_1: float32(3,) = mul(x0, x0)
          mul_1.3: float32(3,) = mul(mul_1, mul_1)
          return mul_1.3
    """
    if not graph.has_loops:
        return graph
    if graph.work > limit:
        raise GraphError(
            f"unroll takes loops of at most {limit} steps in all, turns times ops, got more.",
            help="give a larger limit; `to_jax` keeps loops as they are.",
        )
    flat = _Flat({n: graph.specs[n] for n in (*graph.inputs, *graph.arrays)})
    outputs = read(graph, flat.apply, graph.inputs, {name: name for name in graph.arrays})
    names = dict(zip(graph.outputs, outputs, strict=True))
    return _with_nodes(graph, flat.nodes, flat.specs, names)


class _Flat:
    """The meaning of a node as nodes without loops: names of operands -> names of results."""

    def __init__(self, specs: dict[str, Spec]) -> None:
        self.specs = specs
        self.nodes: list[Node] = []

    def apply(self, node: Node, operands: list[str]) -> list[str]:
        """The results of a copy of a node."""
        if node.body is not None:
            return repeat(node, node.body, self.apply, operands)
        specs = results(node.row.shape(*(self.specs[x] for x in operands), **node.attrs))
        outputs = tuple(map(self._fresh, node.outputs))
        self.nodes.append(replace(node, inputs=tuple(operands), outputs=outputs))
        self.specs |= zip(outputs, specs, strict=True)
        return list(outputs)

    def _fresh(self, name: str) -> str:
        """A name that no value has yet."""
        own = name
        while own in self.specs:
            own = f"{name}.{len(self.nodes)}"
            name += "_"
        return own
