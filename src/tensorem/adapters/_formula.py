"""The formulas of the original's page: a weight (in, out), and a product of two thin matrices."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from tensorem import functional as F
from tensorem.calls import called

Array = jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Params:
    """The two matrices of an adapter, in the original's layout.

    Args:
        A: (in, rank).
        B: (rank, out).
    """

    A: Array
    B: Array


@called
def delta(params: Params, scale: float) -> Array:
    """What is added to a weight: scale · A B, (in, out).

    Example:
        >>> import jax.numpy as jnp
        >>> delta(Params(jnp.ones((2, 1)), jnp.ones((1, 3))), 0.5).tolist()
        [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
    """
    return F.mul(F.matmul(params.A, params.B), scale)


@called
def effective_weight(base: Array, params: Params, scale: float) -> Array:
    """The weight (in, out) with what is added to it.

    Example:
        >>> import jax.numpy as jnp
        >>> effective_weight(jnp.eye(2), Params(jnp.ones((2, 1)), jnp.ones((1, 2))), 1.0).tolist()
        [[2.0, 1.0], [1.0, 2.0]]
    """
    return F.add(base, delta(params, scale))


@called
def linear(x: Array, base: Array, params: Params, scale: float) -> Array:
    """x times the effective weight: (..., in)  ->  (..., out).

    Example:
        >>> import jax.numpy as jnp
        >>> params = Params(jnp.ones((2, 1)), jnp.ones((1, 2)))
        >>> linear(jnp.ones((1, 2)), jnp.eye(2), params, 1.0).tolist()
        [[3.0, 3.0]]
    """
    return F.matmul(x, effective_weight(base, params, scale))
