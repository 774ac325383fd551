"""Calls of training that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import fit, mlp, rows

import tensorem as tm
from tensorem import report, train
from tensorem.errors import ArgumentError, DataError, FileError, ResumeError

X, Y = np.zeros((4, 4), np.float32), np.zeros(4, np.int32)


@pytest.mark.parametrize(
    ("call", "words", "help"),
    [
        (lambda: train.fit(mlp(), (X, Y), epoch=3), "keyword argument 'epoch'", "epochs"),
        (lambda: train.resume("x", mlp(), (X, Y), epoch=3), "keyword argument 'epoch'", "epochs"),
        (lambda: train.evaluate(mlp(), (X, Y), metric=()), "argument 'metric'", "metrics"),
        (lambda: train.predict(mlp(), X, batchsize=2), "argument 'batchsize'", "batch_size"),
        (lambda: train.fit(mlp(), (X, Y), scheduler=3), "keyword argument 'scheduler'", ""),
        (lambda: train.fit(mlp()), "missing a required argument: 'data'", ""),
    ],
)
def test_an_argument_that_is_not_there_is_named_with_the_nearest(
    call: Any, words: str, help: str
) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        call()
    assert caught.value.help == (f"did you mean {help}?" if help else "")


def test_what_a_loader_of_pytorch_gives_is_told_from_a_pair() -> None:
    torch = pytest.importorskip("torch")
    dataset = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    loader = torch.utils.data.DataLoader(dataset, batch_size=2)
    stream = train.Stream(lambda k: loader, len(loader))
    for data in (loader, next(iter(loader)), stream):
        with pytest.raises(DataError, match="takes a Dataset or a pair") as caught:
            train.fit(mlp(), data)
        assert "for x, y in loader), len(loader))" in caught.value.help
    advised = train.Stream(lambda k: ((x.numpy(), y.numpy()) for x, y in loader), len(loader))
    train.fit(mlp(), advised, epochs=1, batch_size=2, progress="none")


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
def test_a_name_that_no_folder_can_have_is_said_to_be_none(name: str) -> None:
    model = mlp()
    calls: list[Any] = [
        lambda: tm.load(name),
        lambda: tm.save(model, name),
        lambda: fit(model, Path(name)),
        lambda: train.read_config(name),
        lambda: report.gather(Path(name)),
    ]
    for call in calls:
        with pytest.raises(FileError):
            call()
    with pytest.raises(ResumeError, match="takes the folder of a run"):
        train.resume(name, model, rows(model))
