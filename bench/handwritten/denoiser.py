"""A denoiser of images, channels last: a U-Net of two levels whose blocks see the step."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.workloads import Tick, Workload

from .images import conv
from .loop import Array, train_buffered, uniform

_STEPS = 1000


def diffusion(work: Workload, tick: Tick) -> None:
    """Train for ever; the draws of a step come from a count of steps."""
    rng = np.random.default_rng(0)
    params = {
        "time": (_linear(rng, 128, 128), _linear(rng, 128, 128)),
        "enter": _conv(rng, 3, 1, 32), "leave": _conv(rng, 3, 32, 1), "norm": _norm_params(32),
        "down": _block_params(rng, 32, 32), "below": _block_params(rng, 32, 64),
        "join": _block_params(rng, 64, 32), "up": _conv(rng, 2, 64, 32),
    }  # fmt: skip
    x = work.x.transpose(0, 2, 3, 1)
    train_buffered(_missed, params, jnp.zeros((), jnp.int32), x, work, tick)


def _linear(rng: np.random.Generator, i: int, o: int) -> tuple[Array, Array]:
    return uniform(rng, (i, o), i), uniform(rng, (o,), i)


def _conv(rng: np.random.Generator, size: int, i: int, o: int) -> tuple[Array, Array]:
    return uniform(rng, (size, size, i, o), size * size * i), uniform(rng, (o,), size * size * i)


def _norm_params(channels: int) -> tuple[Array, Array]:
    return jnp.ones(channels), jnp.zeros(channels)


def _block_params(rng: np.random.Generator, before: int, after: int) -> dict[str, Any]:
    skip = {} if before == after else {"skip": _linear(rng, before, after)}
    return {
        "norm1": _norm_params(before), "conv1": _conv(rng, 3, before, after),
        "norm2": _norm_params(after), "conv2": _conv(rng, 3, after, after),
        "time": _linear(rng, 128, after), **skip,
    }  # fmt: skip


def _missed(params: Any, count: Array, x: Array, _: Array) -> tuple[Array, Array]:
    steps, draws = jax.random.split(jax.random.key(count))
    t = jax.random.randint(steps, (x.shape[0],), 0, _STEPS)
    noise = jax.random.normal(draws, x.shape)
    kept = jnp.cumprod(1 - jnp.linspace(1e-4, 0.02, _STEPS))[t][:, None, None, None]
    said = _said(params, jnp.sqrt(kept) * x + jnp.sqrt(1 - kept) * noise, t)
    return jnp.square(said - noise).mean(), count + 1


def _said(params: Any, x: Array, t: Array) -> Array:
    angles = t[:, None] * jnp.exp(jnp.arange(64) * (-math.log(10000) / 64))
    e = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], 1)
    e = jax.nn.silu(_through(params["time"][1], jax.nn.silu(_through(params["time"][0], e))))
    x = _block(params["down"], _convolved(params["enter"], x), e)
    n, h, w, c = x.shape
    small = x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))
    y = _doubled(params["up"], _block(params["below"], small, e))
    y = _block(params["join"], jnp.concatenate([x, y], -1), e)
    return _convolved(params["leave"], jax.nn.silu(_group_norm(params["norm"], y)))


def _block(params: Any, x: Array, e: Array) -> Array:
    h = _convolved(params["conv1"], jax.nn.silu(_group_norm(params["norm1"], x)))
    h = h + _through(params["time"], e)[:, None, None]
    h = _convolved(params["conv2"], jax.nn.silu(_group_norm(params["norm2"], h)))
    return h + (_through(params["skip"], x) if "skip" in params else x)


def _through(linear: Any, x: Array) -> Array:
    return x @ linear[0] + linear[1]


def _convolved(params: Any, x: Array) -> Array:
    return conv(x, params[0], 1) + params[1]


def _doubled(params: Any, x: Array) -> Array:
    """A transposed convolution of 2x2 with stride 2: one product, and its parts side by side."""
    n, h, w, _ = x.shape
    y = jnp.einsum("nhwc,ijco->nhiwjo", x, params[0])
    return y.reshape(n, 2 * h, 2 * w, -1) + params[1]


def _group_norm(params: Any, x: Array) -> Array:
    n, h, w, c = x.shape
    parts = x.reshape(n, h * w, 8, c // 8)
    centred = parts - parts.mean((1, 3), keepdims=True)
    scaled = centred * lax.rsqrt(jnp.square(centred).mean((1, 3), keepdims=True) + 1e-5)
    return scaled.reshape(x.shape) * params[0] + params[1]
