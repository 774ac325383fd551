"""Functions in which one part of the input decides how much of another passes."""

from __future__ import annotations

import jax

from tensorem import ops, rules

from ._activation import sigmoid, silu, softmax
from ._arithmetic import mul
from ._move import broadcast, narrow
from ._shape import checked, spec

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
    rules.prelu(spec(x), spec(weight))
    one = weight.shape == (1,)
    slope = broadcast(weight.reshape(()) if one else weight, x.shape, () if one else (1,))
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
    rules.halved(spec(x), dim=dim)
    half = x.shape[dim] // 2
    return narrow(x, dim, 0, half), narrow(x, dim, half, half)
