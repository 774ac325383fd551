"""Pre-norm transformers: one product for queries, keys and values, heads by einsum."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.workloads import Tick, Workload

from .loop import Array, cross_entropy, train, train_buffered, uniform

_WIDE, _HEADS = 128, 4


def vit(work: Workload, tick: Tick) -> None:
    """Train for ever."""
    rng = np.random.default_rng(0)
    params = {"patch": _linear(rng, 48, _WIDE), **_params(rng, 64, 6, 10)}
    n = len(work.x)
    cut = work.x.reshape(n, 3, 8, 4, 8, 4).transpose(0, 2, 4, 1, 3, 5).reshape(n, 64, 48)
    train(_vit, params, cut, work, tick)


def gpt(work: Workload, tick: Tick) -> None:
    """Train for ever."""
    rng = np.random.default_rng(0)
    table = jnp.asarray(rng.standard_normal((256, _WIDE)), jnp.float32)
    train(_gpt, {"table": table, **_params(rng, 128, 4, 256)}, work.x, work, tick)


def mae(work: Workload, tick: Tick) -> None:
    """Train a masked autoencoder for ever; the draws of a step come from a count of steps."""
    rng = np.random.default_rng(0)
    params = {
        "patch": _linear(rng, 48, _WIDE), "bridge": _linear(rng, _WIDE, 64),
        "hole": jnp.asarray(rng.standard_normal(64), jnp.float32),
        "encoder": _params(rng, 64, 4, 1), "decoder": _params(rng, 64, 2, 48, 64),
    }  # fmt: skip
    n = len(work.x)
    cut = work.x.reshape(n, 3, 8, 4, 8, 4).transpose(0, 2, 4, 3, 5, 1).reshape(n, 64, 48)
    train_buffered(_mae, params, jnp.zeros((), jnp.int32), cut, work, tick)


def _mae(params: Any, count: Array, x: Array, _: Array) -> tuple[Array, Array]:
    n = x.shape[0]
    order = jnp.argsort(jax.random.uniform(jax.random.key(count), (n, 64)), 1)
    back, encoder, decoder = jnp.argsort(order, 1), params["encoder"], params["decoder"]
    tokens = x @ params["patch"][0] + params["patch"][1] + encoder["place"]
    seen = _blocks(encoder, _taken(tokens, order[:, :16]), causal=False)
    seen = seen @ params["bridge"][0] + params["bridge"][1]
    holes = jnp.broadcast_to(params["hole"], (n, 48, 64))
    whole = _taken(jnp.concatenate([seen, holes], 1), back)
    h = _through(decoder, whole, causal=False)
    said = h @ decoder["head"][0] + decoder["head"][1]
    hidden = back >= 16
    return jnp.square(said - x).mean(-1).sum(where=hidden) / hidden.sum(), count + 1


def _taken(x: Array, rows: Array) -> Array:
    return jnp.take_along_axis(x, rows[..., None], 1)


def _linear(rng: np.random.Generator, i: int, o: int) -> tuple[Array, Array]:
    return uniform(rng, (i, o), i), uniform(rng, (o,), i)


def _params(
    rng: np.random.Generator, places: int, depth: int, classes: int, wide: int = _WIDE
) -> dict[str, Any]:
    linear = partial(_linear, rng)

    def norm() -> tuple[Array, Array]:
        return jnp.ones(wide), jnp.zeros(wide)

    layers = [
        (norm(), linear(wide, 3 * wide), linear(wide, wide),
         norm(), linear(wide, 4 * wide), linear(4 * wide, wide))
        for _ in range(depth)
    ]  # fmt: skip
    place = jnp.asarray(0.02 * rng.standard_normal((places, wide)), jnp.float32)
    head = linear(wide, classes)
    return {"place": place, "layers": layers, "norm": norm(), "head": head}


def _vit(params: Any, x: Array, y: Array) -> Array:
    weight, bias = params["patch"]
    h = _through(params, x @ weight + bias, causal=False).mean(1)
    return cross_entropy(h @ params["head"][0] + params["head"][1], y)


def _gpt(params: Any, x: Array, y: Array) -> Array:
    h = _through(params, params["table"][x], causal=True)
    logits = h @ params["head"][0] + params["head"][1]
    return cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))


def _through(params: Any, x: Array, causal: bool) -> Array:
    return _blocks(params, x + params["place"], causal)


def _blocks(params: Any, x: Array, causal: bool) -> Array:
    for norm1, qkv, out, norm2, up, down in params["layers"]:
        y = _attention(_norm(x, *norm1) @ qkv[0] + qkv[1], causal)
        x = x + (y @ out[0] + out[1])
        y = jax.nn.gelu(_norm(x, *norm2) @ up[0] + up[1], approximate=False)
        x = x + (y @ down[0] + down[1])
    return _norm(x, *params["norm"])


def _norm(x: Array, weight: Array, bias: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-5) * weight + bias


def _attention(qkv: Array, causal: bool) -> Array:
    n, t, wide = qkv.shape
    head = wide // 3 // _HEADS
    q, k, v = qkv.reshape(n, t, 3, _HEADS, head).transpose(2, 0, 3, 1, 4)
    scores = jnp.einsum("nhqd,nhkd->nhqk", q * head**-0.5, k)
    if causal:
        scores = jnp.where(jnp.tri(t, dtype=bool), scores, -1e30)
    y = jnp.einsum("nhqk,nhkd->nhqd", jax.nn.softmax(scores), v)
    return y.transpose(0, 2, 1, 3).reshape(n, t, wide // 3)
