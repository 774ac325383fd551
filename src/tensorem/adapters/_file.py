"""An adapter alone in a file: safetensors, with what its parts are in the header."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from tensorem import disk, nn
from tensorem.errors import FileError, PathError, TensoremError
from tensorem.layer import join, near, walk

from ._adapted import Adapted, places
from ._kinds import IA3, DoRA, Kind, LoRA, Prefix
from ._models import Chosen, adapted, parameters, require, with_adapter

_KINDS: dict[str, type[Kind]] = {"LoRA": LoRA, "DoRA": DoRA, "IA3": IA3, "Prefix": Prefix}


def save(model: nn.Model, file: str | Path, name: str = "default") -> Path:
    """Write one adapter of a model into a safetensors file; the model's own arrays are not in it.

    Raises:
        ArgumentError: The model has no adapter of this name.
        FileError: The file cannot be written.

    Example:
        >>> from tensorem import adapters
        >>> plain = nn.build(nn.Linear(4, 8), input=("N", 4))
        >>> adapted = adapters.add(plain, "*", adapters.LoRA(2, 4.0))
        >>> import tempfile
        >>> file = save(adapted, Path(tempfile.mkdtemp()) / "default.safetensors")
        >>> load(plain, file).layer == adapted.layer
        True
    """
    require(model, name, "save")
    parts = {
        join(path, weight): _described(delta)
        for path, layer in adapted(model.layer)
        for weight, delta in layer.adapters.get(name, {}).items()
    }
    arrays = {short: model.params[long] for long, short in parameters(model, name).items()}
    path = disk.path_of(file)
    disk.write_whole(path, disk.pack(arrays, {"adapter": json.dumps(parts, sort_keys=True)}))
    return path


def load(model: nn.Model, file: str | Path, name: str = "default") -> nn.Model:
    """The model with the adapter of a file, as `adapters.add` gives it, with the file's numbers.

    Raises:
        FileError: It is no file that `save` wrote.
        PathError: The model has no such weight; those nearby are listed.
        ShapeError: A weight has another shape.
        ArgumentError: The model has an adapter of this name.
    """
    path = disk.path_of(file)
    arrays, texts = disk.read_arrays(path)
    whole = with_adapter(model, _chosen(model, _parts(texts, path)), name)
    names = parameters(whole, name)
    if sorted(names.values()) != sorted(arrays):
        raise _malformed(path, "its arrays are not those that it describes")
    state = {long: np.asarray(arrays[short]) for long, short in names.items()}
    return whole.load_state_dict({**whole.state_dict(), **state})


def _described(delta: nn.Layer) -> dict[str, Any]:
    arguments = {f.name: getattr(delta, f.name) for f in fields(delta)}
    return {"kind": type(delta).__name__, **arguments}


def _parts(texts: dict[str, str], path: Path) -> dict[str, Kind]:
    """Weight -> the part of the adapter there."""
    try:
        said = json.loads(texts["adapter"])
        return {name: _part(**arguments) for name, arguments in said.items()}
    except (ValueError, KeyError, TypeError, AttributeError, TensoremError) as error:
        raise _malformed(path, f"{type(error).__name__}: {error}") from None


def _part(kind: str, **arguments: Any) -> Kind:
    shape = tuple(arguments.pop("shape"))
    return _KINDS[kind](**arguments, shape=shape)


def _malformed(path: Path, because: str) -> FileError:
    return FileError(
        "A file of an adapter is one that adapters.save wrote, got another.",
        where=str(path),
        because=because,
    )


def _chosen(model: nn.Model, parts: dict[str, Kind]) -> Chosen:
    """The same parts by layer, each of a weight that is there."""
    found: Chosen = {}
    layers = [(p, part) for p, part in walk(model.layer) if not isinstance(part, Adapted)]
    there = {
        join(path, place): (path, place)
        for kind in {isinstance(delta, Prefix): delta for delta in parts.values()}.values()
        for path, part in layers
        for place in places(part, kind)
    }
    for name, delta in parts.items():
        if name not in there:
            help = near(name, list(there))
            raise PathError(f"load takes an adapter of {name}, the model has none.", help=help)
        path, weight = there[name]
        found.setdefault(path, {})[weight] = delta
    return found
