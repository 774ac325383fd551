"""What a run knows of its table: which columns go in, by name, and what its classes are called."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tensorem.errors import DataError

from ._dataset import Dataset
from ._features import FEW, Feature, learn_feature
from ._source import Array
from ._table import Column, Table, is_number, plain, shown

Targets = Literal["auto", "classes", "numbers"]


@dataclass(frozen=True)
class Columns:
    """The columns of a model; other files are read by these names, whatever their order.

    Args:
        features: The columns of the input, in its order, and what their cells become.
        target: The column of the targets.
        classes: What stands there for class 0, class 1, ...; nothing where numbers are met.
        named: Whether files name their columns; without names they are told by their place.
        dropped: Columns that files have and the model was told not to take.
    """

    features: tuple[Feature, ...]
    target: str
    classes: tuple[str, ...] = ()
    named: bool = True
    dropped: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the columns of the input."""
        return tuple(feature.column for feature in self.features)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of the numbers of an input: a column that becomes several has a number each."""
        return tuple(
            f.column if f.width == 1 else f"{f.column}[{i}]"
            for f in self.features
            for i in range(f.width)
        )

    def examples(self, table: Table) -> Dataset:
        """The examples in a file, in the order of its rows.

        Shapes:
            x float32 (n, numbers), y int32 (n,), or float32 (n, 1) where numbers are met

        Raises:
            DataError: A column is missing or there twice, or a cell is no number or no class.
        """
        self._require(table, (*self.inputs, self.target))
        target = table.find(self.target)
        y = table.labels(target, self.classes) if self.classes else table.numbers([target])
        return Dataset(self.rows(table), y)

    def rows(self, table: Table) -> Array:
        """The inputs in a file, which may do without targets.

        Values of a category that were not seen in training become zeros, with a warning.

        Shapes:
            float32 (n, numbers)

        Raises:
            DataError: A column is missing or there twice, or a cell is no number.
        """
        places = self._places(table)
        ends = np.cumsum([feature.width for feature in self.features])
        found = np.empty((len(table.rows), ends[-1]), np.float32)
        plain = [i for i, feature in enumerate(self.features) if feature.plain]
        found[:, ends[plain] - 1] = table.numbers([places[i] for i in plain])
        for i, feature in enumerate(self.features):
            if not feature.plain:
                found[:, ends[i] - feature.width : ends[i]] = feature.numbers(table, places[i])
        return found

    def _places(self, table: Table) -> list[int]:
        if not self.named and len(table.names) == len(self.inputs):
            return list(range(len(self.inputs)))
        self._require(table, self.inputs)
        return [table.find(name) for name in self.inputs]

    def others(self, table: Table) -> tuple[str, ...]:
        """The columns of a file of which the model knows nothing."""
        known = {*self.inputs, self.target, *self.dropped}
        return tuple(name for name in table.names if name not in known)

    def names(self, targets: Array | list[int]) -> list[str | int | float]:
        """Targets, or numbers of classes, as they stand in a file."""
        if not self.classes:
            return list(np.ravel(targets).tolist())
        return [_as_written(self.classes[int(i)]) for i in np.ravel(targets)]

    def _require(self, table: Table, names: tuple[str, ...]) -> None:
        missing = [name for name in names if name not in table.names]
        if missing:
            raise DataError(
                f"The model takes the columns {', '.join(names)}, got none called {missing[0]!r}.",
                where=str(table.path),
                because=f"the file has {', '.join(table.names)}.",
            )
        count = len(names) + len(self.dropped)
        if not self.named and self.others(table):
            raise DataError(
                f"The model takes {count} columns without names, got {len(table.names)}.",
                where=str(table.path),
                because="without names they are told by their place alone.",
            )

    def to_json(self) -> dict[str, Any]:
        """The columns as JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(said: Any) -> Columns:
        """What `to_json` gave, or gave before columns became more than numbers.

        Raises:
            ValueError: It is something else.
        """
        said = _with_features(said)
        if not isinstance(said, Mapping) or said.keys() != Columns.__dataclass_fields__.keys():
            raise ValueError(f"columns is {said!r}")
        lists = (said["features"], said["classes"], said["dropped"])
        if not all(isinstance(found, list) for found in lists) or not said["features"]:
            raise ValueError(f"columns is {said!r}")
        if not all(isinstance(text, str) for text in (*lists[1], *lists[2], said["target"])):
            raise ValueError(f"columns is {said!r}")
        if not isinstance(said["named"], bool):
            raise ValueError(f"columns is {said!r}")
        features = tuple(map(Feature.from_json, said["features"]))
        classes, dropped = tuple(said["classes"]), tuple(said["dropped"])
        return Columns(features, said["target"], classes, said["named"], dropped)


def _with_features(said: Any) -> Any:
    """Earlier runs name the columns of their input, which are numbers."""
    if not isinstance(said, Mapping) or not isinstance(said.get("inputs"), list):
        return said
    others = {name: value for name, value in said.items() if name != "inputs"}
    plain = [{"column": c, "kind": "number", "fill": None, "values": []} for c in said["inputs"]]
    return {"features": plain, "dropped": [], **others}


