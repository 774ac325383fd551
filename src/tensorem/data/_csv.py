"""Tables of numbers in text files; every error says file, line and column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tensorem.calls import flag, named
from tensorem.errors import ArgumentError

from ._dataset import Dataset
from ._table import Column, Table, is_number, read_table, shown


def read_csv(
    path: str | Path,
    *,
    x: Column | Sequence[Column] | None = None,
    y: Column | Sequence[Column] = -1,
    classes: Sequence[str] | None = None,
    header: bool = True,
    delimiter: str = ",",
    decimal: str = ".",
    encoding: str = "utf-8",
) -> Dataset:
    """The examples in a CSV file, one per line; blank lines count for nothing.

    The file may be one that gzip made smaller.

    Args:
        x: Columns of the input, by name or by number; without it all that are not in y.
        y: One column for targets of shape (n,), or several for targets of shape (n, k).
        classes: The texts that stand in column y for class 0, class 1, ...; y becomes int32.
        header: Whether the first line holds the names of the columns.
        delimiter: What stands between cells.
        decimal: What stands before the decimals of a number: "." or ",".
        encoding: Of the text; a byte order mark says it itself.

    Shapes:
        x float32 (n, columns), y float32 (n,) or (n, k), or int32 (n,) with classes

    Raises:
        FileError: The file is missing, is no text of this encoding, is cut short, or holds no rows.
        DataError: A first line of numbers where names were to be, a row of another length, a cell
            that is not a finite number, an integer that float32 would round, or no class, a column
            that does not exist.
        ArgumentError: classes for more than one column y, no column for x or y, a header that is
            not a boolean, a delimiter that is not one character or is the decimal, an encoding
            that Python does not know.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "animals.csv"
        >>> _ = file.write_text("weight,legs,kind\\n4.5,4,cat\\n0.02,2,wren\\n")
        >>> read_csv(file, y="kind", classes=("cat", "wren"))
        Dataset of 2: x float32 (2, 2), y int32 (2,)
    """
    _check_form(y, classes, header, delimiter)
    _check_decimal(delimiter, decimal)
    table = read_table(path, header, delimiter, decimal, encoding)
    targets = [table.find(c) for c in _several(y)]
    others = [i for i in range(len(table.names)) if i not in targets]
    inputs = others if x is None else [table.find(c) for c in _several(x)]
    if not inputs or not targets:
        raise _no_column(table, x, y, delimiter)
    if classes is not None:
        return Dataset(table.numbers(inputs), table.labels(targets[0], classes))
    if _is_single(y):
        _require_no_texts(table, targets[0])
    numbers = table.numbers(targets)
    return Dataset(table.numbers(inputs), numbers[:, 0] if _is_single(y) else numbers)


def _no_column(table: Table, x: object, y: object, delimiter: str) -> ArgumentError:
    other = next((d for d in ";\t|" if d in "".join(table.names)), None)
    return ArgumentError(
        f"read_csv takes at least one column for x and for y, got x={x!r}, y={y!r} of "
        f"{', '.join(table.names)}.",
        where=str(table.path),
        help=f"if another character than {delimiter!r} stands between the cells: "
        f"read_csv(path, delimiter={other!r})." if other else "",
    )  # fmt: skip


def _require_no_texts(table: Table, column: int) -> None:
    """A target column of texts alone holds classes that have not been named."""
    texts = tuple(sorted(set(table.texts(column))))
    if "" in texts or any(map(is_number, texts)):
        return
    error = table.cell_error(0, column, "a finite number")
    raise error.with_notes(help=f"if these are classes: read_csv(path, classes={shown(texts)!r}).")


def _check_form(y: object, classes: Sequence[str] | None, header: object, delimiter: str) -> None:
    with named("read_csv"):
        flag("header", header)
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


def _check_decimal(delimiter: str, decimal: str) -> None:
    if decimal == delimiter:
        raise ArgumentError(
            f"read_csv takes a delimiter other than the decimal, got {decimal!r} for both.",
            help="files with decimal commas mostly have delimiter=';'.",
        )


def _several(columns: Column | Sequence[Column]) -> Sequence[Column]:
    return (columns,) if _is_single(columns) else columns  # type: ignore[return-value]


def _is_single(columns: object) -> bool:
    """One column; whatever is no sequence of columns is looked up, and not found, as one."""
    return isinstance(columns, str) or not isinstance(columns, Sequence | np.ndarray)
