"""Sums, means and extremes over axes, also over axes whose size has only a name."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np

from tensorem import dtypes, ops

from ._move import reshape
from ._shape import axes, checked

Array = jax.Array
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
    """The sum over axes; arguments, shapes and errors as in `mean`.

    Integers are added up in int64, or int32 where JAX has no 64 bits; `uint32` and `uint64` keep
    their dtype where that does not hold them.

    Example:
        >>> import jax.numpy as jnp
        >>> sum(jnp.full(100, 100, jnp.int8)).item()
        10000
    """
    dims = _axes(x, dim)
    total = ops.rounded_once(partial(ops.sum, dims=dims))(_counted(x))
    return _kept(x, dims, total, keepdim)


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


def _counted(x: Array) -> Array:
    """Integers in the dtype in which they are added up."""
    wide = jax.dtypes.canonicalize_dtype(np.int64)
    widens = x.dtype.name in dtypes.INTEGER and x.dtype != wide and np.can_cast(x.dtype, wide)
    return ops.cast(x, dtype=wide.name) if widens else x


def _axes(x: Array, dim: Dim) -> tuple[int, ...]:
    return tuple(range(x.ndim)) if dim is None else axes(x, dim)


def _kept(x: Array, dims: tuple[int, ...], y: Array, keepdim: bool) -> Array:
    wide = tuple(1 if d in dims else n for d, n in enumerate(x.shape))
    return reshape(y, wide) if keepdim else y