def _as_written(name: str) -> str | int:
    return int(name) if plain(name) == name and is_number(name) and "." not in name else name


def learn_columns(
    table: Table,
    target: Column = -1,
    classes: tuple[str, ...] = (),
    targets: Targets = "auto",
    named: bool = True,
    *,
    rows: NDArray[Any] | None = None,
    drop: Sequence[Column] = (),
    categories: Sequence[Column] = (),
) -> Columns:
    """The columns of a table: one of targets, all others inputs.

    "auto" takes texts, and few integers, for classes, and other numbers for numbers to be met.

    Args:
        target: The column of the targets.
        classes: What stands there for class 0, class 1, ...; without it what is found there.
        targets: Whether targets are classes or numbers.
        named: Whether the file names its columns.
        rows: The numbers of the rows that are trained on: what is learnt of an input is learnt of
            them; of all if not given.
        drop: Columns that are no inputs.
        categories: Columns whose numbers are names, such as a postcode.

    Raises:
        DataError: There is no such column, no other one, two have one name, the targets are
            neither few classes nor numbers, or an input holds no value or many texts.
    """
    at = table.find(target)
    twice = [name for name in table.names if table.names.count(name) > 1]
    if twice:
        raise DataError(
            f"A table takes columns of different names, got {twice[0]!r} twice.",
            where=str(table.path),
            because="other files are read by these names.",
        )
    left_out, named_values = ({table.find(c) for c in given} for given in (drop, categories))
    inputs = [i for i in range(len(table.names)) if i != at and i not in left_out]
    if not inputs:
        raise _no_inputs(table)
    found = classes or _classes(table, at, targets)
    trained = table if rows is None else table.select(rows)
    features = tuple(learn_feature(trained, i, i in named_values) for i in inputs)
    dropped = tuple(table.names[i] for i in sorted(left_out))
    return Columns(features, table.names[at], found, named, dropped)


def _classes(table: Table, column: int, targets: Targets) -> tuple[str, ...]:
    """The names of the classes in a column; none where it holds numbers to be met."""
    if targets == "numbers":
        return ()
    cells = tuple(map(plain, table.texts(column)))
    found = set(cells)
    few = len(found) <= min(FEW, max(2, len(cells) // 2))
    if "" not in found and not any(map(is_number, found)):
        if targets == "auto" and len(found) > max(FEW, len(cells) // 2):
            raise _too_many(table, column, len(found))
        return tuple(sorted(found))
    whole = all(is_number(cell) and _is_whole(cell) for cell in found)
    if whole and (few or targets == "classes"):
        return tuple(sorted(found, key=int))
    if targets == "classes":
        raise _no_class(table, column, cells)
    return ()


def _no_inputs(table: Table) -> DataError:
    other = next((d for d in ";\t|" if d in table.names[0]), None)
    return DataError(
        f"A table takes a column of targets and others, got only {table.names[0]}.",
        where=str(table.path),
        help=f"if another character than ',' stands between the cells: read_csv(path, "
        f"delimiter={other!r})."
        if other
        else "",
    )


def _is_whole(cell: str) -> bool:
    return cell.removeprefix("-").isdigit() and cell.isascii()


def _too_many(table: Table, column: int, count: int) -> DataError:
    return DataError(
        f"A column of targets takes few classes, or numbers, got {count} texts.",
        where=f"{table.path}, column {table.names[column]!r}",
        help="name another column; or if each is a class: --loss cross_entropy.",
    )


def _no_class(table: Table, column: int, cells: tuple[str, ...]) -> DataError:
    odd = next(i for i, cell in enumerate(cells) if not _is_whole(cell))
    error = table.cell_error(odd, column, "a class, an integer or a text,")
    return error.with_notes(
        help=f"name the classes ({', '.join(shown(tuple(sorted(set(cells)))))}), or meet numbers: "
        "--loss mse."
    )


@dataclass(frozen=True)
class Scale:
    """The mean and the standard deviation of each column; a constant one has deviation 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @staticmethod
    def of(x: Array) -> Scale:
        """Those of the columns of an array, rounded once.

        Example:
            >>> Scale.of(np.array([[1.0, 5.0], [3.0, 5.0]], np.float32))
            Scale(mean=(2.0, 5.0), std=(1.0, 1.0))
        """
        columns = np.asarray(x, np.float64).T.tolist()
        means = tuple(math.fsum(column) / len(column) for column in columns)
        return Scale(means, tuple(map(_deviation, columns, means)))


def _deviation(column: list[float], mean: float) -> float:
    """Where it is no more than what float32 rounds away, the column is constant."""
    found = math.sqrt(math.fsum((v - mean) ** 2 for v in column) / len(column))
    return found if found > max(abs(mean) * 2**-24, 2.0**-126) else 1.0
