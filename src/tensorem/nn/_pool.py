"""Pooling over windows of an image."""

from __future__ import annotations

from typing import Any, ClassVar

from tensorem import functional as F
from tensorem.shapes import Shape, named, pair, rules

from ._layer import Layer

Window = int | tuple[int, int]


class MaxPool2d(Layer):
    """The largest value of each window.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  (N, C, H', W') or (C, H', W')

    Args:
        kernel_size: One number, or height and width.
        stride: The step between windows; None for kernel_size.
        padding: Places on each side, which are never the largest.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: x is no image, or smaller than the window.

    Example:
        >>> MaxPool2d(2).output_shape((5, 16, 8, 8))
        (5, 16, 4, 4)
    """

    takes: ClassVar[str] = "float"
    kernel_size: Window
    stride: Window | None = None
    padding: Window = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_window(self)

    def output_shape(self, x: Shape) -> Shape:
        return rules.max_pool2d(x, self.kernel_size, self.stride, self.padding)

    def forward(self, x: Any) -> Any:
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding)


class AvgPool2d(Layer):
    """The mean of each window; zeros of the padding count.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  (N, C, H', W') or (C, H', W')

    Args:
        kernel_size: One number, or height and width.
        stride: The step between windows; None for kernel_size.
        padding: Zeros on each side.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: x is no image, or smaller than the window.

    Example:
        >>> AvgPool2d(2).output_shape((5, 16, 8, 8))
        (5, 16, 4, 4)
    """

    takes: ClassVar[str] = "float"
    kernel_size: Window
    stride: Window | None = None
    padding: Window = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_window(self)

    def output_shape(self, x: Shape) -> Shape:
        return rules.avg_pool2d(x, self.kernel_size, self.stride, self.padding)

    def forward(self, x: Any) -> Any:
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding)


def _check_window(layer: MaxPool2d | AvgPool2d) -> None:
    with named(type(layer).__name__):
        pair(layer.kernel_size, "kernel_size", 1)
        pair(layer.padding, "padding", 0)
        if layer.stride is not None:
            pair(layer.stride, "stride", 1)
