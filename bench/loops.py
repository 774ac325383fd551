"""The ways to train that `bench.fits` compares."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bench.fits import FIT, LOOP, LOOP_IN_PARTS
from bench.networks.ours import model
from bench.ours import fit
from bench.variants import Train
from bench.workloads import Tick, Workload
from tensorem import data, losses, optim, runtime, train


def fits() -> dict[str, Train]:
    """Every way to train, by name."""
    return {
        FIT: fit,
        LOOP: lambda work, tick: _by_hand(work, tick, parts=1),
        LOOP_IN_PARTS: lambda work, tick: _by_hand(work, tick, parts=2),
        "fit, a stream": _streamed,
        "fit, a step callback": _with(callbacks=(train.on_step(lambda event: None),)),
        "fit, a log of each step": _written(checkpoint_every=1 << 30, log_every=1),
        "fit, a checkpoint each epoch": _written(),
        "fit, accumulate=2": _with(backend=train.Compute(accumulate=2)),
        "fit, groups": _with(
            optimizer=optim.groups({"*.bias": optim.adam(2e-3), "*": optim.adam(1e-3)})
        ),
        "fit, EMA": _with(callbacks=(train.EMA(0.999),)),
    }


def _with(**more: Any) -> Train:
    return lambda work, tick: fit(work, tick, **more)


def _written(**more: Any) -> Train:
    """A run with a folder, which is gone afterwards."""

    def go(work: Workload, tick: Tick) -> None:
        with tempfile.TemporaryDirectory() as folder:
            fit(work, tick, path=f"{folder}/run", **more)

    return go


def _streamed(work: Workload, tick: Tick) -> None:
    examples = data.Dataset(work.x, work.y)
    fit(work, tick, data=data.Loader(examples, batch_size=work.batch, shuffle=True))


def _by_hand(work: Workload, tick: Tick, parts: int) -> None:
    """The same network and arithmetic in a loop over an epoch: what remains is what `fit` costs."""
    runtime.prepare()
    net = model(work.kind)
    transform = optim.adam(1e-3).transform()
    state = dict(net.params), dict(net.buffers), transform.init(dict(net.params))
    epoch = _epoch(_gradient(net, parts), transform)
    x, y = jnp.asarray(work.x), jnp.asarray(work.y)
    for number in range(1 << 30):
        state, values = epoch(state, x, y, jnp.asarray(work.order(number)))
        np.asarray(values)
        tick(work.steps)


def _gradient(net: Any, parts: int) -> Callable[..., Any]:
    def value(params: Any, buffers: Any, x: Any, y: Any) -> Any:
        output, after = net.train_apply(params, buffers, x, key=jax.random.key(0))
        total, count = losses.cross_entropy(output, y)
        return total / count, (after, _right(output, y))

    def whole(params: Any, buffers: Any, x: Any, y: Any) -> Any:
        (loss, (buffers, right)), grads = jax.value_and_grad(value, has_aux=True)(
            params, buffers, x, y
        )
        return grads, buffers, jnp.stack([loss, right])

    def in_parts(params: Any, buffers: Any, x: Any, y: Any) -> Any:
        cut = jax.tree.map(lambda a: a.reshape(parts, -1, *a.shape[1:]), (x, y))

        def add(sums: Any, part: Any) -> tuple[Any, None]:
            grads, buffers, row = whole(params, sums[1], *part)
            more = jax.tree.map(jnp.add, (sums[0], sums[2]), (grads, row))
            return (more[0], buffers, more[1]), None

        start = jax.tree.map(jnp.zeros_like, params), buffers, jnp.zeros(2)
        (grads, buffers, row), _ = jax.lax.scan(add, start, cut)
        return jax.tree.map(lambda g: g / parts, grads), buffers, row / parts

    return whole if parts == 1 else in_parts


def _right(output: Any, y: Any) -> Any:
    return (output.argmax(-1) == y).mean()


def _epoch(gradient: Callable[..., Any], transform: Any) -> Callable[..., Any]:
    def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
        def step(i: Any, carry: Any) -> Any:
            (params, buffers, moments), rows = carry
            grads, buffers, row = gradient(params, buffers, x[order[i]], y[order[i]])
            updates, moments = transform.update(grads, moments, params)
            return (optax.apply_updates(params, updates), buffers, moments), rows.at[i].set(row)

        rows = jnp.zeros((order.shape[0], 2))
        return jax.lax.fori_loop(0, order.shape[0], step, (state, rows))

    return jax.jit(epoch, donate_argnums=0)
