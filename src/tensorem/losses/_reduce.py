"""From the loss of every entry to a sum and a count, or to one number."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp

from tensorem import dtypes, ops
from tensorem.calls import among

Array = jax.Array
Pair = tuple[Array, Array]
"""A sum over entries, and how many they are, or the sum of their weights."""

Reduction = Literal["pair", "mean", "sum", "none"]
"""What becomes of the losses of single entries: (sum, count), sum / count, sum, or all of them."""

Reduced = Any
"""A `Pair` for the reduction "pair", an array for each other one."""


def mean(pair: Pair) -> Array:
    """The mean that a pair (sum, count) stands for.

    Example:
        >>> mean((jnp.array(6.0), jnp.array(4.0)))
        Array(1.5, dtype=float32, weak_type=True)
    """
    return pair[0] / pair[1]


def reduced(values: Array, reduction: Reduction, weights: Array | None = None) -> Reduced:
    """The losses of entries in one of four forms.

    Args:
        values: The losses, already multiplied by their weights.
        weights: What each counts; None where each counts once.

    Raises:
        ArgumentError: There is no such reduction. The message begins with `takes`.
    """
    among("reduction", reduction, get_args(Reduction))
    if reduction == "none":
        return values
    total = summed(values)
    count = jnp.asarray(values.size, total.dtype) if weights is None else summed(weights)
    return {"pair": (total, count), "mean": total / count, "sum": total}[reduction]


def summed(values: Array) -> Array:
    """The sum, at least in float32: float16 counts to 65504, bfloat16 to 256."""
    if values.dtype.name in dtypes.HALF:
        values = ops.cast(values, dtype="float32")
    return ops.sum(values, dims=tuple(range(values.ndim)))


def weighted(x: Array, weight: Array) -> Array:
    """x · weight, where 0 · ∞ is 0: what has probability 0 costs nothing."""
    most = jnp.finfo(x.dtype).max  # type: ignore[no-untyped-call]
    finite = ops.minimum(ops.maximum(x, jnp.full_like(x, -most)), jnp.full_like(x, most))
    # Not `ops.mul`: its derivative along x alone has the term x · 0.
    held: Array = ops.where(ops.equal(weight, jnp.zeros_like(weight)), finite, x)
    return held * weight


HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
"""½ log 2π: what a normal density has in front."""
