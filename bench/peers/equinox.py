"""Equinox: modules of one example under `jax.vmap`, split into arrays and the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from bench.workloads import Tick, Workload

from .loop import cross_entropy, heat, repeat


def train(work: Workload, tick: Tick, epochs: bool) -> None:
    """Train for ever."""
    keys = iter(jax.random.split(jax.random.key(0), 1000))
    model = NETWORKS[work.kind](keys)
    model, memory = model if isinstance(model, tuple) else (model, None)
    params, static = eqx.partition(model, eqx.is_inexact_array)
    transform = optax.adam(1e-3)
    loss_of = _heat if work.kind == "pinn" else _classes

    def value(params: Any, memory: Any, x: Any, y: Any) -> Any:
        return loss_of(eqx.combine(params, static), memory, x, y)

    def step(state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        params, memory, moments = state
        (loss, memory), grads = jax.value_and_grad(value, has_aux=True)(params, memory, x, y)
        updates, moments = transform.update(grads, moments, params)
        return (eqx.apply_updates(params, updates), memory, moments), loss

    repeat(step, (params, memory, transform.init(params)), work, tick, epochs)


def _classes(model: Any, memory: Any, x: Any, y: Any) -> tuple[Any, Any]:
    if memory is None:
        return cross_entropy(jax.vmap(model)(x), y), None
    over = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    logits, memory = over(x, memory)
    return cross_entropy(logits, y), memory


def _heat(model: Any, memory: Any, x: Any, source: Any) -> tuple[Any, Any]:
    return heat(lambda point: model(point)[0], x, source), memory


def _perceptron(act: Callable[[Any], Any], *sizes: int) -> Callable[[Any], Any]:
    inputs, *hidden, outputs = sizes
    return lambda keys: eqx.nn.MLP(inputs, outputs, hidden[0], len(hidden), act, key=next(keys))


def _relu_and_pool() -> list[Any]:
    return [eqx.nn.Lambda(jax.nn.relu), eqx.nn.MaxPool2d(2, 2)]


def _cnn(keys: Any) -> Any:
    conv = eqx.nn.Conv2d(1, 16, 3, padding=1, key=next(keys))
    head = [eqx.nn.Lambda(jnp.ravel), eqx.nn.Linear(256, 10, key=next(keys))]
    return eqx.nn.Sequential([conv, *_relu_and_pool(), *head])


def _color(keys: Any) -> Any:
    first = eqx.nn.Conv2d(3, 32, 3, padding=1, key=next(keys))
    second = eqx.nn.Conv2d(32, 64, 3, padding=1, key=next(keys))
    head = [eqx.nn.Lambda(jnp.ravel), eqx.nn.Linear(4096, 10, key=next(keys))]
    return eqx.nn.Sequential([first, *_relu_and_pool(), second, *_relu_and_pool(), *head])


class _Normed(eqx.Module):
    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm

    def __init__(self, before: int, now: int, size: int, stride: int, keys: Any) -> None:
        pad = size // 2
        self.conv = eqx.nn.Conv2d(before, now, size, stride, pad, use_bias=False, key=next(keys))
        self.norm = eqx.nn.BatchNorm(now, "batch", momentum=0.9, mode="batch")

    def __call__(self, x: Any, memory: Any) -> Any:
        return self.norm(self.conv(x), memory)


class _Block(eqx.Module):
    first: _Normed
    second: _Normed
    skip: _Normed | None

    def __init__(self, before: int, now: int, stride: int, keys: Any) -> None:
        self.first = _Normed(before, now, 3, stride, keys)
        self.second = _Normed(now, now, 3, 1, keys)
        self.skip = None if before == now else _Normed(before, now, 1, stride, keys)

    def __call__(self, x: Any, memory: Any) -> Any:
        y, memory = self.first(x, memory)
        y, memory = self.second(jax.nn.relu(y), memory)
        x, memory = (x, memory) if self.skip is None else self.skip(x, memory)
        return jax.nn.relu(y + x), memory


class _Resnet(eqx.Module):
    stem: _Normed
    blocks: list[_Block]
    head: eqx.nn.Linear

    def __init__(self, keys: Any) -> None:
        self.stem, self.blocks = _Normed(3, 16, 3, 1, keys), []
        for before, now in ((16, 16), (16, 32), (32, 64), (64, 128)):
            stride = 1 if before == now else 2
            self.blocks += [_Block(before, now, stride, keys), _Block(now, now, 1, keys)]
        self.head = eqx.nn.Linear(128, 10, key=next(keys))

    def __call__(self, x: Any, memory: Any) -> Any:
        x, memory = self.stem(x, memory)
        x = jax.nn.relu(x)
        for block in self.blocks:
            x, memory = block(x, memory)
        return self.head(x.mean((1, 2))), memory


class _Layer(eqx.Module):
    """A pre-norm layer of one sequence; attention by JAX's function."""

    norms: tuple[eqx.nn.LayerNorm, eqx.nn.LayerNorm]
    qkv: eqx.nn.Linear
    out: eqx.nn.Linear
    up: eqx.nn.Linear
    down: eqx.nn.Linear
    causal: bool = eqx.field(static=True)

    def __init__(self, causal: bool, keys: Any) -> None:
        self.causal, self.norms = causal, (eqx.nn.LayerNorm(128), eqx.nn.LayerNorm(128))
        sizes = (128, 384), (128, 128), (128, 512), (512, 128)
        linears = (eqx.nn.Linear(*size, key=next(keys)) for size in sizes)
        self.qkv, self.out, self.up, self.down = linears

    def __call__(self, x: Any) -> Any:
        t, d = x.shape
        qkv = jax.vmap(self.qkv)(jax.vmap(self.norms[0])(x)).reshape(t, 12, d // 4)
        y = jax.nn.dot_product_attention(*jnp.split(qkv, 3, 1), is_causal=self.causal)
        x = x + jax.vmap(self.out)(y.reshape(t, d))
        y = jax.nn.gelu(jax.vmap(self.up)(jax.vmap(self.norms[1])(x)), approximate=False)
        return x + jax.vmap(self.down)(y)


class _Transformer(eqx.Module):
    start: Any
    place: Any
    layers: list[_Layer]
    norm: eqx.nn.LayerNorm
    head: eqx.nn.Linear
    causal: bool = eqx.field(static=True)

    def __init__(self, start: Any, places: int, depth: int, classes: int, keys: Any) -> None:
        self.start, self.causal = start, isinstance(start, eqx.nn.Embedding)
        self.place = 0.02 * jax.random.normal(next(keys), (places, 128))
        self.layers = [_Layer(self.causal, keys) for _ in range(depth)]
        self.norm, self.head = eqx.nn.LayerNorm(128), eqx.nn.Linear(128, classes, key=next(keys))

    def __call__(self, x: Any) -> Any:
        x = jax.vmap(self.start)(x) if self.causal else self.start(x).reshape(128, -1).T
        x = x + self.place
        for layer in self.layers:
            x = layer(x)
        x = jax.vmap(self.norm)(x)
        return jax.vmap(self.head)(x) if self.causal else self.head(x.mean(0))


def _vit(keys: Any) -> Any:
    return _Transformer(eqx.nn.Conv2d(3, 128, 4, 4, key=next(keys)), 64, 6, 10, keys)


def _gpt(keys: Any) -> Any:
    return _Transformer(eqx.nn.Embedding(256, 128, key=next(keys)), 128, 4, 256, keys)


class _Lstm(eqx.Module):
    cell: eqx.nn.LSTMCell
    head: eqx.nn.Linear

    def __init__(self, keys: Any) -> None:
        self.cell = eqx.nn.LSTMCell(64, 128, key=next(keys))
        self.head = eqx.nn.Linear(128, 10, key=next(keys))

    def __call__(self, x: Any) -> Any:
        start = jnp.zeros(128), jnp.zeros(128)
        (h, _), _ = jax.lax.scan(lambda state, x: (self.cell(x, state), None), start, x)
        return self.head(h)


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "mlp": _perceptron(jax.nn.relu, 784, 128, 128, 10),
    "cnn": _cnn,
    "color": _color,
    "resnet": lambda keys: eqx.nn.make_with_state(_Resnet)(keys),
    "vit": _vit,
    "gpt": _gpt,
    "lstm": _Lstm,
    "pinn": _perceptron(jnp.tanh, 2, 64, 64, 64, 1),
}
