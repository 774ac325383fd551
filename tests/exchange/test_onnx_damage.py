"""A damaged or hostile ONNX file is one error of ours, and reads no other file of the machine."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorem import onnx
from tensorem.errors import FileError, TensoremError
from tensorem.graph import Graph

package = pytest.importorskip("onnx", reason="onnx is not installed")
helper, TensorProto = package.helper, package.TensorProto

from onnx_mutants import mutant  # noqa: E402 - it needs the package

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.onnx"))
"""Files that once were no error of ours, and some of each kind of damage."""
MOST = 2**28
"""Bytes that Python may allocate while a small file is read."""


def meet(content: bytes, folder: Path) -> None:
    """It is read, or is an error of ours; memory is bounded."""
    path = folder / "m.onnx"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        assert isinstance(onnx.load(path), Graph)
    except TensoremError as error:
        assert error.what
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MOST


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_stored_files_are_met(path: Path, tmp_path: Path) -> None:
    meet(path.read_bytes(), tmp_path)


@pytest.mark.parametrize("seed", range(25))
def test_damage_is_an_error_of_ours(seed: int, tmp_path: Path) -> None:
    meet(mutant(np.random.default_rng(seed)), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("start", range(0, 4000, 100))
def test_much_damage_is_an_error_of_ours(start: int, tmp_path: Path) -> None:
    for seed in range(start, start + 100):
        meet(mutant(np.random.default_rng(10_000 + seed)), tmp_path)


# --- data in files beside the model


def with_data(folder: Path, **entries: Any) -> Path:
    """A model whose weight stands in another file."""
    tensor = TensorProto(name="w", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    x, y = (helper.make_tensor_value_info(n, 1, ["N", 4]) for n in "xy")
    add = helper.make_node("Add", ["x", "w"], ["y"])
    graph = helper.make_graph([add], "", [x], [y], [tensor])
    path = folder / "m.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a model, beside a file that is none of its."""
    (tmp_path / "secret.bin").write_bytes(np.ones(4, np.float32).tobytes())
    inside = tmp_path / "model"
    inside.mkdir()
    (inside / "own.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    return inside


def test_data_beside_the_model_is_read(folder: Path) -> None:
    graph = onnx.load(with_data(folder, location="own.bin"))
    assert graph.arrays["w"].tolist() == [0, 1, 2, 3]


def test_no_path_leads_out_of_the_folder(folder: Path) -> None:
    secret = folder.parent / "secret.bin"
    (folder / "link.bin").symlink_to(secret)
    (folder / "hard.bin").hardlink_to(secret)
    (folder / "up").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe")
    places = ("../secret.bin", "./../secret.bin", str(secret), "link.bin", "hard.bin")
    for place in (*places, "up/secret.bin", "/dev/zero", "pipe", ".", "", "own.bin\0", "none"):
        with pytest.raises(FileError, match=r"takes its (data|arrays) from") as caught:
            onnx.load(with_data(folder, location=place))
        assert str(caught.value).count("\n") <= 3


@pytest.mark.parametrize(
    "entries", [{"offset": -4}, {"offset": 8, "length": 16}, {"length": 2**40}, {"offset": "x"}]
)
def test_no_place_in_the_file_lies_outside(folder: Path, entries: dict[str, Any]) -> None:
    with pytest.raises(FileError, match="takes its arrays from files beside it"):
        onnx.load(with_data(folder, location="own.bin", **entries))
