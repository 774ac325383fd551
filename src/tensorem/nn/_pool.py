"""Pooling over windows of series, images and volumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import ClassVar

from jax import Array

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import flag, integer
from tensorem.layer import Layer
from tensorem.rules import Numbers, Window, pool_window
from tensorem.shapes import UNKNOWN_RANK, Shape, Size, Spec


class MaxPool(Layer):
    """What such poolings of all ranks have in common; use `MaxPool1d`, `2d` or `3d`."""

    axes: ClassVar[int] = 0
    """How many axes an image has."""

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
        numbers = (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)
        return pool_window(x, *numbers, axes=self.axes)

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.pool(Spec(x), **self._window(x)._asdict()).shape
        return y

    def forward(self, x: Array) -> Array:
        return _MAX[self.axes](
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class MaxPool1d(MaxPool):
    """The largest value of each window.

    Shapes:
        (N, C, L) or (C, L)  ->  (N, C, L') or (C, L')

    Args:
        kernel_size: How many places a window has.
        stride: The step between windows; None for kernel_size.
        padding: Places on each side, which are never the largest.
        dilation: The step within a window.
        ceil_mode: By name: whether a window that begins inside and ends outside counts.

    Raises:
        ArgumentError: An argument is out of range.
        ShapeError: x is no image, or smaller than the window.

    Example:
        >>> MaxPool1d(2).output_shape((5, 16, 8))
        (5, 16, 4)
    """

    axes: ClassVar[int] = 1


class MaxPool2d(MaxPool):
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

    axes: ClassVar[int] = 2


class MaxPool3d(MaxPool):
    """The largest value of each window.

    Shapes:
        (N, C, D, H, W) or (C, D, H, W)  ->  (N, C, D', H', W') or (C, D', H', W')

    Args:
        kernel_size: One number, or depth, height and width.
        stride: The step between windows; None for kernel_size.
        padding: Places on each side, which are never the largest.
        dilation: The step within a window.
        ceil_mode: By name: whether a window that begins inside and ends outside counts.

    Raises:
        ArgumentError: An argument is out of range.
        ShapeError: x is no image, or smaller than the window.

    Example:
        >>> MaxPool3d(2).output_shape((5, 16, 8, 8, 8))
        (5, 16, 4, 4, 4)
    """

    axes: ClassVar[int] = 3


class AvgPool(Layer):
    """What such poolings of all ranks have in common; use `AvgPool1d`, `2d` or `3d`."""

    axes: ClassVar[int] = 0
    """How many axes an image has."""

    takes = "float"
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0
    ceil_mode: bool = False
    count_include_pad: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        flag("ceil_mode", self.ceil_mode)
        flag("count_include_pad", self.count_include_pad)
        self._window(UNKNOWN_RANK)  # its numbers are checked when written

    def _window(self, x: Shape) -> Window[Size]:
        numbers = (self.kernel_size, self.stride, self.padding, 1, self.ceil_mode)
        return pool_window(x, *numbers, axes=self.axes)

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.pool(Spec(x), **self._window(x)._asdict()).shape
        return y

    def forward(self, x: Array) -> Array:
        return _AVG[self.axes](
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, *self._override(),
        )  # fmt: skip

    def _override(self) -> tuple[int | None, ...]:
        return ()


class AvgPool1d(AvgPool):
    """The mean of each window.

    Shapes:
        (N, C, L) or (C, L)  ->  (N, C, L') or (C, L')

    Args:
        kernel_size: How many places a window has.
        stride: The step between windows; None for kernel_size.
        padding: Zeros on each side.
        ceil_mode: Whether a window that begins inside and ends outside counts; what lies beyond
            the padding is in no mean.
        count_include_pad: Whether the zeros of the padding are in the mean.

    Raises:
        ArgumentError: An argument is out of range.
        ShapeError: x is no image, or smaller than the window.

    Example:
        >>> AvgPool1d(2).output_shape((5, 16, 8))
        (5, 16, 4)
    """

    axes: ClassVar[int] = 1


class AvgPool2d(AvgPool):
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

    axes: ClassVar[int] = 2
    divisor_override: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.divisor_override is not None:
            integer("divisor_override", self.divisor_override, 1)

    def _override(self) -> tuple[int | None, ...]:
        return (self.divisor_override,)


class AvgPool3d(AvgPool):
    """The mean of each window.

    Shapes:
        (N, C, D, H, W) or (C, D, H, W)  ->  (N, C, D', H', W') or (C, D', H', W')

    Args:
        kernel_size: One number, or depth, height and width.
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
        >>> AvgPool3d(2).output_shape((5, 16, 8, 8, 8))
        (5, 16, 4, 4, 4)
    """

    axes: ClassVar[int] = 3
    divisor_override: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.divisor_override is not None:
            integer("divisor_override", self.divisor_override, 1)

    def _override(self) -> tuple[int | None, ...]:
        return (self.divisor_override,)


_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVG: Mapping[int, Callable[..., Array]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
