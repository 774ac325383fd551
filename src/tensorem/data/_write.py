"""Tables back into text files."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tensorem.disk import path_of, write_whole
from tensorem.errors import DataError


def write_csv(
    path: str | Path,
    columns: Mapping[str, ArrayLike | Sequence[str]],
    *,
    delimiter: str = ",",
    decimal: str = ".",
) -> None:
    """Write columns under their names; floats so that reading gives the same bits.

    Args:
        columns: One value for each row, under the name of the column.
        delimiter: What stands between cells.
        decimal: What stands before the decimals of a float.

    Raises:
        DataError: There is no column, or they are of different lengths or no columns.
        FileError: The file cannot be written; what was there before is still there.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "x.csv"
        >>> write_csv(file, {"weight": [4.5, 0.02], "kind": ["cat", "wren"]})
        >>> print(file.read_text(), end="")
        weight,kind
        4.5,cat
        0.02,wren
    """
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or any(len(shape) != 1 for shape in shapes):
        told = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "none"
        raise DataError(f"write_csv takes columns of one length, got {told}.")
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(arrays)
    cells = (_cells(array, decimal) for array in arrays.values())
    writer.writerows(zip(*cells, strict=True))
    write_whole(path_of(path), text.getvalue().encode())


def _cells(array: np.ndarray[Any, Any], decimal: str) -> list[str]:
    """The shortest text of each value that is read as the same value of its dtype."""
    texts = [str(value) for value in array]
    return [text.replace(".", decimal) for text in texts] if array.dtype.kind == "f" else texts
