"""What a column of a table becomes in a model: numbers, with all that was learnt in training."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from shlex import quote
from typing import Any, Literal

import numpy as np

from tensorem.errors import DataError

from ._source import Array
from ._table import Table, is_number, shown

Kind = Literal["number", "date", "category"]

MISSING = frozenset(
    ["", "?", "-", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None"]
)
"""Cells that say that a value is not known."""

FEW = 20
"""More texts than these, and than half of the rows, are no categories."""


@dataclass(frozen=True)
class Feature:
    """A column of the input, and what its cells become.

    Args:
        column: Its name.
        kind: "number"; "date", in days since 1970; or "category", a 1 in the place of its value.
        fill: What stands for a missing number, with a 1 in a place of its own; None where none was
            missing in training, and one that is missing is an error.
        values: Those of a category in training, "" for a missing one; others become zeros.
    """

    column: str
    kind: Kind = "number"
    fill: float | None = None
    values: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers of the input it becomes."""
        return len(self.values) if self.kind == "category" else 1 + (self.fill is not None)

    @property
    def plain(self) -> bool:
        """Whether its cells are the numbers themselves."""
        return self.kind == "number" and self.fill is None

    def numbers(self, table: Table, column: int) -> Array:
        """What the cells of a column become.

        Shapes:
            float32 (rows, width)

        Raises:
            DataError: A cell is not what it should be.
        """
        if self.kind == "category":
            return self._places(table.texts(column))
        cells = table.figures(column)
        missing = np.array([cell in MISSING for cell in cells], bool)
        if self.fill is None and missing.any():
            raise _none_was_missing(self, table, column, int(missing.argmax()))
        found = np.full((len(cells), 1), 0.0 if self.fill is None else self.fill, np.float32)
        present = np.flatnonzero(~missing)
        found[present] = self._present(table.select(present), column)
        return found if self.fill is None else np.hstack([found, missing[:, np.newaxis]])

    def _present(self, table: Table, column: int) -> Array:
        if self.kind == "number":
            return table.numbers([column])
        days = [_day(cell) for cell in table.texts(column)]
        if None in days:
            raise table.cell_error(days.index(None), column, "a date such as 2026-01-31")
        return np.array(days, np.float32).reshape(-1, 1)

    def _places(self, cells: tuple[str, ...]) -> Array:
        known = {value: place for place, value in enumerate(self.values)}
        found = np.zeros((len(cells), len(known)), np.float32)
        places = [known.get(_said(cell), -1) for cell in cells]
        unseen = Counter(cell for cell, place in zip(cells, places, strict=True) if place < 0)
        if unseen:
            warnings.warn(
                f"column {self.column!r} holds {unseen.total()} cells that were not seen in "
                f"training, and become zeros: {', '.join(map(repr, shown(tuple(unseen))))}.",
                stacklevel=5,
            )
        rows = [i for i, place in enumerate(places) if place >= 0]
        found[rows, [places[i] for i in rows]] = 1
        return found

    def told(self) -> str:
        """What becomes of the column, in words; nothing where its cells are the numbers."""
        if self.kind == "category":
            named = shown(tuple(value or "(missing)" for value in self.values))
            return f"{len(self.values)} categories: {', '.join(named)}"
        date = "days since 1970" if self.kind == "date" else ""
        filled = "" if self.fill is None else f"missing ones become the mean, {self.fill:.6g}"
        return "; ".join(filter(None, (date, filled)))

    def to_json(self) -> dict[str, Any]:
        """The feature as JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(said: Any) -> Feature:
        """What `to_json` gave.

        Raises:
            ValueError: It is something else.
        """
        if not isinstance(said, dict) or said.keys() != Feature.__dataclass_fields__.keys():
            raise ValueError(f"a feature is {said!r}")
        texts = (said["column"], *said["values"]) if isinstance(said["values"], list) else (None,)
        sound = said["kind"] in ("number", "date", "category") and (
            said["fill"] is None or type(said["fill"]) in (int, float)
        )
        if not sound or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"a feature is {said!r}")
        return Feature(said["column"], said["kind"], said["fill"], tuple(said["values"]))


def learn_feature(table: Table, column: int, category: bool = False) -> Feature:
    """What a column becomes, by its cells in training.

    Numbers stay numbers; texts of which each is a date are dates; few other texts, of which none is
    a number, are categories.

    Args:
        category: Whether numbers are categories too.

    Raises:
        DataError: It holds no value, or many different texts.

    Example:
        >>> from pathlib import Path
        >>> cells = [["3", "red"], ["NA", "blue"], ["4", "red"]]
        >>> learn_feature(Table(Path("x.csv"), ("a", "b"), cells, [2, 3, 4]), 0)
        Feature(column='a', kind='number', fill=3.5, values=())
    """
    name = table.names[column]
    if not category and table.are_numbers(column):
        return Feature(name)
    cells = table.figures(column)
    present = [i for i, cell in enumerate(cells) if cell not in MISSING]
    if not present:
        raise DataError(
            f"A column of the input takes a value in training, got none in {name!r}.",
            where=str(table.path),
            help=f"leave it out: drop=[{name!r}], or --drop {quote(name)}.",
        )
    texts = not any(is_number(cells[i]) for i in present)
    if texts and not category and all(_day(cells[i]) is not None for i in present):
        return _filled(Feature(name, "date"), table, column, present)
    if texts or category:
        return Feature(name, "category", values=_vocabulary(table, column))
    return _filled(Feature(name), table, column, present)


def _filled(feature: Feature, table: Table, column: int, present: list[int]) -> Feature:
    if len(present) == len(table.rows):
        return feature
    values = feature.numbers(table.select(np.array(present)), column)
    fill = math.fsum(values.ravel().tolist()) / len(present)
    return Feature(feature.column, feature.kind, fill)


def _vocabulary(table: Table, column: int) -> tuple[str, ...]:
    cells = table.texts(column)
    values = tuple(sorted(set(map(_said, cells))))
    if len(values) > max(FEW, len(cells) // 2):
        name = table.names[column]
        raise DataError(
            f"A column of the input takes numbers, dates or few texts, got {len(values)} texts.",
            where=f"{table.path}, column {name!r}",
            help=f"leave it out: drop=[{name!r}], or --drop {quote(name)}.",
        )
    return values


def _none_was_missing(feature: Feature, table: Table, column: int, row: int) -> DataError:
    takes = "a finite number" if feature.kind == "number" else "a date"
    error = table.cell_error(row, column, takes)
    return error.with_notes(because="no value of this column was missing in training.")


def _said(cell: str) -> str:
    return "" if cell in MISSING else cell


def _day(cell: str) -> float | None:
    """Days since the start of 1970, in UTC where no zone is said."""
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() / 86400
