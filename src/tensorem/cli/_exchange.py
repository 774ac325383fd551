"""`tensorem import` and `tensorem export`: models of other tools in, and ours out, as ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from tensorem.errors import ArgumentError

from . import _exit
from ._runs import require_run


@dataclass(frozen=True)
class Import:
    """Read an ONNX file, and write the graph that it is."""

    file: tyro.conf.Positional[Path]
    """An ONNX file."""

    folder: tyro.conf.Positional[Path]
    """Where graph and weights are written."""

    size: tuple[str, ...] = ()
    """Numbers or names for sizes that the file names: batch=1 time=T."""

    def run(self) -> int:
        import tensorem as tm

        graph = tm.onnx.load(self.file, sizes=dict(map(_size, self.size)))
        tm.save(graph, self.folder)
        ops = sorted({node.op for node in graph.nodes})
        takes = ", ".join(f"{name} {graph.specs[name]}" for name in graph.inputs)
        print(f"{self.folder}: {len(graph.nodes)} nodes ({', '.join(ops)}); takes {takes}")
        return _exit.OK


@dataclass(frozen=True)
class Export:
    """Write the model of a run, or a saved model, as an ONNX file."""

    folder: tyro.conf.Positional[Path]
    """A run folder, or one written by tm.save."""

    file: tyro.conf.Positional[Path]
    """The ONNX file to write."""

    def run(self) -> int:
        import tensorem as tm

        graph = tm.files.load_graph(require_run(self.folder))
        tm.onnx.export(graph, self.file)
        print(f"{self.file}: {len(graph.nodes)} nodes, opset {tm.onnx.OPSET}")
        return _exit.OK


def _size(text: str) -> tuple[str, int | str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ArgumentError(f"--size takes NAME=NUMBER or NAME=NAME, got {text!r}.")
    return name, int(value) if value.isdecimal() else value
