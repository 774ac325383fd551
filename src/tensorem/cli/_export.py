"""`tensorem export`: a model as an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from . import _exit
from ._runs import require_run


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
