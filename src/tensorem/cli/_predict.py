"""`tensorem predict`: a saved model on inputs from a file or from its own test examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from tensorem.errors import ArgumentError, DataError

from . import _exit
from ._flags import Place, Rows, RunFolder
from ._runs import examples, outputs, require_rows, require_run
from ._terminal import print_json, show, table

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Predict:
    """Print what a saved model says about inputs."""

    model: tyro.conf.Positional[RunFolder]
    """A run folder."""

    input: Place = None
    """A .npy file of inputs, one per row."""

    index: Rows = (0,)
    """Without --input: which of the run's test examples."""

    output: Place = None
    """Also write the outputs to this .npy file."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import files

        run = require_run(self.model)
        _require_two(self.input, self.output)
        x, names = _inputs(run, self.input, self.index)
        y = outputs(files.load(run), x)
        if self.output is not None:
            _write(self.output, y)
        rows = [_row(name, values) for name, values in zip(names, y, strict=True)]
        if self.json:
            print_json(rows)
        else:
            show(table(tuple(rows[0]), ([_text(v) for v in row.values()] for row in rows)))
        return _exit.OK


def _inputs(run: Path, file: Path | None, index: tuple[int, ...]) -> tuple[NDArray[Any], list[str]]:
    from tensorem import data

    if file is not None:
        x = data.read_npy(file)
        _require_rows(x, file)
        return x, [f"row {i}" for i in range(len(x))]
    found = examples(run, None)
    require_rows(index, len(found))
    shown = [f"test {i} (target {found.y[i]})" for i in index]
    return found.x[list(index)], shown


def _require_two(file: Path | None, output: Path | None) -> None:
    """The inputs are not overwritten."""
    if file is not None and output is not None and file.resolve() == output.resolve():
        raise ArgumentError(f"--output takes another file than --input, got {output} for both.")


def _require_rows(x: NDArray[Any], file: Path) -> None:
    """What is no row, or is not a number, has no class."""
    import numpy as np

    if x.ndim == 0:
        raise DataError("A model takes rows of inputs, got a single number.", where=str(file))
    bad = np.argwhere(~np.isfinite(x))
    if len(bad):
        raise DataError(
            f"A model takes finite numbers, got {x[tuple(bad[0])]} in row {bad[0][0]}.",
            where=str(file),
        )


def _row(name: str, values: Any) -> dict[str, Any]:
    numbers = [float(v) for v in values.ravel()]
    classes = {"class": int(values.argmax())} if len(numbers) > 1 else {}
    return {"input": name, **classes, "outputs": numbers}


def _text(value: Any) -> str:
    return " ".join(f"{v:.4g}" for v in value) if isinstance(value, list) else str(value)


def _write(path: Path, y: Any) -> None:
    import io

    import numpy as np

    from tensorem import disk

    content = io.BytesIO()
    np.save(content, y, allow_pickle=False)
    disk.write_whole(path, content.getvalue())
