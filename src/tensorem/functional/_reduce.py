"""Sums, means and extremes over axes, also over axes whose size has only a name."""

from __future__ import annotations

from typing import Any

from tensorem import ops

from ._move import reshape
from ._shape import axes, checked

Array = Any
Dim = int | tuple[int, ...] | None


@checked
def mean(x: Array, dim: Dim = None, keepdim: bool = False) -> Array:
    """The mean over axes.

    Shapes:
        (...)  ->  without the axes dim; with keepdim they stay, with size 1

    Args:
        dim: One axis, several, or None for all.

    Raises:
        ArgumentError: dim is none of these.
        ShapeError: There is no such axis.

    Example:
        >>> import jax.numpy as jnp
        >>> mean(jnp.array([[1.0, 2.0], [3.0, 4.0]]), dim=0).tolist()
        [2.0, 3.0]
    """
    dims = _axes(x, dim)
    return _kept(x, dims, ops.mean(x, dims=dims), keepdim)


@checked
def sum(x: Array, dim: Dim = None, keepdim: bool = False) -> Array:
    """The sum over axes; arguments, shapes and errors as in `mean`."""
    dims = _axes(x, dim)
    return _kept(x, dims, ops.sum(x, dims=dims), keepdim)


@checked
def amax(x: Array, dim: Dim = None, keepdim: bool = False) -> Array:
    """The greatest entry over axes; arguments, shapes and errors as in `mean`."""
    dims = _axes(x, dim)
    return _kept(x, dims, ops.amax(x, dims=dims), keepdim)


@checked
def amin(x: Array, dim: Dim = None, keepdim: bool = False) -> Array:
    """The smallest entry over axes; arguments, shapes and errors as in `mean`."""
    dims = _axes(x, dim)
    return _kept(x, dims, ops.amin(x, dims=dims), keepdim)


def _axes(x: Array, dim: Dim) -> tuple[int, ...]:
    return tuple(range(x.ndim)) if dim is None else axes(x, dim)


def _kept(x: Array, dims: tuple[int, ...], y: Array, keepdim: bool) -> Array:
    wide = tuple(1 if d in dims else n for d, n in enumerate(x.shape))
    return reshape(y, wide) if keepdim else y
