"""Functions of one variable, entry by entry, and the softmaxes along an axis."""

from __future__ import annotations

import jax

from tensorem import ops
from tensorem.calls import OTHER_THAN_0, number

from ._arithmetic import div, mul
from ._shape import checked

Array = jax.Array


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
        ArgumentError: negative_slope is no finite number.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> leaky_relu(jnp.array([-1.0, 0.0, 2.0]), 0.5).tolist()
        [-0.5, 0.0, 2.0]
    """
    return ops.leaky_relu(x, negative_slope=float(number("negative_slope", negative_slope)))


@checked
def gelu(x: Array | float, approximate: str = "none") -> Array:
    """x Φ(x), of the normal distribution; 0 at -inf.

    Args:
        approximate: "none", or "tanh": Φ(x) as (1 + tanh(sqrt(2 / π) (x + 0.044715 x³))) / 2.

    Raises:
        ArgumentError: approximate is another word.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> gelu(jnp.array([-100.0, 0.0, 100.0])).tolist()
        [-0.0, 0.0, 100.0]
    """
    return ops.gelu(x, approximate=approximate)


@checked
def silu(x: Array | float) -> Array:
    """x sigmoid(x), also known as swish; 0 at -inf.

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> silu(jnp.array([0.0, 100.0])).tolist()
        [0.0, 100.0]
    """
    return ops.silu(x)


@checked
def mish(x: Array | float) -> Array:
    """x tanh(softplus(x)); 0 at -inf.

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> mish(jnp.array([0.0, 100.0])).tolist()
        [0.0, 100.0]
    """
    return ops.mish(x)


@checked
def hardswish(x: Array | float) -> Array:
    """x relu6(x + 3) / 6; the derivative is 0 at -3 and 1 at 3.

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> hardswish(jnp.array([-1.5, 3.0])).tolist()
        [-0.375, 3.0]
    """
    return ops.hardswish(x)


@checked
def elu(x: Array | float, alpha: float = 1.0) -> Array:
    """x where x > 0, alpha (exp(x) - 1) elsewhere.

    Raises:
        ArgumentError: alpha is not finite.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> elu(jnp.array([-100.0, 2.0]), 0.5).tolist()
        [-0.5, 2.0]
    """
    return ops.elu(x, alpha=float(alpha))


@checked
def celu(x: Array | float, alpha: float = 1.0) -> Array:
    """x where x > 0, alpha (exp(x / alpha) - 1) elsewhere: smooth at 0.

    Raises:
        ArgumentError: alpha is not finite, or not above 0.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> celu(jnp.array([-100.0, 2.0]), 0.5).tolist()
        [-0.5, 2.0]
    """
    return ops.celu(x, alpha=float(alpha))


@checked
def selu(x: Array | float) -> Array:
    """1.0507 elu(x, 1.6733), which keeps mean 0 and variance 1 (Klambauer et al. 2017).

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> selu(jnp.array([0.0, 1.0])).tolist()
        [0.0, 1.0507010221481323]
    """
    return ops.selu(x)


@checked
def hardtanh(x: Array | float, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """x between two numbers, else the nearer of them; the derivative at both is 0.

    Raises:
        ArgumentError: min_val lies above max_val.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> hardtanh(jnp.array([-2.0, 0.5, 3.0])).tolist()
        [-1.0, 0.5, 1.0]
    """
    return ops.hardtanh(x, min_val=float(min_val), max_val=float(max_val))


@checked
def relu6(x: Array | float) -> Array:
    """x between 0 and 6, else the nearer of them; the derivative at both is 0.

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> relu6(jnp.array([-1.0, 3.0, 8.0])).tolist()
        [0.0, 3.0, 6.0]
    """
    return ops.hardtanh(x, min_val=0.0, max_val=6.0)


@checked
def softsign(x: Array | float) -> Array:
    """x / (1 + |x|).

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> softsign(jnp.array([-1.0, 0.0, jnp.inf])).tolist()
        [-0.5, 0.0, 1.0]
    """
    return ops.softsign(x)


@checked
def logsigmoid(x: Array | float) -> Array:
    """log(sigmoid(x)), without overflow.

    Raises:
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> logsigmoid(jnp.array([-200.0, 200.0])).tolist()
        [-200.0, -0.0]
    """
    return ops.logsigmoid(x)


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
        ArgumentError: beta is 0 or no finite number.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> softplus(jnp.array([-200.0, 200.0])).tolist()
        [0.0, 200.0]
    """
    beta = float(number("beta", beta, OTHER_THAN_0))
    return ops.softplus(x) if beta == 1 else div(ops.softplus(mul(x, beta)), beta)


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
    return ops.log_softmax(x, dim=dim)
