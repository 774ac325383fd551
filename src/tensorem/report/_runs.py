"""The runs below a folder, a line for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorem import train
from tensorem.disk import RunFiles, is_file
from tensorem.errors import FileError


@dataclass(frozen=True)
class Line:
    """What a list of runs says of one.

    Args:
        path: Its folder.
        model: The name of its outermost layer.
        seed: Its seed.
        epochs: How many are done.
        planned: How many it is to have.
        scores: The last row of its log without what only counts.
    """

    path: Path
    model: str
    seed: int
    epochs: int
    planned: int
    scores: dict[str, float | None]

    @property
    def finished(self) -> bool:
        """Whether every epoch is done."""
        return self.epochs >= self.planned


def runs(root: Path) -> tuple[Line, ...]:
    """Every run in a folder and the folders in it; what is no run is passed over.

    Raises:
        FileError: There is no such folder.

    Example:
        >>> import tempfile
        >>> from tensorem import data, nn
        >>> model, root = nn.build(nn.Linear(4, 3), input=("N", 4)), Path(tempfile.mkdtemp())
        >>> run = train.fit(model, data.iris().train, epochs=2, path=root / "a", progress="none")
        >>> [(line.path.name, line.model, line.epochs, line.finished) for line in runs(root)]
        [('a', 'Linear', 2, True)]
    """
    if not root.is_dir():
        raise FileError(f"tensorem runs takes a folder with runs in it, got {root}.")
    return tuple(_lines(sorted(file.parent for file in root.rglob(RunFiles(root).config.name))))


def _lines(folders: list[Path]) -> Iterator[Line]:
    for folder in folders:
        try:
            yield _line(folder)
        except (FileError, KeyError, TypeError, AttributeError, IndexError):
            continue  # a file of this name that is none of ours, or a run that is cut short


def _line(folder: Path) -> Line:
    config, log = train.read_config(folder), RunFiles(folder).log
    plan: dict[str, Any] = config["plan"]
    rows = [row for row in train.read_rows(log) if "epoch" in row] if is_file(log) else []
    last = rows[-1] if rows else {}
    scores = {k: v for k, v in last.items() if k not in ("epoch", "step", "in_epoch")}
    name = str(config["model"]).split("(")[0]
    return Line(folder, name, plan["seed"], len(rows), plan["epochs"], scores)
