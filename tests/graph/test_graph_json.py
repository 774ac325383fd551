"""graph.json: the round trip, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tensorem import graph, ops
from tensorem.errors import ArgumentError, GraphError

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


SPEC = {"shape": ["N", 2], "dtype": "float32"}
BROKEN: dict[str, tuple[Any, str]] = {
    "format": (lambda d: d.update(format="onnx"), 'says "format": "tensorem.graph"'),
    "version": (lambda d: d.update(version=2), "reads version 1 of graphs, got 2"),
    "op": (lambda d: d["nodes"][0].update(op="warp"), "got `warp`"),
    "order": (lambda d: d["nodes"].reverse(), "is used before it is made"),
    "output": (lambda d: d.update(outputs=["y"], gives="y"), "got `y`"),
    "shape": (lambda d: d["specs"]["relu_1"].update(shape=[7]), "the graph says"),
    "dtype": (lambda d: d["specs"]["relu_1"].update(dtype="int32"), "the graph says"),
    "operands": (lambda d: d["nodes"][1].update(inputs=[]), "takes 1 operands, got 0"),
    "attribute": (lambda d: d["nodes"][1].update(attrs={"dim": 1}), "cannot take these operands"),
    "array": (lambda d: d["arrays"].append("2.weight"), "`2.weight`, which is missing"),
    "twice": (lambda d: d["nodes"].append(d["nodes"][1]), "is made twice"),
    "size": (lambda d: d["specs"]["x0"].update(shape=["N N"]), "malformed"),
    "missing key": (lambda d: d.pop("takes"), "malformed"),
    "null": (lambda d: d["nodes"][1].update(attrs={"k": None}), "got None"),
    "text for a number": (lambda d: d["nodes"][1].update(attrs={"eps": "x"}), "a finite number"),
    "no number": (lambda d: d["nodes"][1].update(attrs={"eps": 1e999}), "a finite number, got inf"),
    "a number for sizes": (lambda d: d["nodes"][1].update(attrs={"dims": 1}), "a list, got 1"),
    "half a size": (lambda d: d["nodes"][1].update(attrs={"dims": [0.5]}), "got 0.5"),
    "code for a size": (lambda d: d["nodes"][1].update(attrs={"dims": ["f()"]}), "got 'f()'"),
    "no outputs": (lambda d: d.update(outputs=[]), "`gives` holds the outputs in their order"),
    "a text for a shape": (lambda d: d["specs"]["x0"].update(shape="N3"), "is a list of sizes"),
    "unknown field": (lambda d: d.update(evil=1), "no field 'evil' in version 1"),
    "unknown field of a node": (lambda d: d["nodes"][0].update(evil=1), "no field 'evil'"),
    "a list": (lambda d: d.update(nodes=3), "malformed"),
    "a number for a name": (lambda d: d.update(inputs=[7]), "is named by a string, got 7"),
    "a shape that is none": (lambda d: d["specs"].pop("relu_1"), "`relu_1` has none"),
    "an input without a shape": (lambda d: d["specs"].pop("x0"), "`x0` has none"),
    "other arguments": (lambda d: d.update(takes=["relu_1"]), "`takes` holds the inputs in their"),
    "two results": (
        lambda d: (d["nodes"][1].update(outputs=["a", "b"]), d["specs"].update(a=SPEC, b=SPEC)),
        "`relu` gives one value, got 2",
    ),
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
    with pytest.raises(GraphError, match="holds JSON"):
        graph.from_json("1" * 5000, {})


def test_arrays_of_another_shape_are_refused() -> None:
    g = example()
    with pytest.raises(GraphError, match=r"`0.weight` is float32\(3, 2\)"):
        graph.from_json(graph.to_json(g), {**g.arrays, "0.weight": W.T})


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"Q": 3}, r"bind takes names of sizes \(N\), got 'Q'"),
        ({"N": -1}, "bind takes integers of at least 0, got N=-1"),
        ({"N": 1.5}, r"bind takes integers of at least 0, got N=1\.5"),
        ({"N": "a"}, "bind takes integers of at least 0, got N='a'"),
    ],
)
def test_sizes_are_bound_by_their_names_to_integers(sizes: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        example().bind(**sizes)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "uint64", "bool", "float16"])
def test_weights_of_every_dtype_have_a_hash(dtype: str) -> None:
    assert len(graph.weights_hash({"a": np.zeros(2, dtype)})) == 64
