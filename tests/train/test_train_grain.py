"""Batches of grain, which several hosts read each in part; they are taken as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import ADAM, BATCH, log_of, mlp, rows, state_of

from tensorem import train

grain = pytest.importorskip("grain")


def stream() -> train.Stream:
    """Two full batches an epoch, in an order that goes on through all of them."""
    given = rows(mlp())
    pairs = list(zip(given.x, given.y, strict=True))
    found = grain.MapDataset.source(pairs).seed(3).shuffle().repeat().batch(BATCH)
    return train.Stream(iter(found.to_iter_dataset()), steps=2)


def test_batches_of_grain_train_and_go_on_to_the_same_bytes(tmp_path: Path) -> None:
    settings: Any = {"optimizer": ADAM, "batch_size": BATCH, "epochs": 4, "progress": "none"}
    train.fit(mlp(), stream(), path=tmp_path / "whole", **settings)

    def stop(event: train.EpochEvent) -> None:
        if event.epoch == 2:
            raise KeyboardInterrupt

    hooks = train.on_epoch_end(stop)
    with pytest.raises(KeyboardInterrupt):
        train.fit(mlp(), stream(), path=tmp_path / "run", callbacks=hooks, **settings)
    train.resume(tmp_path / "run", mlp(), stream(), progress="none")
    assert state_of(tmp_path / "run") == state_of(tmp_path / "whole")
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")


def test_an_epoch_of_grain_has_the_examples_of_the_source() -> None:
    seen = [y for _, y in stream().batches(0)]
    again = [y for _, y in stream().batches(0)]
    np.testing.assert_array_equal(seen, again)
    assert np.concatenate(seen).size == 2 * BATCH
