"""An ONNX file as the value of the format's own package, with everything in it that it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorem.disk import path_of, read_whole
from tensorem.errors import ArgumentError, FileError

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

DOMAINS = ("", "ai.onnx")
"""The standard operators; others are refused by name."""


def package() -> Any:
    """The onnx package.

    Raises:
        ArgumentError: It is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise ArgumentError(
            f"ONNX files take the onnx package: {error}.", help='pip install "tensorem[onnx]".'
        ) from None
    return onnx


def model_of(path: str | Path) -> ModelProto:
    """The content of a file, with what lies in files beside it, functions written out.

    Raises:
        FileError: It cannot be read, is no ONNX, or names data outside its folder.
        ArgumentError: The onnx package is not installed.
    """
    onnx, at = package(), path_of(path)
    model: ModelProto = _parsed(onnx, read_whole(at), at)
    if not model.HasField("graph") or not model.opset_import:
        raise FileError(f"An ONNX file takes a graph and its opset, got none in {at}.")
    if model.ir_version > onnx.IR_VERSION:
        raise FileError(
            f"An ONNX file takes an IR version up to {onnx.IR_VERSION}, got {model.ir_version}.",
            where=str(at),
            help="update the onnx package.",
        )
    _load_data_beside(onnx, model, at)
    return onnx.inliner.inline_local_functions(model) if model.functions else model


def _parsed(onnx: Any, data: bytes, at: Path) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return onnx.ModelProto.FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise FileError(f"{at} takes an ONNX model, got something else: {error}.") from None


def _load_data_beside(onnx: Any, model: ModelProto, at: Path) -> None:
    """Arrays that stand in files of their own; these lie in the folder of the model."""
    outside = [t for t in _tensors(model.graph) if t.data_location == onnx.TensorProto.EXTERNAL]
    for tensor in outside:
        place = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
        _require_inside(at.parent, place, tensor.name)
    if not outside:
        return
    try:
        onnx.external_data_helper.load_external_data_for_model(model, str(at.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise FileError(f"{at} takes its arrays from files beside it: {error}.") from None


def _require_inside(folder: Path, place: str, name: str) -> None:
    inside = folder.resolve()
    target = (inside / place.replace("\0", "")).resolve()
    if not place or "\0" in place or Path(place).is_absolute() or not target.is_relative_to(inside):
        raise FileError(
            f"{name} takes its data from a file in the folder of the model, got {place!r}.",
            because="a model file may not name other files of this machine.",
        )
    if not target.is_file():
        raise FileError(f"{name} takes its data from {target}, got no such file.")


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def array_of(tensor: TensorProto) -> np.ndarray:
    """The values of a tensor.

    Raises:
        FileError: They are not as many as its shape says, or of a kind that numbers are not.
    """
    onnx = package()
    try:
        array: np.ndarray = onnx.numpy_helper.to_array(tensor)
    except Exception as error:  # the package raises what NumPy and protobuf raise
        raise FileError(
            f"{tensor.name or 'A tensor'} takes values of its shape: {error}."
        ) from None
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise FileError(f"{tensor.name or 'A tensor'} takes numbers, got {array.dtype.name}.")
    return array


def attribute_value(attribute: AttributeProto) -> Any:
    """What an attribute holds: numbers, text, an array, a graph, or a list of them."""
    onnx = package()
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.TENSOR:
        return array_of(value)
    if attribute.type == onnx.AttributeProto.STRING:
        return value.decode(errors="replace")
    if attribute.type == onnx.AttributeProto.STRINGS:
        return [text.decode(errors="replace") for text in value]
    return list(value) if isinstance(value, list) or hasattr(value, "append") else value


def describe(node: NodeProto) -> str:
    """How an error names a node."""
    return f"{node.op_type} {node.name!r}" if node.name else f"{node.op_type} -> {node.output[0]}"
