"""`log.jsonl`: one row per epoch, and between them as many as were asked for; no times in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensorem.disk import append, exists, parse_json, read_whole, write_whole
from tensorem.errors import FileError

from ._checkpoint import canonical

Entry = dict[str, Any]
"""A line of the log: names of columns, and their values."""


def is_rate(name: str) -> bool:
    """Whether a column of the log is a learning rate: "lr", or "lr[pattern]" of a group."""
    return name == "lr" or name.startswith("lr[")


def append_rows(path: Path, rows: list[Entry]) -> None:
    """Add rows at the end; a checkpoint brings them down to the disk.

    Raises:
        FileError: The log cannot be written.
    """
    if rows:
        append(path, _lines(rows))


def keep_rows(path: Path, last_step: int, history: tuple[Entry, ...]) -> None:
    """Drop what a killed run logged after its last checkpoint, a torn last line included.

    Raises:
        FileError: A line that was complete is not a row.
    """
    rows = read_rows(path) if exists(path) else list(history)
    write_whole(path, _lines([row for row in rows if row["step"] <= last_step]))


def read_rows(path: Path) -> list[Entry]:
    """The rows of a log; a last line without its end was never written whole and is left out.

    Raises:
        FileError: A line is not a row.
    """
    lines = read_whole(path).split(b"\n")[:-1]
    return [_row(path, number, line) for number, line in enumerate(lines, 1)]


def _row(path: Path, number: int, line: bytes) -> Entry:
    try:
        row = parse_json(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or not isinstance(row.get("step"), int):
        raise FileError(
            f"A row of a log takes JSON with a step, got {line[:40]!r}.",
            where=f"{path}, line {number}",
            help="the rows of the epochs are also in the checkpoint: remove the log and resume.",
        )
    return row


def _lines(rows: list[Entry]) -> bytes:
    return "".join(canonical(row) + "\n" for row in rows).encode()
