"""Files that are whole: a kill at any instant leaves the old file or the new one, never a half.

Written under a temporary name beside it, flushed to the disk, then renamed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tensorem.errors import FileError

_FULL = {errno.ENOSPC, errno.EDQUOT}


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step.

    Raises:
        FileError: It cannot be written; what was there before is still there.
    """
    write_together({path: content})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Replace several files; none is touched before all of them are whole on the disk.

    Raises:
        FileError: One cannot be written; what was there before is still there.
    """
    found = {_target(path): content for path, content in contents.items()}
    drafts = {path: path.with_name(f".{path.name}.new") for path in found}
    path = Path()
    try:
        for path, content in found.items():
            drafts[path].write_bytes(content)
        # Flushed only when all are written: the disk takes many at once faster than one by one.
        for path in drafts:
            _flush(drafts[path])
        for path, draft in drafts.items():
            draft.replace(path)
        for folder in {path.parent for path in found}:
            _flush(folder)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        for draft in drafts.values():
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _target(path: Path) -> Path:
    """The file itself: a rename would put a file in place of a link, a folder or a device."""
    with _readable_name(path):
        target = path.resolve()
        if not path.name or (target.exists() and not target.is_file()):
            raise FileError(f"{str(path)!r} cannot be written: it is not the name of a file.")
    return target


@contextmanager
def _readable_name(path: Path) -> Iterator[None]:
    """Names that no file can have: too long, or with a null byte."""
    try:
        yield
    except FileError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"{str(path)[:80]!r} cannot be a file: {reason}.") from error


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
        raise unwritable(path, error) from error


def read_whole(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        FileError: It is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises:
        FileError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> FileError:
    """The error of a file that cannot be written, in our words."""
    return FileError(
        f"{path} cannot be written: {error.strerror or error}.",
        because=f"what {path.name} held before is still there." if path.exists() else "",
        help="free some space, or choose another folder." if error.errno in _FULL else "",
    )


def _flush(path: Path) -> None:
    """Down to the disk: a file, or the names in a folder after a rename."""
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
