"""The two workloads in tensorem, through `train.fit` alone."""

from __future__ import annotations

from typing import Any

from bench.workloads import Tick, Workload
from tensorem import nn, optim, train


def fit(work: Workload, tick: Tick) -> None:
    """Train for ever; a hook is told of each epoch."""
    train.fit(
        model(work.kind), (work.x, work.y), loss="cross_entropy", optimizer=optim.adam(1e-3),
        epochs=1 << 30, batch_size=work.batch, progress="none",
        callbacks=train.on_epoch_end(lambda _: tick(work.steps)),
    )  # fmt: skip


def model(kind: str) -> Any:
    """The network of a kind of workload, with its initial values."""
    if kind == "mlp":
        layer = nn.Sequential(
            nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
        )
        return nn.build(layer, input=("N", 784))
    layer = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 10),
    )  # fmt: skip
    return nn.build(layer, input=("N", 1, 8, 8))
