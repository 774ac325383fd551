"""A physics-informed perceptron: derivatives in time and space by forward mode, twice in space."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.workloads import Tick, Workload

from .loop import Array, train, uniform


def pinn(work: Workload, tick: Tick) -> None:
    """Train for ever."""
    rng, leaves = np.random.default_rng(0), []
    for i, o in ((2, 64), (64, 64), (64, 64), (64, 1)):
        leaves += [uniform(rng, (i, o), i), uniform(rng, (o,), i)]
    train(_residual, tuple(leaves), work.x, work, tick)


def _residual(params: Any, x: Array, source: Array) -> Array:
    along_t, along_x = (jnp.zeros_like(x).at[:, axis].set(1) for axis in (0, 1))

    def u(x: Array) -> Array:
        *hidden, (weight, bias) = zip(params[::2], params[1::2], strict=True)
        for w, b in hidden:
            x = jnp.tanh(x @ w + b)
        return x @ weight + bias

    def u_x(x: Array) -> Array:
        return jax.jvp(u, (x,), (along_x,))[1]

    _, u_t = jax.jvp(u, (x,), (along_t,))
    _, u_xx = jax.jvp(u_x, (x,), (along_x,))
    return jnp.square(u_t - u_xx - source).mean()
