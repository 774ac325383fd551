"""What is trained: the arrays and sizes that every variant of a workload shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tick = Callable[[int], None]
"""Told after each epoch how many steps it had; it returns when the next epoch may begin."""


@dataclass(frozen=True, eq=False)
class Workload:
    """Examples, all batches full.

    Args:
        kind: "mlp": 784-128-128-10 with ReLU. "cnn": Conv2d(1, 16, 3, padding=1), ReLU,
            MaxPool2d(2), Flatten, Linear(256, 10). Both: cross entropy, Adam at 1e-3.
        x: Inputs, float32.
        y: Classes, int32.
        batch: Examples in a step.
    """

    kind: str
    x: NDArray[Any]
    y: NDArray[Any]
    batch: int

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return len(self.y) // self.batch

    def order(self, epoch: int) -> NDArray[np.int32]:
        """The rows of each batch of an epoch, shuffled."""
        rows = np.random.default_rng(epoch).permutation(len(self.y)).astype(np.int32)
        return rows.reshape(self.steps, self.batch)


def workload(name: str) -> Workload:
    """The workload of a name such as "cnn64": kind and batch size."""
    kind, batch = name[:3], int(name[3:])
    return Workload(kind, *(_noise() if kind == "mlp" else _digits()), batch)


def _noise() -> tuple[NDArray[Any], NDArray[Any]]:
    """64 batches of 64, of the size of MNIST images."""
    rng = np.random.default_rng(0)
    return rng.random((4096, 784), np.float32), rng.integers(0, 10, 4096, np.int32)


def _digits() -> tuple[NDArray[Any], NDArray[Any]]:
    """The bundled digits, as many as fill batches of 32 and of 64."""
    from tensorem import data

    train = data.digits().train
    return np.asarray(train.x[:1408]), np.asarray(train.y[:1408], np.int32)
