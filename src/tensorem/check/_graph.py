"""graph.json as data: names, sizes and order checked, every symbolic size bound to 1."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._errors import MalformedError, UnsupportedError
from ._files import LARGEST_SIZE

Shape = tuple[int, ...]

MOST_NODES = 10_000

_FIELDS = {"format", "version", "inputs", "outputs", "arrays", "specs", "nodes"}
_DISPLAY = {"takes", "gives"}
"""How callers group the inputs and outputs: without meaning for one input and one output."""


@dataclass(frozen=True)
class Node:
    """One operation: op, names of its operands and of its result, attributes as JSON has them."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attrs: Mapping[str, Any]


@dataclass(frozen=True)
class Graph:
    """One input, one output, named arrays, the recorded shape of every value, nodes in order."""

    input: str
    output: str
    arrays: tuple[str, ...]
    shapes: Mapping[str, Shape]
    nodes: tuple[Node, ...]


def parse_graph(document: Mapping[str, Any]) -> Graph:
    """The graph, refused unless every value is defined once and before its first use."""
    if document.get("format") != "tensorem.graph":
        raise MalformedError("the graph does not say format tensorem.graph")
    if type(document.get("version")) is not int or document["version"] != 1:
        raise UnsupportedError("the graph is not of version 1")
    if document.keys() - _DISPLAY != _FIELDS:
        odd = sorted((document.keys() - _DISPLAY) ^ _FIELDS)
        raise MalformedError(f"the graph has missing or unknown fields: {', '.join(odd)[:200]}")
    inputs, outputs = _names(document["inputs"]), _names(document["outputs"])
    if len(inputs) != 1 or len(outputs) != 1:
        raise UnsupportedError("the graph takes one input and gives one output, this one differs")
    nodes = _list(document["nodes"], "nodes")
    if len(nodes) > MOST_NODES:
        raise UnsupportedError(f"the graph has more than {MOST_NODES} nodes")
    shapes = {n: _spec(n, s) for n, s in _table(document["specs"], "specs").items()}
    arrays = _names(document["arrays"])
    graph = Graph(inputs[0], outputs[0], arrays, shapes, tuple(map(_node, nodes)))
    _check_names(graph)
    return graph


def _check_names(graph: Graph) -> None:
    seen: set[str] = set()
    for name in (graph.input, *graph.arrays):
        _define(name, seen, graph)
    for node in graph.nodes:
        for name in node.inputs:
            if name not in seen:
                raise MalformedError(f"value `{name}` is used before it is defined")
        _define(node.output, seen, graph)
    if graph.output not in seen:
        raise MalformedError(f"the output `{graph.output}` is not defined")
    if graph.shapes.keys() != seen:
        odd = sorted(graph.shapes.keys() ^ seen)[0]
        raise MalformedError(f"specs and values differ: `{odd}`")


def _define(name: str, seen: set[str], graph: Graph) -> None:
    if name in seen:
        raise MalformedError(f"value `{name}` is defined twice")
    if name not in graph.shapes:
        raise MalformedError(f"value `{name}` has no spec")
    seen.add(name)


def _node(fields: object) -> Node:
    node = _table(fields, "a node")
    if "body" in node:
        raise UnsupportedError("a node with a body (a loop) cannot be checked; unroll it")
    if node.keys() != {"op", "inputs", "outputs", "attrs"}:
        raise MalformedError("a node takes op, inputs, outputs and attrs")
    outputs = _names(node["outputs"])
    if not isinstance(node["op"], str):
        raise MalformedError("a node's op is not text")
    if len(outputs) != 1:
        raise UnsupportedError(f"op `{node['op'][:80]}` with {len(outputs)} outputs")
    return Node(node["op"], _names(node["inputs"]), outputs[0], _table(node["attrs"], "attrs"))


def _spec(name: str, fields: object) -> Shape:
    spec = _table(fields, f"the spec of `{name}`")
    if spec.keys() != {"shape", "dtype"}:
        raise MalformedError(f"the spec of `{name}` takes shape and dtype")
    if spec["dtype"] != "float32":
        raise UnsupportedError(f"`{name}` has dtype {str(spec['dtype'])[:40]}; known is float32")
    shape = sizes(spec["shape"])
    if len(shape) > 16 or any(n < 1 for n in shape) or math.prod(shape) > LARGEST_SIZE:
        raise UnsupportedError(f"`{name}` is empty, too large or of too many axes")
    return shape


def sizes(values: object) -> Shape:
    """A list of sizes: integers, or polynomials in names such as "8*N", each name bound to 1."""
    return tuple(_size(v) for v in _list(values, "a shape"))


_NAME = r"[A-Za-z_]\w*(?:\^\d)?"
_TERM = re.compile(rf"([+-]?)(\d{{1,12}}|{_NAME})((?:\*{_NAME})*)", re.ASCII)


def _size(value: object) -> int:
    if type(value) is int and abs(value) < 2**48:
        return value
    text = value if isinstance(value, str) and len(value) <= 200 else ""
    terms = list(_TERM.finditer(text))
    signed = all(t.group(1) for t in terms[1:])
    if not terms or not signed or "".join(t.group() for t in terms) != text:
        raise MalformedError(f"{str(value)[:80]!r} is not a size")
    return sum(_coefficient(t) for t in terms)


def _coefficient(term: re.Match[str]) -> int:
    size = int(term.group(2)) if term.group(2).isdigit() else 1
    return -size if term.group(1) == "-" else size


def _names(values: object) -> tuple[str, ...]:
    names = tuple(_list(values, "names"))
    if not all(isinstance(n, str) and n.isprintable() for n in names):
        raise MalformedError("a value is named by printable text")
    return names


def _list(values: object, what: str) -> list[Any]:
    if not isinstance(values, list):
        raise MalformedError(f"{what} takes a list, got {str(values)[:80]!r}")
    return values


def _table(values: object, what: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise MalformedError(f"{what} takes an object, got {str(values)[:80]!r}")
    return values
