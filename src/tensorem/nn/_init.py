"""How arrays start: functions of a shape and a seed, computed in NumPy, so that nothing compiles.

The names without a prefix are PyTorch's (`torch.nn.init`), those that begin with `original_` give
the numbers of TorchLean up to July 2026.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem import rand
from tensorem.errors import ArgumentError
from tensorem.layer import Initialiser

Floats = NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class constant:
    """The same value everywhere."""

    value: float

    def __call__(self, shape: Shape, seed: int) -> Floats:
        return np.full(shape, self.value)


def zeros() -> constant:
    """0 everywhere."""
    return constant(0.0)


def ones() -> constant:
    """1 everywhere."""
    return constant(1.0)


@dataclass(frozen=True)
class uniform:
    """Independent uniform values in [low, high)."""

    low: float = 0.0
    high: float = 1.0

    def __call__(self, shape: Shape, seed: int) -> Floats:
        return _between(self.low, self.high, rand.uniform(rand.key_of(seed), shape, "float64"))


@dataclass(frozen=True)
class normal:
    """Independent normal values."""

    mean: float = 0.0
    std: float = 1.0

    def __call__(self, shape: Shape, seed: int) -> Floats:
        drawn: Floats = rand.normal(rand.key_of(seed), shape, "float64")
        return self.mean + self.std * drawn


@dataclass(frozen=True)
class zero_row:
    """As another initialiser, but 0 in one row."""

    rest: Initialiser
    row: int

    def __call__(self, shape: Shape, seed: int) -> Floats:
        values = self.rest(shape, seed)
        values[self.row] = 0.0
        return values


@dataclass(frozen=True)
class xavier_uniform:
    """Uniform on ±gain √(6 / (fan_in + fan_out)).

    Source:
        Glorot and Bengio 2010, equation 16.
    """

    gain: float = 1.0

    def __call__(self, shape: Shape, seed: int) -> Floats:
        bound = self.gain * math.sqrt(6.0 / sum(fans(shape)))
        return uniform(-bound, bound)(shape, seed)


@dataclass(frozen=True)
class kaiming_uniform:
    """Uniform on ±√(6 / ((1 + a²) fan_in)), for a leaky ReLU of negative slope a.

    Source:
        He et al. 2015, equation 14.
    """

    a: float = 0.0

    def __call__(self, shape: Shape, seed: int) -> Floats:
        bound = math.sqrt(6.0 / ((1.0 + self.a**2) * fans(shape)[0]))
        return uniform(-bound, bound)(shape, seed)


@dataclass(frozen=True)
class original_uniform:
    """TorchLean's uniform values in [low, high): the states of its LCG."""

    low: float
    high: float

    def __call__(self, shape: Shape, seed: int) -> Floats:
        return _between(self.low, self.high, rand.original_lcg_uniform(seed, shape))


@dataclass(frozen=True)
class original_xavier_uniform:
    """TorchLean's Xavier initialiser: its LCG on ±√(6 / (fan_in + fan_out))."""

    def __call__(self, shape: Shape, seed: int) -> Floats:
        bound = math.sqrt(6.0 / sum(fans(shape)))
        return original_uniform(-bound, bound)(shape, seed)


@dataclass(frozen=True)
class original_kaiming_uniform:
    """TorchLean's Kaiming initialiser: its LCG on ±√(6 / fan_in)."""

    def __call__(self, shape: Shape, seed: int) -> Floats:
        bound = math.sqrt(6.0 / fans(shape)[0])
        return original_uniform(-bound, bound)(shape, seed)


def fans(shape: Shape) -> tuple[int, int]:
    """Inputs and outputs of one unit of a weight (out, in, *kernel).

    Raises:
        ArgumentError: The shape has fewer than two axes.

    Example:
        >>> fans((16, 3, 5, 5))
        (75, 400)
    """
    if len(shape) < 2:
        raise ArgumentError(f"Xavier and Kaiming take a weight of two axes or more, got {shape}.")
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def _between(low: float, high: float, u: Floats) -> Floats:
    return low + u * (high - low)


__all__ = [
    "Initialiser",
    "constant",
    "fans",
    "kaiming_uniform",
    "normal",
    "ones",
    "original_kaiming_uniform",
    "original_uniform",
    "original_xavier_uniform",
    "uniform",
    "xavier_uniform",
    "zero_row",
    "zeros",
]
