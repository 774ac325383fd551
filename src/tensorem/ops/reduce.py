"""Sums, means and extremes over axes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp

from . import _specs
from ._derive import row

Array = Any
Dims = tuple[int, ...]


def _argmax_shape(x: Any, *, dim: int) -> Any:
    return replace(_specs.without(x, (dim,)), dtype="int32")


def _along_shape(x: Any, *, dim: int) -> Any:
    _specs.axis(dim, len(x.shape))
    return x


def _argmax(x: Array, *, dim: int) -> Array:
    return jnp.argmax(x, axis=dim).astype(jnp.int32)


sum = row("sum", 1, _specs.reduced, lambda x, *, dims: jnp.sum(x, axis=dims, dtype=x.dtype))
mean = row("mean", 1, _specs.reduced, lambda x, *, dims: jnp.mean(x, axis=dims))
amax = row("amax", 1, _specs.reduced, lambda x, *, dims: jnp.max(x, axis=dims))
amin = row("amin", 1, _specs.reduced, lambda x, *, dims: jnp.min(x, axis=dims))
argmax = row("argmax", 1, _argmax_shape, _argmax)
cumsum = row("cumsum", 1, _along_shape, lambda x, *, dim: jnp.cumsum(x, axis=dim, dtype=x.dtype))
