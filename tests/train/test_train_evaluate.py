"""Scores and outputs in evaluation do not depend on how the data is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small import cnn, fit, mlp, rows

import tensorem as tm
from close import assert_close
from tensorem import nn, train
from tensorem.errors import ArgumentError, DataError, ShapeError


@pytest.mark.parametrize("batch_size", [1, 5, 22, 100])
def test_every_example_counts_once(batch_size: int) -> None:
    model, given = fit(cnn()).model, rows(cnn())
    scores = train.evaluate(model, given, batch_size=batch_size)
    logits = np.asarray(model(given.x), np.float64)
    each = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(given)), given.y]
    assert_close(scores["loss"], each.mean(), rtol=1e-5, atol=0)
    assert scores["accuracy"] == (logits.argmax(axis=1) == given.y).mean()


@pytest.mark.parametrize("batch_size", [1, 5, 22, 100])
def test_predict_gives_the_outputs_of_the_rows_alone(batch_size: int) -> None:
    model, given = fit(cnn()).model, rows(cnn())
    outputs = train.predict(model, given.x, batch_size=batch_size)
    assert_close(outputs, model(given.x), rtol=1e-5, atol=1e-6)


def squared(output: Any, target: Any) -> tuple[Any, Any]:
    apart = output - target[:, None]
    return (apart**2).sum(), apart.size


def test_a_score_that_counts_entries_is_weighted_by_entries() -> None:
    model, given = mlp(), rows(mlp())
    found = train.evaluate(model, given, loss=squared, batch_size=5)
    apart = np.asarray(model(given.x), np.float64) - given.y[:, None]
    assert found.keys() == {"loss"}
    assert_close(found["loss"], (apart**2).mean(), rtol=1e-5, atol=0)


def spread(output: Any, target: Any) -> tuple[Any, Any]:
    """A score that mixes the examples of a batch."""
    return ((output - output.mean(axis=0)) ** 2).sum(), output.shape[0]


def test_a_score_sees_a_batch_as_in_training() -> None:
    model, given = mlp(), rows(mlp())
    found = train.evaluate(model, given, loss=spread, batch_size=len(given))
    outputs = np.asarray(model(given.x), np.float64)
    assert_close(found["loss"], outputs.var(axis=0).sum(), rtol=1e-5, atol=0)


def test_a_model_that_mixes_examples_sees_those_of_the_batch_alone() -> None:
    mixing = nn.build(nn.BatchNorm2d(1, track_running_stats=False), ("N", 1, 2, 2))
    x = np.random.default_rng(0).normal(size=(6, 1, 2, 2)).astype(np.float32)
    outputs = train.predict(mixing, x, batch_size=4)
    for batch in (slice(0, 4), slice(4, 6)):
        apart = np.float64(x[batch]) - np.float64(x[batch]).mean()
        assert_close(outputs[batch], apart / np.sqrt((apart**2).mean() + 1e-5), 1e-5, 1e-6)


def test_wrong_inputs_are_named() -> None:
    with pytest.raises(ShapeError, match=r"The model takes \(N, 4\), got \(2, 3\)"):
        train.predict(mlp(), np.zeros((2, 3), np.float32))
    with pytest.raises(DataError, match="predict takes at least one row"):
        train.predict(mlp(), np.zeros((0, 4), np.float32))
    with pytest.raises(ArgumentError, match="takes batch_size as an integer of at least 1, got 0"):
        train.evaluate(mlp(), rows(mlp()), batch_size=0)
    with pytest.raises(DataError, match="predict takes an array, got list"):
        train.predict(mlp(), [[1.0] * 4, [1.0]])
    with pytest.raises(ShapeError) as caught:
        train.predict(mlp(), np.zeros(4, np.float32))
    assert caught.value.where == "x"


def test_a_layer_and_a_graph_are_no_models_to_train_or_score() -> None:
    wholes = (mlp().layer, tm.GraphModel(tm.capture(mlp())))
    for whole in wholes:
        with pytest.raises(ArgumentError, match="Training takes a model, got"):
            train.evaluate(whole, rows(mlp()))  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="Training takes a model, got"):
            train.predict(whole, rows(mlp()).x)  # type: ignore[arg-type]
