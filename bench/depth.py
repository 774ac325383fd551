"""How much longer a deep network takes to be built and compiled than a shallow one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bench import process
from bench.interleave import seconds_of

SIZES = {"encoder": (6, 24), "CROWN": (16, 64)}
"""Layers of the shallow and of the deep network, by what is done with it."""


def depths(only: Callable[[str], bool]) -> Iterator[tuple[str, float, float]]:
    """(what, seconds of the shallow, seconds of the deep), each in a process of its own with an
    empty compile cache."""
    for what, sizes in SIZES.items():
        name = f"{what}, {sizes[1]} layers over {sizes[0]}"
        if only(name):
            shallow, deep = (_cold(what, layers) for layers in sizes)
            yield name, shallow, deep


def _cold(what: str, layers: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "bench.depth", what, str(layers)],
            env={**os.environ, "XDG_CACHE_HOME": folder},
            stdout=subprocess.PIPE, check=True, text=True,
        )  # fmt: skip
    return float(done.stdout)


def _encoder(layers: int) -> float:
    """Seconds to build an encoder and to take a step; libraries are loaded before."""
    from tensorem import nn, train

    x = np.random.default_rng(0).random((8, 32, 128), np.float32)

    def work() -> Any:
        layer = nn.TransformerEncoderLayer(128, 4, 512, 0.0, "gelu", norm_first=True)
        model = nn.build(nn.TransformerEncoder(layer, layers), input=("N", 32, 128), seed=0)
        return train.fit(model, (x, x), "mse", epochs=1, batch_size=8, progress="none")

    _warmed()
    return seconds_of(work)


def _crown(layers: int) -> float:
    """Seconds to the first bound of a perceptron, with all that is to be compiled for it."""
    from tensorem import nn, verify

    parts = [part for _ in range(layers) for part in (nn.Linear(50, 50), nn.ReLU())]
    model = nn.build(nn.Sequential(*parts, nn.Linear(50, 10)), input=("N", 50), seed=0)
    x = np.random.default_rng(0).random((1, 50), np.float32)
    _warmed()
    return seconds_of(lambda: verify.Prover.of(model).margins(x, [0], 0.001))


def _warmed() -> None:
    """The first use of JAX, which is the same for every network."""
    import jax

    from tensorem import runtime

    runtime.prepare()
    jax.block_until_ready(jax.jit(lambda x: x + 1)(jax.numpy.ones(3)))


if __name__ == "__main__":
    process.limit_threads()
    print({"encoder": _encoder, "CROWN": _crown}[sys.argv[1]](int(sys.argv[2])))
