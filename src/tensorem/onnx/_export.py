"""A model or graph as an ONNX file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tensorem.calls import called
from tensorem.disk import path_of, write_whole
from tensorem.errors import MeaningError
from tensorem.graph import Captured, Graph, Node, Trained, graph_of
from tensorem.shapes import Spec

from ._read import package
from ._rows import ROWS
from ._writer import TYPES, Writer

if TYPE_CHECKING:
    from onnx import GraphProto, ValueInfoProto

OPSET = 20
"""The first that has Gelu."""
_IR = 9


@called
def export(model: Trained | Captured | Graph, path: str | Path) -> None:
    """Write a model in evaluation, or a graph, as an ONNX file.

    Arrays keep their state-dict names, sizes with names stay names, and a loop over time is one
    `Scan`. An op of ours is one standard operator, or a few where there is none.

    Raises:
        MeaningError: An op has no form in ONNX.
        CaptureError: A layer does something that has no row in the op table.
        FileError: The file cannot be written.
        ArgumentError: This is no model or graph, or the onnx package is not installed.

    Example:
        >>> import pathlib, tempfile
        >>> from tensorem import nn
        >>> path = pathlib.Path(tempfile.mkdtemp(), "model.onnx")
        >>> export(nn.build(nn.Linear(3, 2), input=("N", 3)), path)
        >>> from tensorem import onnx
        >>> print(onnx.load(path))
        graph(x0: float32(N, 3)):
          linear_0: float32(N, 2) = linear(x0, weight, bias)
          return linear_0

    Source:
        Open Neural Network Exchange, opset 20.
    """
    onnx, graph, at = package(), graph_of(model), path_of(path)
    helper = onnx.helper
    proto = helper.make_model(
        _proto(graph, Writer(graph)),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR,
        producer_name="tensorem",
    )
    write_whole(at, proto.SerializeToString())


def _proto(graph: Graph, writer: Writer) -> GraphProto:
    """The nodes of a graph, or of the body of a loop, in their order."""
    onnx = package()
    for node in graph.nodes:
        _write(writer, node)
    # An input or an array may be a result, and one value two results: each gets a name of its own.
    outputs = [writer.node("Identity", [name], [writer.fresh("y")]) for name in graph.outputs]
    arrays = {**graph.arrays, **writer.arrays}
    graph_proto: GraphProto = onnx.helper.make_graph(
        writer.nodes,
        "tensorem",
        [_info(name, graph.specs[name]) for name in graph.inputs],
        [_info(new, graph.specs[old]) for new, old in zip(outputs, graph.outputs, strict=True)],
        [onnx.numpy_helper.from_array(np.asarray(a), name) for name, a in arrays.items()],
    )
    return graph_proto


def _info(name: str, spec: Spec) -> ValueInfoProto:
    sizes = [size if isinstance(size, int) else str(size) for size in spec.shape]
    info: ValueInfoProto = package().helper.make_tensor_value_info(name, TYPES[spec.dtype], sizes)
    return info


def _write(writer: Writer, node: Node) -> None:
    if node.body is not None:
        _scan(writer, node, node.body)
    elif node.op in ROWS:
        ROWS[node.op](writer, node)
    else:
        raise MeaningError(
            f"onnx.export takes ops that ONNX has, got `{node.op}`.",
            where=node.outputs[0],
            help="leave out the part of the model that makes it.",
        )


def _scan(writer: Writer, node: Node, body: Graph) -> None:
    """A loop: what it carries, then stacks; what stays the same is read from around the body."""
    loop, inner = node.loop, _renamed(body, writer.fresh(node.op))
    within = Writer(inner, writer)
    for outside, inside in zip(node.inputs, inner.inputs[: loop.fixed], strict=False):
        within.node("Identity", [outside], [inside])
    proto = _proto(inner, within)
    del proto.input[: loop.fixed]
    inputs = list(node.inputs[loop.fixed :])
    if len(inputs) == loop.carried:  # a Scan counts by its stacks: one of zeros
        inputs.append(
            writer.node("Expand", [writer.constant([0.0], "float32"), writer.shape([loop.length])])
        )
        proto.input.append(_info(writer.fresh("turn"), Spec(())))
    stacks = {"input": len(inputs), "output": len(node.outputs)}
    directions = {
        f"scan_{side}_directions": [int(loop.reverse)] * (count - loop.carried)
        for side, count in stacks.items()
        if count > loop.carried
    }
    count = len(inputs) - loop.carried
    writer.node("Scan", inputs, node.outputs, body=proto, num_scan_inputs=count, **directions)


def _renamed(body: Graph, prefix: str) -> Graph:
    """The same with names that no graph around it has."""
    new = {name: f"{prefix}{name}" for name in body.specs}

    def names(old: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new[name] for name in old)

    return Graph(
        names(body.inputs),
        names(body.outputs),
        tuple(replace(n, inputs=names(n.inputs), outputs=names(n.outputs)) for n in body.nodes),
        {new[name]: spec for name, spec in body.specs.items()},
        {new[name]: array for name, array in body.arrays.items()},
        tuple(new[name] for name in body.inputs),
        tuple(new[name] for name in body.outputs),
    )
