"""graph.json: a graph as data, with a versioned schema and no Python in it.

Arrays are not in it: they lie beside it in a safetensors file, under the names that it lists.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tensorem.errors import GraphError, TensoremError
from tensorem.graph._graph import Graph, Node, size_attr
from tensorem.rules._kinds import SIZES
from tensorem.shapes import Spec

FORMAT, VERSION = "tensorem.graph", 1
_FIELDS = {"format", "version", "inputs", "outputs", "takes", "gives", "arrays", "specs", "nodes"}
_NODE, _SPEC = {"op", "inputs", "outputs", "attrs"}, {"shape", "dtype"}


def to_json(graph: Graph) -> str:
    """The graph as text, one node a line; `from_json(to_json(g), g.arrays)` is g again."""
    document = _document(graph)
    nodes = ",\n".join("  " + json.dumps(node) for node in document.pop("nodes"))
    head = json.dumps(document, indent=1).removesuffix("\n}")
    return f'{head},\n "nodes": [\n{nodes}\n ]\n}}\n'


def canonical(text: str) -> bytes:
    """The bytes that are hashed: the same document without white space, keys sorted."""
    return json.dumps(
        json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    ).encode()


def graph_hash(graph: Graph) -> str:
    """SHA-256 of the canonical form of graph.json, in hex."""
    return hashlib.sha256(canonical(to_json(graph))).hexdigest()


_BITS = (8, 16, 32, 64)
_TYPES = {"float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16"}
_TYPES |= {"bool": "BOOL"}
_TYPES |= {f"{kind}int{n}": f"{(kind or 'i').upper()}{n}" for kind in ("", "u") for n in _BITS}


def weights_hash(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over name, dtype, shape and bytes of every array, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        shape = ",".join(map(str, array.shape))
        for part in (name, _TYPES[array.dtype.name], shape):
            digest.update(part.encode() + b"\0")
        digest.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def from_json(text: str, arrays: Mapping[str, np.ndarray]) -> Graph:
    """The graph that the text describes, checked.

    Raises:
        GraphError: The text is not a well-formed graph of this version, or does not fit the arrays.

    Example:
        >>> from tensorem.graph import capture
        >>> graph = capture(lambda x: x.mean(1), ("N", "T"))
        >>> print(from_json(to_json(graph), graph.arrays))
        graph(x0: float32(N, T)):
          mean_4: float32(N,) = mean(x0, dims=(1,))
          return mean_4
    """
    try:
        document = json.loads(text, object_pairs_hook=_distinct)
    except GraphError:
        raise
    except (ValueError, RecursionError) as error:
        raise GraphError("A graph file holds JSON.", because=str(error)) from None
    _require_version(document)
    return _guarded(lambda: _graph(document, arrays))


Json = Any
"""What JSON can say, whoever said it."""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values under one key, readers may take either."""
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise GraphError(f"A graph file holds every key once, got {twice!r} twice.")
    return table


def _require_version(document: object) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise GraphError(f'A graph file says "format": "{FORMAT}".')
    version = document.get("version")
    if type(version) is not int or version != VERSION:
        raise GraphError(f"This reads version {VERSION} of graphs, got {version!r:.40}.")


def _guarded(make: Callable[[], Graph]) -> Graph:
    try:
        return make()
    except GraphError:
        raise
    except TensoremError as error:
        raise GraphError(
            "A graph file is malformed.", where=error.where, because=error.what
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise GraphError("A graph file is malformed.", because=reason) from None


def _document(graph: Graph) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "takes": _plain(graph.takes),
        "gives": _plain(graph.gives),
        "arrays": sorted(graph.arrays),
        "specs": {name: _spec(spec) for name, spec in graph.specs.items()},
        "nodes": [_node(node) for node in graph.nodes],
    }


def _node(node: Node) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "op": node.op,
        "inputs": list(node.inputs),
        "outputs": list(node.outputs),
        "attrs": {name: _plain(value) for name, value in node.attrs.items()},
    }
    return fields if node.body is None else {**fields, "body": _document(node.body)}


def _plain(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


def _spec(spec: Spec) -> dict[str, Any]:
    return {"shape": [size_attr(n) for n in spec.shape], "dtype": spec.dtype}


def _graph(document: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> Graph:
    _require_fields("A graph", document, _FIELDS, _FIELDS)
    missing = sorted(set(document["arrays"]) - set(arrays))
    if missing:
        raise GraphError(f"The graph takes the array `{missing[0]}`, which is missing.")
    return Graph(
        inputs=tuple(map(_name, document["inputs"])),
        outputs=tuple(map(_name, document["outputs"])),
        nodes=tuple(_read_node(node) for node in document["nodes"]),
        specs={_name(k): _read_spec(v) for k, v in document["specs"].items()},
        arrays={name: np.asarray(arrays[name]) for name in document["arrays"]},
        takes=tuple(document["takes"]),
        gives=document["gives"],
    )


def _require_fields(what: str, document: object, needed: set[str], known: set[str]) -> None:
    """What this version does not know could change the meaning."""
    if not isinstance(document, dict):
        raise GraphError(f"{what} is a JSON object, got {document!r:.40}.")
    if unknown := sorted(document.keys() - known):
        raise GraphError(f"{what} has no field {unknown[0]!r} in version {VERSION}.")
    if missing := sorted(needed - document.keys()):
        raise GraphError(f"{what} has the field {missing[0]!r}, which is missing.")


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise GraphError(f"A value is named by a string, got {value!r}.")
    return value


def _read_node(node: Json) -> Node:
    _require_fields("A node", node, _NODE, {*_NODE, "body"})
    body = _read_body(node["body"]) if "body" in node else None
    return Node(
        op=_name(node["op"]),
        inputs=tuple(map(_name, node["inputs"])),
        outputs=tuple(map(_name, node["outputs"])),
        attrs={name: _read_attr(value) for name, value in node["attrs"].items()},
        body=body,
    )


def _read_body(document: Json) -> Graph:
    _require_version(document)
    return _graph(document, {})


def _read_attr(value: Json) -> Json:
    """Lists as tuples; the graph itself says whether a value is of the kind that it should be."""
    return tuple(map(_read_attr, value)) if isinstance(value, list) else value


def _read_spec(spec: Json) -> Spec:
    _require_fields("A spec", spec, _SPEC, _SPEC)
    if not isinstance(spec["shape"], list):
        raise GraphError(f"A shape is a list of sizes, got {spec['shape']!r}.")
    shape = _read_attr(spec["shape"])
    if not SIZES.fits(shape):
        raise GraphError(f"A shape is a list of sizes, got {spec['shape']!r:.40}.")
    return Spec(shape, _name(spec["dtype"]))
