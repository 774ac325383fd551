"""Tables of numbers in text files; every error says file, line and column."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tensorem.disk import path_of, read_whole
from tensorem.errors import ArgumentError, DataError, FileError

from ._dataset import Array, Dataset

Column = str | int


@dataclass(frozen=True)
class _Table:
    """The cells of a file, with the line on which each row stands."""

    path: Path
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]


def read_csv(
    path: str | Path,
    *,
    x: Column | Sequence[Column] | None = None,
    y: Column | Sequence[Column] = -1,
    classes: Sequence[str] | None = None,
    header: bool = True,
    delimiter: str = ",",
) -> Dataset:
    """The examples in a CSV file, one per line; blank lines count for nothing.

    Args:
        x: Columns of the input, by name or by number; without it all that are not in y.
        y: One column for targets of shape (n,), or several for targets of shape (n, k).
        classes: The texts that stand in column y for class 0, class 1, ...; y becomes int32.
        header: Whether the first line holds the names of the columns.
        delimiter: What stands between cells.

    Shapes:
        x float32 (n, columns), y float32 (n,) or (n, k), or int32 (n,) with classes

    Raises:
        FileError: The file is missing, is not UTF-8 text, or holds no rows.
        DataError: A first line of numbers where names were to be, a row of another length, a cell
            that is not a finite number or a class, a column that does not exist.
        ArgumentError: classes for more than one column y, no column for x or y, a header that is
            not a boolean, or a delimiter that is not one character.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "animals.csv"
        >>> _ = file.write_text("weight,legs,kind\\n4.5,4,cat\\n0.02,2,wren\\n")
        >>> read_csv(file, y="kind", classes=("cat", "wren"))
        Dataset of 2: x float32 (2, 2), y int32 (2,)
    """
    _check_form(y, classes, header, delimiter)
    table = _read_table(path_of(path), header, delimiter)
    targets = [_find(table, c) for c in _several(y)]
    others = [i for i in range(len(table.names)) if i not in targets]
    inputs = others if x is None else [_find(table, c) for c in _several(x)]
    if not inputs or not targets:
        raise _no_column(table, x, y, delimiter)
    if classes is not None:
        return Dataset(_numbers(table, inputs), _labels(table, targets[0], classes))
    if _is_single(y):
        _require_no_texts(table, targets[0])
    numbers = _numbers(table, targets)
    return Dataset(_numbers(table, inputs), numbers[:, 0] if _is_single(y) else numbers)


def _no_column(table: _Table, x: object, y: object, delimiter: str) -> ArgumentError:
    other = next((d for d in ";\t|" if d in "".join(table.names)), None)
    return ArgumentError(
        f"read_csv takes at least one column for x and for y, got x={x!r}, y={y!r} of "
        f"{', '.join(table.names)}.",
        where=str(table.path),
        help=f"if another character than {delimiter!r} stands between the cells: "
        f"read_csv(path, delimiter={other!r})." if other else "",
    )  # fmt: skip


def _require_no_texts(table: _Table, column: int) -> None:
    """A target column of texts alone holds classes that have not been named."""
    texts = sorted({row[column] for row in table.rows})
    if "" in texts or any(map(_is_number, texts)):
        return
    error = _cell_error(table, 0, column, "a finite number")
    shown = tuple(texts) if len(texts) <= _SHOWN else (*texts[:2], "...")
    raise error.with_notes(help=f"if these are classes: read_csv(path, classes={shown!r}).")


_SHOWN = 12


def _check_form(y: object, classes: Sequence[str] | None, header: object, delimiter: str) -> None:
    if not isinstance(header, bool):
        raise ArgumentError(f"read_csv takes header as True or False, got {header!r}.")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"':
        raise ArgumentError(f"read_csv takes a delimiter of one character, got {delimiter!r}.")
    if classes is None:
        return
    if isinstance(classes, str) or not all(isinstance(name, str) for name in _several(classes)):
        raise ArgumentError(f"read_csv takes classes as a list of texts, got {classes!r}.")
    if not _is_single(y) or len(set(classes)) < max(len(classes), 1):
        raise ArgumentError(
            f"read_csv takes different classes for one column y, got {classes!r} for y={y!r}."
        )


def _several(columns: Column | Sequence[Column]) -> Sequence[Column]:
    return (columns,) if _is_single(columns) else columns  # type: ignore[return-value]


def _is_single(columns: object) -> bool:
    """One column; whatever is no sequence of columns is looked up, and not found, as one."""
    return isinstance(columns, str) or not isinstance(columns, Sequence | np.ndarray)


def _read_table(path: Path, header: bool, delimiter: str) -> _Table:
    lines, rows = _read_rows(path, delimiter)
    if len(rows) <= header:
        raise FileError(
            "read_csv takes a file with at least one row of data, got none.", where=str(path)
        )
    if header and all(map(_is_number, rows[0])):
        raise DataError(
            f"read_csv takes the names of the columns in the first line, got {', '.join(rows[0])}.",
            where=f"{path}, line {lines[0]}",
            help="if the first line is data: read_csv(path, header=False).",
        )
    names = rows[0] if header else tuple(f"column {i}" for i in range(len(rows[0])))
    table = _Table(path, names, tuple(rows[header:]), tuple(lines[header:]))
    _check_lengths(table)
    return table


def _check_lengths(table: _Table) -> None:
    for line, row in zip(table.lines, table.rows, strict=True):
        if len(row) != len(table.names):
            raise DataError(
                f"read_csv takes rows of {len(table.names)} cells, got {len(row)}.",
                where=f"{table.path}, line {line}",
                source=f"{len(table.names)} is set by the first line",
            )


def _read_rows(path: Path, delimiter: str) -> tuple[list[int], list[tuple[str, ...]]]:
    """The cells of every line that is not blank, and the numbers of these lines."""
    lines, rows, line = [], [], 0
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            line = reader.line_num
            cells = tuple(cell.strip() for cell in row)
            if cells not in ((), ("",)):
                lines.append(line)
                rows.append(cells)
    except csv.Error as error:
        raise FileError(
            f"read_csv takes well-formed CSV, got: {error}.", where=f"{path}, after line {line}"
        ) from error
    return lines, rows


def _text(path: Path) -> str:
    try:
        return read_whole(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(
            "read_csv takes text in UTF-8, got other bytes.", where=str(path)
        ) from error


def _find(table: _Table, column: Column) -> int:
    n = len(table.names)
    if isinstance(column, str) and table.names.count(column) == 1:
        return table.names.index(column)
    is_number = isinstance(column, int | np.integer) and not isinstance(column, bool)
    if is_number and -n <= int(column) < n:
        return int(column) % n
    times = table.names.count(column) if isinstance(column, str) else 0
    got = f"{column!r}, which occurs {times} times" if times else repr(column)
    raise DataError(
        f"read_csv takes columns of {', '.join(table.names)}, got {got}.", where=str(table.path)
    )


def _numbers(table: _Table, columns: Sequence[int]) -> Array:
    values = [[_number(table, r, c) for c in columns] for r in range(len(table.rows))]
    return np.array(values, np.float32).reshape(len(table.rows), len(columns))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(table: _Table, r: int, c: int) -> float:
    cell = table.rows[r][c]
    try:
        value = math.nan if "_" in cell else float(cell)
    except ValueError:
        value = math.nan
    if not abs(value) <= float(np.finfo(np.float32).max):
        raise _cell_error(table, r, c, "a finite number")
    return value


def _labels(table: _Table, column: int, classes: Sequence[str]) -> Array:
    numbers = {name: i for i, name in enumerate(classes)}
    for r, row in enumerate(table.rows):
        if row[column] not in numbers:
            raise _cell_error(table, r, column, f"one of {', '.join(classes)}")
    return np.array([numbers[row[column]] for row in table.rows], np.int32)


def _cell_error(table: _Table, r: int, c: int, takes: str) -> DataError:
    return DataError(
        f"read_csv takes {takes} in this cell, got {table.rows[r][c]!r}.",
        where=f"{table.path}, line {table.lines[r]}, column {table.names[c]!r}",
    )
