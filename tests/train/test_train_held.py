"""Two processes and one run folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from small import fit, mlp, resume

from tensorem import train
from tensorem.cli import main
from tensorem.disk import RunFiles, held
from tensorem.errors import FileError

Capture = pytest.CaptureFixture[str]


def test_a_folder_is_held_from_before_the_first_checkpoint_to_the_end(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def look(*_: object) -> None:
        seen.append(sorted(file.name for file in tmp_path.iterdir()))

    fit(mlp(), tmp_path, callbacks=(train.on_train_start(look), train.on_epoch_end(look)))
    assert seen[0] == ["config.json", "lock.json", "log.jsonl"]
    assert len(seen) > 1 and all("lock.json" in names for names in seen)
    resume(tmp_path, mlp(), epochs=9, callbacks=train.on_epoch_end(look))
    assert "lock.json" in seen[-1] and not RunFiles(tmp_path).lock.exists()


def test_what_another_process_trains_is_left_alone(tmp_path: Path, capsys: Capture) -> None:
    fit(mlp(), tmp_path / "run")
    before = {file: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    told = f"takes one process at a time, got a folder that process {os.getpid()} on"
    with held(tmp_path / "run"):
        with pytest.raises(FileError, match=told):
            fit(mlp(), tmp_path / "run")
        with pytest.raises(FileError, match=told):
            resume(tmp_path / "run", mlp())
        given = ["train", "--data", "iris", "--epochs", "1", "--path", str(tmp_path / "run")]
        assert main(given) == 2 and told in capsys.readouterr().err
        RunFiles(tmp_path / "run").lock.unlink()
    assert {file: file.read_bytes() for file in (tmp_path / "run").iterdir()} == before


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(
    tmp_path: Path, capsys: Capture
) -> None:
    path, given = tmp_path / "run", ["train", "--data", "iris", "--epochs", "1", "--json"]
    assert main([*given, "--path", str(path)]) == 0
    whole = RunFiles(path).state.read_bytes()
    for file in set(path.iterdir()) - {RunFiles(path).config, RunFiles(path).recipe}:
        file.unlink()
    assert main([*given, "--path", str(path)]) == 0
    assert RunFiles(path).state.read_bytes() == whole
    assert "ERROR" not in capsys.readouterr().err
    assert json.loads(RunFiles(path).recipe.read_text())["data"] == "iris"
