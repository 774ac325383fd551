"""Rewrites: each replaces a graph by an equal one, and states the identity it uses."""

from __future__ import annotations

from dataclasses import replace

from tensorem.graph._graph import Graph, Node, flatten, unflatten


def drop_dead(graph: Graph) -> Graph:
    """The graph without the values that no output needs."""
    live = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if live & set(node.outputs):
            live |= set(node.inputs)
            kept.append(node)
    known = live | set(graph.inputs) | {name for node in kept for name in node.outputs}
    return replace(
        graph,
        nodes=tuple(reversed(kept)),
        specs={k: v for k, v in graph.specs.items() if k in known},
        arrays={k: v for k, v in graph.arrays.items() if k in live},
    )


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
    nodes: list[Node] = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(alias.get(i, i) for i in node.inputs))
        node = _merged(node, made)
        if _is_identity(node, graph):
            alias[node.outputs[0]] = node.inputs[0]
            continue
        made[node.outputs[0]] = node
        nodes.append(node)
    outputs = tuple(alias.get(o, o) for o in graph.outputs)
    names = {name: alias.get(name, name) for name in flatten(graph.gives)}
    gives = unflatten(graph.gives, names)
    return drop_dead(replace(graph, nodes=tuple(nodes), outputs=outputs, gives=gives))


def _merged(node: Node, made: dict[str, Node]) -> Node:
    """One move instead of two of the same kind."""
    before = made.get(node.inputs[0]) if node.inputs else None
    if before is None or before.op != node.op or node.op not in ("permute", "reshape"):
        return node
    if node.op == "reshape":
        return replace(node, inputs=before.inputs)
    first, then = before.attrs["dims"], node.attrs["dims"]
    return replace(node, inputs=before.inputs, attrs={"dims": tuple(first[i] for i in then)})


def _is_identity(node: Node, graph: Graph) -> bool:
    if node.op == "permute":
        return bool(node.attrs["dims"] == tuple(range(len(node.attrs["dims"]))))
    if node.op == "reshape":
        return bool(graph.specs[node.inputs[0]].shape == graph.specs[node.outputs[0]].shape)
    return False
