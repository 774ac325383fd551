"""One file that holds a run: every array by name, and all other facts as one line of JSON.

It is a safetensors file. Its metadata has one entry, `run`, canonical JSON; so the same run gives
the same bytes, and one rename replaces all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from tensorem.errors import FileError

from ._disk import read_whole, write_whole

FORMAT, VERSION = "tensorem.run", 1
NAME = "state.safetensors"

_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
}


@dataclass(frozen=True)
class Checkpoint:
    """A run at one instant.

    Args:
        arrays: Every array by its name, such as "params.0.weight".
        facts: Everything else, as JSON can hold it.
    """

    arrays: dict[str, np.ndarray[Any, Any]]
    facts: dict[str, Any]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file by this checkpoint, in one step.

    Raises:
        FileError: It cannot be written; the earlier checkpoint is still there.
    """
    arrays = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in _sorted(checkpoint)}
    facts = {"format": FORMAT, "version": VERSION, **checkpoint.facts}
    write_whole(path, save(arrays, metadata={"run": canonical(facts)}))


def read_checkpoint(path: Path) -> Checkpoint:
    """What `write_checkpoint` wrote.

    Raises:
        FileError: The file is missing, or it is not a whole checkpoint.
    """
    content = read_whole(path)
    try:
        arrays = {name: _array(entry) for name, entry in deserialize(content)}  # type: ignore[no-untyped-call]
        length = int.from_bytes(content[:8], "little")
        facts = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["run"])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise FileError(
            f"{path} is not a whole checkpoint: {error}.",
            help="take another copy of it, or train again with train.fit.",
        ) from error
    _check_version(path, facts)
    return Checkpoint(arrays, facts)


def canonical(value: Any) -> str:
    """JSON with one spelling for each value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _sorted(checkpoint: Checkpoint) -> list[tuple[str, np.ndarray[Any, Any]]]:
    return sorted(checkpoint.arrays.items())


def _array(entry: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    import jax.numpy as jnp

    dtype = jnp.dtype(_DTYPES[entry["dtype"]])
    return np.frombuffer(entry["data"], dtype).reshape(entry["shape"]).copy()


def _check_version(path: Path, facts: Any) -> None:
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise FileError(f"{path} takes the format {FORMAT!r}, got another file.")
    if facts.get("version") != VERSION:
        raise FileError(
            f"{path} takes version {VERSION} of its format, got {facts.get('version')!r}.",
            help="resume it with the tensorem that wrote it.",
        )
