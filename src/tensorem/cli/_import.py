"""`tensorem import`: a model of another tool, from its ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from tensorem.errors import ArgumentError

from . import _exit


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


def _size(text: str) -> tuple[str, int | str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ArgumentError(f"--size takes NAME=NUMBER or NAME=NAME, got {text!r}.")
    return name, int(value) if value.isdecimal() else value
