"""The small tasks of these tests; equal descriptions share their compiled programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tensorem import data, nn, optim, train

SIZE, BATCH, EPOCHS = 22, 8, 3
STEPS = 3 * EPOCHS  # two full batches and a smaller one in each epoch
ADAM = optim.adam(1e-2)


def mlp() -> nn.Model:
    return nn.build(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)), ("N", 4), seed=1)


def cnn() -> nn.Model:
    layer = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(16, 3),
    )
    return nn.build(layer, ("N", 1, 4, 4), seed=1)


def normed() -> nn.Model:
    """A model that mixes the examples of a batch."""
    layer = nn.Sequential(
        nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3)
    )
    return nn.build(layer, ("N", 4), seed=1)


MODELS = {"mlp": mlp, "cnn": cnn}


def rows(model: nn.Model, size: int = SIZE) -> data.Dataset:
    """Examples for a model: noise with a little of the class in it."""
    draw = np.random.default_rng(0)
    y = draw.integers(0, 3, size).astype(np.int32)
    noise = draw.normal(size=(size, *model.input.shape[1:]))
    x = noise + y.reshape(-1, *(1,) * (noise.ndim - 1))
    return data.Dataset(x.astype(np.float32), y)


def fit(model: nn.Model, path: Path | None = None, **given: Any) -> train.Run:
    """A whole small run."""
    settings: dict[str, Any] = {
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "progress": "none",
        "seed": 7,
    }
    settings |= {"optimizer": ADAM, "path": path}
    return train.fit(model, rows(model), **settings | given)


def resume(path: Path, model: nn.Model, **given: Any) -> train.Run:
    return train.resume(path, model, rows(model), progress="none", **given)


def state_of(path: Path) -> bytes:
    return (path / "state.safetensors").read_bytes()


def log_of(path: Path) -> bytes:
    return (path / "log.jsonl").read_bytes()
