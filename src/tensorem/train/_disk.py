"""Writing to disk so that a kill at any instant leaves the old file or the new one, whole."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tensorem.errors import FileError


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step: write beside it, flush to the disk, rename.

    Raises:
        FileError: It cannot be written; what was there before is still there.
    """
    beside = path.with_name(path.name + ".new")
    try:
        _write(beside, content)
        beside.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file, down to the disk.

    Raises:
        FileError: It cannot be written; its earlier lines are still there.
    """
    try:
        with path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unwritable(path, error) from error


def read_whole(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        FileError: It is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}.") from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises:
        FileError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """The rename itself is on the disk only after the folder is."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(path: Path, error: OSError) -> FileError:
    kept = f"what {path.name} held before is still there." if path.exists() else ""
    return FileError(
        f"{path} cannot be written: {error.strerror or error}.",
        because=kept,
        help="free some space or choose another folder, then train.resume(...)."
        if error.errno in (28, 122)
        else "",
    )
