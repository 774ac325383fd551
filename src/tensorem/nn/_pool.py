"""Pooling over windows of an image."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import flag, integer
from tensorem.layer import Layer
from tensorem.rules import Window, pool_window
from tensorem.shapes import UNKNOWN_RANK, Shape, Size, Spec

Numbers = int | tuple[int, int]


class MaxPool2d(Layer):
    """The largest value of each window.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  (N, C, H', W') or (C, H', W')

    Args:
        kernel_size: One number, or height and width.
        stride: The step between windows; None for kernel_size.
        padding: Places on each side, which are never the largest.
        dilation: The step within a window.
        ceil_mode: By name: whether a window that begins inside and ends outside counts.

    Raises:
        ArgumentError: An argument is out of range.
        ShapeError: x is no image, or smaller than the window.

    Example:
        >>> MaxPool2d(2).output_shape((5, 16, 8, 8))
        (5, 16, 4, 4)
        >>> MaxPool2d(2, ceil_mode=True).output_shape((5, 16, 9, 9))
        (5, 16, 5, 5)
    """

    takes = "float"
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0
    dilation: Numbers = 1
    ceil_mode: bool = field(default=False, kw_only=True)  # PyTorch has return_indices before it

    def __post_init__(self) -> None:
        super().__post_init__()
        flag("ceil_mode", self.ceil_mode)
        self._window(UNKNOWN_RANK)  # its numbers are checked when written

    def _window(self, x: Shape) -> Window[Size]:
        return pool_window(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.max_pool2d(Spec(x), **self._window(x)._asdict()).shape
        return y

    def forward(self, x: Any) -> Any:
        return F.max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class AvgPool2d(Layer):
    """The mean of each window.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  (N, C, H', W') or (C, H', W')

    Args:
        kernel_size: One number, or height and width.
        stride: The step between windows; None for kernel_size.
        padding: Zeros on each side.
        ceil_mode: Whether a window that begins inside and ends outside counts; what lies beyond
            the padding is in no mean.
        count_include_pad: Whether the zeros of the padding are in the mean.
        divisor_override: What the sum of a window is divided by, in place of the number of its
            entries.

    Raises:
        ArgumentError: An argument is out of range.
        ShapeError: x is no image, or smaller than the window.

    Example:
        >>> AvgPool2d(2).output_shape((5, 16, 8, 8))
        (5, 16, 4, 4)
    """

    takes = "float"
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        flag("ceil_mode", self.ceil_mode)
        flag("count_include_pad", self.count_include_pad)
        if self.divisor_override is not None:
            integer("divisor_override", self.divisor_override, 1)
        self._window(UNKNOWN_RANK)  # its numbers are checked when written

    def _window(self, x: Shape) -> Window[Size]:
        return pool_window(x, self.kernel_size, self.stride, self.padding, 1, self.ceil_mode)

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.max_pool2d(Spec(x), **self._window(x)._asdict()).shape
        return y

    def forward(self, x: Any) -> Any:
        return F.avg_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip
