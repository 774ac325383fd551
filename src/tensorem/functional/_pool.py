"""Pooling over windows of an image."""

from __future__ import annotations

from typing import Any

from tensorem import ops
from tensorem.shapes import pair, rules

from ._contract import Window, batched
from ._shape import checked, shape

Array = Any


@checked
def max_pool2d(
    x: Array, kernel_size: Window, stride: Window | None = None, padding: Window = 0
) -> Array:
    """The largest value of each window.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  (N, C, H', W') or (C, H', W')

    Args:
        stride: The step between windows; None for kernel_size.
        padding: Places on each side, which are never the largest.

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: A stride or padding out of its range.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> max_pool2d(jnp.arange(16.0).reshape(1, 4, 4), 2).tolist()
        [[[5.0, 7.0], [13.0, 15.0]]]
    """
    rules.max_pool2d(shape(x), kernel_size, stride, padding)
    attrs = _window(kernel_size, stride, padding)
    return batched(lambda images: ops.max_pool2d(images, **attrs), x)


@checked
def avg_pool2d(
    x: Array, kernel_size: Window, stride: Window | None = None, padding: Window = 0
) -> Array:
    """The mean of each window; zeros of the padding count.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  (N, C, H', W') or (C, H', W')

    Args:
        stride: The step between windows; None for kernel_size.
        padding: Zeros on each side.

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: A stride or padding out of its range.
        DTypeError: x holds no floats.

    Example:
        >>> import jax.numpy as jnp
        >>> avg_pool2d(jnp.arange(16.0).reshape(1, 4, 4), 2).tolist()
        [[[2.5, 4.5], [10.5, 12.5]]]
    """
    rules.avg_pool2d(shape(x), kernel_size, stride, padding)
    attrs = _window(kernel_size, stride, padding)
    return batched(lambda images: ops.avg_pool2d(images, **attrs), x)


def _window(kernel_size: Window, stride: Window | None, padding: Window) -> dict[str, Any]:
    return {
        "kernel_size": pair(kernel_size, "kernel_size", 1),
        "stride": pair(kernel_size if stride is None else stride, "stride", 1),
        "padding": pair(padding, "padding", 0),
    }
