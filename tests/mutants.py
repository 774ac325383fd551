"""Run folders whose hashes are right and whose content is not."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tensorem import disk
from tensorem.disk import RunFiles
from tensorem.files import _models
from tensorem.graph import from_json, graph_hash
from tensorem.train import _checkpoint

Json = Any
VALUES: list[Json] = [
    None, True, -1, 0, 3, 2**70, 0.5, 1e308, float("nan"), "", "x", "N", "float32", [], [[]],
    [None], {}, {"x": 1},
]  # fmt: skip


def changed(value: Json, draw: random.Random) -> Json:
    """A JSON value with one place of it changed: replaced, removed, doubled or renamed."""
    found = copy.deepcopy(value)
    if not isinstance(found, dict | list) or not found:
        return draw.choice(VALUES)
    holder, key = _place(found, draw)
    how = draw.choice(("replace", "replace", "remove", "double", "swap"))
    if how == "remove":
        del holder[key]
    elif how == "double" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    elif how == "double":
        holder[draw.choice(("x", f"{key}x"))] = holder.pop(key)
    elif how == "swap":
        other, place = _place(found, draw)
        holder[key] = copy.deepcopy(other[place])
    else:
        holder[key] = draw.choice(VALUES)
    return found


def _place(value: Json, draw: random.Random) -> tuple[Any, Any]:
    """A place in a JSON value, as what holds it and where; a long list hides no short one."""
    key = draw.choice(sorted(value)) if isinstance(value, dict) else draw.randrange(len(value))
    inner = value[key]
    deeper = isinstance(inner, dict | list) and len(inner) > 0 and draw.random() < 0.7
    return _place(inner, draw) if deeper else (value, key)


def changed_arrays(arrays: disk.Arrays, draw: random.Random) -> disk.Arrays:
    """Arrays of which one is missing, of another name, shape, dtype or value."""
    name, found = draw.choice(sorted(arrays)), dict(arrays)
    array = found.pop(name)
    changes: list[Callable[[], Any]] = [
        dict,
        lambda: {f"{name}x": array},
        lambda: {name: array.reshape(-1)[:-1]},
        lambda: {name: array[np.newaxis]},
        lambda: {name: array.astype(draw.choice(("float64", "int8", "bool", "float16")))},
        lambda: (
            {name: np.full_like(array, draw.choice((np.nan, np.inf, 0, -1)))}
            if array.dtype.kind == "f"
            else {name: np.full_like(array, -1)}
        ),
    ]
    return found | draw.choice(changes)()


def mutate(run: Path, draw: random.Random) -> str:
    """Change one file of a run, and make its hashes right again; says which one."""
    files = RunFiles(run)
    made: dict[str, Callable[[RunFiles, random.Random], None]] = {
        "state": _state, "weights": _weights, "graph": _graph, "json": _json, "log": _log,
        "certificate": _certificate, "cases": _cases,
    }  # fmt: skip
    name = draw.choice(sorted(made))
    made[name](files, draw)
    return name


def _state(files: RunFiles, draw: random.Random) -> None:
    found = _checkpoint.read_checkpoint(files.state)
    arrays, facts = found.arrays, found.facts
    if draw.random() < 0.3:
        arrays = changed_arrays(arrays, draw)
    else:
        facts = changed(facts, draw)
    text = _checkpoint.canonical(facts)
    digest = _checkpoint._sha256(text, arrays)
    disk.write_whole(files.state, disk.pack(arrays, {"run": text, "sha256": digest}))


def _weights(files: RunFiles, draw: random.Random) -> None:
    arrays, texts = disk.read_arrays(files.weights)
    if draw.random() < 0.3:
        arrays = changed_arrays(arrays, draw)
    else:
        texts["layers"] = json.dumps(changed(json.loads(texts["layers"]), draw))
    texts["sha256"] = _models._sha256(arrays, texts)
    disk.write_whole(files.weights, disk.pack(arrays, texts))


def _graph(files: RunFiles, draw: random.Random) -> None:
    text = json.dumps(changed(json.loads(files.graph.read_text()), draw))
    disk.write_whole(files.graph, text.encode())
    arrays, texts = disk.read_arrays(files.weights)
    try:
        texts["graph"] = graph_hash(from_json(text, arrays))
    except Exception:
        return
    texts["sha256"] = _models._sha256(arrays, texts)
    disk.write_whole(files.weights, disk.pack(arrays, texts))


def _json(files: RunFiles, draw: random.Random) -> None:
    path = draw.choice((files.config, files.recipe, files.scores, files.robustness, files.lock))
    if path == files.lock:
        path.write_text(json.dumps(draw.choice(VALUES)))
        return
    path.write_text(json.dumps(changed(json.loads(path.read_text()), draw)))


def _log(files: RunFiles, draw: random.Random) -> None:
    rows = changed([json.loads(line) for line in files.log.read_text().splitlines()], draw)
    files.log.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _certificate(files: RunFiles, draw: random.Random) -> None:
    [path] = files.certificates.rglob("*.safetensors")
    arrays, texts = disk.read_arrays(path)
    if draw.random() < 0.3:
        arrays = changed_arrays(arrays, draw)
    else:
        texts["claim"] = json.dumps(changed(json.loads(texts["claim"]), draw))
    disk.write_whole(path, disk.pack(arrays, texts))


def _cases(files: RunFiles, draw: random.Random) -> None:
    arrays, texts = disk.read_arrays(files.counterexamples)
    if draw.random() < 0.5:
        arrays = changed_arrays(arrays, draw)
    else:
        key = draw.choice(sorted(texts))
        texts[key] = json.dumps(changed(json.loads(texts[key]), draw))
    disk.write_whole(files.counterexamples, disk.pack(arrays, texts))
