"""Flax NNX: modules split into a graph and a state, and pure steps over that state."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from bench.workloads import Tick, Workload

from .loop import cross_entropy, heat, repeat


def train(work: Workload, tick: Tick, epochs: bool) -> None:
    """Train for ever."""
    model = NETWORKS[work.kind](nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)
    graph, state = nnx.split((model, optimizer))
    loss_of = _heat if work.kind == "pinn" else _classes

    def step(state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        model, optimizer = nnx.merge(graph, state)
        loss, grads = nnx.value_and_grad(loss_of)(model, x, y)
        optimizer.update(model, grads)
        return nnx.state((model, optimizer)), loss

    x = work.x.transpose(0, 2, 3, 1) if work.x.ndim == 4 else work.x
    repeat(step, state, _with(work, x), tick, epochs)


def _with(work: Workload, x: Any) -> Workload:
    return Workload(work.kind, x, work.y, work.batch)


def _classes(model: Any, x: Any, y: Any) -> Any:
    return cross_entropy(model(x), y)


def _heat(model: Any, x: Any, source: Any) -> Any:
    return heat(lambda point: model(point)[0], x, source)


def _pool(x: Any) -> Any:
    return nnx.max_pool(x, (2, 2), (2, 2))


def _flat(x: Any) -> Any:
    return x.reshape(x.shape[0], -1)


def _perceptron(act: Callable[[Any], Any], *sizes: int) -> Callable[[Any], Any]:
    def make(rngs: Any) -> Any:
        parts: list[Any] = []
        for i, o in itertools.pairwise(sizes):
            parts += [nnx.Linear(i, o, rngs=rngs), act]
        return nnx.Sequential(*parts[:-1])

    return make


def _cnn(rngs: Any) -> Any:
    conv = nnx.Conv(1, 16, (3, 3), rngs=rngs)
    return nnx.Sequential(conv, nnx.relu, _pool, _flat, nnx.Linear(256, 10, rngs=rngs))


def _color(rngs: Any) -> Any:
    first = nnx.Conv(3, 32, (3, 3), rngs=rngs), nnx.relu, _pool
    second = nnx.Conv(32, 64, (3, 3), rngs=rngs), nnx.relu, _pool
    return nnx.Sequential(*first, *second, _flat, nnx.Linear(4096, 10, rngs=rngs))


class _Normed(nnx.Module):
    def __init__(self, before: int, now: int, size: int, stride: int, rngs: Any) -> None:
        self.conv = nnx.Conv(before, now, (size, size), stride, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(now, momentum=0.9, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.norm(self.conv(x))


class _Block(nnx.Module):
    def __init__(self, before: int, now: int, stride: int, rngs: Any) -> None:
        self.first = _Normed(before, now, 3, stride, rngs)
        self.second = _Normed(now, now, 3, 1, rngs)
        self.skip = None if before == now else _Normed(before, now, 1, stride, rngs)

    def __call__(self, x: Any) -> Any:
        y = self.second(nnx.relu(self.first(x)))
        return nnx.relu(y + (x if self.skip is None else self.skip(x)))


def _resnet(rngs: Any) -> Any:
    blocks: list[Any] = []
    for before, now in ((16, 16), (16, 32), (32, 64), (64, 128)):
        stride = 1 if before == now else 2
        blocks += [_Block(before, now, stride, rngs), _Block(now, now, 1, rngs)]
    stem, head = _Normed(3, 16, 3, 1, rngs), nnx.Linear(128, 10, rngs=rngs)
    return nnx.Sequential(stem, nnx.relu, *blocks, lambda x: x.mean((1, 2)), head)


class _Layer(nnx.Module):
    """A pre-norm layer; attention by JAX's function, one product for queries, keys and values."""

    def __init__(self, causal: bool, rngs: Any) -> None:
        self.causal = causal
        self.norm1, self.norm2 = (nnx.LayerNorm(128, epsilon=1e-5, rngs=rngs) for _ in range(2))
        self.qkv, self.out = nnx.Linear(128, 384, rngs=rngs), nnx.Linear(128, 128, rngs=rngs)
        self.up, self.down = nnx.Linear(128, 512, rngs=rngs), nnx.Linear(512, 128, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        n, t, d = x.shape
        q, k, v = jnp.split(self.qkv(self.norm1(x)).reshape(n, t, 12, d // 4), 3, 2)
        y = jax.nn.dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(y.reshape(n, t, d))
        return x + self.down(jax.nn.gelu(self.up(self.norm2(x)), approximate=False))


class _Transformer(nnx.Module):
    def __init__(self, start: Any, places: int, depth: int, classes: int, rngs: Any) -> None:
        self.start, self.causal = start, isinstance(start, nnx.Embed)
        self.place = nnx.Param(0.02 * jax.random.normal(rngs(), (places, 128)))
        self.layers = nnx.List([_Layer(self.causal, rngs) for _ in range(depth)])
        self.norm = nnx.LayerNorm(128, epsilon=1e-5, rngs=rngs)
        self.head = nnx.Linear(128, classes, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = self.start(x)
        x = x.reshape(x.shape[0], -1, 128) + self.place[...]
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        return self.head(x if self.causal else x.mean(1))


def _vit(rngs: Any) -> Any:
    patch = nnx.Conv(3, 128, (4, 4), 4, padding="VALID", rngs=rngs)
    return _Transformer(patch, 64, 6, 10, rngs)


def _gpt(rngs: Any) -> Any:
    return _Transformer(nnx.Embed(256, 128, rngs=rngs), 128, 4, 256, rngs)


def _lstm(rngs: Any) -> Any:
    cell = nnx.RNN(nnx.OptimizedLSTMCell(64, 128, rngs=rngs))
    return nnx.Sequential(cell, lambda y: y[:, -1], nnx.Linear(128, 10, rngs=rngs))


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "mlp": _perceptron(nnx.relu, 784, 128, 128, 10),
    "cnn": _cnn,
    "color": _color,
    "resnet": _resnet,
    "vit": _vit,
    "gpt": _gpt,
    "lstm": _lstm,
    "pinn": _perceptron(jnp.tanh, 2, 64, 64, 64, 1),
}
