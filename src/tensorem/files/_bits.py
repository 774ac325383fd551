"""Parameters as the original's JSON of bits: the pattern of each number as float64."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem import disk, nn
from tensorem.errors import FileError

FORMAT = "torchlean_paramlist_bits_v1"


def save_bits(model: nn.Model, path: str | Path) -> Path:
    """Write the parameters of a model, in their order, each number by the bits of its float64.

    Buffers are not written. The file is replaced whole.

    Raises:
        FileError: The file cannot be written; what was there before is still there.

    Example:
        >>> import tempfile
        >>> model = nn.build(nn.Linear(3, 2), input=("N", 3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = load_bits(model, save_bits(model, f"{folder}/params.json"))
        >>> bool((again.params["weight"] == model.params["weight"]).all())
        True
    """
    params = [_told(np.asarray(array, np.float64)) for array in model.params.values()]
    text = json.dumps({"format": FORMAT, "params": params}, separators=(",", ":"))
    file = disk.path_of(path)
    disk.write_whole(file, text.encode())
    return file


def load_bits(model: nn.Model, path: str | Path) -> nn.Model:
    """The model with the parameters of such a file, in the order and dtypes of its own.

    A number that the dtype of a parameter does not hold is rounded to the nearest one.

    Raises:
        FileError: The file is missing or malformed, or its shapes are not those of the model.
    """
    file = disk.path_of(path)
    found = _read(file)
    if len(found) != len(model.params):
        raise FileError(f"{file} takes {len(model.params)} parameters, got {len(found)}.")
    pairs = zip(model.params.items(), found, strict=True)
    arrays: Any = {name: _array(file, name, np.asarray(own), said) for (name, own), said in pairs}
    return model.replace(params=arrays)


def _told(array: NDArray[np.float64]) -> dict[str, Any]:
    values = np.ascontiguousarray(array).view(np.uint64).ravel().tolist()
    return {"shape": list(array.shape), "values": values}


def _read(file: Path) -> list[Any]:
    try:
        found = disk.parse_json(disk.read_whole(file))
    except ValueError as error:
        raise FileError(f"{file} takes JSON, got something else: {error}.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise FileError(f"{file} takes the format {FORMAT!r}, got another file.")
    if not isinstance(found.get("params"), list):
        raise FileError(f"{file} takes a list of params, got none.")
    return list(found["params"])


def _array(file: Path, name: str, own: NDArray[Any], said: Any) -> NDArray[Any]:
    shape, values = (said.get(key) if isinstance(said, dict) else None for key in _FIELDS)
    if shape != list(own.shape):
        raise FileError(f"{name} takes the shape {list(own.shape)}, got {shape}.", where=str(file))
    if not isinstance(values, list) or not all(_is_bits(value) for value in values):
        raise FileError(f"{name} takes bits as integers from 0 to 2**64 - 1.", where=str(file))
    if len(values) != own.size:
        raise FileError(f"{name} takes {own.size} values, got {len(values)}.", where=str(file))
    bits = np.array(values, np.uint64).view(np.float64)
    with np.errstate(over="ignore"):  # beyond the dtype the nearest is inf, as everywhere
        return bits.reshape(own.shape).astype(own.dtype)


_FIELDS = ("shape", "values")


def _is_bits(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**64
