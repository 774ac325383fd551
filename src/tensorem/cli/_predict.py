"""`tensorem predict`: a saved model on inputs from a file or from its own test examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from tensorem.errors import ArgumentError, DataError

from . import _exit
from ._flags import Place, Rows, RunFolder
from ._recipe import Recipe, is_table, rows, table_of
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
    """A .npy file of inputs, one per row; or a .csv or .parquet file with the model's columns."""

    index: Rows = ()
    """Without --input: which of the run's test examples; the first if not given."""

    output: Place = None
    """Also write the outputs to this .npy file; or to a .csv file, beside the input and by name."""

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
            _write(self, recipe, y)
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

    if is_table(str(file)):
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


def _write(given: Predict, recipe: Recipe, y: NDArray[Any]) -> None:
    import io

    import numpy as np

    from tensorem import data, disk

    assert given.output is not None
    if given.output.suffix.lower() == ".csv":
        table = _beside(given, recipe, y)
        data.write_csv(given.output, table, delimiter=recipe.delimiter, decimal=recipe.decimal)
        return
    content = io.BytesIO()
    np.save(content, y, allow_pickle=False)
    disk.write_whole(given.output, content.getvalue())


def _beside(given: Predict, recipe: Recipe, y: NDArray[Any]) -> dict[str, Any]:
    """The columns of the input as they are, then what the model says of each row."""
    before: dict[str, Any] = {}
    if given.input is not None and is_table(str(given.input)):
        table = table_of(recipe, given.input)
        before = {name: table.texts(i) for i, name in enumerate(table.names)}
    after = _predicted(recipe.columns, y)
    if twice := before.keys() & after.keys():
        raise ArgumentError(
            f"--output takes an input without the column {min(twice)!r}, got {given.input}.",
            because="what the model says is written under that name.",
        )
    return before | after


def _predicted(columns: Columns | None, y: NDArray[Any]) -> dict[str, Any]:
    import numpy as np

    flat = y.reshape(len(y), -1)
    target = columns.target if columns else "target"
    if flat.shape[1] == 1:
        return {f"predicted {target}": flat[:, 0]}
    named = columns and columns.classes
    classes = list(map(str, columns.names(np.arange(flat.shape[1])))) if columns and named else None
    names = classes or list(map(str, range(flat.shape[1])))
    outputs = {f"output {name}": flat[:, i] for i, name in enumerate(names)}
    return {f"predicted {target}": [names[i] for i in flat.argmax(axis=1)], **outputs}
