"""Functions in which one part of the input decides how much of another passes."""

from __future__ import annotations

import jax

from tensorem import ops
from tensorem.errors import ShapeError
from tensorem.shapes import format_shape

from ._activation import sigmoid, silu, softmax
from ._arithmetic import mul
from ._move import broadcast, narrow
from ._shape import axes, checked, shape

Array = jax.Array


@checked
def prelu(x: Array, weight: Array) -> Array:
    """max(x, 0) + weight · min(x, 0), with one weight or one for each channel (axis 1).

    Shapes:
        x (N, C, ...) or any for one weight, weight (1) or (C)  ->  like x

    Raises:
        ShapeError: The weights are neither one nor one for each channel.

    Example:
        >>> import jax.numpy as jnp
        >>> prelu(jnp.array([-2.0, 2.0]), jnp.array([0.25])).tolist()
        [-0.5, 2.0]

    Source:
        He et al. 2015, equation 1.
    """
    slope = _slope(x, weight)
    return ops.sub(ops.relu(x), ops.mul(slope, ops.relu(ops.neg(x))))


@checked
def glu(x: Array, dim: int = -1) -> Array:
    """The first half of an axis times the sigmoid of the second.

    Shapes:
        (..., 2 n, ...)  ->  (..., n, ...)

    Raises:
        ShapeError: There is no such axis, or 2 does not divide it.

    Example:
        >>> import jax.numpy as jnp
        >>> glu(jnp.array([2.0, 0.0])).tolist()
        [1.0]

    Source:
        Dauphin et al. 2017, equation 1.
    """
    value, gate = _halves(x, dim)
    return mul(value, sigmoid(gate))


@checked
def swiglu(x: Array, dim: int = -1) -> Array:
    """silu of the first half of an axis, times the second.

    Shapes:
        (..., 2 n, ...)  ->  (..., n, ...)

    Raises:
        ShapeError: There is no such axis, or 2 does not divide it.

    Example:
        >>> import jax.numpy as jnp
        >>> swiglu(jnp.array([0.0, 2.0])).tolist()
        [0.0]

    Source:
        Shazeer 2020, equation 6, without its matrices.
    """
    gate, value = _halves(x, dim)
    return mul(silu(gate), value)


@checked
def softmin(x: Array, dim: int) -> Array:
    """softmax of -x along an axis.

    Shapes:
        (...)  ->  the same

    Raises:
        ShapeError: There is no such axis.

    Example:
        >>> import jax.numpy as jnp
        >>> softmin(jnp.zeros(2), dim=0).tolist()
        [0.5, 0.5]
    """
    return softmax(ops.neg(x), dim)


def _halves(x: Array, dim: int) -> tuple[Array, Array]:
    (axis,) = axes(x, dim)
    size = x.shape[axis]
    if size % 2:
        raise ShapeError(f"takes an even size of axis {dim}, got {format_shape(shape(x))}.")
    return narrow(x, axis, 0, size // 2), narrow(x, axis, size // 2, size // 2)


def _slope(x: Array, weight: Array) -> Array:
    if weight.shape == (1,):
        return broadcast(weight.reshape(()), x.shape, ())
    if x.ndim < 2 or weight.shape != x.shape[1:2]:
        raise ShapeError(
            f"takes one weight or one for each channel of {format_shape(shape(x))}, got "
            f"{format_shape(shape(weight))}."
        )
    return broadcast(weight, x.shape, (1,))
