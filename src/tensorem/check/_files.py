"""Reading the three files: JSON and safetensors by hand, refusing whatever is not plainly right."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ._errors import MalformedError, UnsupportedError
from ._numbers import Array

LARGEST_HEADER = 100_000_000
LARGEST_SIZE = 2**24
"""The most entries of one tensor."""

_ITEM_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1}
_ITEM_SIZES |= {"U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}
_READABLE = {"F32": np.dtype("<f4"), "I32": np.dtype("<i4")}


@dataclass(frozen=True)
class TensorFile(Mapping[str, Array]):
    """A safetensors file: its metadata, and where each tensor lies, decoded when asked for."""

    metadata: dict[str, str]
    entries: dict[str, tuple[str, tuple[int, ...], int, int]]
    data: bytes

    def __getitem__(self, name: str) -> Array:
        dtype, shape, begin, end = self.entries[name]
        if dtype not in _READABLE:
            raise UnsupportedError(f"tensor `{name}` has dtype {dtype}; known are F32 and I32")
        if 0 in shape:
            raise UnsupportedError(f"tensor `{name}` is empty")
        return np.frombuffer(self.data[begin:end], _READABLE[dtype]).reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a regular file."""
    try:
        content = Path(path).read_bytes() if Path(path).is_file() else None
    except (OSError, ValueError) as error:  # a ValueError is a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise MalformedError(f"{path} cannot be read: {reason}") from None
    if content is None:
        raise MalformedError(f"{path} is not a file")
    return content


def parse_json(text: str | bytes, what: str) -> dict[str, Any]:
    """A JSON object; duplicate keys, NaN and infinities are refused."""
    try:
        document = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_number)
    except MalformedError as error:
        raise MalformedError(f"{what}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{what} is not JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise MalformedError(f"{what} is not a JSON object")
    return document


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise MalformedError(f"key {key[:80]!r} occurs twice")
        table[key] = value
    return table


def _no_number(text: str) -> float:
    raise MalformedError(f"{text} is not a number")


def parse_safetensors(data: bytes, what: str) -> TensorFile:
    """The table of a safetensors file; the tensors must tile the data without gap or overlap."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > LARGEST_HEADER or 8 + length > len(data):
        raise MalformedError(f"{what} is not a safetensors file: its header does not fit")
    header = parse_json(data[8 : 8 + length], f"the header of {what}")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise MalformedError(f"{what}: the metadata is not text")
    entries = {name: _entry(name, fields, what) for name, fields in header.items()}
    _check_tiling(entries, len(data) - 8 - length, what)
    return TensorFile(metadata, entries, data[8 + length :])


def _entry(name: str, fields: object, what: str) -> tuple[str, tuple[int, ...], int, int]:
    if not isinstance(fields, dict) or fields.keys() != {"dtype", "shape", "data_offsets"}:
        raise MalformedError(f"{what}: tensor `{name}` takes dtype, shape and data_offsets")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _ITEM_SIZES:
        raise MalformedError(f"{what}: tensor `{name}` has no known dtype")
    if not (_naturals(shape) and len(shape) <= 32 and _naturals(offsets) and len(offsets) == 2):
        raise MalformedError(f"{what}: tensor `{name}` has a shape or offsets that are no sizes")
    begin, end = offsets
    if end - begin != math.prod(shape) * _ITEM_SIZES[dtype]:
        raise MalformedError(f"{what}: tensor `{name}` does not fill its offsets")
    return dtype, tuple(shape), begin, end


def _naturals(values: object) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**48 for v in values)


def _check_tiling(entries: Mapping[str, tuple[Any, ...]], length: int, what: str) -> None:
    at = 0
    for begin, end in sorted((entry[2], entry[3]) for entry in entries.values()):
        if begin != at:
            raise MalformedError(
                f"{what}: the tensors overlap or leave a gap at byte {min(at, begin)}"
            )
        at = end
    if at != length:
        raise MalformedError(f"{what}: the tensors take {at} bytes, the file holds {length}")


# --- hashes


def graph_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON text: sorted keys, no white space, ASCII."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def weights_hash(arrays: Mapping[str, Array]) -> str:
    """SHA-256 over name, dtype, shape and little-endian bytes of every float32 array, by name."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        shape = ",".join(map(str, arrays[name].shape))
        digest.update(b"\0".join((name.encode(), b"F32", shape.encode(), b"")))
        digest.update(np.ascontiguousarray(arrays[name], "<f4").tobytes())
    return digest.hexdigest()
