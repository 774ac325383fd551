"""Pooling by powers, to a given size and of everything; images in another resolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from jax import Array

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import each, flag, integer
from tensorem.errors import ArgumentError, ShapeError
from tensorem.layer import Layer
from tensorem.rules import Numbers, pool_window
from tensorem.shapes import UNKNOWN, UNKNOWN_RANK, OpenShape, Poly, Shape, Size, Spec, format_shape

Sizes = int | None | tuple[int | None, ...]


class LPPool(Layer):
    """What such poolings of all ranks have in common; use `LPPool1d` or `LPPool2d`."""

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
        _check_powers(self)
        self.output_shape(UNKNOWN_RANK)  # its numbers are checked when written

    def output_shape(self, x: Shape) -> Shape:
        return _pooled(x, self.kernel_size, self.stride, self.ceil_mode, self.axes)

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
        _sizes(self.output_size, self.axes)

    def output_shape(self, x: Shape) -> Shape:
        return _adapted(x, _sizes(self.output_size, self.axes))

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
        if isinstance(x, OpenShape):
            return (UNKNOWN, UNKNOWN)
        if len(x) < 3:
            raise ShapeError(f"takes (N, C, ...), got {format_shape(x)}.")
        return x[:2]

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
        flag("align_corners", self.align_corners)
        if (self.size is None) == (self.scale_factor is None):
            raise ArgumentError("takes either size or scale_factor, got both or none.")
        if self.mode not in ("nearest", "linear", "bilinear", "trilinear"):
            raise ArgumentError(
                f"takes a mode of nearest, linear, bilinear, trilinear, got {self.mode!r}."
            )

    def output_shape(self, x: Shape) -> Shape:
        if isinstance(x, OpenShape):
            return UNKNOWN_RANK
        return (*x[:2], *(self._size(n, i) for i, n in enumerate(x[2:])))

    def _size(self, old: Size, axis: int) -> Size:
        given: Any = self.size if self.size is not None else self.scale_factor
        number = given[axis] if isinstance(given, tuple) else given
        if self.size is not None:
            return int(number)
        return int(old * number // 1) if isinstance(old, int) else UNKNOWN

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
        integer("upscale_factor", self.upscale_factor, 1)

    def output_shape(self, x: Shape) -> Shape:
        c, h, w = _image(x)
        r = self.upscale_factor
        if not isinstance(c // r**2 * r**2, type(UNKNOWN)) and c // r**2 * r**2 != c:
            raise ShapeError(f"takes channels that {r**2} divides, got {format_shape(x)}.")
        return _with_image(x, (c // r**2, h * r, w * r))

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
        integer("downscale_factor", self.downscale_factor, 1)

    def output_shape(self, x: Shape) -> Shape:
        c, h, w = _image(x)
        r = self.downscale_factor
        if any(isinstance(n, int) and n % r for n in (h, w)):
            raise ShapeError(f"takes images that {r} divides, got {format_shape(x)}.")
        return _with_image(x, (c * r**2, h // r, w // r))

    def forward(self, x: Array) -> Array:
        return F.pixel_unshuffle(x, self.downscale_factor)


def _check_powers(layer: LPPool) -> None:
    if layer.norm_type not in (1, 2):
        raise ArgumentError(f"takes norm_type 1 or 2, got {layer.norm_type!r}.")
    flag("ceil_mode", layer.ceil_mode)


def _pooled(x: Shape, kernel: Numbers, stride: Numbers | None, ceil_mode: bool, axes: int) -> Shape:
    window = pool_window(x, kernel, stride, 0, 1, ceil_mode, axes=axes)
    y: Shape = rules.pool(Spec(x), **window._asdict()).shape
    return y


def _sizes(given: Sizes, axes: int) -> tuple[int | None, ...]:
    """The new size of each axis."""
    sizes = given if isinstance(given, tuple) else (given,) * axes
    known = [n for n in sizes if n is not None]
    each("output_size", known, len(known), 1)
    if len(sizes) != axes:
        raise ArgumentError(f"takes output_size as one size or {axes}, got {given!r}.")
    return sizes


def _adapted(x: Shape, sizes: tuple[int | None, ...]) -> Shape:
    image = rules.image_of(x, axes=len(sizes))[1:]
    named = [n for n, size in zip(image, sizes, strict=True) if size not in (None, 1)]
    if any(isinstance(n, Poly) for n in named):
        raise ShapeError(f"takes images whose sizes are numbers, got {format_shape(x)}.")
    new = tuple(n if s is None else s for n, s in zip(image, sizes, strict=True))
    return rules.with_end(x, len(new), new)


def _image(x: Shape) -> tuple[Size, Size, Size]:
    got = rules.end(x, 3)
    if got is None:
        raise ShapeError(f"takes (*, C, H, W), got {format_shape(x)}.")
    return got[0], got[1], got[2]


def _with_image(x: Shape, image: tuple[Size, Size, Size]) -> Shape:
    return rules.with_end(x, 3, image)
