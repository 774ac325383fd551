from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorem.data import read_csv
from tensorem.errors import ArgumentError, DataError, FileError, TensoremError

GOOD = "a,b,kind\n1,2.5,cat\n\n-3e2, 4 ,dog\n5,6,cat\n"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def _write(content: str | bytes) -> Path:
        path = tmp_path / "table.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def test_classes(write: Any) -> None:
    data = read_csv(write(GOOD), y="kind", classes=("cat", "dog"))
    assert data.x.tolist() == [[1, 2.5], [-300, 4], [5, 6]]
    assert data.y.tolist() == [0, 1, 0]
    assert (data.x.dtype, data.y.dtype) == (np.float32, np.int32)


def test_columns_by_name_and_number(write: Any) -> None:
    path = write(GOOD)
    assert read_csv(path, x=["b"], y="a").x.tolist() == [[2.5], [4], [6]]
    assert read_csv(path, x=["b"], y="a").y.tolist() == [1, -300, 5]
    assert read_csv(path, x=[1], y=["a", 1]).y.tolist() == [[1, 2.5], [-300, 4], [5, 6]]


def test_other_dialects(write: Any) -> None:
    data = read_csv(write("1;2\r\n3;4\r\n"), header=False, delimiter=";")
    assert (data.x.tolist(), data.y.tolist()) == ([[1], [3]], [2, 4])
    quoted = read_csv(write('\ufeff"x, m",y\n"1",2\n'), x=["x, m"])
    assert quoted.x.tolist() == [[1]]


def test_commas_gzip_and_encodings(write: Any) -> None:
    told = {"y": "größe", "delimiter": ";", "decimal": ","}
    table = "größe;b\n1,5;2\n-3e-1;4\n"
    for content, encoding in (
        (table.encode("cp1252"), "cp1252"),
        (table.encode("utf-16"), "utf-8"),  # it begins with a byte order mark
        (gzip.compress(table.encode("utf-8-sig")), "utf-8"),
    ):
        data = read_csv(write(content), encoding=encoding, **told)
        assert (data.x.tolist(), data.y.tolist()) == ([[2], [4]], [1.5, np.float32(-0.3)])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_and_line_ends_count_for_nothing(write: Any, end: str) -> None:
    lines = ["a,b", "", "1,2", "  ", "3,4"]
    data = read_csv(write("\ufeff" + end.join(lines)), x="a", y="b")
    assert (data.x.tolist(), data.y.tolist()) == ([[1], [3]], [2, 4])


def test_a_column_is_named_as_numpy_counts(write: Any) -> None:
    data = read_csv(write(GOOD), x=np.int64(0), y=np.arange(2))  # type: ignore[arg-type]
    assert (data.x.shape, data.y.shape) == ((3, 1), (3, 2))


