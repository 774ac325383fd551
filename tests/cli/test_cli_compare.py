"""`tensorem runs` and `tensorem diff`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tensorem import data, nn, train
from tensorem.cli import main
from tensorem.disk import RunFiles, pack, read_arrays

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: one, the same once more, and one with another seed; one row for each step."""
    root = tmp_path_factory.mktemp("runs")
    model = nn.build(nn.Linear(4, 3), input=("N", 4))
    for name, seed in (("a", 0), ("again", 0), ("b", 1)):
        train.fit(
            model, data.iris().train, epochs=2, seed=seed, path=root / name, log_every=1,
            progress="none",
        )  # fmt: skip
    return root


def test_runs_are_listed_with_their_last_scores(root: Path, capsys: Capture) -> None:
    (root / "config.json").write_text("{}")  # none of ours
    assert main(["runs", str(root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [Path(line["path"]).name for line in found] == ["a", "again", "b"]
    assert [line["seed"] for line in found] == [0, 0, 1] and found[0]["model"] == "Linear"
    log = train.read_rows(RunFiles(root / "a").log)
    assert found[0]["scores"]["loss"] == log[-1]["loss"] and found[0]["epochs"] == 2
    assert main(["runs", str(root)]) == 0
    assert "2/2" in capsys.readouterr().out


def test_equal_runs_have_no_difference(root: Path, capsys: Capture) -> None:
    assert main(["diff", str(root / "a"), str(root / "again")]) == 0
    assert "checkpoint: the same bits" in capsys.readouterr().out


def test_the_first_step_and_the_tensors_that_differ_are_told(root: Path, capsys: Capture) -> None:
    assert main(["diff", str(root / "a"), str(root / "b"), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["config"] == [{"name": "plan.seed", "first": 0, "second": 1}]
    assert found["step"] == 1 and not found["same"]
    assert [tensor["name"] for tensor in found["tensors"]][:2] == ["params.bias", "params.weight"]
    assert main(["diff", str(root / "a"), str(root / "b")]) == 1
    assert "log, first in step 1" in capsys.readouterr().out


def test_one_changed_bit_is_found(root: Path, tmp_path: Path, capsys: Capture) -> None:
    copy = Path(shutil.copytree(root / "a", tmp_path / "copy"))
    arrays, texts = read_arrays(RunFiles(copy).state)
    arrays["params.bias"] = arrays["params.bias"].copy()
    arrays["params.bias"][1] = np.nextafter(arrays["params.bias"][1], np.float32(9))
    RunFiles(copy).state.write_bytes(pack(arrays, texts))
    assert main(["diff", str(root / "a"), str(copy), "--json"]) == 1
    [tensor] = json.loads(capsys.readouterr().out)["tensors"]
    assert tensor["name"] == "params.bias" and tensor["entries"] == 1
    assert 0 < tensor["largest"] < 1e-6


def test_of_arrays_of_other_shapes_the_shapes_are_told(
    root: Path, tmp_path: Path, capsys: Capture
) -> None:
    copy = Path(shutil.copytree(root / "a", tmp_path / "copy"))
    arrays, texts = read_arrays(RunFiles(copy).state)
    weight, bias = arrays["params.weight"], arrays.pop("params.bias")
    arrays["params.weight"] = weight[:, 1:].copy()
    RunFiles(copy).state.write_bytes(pack(arrays, texts))
    assert main(["diff", str(root / "a"), str(copy)]) == 1
    told = capsys.readouterr().out
    assert "(3, 4) and (3, 3)" in told and "(3,) and none" in told and "nan" not in told
    assert main(["diff", str(root / "a"), str(copy), "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)["tensors"]
    assert (first["entries"], first["largest"], first["shapes"]) == (3, None, [[3], None])
    assert second["shapes"] == [[3, 4], [3, 3]] and bias.shape == (3,)


def test_what_is_no_run_is_refused(root: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["diff", str(root / "a"), str(tmp_path)]) == 2
    assert "config.json cannot be read" in capsys.readouterr().err
    assert main(["runs", str(tmp_path / "none")]) == 2
    assert "takes a folder with runs in it" in capsys.readouterr().err
    shutil.copy(RunFiles(root / "a").config, tmp_path)
    shutil.copy(RunFiles(root / "a").log, tmp_path)
    assert main(["diff", str(root / "a"), str(tmp_path)]) == 2
    assert "takes state.safetensors or model.safetensors" in capsys.readouterr().err
