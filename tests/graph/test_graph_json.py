"""graph.json: the round trip, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tensorem import graph, ops
from tensorem.errors import GraphError

W = np.ones((2, 3), np.float32)


def example() -> graph.Graph:
    f = lambda w, x: ops.relu(ops.linear(x, w["0.weight"])) * 2.0  # noqa: E731
    return graph.capture(f, ("N", 3), weights={"0.weight": W})


def test_the_round_trip_is_the_identity() -> None:
    g = example()
    back = graph.from_json(graph.to_json(g), g.arrays)
    assert str(back) == str(g) and back.specs == g.specs
    assert graph.graph_hash(back) == graph.graph_hash(g)


def test_the_hash_does_not_see_white_space_but_sees_everything_else() -> None:
    g = example()
    squeezed = json.dumps(json.loads(graph.to_json(g)))
    assert graph.graph_hash(graph.from_json(squeezed, g.arrays)) == graph.graph_hash(g)
    assert graph.graph_hash(g.bind(N=1)) != graph.graph_hash(g)
    assert graph.weights_hash({"a": W}) != graph.weights_hash({"a": W + 1})
    assert graph.weights_hash({"a": W}) != graph.weights_hash({"a": W.reshape(3, 2)})


def edit(change: Any) -> str:
    document = json.loads(graph.to_json(example()))
    change(document)
    return json.dumps(document)


BROKEN: dict[str, tuple[Any, str]] = {
    "format": (lambda d: d.update(format="onnx"), 'says "format": "tensorem.graph"'),
    "version": (lambda d: d.update(version=2), "reads version 1 of graphs, got 2"),
    "op": (lambda d: d["nodes"][0].update(op="warp"), "got `warp`"),
    "order": (lambda d: d["nodes"].reverse(), "is used before it is made"),
    "output": (lambda d: d.update(outputs=["y"], gives="y"), "got `y`"),
    "shape": (lambda d: d["specs"]["relu_1"].update(shape=[7]), "the graph says"),
    "dtype": (lambda d: d["specs"]["relu_1"].update(dtype="int32"), "the graph says"),
    "operands": (lambda d: d["nodes"][1].update(inputs=[]), "takes 1 operands, got 0"),
    "attribute": (lambda d: d["nodes"][1].update(attrs={"k": 1}), "cannot take these operands"),
    "array": (lambda d: d["arrays"].append("2.weight"), "`2.weight`, which is missing"),
    "twice": (lambda d: d["nodes"].append(d["nodes"][1]), "is made twice"),
    "size": (lambda d: d["specs"]["x0"].update(shape=["N N"]), "malformed"),
    "missing key": (lambda d: d.pop("takes"), "malformed"),
    "null": (lambda d: d["nodes"][1].update(attrs={"k": None}), "got None"),
    "a list": (lambda d: d.update(nodes=3), "malformed"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_document_is_one_clear_error(name: str) -> None:
    change, words = BROKEN[name]
    with pytest.raises(GraphError) as caught:
        graph.from_json(edit(change), {"0.weight": W, "const.0": np.float32(2)})
    assert words in str(caught.value)


def test_text_that_is_no_json_is_one_clear_error() -> None:
    with pytest.raises(GraphError, match="A graph file holds JSON"):
        graph.from_json("{", {})
    with pytest.raises(GraphError, match="holds JSON"):
        graph.from_json("[" * 100_000, {})


def test_arrays_of_another_shape_are_refused() -> None:
    g = example()
    with pytest.raises(GraphError, match=r"`0.weight` is float32\(3, 2\)"):
        graph.from_json(graph.to_json(g), {**g.arrays, "0.weight": W.T})
