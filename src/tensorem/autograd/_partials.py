"""Derivatives at points: of a network in its coordinates, as equations have them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from tensorem.calls import called, integers
from tensorem.errors import ArgumentError, ShapeError
from tensorem.ops import translated

from ._given import Fn, Tree, floats, name_of, one_array, to_floats
from ._jets import Index, jet


@called
def partials(f: Fn, x: Tree, *wanted: int | Index) -> Tree:
    """Partial derivatives of a function of points, in one pass and of any order.

    An equation is written as it stands: `u_t, u_xx = partials(u, points, 0, (1, 1))` at points
    (t, x). Where several derivatives are asked for, each layer is gone through once for all of
    them; derivatives nested in one another go through it again for each.

    Shapes:
        x (*batch, d), f(x) (*batch, *out)  ->  (*batch, *out) for each that is wanted

    Args:
        f: A pure function of points, each by itself; a model is one.
        x: The points: their coordinates are the last axis.
        wanted: Which derivatives: a coordinate, or a tuple with a coordinate for each time that
            is differentiated in it. () is the value.

    Returns:
        The derivatives in the order asked for, a tuple; of one alone that one.

    Raises:
        ArgumentError: Nothing is wanted, there is no such coordinate, or f is no pure function.
        ShapeError: x is no array of points.
        DTypeError: f does not lead from floats to floats.

    Example:
        >>> points = jnp.array([[1.0, 2.0], [3.0, 4.0]])
        >>> u_t, u_tx = partials(lambda p: p[:, 0] ** 2 * p[:, 1], points, 0, (0, 1))
        >>> u_t.tolist(), u_tx.tolist()
        ([4.0, 24.0], [2.0, 6.0])

    Source:
        Griewank and Walther 2008, chapter 13: Taylor arithmetic.
    """
    points = one_array("partials", floats("partials", f, (x,), 0)[0])
    if points.ndim == 0:
        raise ShapeError("takes points (*batch, d), got one number.")
    indices = [_index(given, points.shape[-1]) for given in wanted]
    if not indices:
        raise ArgumentError("takes the derivatives that are wanted, got none.", help=_HELP)
    along = {i: _direction(points, i) for i in sorted({i for index in indices for i in index})}
    with translated(name_of(f), ArgumentError):
        found = jet(to_floats("partials", f), points, along, indices)
    return found[indices[0]] if len(indices) == 1 else tuple(found[index] for index in indices)


_HELP = "partials(u, points, 0, (1, 1)) gives u_t and u_xx at points (t, x)."


def _index(given: int | Index, d: int) -> Index:
    index = integers("derivatives", given if isinstance(given, tuple) else (given,))
    if not all(-d <= i < d for i in index):
        raise ArgumentError(f"takes coordinates below {d}, got {given!r}.", help=_HELP)
    return tuple(sorted(i % d for i in index))


def _direction(points: jax.Array, i: int) -> jax.Array:
    return jnp.broadcast_to(
        jnp.asarray(np.arange(points.shape[-1]) == i, points.dtype), points.shape
    )
