"""Pre-norm transformers: one product for queries, keys and values, heads by einsum."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.workloads import Tick, Workload

from .loop import Array, cross_entropy, train, uniform

_WIDE, _HEADS, _INNER = 128, 4, 512


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


def _linear(rng: np.random.Generator, i: int, o: int) -> tuple[Array, Array]:
    return uniform(rng, (i, o), i), uniform(rng, (o,), i)


def _norm_params() -> tuple[Array, Array]:
    return jnp.ones(_WIDE), jnp.zeros(_WIDE)


def _params(rng: np.random.Generator, places: int, depth: int, classes: int) -> dict[str, Any]:
    linear = partial(_linear, rng)
    layers = [
        (_norm_params(), linear(_WIDE, 3 * _WIDE), linear(_WIDE, _WIDE),
         _norm_params(), linear(_WIDE, _INNER), linear(_INNER, _WIDE))
        for _ in range(depth)
    ]  # fmt: skip
    place = jnp.asarray(0.02 * rng.standard_normal((places, _WIDE)), jnp.float32)
    head = linear(_WIDE, classes)
    return {"place": place, "layers": layers, "norm": _norm_params(), "head": head}


def _vit(params: Any, x: Array, y: Array) -> Array:
    weight, bias = params["patch"]
    h = _through(params, x @ weight + bias, causal=False).mean(1)
    return cross_entropy(h @ params["head"][0] + params["head"][1], y)


def _gpt(params: Any, x: Array, y: Array) -> Array:
    h = _through(params, params["table"][x], causal=True)
    logits = h @ params["head"][0] + params["head"][1]
    return cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))


def _through(params: Any, x: Array, causal: bool) -> Array:
    x = x + params["place"]
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
    n, t, _ = qkv.shape
    head = _WIDE // _HEADS
    q, k, v = qkv.reshape(n, t, 3, _HEADS, head).transpose(2, 0, 3, 1, 4)
    scores = jnp.einsum("nhqd,nhkd->nhqk", q * head**-0.5, k)
    if causal:
        scores = jnp.where(jnp.tri(t, dtype=bool), scores, -1e30)
    y = jnp.einsum("nhqk,nhkd->nhqd", jax.nn.softmax(scores), v)
    return y.transpose(0, 2, 1, 3).reshape(n, t, _WIDE)
