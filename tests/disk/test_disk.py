"""Files that are whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save

from tensorem import disk
from tensorem.errors import ArgumentError, DTypeError, FileError


def fail_on(call: int, error: int) -> Any:
    """os.fsync that fails at one call."""
    seen, real = [0], os.fsync

    def fsync(handle: int) -> None:
        seen[0] += 1
        if seen[0] == call:
            raise OSError(error, os.strerror(error))
        real(handle)

    return fsync


def test_what_is_written_is_read(tmp_path: Path) -> None:
    disk.write_whole(tmp_path / "a", b"one")
    disk.append(tmp_path / "a", b" two")
    assert disk.read_whole(tmp_path / "a") == b"one two"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


@pytest.mark.parametrize("call", [1, 2])
def test_a_full_disk_leaves_all_files_as_they_were(
    call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {tmp_path / "a": b"old a", tmp_path / "b": b"old b"}
    disk.write_together(old)
    monkeypatch.setattr(os, "fsync", fail_on(call, errno.ENOSPC))
    with pytest.raises(FileError, match="cannot be written: No space left on device") as caught:
        disk.write_together(dict.fromkeys(old, b"new"))
    assert "free some space" in caught.value.help
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read: No such file or directory"):
        disk.read_whole(tmp_path / "none")


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    disk.write_whole(tmp_path / "a", b"")
    with pytest.raises(FileError, match="cannot be written"):
        disk.make_folder(tmp_path / "a" / "b")
    with pytest.raises(FileError, match="/a is a file, not a folder"):
        disk.make_folder(tmp_path / "a")


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "uint8", "bool"])
def test_arrays_are_those_that_safetensors_reads(dtype: str, tmp_path: Path) -> None:
    arrays = {"b": np.arange(6).reshape(2, 3).astype(dtype), "a": np.zeros((), dtype)}
    disk.write_whole(tmp_path / "x", disk.pack(arrays, {"note": "hello"}))
    ours, texts = disk.read_arrays(tmp_path / "x")
    theirs = load_file(tmp_path / "x")
    assert texts == {"note": "hello"} and ours.keys() == theirs.keys() == arrays.keys()
    for name, array in arrays.items():
        assert ours[name].dtype == theirs[name].dtype == array.dtype
        np.testing.assert_array_equal(ours[name], array, strict=True)


def test_the_bytes_are_those_of_the_library() -> None:
    dtypes = "uint64 int64 float64 float32 uint32 int32 float16 uint16 int16 int8 uint8 bool >f4"
    shapes: tuple[tuple[int, ...], ...] = ((), (3,), (2, 0), (5, 3))
    arrays = {f"é {d} {s}": np.ones(s, d) for d in dtypes.split() for s in shapes}
    arrays["half"] = np.ones(5, jnp.bfloat16)
    assert disk.pack(arrays) == save(arrays)
    with pytest.raises(DTypeError, match=r"A safetensors file takes uint64, .*, got complex64"):
        disk.pack({"x": np.ones(2, np.complex64)})


def test_transposed_arrays_keep_their_values() -> None:
    x = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(disk.unpack(disk.pack({"x": x}))[0]["x"], x)


def test_equal_arrays_give_equal_bytes() -> None:
    x, y = np.zeros(2), np.ones(3)
    texts = {"k": "1", "j": "2", "i": "3"}
    backwards = dict(reversed(texts.items()))
    assert disk.pack({"x": x, "y": y}, texts) == disk.pack({"y": y, "x": x}, backwards)


@pytest.mark.parametrize("cut", [0, 4, 20, -1])
def test_a_cut_file_is_refused(cut: int) -> None:
    content = disk.pack({"x": np.zeros(3)})
    with pytest.raises(FileError, match="A safetensors file is whole and well formed") as caught:
        disk.unpack(content[:cut], "runs/x")
    assert caught.value.where == "runs/x"


def test_a_device_or_a_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="cannot be written: it is a folder, not a file"):
        disk.write_whole(tmp_path / "folder", b"")
    with pytest.raises(FileError, match="cannot be written: it is a device, not a file"):
        disk.write_whole(tmp_path / "pipe", b"")
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    disk.write_whole(tmp_path / "real", b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    disk.write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and disk.read_whole(tmp_path / "real") == b"new"


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
def test_a_name_that_no_file_can_have_is_an_error_of_ours(name: str, tmp_path: Path) -> None:
    for use in (disk.read_whole, disk.make_folder, lambda path: disk.write_whole(path, b"")):
        with pytest.raises(FileError, match=r"File name too long|null byte"):
            use(tmp_path / name)


@pytest.mark.parametrize("value", ["", None, 3])
def test_a_path_is_a_text_or_a_path(value: Any) -> None:
    with pytest.raises(ArgumentError, match=f"takes a text or a Path, got {value!r}"):
        disk.path_of(value)
