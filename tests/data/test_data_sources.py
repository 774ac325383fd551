"""Data that stay on the disk: the rows are those of the same data in memory, and memory is not."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorem import data
from tensorem.data import Dataset, Loader, transforms
from tensorem.disk import pack
from tensorem.errors import DataError, FileError, TensoremError

DRAW = np.random.default_rng(0)
X, Y = DRAW.integers(0, 100, (50, 3)).astype(np.float32), np.arange(50, dtype=np.int32)


def whole(source: data.Source) -> tuple[Any, Any]:
    x, y = source.batch(np.arange(len(source)))
    return x.tolist(), y.ravel().tolist()


def shards(folder: Path, kind: str) -> data.Source:
    if kind == "npy":
        np.save(folder / "x.npy", X)
        np.save(folder / "y.npy", Y)
        return Dataset(data.open_npy(folder / "x.npy"), data.open_npy(folder / "y.npy"))
    if kind == "npz":
        for i in range(5):
            np.savez(folder / f"{i}.npz", x=X[10 * i :][:10], y=Y[10 * i :][:10])
        return data.open_npz(folder / "*.npz")
    if kind == "safetensors":
        for i in range(5):
            rows = slice(10 * i, 10 * i + 10)
            (folder / f"{i}.st").write_bytes(pack({"x": X[rows], "y": Y[rows]}))
        return data.open_safetensors(sorted(folder.glob("*.st")))
    if kind == "csv":
        lines = [",".join(f"{v:g}" for v in (*x, y)) for x, y in zip(X, Y, strict=True)]
        lines[7] = ",".join(f'"{v:g}"' for v in (*X[7], Y[7])) + "\n"
        (folder / "x.csv").write_text("\ufeffa,b,c,y\n\n" + "\n".join(lines))
        return data.open_csv(folder / "x.csv", part=9)
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": Y})
    frame.write_parquet(folder / "x.parquet", row_group_size=20)
    return data.open_parquet(folder / "x.parquet", "y", part=9)


@pytest.mark.parametrize("kind", ["npy", "npz", "safetensors", "csv", "parquet"])
def test_the_rows_on_disk_are_those_in_memory(kind: str, tmp_path: Path) -> None:
    source = shards(tmp_path, kind)
    assert whole(source) == (X.tolist(), Y.tolist())
    rows = np.array([49, 0, 9, 10, 8, 9])
    x, y = source.batch(rows)
    assert (x.tolist(), y.ravel().tolist()) == (X[rows].tolist(), rows.tolist())
    loader = Loader(source, 7, shuffle=True, seed=3, workers=2)
    batches = list(loader.epoch(2))
    assert np.concatenate([y.ravel() for _, y in batches]).tolist() == loader.order(2).tolist()
    assert sorted(loader.order(2).tolist()) == Y.tolist()
    assert source.input == Dataset(X, Y).input


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    peaks = []
    for parts in (4, 16):
        for i in range(parts):
            x = np.full((500, 200), i, np.float32)
            np.savez(tmp_path / f"{i:02}.npz", x=x, y=np.arange(500))
        source = data.open_npz(tmp_path / "*.npz")
        tracemalloc.start()
        for _ in Loader(source, 64, shuffle=True, workers=2).epoch(0):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    one_part = 500 * 200 * 4
    assert peaks[1] < 1.3 * peaks[0] and peaks[1] < 8 * one_part < 16 * one_part


def test_a_part_is_read_once_in_an_epoch() -> None:
    """With one worker; several may be so far apart that one asks for a part that is gone."""
    read: list[int] = []

    def part(i: int) -> Dataset:
        read.append(i)
        return Dataset(X[10 * i :][:10], Y[10 * i :][:10])

    list(Loader(data.Shards((10,) * 5, part), 7, shuffle=True, workers=1).epoch(0))
    assert sorted(read) == [0, 1, 2, 3, 4]


def idx(array: Any) -> bytes:
    kinds = {"u1": 8, "i2": 11, "f4": 13}
    head = bytes([0, 0, kinds[array.dtype.str[1:]], array.ndim])
    sizes = np.array(array.shape, ">u4").tobytes()
    return head + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def test_idx_and_mnist(tmp_path: Path) -> None:
    for dtype in ("u1", "i2", "f4"):
        array = DRAW.integers(0, 99, (4, 2, 3)).astype(dtype)
        (tmp_path / "a").write_bytes(idx(array))
        assert (data.open_idx(tmp_path / "a") == array).all()
    images, labels = DRAW.integers(0, 256, (9, 4, 5)).astype("u1"), np.arange(9, dtype="u1")
    for name in ("train", "t10k"):
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    found = data.mnist(tmp_path)
    np.testing.assert_array_equal(found.test.x[:, 0], images.astype(np.float32) / np.float32(255))
    assert found.train.y.tolist() == list(range(9)) and len(found.classes) == 9


def test_cifar10(tmp_path: Path) -> None:
    pictures = DRAW.integers(0, 256, (6, 3, 32, 32)).astype("u1")
    for i, name in enumerate([*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]):
        (tmp_path / name).write_bytes(bytes([i]) + pictures[i].tobytes())
    source = data.open_cifar10(tmp_path / "data_batch_*.bin")
    x, y = source.batch(np.array([3, 1]))
    assert (x == pictures[[3, 1]]).all() and y.tolist() == [3, 1]
    found = data.cifar10(tmp_path)
    scaled = transforms.ToFloat()(pictures[:5], Y[:5], np.arange(5, dtype="u8"))[0]
    assert (found.train.x == scaled).all() and found.classes[int(found.test.y[0])] == "dog"


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = DRAW.integers(0, 256, (4, 6, 5, 3)).astype("u1")
    for i, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png", "dog/3.bmp")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        image.fromarray(pixels[i]).save(tmp_path / name)
    source = data.ImageFolder(tmp_path)
    x, y = source.batch(np.array([3, 0]))
    expected = np.moveaxis(pixels[[3, 0]], -1, 1).astype(np.float32) / 255
    assert (x == expected).all() and y.tolist() == [1, 0] and source.classes == ("cat", "dog")
    assert str(source.input.shape) == "(N, 3, 6, 5)"
    assert data.ImageFolder(tmp_path, size=(4, 7), mode="L").batch(np.arange(2))[0].shape[1:] == (
        1,
        4,
        7,
    )
    image.fromarray(pixels[0, :3]).save(tmp_path / "dog" / "2.png")
    with pytest.raises(DataError, match=r"of one size, got \(6, 5\) and \(3, 5\)"):
        data.ImageFolder(tmp_path).batch(np.arange(5))
    (tmp_path / "dog" / "2.png").write_bytes(b"no picture")
    with pytest.raises(FileError, match="takes pictures, got a file that is none"):
        data.ImageFolder(tmp_path).batch(np.arange(5))
    with pytest.raises(FileError, match="in a folder for each class, got none"):
        data.ImageFolder(tmp_path / "cat")


def test_texts_of_parquet_and_csv_are_learnt(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    rows = [("" if i == 3 else str(i), "ab"[i % 2], "pq"[i % 2]) for i in range(20)]
    text = "".join(",".join(row) + "\n" for row in [("n", "t", "y"), *rows])
    (tmp_path / "x.csv").write_text(text)
    polars.read_csv(tmp_path / "x.csv").write_parquet(tmp_path / "x.parquet")
    columns = data.learn_columns(data.read_table(tmp_path / "x.csv"))
    assert columns == data.learn_columns(data.read_parquet(tmp_path / "x.parquet"))
    csv = data.open_csv(tmp_path / "x.csv", columns, part=6)
    parquet = data.open_parquet(tmp_path / "x.parquet", columns, part=6)
    assert whole(csv) == whole(parquet) and str(csv.input.shape) == "(N, 4)"
    with pytest.raises(DataError, match="takes columns of numbers, got String in 't'"):
        data.open_parquet(tmp_path / "x.parquet").batch(np.arange(2))


def saved(folder: Path, content: bytes, name: str = "f") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def npz(folder: Path) -> bytes:
    np.savez(folder / "whole.npz", x=X, y=Y)
    return (folder / "whole.npz").read_bytes()


def npy(folder: Path) -> bytes:
    np.save(folder / "whole.npy", X)
    return (folder / "whole.npy").read_bytes()


ERRORS: list[tuple[Callable[[Path], object], type[TensoremError], str]] = [
    (
        lambda p: data.open_npy(saved(p, npy(p)[:-4])),
        FileError,
        "600 bytes of data after its header, got 596",
    ),
    (lambda p: data.open_npy(p / "absent.npy"), FileError, "cannot be read: No such file"),
    (
        lambda p: data.open_npz(saved(p, npz(p)[:-40])),
        FileError,
        "takes an .npz file of numbers, got File is not a zip",
    ),
    (
        lambda p: data.open_npz(saved(p, npz(p)), y="z"),
        FileError,
        "takes an array 'z.npy', got only x.npy, y.npy",
    ),
    (
        lambda p: data.open_npz(p / "*.npz"),
        FileError,
        "takes at least one file of that form, got none",
    ),
    (lambda p: data.open_safetensors(saved(p, b"123")), FileError, "takes a safetensors file, got"),
    (
        lambda p: data.open_safetensors(saved(p, pack({"x": X}))),
        FileError,
        "takes an array 'y', got only x",
    ),
    (lambda p: data.open_csv(saved(p, b"a,b\n")), FileError, "at least one row of data, got none"),
    (lambda p: data.open_csv(saved(p, b"")), FileError, "at least one row of data, got none"),
    (
        lambda p: data.open_csv(saved(p, gzip.compress(b"a,b\n1,2\n"))),
        FileError,
        "begun in its middle, got one of gzip",
    ),
    (
        lambda p: data.open_csv(saved(p, b"a,b\n1,2\n1,2\n1,x\n"), part=2).part(1),
        DataError,
        "line 4, column 'b'",
    ),
    (
        lambda p: data.open_csv(saved(p, b"a,b\n1,2\n1,2\n1\n"), part=2).part(1),
        DataError,
        "rows of 2 cells, got 1",
    ),
    (
        lambda p: data.open_idx(saved(p, idx(X.astype("u1"))[:-1])),
        FileError,
        "takes 150 bytes of data after this header, got 149",
    ),
    (lambda p: data.open_idx(saved(p, b"")), FileError, "takes an IDX file, got an empty one"),
    (lambda p: data.open_idx(saved(p, b"abcdef")), FileError, "takes an IDX file, got another"),
    (
        lambda p: data.open_idx(saved(p, gzip.compress(idx(X))[:-9])),
        FileError,
        "a whole file of gzip, got a damaged one",
    ),
    (lambda p: data.mnist(p), FileError, "cannot be read"),
    (
        lambda p: data.open_cifar10(saved(p, b"1" * 3072)),
        FileError,
        "files of 3073 bytes for each picture, got 3072",
    ),
    (
        lambda p: data.Shards((), lambda i: Dataset(X, Y)),
        DataError,
        "at least one example, got none",
    ),
    (
        lambda p: data.Shards((9,), lambda i: Dataset(X, Y)).part(0),
        DataError,
        "Part 0 takes 9 examples, got 50",
    ),
    (
        lambda p: data.Shards((50, 50), lambda i: Dataset(X[:, i:], Y)).batch(np.arange(100)),
        DataError,
        "Part 1 takes x of float32 (N, 3) as the others, got float32 (50, 2)",
    ),
    (lambda p: transforms.ToFloat()(X, Y, Y), DataError, "pixels of uint8, got float32"),
]


@pytest.mark.parametrize(("call", "kind", "text"), ERRORS)
def test_errors_word_by_word(
    call: Callable[[Path], object], kind: type[TensoremError], text: str, tmp_path: Path
) -> None:
    with pytest.raises(kind) as error:
        call(tmp_path)
    assert text in str(error.value)


def test_parquet_errors(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    with pytest.raises(FileError, match="A Parquet file takes another form"):
        data.open_parquet(saved(tmp_path, b"PAR1 and no more"))
    with pytest.raises(FileError, match="cannot be read"):
        data.read_parquet(tmp_path / "absent")
    polars.DataFrame({"a": [1.0, None], "y": [1.0, 2.0]}).write_parquet(tmp_path / "n.parquet")
    with pytest.raises(DataError, match="takes finite numbers, got nan in row 2") as caught:
        data.open_parquet(tmp_path / "n.parquet").part(0)
    assert caught.value.where.endswith("n.parquet, column 'a'")
