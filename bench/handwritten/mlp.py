"""784-128-128-10 with ReLU."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from bench.workloads import Tick, Workload

from .loop import Array, Params, cross_entropy, uniform
from .loop import train as train_loop


def train(work: Workload, tick: Tick) -> None:
    """Train for ever."""
    train_loop(_loss, _params(), work.x, work, tick)


def _params() -> Params:
    rng = np.random.default_rng(0)
    sizes: list[tuple[int, int]] = [(784, 128), (128, 128), (128, 10)]
    leaves: list[Any] = []
    for i, o in sizes:
        leaves += [uniform(rng, (o, i), i), uniform(rng, (o,), i)]
    return tuple(leaves)


def _loss(params: Params, x: Array, y: Array) -> Array:
    w0, b0, w1, b1, w2, b2 = params
    h = jax.nn.relu(x @ w0.T + b0)
    h = jax.nn.relu(h @ w1.T + b1)
    return cross_entropy(h @ w2.T + b2, y)
