"""The cells of a text file; every error says file, line and column."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem.calls import among, named
from tensorem.disk import path_of, read_whole
from tensorem.errors import DataError, FileError

from ._source import Array
from ._text import rows_of, text_of

Column = str | int

_INTEGER = re.compile(r"([+-]?[0-9]+)\.?0*")
SHOWN = 12
"""How many texts an error names."""


@dataclass(frozen=True)
class Table:
    """The cells of a file, with the line on which each row stands.

    Args:
        path: The file.
        names: What the columns are called.
        rows: The cells of each row.
        lines: The number of its line.
        decimal: What stands before the decimals of a number: "." or ",".
    """

    path: Path
    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    decimal: str = "."

    def find(self, column: Column) -> int:
        """The number of a column that is named, or counted as NumPy does.

        Raises:
            DataError: There is none, or several have that name.
        """
        n = len(self.names)
        times = self.names.count(column) if isinstance(column, str) else 0
        if isinstance(column, str) and times == 1:
            return self.names.index(column)
        is_number = isinstance(column, int | np.integer) and not isinstance(column, bool)
        if is_number and -n <= int(column) < n:
            return int(column) % n
        got = f"{column!r}, which occurs {times} times" if times else repr(column)
        raise DataError(
            f"read_csv takes columns of {', '.join(self.names)}, got {got}.", where=str(self.path)
        )

    def select(self, rows: NDArray[Any]) -> Table:
        """Some rows, by their numbers."""
        places = rows.tolist()
        cells, lines = [self.rows[i] for i in places], [self.lines[i] for i in places]
        return replace(self, rows=cells, lines=lines)

    def texts(self, column: int) -> tuple[str, ...]:
        """The cells of a column."""
        return tuple(row[column] for row in self.rows)

    def figures(self, column: int) -> tuple[str, ...]:
        """The cells of a column, a number with its decimals after a point."""
        return tuple(self._figure(cell) for cell in self.texts(column))

    def numbers(self, columns: Sequence[int]) -> Array:
        """Some columns as numbers.

        Shapes:
            float32 (rows, columns)

        Raises:
            DataError: A cell is no finite number, or an integer that float32 would round.
        """
        whole = self._whole
        values = self._walked(columns) if whole is None else whole[:, list(columns)]
        # float32 holds what is smaller; the rest is looked at cell by cell.
        for r, i in np.argwhere(~(np.abs(values) <= 2.0**24)):
            self._number(int(r), columns[i])
        return values.astype(np.float32)

    @cached_property
    def _whole(self) -> NDArray[np.float64] | None:
        """All cells as numbers at once, where all of them are."""
        if self.decimal != "." or any("_" in ",".join(row) for row in self.rows):
            return None
        try:
            return np.array(self.rows, np.float64).reshape(len(self.rows), len(self.names))
        except ValueError:
            return None

    def are_numbers(self, column: int) -> bool:
        """Whether all cells of the table are numbers, and those of this column finite."""
        return self._whole is not None and bool(np.isfinite(self._whole[:, column]).all())

    def _walked(self, columns: Sequence[int]) -> NDArray[np.float64]:
        found = np.empty((len(self.rows), len(columns)))
        for place, c in enumerate(columns):
            cells = self.figures(c)
            try:
                found[:, place] = np.array(cells, np.float64)
            except ValueError:
                pass
            else:
                if "_" not in ",".join(cells):
                    continue
            found[:, place] = [self._number(r, c) for r in range(len(cells))]
        return found

    def labels(self, column: int, classes: Sequence[str]) -> Array:
        """A column of names of classes as their numbers; an integer may be written 1 or 1.0.

        Shapes:
            int32 (rows,)

        Raises:
            DataError: A cell is no class.
        """
        numbers = {name: i for i, name in enumerate(classes)}
        found = [numbers.get(t, numbers.get(plain(t), -1)) for t in self.texts(column)]
        if -1 in found:
            named = ", ".join(shown(tuple(classes)))
            raise self.cell_error(found.index(-1), column, f"one of {named}")
        return np.array(found, np.int32)

    def cell_error(self, r: int, c: int, takes: str, because: str = "") -> DataError:
        """What a cell should be and is not."""
        return DataError(
            f"read_csv takes {takes} in this cell, got {self.rows[r][c]!r}.",
            where=f"{self.path}, line {self.lines[r]}, column {self.names[c]!r}",
            because=because,
        )

    def _number(self, r: int, c: int) -> float:
        cell = self._figure(self.rows[r][c])
        value = math.nan if "_" in cell else _float(cell)
        if not abs(value) <= float(np.finfo(np.float32).max):
            raise self.cell_error(r, c, "a finite number")
        whole = _INTEGER.fullmatch(cell)
        if whole and abs(value) > 2**24 and int(whole[1]) != int(np.float32(value)):
            because = f"float32 would make it {int(np.float32(value))}."
            raise self.cell_error(r, c, "an integer that float32 holds", because)
        return value

    def _figure(self, cell: str) -> str:
        """A point among decimal commas may stand for thousands, so it is no number."""
        return cell if self.decimal == "." else cell.translate(_COMMAS)


_COMMAS = str.maketrans({",": ".", ".": "·"})


def shown(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Some texts as an error names them: all, or the first of many."""
    return texts if len(texts) <= SHOWN else (*texts[:2], "...")


