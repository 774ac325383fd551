"""ONNX: files of other tools as graphs, and graphs as files of other tools."""

from ._export import OPSET as OPSET
from ._export import export as export
from ._import import load as load
from ._operators import operators as operators

__all__ = ["OPSET", "export", "load", "operators"]
