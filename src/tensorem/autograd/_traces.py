"""Sums of derivatives along every entry, by forward mode: nothing of the size of a Hessian."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import jax
import jax.numpy as jnp

from tensorem.calls import called, named
from tensorem.errors import ShapeError

from ._given import Fn, Tree, floats, to_floats

_TOGETHER = 64
"""How many directions are followed at once; more come after one another."""


@called
def laplacian(f: Fn, argnums: int = 0) -> Fn:
    """The sum of the second derivatives of f along each entry of an argument.

    Two passes of forward mode for each entry, and no Hessian: the memory is that of at most 64
    passes.

    Shapes:
        x (*in), f(x) (*out)  ->  (*out)

    Args:
        f: A pure function.
        argnums: The place of the argument, which is one array.

    Raises:
        ArgumentError: From the result: there is no such argument, or f is no pure function.
        ShapeError: From the result: the argument is no array.
        DTypeError: From the result: f does not lead from floats to floats.

    Example:
        >>> laplacian(lambda x: x[0] ** 2 + 3 * x[1] ** 2)(jnp.ones(2)).tolist()
        8.0
    """

    def second(f: Fn, x: jax.Array, v: jax.Array) -> Tree:
        return _along(lambda x: _along(f, x, v), x, v)

    return _summed("laplacian", second, f, argnums)


@called
def divergence(f: Fn, argnums: int = 0) -> Fn:
    """The trace of the Jacobian of f in an argument of the shape of its value.

    One pass of forward mode for each entry, and no Jacobian: the memory is that of at most 64
    passes.

    Shapes:
        x (*in), f(x) (*in)  ->  ()

    Args:
        f: A pure function that gives one array.
        argnums: The place of the argument, which is one array.

    Raises:
        ArgumentError: From the result: there is no such argument, or f is no pure function.
        ShapeError: From the result: the argument is no array, or f gives another shape.
        DTypeError: From the result: f does not lead from floats to floats.

    Example:
        >>> divergence(lambda x: x * x)(jnp.array([1.0, 2.0])).tolist()
        6.0
    """

    def own(f: Fn, x: jax.Array, v: jax.Array) -> jax.Array:
        slope = _along(f, x, v)
        if jnp.shape(slope) != v.shape:
            raise ShapeError(
                f"divergence takes a function to the shape of its argument, {v.shape}, got one to "
                f"{jnp.shape(slope)}."
            )
        return jnp.sum(slope * v)

    return _summed("divergence", own, f, argnums)


def _along(f: Fn, x: jax.Array, v: jax.Array) -> Tree:
    return jax.jvp(f, (x,), (v,))[1]


def _summed(name: str, term: Callable[[Fn, jax.Array, jax.Array], Tree], f: Fn, argnums: int) -> Fn:
    """The sum of a term (f of one argument, x, direction) over the entries of x."""
    own = to_floats(name, f)

    @wraps(f)
    def total(*xs: Tree, **kw: Tree) -> Tree:
        given = floats(name, f, xs, argnums)
        place = argnums % len(given)
        x = _array(name, given[place])

        def alone(x: jax.Array) -> Tree:
            return own(*given[:place], x, *given[place + 1 :], **kw)

        def at(i: jax.Array) -> Tree:
            direction = (jnp.arange(x.size) == i).astype(x.dtype)
            return term(alone, x, direction.reshape(x.shape))

        terms = jax.lax.map(at, jnp.arange(x.size), batch_size=_TOGETHER)
        return jax.tree.map(lambda t: jnp.sum(t, axis=0), terms)

    return total


def _array(name: str, x: Tree) -> jax.Array:
    with named(name):
        if not jax.tree_util.all_leaves([x]):
            raise ShapeError(f"takes one array, got a {type(x).__name__}.")
    return jnp.asarray(x)
