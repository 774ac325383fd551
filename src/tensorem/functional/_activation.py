"""Functions of one variable, entry by entry, and the softmaxes along an axis."""

from __future__ import annotations

from typing import Any

from tensorem import ops, rules
from tensorem.errors import ArgumentError

from ._arithmetic import div, mul
from ._shape import checked, shape

Array = Any


@checked
def relu(x: Array | float) -> Array:
    """max(x, 0); the derivative at 0 is 0.

    Raises:
        DTypeError: x holds no numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> relu(jnp.array([-1.0, 0.0, 2.0])).tolist()
        [0.0, 0.0, 2.0]
    """
    return ops.relu(x)


@checked
def leaky_relu(x: Array | float, negative_slope: float = 0.01) -> Array:
    """x where x > 0, negative_slope x elsewhere.

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> leaky_relu(jnp.array([-1.0, 0.0, 2.0]), 0.5).tolist()
        [-0.5, 0.0, 2.0]
    """
    return ops.leaky_relu(x, negative_slope=float(negative_slope))


@checked
def neg(x: Array | float) -> Array:
    """-x.

    Raises:
        DTypeError: x holds no numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> neg(jnp.array([-1.0, 2.0])).tolist()
        [1.0, -2.0]
    """
    return ops.neg(x)


@checked
def abs(x: Array | float) -> Array:
    """|x|; the derivative at 0 is 0.

    Raises:
        DTypeError: x holds no numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> abs(jnp.array([-1.0, 2.0])).tolist()
        [1.0, 2.0]
    """
    return ops.abs(x)


@checked
def sqrt(x: Array | float) -> Array:
    """The square root; NaN below 0.

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> sqrt(jnp.array([0.0, 4.0])).tolist()
        [0.0, 2.0]
    """
    return ops.sqrt(x)


@checked
def exp(x: Array | float) -> Array:
    """e to the power of x.

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> exp(jnp.array([0.0])).tolist()
        [1.0]
    """
    return ops.exp(x)


@checked
def log(x: Array | float) -> Array:
    """The natural logarithm; -inf at 0, NaN below.

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> log(jnp.array([1.0])).tolist()
        [0.0]
    """
    return ops.log(x)


@checked
def sigmoid(x: Array | float) -> Array:
    """1 / (1 + exp(-x)).

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> sigmoid(jnp.array([0.0, 100.0])).tolist()
        [0.5, 1.0]
    """
    return ops.sigmoid(x)


@checked
def tanh(x: Array | float) -> Array:
    """The hyperbolic tangent.

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> tanh(jnp.array([0.0, 100.0])).tolist()
        [0.0, 1.0]
    """
    return ops.tanh(x)


@checked
def softplus(x: Array | float, beta: float = 1.0) -> Array:
    """log(1 + exp(beta x)) / beta, without overflow.

    Args:
        beta: A finite number other than 0; the greater, the nearer to `relu`.

    Raises:
        ArgumentError: beta is 0.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> softplus(jnp.array([-200.0, 200.0])).tolist()
        [0.0, 200.0]
    """
    if beta == 0:
        raise ArgumentError("takes beta other than 0, got 0.")
    if beta == 1:
        return ops.softplus(x)
    return div(ops.softplus(mul(x, float(beta))), float(beta))


@checked
def softmax(x: Array, dim: int) -> Array:
    """exp(x) divided by its sum along an axis.

    Shapes:
        (...)  ->  the same

    Raises:
        ShapeError: There is no such axis, or nothing along it.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> softmax(jnp.array([[5.0, 5.0], [200.0, 0.0]]), dim=1).tolist()
        [[0.5, 0.5], [1.0, 0.0]]
    """
    rules.softmax(shape(x), dim)
    return ops.softmax(x, dim=dim)


@checked
def log_softmax(x: Array, dim: int) -> Array:
    """The logarithm of `softmax`, without overflow.

    Shapes:
        (...)  ->  the same

    Raises:
        ShapeError: There is no such axis, or nothing along it.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> log_softmax(jnp.array([200.0, 0.0]), dim=0).tolist()
        [0.0, -200.0]
    """
    rules.softmax(shape(x), dim)
    return ops.log_softmax(x, dim=dim)
