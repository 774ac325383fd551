"""Functions of one number."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import _specs
from ._derive import row

Array = Any


def _relu(x: Array) -> Array:
    return jnp.maximum(x, 0)


def _relu_jvp(y: Array, xs: Any, ts: Any) -> Array:
    return lax.select(xs[0] > 0, ts[0], jnp.zeros_like(ts[0]))


def _leaky(x: Array, *, negative_slope: float) -> Array:
    return jnp.where(x > 0, x, negative_slope * x)


sqrt = row("sqrt", 1, _specs.same, lax.sqrt)
rsqrt = row("rsqrt", 1, _specs.same, lax.rsqrt)
exp = row("exp", 1, _specs.same, lax.exp)
log = row("log", 1, _specs.same, lax.log)
log1p = row("log1p", 1, _specs.same, lax.log1p)
expm1 = row("expm1", 1, _specs.same, lax.expm1)
tanh = row("tanh", 1, _specs.same, lax.tanh)
sigmoid = row("sigmoid", 1, _specs.same, lax.logistic)
erf = row("erf", 1, _specs.same, lax.erf)
sin = row("sin", 1, _specs.same, lax.sin)
cos = row("cos", 1, _specs.same, lax.cos)
relu = row("relu", 1, _specs.same, _relu, jvp=_relu_jvp)
leaky_relu = row("leaky_relu", 1, lambda x, *, negative_slope: x, _leaky)
softplus = row("softplus", 1, _specs.same, jax.nn.softplus)
