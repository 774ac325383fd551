"""Data that arrives batch by batch trains like data that lies in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import BATCH, EPOCHS, STEPS, fit, mlp, rows, state_of

from tensorem import data, train
from tensorem.errors import ArgumentError, DataError, ResumeError, ShapeError
from tensorem.train import _stack, _stream

LOADER = data.Loader(rows(mlp()), BATCH, shuffle=True, seed=7)
SETTINGS: dict[str, Any] = {"epochs": EPOCHS, "batch_size": BATCH, "progress": "none", "seed": 7}


def test_a_stream_trains_like_the_same_data_in_memory() -> None:
    streamed = train.fit(mlp(), train.Stream(LOADER.epoch, len(LOADER)), **SETTINGS)
    whole = train.fit(mlp(), rows(mlp()), **SETTINGS)
    assert streamed.step == STEPS
    for row, expected in zip(streamed.history, whole.history, strict=True):
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def test_a_stopped_stream_ends_with_the_same_bytes(tmp_path: Path) -> None:
    stream = train.Stream(LOADER.epoch, len(LOADER))
    train.fit(mlp(), stream, path=tmp_path / "whole", **SETTINGS)

    def stop(run: train.Run) -> None:
        if run.step == 4:
            raise KeyboardInterrupt

    hooks = train.on_save(stop)
    with pytest.raises(KeyboardInterrupt):
        train.fit(
            mlp(), stream, path=tmp_path / "run", checkpoint_every=1, callbacks=hooks, **SETTINGS
        )
    train.resume(tmp_path / "run", mlp(), stream, progress="none")
    assert state_of(tmp_path / "run") == state_of(tmp_path / "whole")


def spoiled(number: int, batch: Any) -> train.Stream:
    """The same stream with another batch in one place of the second epoch."""

    def epoch(k: int) -> Iterator[Any]:
        for i, good in enumerate(LOADER.epoch(k)):
            yield batch if (k, i) == (1, number) else good

    return train.Stream(epoch, len(LOADER))


X, Y = rows(mlp()).x[:BATCH], rows(mlp()).y[:BATCH]


@pytest.mark.parametrize(
    ("number", "batch", "words", "where"),
    [
        (0, (X[:5], Y[:5]), "takes batches of batch_size 8, got 5", "epoch 2, batch 1"),
        (2, (np.vstack([X, X]), np.hstack([Y, Y])), "batch_size 8, got 16", "epoch 2, batch 3"),
        (1, (X, Y[:5]), "as many targets as inputs", "epoch 2, batch 2"),
        (1, (X * np.nan, Y), "got nan in example 0", "epoch 2, batch 2, x"),
        (1, (X, Y + 3), "takes classes from 0 to 2", "epoch 2, batch 2, y: target[0]"),
    ],
)
def test_a_bad_batch_is_named(number: int, batch: Any, words: str, where: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        train.fit(mlp(), spoiled(number, batch), **SETTINGS)
    assert caught.value.where == where


@pytest.mark.parametrize("steps", [2, 4])
def test_the_number_of_batches_is_checked(steps: int) -> None:
    words = f"takes {steps} batches an epoch, got (more|3)"
    with pytest.raises(DataError, match=words) as caught:
        train.fit(mlp(), train.Stream(lambda k: whole_batches(3), steps), **SETTINGS)
    assert caught.value.where == "epoch 1" and "train.resume" in caught.value.help


def whole_batches(n: int) -> Iterator[Any]:
    return iter([(X, Y)] * n)


def test_wrong_streams_are_refused() -> None:
    with pytest.raises(ArgumentError, match="takes steps as an integer of at least 1, got 0"):
        train.Stream(LOADER.epoch, 0)
    with pytest.raises(ArgumentError, match="A Stream takes a function of the epoch, got list"):
        train.Stream([(X, Y)], 1)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="drop_last takes data in memory"):
        fit_stream = train.Stream(LOADER.epoch, len(LOADER))
        train.fit(mlp(), fit_stream, drop_last=True, **SETTINGS)
    with pytest.raises(DataError, match="at least one batch in an epoch, got none"):
        train.fit(mlp(), train.Stream(lambda k: iter(()), 1), **SETTINGS)


def test_an_item_is_made_while_the_one_before_it_is_used() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for i in range(4):
            made.append(i)
            yield i

    used = _stream.ahead(items())
    assert next(used) == 0
    used.close()  # waits for the item that was begun
    assert made == [0, 1]


def test_fit_in_memory_has_the_settings_of_these_tests() -> None:
    assert len(LOADER) * EPOCHS == STEPS == fit(mlp()).step


def test_a_stream_of_another_length_is_refused(tmp_path: Path) -> None:
    settings = {**SETTINGS, "path": tmp_path}
    train.fit(mlp(), train.Stream(LOADER.epoch, len(LOADER)), **settings)
    shorter = train.Stream(lambda k: list(LOADER.epoch(k))[:2], 2)
    with pytest.raises(ResumeError, match="The run takes its own data again") as caught:
        train.resume(tmp_path, mlp(), shorter, epochs=EPOCHS + 1)
    assert "1 of 3 batches was recorded" in caught.value.because
    assert "1 of 2 batches" in caught.value.because


def test_batches_that_are_missing_before_the_place_are_counted() -> None:
    feed = _stream.StreamFeed(train.Stream(lambda k: whole_batches(1), 3), BATCH, lambda b, _: b)
    with pytest.raises(DataError, match="takes 3 batches an epoch, got 1"):
        list(feed.pieces(0, done=2))


class Counting:
    """Batches through all epochs, as one iterator that knows where it stands."""

    def __init__(self) -> None:
        self.place = 0

    def __iter__(self) -> Counting:
        return self

    def __next__(self) -> Any:
        epoch, i = divmod(self.place, len(LOADER))
        self.place += 1
        return next(LOADER.epoch(epoch, i))

    def get_state(self) -> dict[str, int]:
        return {"place": self.place}

    def set_state(self, state: dict[str, int]) -> None:
        self.place = state["place"]


@pytest.mark.parametrize("at", [0, 1, 3, 4])
def test_an_iterator_with_a_state_ends_with_the_same_bytes(at: int, tmp_path: Path) -> None:
    def stop(run: train.Run) -> None:
        if run.step == at:
            raise KeyboardInterrupt

    train.fit(
        mlp(), train.Stream(Counting(), 3), path=tmp_path / "whole", checkpoint_every=1, **SETTINGS
    )
    with pytest.raises(KeyboardInterrupt):
        train.fit(
            mlp(), train.Stream(Counting(), 3), path=tmp_path / "run", checkpoint_every=1,
            callbacks=train.on_save(stop), **SETTINGS,
        )  # fmt: skip
    train.resume(tmp_path / "run", mlp(), train.Stream(Counting(), 3), progress="none")
    assert state_of(tmp_path / "run") == state_of(tmp_path / "whole")


def test_a_bare_iterator_trains_and_is_said_not_to_resume(tmp_path: Path) -> None:
    def endless() -> Iterator[Any]:
        for epoch in range(EPOCHS):
            yield from LOADER.epoch(epoch)

    with pytest.warns(UserWarning, match="cannot be resumed: its data is a bare iterator"):
        run = train.fit(mlp(), train.Stream(endless(), 3), path=tmp_path, **SETTINGS)
    whole = train.fit(mlp(), train.Stream(LOADER.epoch, 3), **SETTINGS)
    assert run.history == whole.history  # the batch that was looked at is not lost
    with (
        pytest.warns(UserWarning, match="cannot be resumed"),
        pytest.raises(ResumeError, match="that can be reached again to go on, got a bare iterator"),
    ):
        train.resume(tmp_path, mlp(), train.Stream(endless(), 3), epochs=EPOCHS + 1)
    with (
        pytest.warns(UserWarning, match="cannot be resumed"),
        pytest.raises(DataError, match="takes 3 batches an epoch, got 0"),
    ):
        train.fit(mlp(), train.Stream(endless(), 3), **{**SETTINGS, "epochs": EPOCHS + 1})
    with pytest.raises(DataError, match="an iterator with its number of batches, got generator"):
        train.fit(mlp(), endless(), **SETTINGS)  # type: ignore[arg-type]


def test_a_loader_is_data() -> None:
    loaded = train.fit(mlp(), LOADER, **SETTINGS)
    assert loaded.history == train.fit(mlp(), train.Stream(LOADER.epoch, 3), **SETTINGS).history
    with pytest.raises(DataError, match="batch_size 32, got 8") as caught:
        train.fit(mlp(), LOADER, progress="none")
    assert caught.value.help == "train.fit(..., batch_size=8)."


def test_a_batch_of_another_shape_is_named() -> None:
    with pytest.raises(ShapeError, match="The model takes") as caught:
        train.fit(mlp(), spoiled(1, (X[:, :3], Y)), **SETTINGS)
    assert caught.value.where == "epoch 2, batch 2, x"


def test_how_a_stream_is_cut_changes_no_bit(tmp_path: Path, monkeypatch: Any) -> None:
    stream = train.Stream(LOADER.epoch, len(LOADER))
    train.fit(mlp(), stream, path=tmp_path / "stacked", **SETTINGS)
    monkeypatch.setattr(_stack, "SECONDS", -1.0)  # each batch comes late, and goes on alone
    train.fit(mlp(), stream, path=tmp_path / "single", **SETTINGS)
    assert state_of(tmp_path / "stacked") == state_of(tmp_path / "single")


def test_what_came_before_a_bad_batch_is_trained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got nan in example 0"):
        train.fit(mlp(), spoiled(1, (X * np.nan, Y)), path=tmp_path, **SETTINGS)
    train.resume(tmp_path, mlp(), train.Stream(LOADER.epoch, len(LOADER)), progress="none")
    whole = train.fit(mlp(), train.Stream(LOADER.epoch, len(LOADER)), **SETTINGS)
    assert train.read_rows(tmp_path / "log.jsonl") == list(whole.history)

    def ends_early(k: int) -> Iterator[Any]:
        yield from whole_batches(2)
        raise OSError("the disk was taken away")

    told: list[int] = []
    watch = train.on_step(lambda event: told.append(event.step))
    with pytest.raises(OSError, match="taken away"):
        train.fit(mlp(), train.Stream(ends_early, 3), callbacks=watch, **SETTINGS)
    assert told == [1, 2]


def test_a_stream_of_named_inputs_and_several_targets_trains_as_in_memory() -> None:
    loss = train.total({"a": train.pick("cross_entropy", target="a")})

    def named(x: Any, y: Any) -> Any:
        return {"xs": x}, {"a": y, "b": x}

    stream = train.Stream(lambda k: (named(*batch) for batch in LOADER.epoch(k)), len(LOADER))
    streamed = train.fit(mlp(), stream, loss, **SETTINGS)
    whole = train.fit(mlp(), named(rows(mlp()).x, rows(mlp()).y), loss, **SETTINGS)
    for row, expected in zip(streamed.history, whole.history, strict=True):
        assert row["a"] == pytest.approx(expected["a"], rel=1e-5)
