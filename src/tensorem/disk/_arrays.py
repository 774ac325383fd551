"""Arrays by name, with a few texts beside them: the safetensors format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tensorem.errors import FileError

from ._whole import read_whole

Arrays = dict[str, np.ndarray[Any, Any]]

_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
}


def raw(array: np.ndarray[Any, Any]) -> memoryview:
    """The bytes of an array in row-major order, of whatever dtype; what hashes are taken of.

    Example:
        >>> raw(np.array([[1], [2]], np.int8)).tolist()
        [1, 2]
    """
    # Not every dtype gives its bytes directly: bfloat16 is none that the buffer protocol knows.
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def pack(arrays: Mapping[str, Any], texts: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file; equal arrays and texts give equal bytes.

    Example:
        >>> unpack(pack({"x": np.arange(3)}, {"unit": "m"}))
        ({'x': array([0, 1, 2])}, {'unit': 'm'})
    """
    from safetensors.numpy import save

    whole = {name: np.asarray(arrays[name]) for name in sorted(arrays)}
    # The format stores row-major bytes; NumPy makes a scalar one-dimensional on the way.
    flat = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in whole.items()}
    return _with_texts(save(flat), texts or {})


def _with_texts(content: bytes, texts: Mapping[str, str]) -> bytes:
    """The same file with texts in a fixed order; the library would write them in any."""
    if not texts:
        return content
    header = {"__metadata__": {name: texts[name] for name in sorted(texts)}, **_header(content)}
    written = json.dumps(header, separators=(",", ":")).encode()
    written += b" " * (-len(written) % 8)
    return len(written).to_bytes(8, "little") + written + content[8 + _length(content) :]


def unpack(content: bytes, where: str = "") -> tuple[Arrays, dict[str, str]]:
    """The arrays and texts of a safetensors file.

    Raises:
        FileError: The bytes are not a whole safetensors file.
    """
    from safetensors import SafetensorError, deserialize

    try:
        arrays = {name: _array(entry) for name, entry in deserialize(content)}
        texts = _header(content).get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise FileError(
            "A safetensors file is whole and well formed, got other bytes.",
            where=where,
            because=str(error),
        ) from None
    return arrays, texts


def read_arrays(path: Path) -> tuple[Arrays, dict[str, str]]:
    """The arrays and texts in a safetensors file.

    Raises:
        FileError: The file is missing, or not a whole safetensors file.
    """
    return unpack(read_whole(path), str(path))


def _array(entry: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(entry["data"], _dtype(entry["dtype"])).reshape(entry["shape"]).copy()


def _dtype(name: str) -> np.dtype[Any]:
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16 if name == "BF16" else _DTYPES[name])


def _length(content: bytes) -> int:
    return int.from_bytes(content[:8], "little")


def _header(content: bytes) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(content[8 : 8 + _length(content)])
    return header
