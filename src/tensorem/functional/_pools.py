"""Pooling of series and volumes, to a given size, and by powers: all are poolings of images."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from tensorem import ops, rules
from tensorem.calls import each, flag, integer
from tensorem.rules import Numbers, pool_window

from ._arithmetic import mul
from ._measure import root
from ._move import as_row, cat, narrow, of_row, reshape
from ._pool import avg_pool2d, max_pool2d
from ._reduce import amax, mean
from ._shape import checked, shape, spec

Array = jax.Array
Sizes = int | None | tuple[int | None, ...]
"""A size for all axes, or one for each; None keeps that of the input."""


@checked
def max_pool1d(
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
) -> Array:
    """The largest value of each window.

    Shapes:
        (N, C, L) or (C, L)  ->  the same with other sizes

    Args:
        stride: The step between windows; None for kernel_size.
        padding: Places on each side, which are never the largest.
        dilation: The step within a window.
        ceil_mode: Whether a window that begins inside and ends outside counts.

    Raises:
        ShapeError: The shapes do not fit, or ceil_mode needs a number in place of a name.
        ArgumentError: A stride, padding or dilation out of its range.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> max_pool1d(jnp.array([[1.0, 3.0, 2.0, 5.0]]), 2).tolist()
        [[3.0, 5.0]]
    """
    _check(x, 1, kernel_size, stride, padding, dilation, ceil_mode)
    kernel, step, frame, spread = _flat(kernel_size, stride, padding, dilation)
    return of_row(max_pool2d(as_row(x), kernel, step, frame, spread, ceil_mode))


@checked
def max_pool3d(
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
) -> Array:
    """The largest value of each window.

    Shapes:
        (N, C, D, H, W) or (C, D, H, W)  ->  the same with other sizes

    Args:
        stride: The step between windows; None for kernel_size.
        padding: Places on each side, which are never the largest.
        dilation: The step within a window.
        ceil_mode: Whether a window that begins inside and ends outside counts.

    Raises:
        ShapeError: The shapes do not fit, or ceil_mode needs a number in place of a name.
        ArgumentError: A stride, padding or dilation out of its range.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> max_pool3d(jnp.arange(8.0).reshape(1, 2, 2, 2), 2).tolist()
        [[[[7.0]]]]
    """
    _check(x, 3, kernel_size, stride, padding, dilation, ceil_mode)
    (k, s, p, d), (ki, si, pi, di) = _split(kernel_size, stride, padding, dilation)
    return _by_slices(
        x,
        lambda x: max_pool2d(x, ki, si, pi, di, ceil_mode),
        lambda x: max_pool2d(x, k, s, p, d, ceil_mode),
    )


@checked
def avg_pool1d(
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """The mean of each window.

    Shapes:
        (N, C, L) or (C, L)  ->  the same with other sizes

    Args:
        stride: The step between windows; None for kernel_size.
        padding: Zeros on each side.
        ceil_mode: Whether a window that begins inside and ends outside counts; what lies beyond
            the padding is in no mean.
        count_include_pad: Whether the zeros of the padding are in the mean.

    Raises:
        ShapeError: The shapes do not fit, or a number is needed in place of a name.
        ArgumentError: A stride or padding out of its range.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> avg_pool1d(jnp.array([[1.0, 3.0, 2.0, 6.0]]), 2).tolist()
        [[2.0, 4.0]]
    """
    _check(x, 1, kernel_size, stride, padding, 1, ceil_mode)
    kernel, step, frame, _ = _flat(kernel_size, stride, padding, 1)
    y = avg_pool2d(as_row(x), kernel, step, frame, ceil_mode, count_include_pad)
    return of_row(y)


@checked
def avg_pool3d(
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """The mean of each window.

    Shapes:
        (N, C, D, H, W) or (C, D, H, W)  ->  the same with other sizes

    Args:
        stride: The step between windows; None for kernel_size.
        padding: Zeros on each side.
        ceil_mode: Whether a window that begins inside and ends outside counts; what lies beyond
            the padding is in no mean.
        count_include_pad: Whether the zeros of the padding are in the mean.
        divisor_override: What the sum of a window is divided by, in place of its entries.
    Raises:
        ShapeError: The shapes do not fit, or a number is needed in place of a name.
        ArgumentError: A stride or padding out of its range.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> avg_pool3d(jnp.arange(8.0).reshape(1, 2, 2, 2), 2).tolist()
        [[[[3.5]]]]
    """
    _check(x, 3, kernel_size, stride, padding, 1, ceil_mode)
    (k, s, p, _), (ki, si, pi, _) = _split(kernel_size, stride, padding, 1)
    ends = (ceil_mode, count_include_pad)
    over, slices = divisor_override, None
    if over is not None:  # the whole sum over it: the slices are added up, not averaged
        over, slices = 1, integer("divisor_override", over, 1)
    return _by_slices(
        x,
        lambda x: avg_pool2d(x, ki, si, pi, *ends, over),
        lambda x: avg_pool2d(x, k, s, p, *ends, slices),
    )


@checked
def lp_pool1d(
    x: Array,
    norm_type: float,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    ceil_mode: bool = False,
) -> Array:
    """(Σ x^p)^(1/p) over each window, for p = 1 or 2; the derivative at 0 is 0.

    Shapes:
        (N, C, L) or (C, L)  ->  the same with other sizes

    Args:
        norm_type: p.
        stride: The step between windows; None for kernel_size.
        ceil_mode: Whether a window that begins inside and ends outside counts; its mean counts for
            the entries outside.

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: norm_type is neither 1 nor 2, or a number is out of its range.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> lp_pool1d(jnp.array([[3.0, 4.0]]), 2, 2).tolist()
        [[5.0]]
    """
    return _powers(x, norm_type, each("kernel_size", kernel_size, 1, 1), stride, ceil_mode)


@checked
def lp_pool2d(
    x: Array,
    norm_type: float,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    ceil_mode: bool = False,
) -> Array:
    """(Σ x^p)^(1/p) over each window, for p = 1 or 2; the derivative at 0 is 0.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  the same with other sizes

    Args:
        norm_type: p.
        stride: The step between windows; None for kernel_size.
        ceil_mode: Whether a window that begins inside and ends outside counts; its mean counts for
            the entries outside.

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: norm_type is neither 1 nor 2, or a number is out of its range.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> lp_pool2d(jnp.array([[[3.0, 4.0]]]), 2, (1, 2)).tolist()
        [[[5.0]]]
    """
    return _powers(x, norm_type, each("kernel_size", kernel_size, 2, 1), stride, ceil_mode)


@checked
def lp_pool3d(
    x: Array,
    norm_type: float,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    ceil_mode: bool = False,
) -> Array:
    """(Σ x^p)^(1/p) over each window, for p = 1 or 2; the derivative at 0 is 0.

    Shapes:
        (N, C, D, H, W) or (C, D, H, W)  ->  the same with other sizes

    Args:
        norm_type: p.
        stride: The step between windows; None for kernel_size.
        ceil_mode: Whether a window that begins inside and ends outside counts; its mean counts for
            the entries outside.

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: norm_type is neither 1 nor 2, or a number is out of its range.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> lp_pool3d(jnp.array([[[[3.0, 4.0]]]]), 2, (1, 1, 2)).tolist()
        [[[[5.0]]]]
    """
    return _powers(x, norm_type, each("kernel_size", kernel_size, 3, 1), stride, ceil_mode)


@checked
def adaptive_avg_pool1d(x: Array, output_size: Sizes) -> Array:
    """The mean of so many windows that cover the input as evenly as they can.

    Shapes:
        (N, C, L) or (C, L)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ShapeError: x has another rank, or a size that is needed is a name.
        ArgumentError: A size is below 1.

    Example:
        >>> import jax.numpy as jnp
        >>> adaptive_avg_pool1d(jnp.ones((1, 4)), 2).shape
        (1, 2)

    Source:
        PyTorch, aten/src/ATen/native/AdaptivePooling.h: from floor(i n / m) to ceil((i + 1) n / m).
    """
    return _adapted(x, output_size, 1, _averaged)


@checked
def adaptive_avg_pool2d(x: Array, output_size: Sizes) -> Array:
    """The mean of so many windows that cover the input as evenly as they can.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ShapeError: x has another rank, or a size that is needed is a name.
        ArgumentError: A size is below 1.

    Example:
        >>> import jax.numpy as jnp
        >>> adaptive_avg_pool2d(jnp.ones((1, 4, 4)), 2).shape
        (1, 2, 2)

    Source:
        PyTorch, aten/src/ATen/native/AdaptivePooling.h: from floor(i n / m) to ceil((i + 1) n / m).
    """
    return _adapted(x, output_size, 2, _averaged)


@checked
def adaptive_avg_pool3d(x: Array, output_size: Sizes) -> Array:
    """The mean of so many windows that cover the input as evenly as they can.

    Shapes:
        (N, C, D, H, W) or (C, D, H, W)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ShapeError: x has another rank, or a size that is needed is a name.
        ArgumentError: A size is below 1.

    Example:
        >>> import jax.numpy as jnp
        >>> adaptive_avg_pool3d(jnp.ones((1, 4, 4, 4)), 2).shape
        (1, 2, 2, 2)

    Source:
        PyTorch, aten/src/ATen/native/AdaptivePooling.h: from floor(i n / m) to ceil((i + 1) n / m).
    """
    return _adapted(x, output_size, 3, _averaged)


@checked
def adaptive_max_pool1d(x: Array, output_size: Sizes) -> Array:
    """The largest value of so many windows that cover the input as evenly as they can.

    Shapes:
        (N, C, L) or (C, L)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ShapeError: x has another rank, or a size that is needed is a name.
        ArgumentError: A size is below 1.

    Example:
        >>> import jax.numpy as jnp
        >>> adaptive_max_pool1d(jnp.ones((1, 4)), 2).shape
        (1, 2)

    Source:
        PyTorch, aten/src/ATen/native/AdaptivePooling.h: from floor(i n / m) to ceil((i + 1) n / m).
    """
    return _adapted(x, output_size, 1, _greatest)


@checked
def adaptive_max_pool2d(x: Array, output_size: Sizes) -> Array:
    """The largest value of so many windows that cover the input as evenly as they can.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ShapeError: x has another rank, or a size that is needed is a name.
        ArgumentError: A size is below 1.

    Example:
        >>> import jax.numpy as jnp
        >>> adaptive_max_pool2d(jnp.ones((1, 4, 4)), 2).shape
        (1, 2, 2)

    Source:
        PyTorch, aten/src/ATen/native/AdaptivePooling.h: from floor(i n / m) to ceil((i + 1) n / m).
    """
    return _adapted(x, output_size, 2, _greatest)


@checked
def adaptive_max_pool3d(x: Array, output_size: Sizes) -> Array:
    """The largest value of so many windows that cover the input as evenly as they can.

    Shapes:
        (N, C, D, H, W) or (C, D, H, W)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ShapeError: x has another rank, or a size that is needed is a name.
        ArgumentError: A size is below 1.

    Example:
        >>> import jax.numpy as jnp
        >>> adaptive_max_pool3d(jnp.ones((1, 4, 4, 4)), 2).shape
        (1, 2, 2, 2)

    Source:
        PyTorch, aten/src/ATen/native/AdaptivePooling.h: from floor(i n / m) to ceil((i + 1) n / m).
    """
    return _adapted(x, output_size, 3, _greatest)


# --- one axis after the other


def _check(x: Array, axes: int, *numbers: Any) -> None:
    """Ask the rule of a pooling of so many axes."""
    flag("ceil_mode", numbers[-1])
    rules.pool(spec(x), **pool_window(shape(x), *numbers, axes=axes)._asdict())


def _flat(kernel: object, stride: object, padding: object, dilation: object) -> Any:
    """The window of a series as one of an image one row high."""
    step = kernel if stride is None else stride
    numbers = ((kernel, 1), (step, 1), (padding, 0), (dilation, 1))
    return tuple((idle, *each("kernel_size", n, 1, 0)) for n, idle in numbers)


def _split(kernel: object, stride: object, padding: object, dilation: object) -> Any:
    """The window of a volume: along the depth, as one column wide, and of its slices."""
    step = kernel if stride is None else stride
    numbers = [each("kernel_size", n, 3, 0) for n in (kernel, step, padding, dilation)]
    along = tuple((n[0], idle) for n, idle in zip(numbers, (1, 1, 0, 1), strict=True))
    return along, tuple(n[1:] for n in numbers)


Pool = Callable[[Array], Array]


def _by_slices(x: Array, slices: Pool, depth: Pool) -> Array:
    """A pooling of each slice of volumes, then one along their depth."""
    if x.ndim == 4:
        return reshape(y := _by_slices(reshape(x, (1, *x.shape)), slices, depth), y.shape[1:])
    n, c, d, *size = x.shape
    y = slices(reshape(x, (n, c * d, *size)))
    columns = reshape(y, (n, c, d, y.shape[2] * y.shape[3]))  # images that are D high
    z = depth(columns)
    return reshape(z, (n, c, z.shape[2], *y.shape[2:]))


# --- by powers


def _powers(
    x: Array, p: float, kernel: tuple[int, ...], stride: Numbers | None, ceil_mode: bool
) -> Array:
    rules.lp_pool(
        spec(x),
        norm_type=p,
        kernel_size=kernel,
        stride=stride,
        ceil_mode=ceil_mode,
        axes=len(kernel),
    )
    pool = (avg_pool1d, avg_pool2d, avg_pool3d)[len(kernel) - 1]
    means = pool(ops.square(x) if p == 2 else x, kernel, stride, 0, ceil_mode)
    total = mul(means, float(math.prod(kernel)))
    return root(total) if p == 2 else total


# --- to a given size


def _adapted(x: Array, output_size: Sizes, axes: int, pool: Callable[[Array, int], Array]) -> Array:
    new = rules.adaptive_pool(spec(x), output_size=output_size, axes=axes).shape
    for axis in range(x.ndim - axes, x.ndim):
        if new[axis] != shape(x)[axis]:
            x = _along(x, axis, new[axis], pool)
    return x


def _along(x: Array, axis: int, size: int, pool: Callable[[Array, int], Array]) -> Array:
    """Pool one axis; a single window is all of it, whose size may be a name."""
    if size == 1:
        return pool(x, axis)
    old = int(x.shape[axis])
    if old % size == 0:
        whole = reshape(x, (*x.shape[:axis], size, old // size, *x.shape[axis + 1 :]))
        return reshape(pool(whole, axis + 1), (*x.shape[:axis], size, *x.shape[axis + 1 :]))
    cuts = [(i * old // size, -(-(i + 1) * old // size)) for i in range(size)]
    return cat([pool(narrow(x, axis, a, b - a), axis) for a, b in cuts], dim=axis)


_averaged = partial(mean, keepdim=True)
_greatest = partial(amax, keepdim=True)
