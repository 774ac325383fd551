"""Tables larger than memory: a CSV file by its lines, Parquet by its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tensorem.disk import path_of
from tensorem.errors import DataError, FileError

from ._binary import read_start
from ._columns import Columns
from ._dataset import Dataset
from ._extras import extra
from ._shards import Shards, cut, in_parts
from ._table import Column, Table, check_lengths
from ._text import rows_of, text_of

PART = 65536
"""Rows that are read at once."""


def open_csv(
    path: str | Path,
    columns: Columns | Column = -1,
    *,
    header: bool = True,
    delimiter: str = ",",
    decimal: str = ".",
    part: int = PART,
) -> Shards:
    """The examples in a CSV file in UTF-8, a part of the rows at a time.

    Args:
        columns: What `learn_columns` learnt, of a smaller file of these columns; or the column of
            numbers to be met, where all are numbers.
        header: Whether the first line holds the names of the columns.
        delimiter: What stands between cells.
        decimal: What stands before the decimals of a number.
        part: How many rows are read at once.

    Shapes:
        x float32 (n, columns), y int32 (n,), or float32 (n, 1) where numbers are met

    Raises:
        FileError: The file is missing, holds no rows, or is one of gzip, which cannot be begun in
            its middle.
        DataError: A row has another length, or a cell is not what it should be.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "x.csv"
        >>> _ = file.write_text("a,b,c\\n" + "1,2,3\\n" * 10)
        >>> open_csv(file, part=4)
        Shards of 10 in 3 parts
    """
    file = path_of(path)
    if read_start(file, 2) == b"\x1f\x8b":
        raise FileError(
            "open_csv takes a file that can be begun in its middle, got one of gzip.",
            where=str(file),
            help="gunzip it, or data.read_csv where it fits in memory.",
        )
    places = list(_places(file, part, int(header)))
    if len(places) <= header:
        raise FileError(
            "read_csv takes a file with at least one row of data, got none.", where=str(file)
        )
    names = _table(file, places.pop(0), delimiter, decimal).rows[0] if header else None

    def read(i: int) -> Dataset:
        table = _table(file, places[i], delimiter, decimal)
        known = tuple(names or (f"column {k}" for k in range(len(table.rows[0]))))
        table = Table(file, known, table.rows, table.lines, decimal)
        check_lengths(table)
        return _examples(table, columns)

    return Shards(tuple(place[2] for place in places), read)


Place = tuple[int, int, int, int]
"""The first byte of some rows, the byte after them, how many they are, and the line before."""


def _places(file: Path, part: int, head: int) -> Iterator[Place]:
    """Where the rows of a file lie: the first rows as many as the header has, then parts."""
    start, line_before, rows, quotes, most = 0, 0, 0, 0, head or part
    end = 0
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            end += len(line)
            quotes += line.count(b'"')
            rows += quotes % 2 == 0 and not line.isspace()
            if rows == most and quotes % 2 == 0:
                yield start, end, rows, line_before
                start, line_before, rows, most = end, number, 0, part
    if rows:
        yield start, end, rows, line_before


def _table(file: Path, place: Place, delimiter: str, decimal: str) -> Table:
    start, end, _, before = place
    with file.open("rb") as content:
        content.seek(start)
        text = text_of(content.read(end - start), file)
    rows, lines = rows_of(text, file, delimiter)
    return Table(file, (), rows, [before + line for line in lines], decimal)


def _examples(table: Table, columns: Columns | Column) -> Dataset:
    if isinstance(columns, Columns):
        return columns.examples(table)
    target = table.find(columns)
    others = [i for i in range(len(table.names)) if i != target]
    return Dataset(table.numbers(others), table.numbers([target]))


def read_parquet(path: str | Path) -> Table:
    """The cells of a Parquet file, as texts; what is null is an empty one.

    Raises:
        FileError: The file is missing or malformed, or polars is not installed.
    """
    file = path_of(path)
    return _cells(file, _scanned(file), 0)


def open_parquet(path: str | Path, columns: Columns | Column = -1, *, part: int = PART) -> Shards:
    """The examples in a Parquet file, a part of the rows at a time.

    Args:
        columns: What `learn_columns` learnt, of a smaller file of these columns; or the column of
            numbers to be met, where all are numbers.
        part: How many rows are read at once.

    Shapes:
        x float32 (n, columns), y int32 (n,), or float32 (n, 1) where numbers are met

    Raises:
        FileError: The file is missing or malformed, or polars is not installed.
        DataError: A value is null, or is no number where one is taken.
        ArgumentError: There is no such column.
    """
    file = path_of(path)
    frame = _scanned(file)
    polars = extra("polars", "Parquet files take polars")
    size = frame.select(polars.len()).collect().item()

    def read(start: int, count: int) -> Dataset:
        rows = frame.slice(start, count)
        if isinstance(columns, Columns):
            return columns.examples(_cells(file, rows, start))
        return _numbers(rows.collect(), columns, file, start)

    return in_parts(cut(size, part), read)


def _scanned(file: Path) -> Any:
    polars = extra("polars", "Parquet files take polars")
    read_start(file, 1)
    try:
        frame = polars.scan_parquet(file)
        frame.collect_schema()
    except (polars.exceptions.PolarsError, OSError) as error:
        raise FileError(
            "A Parquet file takes another form.", where=str(file), because=str(error)
        ) from error
    return frame


def _cells(file: Path, frame: Any, start: int) -> Table:
    polars = extra("polars", "Parquet files take polars")
    texts = frame.select(polars.all().cast(polars.String).fill_null("")).collect()
    lines = range(start + 1, start + 1 + texts.height)
    return Table(file, tuple(texts.columns), [list(row) for row in texts.iter_rows()], lines)


def _numbers(frame: Any, target: Column, file: Path, start: int) -> Dataset:
    names: Sequence[str] = frame.columns
    name = Table(file, tuple(names), (), ()).find(target)
    wrong = [n for n, kind in zip(names, frame.dtypes, strict=True) if not kind.is_numeric()]
    if wrong:
        raise DataError(
            f"open_parquet takes columns of numbers, got {frame[wrong[0]].dtype} in {wrong[0]!r}.",
            where=str(file),
            help="learn the columns first: open_parquet(path, data.learn_columns(table)).",
        )
    values = frame.to_numpy().astype(np.float32)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"open_parquet takes finite numbers, got {values[tuple(bad[0])]} in row "
            f"{start + int(bad[0][0]) + 1}.",
            where=f"{file}, column {names[int(bad[0][1])]!r}",
        )
    return Dataset(np.delete(values, name, axis=1), values[:, [name]])
