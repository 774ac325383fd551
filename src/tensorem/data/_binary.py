"""Arrays that stay on the disk: NPY, and the files of MNIST and CIFAR-10."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tensorem.disk import path_of, read_whole
from tensorem.errors import FileError

from ._archives import Files, files_of
from ._dataset import Dataset, Splits, concat
from ._npy import check_numbers, header_of
from ._shards import Shards
from ._source import Array


def open_npy(path: str | Path) -> Array:
    """The array in a .npy file, of which only what is looked at is read.

    A `Dataset` of such arrays may be larger than memory; a `Loader` reads its rows.

    Raises:
        FileError: The file is missing, is not a .npy file, is cut short or has bytes too many, or
            holds Python objects.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "x.npy"
        >>> np.save(file, np.zeros((60, 28, 28), np.uint8))
        >>> open_npy(file).shape
        (60, 28, 28)
    """
    file = path_of(path)
    try:
        with file.open("rb") as stream:
            shape, fortran, dtype = header_of(stream)
            start = stream.tell()
        check_numbers(dtype)
        _require_bytes(file, start, math.prod(shape) * dtype.itemsize)
    except FileError as error:
        raise error.with_notes(where=str(file)) from None
    except OSError as error:
        raise FileError(f"{file} cannot be read: {error.strerror}.") from error
    if math.prod(shape) == 0:  # there is nothing to map
        return np.zeros(shape, dtype)
    return np.memmap(file, dtype, "r", start, shape, "F" if fortran else "C")


def _require_bytes(file: Path, start: int, want: int) -> None:
    have = file.stat().st_size - start
    if want != have:
        raise FileError(
            f"{file.name} takes {want} bytes of data after its header, got {have}.",
            because="the file is cut short" if have < want else "the file goes on after its array",
        )


_IDX = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""The dtypes of an IDX file, big end first."""


def open_idx(path: str | Path) -> Array:
    """The array in an IDX file, the form of MNIST; one that gzip made smaller is read whole.

    Raises:
        FileError: The file is missing, is no IDX file, or is cut short.

    Source:
        LeCun, Cortes and Burges, The MNIST database, "The IDX file format".
    """
    file = path_of(path)
    head = read_start(file, 4)
    if head.startswith(b"\x1f\x8b"):
        return _idx(np.frombuffer(_gunzipped(file), np.uint8), file)
    if not head:
        raise FileError("open_idx takes an IDX file, got an empty one.", where=str(file))
    return _idx(np.memmap(file, np.uint8, "r"), file)


def _idx(content: Array, file: Path) -> Array:
    if len(content) < 4 or content[:2].any() or int(content[2]) not in _IDX:
        raise FileError("open_idx takes an IDX file, got another.", where=str(file))
    dtype, rank = np.dtype(_IDX[int(content[2])]), int(content[3])
    start = 4 + 4 * rank
    shape = tuple(np.frombuffer(content[4:start].tobytes(), ">u4").tolist())
    want = math.prod(shape) * dtype.itemsize
    if len(shape) != rank or want != len(content) - start:
        raise FileError(
            f"open_idx takes {want} bytes of data after this header, got {len(content) - start}.",
            where=str(file),
            because="the file is cut short, or goes on after its array.",
        )
    array = content[start:].view(dtype).reshape(shape)
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def mnist(folder: str | Path) -> Splits:
    """MNIST, or a set of its form, from its four files, with .gz or without.

    Shapes:
        x float32 (n, 1, height, width) in [0, 1], y int32 (n,)

    Raises:
        FileError: A file is missing, or is no IDX file.
    """
    train, test = (_digits(path_of(folder), name) for name in ("train", "t10k"))
    return Splits(train, test, tuple(map(str, range(int(train.y.max()) + 1))))


def _digits(folder: Path, name: str) -> Dataset:
    images, labels = (
        open_idx(_either(folder / f"{name}-{kind}"))
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    x = np.divide(images[:, np.newaxis], 255, dtype=np.float32)
    return Dataset(x, labels.astype(np.int32))


def _either(file: Path) -> Path:
    packed = file.with_name(file.name + ".gz")
    return packed if packed.exists() and not file.exists() else file


_CIFAR = 1 + 3 * 32 * 32
"""Bytes of a picture: its class, then red, green and blue."""


def open_cifar10(files: Files) -> Shards:
    """The pictures in CIFAR-10's binary files, of which only those asked for are read.

    Shapes:
        x uint8 (n, 3, 32, 32), y int32 (n,): `transforms.ToFloat` makes them floats in [0, 1]

    Raises:
        FileError: A file is missing, or holds no whole number of pictures.

    Source:
        Krizhevsky 2009, Learning multiple layers of features from tiny images; "Binary version".
    """
    pictures = [_pictures(path) for path in files_of(files)]

    def read(i: int) -> Dataset:
        x = pictures[i][:, 1:].reshape(-1, 3, 32, 32)
        return Dataset(x, pictures[i][:, 0].astype(np.int32))

    return Shards(tuple(map(len, pictures)), read)


def _pictures(path: Path) -> Array:
    size = len(read_start(path, 1)) and path.stat().st_size
    if size == 0 or size % _CIFAR:
        raise FileError(
            f"CIFAR-10 takes files of {_CIFAR} bytes for each picture, got {size} bytes.",
            where=str(path),
            because="the file is cut short, or is another.",
        )
    return np.memmap(path, np.uint8, "r").reshape(-1, _CIFAR)


CIFAR10 = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


def cifar10(folder: str | Path) -> Splits:
    """CIFAR-10 from the six files of its binary version, in memory.

    Shapes:
        x float32 (n, 3, 32, 32) in [0, 1], y int32 (n,)

    Raises:
        FileError: A file is missing, or holds no whole number of pictures.
    """
    names: Sequence[Sequence[str]] = [
        [f"data_batch_{i}.bin" for i in range(1, 6)],
        ["test_batch.bin"],
    ]
    train, test = (_in_memory([path_of(folder) / n for n in part]) for part in names)
    return Splits(train, test, CIFAR10)


def _in_memory(files: Sequence[Path]) -> Dataset:
    shards = open_cifar10(files)
    parts = [shards.part(i) for i in range(len(shards.sizes))]
    return concat([Dataset(np.divide(p.x, 255, dtype=np.float32), p.y) for p in parts])


def read_start(file: Path, count: int) -> bytes:
    """The first bytes of a file.

    Raises:
        FileError: It cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return stream.read(count)
    except (OSError, ValueError) as error:
        raise FileError(f"{file} cannot be read: {error}.") from error


def _gunzipped(file: Path) -> bytes:
    try:
        return gzip.decompress(read_whole(file))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(
            "open_idx takes a whole file of gzip, got a damaged one.",
            where=str(file),
            because=str(error),
        ) from error
