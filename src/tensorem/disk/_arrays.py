"""Arrays by name, with a few texts beside them: the safetensors format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tensorem.errors import DTypeError, FileError

from ._whole import read_whole

Arrays = dict[str, np.ndarray[Any, Any]]

_DTYPES = {
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
    "F32": "float32",
    "U32": "uint32",
    "I32": "int32",
    "BF16": "bfloat16",
    "F16": "float16",
    "U16": "uint16",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
"""In the order in which a file holds them, so that each begins where its dtype may."""

_ORDER = list(_DTYPES)
_CODES = {dtype: code for code, dtype in _DTYPES.items()}


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

    Raises:
        DTypeError: An array has a dtype that the format has no name for.

    Example:
        >>> unpack(pack({"x": np.arange(3)}, {"unit": "m"}))
        ({'x': array([0, 1, 2])}, {'unit': 'm'})
    """
    return b"".join(pieces(arrays, texts))


def pieces(
    arrays: Mapping[str, Any], texts: Mapping[str, str] | None = None
) -> list[bytes | memoryview]:
    """The same bytes as pieces one after another: what is written needs no copy in one place.

    Raises:
        DTypeError: As `pack`.
    """
    whole = {name: _little(np.asarray(array)) for name, array in arrays.items()}
    codes = {name: _code(array) for name, array in whole.items()}
    names = sorted(whole, key=lambda name: (_ORDER.index(codes[name]), name))
    header: dict[str, Any] = {"__metadata__": dict(sorted(texts.items()))} if texts else {}
    end = 0
    for name in names:
        begin, end = end, end + whole[name].nbytes
        shape = whole[name].shape
        header[name] = {"dtype": codes[name], "shape": shape, "data_offsets": (begin, end)}
    written = json.dumps(header, separators=(",", ":"), ensure_ascii=bool(texts)).encode()
    written += b" " * (-len(written) % 8)
    return [len(written).to_bytes(8, "little") + written, *(raw(whole[name]) for name in names)]


def _little(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same in the order of bytes that the format has."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _code(array: np.ndarray[Any, Any]) -> str:
    code = _CODES.get(array.dtype.name)
    if code is None:
        raise DTypeError(f"A safetensors file takes {', '.join(_CODES)}, got {array.dtype}.")
    return code


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
