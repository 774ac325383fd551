"""LSTM, GRU and a selective state space: all products with the input come before the loop."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.workloads import Tick, Workload

from .loop import Array, cross_entropy, train, uniform

_INPUTS, _HIDDEN = 64, 128


def recurrent(kind: str, work: Workload, tick: Tick) -> None:
    """Train an LSTM or a GRU for ever."""
    rng, gates = np.random.default_rng(0), 4 if kind == "lstm" else 3
    shapes = [(_INPUTS, gates * _HIDDEN), (_HIDDEN, gates * _HIDDEN)]
    shapes_of_bias: list[tuple[int, ...]] = [(gates * _HIDDEN,)] * 2
    head: list[tuple[int, ...]] = [(_HIDDEN, 10), (10,)]
    params = tuple(uniform(rng, s, _HIDDEN) for s in [*shapes, *shapes_of_bias, *head])
    train(partial(_loss, _lstm if kind == "lstm" else _gru), params, work.x, work, tick)


def _loss(cell: Any, params: Any, x: Array, y: Array) -> Array:
    into, within, bias, bias_within, weight, offset = params
    a = jnp.swapaxes(x, 0, 1) @ into + bias
    start = jnp.zeros((2, x.shape[0], _HIDDEN))
    (h, _), _ = lax.scan(partial(cell, within, bias_within), (start[0], start[1]), a)
    return cross_entropy(h @ weight + offset, y)


def _lstm(weight: Array, bias: Array, state: Any, a: Array) -> Any:
    h, c = state
    z = a + h @ weight + bias
    (i, f, _, o), g = jnp.split(jax.nn.sigmoid(z), 4, -1), jnp.tanh(z[:, 2 * _HIDDEN : 3 * _HIDDEN])
    c = f * c + i * g
    return (o * jnp.tanh(c), c), None


def _gru(weight: Array, bias: Array, state: Any, a: Array) -> Any:
    h, unused = state
    p, two = h @ weight + bias, 2 * _HIDDEN
    r, z = jnp.split(jax.nn.sigmoid(a[:, :two] + p[:, :two]), 2, -1)
    n = jnp.tanh(a[:, two:] + r * p[:, two:])
    return ((1 - z) * n + z * h, unused), None


def ssm(work: Workload, tick: Tick) -> None:
    """Train a Mamba block for ever."""
    rng, inner, rank, n = np.random.default_rng(0), 128, 4, 16
    steps = np.exp(rng.uniform(np.log(0.001), np.log(0.1), inner))
    params = {
        "into": uniform(rng, (_INPUTS, 2 * inner), _INPUTS),
        "conv": (uniform(rng, (4, inner), 4), uniform(rng, (inner,), 4)),
        "project": uniform(rng, (inner, rank + 2 * n), inner),
        "step": (uniform(rng, (rank, inner), rank), jnp.float32(steps + np.log(-np.expm1(-steps)))),
        "log": jnp.tile(jnp.log(jnp.arange(1.0, n + 1)), (inner, 1)),
        "skip": jnp.ones(inner),
        "out": uniform(rng, (inner, _INPUTS), inner),
        "head": (uniform(rng, (_INPUTS, 10), _INPUTS), uniform(rng, (10,), _INPUTS)),
    }
    train(_ssm, params, work.x, work, tick)


def _ssm(params: Any, x: Array, y: Array) -> Array:
    x, z = jnp.split(x @ params["into"], 2, -1)
    kernel, bias = params["conv"]
    padded = jnp.pad(x, ((0, 0), (3, 0), (0, 0)))
    x = jax.nn.silu(sum(padded[:, i : i + x.shape[1]] * kernel[i] for i in range(4)) + bias)
    step, b, c = jnp.split(x @ params["project"], (4, 20), -1)
    step = jax.nn.softplus(step @ params["step"][0] + params["step"][1])
    h = _scan(-jnp.exp(params["log"]), x, step, b, c) + params["skip"] * x
    h = ((h * jax.nn.silu(z)) @ params["out"]).mean(1)
    return cross_entropy(h @ params["head"][0] + params["head"][1], y)


def _scan(a: Array, *arrays: Array) -> Array:
    @jax.checkpoint
    def turn(h: Array, now: Any) -> Any:
        x, step, b, c = now
        h = jnp.exp(step[..., None] * a) * h + (step * x)[..., None] * b[:, None]
        return h, (h * c[:, None]).sum(-1)

    x = arrays[0]
    stacks = [jnp.swapaxes(array, 0, 1) for array in arrays]
    _, y = lax.scan(turn, jnp.zeros((x.shape[0], *a.shape)), stacks)
    return jnp.swapaxes(y, 0, 1)
