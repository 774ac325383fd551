"""The original's JSON of bits: its exact schema, both ways, and what is no such file."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorem import files, nn
from tensorem.errors import FileError


def a_model(seed: int = 0) -> nn.Model:
    layer = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    return nn.build(layer, ("N", 3), seed=seed)


def test_the_schema_is_the_originals(tmp_path: Path) -> None:
    model = a_model()
    found = json.loads(files.save_bits(model, tmp_path / "p.json").read_text())
    assert list(found) == ["format", "params"]
    assert found["format"] == "torchlean_paramlist_bits_v1"
    assert [p["shape"] for p in found["params"]] == [[2, 3], [2], [2], [2]]
    weight = np.asarray(model.params["0.weight"]).ravel().tolist()
    bits = [struct.unpack("<Q", struct.pack("<d", value))[0] for value in weight]
    assert found["params"][0]["values"] == bits


def test_parameters_come_back_to_the_bit_and_buffers_stay(tmp_path: Path) -> None:
    model, other = a_model(), a_model(seed=1)
    odd = np.array([[-0.0, np.inf, 1e-45], [np.nan, 3.4e38, 0.1]], np.float32)
    model = model.replace(params={**model.params, "0.weight": odd})
    again = files.load_bits(other, files.save_bits(model, tmp_path / "p.json"))
    for name, array in model.params.items():
        assert np.asarray(again.params[name]).tobytes() == np.asarray(array).tobytes(), name
    assert again.buffers.keys() == other.buffers.keys()


def written(path: Path, change: Any) -> Path:
    files.save_bits(a_model(), path)
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))
    return path


def set_value(found: Any, value: Any) -> None:
    found["params"][0]["values"][0] = value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.update(format="bits_v2"), "takes the format 'torchlean_paramlist_bits_v1'"),
        (lambda f: f.update(params=3), "takes a list of params"),
        (lambda f: f["params"].pop(), "takes 4 parameters, got 3"),
        (lambda f: f["params"][0].update(shape=[3, 2]), r"weight takes the shape \[2, 3\], got"),
        (lambda f: f["params"][0]["values"].pop(), "takes 6 values, got 5"),
        (lambda f: set_value(f, 0.5), "takes bits as integers"),
        (lambda f: set_value(f, -1), "takes bits as integers"),
        (lambda f: set_value(f, 2**64), "takes bits as integers"),
    ],
)
def test_what_is_no_such_file_is_an_error_of_ours(tmp_path: Path, change: Any, words: str) -> None:
    with pytest.raises(FileError, match=words):
        files.load_bits(a_model(), written(tmp_path / "p.json", change))


def test_what_is_no_json_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(FileError, match="takes JSON, got something else"):
        files.load_bits(a_model(), tmp_path / "p.json")
    with pytest.raises(FileError, match="cannot be read"):
        files.load_bits(a_model(), tmp_path / "none.json")


def test_a_file_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        files.save_bits(a_model(), tmp_path / "none" / "p.json")
