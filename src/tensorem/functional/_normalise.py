"""Normalisation over channels and over the last axes, and dropout."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from tensorem import dtypes, ops, rand, rules
from tensorem.errors import ArgumentError, DTypeError, ShapeError
from tensorem.shapes import format_shape, require_equal, sizes

from ._move import broadcast
from ._shape import checked, shape

Array = jax.Array


@checked
def layer_norm(
    x: Array,
    normalized_shape: int | tuple[int, ...],
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> Array:
    """The last axes less their mean, over their standard deviation, times weight, plus bias.

    Shapes:
        x (*batch, *normalized_shape), weight and bias (*normalized_shape)  ->  like x

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have no common dtype of floats.

    Example:
        >>> layer_norm(jnp.array([[1.0, 1.0], [-3.0, 5.0]]), 2, eps=0.0)[1].tolist()
        [-1.0, 1.0]
    """
    rules.layer_norm(shape(x), normalized_shape)
    last = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    weight = jnp.ones(last, x.dtype) if weight is None else weight
    bias = jnp.zeros(last, x.dtype) if bias is None else bias
    _of_shape("weight", weight, last)
    _of_shape("bias", bias, last)
    return ops.layer_norm(x, weight, bias, ndim=len(last), eps=float(eps))


@checked
def batch_norm(
    x: Array,
    mean: Array,
    var: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    eps: float = 1e-5,
) -> Array:
    """Each channel less a mean, over √(variance + eps), times weight, plus bias.

    Shapes:
        x (N, C, ...), mean, var, weight and bias (C,)  ->  like x

    Args:
        mean: Of the dtype of x, or of float32 where x holds floats of 16 bits; so is var.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have no common dtype of floats.

    Example:
        >>> batch_norm(jnp.array([[5.0]]), jnp.array([1.0]), jnp.array([4.0]), eps=0.0).tolist()
        [[2.0]]
    """
    if x.ndim < 2:
        raise ShapeError(f"takes (N, C, ...), got {format_shape(shape(x))}.")
    channels = mean.shape[:1]
    form = f"takes (N, {mean.shape[0]}, ...), got {format_shape(shape(x))}."
    require_equal(shape(x)[1:2], shape(mean), form)
    weight = jnp.ones(channels, x.dtype) if weight is None else weight
    bias = jnp.zeros(channels, x.dtype) if bias is None else bias
    for name, array in (("var", var), ("weight", weight), ("bias", bias)):
        _of_shape(name, array, channels)
    return ops.batch_norm(x, weight, bias, mean, var, eps=float(eps))


@checked
def batch_moments(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance of each channel, over the batch and the image.

    They are float32 for floats of 16 bits, which do not hold their own squares.

    Shapes:
        x (N, C, ...)  ->  (C,), (C,)

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: x holds no floats.

    Example:
        >>> batch_moments(jnp.array([[1.0], [3.0]]))
        (Array([2.], dtype=float32), Array([1.], dtype=float32))
    """
    if x.ndim < 2:
        raise ShapeError(f"takes (N, C, ...), got {format_shape(shape(x))}.")
    if x.dtype.name in dtypes.HALF:
        x = ops.cast(x, dtype="float32")
    dims = (0, *range(2, x.ndim))
    mean = ops.mean(x, dims=dims)
    centred = ops.sub(x, broadcast(mean, x.shape, (1,)))
    return mean, ops.mean(ops.square(centred), dims=dims)


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
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"takes p in [0, 1], got {p}.")
    if x.dtype.name not in dtypes.FLOATING:
        raise DTypeError(f"takes floats, got {x.dtype}.")
    rand.check_key(key)
    if p == 0.0:
        return x
    if p == 1.0:
        return jnp.zeros_like(x)
    kept = jax.random.bernoulli(key, 1.0 - p, x.shape)
    return ops.where(kept, ops.mul(x, jnp.full_like(x, 1.0 / (1.0 - p))), jnp.zeros_like(x))


def _of_shape(name: str, array: Array, expected: tuple[Any, ...]) -> None:
    got, wanted = shape(array), sizes(expected)
    what = f"takes {name} {format_shape(wanted)}, got {format_shape(got)}."
    require_equal(got, wanted, what)
