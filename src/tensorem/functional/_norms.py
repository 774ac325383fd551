"""Normalisation by the root mean square, over groups of channels, and over neighbours."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from tensorem import ops, rules
from tensorem.calls import ABOVE_0, AT_LEAST_0, integer, integers, number
from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import Size, format_shape, require_equal, sizes

from ._move import broadcast, narrow, pad, reshape
from ._shape import checked, shape, static

Array = jax.Array
Sizes = tuple[Size, ...]


@checked
def rms_norm(
    x: Array,
    normalized_shape: int | tuple[int, ...],
    weight: Array | None = None,
    eps: float | None = None,
) -> Array:
    """The last axes over the root of their mean square, times weight.

    Shapes:
        x (*batch, *normalized_shape), weight (*normalized_shape)  ->  like x

    Args:
        eps: Added to the mean square; None for the distance from 1 to the next float of the dtype.

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: eps is below 0 or not finite.
        DTypeError: The operands have no common dtype of floats.

    Example:
        >>> rms_norm(jnp.array([3.0, -3.0]), 2, eps=0.0).tolist()
        [1.0, -1.0]

    Source:
        Zhang and Sennrich 2019, equation 4.
    """
    last = normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    if static(last):
        integers("normalized_shape", last)
    weight = jnp.ones(last, x.dtype) if weight is None else weight
    what = f"takes weight {format_shape(last)}, got {format_shape(shape(weight))}."
    require_equal(shape(weight), sizes(last), what)
    small = float(jnp.finfo(x.dtype).eps) if eps is None else number("eps", eps, AT_LEAST_0)  # type: ignore[no-untyped-call]
    return ops.rms_norm(x, weight, ndim=len(last), eps=small)


@checked
def group_norm(
    x: Array,
    num_groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> Array:
    """Groups of channels of an example less their mean, over their standard deviation.

    Shapes:
        x (N, C, ...), weight and bias (C,)  ->  like x

    Args:
        num_groups: Into how many groups the channels fall.
        weight: What each channel is multiplied by.
        bias: What is added to each channel.

    Raises:
        ShapeError: The shapes do not fit, or a size other than N is a name.
        ArgumentError: num_groups does not divide the channels, or eps is below 0.
        DTypeError: The operands have no common dtype of floats.

    Example:
        >>> group_norm(jnp.array([[1.0, 3.0, 5.0, 5.0]]), 2, eps=0.25).round(2).tolist()
        [[-0.8899999856948853, 0.8899999856948853, 0.0, 0.0]]

    Source:
        Wu and He 2018, equations 1 to 7.
    """
    groups = integer("num_groups", num_groups, 1)
    rules.with_channels(shape(x))
    _require_numbers(shape(x))
    if x.shape[1] % groups:
        raise ArgumentError(f"takes groups that divide {x.shape[1]} channels, got {groups}.")
    rows = reshape(x, (x.shape[0], groups, math.prod(x.shape[1:]) // groups))
    one, zero = jnp.ones(rows.shape[2:], x.dtype), jnp.zeros(rows.shape[2:], x.dtype)
    y = reshape(
        ops.layer_norm(rows, one, zero, ndim=1, eps=number("eps", eps, AT_LEAST_0)), x.shape
    )
    return _scaled(y, weight, bias)


@checked
def instance_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> Array:
    """Each channel of an example less its mean, over its standard deviation.

    Shapes:
        x (N, C, ...), weight and bias (C,)  ->  like x

    Raises:
        ShapeError: The shapes do not fit, or each channel is one value.
        ArgumentError: eps is below 0.
        DTypeError: The operands have no common dtype of floats.

    Example:
        >>> instance_norm(jnp.array([[[1.0, 3.0]]]), eps=0.0).tolist()
        [[[-1.0, 1.0]]]

    Source:
        Ulyanov, Vedaldi and Lempitsky 2016, equation 4.
    """
    rules.with_channels(shape(x), least=3)
    _require_numbers(shape(x))
    if math.prod(x.shape[2:]) == 1:
        raise ShapeError(
            f"takes more than one value per channel, got {format_shape(shape(x))}.",
            because="one value has no variance.",
        )
    ndim = x.ndim - 2
    one, zero = jnp.ones(x.shape[2:], x.dtype), jnp.zeros(x.shape[2:], x.dtype)
    y = ops.layer_norm(x, one, zero, ndim=ndim, eps=number("eps", eps, AT_LEAST_0))
    return _scaled(y, weight, bias)


@checked
def local_response_norm(
    x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """x / (k + alpha · mean of squares of neighbouring channels)^beta.

    Shapes:
        x (N, C, ...)  ->  like x

    Args:
        size: How many channels are neighbours, the own one included; missing ones count as 0.

    Raises:
        ShapeError: x has fewer than two axes, or its channels are a name.
        ArgumentError: size is below 1, or k is not above 0.

    Example:
        >>> local_response_norm(jnp.array([[2.0]]), 1, alpha=0.75, beta=0.5).tolist()
        [[1.0]]

    Source:
        Krizhevsky, Sutskever and Hinton 2012, section 3.3; the mean as in torch.nn.
    """
    size, k = integer("size", size, 1), number("k", k, ABOVE_0)
    alpha, beta = number("alpha", alpha, AT_LEAST_0), number("beta", beta)
    rules.with_channels(shape(x))
    _require_numbers(shape(x)[:2])
    frame = (0, 0) * (x.ndim - 2) + (size // 2, (size - 1) // 2)
    squares, channels = pad(ops.square(x), frame), int(x.shape[1])
    total = narrow(squares, 1, 0, channels)
    for i in range(1, size):
        total = ops.add(total, narrow(squares, 1, i, channels))
    mean = ops.mul(total, jnp.full_like(total, alpha / size))
    log = ops.log(ops.add(mean, jnp.full_like(mean, k)))
    return ops.mul(x, ops.exp(ops.mul(log, jnp.full_like(log, -beta))))


def _require_numbers(x: Sizes) -> None:
    if not static(x[1:]):
        raise ShapeError(f"takes (N, C, ...) whose sizes but N are numbers, got {format_shape(x)}.")


def _scaled(y: Array, weight: Array | None, bias: Array | None) -> Array:
    """Each channel times its weight, plus its bias."""
    for name, p in (("weight", weight), ("bias", bias)):
        if p is not None:
            what = f"takes {name} ({y.shape[1]},), got {format_shape(shape(p))}."
            require_equal(shape(p), (y.shape[1],), what)
            wide = broadcast(p, y.shape, (1,))
            y = ops.mul(y, wide) if name == "weight" else ops.add(y, wide)
    return y
