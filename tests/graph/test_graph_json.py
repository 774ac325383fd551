"""graph.json: the round trip, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import graph, ops
from tensorem.errors import ArgumentError, GraphError

W = np.ones((2, 3), np.float32)


def example() -> graph.Graph:
    f = lambda w, x: ops.softmax(ops.relu(ops.linear(x, w["0.weight"])), dim=1) * 2.0  # noqa: E731
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


def of_softmax(dim: Any) -> Any:
    return lambda d: d["nodes"][2].update(attrs={"dim": dim})


def of_the_broadcast(shape: Any) -> Any:
    return lambda d: d["nodes"][3]["attrs"].update(shape=shape)


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
    "attribute": (
        lambda d: d["nodes"][1].update(attrs={"dim": 1}),
        "`relu` takes the attributes none, got dim",
    ),
    "no attribute": (
        lambda d: d["nodes"][2].update(attrs={}),
        "takes the attributes dim, got none",
    ),
    "array": (lambda d: d["arrays"].append("2.weight"), "`2.weight`, which is missing"),
    "twice": (lambda d: d["nodes"].append(d["nodes"][1]), "is made twice"),
    "size": (
        lambda d: d["specs"]["x0"].update(shape=["N N"]),
        "A shape is a list of sizes, got ['N N']",
    ),
    "missing key": (lambda d: d.pop("takes"), "A graph has the field 'takes', which is missing"),
    "a node that is none": (lambda d: d.update(nodes=["x"]), "A node is a JSON object, got 'x'"),
    "half a spec": (lambda d: d["specs"]["x0"].pop("dtype"), "A spec has the field 'dtype'"),
    "null": (of_softmax(None), "The attribute `dim` of `softmax` takes an integer, got None"),
    "text for a number": (of_softmax("x"), "takes an integer, got 'x'"),
    "no number": (of_softmax(1e999), "takes an integer, got inf"),
    "a number for sizes": (of_the_broadcast(1), "takes a list of sizes, got 1"),
    "half a size": (of_the_broadcast([0.5]), "takes a list of sizes, got (0.5,)"),
    "code for a size": (of_the_broadcast(["f()"]), "takes a list of sizes, got ('f()',)"),
    "no outputs": (lambda d: d.update(outputs=[]), "`gives` holds the outputs in their order"),
    "a text for a shape": (lambda d: d["specs"]["x0"].update(shape="N3"), "is a list of sizes"),
    "unknown field": (lambda d: d.update(evil=1), "no field 'evil' in version 1"),
    "unknown field of a node": (lambda d: d["nodes"][0].update(evil=1), "no field 'evil'"),
    "a list": (lambda d: d.update(nodes=3), "malformed"),
    "a number for a name": (lambda d: d.update(inputs=[7]), "is named by a string, got 7"),
    "a shape that is none": (lambda d: d["specs"].pop("relu_1"), "`relu_1` has none"),
    "an input without a shape": (lambda d: d["specs"].pop("x0"), "`x0` has none"),
    "other arguments": (lambda d: d.update(takes=["relu_1"]), "`takes` holds the inputs in their"),
    "an array that is an input": (
        lambda d: (d["arrays"].append("x0"), d["nodes"][0].update(inputs=["x0", "x0"])),
        "An input or array has a name of its own",
    ),
    "an input twice": (lambda d: d.update(inputs=["x0", "x0"]), "has a name of its own"),
    "a version that is no number": (lambda d: d.update(version=True), "of graphs, got True"),
    "a huge number": (of_softmax(10**400), "takes an integer, got 1000"),
    "a huge size": (lambda d: d["specs"]["x0"].update(shape=[10**400]), "got [1000"),
    "a truth value for a size": (
        lambda d: d["specs"]["x0"].update(shape=[True, 3]),
        "got [True, 3]",
    ),
    "a truth value for a number": (of_softmax(True), "takes an integer, got True"),
    "two results": (
        lambda d: (d["nodes"][1].update(outputs=["a", "b"]), d["specs"].update(a=SPEC, b=SPEC)),
        "`relu` gives float32 (N, 2), the graph says float32 (N, 2), float32 (N, 2)",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_document_is_one_clear_error(name: str) -> None:
    change, words = BROKEN[name]
    with pytest.raises(GraphError) as caught:
        graph.from_json(edit(change), {"0.weight": W, "const.0": np.float32(2), "x0": W})
    assert words in str(caught.value)


def test_text_that_is_no_json_is_one_clear_error() -> None:
    with pytest.raises(GraphError, match="A graph file holds JSON"):
        graph.from_json("{", {})
    with pytest.raises(GraphError, match="holds JSON"):
        graph.from_json("[" * 100_000, {})
    with pytest.raises(GraphError, match="holds JSON"):
        graph.from_json("1" * 5000, {})


def test_a_key_that_stands_twice_is_refused() -> None:
    text = edit(lambda d: None)
    twice = text.replace('"format": ', '"format": "x", "format": ', 1)
    with pytest.raises(GraphError, match="holds every key once, got 'format' twice"):
        graph.from_json(twice, {"0.weight": W, "const.0": np.float32(2)})


def looped() -> graph.Graph:
    turn = lambda c, row: (c * 0.5 + row, c)  # noqa: E731
    return graph.capture(lambda x: jax.lax.scan(turn, jnp.zeros(2), x), (3, 2))


def of_the_loop(**attrs: Any) -> Any:
    return lambda d, loop: loop["attrs"].update(attrs)


def passed(body: Any, names: list[str]) -> None:
    body.update(outputs=names, gives=names)


BROKEN_LOOPS: dict[str, tuple[Any, str]] = {
    "no length": (
        lambda d, loop: loop["attrs"].pop("length"),
        "takes the attributes carried, fixed, length, reverse, got carried, fixed, reverse",
    ),
    "no attributes": (lambda d, loop: loop.update(attrs={}), "got none"),
    "longer than its stacks": (of_the_loop(length=5), "takes float32 (), float32 (2,), float32 (5"),
    "shorter": (of_the_loop(length=1), "the graph says float32 (), float32 (2,), float32 (3, 2)"),
    "a huge length": (
        of_the_loop(length=10**400),
        "`length` of `loop` takes an integer of at least 1, or a size",
    ),
    "half a length": (of_the_loop(length=3.0), "of at least 1, or a size with names, got 3.0"),
    "no turn": (of_the_loop(length=0), "of at least 1, or a size with names, got 0"),
    "below 0": (of_the_loop(fixed=-1), "`fixed` of `loop` takes an integer of at least 0, got -1"),
    "a number for a truth value": (
        of_the_loop(reverse=1),
        "`reverse` of `loop` takes true or false, got 1",
    ),
    "nothing carried": (of_the_loop(carried=0), "The loop takes float32 (), float32 (3, 2)"),
    "too much carried": (of_the_loop(carried=9), "takes 10 operands or more and gives 9 or more"),
    "too much fixed": (of_the_loop(fixed=3, carried=1), "takes 4 operands or more"),
    "an operand less": (lambda d, loop: loop["inputs"].pop(), "the graph says float32 (), "),
    "other results": (
        lambda d, loop: [d["specs"][name].update(shape=[7, 7]) for name in loop["outputs"]],
        "The loop gives float32 (2,), float32 (3, 2), the graph says float32 (7, 7)",
    ),
    "a result less": (
        lambda d, loop: d.update(gives=[loop["outputs"].pop(0)], outputs=loop["outputs"]),
        "the graph says float32 (3, 2).",
    ),
    "another state": (
        lambda d, loop: passed(loop["body"], loop["body"]["inputs"][::2]),
        "The loop passes on float32 (2,), the graph says float32 ().",
    ),
    "another version": (
        lambda d, loop: loop["body"].update(version=2),
        "This reads version 1 of graphs, got 2",
    ),
    "no body": (lambda d, loop: loop.pop("body"), "A loop has a body"),
}


@pytest.mark.parametrize("name", BROKEN_LOOPS)
def test_a_broken_loop_is_one_clear_error(name: str) -> None:
    change, words = BROKEN_LOOPS[name]
    g = looped()
    document = json.loads(graph.to_json(g))
    [loop] = [node for node in document["nodes"] if node["op"] == "loop"]
    change(document, loop)
    with pytest.raises(GraphError) as caught:
        graph.from_json(json.dumps(document), g.arrays)
    assert words in str(caught.value)
    if name not in ("no body", "another version"):
        assert caught.value.where == ", ".join(loop["outputs"])


def test_arrays_in_the_body_of_a_loop_are_refused() -> None:
    g = looped()
    [loop] = [node for node in g.nodes if node.body is not None]
    assert loop.body is not None
    zero = {"zero": np.zeros((), np.float32)}
    specs = {**loop.body.specs, "zero": tm.Spec((), "float32")}
    held = dataclasses.replace(loop, body=dataclasses.replace(loop.body, arrays=zero, specs=specs))
    nodes = tuple(held if node is loop else node for node in g.nodes)
    with pytest.raises(GraphError, match="The arrays of a loop are its operands"):
        dataclasses.replace(g, nodes=nodes)


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
