"""A model in a folder: model.safetensors (every array) and graph.json (the program).

The safetensors file also says which graph it belongs to and, where the layers are those of
`tensorem.nn`, describes them; so a model comes back without the code that made it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tensorem import disk, nn, train
from tensorem.errors import FileError, GraphError, LayerError, TensoremError
from tensorem.graph import (
    Graph,
    from_json,
    graph_hash,
    graph_of,
    is_constant,
    to_json,
    unflatten,
    weights_hash,
)
from tensorem.meanings import GraphModel

from ._compare import difference
from ._describe import described, description


def save(model: nn.Model | GraphModel | Graph, folder: str | Path) -> Path:
    """Write model.safetensors and graph.json into a folder; files of these names are replaced.

    Raises:
        CaptureError: A layer does something that no graph can say.
        FileError: The files cannot be written; what was there before is still there.

    Example:
        >>> import tempfile
        >>> model = nn.build(nn.Linear(3, 2), input=("N", 3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     load(save(model, folder)).layer
        Linear(3, 2)
    """
    graph = graph_of(model)
    arrays: disk.Arrays = dict(graph.arrays)
    texts = {"format": "tensorem.model", "graph": graph_hash(graph)}
    if isinstance(model, nn.Model):
        arrays |= {name: np.asarray(a) for name, a in model.state_dict().items()}
        layers = description(model.layer)
        texts |= {"frozen": json.dumps(sorted(model.frozen))} if model.frozen else {}
        texts |= {"layers": json.dumps(layers, separators=(",", ":"))} if layers else {}
    texts["sha256"] = _sha256(arrays, texts)
    folder = disk.path_of(folder)
    disk.make_folder(folder)
    files = disk.RunFiles(folder)
    contents = {files.weights: disk.pack(arrays, texts), files.graph: to_json(graph).encode()}
    disk.write_together(contents)
    return folder


def load(folder: str | Path, layer: nn.Layer | nn.Model | None = None) -> nn.Model | GraphModel:
    """The model in a folder: a `Model` where its layers are known, else a `GraphModel`.

    Both can be called, evaluated in any meaning and proved about; only a `Model` can be trained.

    Args:
        folder: A run, or what `save` wrote.
        layer: The layer that the weights belong to, where it is one of your own. Of a run of
            `train.fit`, which holds no code: the model, built again.

    Raises:
        FileError: A file is missing, malformed, or belongs to another model.
        PathError: The layer has other parameters than the file.
        LayerError: The layer computes another function, in evaluation, than the saved graph, or is
            another than the one that was trained.
    """
    folder = disk.path_of(folder)
    files = disk.RunFiles(folder)
    if disk.is_file(files.state) and not disk.is_file(files.weights):
        return _of_run(folder, layer)
    if isinstance(layer, nn.Model):
        layer = layer.layer
    graph, arrays, texts = _read(folder)
    if layer is not None:
        return _frozen(_of_layer(layer, graph, arrays, folder), texts, folder)
    if "layers" in texts:
        return _frozen(_of_description(graph, arrays, texts["layers"], folder), texts, folder)
    return GraphModel(graph)


def _of_run(folder: Path, model: nn.Layer | nn.Model | None) -> nn.Model:
    """The model of the last checkpoint of a run that was not saved as a model."""
    trained = train.read_config(folder).get("model")
    if not isinstance(model, nn.Model):
        raise FileError(
            f"{folder} is a run of train.fit, of which tm.load takes the model built again, got "
            f"{'none' if model is None else 'a layer alone'}.",
            because=f"a run holds no code; it trained {trained}.",
            help=f"tm.load({str(folder)!r}, nn.build(layer, input=...)); or, once and for all, "
            "tm.save(run.model, folder).",
        )
    if trained != (given := f"{model.layer!r} of {model.input!r}"):
        raise LayerError(
            f"{folder} takes the model that was trained there, got another.",
            because=f"it trained {trained}, this is {given}.",
        )
    return train.model_of(disk.RunFiles(folder).state, model)


def _frozen(model: nn.Model, texts: Mapping[str, str], folder: Path) -> nn.Model:
    """The same model with the parameters frozen that the file says."""
    said = texts.get("frozen", "[]")
    try:
        names = frozenset(disk.parse_json(said))
    except (ValueError, TypeError):
        names = frozenset({None})
    if not names <= model.params.keys():
        weights = disk.RunFiles(folder).weights
        raise FileError(f"{weights} says by names of parameters what is frozen, got {said!r}.")
    return replace(model, frozen=names)


def _of_layer(layer: nn.Layer, graph: Graph, arrays: disk.Arrays, folder: Path) -> nn.Model:
    """The model of a layer that the user gave."""
    model = _filled(layer, graph, arrays)
    if different := difference(graph_of(model), graph):
        raise LayerError(
            f"layer={type(layer).__name__} computes another function than {folder}.",
            because=different,
            help="give the layer that was saved, or none: tm.load(folder) reads the saved graph; "
            "the weights alone fit any layer: model.load_state_dict.",
        )
    return model


def _of_description(graph: Graph, arrays: disk.Arrays, text: str, folder: Path) -> nn.Model:
    """The model of the layers that the file itself describes."""
    layer = _layers(text, disk.RunFiles(folder).weights)
    try:
        model = _filled(layer, graph, arrays)
    except TensoremError as error:
        raise _other_layers(folder, error.what) from None
    if different := difference(graph_of(model), graph):
        raise _other_layers(folder, different)
    return model


def _other_layers(folder: Path, because: str) -> FileError:
    files = disk.RunFiles(folder)
    return FileError(
        f"{files.weights} describes other layers than {files.graph}.",
        because=because,
        help="the graph alone still computes what was saved: "
        "tm.GraphModel(tensorem.files.load_graph(folder)).",
    )


def _filled(layer: nn.Layer, graph: Graph, arrays: disk.Arrays) -> nn.Model:
    """The layer, built for the inputs of the graph and with the arrays of the file."""
    model = nn.build(layer, input=_input(graph))
    names = model.state_dict()
    own = {name: a for name, a in arrays.items() if name in names or not is_constant(name)}
    return model.load_state_dict(own)


def load_graph(folder: str | Path) -> Graph:
    """The graph in a folder, with its weights.

    Raises:
        FileError: A file is missing, malformed, or belongs to another model.
    """
    return _read(disk.path_of(folder))[0]


def _read(folder: Path) -> tuple[Graph, disk.Arrays, dict[str, str]]:
    files = disk.RunFiles(folder)
    _require(files)
    arrays, texts = disk.read_arrays(files.weights)
    if texts.get("sha256", stated := _sha256(arrays, texts)) != stated:
        raise FileError(
            f"{files.weights} is not what its own hash says.",
            because="it was changed or damaged after it was written.",
            help="take another copy of it.",
        )
    graph = _parsed(files.graph, arrays)
    if texts.get("graph", graph_hash(graph)) != graph_hash(graph):
        raise FileError(
            f"{files.weights} belongs to another graph than {files.graph}.",
            because="one of the two files was replaced, or changed after it was written.",
        )
    return graph, arrays, texts


def _require(files: disk.RunFiles) -> None:
    for file in (files.weights, files.graph):
        if not disk.is_file(file):
            raise FileError(
                f"A saved model is a folder with {files.weights.name} and {files.graph.name}, got "
                f"{files.folder}.",
                because=f"{file} is missing.",
            )


def _sha256(arrays: disk.Arrays, texts: Mapping[str, str]) -> str:
    """Of the arrays and of what the file says about them."""
    said = json.dumps({k: v for k, v in texts.items() if k != "sha256"}, sort_keys=True)
    return hashlib.sha256(f"{weights_hash(arrays)} {said}".encode()).hexdigest()


def _parsed(path: Path, arrays: disk.Arrays) -> Graph:
    try:
        return from_json(disk.read_whole(path).decode(), arrays)
    except (GraphError, UnicodeDecodeError) as error:
        because = getattr(error, "because", "") or getattr(error, "what", "") or str(error)
        raise FileError(f"{path} is not a graph.", because=because) from None


def _layers(text: str, path: Path) -> nn.Layer:
    try:
        description = disk.parse_json(text)
    except ValueError as error:
        raise FileError(
            f"{path} describes its layers in JSON, got other text.", because=str(error)
        ) from None
    try:
        return described(description)
    except FileError as error:
        raise error.with_notes(where=str(path)) from None


def _input(graph: Graph) -> Any:
    """The specs of the arguments, as `nn.build` takes them."""
    inputs = tuple(unflatten(tree, graph.specs) for tree in graph.takes)
    return inputs[0] if len(inputs) == 1 else inputs
