"""Many steps in one program: flat leaves, donated state, optax; an epoch in each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bench.workloads import Tick, Workload

Array = Any
Params = Any
Loss = Callable[[Params, Array, Array], Array]
Buffered = Callable[[Params, Any, Array, Array], tuple[Array, Any]]
"""(params, buffers, x, y) -> (loss, buffers)."""


def train(loss: Loss, params: Params, x: Array, work: Workload, tick: Tick) -> None:
    """Adam on the loss, epoch after epoch, for ever."""

    def buffered(params: Params, buffers: Any, x: Array, y: Array) -> tuple[Array, Any]:
        return loss(params, x, y), buffers

    train_buffered(buffered, params, (), x, work, tick)


def train_buffered(
    loss: Buffered, params: Params, buffers: Any, x: Array, work: Workload, tick: Tick
) -> None:
    """`train`, with arrays that a step changes without a gradient."""
    transform = optax.adam(1e-3)
    epoch = _epoch(loss, transform)
    state = transform.init(params), buffers
    x, y = jnp.asarray(x), jnp.asarray(work.y)
    for number in range(1 << 30):
        order = jnp.asarray(work.order(number))
        params, state, losses = epoch(params, state, x, y, order, 0, work.steps)
        np.asarray(losses)
        tick(work.steps)


def _epoch(loss: Buffered, transform: optax.GradientTransformation) -> Callable[..., Any]:
    def epoch(
        params: Params, state: Any, x: Array, y: Array, order: Array, start: Array, stop: Array
    ) -> Any:
        def step(i: Array, carry: Any) -> Any:
            params, (state, buffers), losses = carry
            grad = jax.value_and_grad(loss, has_aux=True)
            (value, buffers), grads = grad(params, buffers, x[order[i]], y[order[i]])
            updates, state = transform.update(grads, state, params)
            params = optax.apply_updates(params, updates)
            return params, (state, buffers), losses.at[i].set(value)

        losses = jnp.zeros(order.shape[0])
        return jax.lax.fori_loop(start, stop, step, (params, state, losses))

    return jax.jit(epoch, donate_argnums=(0, 1))


def cross_entropy(logits: Array, y: Array) -> Array:
    """The mean over a batch; one-hot, since a gather's gradient is a scatter."""
    picked = jnp.where(y[:, None] == jnp.arange(logits.shape[1]), jax.nn.log_softmax(logits), 0)
    return -jnp.sum(picked) / logits.shape[0]


def uniform(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> Array:
    """PyTorch's initial values."""
    return jnp.asarray(rng.uniform(-(fan_in**-0.5), fan_in**-0.5, shape), jnp.float32)
