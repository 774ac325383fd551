"""Files that are whole: a kill at any instant leaves the old file or the new one, never a half.

Written under a temporary name beside it, flushed to the disk, then renamed. That name is always the
same, so a kill leaves one such file at most; and one process at a time writes in a folder.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tensorem.errors import ArgumentError, FileError

_FULL = {errno.ENOSPC, errno.EDQUOT}

Content = bytes | Sequence[bytes | memoryview]
"""What a file is to hold, whole or in pieces."""


def write_whole(path: Path, content: Content) -> None:
    """Replace a file in one step.

    Raises:
        FileError: It cannot be written; what was there before is still there.
    """
    write_together({path: content})


def write_together(contents: Mapping[Path, Content]) -> None:
    """Replace several files; none is touched before all of them are whole on the disk.

    Raises:
        FileError: One cannot be written; what was there before is still there.
    """
    with alone(*contents):
        write_alone(contents)


def write_alone(contents: Mapping[Path, Content]) -> None:
    """The same, for who is alone in the folders."""
    drafts: dict[Path, Path] = {}
    path = Path()
    try:
        for path, content in contents.items():
            target = _target(path)
            drafts[target] = target.with_name(f".{target.name}.new")
            with drafts[target].open("wb") as draft:
                draft.writelines([content] if isinstance(content, bytes) else content)
        # Flushed only when all are written: the disk takes many at once faster than one by one.
        for path in drafts:
            _flush(drafts[path])
        for path, written in drafts.items():
            written.replace(path)
        for folder in {path.parent for path in drafts}:
            _flush(folder)
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error
    finally:
        for written in drafts.values():
            with suppress(OSError):
                written.unlink(missing_ok=True)


@contextmanager
def alone(*paths: Path) -> Iterator[None]:
    """Wait until no other process writes beside these files; one that dies waits no more.

    Where the system has no locks for folders, nobody waits.
    """
    with ExitStack() as open_folders:
        for folder in _folders(paths):
            _lock(folder, open_folders)
        yield


def _folders(paths: tuple[Path, ...]) -> list[Path]:
    """Each folder once, in an order that is the same for all who wait."""
    try:
        return sorted({Path(os.path.realpath(path)).parent for path in paths})
    except ValueError:  # a name that no file can have; who writes says so
        return []


def _lock(folder: Path, open_folders: ExitStack) -> None:
    with suppress(ImportError, OSError):
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        open_folders.callback(os.close, handle)
        fcntl.flock(handle, fcntl.LOCK_EX)


def _target(path: Path) -> Path:
    """The file itself: a rename would put a file in place of a link, a folder or a device."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "a device"
        raise FileError(f"{path} cannot be written: it is {kind}, not a file.")
    return target


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file; it is on the disk after `flush`.

    Raises:
        FileError: It cannot be written; its earlier lines are still there.
    """
    try:
        with path.open("ab") as file:
            file.write(content)
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error


def flush(path: Path) -> None:
    """Wait until what was written to a file is on the disk.

    Raises:
        FileError: It cannot be.
    """
    try:
        _flush(path)
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error


def read_whole(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        FileError: It is missing or cannot be read.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise OSError("it is a device or a pipe, which may never end")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise FileError(f"{path} cannot be read: {_reason(error)}.") from error


def parse_json(text: str | bytes) -> Any:
    """The value that a text holds.

    Raises:
        ValueError: It is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def make_new_folder(path: Path) -> Path:
    """Make a folder that was not there.

    Raises:
        FileExistsError: Something is there.
        FileError: It cannot be made.
    """
    try:
        path.mkdir()
    except FileExistsError:
        raise
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error
    return path


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises:
        FileError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise FileError(f"{path} is a file, not a folder.", help="choose another name.") from None
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError | ValueError) -> FileError:
    """The error of a file that cannot be written, in our words."""
    if isinstance(error, FileError):
        return error
    full = isinstance(error, OSError) and error.errno in _FULL
    return FileError(
        f"{path} cannot be written: {_reason(error)}.",
        because=f"what {path.name} held before is still there." if exists(path) else "",
        help="free some space, or choose another folder." if full else "",
    )


def _reason(error: OSError | ValueError) -> str:
    """What the system says; a ValueError is a name that no file can have."""
    return str(getattr(error, "strerror", None) or error)


def exists(path: Path) -> bool:
    """Whether something is there; under a name that no file can have, nothing is."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether a file is there, no folder and no device."""
    return exists(path) and path.is_file()


def is_folder(path: Path) -> bool:
    """Whether a folder is there."""
    return exists(path) and path.is_dir()


def path_of(value: object) -> Path:
    """The path that a user names.

    Raises:
        ArgumentError: It is no text and no Path, or empty.
    """
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise ArgumentError(f"A path takes a text or a Path, got {value!r}.")
    return Path(value)


def _flush(path: Path) -> None:
    """Down to the disk: a file, or the names in a folder after a rename."""
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
