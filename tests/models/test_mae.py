"""A masked autoencoder: what is hidden is not seen, and alone is counted."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from close import assert_close
from tensorem import models, nn, ssl
from tensorem.errors import ArgumentError

X = np.random.default_rng(0).normal(size=(3, 1, 8, 8)).astype(np.float32)
MODEL = nn.build(models.mae(1, 8, 2, (8, 1, 2), ratio=0.7), ("N", 1, 8, 8), seed=1)


def trained(x: Any, key: int) -> Any:
    return MODEL.train_apply(MODEL.params, {}, x, key=jax.random.key(key))[0]


@pytest.mark.parametrize("key", [None, 4])
def test_hidden_patches_are_told_and_not_seen(key: int | None) -> None:
    out: Any = MODEL(X) if key is None else trained(X, key)
    hidden = np.asarray(out["hidden"])
    assert (hidden.sum(1) == 11).all()  # of 16, rounded down
    assert_close(out["target"], ssl.patches(X, 2))
    # other pixels where all three rows hide: a patch (2, 2) at row r and column c of the grid
    other = X.copy()
    for row in range(3):
        for place in np.flatnonzero(hidden[row]):
            r, c = divmod(int(place), 4)
            other[row, :, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2] = 9.0
    again: Any = MODEL(other) if key is None else trained(other, key)
    assert_close(again["prediction"], out["prediction"])
    assert np.abs(np.asarray(again["target"] - out["target"])).max() > 1
    total, count = models.mae_objective(out, X)
    expected = ssl.masked_mse(out["prediction"], out["target"], out["hidden"])
    assert float(count) == 33 and abs(float(total / count) - float(expected)) < 1e-5


def test_each_image_hides_its_own_in_training_and_all_the_same_in_evaluation() -> None:
    drawn = np.asarray(trained(X, 0)["hidden"])
    assert (drawn[0] != drawn[1]).any() and (drawn != np.asarray(trained(X, 1)["hidden"])).any()
    fixed = np.asarray(MODEL(X)["hidden"])
    assert (fixed == fixed[0]).all()


def test_features_are_of_whole_images() -> None:
    features = MODEL.with_layer(models.MAEFeatures(MODEL.layer))
    patches = ssl.patches(X, 2)
    tokens: Any = MODEL.layer.embed.call(  # type: ignore[attr-defined]
        ({n: MODEL.params[f"embed.{n}"] for n in ("weight", "bias")}, {}), patches
    )[0]
    place, j = np.arange(16)[:, None], np.arange(8)
    angle = place / 10000 ** (2 * (j // 2) / 8)
    tokens = tokens + np.where(j % 2, np.cos(angle), np.sin(angle)).astype(np.float32)
    whole = nn.build(MODEL.layer.encoder, ("N", 16, 8))  # type: ignore[attr-defined]
    whole = whole.load_state_dict(MODEL["encoder"].state_dict())
    assert_close(features(X), np.asarray(whole(tokens)).mean(1), rtol=1e-4, atol=1e-5)


def test_what_is_refused() -> None:
    for call, message in (
        (lambda: models.mae(1, 9, 2, (8, 1, 2)), "mae takes a patch that divides the image, got 2"),
        (lambda: models.mae(1, 8, 2, (8, 1, 2), ratio=1.0), "mae takes ratio"),
        (lambda: models.mae(1, 8, 0, (8, 1, 2)), "mae takes patch"),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()
