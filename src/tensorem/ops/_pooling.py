"""The greatest of each window and its derivative, on images with the channels last (N, H, W, C).

XLA:CPU is slow at a reduction over a short axis (3 times the whole of a small network's step) and
at the derivative of one, so a window is read entry by entry, and the derivative goes to the entry
found first. The transposes around it meet those of the convolution, and XLA drops both.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

Array = Any
Pair = tuple[int, int]

FEW = 16
"""Entries of a window up to which it is read entry by entry; programs grow with their number."""


def max_pool(x: Array, *, kernel_size: Pair, stride: Pair, padding: Pair) -> Array:
    """(N, H, W, C) -> (N, H', W', C)."""
    among = _entries(x, -jnp.inf, kernel_size, stride, padding)
    return reduce(jnp.maximum, among) if len(among) <= FEW else jnp.max(jnp.stack(among), axis=0)


def max_pool_tangent(
    x: Array, y: Array, t: Array, *, kernel_size: Pair, stride: Pair, padding: Pair
) -> Array:
    """The entry of t where x first has the value y of its window, row-major."""
    first = _first(y, _entries(x, -jnp.inf, kernel_size, stride, padding))
    if _tiles(x, kernel_size, stride, padding):
        return _picked_of_tiles(first, t, kernel_size)
    entries = _entries(t, 0.0, kernel_size, stride, padding)
    return sum(jnp.where(first == k, entry, 0) for k, entry in enumerate(entries))


def _entries(x: Array, fill: float, kernel: Pair, stride: Pair, padding: Pair) -> list[Array]:
    """The entries of the windows one by one, row-major: images (N, H', W', C)."""
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    rows, cols = (x.shape[1] + 2 * ph - kh) // sh + 1, (x.shape[2] + 2 * pw - kw) // sw + 1
    if padding != (0, 0):
        ends = [(0, 0, 0), (ph, ph, 0), (pw, pw, 0), (0, 0, 0)]
        x = lax.pad(x, jnp.asarray(fill, x.dtype), ends)
    return [
        x[:, i : i + (rows - 1) * sh + 1 : sh, j : j + (cols - 1) * sw + 1 : sw]
        for i in range(kh)
        for j in range(kw)
    ]


def _first(y: Array, among: list[Array]) -> Array:
    """The number of the first array that equals y, entry by entry."""
    if len(among) > FEW:
        return jnp.argmax(jnp.stack(among), axis=0)
    found = jnp.full(y.shape, len(among) - 1, jnp.int32)
    for k in reversed(range(len(among) - 1)):
        found = jnp.where(among[k] == y, k, found)
    return found


def _tiles(x: Array, kernel: Pair, stride: Pair, padding: Pair) -> bool:
    """Every entry lies in one window."""
    _, h, w, _ = x.shape
    return kernel == stride and padding == (0, 0) and h % kernel[0] == 0 and w % kernel[1] == 0


def _picked_of_tiles(first: Array, t: Array, kernel: Pair) -> Array:
    """A sum over tiles, whose transpose is one pass over the image."""
    (n, h, w, c), (kh, kw) = first.shape, kernel
    shape = (n, h, kh, w, kw, c)
    place = np.arange(kh * kw, dtype=np.int32).reshape(1, 1, kh, 1, kw, 1)
    hit = first[:, :, None, :, None] == place
    return jnp.sum(jnp.where(hit, t.reshape(shape), 0), axis=(2, 4))
