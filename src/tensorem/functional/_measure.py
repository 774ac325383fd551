"""Lengths of vectors, and the angles between them."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from tensorem import ops
from tensorem.calls import ABOVE_0, flag, number

from ._arithmetic import common, div, mul
from ._reduce import amax, sum
from ._select import clamp
from ._shape import axes, checked

Array = jax.Array
Dim = int | tuple[int, ...] | None


@checked
def norm(x: Array, p: float = 2, dim: Dim = None, keepdim: bool = False) -> Array:
    """(Σ |x|^p)^(1/p) over axes, or the largest |x| for infinity.

    Where it is 0 its derivative is 0.

    Shapes:
        (...)  ->  without the axes dim; with keepdim they stay, with size 1

    Args:
        p: A number above 0, or math.inf.
        dim: One axis, several, or None for all.

    Raises:
        ArgumentError: p is not above 0, or dim is none of these.
        ShapeError: There is no such axis.

    Example:
        >>> norm(jnp.array([3.0, 4.0])).item()
        5.0
    """
    if p != math.inf:
        number("p", p, ABOVE_0, "math.inf")
    flag("keepdim", keepdim)
    if dim is not None:
        dim = axes(x, dim)
    if p == 2:
        return root(sum(ops.square(x), dim, keepdim))
    size = ops.abs(x)
    if p in (1, math.inf):
        return (sum if p == 1 else amax)(size, dim, keepdim)
    return _power(sum(_power(size, float(p)), dim, keepdim), 1 / float(p))


@checked
def normalize(x: Array, p: float = 2, dim: int = 1, eps: float = 1e-12) -> Array:
    """x divided by its norm over an axis, which counts as at least eps.

    Shapes:
        (...)  ->  the same

    Raises:
        ArgumentError: p is not above 0.
        ShapeError: There is no such axis.

    Example:
        >>> normalize(jnp.array([[3.0, 4.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    return div(x, clamp(norm(x, p, dim, keepdim=True), min=eps))


@checked
def cosine_similarity(x1: Array, x2: Array, dim: int = 1, eps: float = 1e-8) -> Array:
    """The cosine of the angle between vectors along an axis; a length counts as at least eps.

    Shapes:
        x1, x2: equal, or equal after broadcasting  ->  without the axis dim

    Raises:
        ShapeError: The shapes do not fit, or there is no such axis.
        DTypeError: The arrays have two dtypes.

    Example:
        >>> cosine_similarity(jnp.array([[1.0, 0.0]]), jnp.array([[1.0, 1.0]])).round(3).tolist()
        [0.7070000171661377]
    """
    x1, x2 = common(x1, x2)
    first, second = (clamp(norm(x, dim=dim), min=eps) for x in (x1, x2))
    return div(sum(mul(x1, x2), dim), mul(first, second))


def _power(x: Array, p: float) -> Array:
    """x^p of numbers from 0 on; its derivative at 0 is 0."""
    none = ops.equal(x, jnp.zeros_like(x))
    power = ops.pow(ops.where(none, jnp.ones_like(x), x), jnp.full_like(x, p))
    return ops.where(none, jnp.zeros_like(x), power)


def root(total: Array) -> Array:
    """The root; its derivative at 0 is 0, in both modes."""
    none = ops.equal(total, jnp.zeros_like(total))
    root = ops.sqrt(ops.where(none, jnp.ones_like(total), total))
    return ops.where(none, jnp.zeros_like(total), root)
