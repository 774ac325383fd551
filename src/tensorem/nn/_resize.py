"""Pooling by powers, to a given size and of everything; images in another resolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from jax import Array

from tensorem import functional as F
from tensorem import rules
from tensorem.layer import Layer
from tensorem.rules import Numbers
from tensorem.shapes import UNKNOWN_RANK, Shape, Spec

Sizes = int | None | tuple[int | None, ...]


class LPPool(Layer):
    """What such poolings of all ranks have in common; use `LPPool1d`, `2d` or `3d`."""

    pool: ClassVar[Callable[..., Array]]
    """The function that it is."""
    axes: ClassVar[int] = 0
    """How many axes an image has."""

    takes = "float"
    norm_type: float
    kernel_size: Numbers
    stride: Numbers | None = None
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.output_shape(UNKNOWN_RANK)  # its numbers are checked when written

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.lp_pool(
            Spec(x),
            norm_type=self.norm_type,
            kernel_size=self.kernel_size,
            stride=self.stride,
            ceil_mode=self.ceil_mode,
            axes=self.axes,
        ).shape
        return y

    def forward(self, x: Array) -> Array:
        settings = self.norm_type, self.kernel_size, self.stride, self.ceil_mode
        return type(self).pool(x, *settings)


class LPPool1d(LPPool):
    """(Σ x^p)^(1/p) over each window; the derivative at 0 is 0.

    Shapes:
        (N, C, L) or (C, L)  ->  the same with other sizes

    Args:
        norm_type: p, 1 or 2.
        kernel_size: One number, or one for each axis.
        stride: The step between windows; None for kernel_size.
        ceil_mode: Whether a window that begins inside and ends outside counts.

    Raises:
        ArgumentError: An argument is out of range.
        ShapeError: x has another rank, or is smaller than the window.
    """

    pool = staticmethod(F.lp_pool1d)
    axes: ClassVar[int] = 1


class LPPool2d(LPPool):
    """(Σ x^p)^(1/p) over each window; the derivative at 0 is 0.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  the same with other sizes

    Args:
        norm_type: p, 1 or 2.
        kernel_size: One number, or one for each axis.
        stride: The step between windows; None for kernel_size.
        ceil_mode: Whether a window that begins inside and ends outside counts.

    Raises:
        ArgumentError: An argument is out of range.
        ShapeError: x has another rank, or is smaller than the window.
    """

    pool = staticmethod(F.lp_pool2d)
    axes: ClassVar[int] = 2


class LPPool3d(LPPool):
    """(Σ x^p)^(1/p) over each window; the derivative at 0 is 0.

    Shapes:
        (N, C, D, H, W) or (C, D, H, W)  ->  the same with other sizes

    Args:
        norm_type: p, 1 or 2.
        kernel_size: One number, or one for each axis.
        stride: The step between windows; None for kernel_size.
        ceil_mode: Whether a window that begins inside and ends outside counts.

    Raises:
        ArgumentError: An argument is out of range.
        ShapeError: x has another rank, or is smaller than the window.
    """

    pool = staticmethod(F.lp_pool3d)
    axes: ClassVar[int] = 3


class AdaptivePool(Layer):
    """What such poolings of all kinds and ranks have in common; use `AdaptiveAvgPool2d`, ..."""

    pool: ClassVar[Callable[..., Array]]
    """The function that it is."""
    axes: ClassVar[int] = 0
    """How many axes an image has."""

    takes = "float"
    output_size: Sizes

    def __post_init__(self) -> None:
        super().__post_init__()
        self.output_shape(UNKNOWN_RANK)  # its numbers are checked when written

    def output_shape(self, x: Shape) -> Shape:
        given = self.output_size
        y: Shape = rules.adaptive_pool(Spec(x), output_size=given, axes=self.axes).shape
        return y

    def forward(self, x: Array) -> Array:
        return type(self).pool(x, self.output_size)


class AdaptiveAvgPool1d(AdaptivePool):
    """The mean of so many windows that cover x as evenly as they can.

    Shapes:
        (N, C, L) or (C, L)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ArgumentError: A size is below 1.
        ShapeError: x has another rank, or a size that is needed is a name.

    Example:
        >>> AdaptiveAvgPool1d(2).output_shape((5, 3, 7))
        (5, 3, 2)
    """

    pool = staticmethod(F.adaptive_avg_pool1d)
    axes: ClassVar[int] = 1


class AdaptiveAvgPool2d(AdaptivePool):
    """The mean of so many windows that cover x as evenly as they can.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ArgumentError: A size is below 1.
        ShapeError: x has another rank, or a size that is needed is a name.

    Example:
        >>> AdaptiveAvgPool2d(2).output_shape((5, 3, 7, 7))
        (5, 3, 2, 2)
    """

    pool = staticmethod(F.adaptive_avg_pool2d)
    axes: ClassVar[int] = 2


class AdaptiveAvgPool3d(AdaptivePool):
    """The mean of so many windows that cover x as evenly as they can.

    Shapes:
        (N, C, D, H, W) or (C, D, H, W)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ArgumentError: A size is below 1.
        ShapeError: x has another rank, or a size that is needed is a name.

    Example:
        >>> AdaptiveAvgPool3d(2).output_shape((5, 3, 7, 7, 7))
        (5, 3, 2, 2, 2)
    """

    pool = staticmethod(F.adaptive_avg_pool3d)
    axes: ClassVar[int] = 3


class AdaptiveMaxPool1d(AdaptivePool):
    """The largest value of so many windows that cover x as evenly as they can.

    Shapes:
        (N, C, L) or (C, L)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ArgumentError: A size is below 1.
        ShapeError: x has another rank, or a size that is needed is a name.

    Example:
        >>> AdaptiveMaxPool1d(2).output_shape((5, 3, 7))
        (5, 3, 2)
    """

    pool = staticmethod(F.adaptive_max_pool1d)
    axes: ClassVar[int] = 1


class AdaptiveMaxPool2d(AdaptivePool):
    """The largest value of so many windows that cover x as evenly as they can.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ArgumentError: A size is below 1.
        ShapeError: x has another rank, or a size that is needed is a name.

    Example:
        >>> AdaptiveMaxPool2d(2).output_shape((5, 3, 7, 7))
        (5, 3, 2, 2)
    """

    pool = staticmethod(F.adaptive_max_pool2d)
    axes: ClassVar[int] = 2


class AdaptiveMaxPool3d(AdaptivePool):
    """The largest value of so many windows that cover x as evenly as they can.

    Shapes:
        (N, C, D, H, W) or (C, D, H, W)  ->  the same with the sizes output_size

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.

    Raises:
        ArgumentError: A size is below 1.
        ShapeError: x has another rank, or a size that is needed is a name.

    Example:
        >>> AdaptiveMaxPool3d(2).output_shape((5, 3, 7, 7, 7))
        (5, 3, 2, 2, 2)
    """

    pool = staticmethod(F.adaptive_max_pool3d)
    axes: ClassVar[int] = 3


class GlobalAvgPool(Layer):
    """The mean of each channel.

    Shapes:
        (N, C, ...)  ->  (N, C)

    Raises:
        ShapeError: x has fewer than three axes.

    Example:
        >>> GlobalAvgPool().output_shape((5, 3, 4, 4))
        (5, 3)
    """

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.global_pool(Spec(x)).shape
        return y

    def forward(self, x: Array) -> Array:
        return F.mean(x, tuple(range(2, x.ndim)))


class Upsample(Layer):
    """Entries between those of an image.

    Shapes:
        (N, C, *image)  ->  (N, C, *size), for images of 1, 2 or 3 axes

    Args:
        size: The new size, one number for all axes or one for each.
        scale_factor: In place of size: by how much it grows; sizes are rounded down.
        mode: "nearest", or "linear", "bilinear", "trilinear" for images of 1, 2, 3 axes.
        align_corners: Whether first and last entries stay where they are, in linear modes.

    Raises:
        ArgumentError: Neither or both of size and scale_factor are given, or one does not fit.
        ShapeError: x is no batch of images whose sizes are numbers.
    """

    takes = "float"
    size: int | tuple[int, ...] | None = None
    scale_factor: float | tuple[float, ...] | None = None
    mode: str = "nearest"
    align_corners: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.output_shape(UNKNOWN_RANK)  # its numbers are checked when written

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.interpolate(
            Spec(x),
            size=self.size,
            scale_factor=self.scale_factor,
            mode=self.mode,
            align_corners=self.align_corners,
        ).shape
        return y

    def forward(self, x: Array) -> Array:
        mode: Any = self.mode
        return F.interpolate(x, self.size, self.scale_factor, mode, self.align_corners)


class PixelShuffle(Layer):
    """r² channels become an r times as wide and high image.

    Shapes:
        (*, C r², H, W)  ->  (*, C, H r, W r)

    Raises:
        ArgumentError: The factor is below 1.
        ShapeError: There are fewer than three axes, or r² does not divide the channels.

    Example:
        >>> PixelShuffle(2).output_shape((5, 8, 3, 3))
        (5, 2, 6, 6)

    Source:
        Shi et al. 2016, equation 4.
    """

    takes = "float"
    upscale_factor: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.output_shape(UNKNOWN_RANK)  # its number is checked when written

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.pixel_shuffle(Spec(x), upscale_factor=self.upscale_factor).shape
        return y

    def forward(self, x: Array) -> Array:
        return F.pixel_shuffle(x, self.upscale_factor)


class PixelUnshuffle(Layer):
    """The inverse of `PixelShuffle`.

    Shapes:
        (*, C, H r, W r)  ->  (*, C r², H, W)

    Raises:
        ArgumentError: The factor is below 1.
        ShapeError: There are fewer than three axes, or r does not divide height and width.

    Example:
        >>> PixelUnshuffle(2).output_shape((5, 2, 6, 6))
        (5, 8, 3, 3)
    """

    takes = "float"
    downscale_factor: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.output_shape(UNKNOWN_RANK)  # its number is checked when written

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.pixel_unshuffle(Spec(x), downscale_factor=self.downscale_factor).shape
        return y

    def forward(self, x: Array) -> Array:
        return F.pixel_unshuffle(x, self.downscale_factor)
