"""Products summed over axes: linear, matmul, convolution, rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax.core import Tracer

from tensorem import ops
from tensorem.errors import DataError, DTypeError, ShapeError
from tensorem.shapes import dtypes, format_shape, pair, rules, same_shape, same_size

from ._move import reshape
from ._shape import checked, shape

Array = Any
Window = int | tuple[int, int]


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
    _weight(weight, 2, "(out, in)")
    rules.linear(shape(x), weight.shape[1], weight.shape[0])
    _bias(bias, weight)
    return ops.linear(x, weight) if bias is None else ops.linear(x, weight, bias)


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
    a, b = shape(x), shape(y)
    if (
        min(len(a), len(b)) < 2
        or same_shape(a[:-2], b[:-2]) is False
        or same_size(a[-1], b[-2]) is False
    ):
        raise ShapeError(
            f"takes (*batch, n, k) and (*batch, k, m), got {format_shape(a)} and {format_shape(b)}."
        )
    return ops.matmul(x, y)


@checked
def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Window = 1,
    padding: Window | str = 0,
    dilation: Window = 1,
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
    _weight(weight, 4, "(out, in / groups, kh, kw)")
    out, per_group, *kernel = weight.shape
    padding = padding_of(padding, (kernel[0], kernel[1]), stride, dilation)
    rules.conv2d(
        shape(x), per_group * groups, out, (kernel[0], kernel[1]), stride, padding, dilation, groups
    )
    _bias(bias, weight)
    attrs: dict[str, Any] = {
        "stride": pair(stride, "stride", 1),
        "padding": padding,
        "dilation": pair(dilation, "dilation", 1),
        "groups": groups,
    }
    operands = (weight,) if bias is None else (weight, bias)
    return batched(lambda images: ops.conv2d(images, *operands, **attrs), x)


@checked
def embedding(index: Array, weight: Array) -> Array:
    """Row `index` of a table.

    An index out of range is an error where it is a value, and gives NaN inside a trace.

    Shapes:
        index (*batch), weight (rows, dim)  ->  (*batch, dim)

    Raises:
        DataError: An index is out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> embedding(jnp.array([1, 1]), jnp.array([[0.0, 0.5], [1.0, 1.5]])).tolist()
        [[1.0, 1.5], [1.0, 1.5]]
    """
    _weight(weight, 2, "(rows, dim)")
    if index.dtype.name not in dtypes.INTEGER:
        raise DTypeError(
            f"takes integers (int32, ...), got {index.dtype}.", help='convert: x.astype("int32").'
        )
    _check_rows(index, weight.shape[0])
    return ops.embedding(index, weight)


def _check_rows(index: Array, rows: int) -> None:
    if isinstance(index, Tracer):
        return
    wrong = np.argwhere((np.asarray(index) < 0) | (np.asarray(index) >= rows))
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise DataError(
            f"takes indices from 0 to {rows - 1}, got {int(index[at])}.",
            where=f"index[{', '.join(map(str, at))}]",
        )


def padding_of(
    padding: Window | str, kernel: tuple[int, int], stride: Window, dilation: Window
) -> tuple[int, int]:
    """Zeros on each side, from a number, a pair, "valid" or "same".

    Raises:
        ShapeError: "same" needs stride 1, and as many zeros on one side as on the other.

    Example:
        >>> padding_of("same", (3, 5), 1, (1, 2))
        (1, 4)
    """
    if padding == "valid":
        return (0, 0)
    if padding != "same":
        return pair(padding, "padding", 0)
    reach = [d * (k - 1) for k, d in zip(kernel, pair(dilation, "dilation", 1), strict=True)]
    if pair(stride, "stride", 1) != (1, 1) or any(r % 2 for r in reach):
        raise ShapeError(
            'takes padding="same" with stride 1 and an odd reach of the kernel, got stride '
            f"{stride} and kernel {kernel}.",
            help="give the padding as a number.",
        )
    return (reach[0] // 2, reach[1] // 2)


def batched(f: Any, x: Array) -> Array:
    """A function of a batch of images, on one image also."""
    if x.ndim == 4:
        return f(x)
    y = f(reshape(x, (1, *x.shape)))
    return reshape(y, y.shape[1:])


def _weight(weight: Array, rank: int, form: str) -> None:
    if weight.ndim != rank:
        raise ShapeError(f"takes a weight {form}, got {format_shape(shape(weight))}.")


def _bias(bias: Array | None, weight: Array) -> None:
    if bias is not None and bias.shape != (weight.shape[0],):
        raise ShapeError(f"takes a bias ({weight.shape[0]},), got {format_shape(shape(bias))}.")
