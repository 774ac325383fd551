"""Two runs side by side: where the first thing differs, and by how much."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tensorem import train
from tensorem.disk import RunFiles, is_file, raw, read_arrays
from tensorem.errors import FileError
from tensorem.shapes import format_shape

Json = dict[str, Any]
Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Entry:
    """A value that two runs have under one name; None where one has none.

    Args:
        name: Where it stands, such as "plan.seed".
    """

    name: str
    first: Any
    second: Any


@dataclass(frozen=True)
class Tensor:
    """An array that differs.

    Args:
        name: Its name in the checkpoint, such as "params.0.weight".
        entries: How many of its numbers differ; all where the shapes do.
        largest: The largest distance between two of them; None where that is no number.
        shapes: What shape each run has of it, where these differ; None for one that has none.
    """

    name: str
    entries: int
    largest: float | None
    shapes: tuple[Shape | None, Shape | None] | None = None

    def told(self) -> str:
        """How far it lies apart, or the two shapes."""
        if self.shapes is None:
            return "no number" if self.largest is None else f"{self.largest:.3g}"
        return " and ".join("none" if s is None else format_shape(s) for s in self.shapes)


@dataclass(frozen=True)
class Difference:
    """Where two runs differ.

    Args:
        config: What was asked for and where, as far as it differs.
        steps: How many steps both have logged.
        step: The first of them whose rows differ; None where none does.
        row: The columns in which these rows differ.
        tensors: The arrays of the checkpoints that differ, in the order of their names.
    """

    config: tuple[Entry, ...]
    steps: int
    step: int | None
    row: tuple[Entry, ...]
    tensors: tuple[Tensor, ...]

    @property
    def same(self) -> bool:
        """Whether both runs gave the same numbers, bit for bit."""
        return self.step is None and not self.tensors

    def to_json(self) -> Json:
        """The difference as JSON values."""
        found: Json = json.loads(json.dumps(asdict(self)))
        return found | {"same": self.same}


def difference(first: Path, second: Path) -> Difference:
    """Compare the configs, logs and checkpoints of two run folders.

    A folder without a checkpoint is compared by its model.

    Raises:
        FileError: One is no run folder, or a file of it is malformed.

    Example:
        >>> import tempfile
        >>> from tensorem import data, nn
        >>> model = nn.build(nn.Linear(4, 3), input=("N", 4))
        >>> a, b = (Path(tempfile.mkdtemp(), name) for name in "ab")
        >>> for seed, path in enumerate((a, b)):
        ...     run = train.fit(model, data.iris().train, epochs=1, seed=seed, path=path,
        ...                     progress="none")
        >>> found = difference(a, b)
        >>> found.config, found.step, [t.name for t in found.tensors if "params" in t.name]
        ((Entry(name='plan.seed', first=0, second=1),), 4, ['params.bias', 'params.weight'])
    """
    files = RunFiles(first), RunFiles(second)
    configs = [dict(_flat(train.read_config(f.folder))) for f in files]
    logs = [{row["step"]: row for row in train.read_rows(f.log)} for f in files]
    common = sorted(logs[0].keys() & logs[1].keys())
    step = next((n for n in common if logs[0][n] != logs[1][n]), None)
    row = () if step is None else _entries(logs[0][step], logs[1][step])
    tensors = _tensors(*map(_arrays, files))
    return Difference(_entries(*configs), len(common), step, row, tensors)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a JSON object under names with points."""
    if not isinstance(value, dict):
        yield name, value
        return
    for key, item in value.items():
        yield from _flat(item, f"{name}.{key}" if name else key)


def _entries(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Entry, ...]:
    names = sorted(first.keys() | second.keys())
    pairs = (Entry(name, first.get(name), second.get(name)) for name in names)
    return tuple(pair for pair in pairs if pair.first != pair.second)


def _arrays(files: RunFiles) -> dict[str, Array]:
    """Those of the last checkpoint, or else of the model."""
    found = [file for file in (files.state, files.weights) if is_file(file)]
    if not found:
        raise FileError(
            f"A run takes {files.state.name} or {files.weights.name}, got neither.",
            where=str(files.folder),
        )
    return read_arrays(found[0])[0]


def _tensors(first: Mapping[str, Array], second: Mapping[str, Array]) -> tuple[Tensor, ...]:
    names = sorted(first.keys() | second.keys(), key=lambda name: (not _is_weight(name), name))
    pairs = ((name, first.get(name), second.get(name)) for name in names)
    return tuple(_tensor(name, a, b) for name, a, b in pairs if not _equal(a, b))


def _is_weight(name: str) -> bool:
    return name.startswith("params")


def _equal(a: Array | None, b: Array | None) -> bool:
    """Bit for bit: NaN is itself, and -0 is not 0."""
    if a is None or b is None:
        return False
    return a.dtype == b.dtype and a.shape == b.shape and raw(a) == raw(b)


def _tensor(name: str, a: Array | None, b: Array | None) -> Tensor:
    if a is None or b is None or a.shape != b.shape:
        shapes = tuple(None if x is None else x.shape for x in (a, b))
        sizes = (x.size for x in (a, b) if x is not None)
        return Tensor(name, max(sizes), None, (shapes[0], shapes[1]))
    with np.errstate(invalid="ignore"):
        gaps = np.abs(a.astype(np.float64) - b.astype(np.float64))
    bits = [x.reshape(-1).view(f"V{x.dtype.itemsize}") for x in map(np.ascontiguousarray, (a, b))]
    largest = float(gaps.max(initial=0))
    differ = int(np.count_nonzero(bits[0] != bits[1]))
    return Tensor(name, differ, largest if math.isfinite(largest) else None)
