"""Convolutional networks on images of 32x32, channels last, with the gradients spelled out.

A gradient convolution that JAX derives keeps another order inside a loop, where XLA:CPU has only
naive code for it; here both are convolutions in the order that it is fast on.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.workloads import Tick, Workload

from .cnn import max_pool
from .loop import Array, cross_entropy, train_buffered, uniform
from .loop import train as train_loop

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def color(work: Workload, tick: Tick) -> None:
    """Train the CNN for ever."""
    rng = np.random.default_rng(0)
    shapes = [((3, 3, 3, 32), 27), ((32,), 27), ((3, 3, 32, 64), 288), ((64,), 288)]
    head = [((4096, 10), 4096), ((10,), 4096)]
    params = tuple(uniform(rng, shape, fan_in) for shape, fan_in in [*shapes, *head])
    train_loop(_color, params, work.x.transpose(0, 2, 3, 1), work, tick)


def _color(params: Any, x: Array, y: Array) -> Array:
    k0, b0, k1, b1, weight, bias = params
    h = max_pool(jax.nn.relu(conv(x, k0, 1) + b0))
    h = max_pool(jax.nn.relu(conv(h, k1, 1) + b1))
    return cross_entropy(h.reshape(h.shape[0], -1) @ weight + bias, y)


def resnet(width: int, work: Workload, tick: Tick) -> None:
    """Train ResNet-18 for ever."""
    rng, params, buffers = np.random.default_rng(0), [], []
    for size, before, now in _convolutions(width):
        params += [uniform(rng, (size, size, before, now), size * size * before)]
        params += [jnp.ones(now), jnp.zeros(now)]
        buffers += [(jnp.zeros(now), jnp.ones(now))]
    params += [uniform(rng, (8 * width, 10), 8 * width), uniform(rng, (10,), 8 * width)]
    x = work.x.transpose(0, 2, 3, 1)
    train_buffered(_resnet, tuple(params), tuple(buffers), x, work, tick)


def _convolutions(width: int) -> list[tuple[int, int, int]]:
    """Kernel size and channels of each, in the order in which they are called."""
    found, before = [(3, 3, width)], width
    for now in (width, 2 * width, 4 * width, 8 * width):
        found += [(3, before, now), (3, now, now)]
        found += [] if before == now else [(1, before, now)]
        found += [(3, now, now)] * 2
        before = now
    return found


def _resnet(params: Any, buffers: Any, x: Array, y: Array) -> tuple[Array, Any]:
    arrays, running, after = iter(params[:-2]), iter(buffers), []

    def normed(x: Array, stride: int = 1) -> Array:
        y = conv(x, next(arrays), stride)
        y, now = _batch_norm(y, next(arrays), next(arrays), *next(running))
        after.append(now)
        return y

    h = jax.nn.relu(normed(x))
    for stage in range(4):
        for block in range(2):
            changes = bool(stage) and not block
            z = normed(jax.nn.relu(normed(h, 2 if changes else 1)))
            h = jax.nn.relu(z + (normed(h, 2) if changes else h))
    logits = h.mean((1, 2)) @ params[-2] + params[-1]
    return cross_entropy(logits, y), tuple(after)


def _batch_norm(
    x: Array, weight: Array, bias: Array, mean: Array, var: Array
) -> tuple[Array, tuple[Array, Array]]:
    count = x.size // x.shape[-1]
    centre = x.mean((0, 1, 2))
    spread = jnp.square(x - centre).mean((0, 1, 2))
    y = (x - centre) * (weight * lax.rsqrt(spread + 1e-5)) + bias
    kept = 0.9 * mean + 0.1 * centre, 0.9 * var + 0.1 * spread * count / (count - 1)
    return y, lax.stop_gradient(kept)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv(x: Array, k: Array, stride: int) -> Array:
    """x (N, H, W, C) with k (s, s, C, O), padded so that stride 1 keeps the size."""
    pad = k.shape[0] // 2
    return lax.conv_general_dilated(
        x, k, (stride, stride), [(pad, pad)] * 2, dimension_numbers=_LAYOUT
    )


def _forward(x: Array, k: Array, stride: int) -> tuple[Array, Any]:
    return conv(x, k, stride), (x, k)


def _backward(stride: int, kept: Any, g: Array) -> tuple[Array, Array]:
    x, k = kept
    size, pad = k.shape[0], k.shape[0] // 2
    rest = x.shape[1] - ((g.shape[1] - 1) * stride + 1)
    flipped = k[::-1, ::-1].transpose(0, 1, 3, 2)
    low = size - 1 - pad
    dx = lax.conv_general_dilated(
        g, flipped, (1, 1), [(low, rest + pad)] * 2, lhs_dilation=(stride, stride),
        dimension_numbers=_LAYOUT,
    )  # fmt: skip
    pads = [(pad, size - 1 - pad - rest)] * 2
    dk = lax.conv_general_dilated(
        x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3), (1, 1), pads,
        rhs_dilation=(stride, stride), dimension_numbers=_LAYOUT,
    )  # fmt: skip
    return dx, dk.transpose(1, 2, 0, 3)


conv.defvjp(_forward, _backward)