ERRORS: list[tuple[str | bytes, dict[str, Any], type[TensoremError], str]] = [
    (
        "a,b\n1,2\n3,x\n",
        {},
        DataError,
        "read_csv takes a finite number in this cell, got 'x'.\n  where: FILE, line 3, column 'b'",
    ),
    (
        "a,b\n\n1,\n",
        {},
        DataError,
        "read_csv takes a finite number in this cell, got ''.\n  where: FILE, line 3, column 'b'",
    ),
    (
        "a,b\n1,2\n , \n",
        {},
        DataError,
        "read_csv takes a finite number in this cell, got ''.\n  where: FILE, line 3, column 'b'",
    ),
    (
        'a,b\n"1\n",2\n3,x\n',
        {},
        DataError,
        "read_csv takes a finite number in this cell, got 'x'.\n  where: FILE, line 4, column 'b'",
    ),
    (
        "1,nan\n",
        {"header": False},
        DataError,
        "read_csv takes a finite number in this cell, got 'nan'.\n"
        "  where: FILE, line 1, column 'column 1'",
    ),
    (
        "a,b\n1,2\n1,2,3\n",
        {},
        DataError,
        "read_csv takes rows of 2 cells, got 3.\n  where: FILE, line 3\n"
        "  from:  2 is set by the first line",
    ),
    (
        "a,b\n1,2\n",
        {"y": "c"},
        DataError,
        "read_csv takes columns of a, b, got 'c'.\n  where: FILE",
    ),
    (
        "a,b\n1,2\n",
        {"y": None},
        DataError,
        "read_csv takes columns of a, b, got None.\n  where: FILE",
    ),
    ("a,b\n1,2\n", {"y": 2}, DataError, "read_csv takes columns of a, b, got 2.\n  where: FILE"),
    (
        "a,a,b\n1,2,3\n",
        {"x": ["a"]},
        DataError,
        "read_csv takes columns of a, a, b, got 'a', which occurs 2 times.\n  where: FILE",
    ),
    (
        GOOD,
        {"classes": ["cat", "cow"]},
        DataError,
        "read_csv takes one of cat, cow in this cell, got 'dog'.\n"
        "  where: FILE, line 4, column 'kind'",
    ),
    (
        "1,2.5\n3,4\n",
        {},
        DataError,
        "read_csv takes the names of the columns in the first line, got 1, 2.5.\n"
        "  where: FILE, line 1\n"
        "  help:  if the first line is data: read_csv(path, header=False).",
    ),
    (
        "a,b\n",
        {},
        FileError,
        "read_csv takes a file with at least one row of data, got none.\n  where: FILE",
    ),
    (
        b"a,b\n\xff,1\n",
        {},
        FileError,
        "read_csv takes text in UTF-8, got other bytes.\n  where: FILE\n"
        "  help:  say which: encoding='cp1252' is usual on Windows.",
    ),
    (
        gzip.compress(GOOD.encode(), mtime=0)[:-9],
        {},
        FileError,
        "read_csv takes a whole file of gzip, got a damaged one.\n  where:   FILE\n"
        "  because: Compressed file ended before the end-of-stream marker was reached",
    ),
    (
        "a,b\n1,2\n",
        {"encoding": "klingon"},
        ArgumentError,
        "read_csv takes an encoding of Python, got 'klingon'.",
    ),
    (
        "a,b\n1,2\n",
        {"decimal": ","},
        ArgumentError,
        "read_csv takes a delimiter other than the decimal, got ',' for both.\n"
        "  help: files with decimal commas mostly have delimiter=';'.",
    ),
    (
        "a;b\n1;2\n",
        {"decimal": ";", "delimiter": ","},
        ArgumentError,
        "read_csv takes decimal as one of ., ,, got ';'.",
    ),
    (
        "a;b\n1,5;2\n1.234;3\n",
        {"decimal": ",", "delimiter": ";"},
        DataError,
        "read_csv takes a finite number in this cell, got '1.234'.\n"
        "  where: FILE, line 3, column 'a'",
    ),
    (
        'a,b\n1,"2\n',
        {},
        FileError,
        "read_csv takes well-formed CSV, got: unexpected end of data.\n  where: FILE, after line 1",
    ),
    (
        GOOD,
        {"delimiter": ",,"},
        ArgumentError,
        "read_csv takes a delimiter of one character, got ',,'.",
    ),
    (
        GOOD,
        {"y": ["a", "b"], "classes": ["cat"]},
        ArgumentError,
        "read_csv takes different classes for one column y, got ['cat'] for y=['a', 'b'].",
    ),
    (
        GOOD,
        {"y": "kind", "classes": (0, 1)},
        ArgumentError,
        "read_csv takes classes as a list of texts, got (0, 1).",
    ),
    (
        GOOD,
        {"y": "kind", "classes": []},
        ArgumentError,
        "read_csv takes different classes for one column y, got [] for y='kind'.",
    ),
    (
        GOOD,
        {"header": 0},
        ArgumentError,
        "read_csv takes header as True or False, got 0.",
    ),
    (
        "a\n1\n",
        {},
        ArgumentError,
        "read_csv takes at least one column for x and for y, got x=None, y=-1 of a.\n  where: FILE",
    ),
    (
        "a;b\n1;2\n",
        {},
        ArgumentError,
        "read_csv takes at least one column for x and for y, got x=None, y=-1 of a;b.\n"
        "  where: FILE\n"
        "  help:  if another character than ',' stands between the cells: "
        "read_csv(path, delimiter=';').",
    ),
    (
        GOOD,
        {},
        DataError,
        "read_csv takes a finite number in this cell, got 'cat'.\n"
        "  where: FILE, line 2, column 'kind'\n"
        "  help:  if these are classes: read_csv(path, classes=('cat', 'dog')).",
    ),
    (
        "a,b\n" + "".join(f"1,t{i:02}\n" for i in range(13)),
        {},
        DataError,
        "read_csv takes a finite number in this cell, got 't00'.\n"
        "  where: FILE, line 2, column 'b'\n"
        "  help:  if these are classes: read_csv(path, classes=('t00', 't01', '...')).",
    ),
]


@pytest.mark.parametrize(("content", "options", "kind", "text"), ERRORS)
def test_errors_word_by_word(
    write: Any, content: str, options: dict[str, Any], kind: type[TensoremError], text: str
) -> None:
    path = write(content)
    with pytest.raises(kind) as error:
        read_csv(path, **options)
    assert str(error.value) == text.replace("FILE", str(path))


@pytest.mark.parametrize("cell", ["inf", "1e39", "1_0", "0x1", "1 2", "٣x"])
def test_only_finite_float32_numbers_are_numbers(write: Any, cell: str) -> None:
    with pytest.raises(DataError, match="takes a finite number in this cell"):
        read_csv(write(f"a,b\n1,{cell}\n"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"absent\.csv cannot be read: No such file or directory"):
        read_csv(tmp_path / "absent.csv")
    with pytest.raises(FileError, match="cannot be read: Is a directory"):
        read_csv(tmp_path)
    with pytest.raises(FileError, match="cannot be read: embedded null byte"):
        read_csv("a\0b")
