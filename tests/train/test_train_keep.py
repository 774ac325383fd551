"""Checkpoints that stay: the last ones, that of the best epoch, and what is gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import fit, log_of, mlp, resume, rows, state_of

from tensorem import nn, train
from tensorem.errors import ArgumentError, FileError, PathError, ShapeError


def kept(path: Path) -> list[str]:
    return sorted(file.name for file in (path / "checkpoints").iterdir())


def steps(*numbers: int) -> list[str]:
    return [f"step-{number:08}.safetensors" for number in numbers]


def test_the_last_ones_stay_and_each_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "run"
    keep: Any = train.keep_checkpoints(last=3)
    fit(mlp(), path, checkpoint_every=2, callbacks=keep)
    assert kept(path) == steps(6, 8, 9)
    whole, log = state_of(path), log_of(path)
    shutil.copy(path / "checkpoints" / steps(6)[0], path / "state.safetensors")
    assert state_of(path) != whole
    resume(path, mlp(), callbacks=keep)
    assert (state_of(path), log_of(path)) == (whole, log)
    assert kept(path) == steps(6, 8, 9)


def test_what_was_taken_back_does_not_stay(tmp_path: Path) -> None:
    fit(mlp(), tmp_path, checkpoint_every=1, callbacks=train.keep_checkpoints(last=4))
    assert kept(tmp_path) == steps(6, 7, 8, 9)
    shutil.copy(tmp_path / "checkpoints" / steps(7)[0], tmp_path / "state.safetensors")

    def stop(run: train.Run) -> None:
        raise RuntimeError

    keep = (*train.keep_checkpoints(last=4), train.on_train_start(stop))
    with pytest.raises(train.CallbackError):
        resume(tmp_path, mlp(), callbacks=keep)
    assert kept(tmp_path) == steps(6, 7)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_best_epoch_stays(tmp_path: Path, mode: Any) -> None:
    models: dict[int, nn.Model] = {}
    watch = train.on_epoch_end(lambda event: models.update({event.epoch: event.run.model}))
    given: Any = {"validation": rows(mlp()), "epochs": 4}
    keep = train.keep_checkpoints(best="val_loss", mode=mode)
    run = fit(mlp(), tmp_path, callbacks=(keep, watch), **given)
    values = [row["val_loss"] for row in run.history]
    best = int(np.argmin(values) if mode == "min" else np.argmax(values)) + 1
    assert kept(tmp_path) == ["best.safetensors"]
    found = train.model_of(tmp_path / "checkpoints" / "best.safetensors", mlp())
    for name, array in models[best].params.items():
        np.testing.assert_array_equal(found.params[name], array)


def test_what_cannot_be_kept_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="takes last or best, got neither"):
        train.keep_checkpoints()
    with pytest.raises(ArgumentError, match="takes last as an integer of at least 0, got -1"):
        train.keep_checkpoints(last=-1)
    with pytest.raises(ArgumentError, match="takes mode of min, max, got 'least'"):
        train.keep_checkpoints(1, mode="least")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"takes monitor of .*loss.*, got 'val_loss'"):
        fit(mlp(), tmp_path, callbacks=train.keep_checkpoints(best="val_loss"))


def test_a_model_of_another_checkpoint_is_an_error_of_ours(tmp_path: Path) -> None:
    fit(mlp(), tmp_path, epochs=1)
    file = tmp_path / "state.safetensors"
    with pytest.raises(PathError):
        train.model_of(file, nn.build(nn.Linear(4, 3), ("N", 4)))
    other = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 3))
    with pytest.raises(ShapeError):
        train.model_of(file, nn.build(other, ("N", 4)))
    with pytest.raises(FileError, match="cannot be read"):
        train.model_of(tmp_path / "none", mlp())
