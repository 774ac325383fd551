"""Sums of derivatives along every entry, by forward mode: nothing of the size of a Hessian."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import jax
import jax.numpy as jnp

from tensorem.calls import called
from tensorem.errors import ArgumentError, ShapeError
from tensorem.ops import translated

from ._given import Fn, Tree, floats, name_of, one_array, to_floats
from ._jets import jet

Directions = dict[int, jax.Array]

_TOGETHER = 8
"""How many directions one pass follows, each by itself: stacked, XLA:CPU takes nine times as long.
More come after one another."""


@called
def laplacian(f: Fn, argnums: int = 0) -> Fn:
    """The sum of the second derivatives of f along each entry of an argument.

    Forward mode for 8 entries at a time, and no Hessian.

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

    def second(f: Fn, x: jax.Array, along: Directions) -> Tree:
        found = jet(f, x, along, [(i, i) for i in along])
        return jax.tree.map(_total, found[()], *(found[i, i] for i in along))

    return _summed("laplacian", second, f, argnums)


@called
def divergence(f: Fn, argnums: int = 0) -> Fn:
    """The trace of the Jacobian of f in an argument of the shape of its value.

    Forward mode for 8 entries at a time, and no Jacobian.

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

    def own(f: Fn, x: jax.Array, along: Directions) -> jax.Array:
        found = jet(f, x, along, [(i,) for i in along])
        if jnp.shape(found[()]) != x.shape:
            raise ShapeError(
                f"divergence takes a function to the shape of its argument, {x.shape}, got one to "
                f"{jnp.shape(found[()])}."
            )
        return _total(jnp.zeros((), x.dtype), *(jnp.sum(found[i,] * along[i]) for i in along))

    return _summed("divergence", own, f, argnums)


def _total(like: jax.Array, *terms: jax.Array) -> jax.Array:
    return sum(terms, jnp.zeros_like(like))


def _summed(
    name: str, term: Callable[[Fn, jax.Array, Directions], Tree], f: Fn, argnums: int
) -> Fn:
    """The sum of a term (f of one argument, x, directions) over the entries of x."""
    own = to_floats(name, f)

    @wraps(f)
    def total(*xs: Tree, **kw: Tree) -> Tree:
        given = floats(name, f, xs, argnums)
        place = argnums % len(given)
        x = one_array(name, given[place])

        def alone(x: jax.Array) -> Tree:
            return own(*given[:place], x, *given[place + 1 :], **kw)

        def of(entries: jax.Array) -> Tree:
            along = {i: _direction(x, entries[i]) for i in range(len(entries))}
            with translated(name_of(f), ArgumentError):
                return term(alone, x, along)

        entries, whole = jnp.arange(x.size), x.size // _TOGETHER * _TOGETHER
        rest = of(entries[whole:])
        if not whole:
            return rest
        more = jax.lax.map(of, entries[:whole].reshape(-1, _TOGETHER))
        return jax.tree.map(lambda terms, last: jnp.sum(terms, axis=0) + last, more, rest)

    return total


def _direction(x: jax.Array, entry: jax.Array) -> jax.Array:
    return (jnp.arange(x.size) == entry).astype(x.dtype).reshape(x.shape)
