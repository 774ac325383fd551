"""Arrays in several files, one part of the data each: NPZ and safetensors."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from numpy.lib import format as npy

from tensorem.disk import path_of, read_whole, unpack
from tensorem.errors import FileError

from ._dataset import Dataset
from ._npy import header_of
from ._shards import Shards
from ._source import Array

T = TypeVar("T")
Files = str | Path | Sequence[str | Path]


def open_npz(files: Files, x: str = "x", y: str = "y") -> Shards:
    """The examples in .npz files, each of which is read when it is needed.

    Args:
        files: The files in order; one with * stands for all of that form, sorted.
        x: The name of the inputs in each.
        y: The name of the targets.

    Raises:
        FileError: A file is missing, is no .npz file, is cut short, holds Python objects, or no
            array of that name.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> folder = Path(tempfile.mkdtemp())
        >>> for i in range(3):
        ...     np.savez(folder / f"{i}.npz", x=np.zeros((5, 2), np.float32), y=np.arange(5))
        >>> open_npz(folder / "*.npz")
        Shards of 15 in 3 parts
    """
    paths = files_of(files)
    sizes = tuple(_npz_size(path, y) for path in paths)
    return Shards(sizes, lambda i: Dataset(_npz(paths[i], x), _npz(paths[i], y)))


def open_safetensors(files: Files, x: str = "x", y: str = "y") -> Shards:
    """The examples in safetensors files, each of which is read when it is needed.

    Args:
        files: The files in order; one with * stands for all of that form, sorted.
        x: The name of the inputs in each.
        y: The name of the targets.

    Raises:
        FileError: A file is missing, malformed, or holds no array of that name.
    """
    paths = files_of(files)

    def read(i: int) -> Dataset:
        arrays, _ = unpack(read_whole(paths[i]))
        return Dataset(*(_named(arrays, name, paths[i]) for name in (x, y)))

    return Shards(tuple(_safetensors_size(path, y) for path in paths), read)


def files_of(files: Files) -> list[Path]:
    """The files that are named, or that a pattern with * matches, sorted.

    Raises:
        FileError: There are none.
    """
    if not isinstance(files, str | Path):
        return [path_of(file) for file in files]
    path = path_of(files)
    if "*" not in path.name:
        return [path]
    found = sorted(path.parent.glob(path.name))
    if not found:
        raise FileError(f"{path} takes at least one file of that form, got none.")
    return found


def _npz_size(path: Path, name: str) -> int:
    def size(archive: zipfile.ZipFile) -> int:
        with archive.open(f"{name}.npy") as member:
            shape = header_of(member)[0]
            return int(shape[0]) if shape else 0

    return _from_npz(path, name, size)


def _npz(path: Path, name: str) -> Array:
    def whole(archive: zipfile.ZipFile) -> Array:
        with archive.open(f"{name}.npy") as member:
            found: Array = npy.read_array(member, allow_pickle=False)
            return found

    return _from_npz(path, name, whole)


def _from_npz(path: Path, name: str, read: Callable[[zipfile.ZipFile], T]) -> T:
    try:
        with zipfile.ZipFile(path) as archive:
            _named(dict.fromkeys(archive.namelist()), f"{name}.npy", path)
            return read(archive)
    except FileError as error:
        raise error.with_notes(where=str(path)) from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(
            f"open_npz takes an .npz file of numbers, got {error}.", where=str(path)
        ) from error


def _safetensors_size(path: Path, name: str) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            _named(dict.fromkeys(file.keys()), name, path)
            return int(file.get_slice(name).get_shape()[0])
    except (SafetensorError, OSError, IndexError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(
            f"open_safetensors takes a safetensors file, got {error}.", where=str(path)
        ) from error


def _named(arrays: dict[str, Any], name: str, path: Path) -> Any:
    if name not in arrays:
        raise FileError(
            f"{path} takes an array {name!r}, got only {', '.join(arrays) or 'none'}.",
            help="say their names: x=..., y=...",
        )
    return arrays[name]