def plain(cell: str) -> str:
    """An integer in its plain form; any other text as it is.

    Example:
        >>> plain("+01.0"), plain("1.5"), plain("cat")
        ('1', '1.5', 'cat')
    """
    whole = _INTEGER.fullmatch(cell)
    return f"{int(whole[1])}" if whole and len(cell) < 100 else cell


def is_number(cell: str) -> bool:
    """Whether a cell is a number, be it not finite.

    Example:
        >>> is_number("1e3"), is_number("nan"), is_number("cat")
        (True, True, False)
    """
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _float(cell: str) -> float:
    return float(cell) if is_number(cell) else math.nan


def read_table(
    path: str | Path,
    header: bool = True,
    delimiter: str = ",",
    decimal: str = ".",
    encoding: str = "utf-8",
) -> Table:
    """The cells of a CSV file, or of one that gzip made smaller; blank lines count for nothing.

    Args:
        header: Whether the first line holds the names of the columns.
        delimiter: What stands between cells.
        decimal: What stands before decimals: "." or ",".
        encoding: Of the text; a byte order mark says it itself.

    Raises:
        FileError: The file is missing, is no text of this encoding, is cut short, or holds no rows.
        DataError: A first line of numbers where names were to be, or a row of another length.
        ArgumentError: The decimal or the encoding is none.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "animals.csv"
        >>> _ = file.write_text("weight,legs,kind\\n4.5,4,cat\\n")
        >>> read_table(file).names
        ('weight', 'legs', 'kind')
    """
    path = path_of(path)
    with named("read_csv"):
        among("decimal", decimal, (".", ","))
    rows, lines = rows_of(text_of(read_whole(path), path, encoding), path, delimiter)
    if len(rows) <= header:
        raise FileError(
            "read_csv takes a file with at least one row of data, got none.", where=str(path)
        )
    if header and all(map(is_number, rows[0])):
        raise DataError(
            f"read_csv takes the names of the columns in the first line, got {', '.join(rows[0])}.",
            where=f"{path}, line {lines[0]}",
            help="if the first line is data: read_csv(path, header=False).",
        )
    names = tuple(rows[0]) if header else tuple(f"column {i}" for i in range(len(rows[0])))
    table = Table(path, names, rows[header:], lines[header:], decimal)
    check_lengths(table)
    return table


def check_lengths(table: Table) -> None:
    """Raise unless each row has a cell for each column.

    Raises:
        DataError: One has more or fewer.
    """
    for line, row in zip(table.lines, table.rows, strict=True):
        if len(row) != len(table.names):
            raise DataError(
                f"read_csv takes rows of {len(table.names)} cells, got {len(row)}.",
                where=f"{table.path}, line {line}",
                source=f"{len(table.names)} is set by the first line",
            )
