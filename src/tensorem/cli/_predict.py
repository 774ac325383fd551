"""`tensorem predict`: a saved model on inputs from a file or from its own test examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from tensorem.errors import ArgumentError, DataError

from . import _exit
from ._flags import Place, Rows, RunFolder
from ._recipe import Recipe, rows
from ._runs import examples, outputs, recipe_of, require_rows, require_run
from ._terminal import print_json, show, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tensorem.data import Columns


@dataclass(frozen=True)
class Predict:
    """Print what a saved model says about inputs."""

    model: tyro.conf.Positional[RunFolder]
    """A run folder."""

    input: Place = None
    """A .npy file of inputs, one per row; or a .csv file with the columns of the model."""

    index: Rows = ()
    """Without --input: which of the run's test examples; the first if not given."""

    output: Place = None
    """Also write the outputs to this .npy file."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import files

        run = require_run(self.model)
        _require_two(self.input, self.output)
        recipe = recipe_of(run)
        x, names = _inputs(self, recipe)
        y = outputs(files.load(run), x)
        if self.output is not None:
            _write(self.output, y)
        told = [_row(name, values, recipe.columns) for name, values in zip(names, y, strict=True)]
        if self.json:
            print_json(told)
        else:
            show(table(tuple(told[0]), ([_text(v) for v in row.values()] for row in told)))
        return _exit.OK


def _inputs(given: Predict, recipe: Recipe) -> tuple[NDArray[Any], list[str]]:
    if given.input is not None:
        if given.index:
            raise ArgumentError("--index is about the run's test examples, got --input too.")
        x = _read(given.input, recipe)
        return x, [f"row {i}" for i in range(len(x))]
    found, index = examples(given.model, None), list(given.index or (0,))
    require_rows(index, len(found))
    y = found.y[index]
    targets = recipe.columns.names(y) if recipe.columns else y.tolist()
    return found.x[index], [f"test {i} (target {t})" for i, t in zip(index, targets, strict=True)]


def _read(file: Path, recipe: Recipe) -> NDArray[Any]:
    from tensorem import data

    if file.suffix.lower() == ".csv":
        return rows(recipe, file)
    x = data.read_npy(file)
    _require_rows(x, file)
    return x


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


def _row(name: str, values: NDArray[Any], columns: Columns | None) -> dict[str, Any]:
    """With the class as the table writes it; where no table is known, its number."""
    numbers = [float(v) for v in values.ravel()]
    if columns is not None:
        found = columns.names([int(values.argmax())]) if columns.classes else []
    else:
        found = [int(values.argmax())] if len(numbers) > 1 else []
    return {"input": name, **({"class": found[0]} if found else {}), "outputs": numbers}


def _text(value: object) -> str:
    return " ".join(f"{v:.4g}" for v in value) if isinstance(value, list) else str(value)


def _write(path: Path, y: NDArray[Any]) -> None:
    import io

    import numpy as np

    from tensorem import disk

    content = io.BytesIO()
    np.save(content, y, allow_pickle=False)
    disk.write_whole(path, content.getvalue())
