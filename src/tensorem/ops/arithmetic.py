"""Sums, products, quotients, extremes and powers, entry by entry."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from . import _specs
from ._derive import row

Array = Any


def _cast_shape(x: Any, *, dtype: str) -> Any:
    from dataclasses import replace

    return replace(x, dtype=dtype)


add = row("add", 2, _specs.alike, lax.add)
sub = row("sub", 2, _specs.alike, lax.sub)
mul = row("mul", 2, _specs.alike, lax.mul)
div = row("div", 2, _specs.alike, lax.div)
maximum = row("maximum", 2, _specs.alike, lax.max)
minimum = row("minimum", 2, _specs.alike, lax.min)
neg = row("neg", 1, _specs.same, lax.neg)
abs = row("abs", 1, _specs.same, lax.abs)
sign = row("sign", 1, _specs.same, lax.sign)
square = row("square", 1, _specs.same, lax.square)
pow_int = row(
    "pow_int", 1, lambda x, *, exponent: x, lambda x, *, exponent: lax.integer_pow(x, exponent)
)
cast = row(
    "cast", 1, _cast_shape, lambda x, *, dtype: lax.convert_element_type(x, jnp.dtype(dtype))
)
stop_gradient = row("stop_gradient", 1, _specs.same, lax.stop_gradient)
