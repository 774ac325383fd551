"""Randomness as values: seeds in, numbers out; nothing here keeps a state.

SplitMix64 in NumPy serves initial values, shuffles and seeds. Draws inside compiled programs are
`jax.random` with the key that `jax_key` makes. The names that begin with `original_` reproduce the
numbers of TorchLean, for parity.

Source:
    SplitMix64: Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014, fig. 17.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tensorem.calls import FROM_0_TO_1, named, number
from tensorem.errors import ArgumentError, DTypeError

if TYPE_CHECKING:
    import jax

GAMMA = 0x9E3779B97F4A7C15
WORD = 2**64

Floats = NDArray[Any]
Words = NDArray[np.uint64]


def splitmix64(x: int) -> int:
    """The SplitMix64 permutation of the integers modulo 2^64.

    Example:
        >>> hex(splitmix64(0))
        '0xe220a8397b1dcdaf'
    """
    z = (x + GAMMA) % WORD
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


def splitmix64_array(x: Words) -> Words:
    """`splitmix64` of every element."""
    z = x + np.uint64(GAMMA)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def check_seed(seed: object) -> int:
    """The seed itself.

    Raises:
        ArgumentError: It is not an integer from 0 to 2^64 - 1.
    """
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and 0 <= seed < WORD:
        return int(seed)
    raise ArgumentError(f"A seed takes an integer from 0 to 2**64 - 1, got {seed!r}.")


def fold(seed: int, *parts: int | str) -> int:
    """The seed that belongs to a path below a seed.

    For one seed, different integers give different seeds; for one part, so do different seeds.

    Args:
        parts: Names and numbers, outermost first, such as "0.weight" or an epoch.

    Example:
        >>> fold(0, "0.weight"), fold(0, "epoch", 3)
        (4265882959904244518, 13029932519170290824)
    """
    for part in parts:
        seed = splitmix64(splitmix64(check_seed(seed)) ^ _digest(part))
    return seed


def _digest(part: int | str) -> int:
    if isinstance(part, str):
        return int.from_bytes(hashlib.blake2b(part.encode(), digest_size=8).digest(), "little")
    return splitmix64(check_seed(part) ^ GAMMA)


@dataclass(frozen=True)
class SeedStream:
    """A sequence of seeds; streams of different seeds share nothing but chance.

    Args:
        seed: The seed of the stream.
        counter: How many seeds have been drawn.
        draw: (seed, counter) -> the seed at that place.

    Example:
        >>> first, rest = SeedStream(0).next()
        >>> first == rest.next()[0]
        False
    """

    seed: int
    counter: int = 0
    draw: Callable[[int, int], int] = fold

    def __post_init__(self) -> None:
        check_seed(self.seed)

    @classmethod
    def original(cls, seed: int) -> SeedStream:
        """TorchLean's stream. That of seed + 1 is that of seed without its first member."""
        return cls(seed, draw=original_next_seed)

    def next(self) -> tuple[int, SeedStream]:
        """The next seed, and the stream after it."""
        rest = SeedStream(self.seed, self.counter + 1, self.draw)
        return self.draw(self.seed, self.counter), rest

    def take(self, n: int) -> tuple[tuple[int, ...], SeedStream]:
        """The next n seeds, and the stream after them."""
        seeds = tuple(self.draw(self.seed, self.counter + i) for i in range(n))
        return seeds, SeedStream(self.seed, self.counter + n, self.draw)


def key_of(seed: int, counter: int = 0) -> int:
    """The key of draw number `counter` under a seed, for `uniform`, `normal` and `mask`.

    It depends on seed + counter alone, as the original's; seeds of one program come from `fold`.

    Example:
        >>> key_of(0, 1) == key_of(1, 0) != key_of(fold(0, "mask"))
        True
    """
    return splitmix64(check_seed(seed) + counter)


def uniform(key: int, shape: int | tuple[int, ...], dtype: str = "float32") -> Floats:
    """Independent uniform numbers in [0, 1), never 1.

    Element i, in row-major order, is the low 32 bits of `splitmix64(key + i)` over 2^32; float32
    keeps the first 24 of these bits.

    Raises:
        ArgumentError: The key is no seed, or the shape is none.
        DTypeError: The dtype is neither float32 nor float64.

    Example:
        >>> uniform(key_of(0), 2, "float64")
        array([0.30117026, 0.6844469 ])
    """
    return _as_float(_low_words(key, _size(shape)), _check_float(dtype)).reshape(shape)


def normal(key: int, shape: int | tuple[int, ...], dtype: str = "float32") -> Floats:
    """Independent standard normal numbers, none beyond 5.26.

    Raises:
        ArgumentError: The key is no seed, or the shape is none.
        DTypeError: The dtype is neither float32 nor float64.

    Example:
        >>> normal(key_of(0), 2, "float64")
        array([-0.6202167 ,  0.17817309])

    Source:
        Box and Muller 1958, the cosine branch; the uniform is at least 1e-6 under the logarithm.
    """
    u = uniform(key, 2 * _size(shape), "float64")
    radius = np.sqrt(-2.0 * np.log(np.maximum(u[0::2], 1e-6)))
    draws = radius * np.cos(2.0 * np.pi * u[1::2])
    return draws.astype(_check_float(dtype)).reshape(shape)


