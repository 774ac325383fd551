"""Runs told to TensorBoard, W&B and MLflow: every number arrives, under its step."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small import EPOCHS, STEPS, fit, mlp, rows

from tensorem import train
from tensorem.errors import ArgumentError, FileError


class Kept:
    """What W&B and MLflow are told, by step."""

    def __init__(self, method: str) -> None:
        self.told: list[tuple[int, dict[str, float]]] = []
        setattr(self, method, lambda numbers, step: self.told.append((step, numbers)))


def fitted(callbacks: train.Callbacks) -> train.Run:
    return fit(mlp(), validation=rows(mlp(), 8), callbacks=callbacks)


@pytest.mark.parametrize("method", ["log", "log_metrics"])
def test_a_run_of_others_gets_the_rows_of_the_log(method: str) -> None:
    kept, losses = Kept(method), []
    keep = train.on_step(lambda event: losses.append(event.loss))
    run = fitted((keep, train.log_to(kept, every=2)))
    epochs = [(s, told) for s, told in kept.told if "loss" in told]
    assert epochs == [
        (row["step"], {k: v for k, v in row.items() if k not in ("epoch", "step")})
        for row in run.history
    ]
    assert {"val_loss", "lr"} <= epochs[0][1].keys()
    steps = [(s, told["step_loss"]) for s, told in kept.told if "step_loss" in told]
    assert steps == [(n, losses[n - 1]) for n in range(2, STEPS + 1, 2)]


def test_epochs_alone_are_told_without_every() -> None:
    kept = Kept("log")
    fitted(train.log_to(kept))
    assert [step for step, _ in kept.told] == [3 * (i + 1) for i in range(EPOCHS)]


def test_what_is_no_finite_number_is_not_told() -> None:
    kept = Kept("log")
    (watch,) = train.log_to(kept)
    row = {"epoch": 1, "step": 5, "loss": None, "lr": 0.1}
    watch.update((), SimpleNamespace(row=row, steps=5))
    assert kept.told == [(5, {"lr": 0.1})]


def test_tensorboard_files_hold_the_numbers(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("tensorboardX")
    run = fitted(train.tensorboard(tmp_path / "logs", every=1))
    (file,) = (tmp_path / "logs").iterdir()
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events(tensorboard, file):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    assert found["loss"] == [(r["step"], pytest.approx(r["loss"])) for r in run.history]
    assert found["val_loss"] == [(r["step"], pytest.approx(r["val_loss"])) for r in run.history]
    assert [step for step, _ in found["step_loss"]] == list(range(1, STEPS + 1))


def events(tensorboard: Any, file: Path) -> list[Any]:
    """The events of a file, by the format of TFRecord: length, its check, bytes, their check."""
    content, at, found = file.read_bytes(), 0, []
    while at < len(content):
        size = int.from_bytes(content[at : at + 8], "little")
        event = tensorboard.proto.event_pb2.Event()
        event.ParseFromString(content[at + 12 : at + 12 + size])
        found, at = [*found, event], at + 16 + size
    return found


def test_tensorboard_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(FileError, match="take tensorboardX, which is not installed") as caught:
        train.tensorboard(tmp_path)
    assert caught.value.help == 'pip install "tensorem[tensorboard]"'


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="TensorBoard's files cannot be written to"):
        train.tensorboard(tmp_path / "file")


def test_what_takes_no_numbers_is_refused() -> None:
    with pytest.raises(ArgumentError, match="log_to takes a run of W&B, mlflow or a Summary") as e:
        train.log_to(print)
    assert "tensorem[wandb]" in e.value.help
    with pytest.raises(ArgumentError, match="log_to takes every"):
        train.log_to(Kept("log"), every=0)
