"""The digits network, channels last throughout; rules of one's own where XLA's are slow on a CPU.

- 3x3 convolution of one channel: nine shifted images one after the other, then one product of
  matrices that sums over them (2.5 times as fast as XLA's convolution). Images are data, so no
  gradient goes there.
- 2x2 max pooling: the maximum of four strided slices; the gradient goes to the first maximum,
  found once at the pooled size (autodiff of the maximum is 2 to 6 times slower).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.workloads import Tick, Workload

from .loop import Array, Params, cross_entropy, uniform
from .loop import train as train_loop


def train(work: Workload, tick: Tick) -> None:
    """Train for ever."""
    train_loop(_loss, _params(), work.x.transpose(0, 2, 3, 1), work, tick)


def _params() -> Params:
    rng = np.random.default_rng(0)
    shapes = [((3, 3, 1, 16), 9), ((16,), 9), ((256, 10), 256), ((10,), 256)]
    return tuple(uniform(rng, shape, fan_in) for shape, fan_in in shapes)


def _loss(params: Params, x: Array, y: Array) -> Array:
    kernel, bias, weight, offset = params
    h = max_pool(jax.nn.relu(_conv(x, kernel) + bias))
    return cross_entropy(h.reshape(h.shape[0], -1) @ weight + offset, y)


def _conv(x: Array, kernel: Array) -> Array:
    n, h, w, _ = x.shape
    framed = jnp.pad(x[None, ..., 0], ((0, 0), (0, 0), (1, 1), (1, 1)))
    wide = jnp.concatenate([framed[..., j : j + w] for j in range(3)])
    patches = jnp.concatenate([wide[:, :, i : i + h] for i in range(3)])
    product = lax.dot_general(
        patches.reshape(9, -1), kernel.reshape(9, -1), (((0,), (0,)), ((), ()))
    )
    return product.reshape(n, h, w, -1)


@jax.custom_vjp
def max_pool(x: Array) -> Array:
    """The largest value of each 2x2 window of (N, H, W, C)."""
    return _pooled(x)[0]


def _pooled(x: Array) -> tuple[Array, Array]:
    a, b, c, d = (x[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
    top = jnp.maximum(jnp.maximum(a, b), jnp.maximum(c, d))
    first = jnp.where(a == top, 0, jnp.where(b == top, 1, jnp.where(c == top, 2, 3)))
    return top, first


def _unpooled(first: Array, g: Array) -> tuple[Array]:
    n, h, w, c = g.shape
    shape = (n, h, 2, w, 2, c)
    place = 2 * lax.broadcasted_iota(jnp.int32, shape, 2) + lax.broadcasted_iota(
        jnp.int32, shape, 4
    )
    spread = jnp.where(first[:, :, None, :, None] == place, g[:, :, None, :, None], 0)
    return (spread.reshape(n, 2 * h, 2 * w, c),)


max_pool.defvjp(_pooled, _unpooled)
