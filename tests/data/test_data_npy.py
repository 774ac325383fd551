from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorem.data import read_npy
from tensorem.errors import DTypeError, FileError, ShapeError

ARRAYS = [
    np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(5, dtype=">i4"),
    np.array(7, ">i8"),
    np.array(3.5, np.float16),
    np.zeros((0, 7), np.uint8),
    np.array([True, False]),
]


def saved(array: Any, version: tuple[int, int] = (1, 0)) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def _write(content: bytes) -> Path:
        path = tmp_path / "array.npy"
        path.write_bytes(content)
        return path

    return _write


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_reads_what_numpy_wrote(write: Any, array: Any, version: tuple[int, int]) -> None:
    read = read_npy(write(saved(array, version)))
    assert np.array_equal(read, array)
    assert read.shape == array.shape
    assert read.dtype == array.dtype.newbyteorder("=")
    assert read.flags.c_contiguous and read.flags.writeable


def test_every_cut_is_an_error(write: Any) -> None:
    whole = saved(np.arange(3, dtype=np.float32))
    for end in range(0, len(whole), 3):
        with pytest.raises(FileError, match="read_npy takes"):
            read_npy(write(whole[:end]))
    with pytest.raises(FileError) as error:
        read_npy(write(whole[:-1]))
    assert "read_npy takes 12 bytes of data after this header, got 11." in str(error.value)
    assert "because: the file is cut short" in str(error.value)


def test_every_changed_header_byte_is_read_or_refused(write: Any) -> None:
    whole = saved(np.arange(4, dtype=np.float32))
    for place in range(len(whole) - 16):
        for value in (0x00, 0x28, 0x4F, 0x7C, 0xFF):
            content = whole[:place] + bytes([value]) + whole[place + 1 :]
            with contextlib.suppress(FileError):
                assert read_npy(write(content)).nbytes <= len(content)


def test_bytes_after_the_array_are_refused(write: Any) -> None:
    with pytest.raises(FileError, match="the file goes on after its array"):
        read_npy(write(saved(np.zeros(2)) + b"\0"))


def test_objects_are_never_unpickled(write: Any, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "exploded",))

    path = write(b"")
    np.save(path, np.array([Bomb()]), allow_pickle=True)
    with pytest.raises(FileError, match="takes an array of numbers, got Python objects"):
        read_npy(path)
    assert not (tmp_path / "exploded").exists()


def test_a_header_that_claims_too_much_allocates_nothing(write: Any) -> None:
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**9)}
    np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(FileError, match=r"takes 8000000000000000000 bytes of data .* got 0"):
        read_npy(write(stream.getvalue()))


@pytest.mark.parametrize("array", [np.array(["text"]), np.zeros(2, complex), np.zeros(2, "f4,i4")])
def test_other_dtypes_are_refused(write: Any, array: Any) -> None:
    with pytest.raises(FileError, match="takes an array of numbers, got dtype"):
        read_npy(write(saved(array)))


def test_shape_and_dtype_are_checked(write: Any) -> None:
    path = write(saved(np.zeros((5, 3), np.float64)))
    assert read_npy(path, shape=("N", 3), dtype="float64").shape == (5, 3)
    with pytest.raises(ShapeError) as shape_error:
        read_npy(path, shape=("N", 4))
    assert str(shape_error.value) == f"read_npy takes (N, 4), got (5, 3).\n  where: {path}"
    with pytest.raises(DTypeError) as dtype_error:
        read_npy(path, dtype="float32")
    assert str(dtype_error.value) == (
        f"read_npy takes float32 here, got float64.\n  where: {path}\n"
        '  help:  leave dtype out and convert: read_npy(path).astype("float32").'
    )


def test_files_that_cannot_be_read(tmp_path: Path, write: Any) -> None:
    with pytest.raises(FileError, match=r"absent\.npy cannot be read: No such file or directory"):
        read_npy(tmp_path / "absent.npy")
    with pytest.raises(FileError, match="cannot be read: Is a directory"):
        read_npy(tmp_path)
    with pytest.raises(FileError, match="got another or a broken header"):
        read_npy(write(b"PK\x03\x04 an archive"))
