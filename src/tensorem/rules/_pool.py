"""Pooling over windows of images."""

from __future__ import annotations

from dataclasses import replace

from tensorem.calls import integer
from tensorem.shapes import Size, Spec

from ._elementwise import floating
from ._known import with_end
from ._window import Padding, Two, image_of, pool_size, slide


def max_pool2d(
    x: Spec, *, kernel_size: Two, stride: Two, padding: Padding[Size], dilation: Two
) -> Spec:
    """The largest value under a window that slides over an image or a batch of images.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  (N, C, H', W') or (C, H', W')

    Raises:
        ShapeError: The rank, or a window that reaches beyond the padded image or lies outside.
        ArgumentError: Stride, kernel, padding or dilation out of range.
        DTypeError: x holds no floats.

    Example:
        >>> from tensorem.rules import pool_window
        >>> max_pool2d(Spec(("N", 16, 8, 8)), **pool_window((16, 8, 8), 2)._asdict())
        float32 (N, 16, 4, 4)
    """
    return pool(x, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation)


def pool(
    x: Spec,
    *,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[tuple[Size, Size], ...],
    dilation: tuple[int, ...],
) -> Spec:
    """One number for each window of images of as many axes as there are strides.

    Raises:
        ShapeError: The rank, or a window that reaches beyond the padded image or lies outside.
        ArgumentError: Stride, kernel, padding or dilation out of range.
        DTypeError: x holds no floats.

    Example:
        >>> from tensorem.rules import pool_window
        >>> pool(Spec(("N", 16, 8)), **pool_window((16, 8), 2, axes=1)._asdict())
        float32 (N, 16, 4)
    """
    axes = len(stride)
    channels, *image = image_of(x.shape, axes=axes)
    window = (kernel_size, stride, padding, dilation)
    places = slide(x.shape, tuple(image), window, pool_size)
    return replace(floating(x), shape=with_end(x.shape, axes + 1, (channels, *places)))


def avg_pool2d(
    x: Spec, *, kernel_size: Two, stride: Two, padding: Padding[Size], divisor: int
) -> Spec:
    """The sum under a window over one number; as `max_pool2d`.

    Raises:
        ArgumentError: Also a divisor below 1.
    """
    integer("divisor", divisor, 1)
    return max_pool2d(x, kernel_size=kernel_size, stride=stride, padding=padding, dilation=(1, 1))
