"""Sums and means over axes, also over axes whose size has only a name."""

from __future__ import annotations

from typing import Any

from tensorem import ops
from tensorem.errors import ShapeError
from tensorem.shapes import format_shape

from ._move import reshape
from ._shape import checked, shape

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


def _axes(x: Array, dim: Dim) -> tuple[int, ...]:
    dims = tuple(range(x.ndim)) if dim is None else dim if isinstance(dim, tuple) else (dim,)
    found = sorted({d % x.ndim for d in dims if -x.ndim <= d < x.ndim})
    if len(found) < len(dims):
        raise ShapeError(
            f"takes an input with the axes dim={dim}, each once, got {format_shape(shape(x))}."
        )
    return tuple(found)


def _kept(x: Array, dims: tuple[int, ...], y: Array, keepdim: bool) -> Array:
    wide = tuple(1 if d in dims else n for d, n in enumerate(x.shape))
    return reshape(y, wide) if keepdim else y
