"""Pooling over windows of an image."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import ops, rules
from tensorem.calls import each, integer
from tensorem.errors import ShapeError
from tensorem.rules import pool_window, window_counts
from tensorem.shapes import format_shape

from ._arithmetic import div
from ._contract import Numbers, of_images
from ._shape import checked, shape, static

Array = jax.Array
Two = tuple[int, int]


@checked
def max_pool2d(
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
) -> Array:
    """The largest value of each window.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  (N, C, H', W') or (C, H', W')

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
        >>> max_pool2d(jnp.arange(16.0).reshape(1, 4, 4), 2).tolist()
        [[[5.0, 7.0], [13.0, 15.0]]]
        >>> max_pool2d(jnp.arange(9.0).reshape(1, 3, 3), 2, ceil_mode=True).tolist()
        [[[4.0, 5.0], [7.0, 8.0]]]
    """
    attrs = _window(x, kernel_size, stride, padding, dilation, ceil_mode)
    return of_images(ops.max_pool2d, rules.max_pool2d, x, **attrs)


@checked
def avg_pool2d(
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
        (N, C, H, W) or (C, H, W)  ->  (N, C, H', W') or (C, H', W')

    Args:
        stride: The step between windows; None for kernel_size.
        padding: Zeros on each side.
        ceil_mode: Whether a window that begins inside and ends outside counts; what lies beyond
            the padding is in no mean.
        count_include_pad: Whether the zeros of the padding are in the mean.
        divisor_override: What the sum of a window is divided by, in place of the number of its
            entries.

    Raises:
        ShapeError: The shapes do not fit, or ceil_mode or count_include_pad needs a number in
            place of a name.
        ArgumentError: A stride or padding out of its range, or a divisor below 1.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> avg_pool2d(jnp.arange(16.0).reshape(1, 4, 4), 2).tolist()
        [[[2.5, 4.5], [10.5, 12.5]]]
        >>> avg_pool2d(jnp.ones((1, 2, 2)), 2, 2, 1, count_include_pad=False).tolist()
        [[[1.0, 1.0], [1.0, 1.0]]]
    """
    attrs = _window(x, kernel_size, stride, padding, 1, ceil_mode)
    del attrs["dilation"]
    counted = tuple((p, p) for p in each("padding", padding if count_include_pad else 0, 2, 0))
    divisor, counts = divisor_override, None
    if divisor is not None:
        divisor = integer("divisor_override", divisor, 1)
    elif counted == attrs["padding"]:
        divisor = math.prod(attrs["kernel_size"])
    else:  # it differs from window to window
        divisor, counts = 1, _counts(x, counted, **attrs)
    attrs["divisor"] = divisor
    pooled = partial(of_images, ops.avg_pool2d, rules.avg_pool2d, **attrs)
    if counts is None:
        return pooled(x)
    return ops.rounded_once(lambda x: div(pooled(x), jnp.asarray(counts, x.dtype)))(x)


def _window(x: Array, *numbers: Any) -> dict[str, Any]:
    """The attributes of a pooling of these images."""
    window = pool_window(shape(x), *numbers)
    if not static(sum(window.padding, ())):
        raise _nameless(x, "ceil_mode")
    return window._asdict()


def _counts(
    x: Array, counted: tuple[Two, ...], *, kernel_size: Two, stride: Two, padding: tuple[Two, Two]
) -> np.ndarray[Any, Any]:
    """How many entries of each window are in its mean: (H', W')."""
    if not static(x.shape[-2:]):
        raise _nameless(x, "ceil_mode or count_include_pad=False")
    axes = zip(x.shape[-2:], kernel_size, stride, padding, counted, strict=True)
    rows, columns = (window_counts(*axis) for axis in axes)
    return np.outer(rows, columns)


def _nameless(x: Array, what: str) -> ShapeError:
    return ShapeError(
        f"takes {what} for images of known height and width, got {format_shape(shape(x))}.",
        help="write numbers in place of the names.",
    )
