"""What `tensorem verify --property` does: a VNN-LIB property of a model in a file."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorem import disk
from tensorem.errors import ArgumentError

from . import _exit
from ._runs import require_run
from ._terminal import print_json

if TYPE_CHECKING:
    from tensorem.graph import Graph
    from tensorem.verify import Avoidance

ONNX = ".onnx"


def verify_property(
    model: Path, property: Path, parts: int, into: Path | None, as_json: bool
) -> int:
    """Prove or refute what a file says is unsafe; prints and returns the exit code."""
    from tensorem import verify

    graph = _graph(model)
    found = [verify.avoids(graph, one, parts=parts) for one in verify.vnnlib(property)]
    rows = [_row(one, model) for one in found]
    if into is not None:
        _save(into, graph, property, found)
    _print(rows, as_json)
    verdicts = {row["verdict"] for row in rows}
    if "refuted" in verdicts:
        return _exit.REFUTED
    return _exit.OK if verdicts == {"proved"} else _exit.UNKNOWN


def _graph(model: Path) -> Graph:
    import tensorem as tm

    if model.suffix == ONNX:
        return tm.onnx.load(model)
    return tm.files.load_graph(require_run(model))


def _row(found: Avoidance, model: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"verdict": found.verdict, "parts": found.parts, "margin": found.margin}
    if found.counterexample is None:
        return row
    row["input"] = [str(float(v)) for v in found.counterexample]
    if model.suffix == ONNX and find_spec("onnxruntime"):
        row["onnxruntime"] = _reached_by_onnx_runtime(found, model)
        row["verdict"] = "refuted" if row["onnxruntime"] else "unknown"
    return row


def _reached_by_onnx_runtime(found: Avoidance, model: Path) -> bool:
    """Does the file itself, run by ONNX Runtime, reach an unsafe set?"""
    import numpy as np
    import onnxruntime

    assert found.counterexample is not None
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    x = np.array(found.counterexample, object).astype(np.float32)
    [outputs] = session.run(None, {session.get_inputs()[0].name: x.reshape(found.classifier.shape)})
    return found.property.reached_by(np.asarray(outputs))


def _save(folder: Path, graph: Graph, property: Path, found: list[Avoidance]) -> None:
    """The graph, and a certificate or a counterexample for each box of the property."""
    from tensorem import files
    from tensorem.graph import to_json

    disk.make_folder(folder)
    if not disk.is_file(disk.RunFiles(folder).weights):
        files.save(graph, folder)
    elif to_json(files.load_graph(folder)) != to_json(graph):
        raise ArgumentError(f"--into takes a new folder or one of this model, got {folder}.")
    name = property.name.split(".vnnlib")[0]
    contents: dict[Path, bytes] = {}
    for i, one in enumerate(found):
        if one.verdict == "proved":
            file = disk.RunFiles(folder).certificates / f"{name}-{i}.safetensors"
            contents[file] = one.to_bytes()
        elif one.counterexample is not None:
            point = {
                "property": property.name,
                "input": list(map(str, map(float, one.counterexample))),
            }
            contents[folder / f"{name}-{i}.counterexample.json"] = json.dumps(point).encode()
    for parent in {file.parent for file in contents}:
        disk.make_folder(parent)
    disk.write_together(contents)


def _print(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"boxes": rows})
        return
    for i, row in enumerate(rows):
        print(f"box {i}: {row['verdict']}; {row['parts']} parts, margin {row['margin']:.4g}")
        if "input" in row:
            print(f"  counterexample: {' '.join(row['input'])}")
        if "onnxruntime" in row:
            print(f"  ONNX Runtime reaches it: {'yes' if row['onnxruntime'] else 'no'}")
