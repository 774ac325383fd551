"""`tensorem import` and `tensorem export`."""

from __future__ import annotations

from pathlib import Path

import pytest

import tensorem as tm
from tensorem import nn
from tensorem.cli import main

pytest.importorskip("onnx", reason="the onnx package is not installed")


def test_a_model_goes_out_and_comes_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tm.save(nn.build(nn.Linear(3, 2), input=("N", 3)), tmp_path / "model")
    assert main(["export", str(tmp_path / "model"), str(tmp_path / "m.onnx")]) == 0
    arguments = ["import", str(tmp_path / "m.onnx"), str(tmp_path / "again"), "--size", "N=5"]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "1 nodes, opset 20" in told and "(linear); takes x0 float32 (5, 3)" in told
    assert tm.load(tmp_path / "again").graph.arrays.keys() == {"weight", "bias"}


def test_a_size_without_a_value_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "m.onnx", str(tmp_path), "--size", "N"]) == 2
    assert "--size takes NAME=NUMBER or NAME=NAME, got 'N'." in capsys.readouterr().err