def mask(key: int, shape: int | tuple[int, ...], keep: float) -> NDArray[np.bool_]:
    """Independent bits, each True with probability `keep`.

    Raises:
        ArgumentError: keep is not in [0, 1].

    Example:
        >>> mask(key_of(0), 4, keep=0.5)
        array([ True, False,  True,  True])
    """
    with named("mask"):
        number("keep", keep, FROM_0_TO_1)
    kept: NDArray[np.bool_] = uniform(key, shape, "float64") < keep
    return kept


def permutation(seed: int, n: int) -> NDArray[np.int64]:
    """The numbers 0 .. n-1 in a random order that depends on seed and n alone.

    Raises:
        ArgumentError: n is no size.

    Example:
        >>> permutation(0, 6)
        array([5, 4, 1, 0, 3, 2])
    """
    # SplitMix64 is a bijection, so the sort keys are distinct and no ties arise.
    start = np.uint64(fold(seed, "permutation"))
    places = np.arange(_size(n), dtype=np.uint64)
    order = np.argsort(splitmix64_array(start + places), kind="stable")
    return order.astype(np.int64, copy=False)


def epoch_order(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The order in which an epoch visits n examples; any epoch can be reached at once.

    Example:
        >>> epoch_order(0, 0, 4), epoch_order(0, 1, 4)
        (array([1, 0, 3, 2]), array([0, 1, 3, 2]))
    """
    return permutation(fold(seed, "epoch", epoch), n)


def jax_key(seed: int) -> jax.Array:
    """The `jax.random` key of a seed, all 64 bits; below 2^32 it is `jax.random.key(seed)`."""
    import jax

    words = jax.numpy.asarray(np.array(divmod(check_seed(seed), 2**32), np.uint32))
    key: jax.Array = jax.random.wrap_key_data(words, impl="threefry2x32")
    return key


def check_key(key: Any) -> None:
    """Raise unless this is one key of `jax.random`, of its own dtype or as two words.

    Raises:
        DTypeError: It is not. The message begins with `takes`.

    Example:
        >>> check_key(jax_key(0))
    """
    import jax

    typed = hasattr(key, "dtype") and jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key)
    try:
        shape = (key if typed else jax.random.wrap_key_data(key)).shape
    except (TypeError, ValueError):
        shape = None
    if shape != ():
        got = f"{key.dtype} {key.shape}" if hasattr(key, "dtype") else type(key).__name__
        raise DTypeError(f"takes one key of jax.random, got {got}.", help="jax.random.key(0).")


def original_next_seed(seed: int, counter: int) -> int:
    """TorchLean's seed number `counter` under a seed: a function of their sum alone."""
    return splitmix64(check_seed(seed) + counter + GAMMA)


def original_lcg_uniform(seed: int, shape: int | tuple[int, ...]) -> NDArray[np.float64]:
    """TorchLean's initial numbers in [0, 1) up to July 2026: the states of an LCG over 2^32.

    Neighbouring small seeds begin almost alike; `uniform(key_of(seed), shape)` does not.
    """
    states = _lcg(check_seed(seed), _size(shape), 1664525, 1013904223, 32)
    return (states.astype(np.float64) / 2.0**32).reshape(shape)


def original_shuffle(seed: int, n: int) -> tuple[NDArray[np.int64], int]:
    """TorchLean's order of a data set of n, and the seed of its next shuffle."""
    states = _lcg(check_seed(seed), n, 1103515245, 12345, 31)
    order = np.argsort(states, kind="stable").astype(np.int64, copy=False)
    return order, int(states[-1]) if n else seed


def _lcg(seed: int, n: int, a: int, c: int, bits: int) -> Words:
    """The first n states after a seed of s -> a s + c modulo 2^bits."""
    # s_k = a^k s + c (1 + a + ... + a^(k-1)); wrapping modulo 2^64 agrees modulo any smaller power.
    powers = np.multiply.accumulate(np.full(n, a, np.uint64))
    sums = np.cumsum(np.concatenate([np.ones(1, np.uint64), powers])[:n], dtype=np.uint64)
    return (powers * np.uint64(seed) + np.uint64(c) * sums) & np.uint64(2**bits - 1)


def _size(shape: int | tuple[int, ...]) -> int:
    sizes = shape if isinstance(shape, tuple) else (shape,)
    if not all(isinstance(n, int | np.integer) and n >= 0 for n in sizes):
        raise ArgumentError(f"A draw takes a shape of sizes of at least 0, got {shape!r}.")
    return math.prod(map(int, sizes))


def _low_words(key: int, n: int) -> Words:
    words = splitmix64_array(np.uint64(check_seed(key)) + np.arange(n, dtype=np.uint64))
    return words & np.uint64(2**32 - 1)


def _as_float(words: Words, dtype: str) -> Floats:
    if dtype == "float64":
        return words.astype(np.float64) / 2.0**32
    # Rounding 32 bits to float32 could give 1; cutting them to 24 cannot.
    return (words >> np.uint64(8)).astype(np.float32) / np.float32(2.0**24)


def _check_float(dtype: str) -> str:
    if dtype not in ("float32", "float64"):
        raise DTypeError(f"A draw takes a dtype of float32, float64, got {dtype}.")
    return dtype
