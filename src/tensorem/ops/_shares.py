"""Lines of softmax and log_softmax: functions of s_i = Σ_j exp(x_j - x_i), convex and falling.

Source: for softmax: Wei et al. 2023, "Convex Bounds on the Softmax Function", section 3, as 1 / s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp
from jax import Array

from tensorem.domains import Diagonal, End, Interval, Linear, Lines

from ._curve import CONVEX, Function, derivative, supported


@dataclass(frozen=True)
class _Plane:
    """Σ_j slopes_ij (x_j - x_i) + offset_i, over the last axis."""

    slopes: Array
    offset: Array

    def without_offset(self, x: Array) -> Array:
        """Its linear part."""
        along: Array = jnp.einsum("...ij,...j->...i", self.slopes, x)
        return along - self.slopes.sum(axis=-1) * x

    def where(self, better: Array, flat: Array) -> _Plane:
        """This one there, a number elsewhere."""
        slopes = jnp.where(better[..., None], self.slopes, 0)
        return _Plane(slopes, jnp.where(better, self.offset, flat))


def share_lines(f: Function, x: Interval, y: Interval, dim: int) -> Lines:
    """Planes of f through those of exp; ends of y where these are better at the middle of the box.

    Args:
        f: 1 / s, or -log s.
        x: The box.
        y: Where the values lie.
        dim: The axis of the sum.
    """
    low, high, floor, roof = (
        jnp.moveaxis(jnp.asarray(end), dim, -1) for end in (x.lower, x.upper, y.lower, y.upper)
    )
    below, above = _planes(f, low, high)
    middle = low / 2 + high / 2
    height, depth = (plane.without_offset(middle) + plane.offset for plane in (below, above))
    below, above = below.where(height > floor, floor), above.where(depth < roof, roof)

    def along(plane: _Plane, v: Array) -> Array:
        return jnp.moveaxis(plane.without_offset(jnp.moveaxis(v, dim, -1)), -1, dim)

    maps = (Linear(partial(along, plane), tuple(x.shape)) for plane in (below, above))
    offsets = (jnp.moveaxis(plane.offset, -1, dim) for plane in (below, above))
    return Lines((next(maps),), (next(maps),), next(offsets), next(offsets))


def _planes(f: Function, low: Array, high: Array) -> tuple[_Plane, _Plane]:
    """Below and above; as f falls, each goes through the lines of exp on the other side."""
    apart = Interval(_apart(high, low), _apart(low, high))
    powers = Interval(jnp.exp(apart.lower), jnp.exp(apart.upper))
    least, most = jnp.sum(jnp.exp(apart.lower), axis=-1), jnp.sum(jnp.exp(apart.upper), axis=-1)
    inner = supported(jnp.exp, jnp.exp, CONVEX, apart, powers)
    outer = supported(f, derivative(f), CONVEX, Interval(least, most), Interval(f(most), f(least)))
    return (
        _through(outer.lower, outer.lower_offset, inner.upper, inner.upper_offset),
        _through(outer.upper, outer.upper_offset, inner.lower, inner.lower_offset),
    )


def _apart(own: Array, others: Array) -> Array:
    """others_j - own_i; 0 for the entry itself."""
    found: Array = others[..., None, :] - own[..., :, None]
    return jnp.where(jnp.eye(own.shape[-1], dtype=bool), 0, found)


def _through(
    outer: tuple[object, ...], offset: End, inner: tuple[object, ...], rest: End
) -> _Plane:
    (steep,), (slopes,) = outer, inner
    assert isinstance(steep, Diagonal) and isinstance(slopes, Diagonal)
    lever = jnp.asarray(steep.coefficient)
    along = lever[..., None] * slopes.coefficient
    return _Plane(along, lever * jnp.sum(jnp.asarray(rest), axis=-1) + offset)
