"""Convolution of series, images and volumes, and its transpose: all are convolutions of images.

A series is an image one row high; a volume is a batch of images whose channels hold the slices
that a kernel meets. So every reading of `conv2d` is one of these, the checker's too.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tensorem import ops, rules
from tensorem.calls import each, integer
from tensorem.errors import ShapeError
from tensorem.rules import Numbers, Window, conv_window
from tensorem.shapes import format_shape

from ._move import as_row, batched, broadcast, cat, narrow, of_row, pad, permute, reshape
from ._shape import checked, shape, spec, static

Array = jax.Array


@checked
def conv1d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Array:
    """The cross-correlation of series with kernels.

    Shapes:
        x (N, C, L) or (C, L), weight (out, C / groups, k), bias (out,)
        ->  the same with out channels and other sizes

    Args:
        padding: Zeros on each side; "valid" for none, "same" for as many as keep the size.

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: A stride, padding, dilation or number of groups out of its range.
        DTypeError: The operands have two dtypes.

    Example:
        >>> conv1d(jnp.ones((1, 3)), jnp.ones((1, 1, 2)), padding=1).tolist()
        [[1.0, 2.0, 2.0, 1.0]]
    """
    window = _checked(x, weight, bias, (stride, padding, dilation, groups), 1)
    return batched(x, 1, lambda x: _conv1d(x, weight, bias, window, groups))


@checked
def conv3d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Array:
    """The cross-correlation of volumes with kernels.

    Shapes:
        x (N, C, D, H, W) or (C, D, H, W), weight (out, C / groups, kd, kh, kw), bias (out,)
        ->  the same with out channels and other sizes

    Args:
        padding: Zeros on each side; "valid" for none, "same" for as many as keep the size.

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: A stride, padding, dilation or number of groups out of its range.
        DTypeError: The operands have two dtypes.

    Example:
        >>> conv3d(jnp.ones((1, 2, 2, 2)), jnp.ones((1, 1, 2, 2, 2))).tolist()
        [[[[8.0]]]]
    """
    window = _checked(x, weight, bias, (stride, padding, dilation, groups), 3)
    return batched(x, 3, lambda x: _conv3d(x, weight, bias, window, groups))


@checked
def conv_transpose1d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> Array:
    """The transpose of `conv1d`: from its result to its image.

    Shapes:
        x (N, C, L) or (C, L), weight (C, out / groups, k), bias (out,)
        ->  the same with out channels and other sizes

    Args:
        padding: How many places are cut off on each side.
        output_padding: How many are added at the end: which of the images of a convolution with
            this stride it is.

    Raises:
        ShapeError: The shapes do not fit, or a size of the image is a name.
        ArgumentError: A stride, padding, output_padding, dilation or number of groups out of its
            range.
        DTypeError: The operands have two dtypes.

    Example:
        >>> conv_transpose1d(jnp.ones((1, 2)), jnp.ones((1, 1, 2)), stride=2).tolist()
        [[1.0, 1.0, 1.0, 1.0]]

    Source:
        Dumoulin and Visin 2016, section 4; arguments as torch.nn.functional.conv_transpose1d.
    """
    window, more = _transposed(
        x, weight, bias, (stride, padding, output_padding, dilation, groups), 1
    )
    return batched(x, 1, lambda x: _biased(_transpose1d(x, weight, window, more, groups), bias))


@checked
def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> Array:
    """The transpose of `conv2d`: from its result to its image.

    Shapes:
        x (N, C, H, W) or (C, H, W), weight (C, out / groups, kh, kw), bias (out,)
        ->  the same with out channels and other sizes

    Args:
        padding: How many places are cut off on each side.
        output_padding: How many are added at the end: which of the images of a convolution with
            this stride it is.

    Raises:
        ShapeError: The shapes do not fit, or a size of the image is a name.
        ArgumentError: A stride, padding, output_padding, dilation or number of groups out of its
            range.
        DTypeError: The operands have two dtypes.

    Example:
        >>> conv_transpose2d(jnp.ones((1, 1, 2)), jnp.ones((1, 1, 1, 2))).tolist()
        [[[1.0, 2.0, 1.0]]]

    Source:
        Dumoulin and Visin 2016, section 4; arguments as torch.nn.functional.conv_transpose2d.
    """
    window, more = _transposed(
        x, weight, bias, (stride, padding, output_padding, dilation, groups), 2
    )
    return batched(x, 2, lambda x: _biased(_transpose2d(x, weight, window, more, groups), bias))


@checked
def conv_transpose3d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> Array:
    """The transpose of `conv3d`: from its result to its image.

    Shapes:
        x (N, C, D, H, W) or (C, D, H, W), weight (C, out / groups, kd, kh, kw), bias (out,)
        ->  the same with out channels and other sizes

    Args:
        padding: How many places are cut off on each side.
        output_padding: How many are added at the end: which of the images of a convolution with
            this stride it is.

    Raises:
        ShapeError: The shapes do not fit, or a size of the image is a name.
        ArgumentError: A stride, padding, output_padding, dilation or number of groups out of its
            range.
        DTypeError: The operands have two dtypes.

    Example:
        >>> conv_transpose3d(jnp.ones((1, 2, 1, 1)), jnp.ones((1, 1, 2, 1, 1))).ravel().tolist()
        [1.0, 2.0, 1.0]

    Source:
        Dumoulin and Visin 2016, section 4; arguments as torch.nn.functional.conv_transpose3d.
    """
    window, more = _transposed(
        x, weight, bias, (stride, padding, output_padding, dilation, groups), 3
    )
    return batched(x, 3, lambda x: _biased(_transpose3d(x, weight, window, more, groups), bias))


# --- convolution


def _checked(
    x: Array, weight: Array, bias: Array | None, numbers: tuple[Any, ...], axes: int
) -> Window[int]:
    """The window, once the rule of a convolution of so many axes has been asked."""
    stride, padding, dilation, groups = numbers
    kernel = rules.kernel_of(spec(weight), axes)[2:]
    window = conv_window(kernel, stride, padding, dilation, axes=axes)
    biases = () if bias is None else (spec(bias),)
    integer("groups", groups, 1)
    rules.conv(spec(x), spec(weight), *biases, **rules.moves(window), groups=groups)
    return window


def _conv1d(x: Array, weight: Array, bias: Array | None, window: Window[int], groups: int) -> Array:
    """An image one row high."""
    biases = () if bias is None else (bias,)
    y = ops.conv2d(as_row(x), as_row(weight), *biases, **rules.moves(_flat(window)), groups=groups)
    return of_row(y)


def _conv3d(x: Array, weight: Array, bias: Array | None, window: Window[int], groups: int) -> Array:
    """The slices that a kernel meets are channels; each place of the depth is an image."""
    low, high = window.padding[0]
    x = pad(x, (0, 0, 0, 0, low, high)) if low or high else x
    slices = _slices(x, window)  # (N, C, kd, D', H, W)
    n, c, taps, depth, *size = slices.shape
    images = reshape(permute(slices, (0, 3, 1, 2, 4, 5)), (n * depth, c * taps, *size))
    kernel = reshape(weight, (weight.shape[0], -1, *weight.shape[3:]))
    biases = () if bias is None else (bias,)
    y = ops.conv2d(images, kernel, *biases, **rules.moves(_of_slices(window)), groups=groups)
    return permute(reshape(y, (n, depth, *y.shape[1:])), (0, 2, 1, 3, 4))


def _slices(x: Array, window: Window[int]) -> Array:
    """For each entry of a kernel along the depth the slices that it meets."""
    taps, step, spread = window.kernel_size[0], window.stride[0], window.dilation[0]
    depth = rules.positions(x.shape[2], taps, step, (0, 0), spread)
    return _windows(x, [(i * spread, step, depth) for i in range(taps)])


def _windows(x: Array, cuts: list[tuple[int, int, int]]) -> Array:
    """Cuts (start, step, count) of axis 2, side by side as a new axis 2."""
    parts = []
    for start, step, count in cuts:
        stop = start + (count - 1) * step + 1
        part = lax.slice_in_dim(x, start, stop, step, axis=2)
        parts.append(reshape(part, (*part.shape[:2], 1, *part.shape[2:])))
    return cat(parts, dim=2)


def _flat(window: Window[int]) -> Window[int]:
    """The window of a series as one of an image one row high."""
    return Window(
        (1, *window.kernel_size), (1, *window.stride), ((0, 0), *window.padding),
        (1, *window.dilation),
    )  # fmt: skip


def _of_slices(window: Window[int]) -> Window[int]:
    """The window of a volume without its depth."""
    return Window(
        window.kernel_size[1:], window.stride[1:], window.padding[1:], window.dilation[1:]
    )  # fmt: skip


# --- its transpose


def _transposed(
    x: Array, weight: Array, bias: Array | None, numbers: tuple[Any, ...], axes: int
) -> tuple[Window[int], tuple[int, ...]]:
    """The window and the places added at the end, once the rule has been asked."""
    stride, padding, output_padding, dilation, groups = numbers
    kernel = rules.kernel_of(spec(weight), axes)[2:]
    window = conv_window(kernel, stride, padding, dilation, axes=axes)
    more = each("output_padding", output_padding, axes, 0)
    biases = () if bias is None else (spec(bias),)
    integer("groups", groups, 1)
    moves = rules.moves(window)
    rules.conv_transpose(
        spec(x), spec(weight), *biases, **moves, output_padding=more, groups=groups
    )
    if not static(x.shape[-axes:]):
        raise ShapeError(f"takes images whose sizes are numbers, got {format_shape(shape(x))}.")
    return window, more


def _transpose2d(
    x: Array, weight: Array, window: Window[int], more: tuple[int, ...], groups: int
) -> Array:
    numbers = zip(
        x.shape[2:], window.kernel_size, window.stride, window.padding, window.dilation, more,
        strict=True,
    )  # fmt: skip
    size = tuple((n - 1) * s + d * (k - 1) + m + 1 - sum(p) for n, k, s, p, d, m in numbers)
    return ops.conv2d_dx(x, weight, size=size, **rules.moves(window), groups=groups)


def _transpose1d(
    x: Array, weight: Array, window: Window[int], more: tuple[int, ...], groups: int
) -> Array:
    y = _transpose2d(as_row(x), as_row(weight), _flat(window), (0, *more), groups)
    return of_row(y)


def _transpose3d(
    x: Array, weight: Array, window: Window[int], more: tuple[int, ...], groups: int
) -> Array:
    """Each entry of a kernel along the depth gives slices, which are set in their places."""
    n, c, depth, *size = x.shape
    taps, step, spread = window.kernel_size[0], window.stride[0], window.dilation[0]
    images = reshape(permute(x, (0, 2, 1, 3, 4)), (n * depth, c, *size))
    kernel = reshape(weight, (c, -1, *weight.shape[3:]))
    y = _transpose2d(images, kernel, _of_slices(window), more[1:], groups)
    out = weight.shape[1] * groups
    parts = reshape(y, (n, depth, out, taps, *y.shape[2:]))
    total: Any = None
    for i in range(taps):
        part = permute(
            reshape(narrow(parts, 3, i, 1), (n, depth, out, *y.shape[2:])), (0, 2, 1, 3, 4)
        )
        ends = (i * spread, (taps - 1 - i) * spread + more[0])
        placed = _spread(part, step, ends)
        total = placed if total is None else ops.add(total, placed)
    low, high = window.padding[0]
    return narrow(total, 2, low, total.shape[2] - low - high)


def _spread(x: Array, step: int, ends: tuple[int, int]) -> Array:
    """Slices of axis 2 with zeros between and around them."""
    low, high, interior = ([0] * x.ndim for _ in range(3))
    low[2], high[2], interior[2] = *ends, step - 1
    zero = jnp.asarray(np.zeros((), x.dtype))
    return ops.pad(x, zero, low=tuple(low), high=tuple(high), interior=tuple(interior))


def _biased(y: Array, bias: Array | None) -> Array:
    return y if bias is None else ops.add(y, broadcast(bias, y.shape, (1,)))
