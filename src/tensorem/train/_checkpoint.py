"""One file that holds a run: every array by name, and all other facts as one line of JSON.

It is a safetensors file. Its metadata has two entries: `run`, canonical JSON, and `sha256`, the
hash of all else; so the same run gives the same bytes, one rename replaces all of it, and a bit
that changed on the disk is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from tensorem.disk import is_file, parse_json, pieces, raw, read_arrays, write_whole
from tensorem.errors import FileError

FORMAT, VERSION = "tensorem.run", 1
_HELP = "take another copy of it, or train again with train.fit."


@dataclass(frozen=True)
class Checkpoint:
    """A run at one instant.

    Args:
        arrays: Every array by its name, such as "params.0.weight".
        facts: Everything else, as JSON can hold it.
    """

    arrays: dict[str, np.ndarray[Any, Any]]
    facts: dict[str, Any]


def write_checkpoint(
    path: Path, checkpoint: Checkpoint, spelled: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Replace the file by this checkpoint, in one step.

    Args:
        spelled: More facts, each as canonical JSON: what stays the same is spelled once.

    Raises:
        FileError: It cannot be written; the earlier checkpoint is still there.
    """
    facts = {"format": FORMAT, "version": VERSION, **checkpoint.facts}
    texts = {**{name: canonical(fact) for name, fact in facts.items()}, **spelled}
    run = ",".join(f"{canonical(name)}:{texts[name]}" for name in sorted(texts))
    run = f"{{{run}}}"
    digest = _sha256(run, checkpoint.arrays)
    write_whole(path, pieces(checkpoint.arrays, {"run": run, "sha256": digest}))


def read_checkpoint(path: Path) -> Checkpoint:
    """What `write_checkpoint` wrote.

    Raises:
        FileError: The file is missing, or it is not a whole checkpoint.
    """
    try:
        arrays, texts = read_arrays(path)
        facts = parse_json(texts["run"])
    except (FileError, ValueError, KeyError) as error:
        if not is_file(path):
            raise
        reason = error.because or error.what if isinstance(error, FileError) else str(error)
        raise FileError(
            f"{path} is not a whole checkpoint: {reason}.",
            help=_HELP,
        ) from error
    _check_version(path, facts)
    if texts.get("sha256") != _sha256(texts["run"], arrays):
        raise FileError(
            f"{path} is not a whole checkpoint: its content is not what its hash says.",
            help=_HELP,
        )
    return Checkpoint(arrays, facts)


def _sha256(run: str, arrays: dict[str, np.ndarray[Any, Any]]) -> str:
    """The hash of everything that a checkpoint says."""
    digest = hashlib.sha256(run.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(raw(array))
    return digest.hexdigest()


def canonical(value: object) -> str:
    """JSON with one spelling for each value."""
    return _CANONICAL.encode(value)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _check_version(path: Path, facts: object) -> None:
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise FileError(f"{path} takes the format {FORMAT!r}, got another file.")
    if facts.get("version") != VERSION:
        raise FileError(
            f"{path} takes version {VERSION} of its format, got {facts.get('version')!r}.",
            help="resume it with the tensorem that wrote it.",
        )
