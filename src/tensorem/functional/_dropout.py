"""Dropout, by a key: equal keys give equal masks."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp

from tensorem import dtypes, ops, rand
from tensorem.calls import FROM_0_BELOW_1, FROM_0_TO_1, number
from tensorem.errors import DTypeError, ShapeError
from tensorem.shapes import format_shape

from ._move import broadcast
from ._shape import checked, shape

Array = jax.Array

_LEAST = -1.0507009873554805 * 1.6732632423543772
"""The limit of SELU at -∞: -scale · alpha."""


@checked
def dropout(x: Array, p: float = 0.5, *, key: Array) -> Array:
    """Each entry is 0 with probability p, and divided by 1 - p otherwise.

    Args:
        p: The probability of 0, in [0, 1].
        key: A `jax.random` key; equal keys give equal masks.

    Raises:
        ArgumentError: p lies outside.
        DTypeError: x holds no floats, or key is no key.

    Example:
        >>> dropout(jnp.ones(6), 0.5, key=jax.random.key(0)).tolist()
        [0.0, 0.0, 2.0, 2.0, 0.0, 2.0]
    """
    p = number("p", p, FROM_0_TO_1)
    _require(x, key)
    if p == 0.0:
        return x
    if p == 1.0:
        return jnp.zeros_like(x)
    y: Array = _dropped(x, key, p, x.ndim)
    return y


@checked
def channel_dropout(x: Array, p: float = 0.5, *, axes: int, key: Array) -> Array:
    """Each channel is 0 with probability p, and divided by 1 - p otherwise.

    Shapes:
        (N, C, *image) or (C, *image)  ->  the same

    Args:
        p: The probability of 0, in [0, 1].
        axes: How many axes an image has: 1, 2 or 3.
        key: A `jax.random` key.

    Raises:
        ArgumentError: p lies outside.
        ShapeError: x has another rank.
        DTypeError: x holds no floats, or key is no key.

    Example:
        >>> channel_dropout(jnp.ones((3, 2)), 0.5, axes=1, key=jax.random.key(0)).tolist()
        [[0.0, 0.0], [0.0, 0.0], [2.0, 2.0]]
    """
    p = number("p", p, FROM_0_TO_1)
    _require(x, key)
    if x.ndim not in (axes + 1, axes + 2):
        raise ShapeError(f"takes channels of {axes} axes each, got {format_shape(shape(x))}.")
    if p == 0.0:
        return x
    if p == 1.0:
        return jnp.zeros_like(x)
    y: Array = _dropped(x, key, p, x.ndim - axes)
    return y


@checked
def alpha_dropout(x: Array, p: float = 0.5, *, key: Array) -> Array:
    """Each entry is SELU's least value with probability p; all are scaled and shifted.

    Mean 0 and variance 1 stay what they are.

    Args:
        p: The probability, in [0, 1).
        key: A `jax.random` key.

    Raises:
        ArgumentError: p lies outside.
        DTypeError: x holds no floats, or key is no key.

    Example:
        >>> alpha_dropout(jnp.zeros(3), 0.0, key=jax.random.key(0)).tolist()
        [0.0, 0.0, 0.0]

    Source:
        Klambauer et al. 2017, section 2, "New dropout technique".
    """
    p = number("p", p, FROM_0_BELOW_1)
    _require(x, key)
    if p == 0.0:
        return x
    scale = 1 / math.sqrt((1 - p) * (1 + p * _LEAST**2))
    shift = -scale * p * _LEAST
    kept = jax.random.bernoulli(key, 1.0 - p, x.shape)
    chosen = ops.where(kept, x, jnp.full_like(x, _LEAST))
    return ops.add(ops.mul(chosen, jnp.full_like(x, scale)), jnp.full_like(x, shift))


def _require(x: Array, key: Array) -> None:
    if x.dtype.name not in dtypes.FLOATING:
        raise DTypeError(f"takes floats, got {x.dtype}.")
    rand.check_key(key)


@partial(jax.jit, static_argnums=(2, 3))  # JAX traces it once for all layers of one form
def _dropped(x: Array, key: Array, p: float, lead: int) -> Array:
    """One draw for the entries of all axes behind the first ones."""
    drawn = jax.random.bernoulli(key, 1.0 - p, x.shape[:lead])
    kept = broadcast(drawn, x.shape, tuple(range(lead)))
    scaled = ops.mul(x, jnp.full_like(x, 1.0 / (1.0 - p)))
    y: Array = ops.where(kept, scaled, jnp.zeros_like(x))
    return y
