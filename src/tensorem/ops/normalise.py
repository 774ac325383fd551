"""Softmax and normalisations: composites of the rows above."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from tensorem.errors import ShapeError
from tensorem.shapes import format_shape

from . import _specs
from ._derive import row

Array = Any


def _softmax_shape(x: Any, *, dim: int) -> Any:
    _specs.axis(dim, len(x.shape))
    return x


def _batch_norm_shape(x: Any, weight: Any, bias: Any, mean: Any, var: Any, *, eps: float) -> Any:
    if len(x.shape) < 2:
        raise ShapeError(f"takes (N, C, *), got {format_shape(x.shape)}.")
    for p in (weight, bias, mean, var):
        _specs.require_equal((x.shape[1],), p.shape)
    return x


def _layer_norm_shape(x: Any, weight: Any, bias: Any, *, ndim: int, eps: float) -> Any:
    for p in (weight, bias):
        _specs.require_equal(x.shape[len(x.shape) - ndim :], p.shape)
    return x


def _batch_norm(
    x: Array, weight: Array, bias: Array, mean: Array, var: Array, *, eps: float
) -> Array:
    shape = (1, -1) + (1,) * (x.ndim - 2)
    scale = weight * jax.lax.rsqrt(var + eps)
    return (x - mean.reshape(shape)) * scale.reshape(shape) + bias.reshape(shape)


def _layer_norm(x: Array, weight: Array, bias: Array, *, ndim: int, eps: float) -> Array:
    axes = tuple(range(x.ndim - ndim, x.ndim))
    centred = x - jnp.mean(x, axis=axes, keepdims=True)
    var = jnp.mean(centred * centred, axis=axes, keepdims=True)
    lead = (1,) * (x.ndim - ndim)
    y = centred * jax.lax.rsqrt(var + eps)
    return y * weight.reshape(lead + weight.shape) + bias.reshape(lead + bias.shape)


softmax = row("softmax", 1, _softmax_shape, lambda x, *, dim: jax.nn.softmax(x, axis=dim))
log_softmax = row(
    "log_softmax", 1, _softmax_shape, lambda x, *, dim: jax.nn.log_softmax(x, axis=dim)
)
batch_norm = row("batch_norm", 5, _batch_norm_shape, _batch_norm)
layer_norm = row("layer_norm", 3, _layer_norm_shape, _layer_norm)
