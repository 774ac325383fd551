"""What both libraries share: batches in order, a step or an epoch in each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bench.workloads import Tick, Workload

Step = Callable[[Any, Any, Any], tuple[Any, Any]]
"""(state, x, y) -> (state, loss), a pure function of arrays."""


def repeat(step: Step, state: Any, work: Workload, tick: Tick, epochs: bool) -> None:
    """Train for ever, with the state given away; all data lies on the device."""
    x, y = jnp.asarray(work.x), jnp.asarray(work.y)
    advance = _epoch(step) if epochs else _steps(step)
    for number in range(1 << 30):
        state, losses = advance(state, x, y, jnp.asarray(work.order(number)))
        np.asarray(losses)
        tick(work.steps)


def _epoch(step: Step) -> Callable[..., Any]:
    def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
        return jax.lax.scan(lambda state, rows: step(state, x[rows], y[rows]), state, order)

    return jax.jit(epoch, donate_argnums=0)


def _steps(step: Step) -> Callable[..., Any]:
    def one(state: Any, x: Any, y: Any, rows: Any) -> Any:
        return step(state, x[rows], y[rows])

    once = jax.jit(one, donate_argnums=0)

    def steps(state: Any, x: Any, y: Any, order: Any) -> Any:
        losses = []
        for rows in order:
            state, loss = once(state, x, y, rows)
            losses.append(loss)
        return state, jnp.stack(losses)

    return steps


def cross_entropy(logits: Any, y: Any) -> Any:
    """The mean over a batch."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def heat(u: Callable[[Any], Any], x: Any, source: Any) -> Any:
    """The residual u_t - u_xx - f of a function of one point (t, x), squared, the mean."""

    def residual(point: Any) -> Any:
        u_t = jax.grad(lambda t: u(point.at[0].set(t)))(point[0])
        u_xx = jax.grad(jax.grad(lambda x: u(point.at[1].set(x))))(point[1])
        return u_t - u_xx

    return jnp.square(jax.vmap(residual)(x) - source[:, 0]).mean()
