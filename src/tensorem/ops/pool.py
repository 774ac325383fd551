"""Pooling over windows of an image (N, C, H, W)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tensorem.shapes import pool_size

from . import _specs
from ._derive import row

Array = Any
Pair = tuple[int, int]


def _pool_shape(x: Any, *, kernel_size: Pair, stride: Pair, padding: Pair) -> Any:
    _specs.rank(x, 4)
    sizes = [
        pool_size(n, k, s, p)
        for n, k, s, p in zip(x.shape[2:], kernel_size, stride, padding, strict=True)
    ]
    return replace(x, shape=(*x.shape[:2], *sizes))


def windows(x: Array, fill: float, *, kernel_size: Pair, stride: Pair, padding: Pair) -> Array:
    """The windows of an image: (N, C, H, W) -> (N, C, H', W', kh*kw), row-major within a window."""
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (ph, pw) = kernel_size, stride, padding
    if kernel_size == stride and padding == (0, 0) and h % kh == 0 and w % kw == 0:
        tiles = jnp.reshape(x, (n, c, h // kh, kh, w // kw, kw))
        return jnp.reshape(jnp.transpose(tiles, (0, 1, 2, 4, 3, 5)), (n, c, h // kh, w // kw, -1))
    x = lax.pad(x, jnp.asarray(fill, x.dtype), [(0, 0, 0)] * 2 + [(ph, ph, 0), (pw, pw, 0)])
    rows, cols = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    cut = [
        x[:, :, i : i + (rows - 1) * sh + 1 : sh, j : j + (cols - 1) * sw + 1 : sw]
        for i in range(kh)
        for j in range(kw)
    ]
    return jnp.stack(cut, axis=-1)


def _max_pool(x: Array, **attrs: Any) -> Array:
    return jnp.max(windows(x, -np.inf, **attrs), axis=-1)


def _max_pool_jvp(y: Array, xs: Any, ts: Any, **attrs: Any) -> Array:
    """The tangent of the first maximum in row-major order, as in PyTorch."""
    parts = windows(xs[0], -np.inf, **attrs)
    first = jnp.argmax(parts, axis=-1, keepdims=True)
    mask = (first == jnp.arange(parts.shape[-1])).astype(y.dtype)
    return jnp.sum(mask * windows(ts[0], 0.0, **attrs), axis=-1)


def _avg_pool(x: Array, *, kernel_size: Pair, **attrs: Any) -> Array:
    total = jnp.sum(windows(x, 0.0, kernel_size=kernel_size, **attrs), axis=-1)
    return total / (kernel_size[0] * kernel_size[1])


max_pool2d = row("max_pool2d", 1, _pool_shape, _max_pool, jvp=_max_pool_jvp)
avg_pool2d = row("avg_pool2d", 1, _pool_shape, _avg_pool)
