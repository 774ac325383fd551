"""What is trained: the arrays and sizes that every variant of a workload shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tick = Callable[[int], object]
"""Told after each epoch how many steps it had; it returns when the next epoch may begin."""


@dataclass(frozen=True, eq=False)
class Workload:
    """Examples, all batches full.

    Args:
        kind: A network of `bench.networks`; all with Adam at 1e-3, and with cross entropy unless
            the network comes with a loss.
        x: Inputs, float32; tokens are int32.
        y: Classes, int32; for some losses float32.
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

    def first(self) -> Workload:
        """The first batch alone."""
        return replace(self, x=self.x[: self.batch], y=self.y[: self.batch])

    def order(self, epoch: int) -> NDArray[np.int32]:
        """The rows of each batch of an epoch, shuffled."""
        rows = np.random.default_rng(epoch).permutation(len(self.y)).astype(np.int32)
        return rows.reshape(self.steps, self.batch)


@dataclass(frozen=True)
class Family:
    """A kind of workload.

    Args:
        what: The network, in words.
        data: Its examples.
        small: Whether every variant of PyTorch is measured, and not only those that may be best.
        images: Whether it takes images, which may lie as NHWC.
    """

    what: str
    data: Callable[[], tuple[NDArray[Any], NDArray[Any]]]
    small: bool = False
    images: bool = False


def workload(name: str) -> Workload:
    """The workload of a name such as "cnn64": kind and batch size."""
    kind = kind_of(name)
    return Workload(kind, *FAMILIES[kind].data(), int(name.removeprefix(kind)))


def kind_of(name: str) -> str:
    """The letters of a name."""
    return name.rstrip("0123456789")


def _noise() -> tuple[NDArray[Any], NDArray[Any]]:
    """64 batches of 64, of the size of MNIST images."""
    return _classes(np.random.default_rng(0), (4096, 784))


def _long() -> tuple[NDArray[Any], NDArray[Any]]:
    """469 batches of 64, of the size of MNIST images: half of an epoch of MNIST."""
    return _classes(np.random.default_rng(0), (30016, 784))


def _digits() -> tuple[NDArray[Any], NDArray[Any]]:
    """The bundled digits, as many as fill batches of 32 and of 64."""
    from tensorem import data

    train = data.digits().train
    return np.asarray(train.x[:1408]), np.asarray(train.y[:1408], np.int32)


def _classes(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Noise of a shape, with classes that are noise too."""
    return rng.random(shape, np.float32), rng.integers(0, 10, shape[0], np.int32)


def _few(*shape: int) -> Callable[[], tuple[NDArray[Any], NDArray[Any]]]:
    """An epoch of few steps, so that a slice stays short."""
    return lambda: _classes(np.random.default_rng(0), shape)


def _text() -> tuple[NDArray[Any], NDArray[Any]]:
    """Tokens, and the token after each: runs that go up by a number of their own."""
    rng = np.random.default_rng(0)
    start, by = rng.integers(0, 256, (32, 1)), rng.integers(1, 8, (32, 1))
    tokens = ((start + by * np.arange(129)) % 256).astype(np.int32)
    return tokens[:, :-1], tokens[:, 1:]


def _points() -> tuple[NDArray[Any], NDArray[Any]]:
    """Places in time and space, and the heat that is brought there."""
    x = np.random.default_rng(0).random((16000, 2), np.float32)
    return x, np.sin(np.pi * x[:, 1:])


_IMAGE = (3, 32, 32)
FAMILIES: dict[str, Family] = {
    "mlp": Family("784-128-128-10 with ReLU", _noise, small=True),
    "cnn": Family("Conv2d(1, 16), ReLU, MaxPool2d, Linear(256, 10)", _digits, True, True),
    "color": Family(
        "channels 3-32-64 on 32x32, two poolings, linear", _few(256, *_IMAGE), images=True
    ),
    "resnet": Family("ResNet-18, width 16, stem for 32x32", _few(64, *_IMAGE), images=True),
    "wide": Family("ResNet-18, width 64, stem for 32x32", _few(16, *_IMAGE), images=True),
    "vit": Family("ViT, d128, 6 layers, 4 heads, patches of 4", _few(64, *_IMAGE)),
    "gpt": Family("GPT, d128, 4 layers, 4 heads, T128, 256 tokens", _text),
    "lstm": Family("LSTM(64, 128), T64, the last step", _few(128, 64, 64)),
    "gru": Family("GRU(64, 128), T64, the last step", _few(128, 64, 64)),
    "ssm": Family("Mamba(64), state 16, T256", _few(16, 256, 64)),
    "pinn": Family("2-64-64-64-1 with tanh, the residual u_t - u_xx - f at 1000 points", _points),
    "mae": Family(
        "masked autoencoder, 16 of 64 patches, d128 4 layers, d64 2 layers", _few(64, *_IMAGE)
    ),
    "diffusion": Family(
        "denoiser, U-Net of 32 and 64 channels on 28x28", _few(128, 1, 28, 28), images=True
    ),
    "mnist": Family("784-128-128-10 with ReLU, epochs of 469 steps", _long),
}
