"""Normalisation over channels and over the last axes."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from tensorem import dtypes, ops
from tensorem.calls import AT_LEAST_0, integers, number
from tensorem.errors import ShapeError
from tensorem.shapes import format_shape, require_equal, sizes

from ._move import broadcast
from ._shape import checked, shape, static

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
        ArgumentError: eps is below 0 or not finite.
        DTypeError: The operands have no common dtype of floats.

    Example:
        >>> layer_norm(jnp.array([[1.0, 1.0], [-3.0, 5.0]]), 2, eps=0.0)[1].tolist()
        [-1.0, 1.0]
    """
    last = normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    if static(last):
        integers("normalized_shape", last)
    weight = jnp.ones(last, x.dtype) if weight is None else weight
    bias = jnp.zeros(last, x.dtype) if bias is None else bias
    what = f"takes weight {format_shape(last)}, got {format_shape(shape(weight))}."
    require_equal(shape(weight), sizes(last), what)
    return ops.layer_norm(x, weight, bias, ndim=len(last), eps=_eps(eps))


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
        ArgumentError: eps is below 0 or not finite.
        DTypeError: The operands have no common dtype of floats.

    Example:
        >>> batch_norm(jnp.array([[5.0]]), jnp.array([1.0]), jnp.array([4.0]), eps=0.0).tolist()
        [[2.0]]
    """
    weight = jnp.ones(mean.shape, x.dtype) if weight is None else weight
    bias = jnp.zeros(mean.shape, x.dtype) if bias is None else bias
    return ops.batch_norm(x, weight, bias, mean, var, eps=_eps(eps))


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


def _eps(eps: float) -> float:
    return float(number("eps", eps, AT_LEAST_0))
