"""`tensorem verify --property`: a file of another tool, a property, and what the checker says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tensorem as tm
from tensorem import nn
from tensorem.cli import main

pytest.importorskip("onnx", reason="the onnx package is not installed")
pytest.importorskip("vnnlib", reason="the vnnlib package is not installed")
Capture = pytest.CaptureFixture[str]
BOX = "(declare-const X_0 Real) (declare-const Y_0 Real) (assert (>= X_0 0)) (assert (<= X_0 1))"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """y = 2 x + 1, in ONNX."""
    weights = {"weight": np.float32([[2]]), "bias": np.float32([1])}
    model = nn.build(nn.Linear(1, 1), input=(1, 1)).load_state_dict(weights)
    tm.onnx.export(model, tmp_path / "line.onnx")
    return tmp_path / "line.onnx"


def verified(file: Path, unsafe: str, *flags: str) -> int:
    property = file.with_name("p.vnnlib")
    property.write_text(f"{BOX} (assert {unsafe})")
    return main(["verify", str(file), "--property", str(property), *flags])


def test_a_certificate_for_the_checker(file: Path, tmp_path: Path, capsys: Capture) -> None:
    assert verified(file, "(>= Y_0 3.001)", "--into", str(tmp_path / "proof")) == 0
    assert capsys.readouterr().out.startswith("box 0: proved; 1 parts, margin 0.00")
    assert main(["check", str(tmp_path / "proof")]) == 0
    assert "p-0.safetensors: every margin is at least" in capsys.readouterr().out


def test_a_counterexample_by_onnx_runtime(file: Path, tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("onnxruntime")
    assert verified(file, "(>= Y_0 2.5)", "--into", str(tmp_path / "proof"), "--json") == 1
    [row] = json.loads(capsys.readouterr().out)["boxes"]
    assert row["verdict"] == "refuted" and row["onnxruntime"] and float(row["input"][0]) >= 0.75
    saved = json.loads((tmp_path / "proof" / "p-0.counterexample.json").read_text())
    assert saved == {"property": "p.vnnlib", "input": row["input"]}
    assert verified(file, "(>= Y_0 2.5)") == 1
    assert "ONNX Runtime reaches it: yes" in capsys.readouterr().out


def test_a_counterexample_that_onnx_runtime_does_not_reach_is_none(
    file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr("tensorem.cli._property._reached_by_onnx_runtime", lambda *_: False)
    assert verified(file, "(>= Y_0 2.5)") == 3
    assert "unknown" in capsys.readouterr().out


def test_a_folder_of_a_model(file: Path, tmp_path: Path) -> None:
    tm.save(tm.onnx.load(file), tmp_path / "model")
    assert verified(tmp_path / "model", "(>= Y_0 3.001)", "--into", str(tmp_path / "model")) == 0
    assert main(["check", str(tmp_path / "model")]) == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--into", "there"], "--into is about --property"),
        (["--property", "missing.vnnlib"], "missing.vnnlib"),
    ],
)
def test_flags_that_do_not_fit(file: Path, flags: list[str], words: str, capsys: Capture) -> None:
    assert main(["verify", str(file), *flags]) == 2
    assert words in capsys.readouterr().err


def test_a_folder_of_another_model(file: Path, tmp_path: Path, capsys: Capture) -> None:
    tm.save(nn.build(nn.Linear(1, 2), input=(1, 1)), tmp_path / "other")
    assert verified(file, "(>= Y_0 3.001)", "--into", str(tmp_path / "other")) == 2
    assert "--into takes a new folder or one of this model" in capsys.readouterr().err
