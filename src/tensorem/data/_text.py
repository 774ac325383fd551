"""The text of a file and its cells: gzip, encodings, quotes."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path

from tensorem.errors import ArgumentError, FileError

_GZIP = b"\x1f\x8b"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def text_of(content: bytes, path: Path, encoding: str = "utf-8") -> str:
    """The text of the bytes of a file.

    Raises:
        FileError: They are cut short, or no text of this encoding.
        ArgumentError: There is no such encoding.
    """
    content = _plain(content, path)
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except LookupError as error:
        raise ArgumentError(f"read_csv takes an encoding of Python, got {encoding!r}.") from error
    except UnicodeError as error:
        said = "UTF-8" if encoding == "utf-8-sig" else encoding
        raise FileError(
            f"read_csv takes text in {said}, got other bytes.",
            where=str(path),
            help="say which: encoding='cp1252' is usual on Windows.",
        ) from error


def _plain(content: bytes, path: Path) -> bytes:
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(
            "read_csv takes a whole file of gzip, got a damaged one.",
            where=str(path),
            because=str(error),
        ) from error


def rows_of(text: str, path: Path, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The cells of every line that is not blank, and the numbers of these lines.

    Raises:
        FileError: Quotes are not closed.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise FileError(
            f"read_csv takes well-formed CSV, got: {error}.",
            where=f"{path}, after line {lines[-1] if lines else 0}",
        ) from error
    if any(space in text for space in " \t\u00a0"):
        rows = [[cell.strip() for cell in row] for row in rows]
    kept = [i for i, row in enumerate(rows) if row not in ([], [""])]
    return [rows[i] for i in kept], [lines[i] for i in kept]
