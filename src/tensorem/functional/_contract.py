"""Products summed over axes: linear, matmul, convolution, rows of a table."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from tensorem import ops, rules
from tensorem.calls import integer
from tensorem.rules import Numbers as Numbers
from tensorem.shapes import format_shape, require_equal

from ._move import batched, broadcast
from ._shape import checked, shape, spec

Array = jax.Array


@checked
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """The affine map x Wᵀ + b on the last axis.

    Shapes:
        x (*batch, in), weight (out, in), bias (out,)  ->  (*batch, out)

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have two dtypes.

    Example:
        >>> import jax.numpy as jnp
        >>> linear(jnp.array([1.0, 2.0]), jnp.array([[3.0, 4.0]]), jnp.array([0.5])).tolist()
        [11.5]
    """
    return ops.linear(x, weight) if bias is None else ops.linear(x, weight, bias)


@checked
def bilinear(x1: Array, x2: Array, weight: Array, bias: Array | None = None) -> Array:
    """x1ᵀ W_o x2 + b_o for every output o, on the last axes.

    Shapes:
        x1 (*batch, in1), x2 (*batch, in2), weight (out, in1, in2), bias (out,)  ->  (*batch, out)

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have two dtypes.

    Example:
        >>> import jax.numpy as jnp
        >>> bilinear(jnp.array([1.0, 2.0]), jnp.array([3.0]), jnp.ones((1, 2, 1))).tolist()
        [9.0]
    """
    out, in1, in2 = weight.shape
    what = f"takes x1 (*batch, {in1}) and x2 (*batch, {in2}), got {format_shape(shape(x1))} and "
    require_equal(shape(x1)[-1:], (in1,), f"{what}{format_shape(shape(x2))}.")
    require_equal(shape(x2), (*shape(x1)[:-1], in2), f"{what}{format_shape(shape(x2))}.")
    last = (x1.ndim - 1,)
    half = ops.dot(x1, weight, contract=(last, (1,)), batch=((), ()))
    wide = broadcast(x2, (*x1.shape[:-1], out, in2), (*range(x1.ndim - 1), x1.ndim))
    y = ops.sum(ops.mul(half, wide), dims=(x1.ndim,))
    return y if bias is None else ops.add(y, broadcast(bias, y.shape, (y.ndim - 1,)))


@checked
def matmul(x: Array, y: Array) -> Array:
    """The matrix product on the last two axes.

    Shapes:
        x (*batch, n, k), y (*batch, k, m)  ->  (*batch, n, m)

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have two dtypes.

    Example:
        >>> import jax.numpy as jnp
        >>> matmul(jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [4.0]])).tolist()
        [[11.0]]
    """
    return ops.matmul(x, y)


@checked
def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Array:
    """The cross-correlation of images with kernels.

    Shapes:
        x (N, C, H, W) or (C, H, W), weight (out, C / groups, kh, kw), bias (out,)
        ->  (N, out, H', W') or (out, H', W')

    Args:
        padding: Zeros on each side; "valid" for none, "same" for as many as keep the size.

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: A stride, padding, dilation or number of groups out of its range.
        DTypeError: The operands have two dtypes.

    Example:
        >>> import jax.numpy as jnp
        >>> conv2d(jnp.ones((1, 3, 3)), jnp.ones((1, 1, 2, 2)), padding=1, stride=2).tolist()
        [[[1.0, 2.0], [2.0, 4.0]]]
    """
    kernel = rules.kernel_of(spec(weight))[2:]
    moves = rules.moves(rules.conv_window(kernel, stride, padding, dilation))
    operands = (weight,) if bias is None else (weight, bias)
    groups = integer("groups", groups, 1)
    return of_images(ops.conv2d, rules.conv2d, x, *operands, **moves, groups=groups)


@checked
def embedding(index: Array, weight: Array, padding_idx: int | None = None) -> Array:
    """Row `index` of a table.

    An index out of range is an error where it is a value, and gives NaN inside a trace.

    Shapes:
        index (*batch), weight (rows, dim)  ->  (*batch, dim)

    Args:
        padding_idx: A row that gets no gradient; negative ones are counted from the last.

    Raises:
        DataError: An index is out of range.
        DTypeError: The index is none of integers.
        ArgumentError: There is no row padding_idx.

    Example:
        >>> import jax.numpy as jnp
        >>> embedding(jnp.array([1, 1]), jnp.array([[0.0, 0.5], [1.0, 1.5]])).tolist()
        [[1.0, 1.5], [1.0, 1.5]]
    """
    rows = ops.embedding(index, weight)
    if not isinstance(index, Tracer):
        rules.check_rows(np.asarray(index), weight.shape[0])
    return rows if padding_idx is None else _held(rows, index, padding_idx, weight.shape[0])


def _held(rows: Array, index: Array, padding_idx: int, count: int) -> Array:
    """The rows, of which those of padding_idx pass no gradient on."""
    rules.check_row(padding_idx, count)
    is_padding = ops.equal(index, jnp.full_like(index, padding_idx % count))
    mask = broadcast(is_padding, rows.shape, tuple(range(index.ndim)))
    return ops.where(mask, ops.stop_gradient(rows), rows)


def of_images(op: ops.Op, rule: ops.Rule, *operands: Array, **attrs: ops.Attr) -> Array:
    """An op on a batch of images; on one image also, of which the rule is asked."""
    x, *rest = operands
    if x.ndim != 4:
        rule(*map(spec, operands), **attrs)
    return batched(x, 2, lambda x: op(x, *rest, **attrs))
