"""Weights from files of others, and what a renaming says of names that do not fit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorem import disk, files, nn
from tensorem.errors import ArgumentError, FileError, PathError, ShapeError
from tensorem.files import To, read_weights, renamed

RNG = np.random.default_rng(0)
GPT2 = {
    "h.0.attn.c_attn.weight": RNG.normal(size=(4, 12)).astype(np.float32),
    "h.0.attn.c_attn.bias": RNG.normal(size=12).astype(np.float32),
    "h.0.attn.c_proj.weight": RNG.normal(size=(4, 4)).astype(np.float32),
    "h.0.attn.c_proj.bias": RNG.normal(size=4).astype(np.float32),
    "h.0.attn.bias": np.tril(np.ones((1, 1, 8, 8), np.float32)),
}
TABLE: dict[Any, Any] = {
    "h.{i}.attn.bias": None,
    "h.{i}.attn.c_attn.weight": To("{i}.in_proj_weight", np.transpose),
    "h.{i}.attn.c_attn.bias": "{i}.in_proj_bias",
    "h.{i}.attn.c_proj.weight": To("{i}.out_proj.weight", np.transpose),
    "h.{i}.attn.c_proj.bias": "{i}.out_proj.bias",
}


def test_names_of_another_library_fit_a_model_of_ours() -> None:
    layer = nn.Sequential(nn.MultiheadAttention(4, 2))
    model = nn.build(layer, input=("N", "T", 4)).load_state_dict(renamed(GPT2, TABLE))
    np.testing.assert_array_equal(
        model.params["0.in_proj_weight"], GPT2["h.0.attn.c_attn.weight"].T
    )
    with pytest.raises(PathError, match=re.escape("h.0.attn.c_attn.weight has no place here")):
        model.load_state_dict(GPT2)


def test_arrays_are_joined_and_shared_out() -> None:
    parts = {f"layer.{i}.{n}.weight": np.full((2, 3), k) for i in "01" for k, n in enumerate("qkv")}
    joined = renamed(parts, {tuple(f"layer.{{i}}.{n}.weight" for n in "qkv"): "{i}.in_proj_weight"})
    assert {name: a.shape for name, a in joined.items()} == {
        "0.in_proj_weight": (6, 3),
        "1.in_proj_weight": (6, 3),
    }
    np.testing.assert_array_equal(joined["1.in_proj_weight"][:, 0], [0, 0, 1, 1, 2, 2])
    back = {"{i}.in_proj_weight": tuple(f"layer.{{i}}.{n}.weight" for n in "qkv")}
    for name, array in renamed(joined, back).items():
        np.testing.assert_array_equal(array, parts[name])


def test_a_place_is_one_part_or_any_number_and_means_the_same_twice() -> None:
    state = {"bert.a.b.weight": np.ones(1), "x.3.3": np.ones(2), "x.3.4": np.ones(3)}
    table: dict[Any, Any] = {
        "bert.{path...}": "{path...}",
        "x.{i}.{i}": "same.{i}",
        "x.{i}.{j}": "{j}.{i}",
    }
    names = {name: a.size for name, a in renamed(state, table).items()}
    assert names == {"a.b.weight": 1, "same.3": 2, "4.3": 3}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({**TABLE, "h.{i}.mlp": None}, "rules without a name.*'h.{i}.mlp' fits no name"),
        (
            {**TABLE, "h.{i}.attn.bias": "{i}.in_proj_bias"},
            "a name of its own, got 0.in_proj_bias twice",
        ),
        ({("h.{i}.attn.bias", "h.{i}.attn.other"): "x{i}", "{n...}": None}, "other is missing"),
        (
            {"h.{i}.attn.bias": None, "h.{i}.attn.c_atn.weight": "{i}"},
            re.escape("c_attn.weight fits no rule (nearest: h.{i}.attn.c_atn.weight)"),
        ),
    ],
)
def test_what_does_not_fit_by_name_is_said(table: dict[Any, Any], words: str) -> None:
    with pytest.raises(PathError, match=f"(?s){words}"):
        renamed(GPT2, table)


def test_a_rule_uses_the_places_of_its_left_side() -> None:
    with pytest.raises(ArgumentError, match=re.escape("got 'x.{j}' beside 'h.{i}'")):
        renamed({}, {"h.{i}": "x.{j}"})


def test_what_does_not_fit_by_shape_is_said() -> None:
    with pytest.raises(
        ShapeError, match=re.escape("takes 2 equal parts of the first axis, got (3")
    ):
        renamed({"a": np.ones((3, 2))}, {"a": ("b", "c")})
    with pytest.raises(ShapeError, match=re.escape("along the first axis, got (3, 2), (3, 4)")):
        renamed({"a": np.ones((3, 2)), "b": np.ones((3, 4))}, {("a", "b"): "c"})


def packed(folder: Path, name: str, arrays: dict[str, Any]) -> Path:
    path = folder / name
    path.write_bytes(disk.pack(arrays))
    return path


def test_files_and_folders_of_weights_are_read(tmp_path: Path) -> None:
    packed(tmp_path, "model-1.safetensors", {"a": np.ones(2)})
    packed(tmp_path, "model-2.safetensors", {"b": np.zeros(3), "unused": np.ones(1)})
    homes = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": homes}))
    np.savez(tmp_path / "w.npz", a=np.ones(2), b=np.zeros(3))
    for path in (tmp_path, tmp_path / "w.npz"):
        found = read_weights(path)
        assert {name: a.tolist() for name, a in found.items()} == {"a": [1, 1], "b": [0, 0, 0]}
    packed(tmp_path, "model.safetensors", {"c": np.ones(1)})
    assert list(read_weights(tmp_path)) == ["c"]


@pytest.mark.parametrize(
    ("homes", "words"),
    [
        ({"a": "../other.safetensors"}, "a file stands beside its index"),
        ({"a": "w.safetensors"}, "w.safetensors holds a, it does not"),
        ({"a": "lost.safetensors"}, "lost.safetensors cannot be read"),
        (["a"], "is no index: a weight_map"),
        ({"a": 3}, "is no index: a weight_map"),
    ],
)
def test_an_index_names_files_beside_it(tmp_path: Path, homes: Any, words: str) -> None:
    packed(tmp_path, "w.safetensors", {"b": np.ones(1)})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": homes}))
    with pytest.raises(FileError, match=words):
        read_weights(index)


@pytest.mark.parametrize("name", ["model.bin", "checkpoint.pt"])
def test_a_pickle_is_refused_unread(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match=f"got {name}") as caught:
        read_weights(tmp_path / name)
    assert "a pickle runs code" in caught.value.help


def test_archives_that_hold_no_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    for content in (b"no archive", b""):
        path.write_bytes(content)
        with pytest.raises(FileError, match="is whole and holds numbers"):
            read_weights(path)
    np.savez(path, allow_pickle=True, a=np.array([{}], object))
    with pytest.raises(FileError, match="is whole and holds numbers"):
        read_weights(path)
    with pytest.raises(FileError, match=r"A folder of weights holds model\.safetensors or"):
        files.read_weights(tmp_path)


def test_an_archive_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "w.npz", a=np.zeros(2**26 + 2**24, np.float32))
    with pytest.raises(FileError, match="weights do not shrink to a 64th"):
        files.read_weights(tmp_path / "w.npz")
