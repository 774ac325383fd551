"""Images in another resolution: to a given size, between entries, out of channels and into them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from tensorem.calls import ABOVE_0, among, flag, integer, number
from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import (
    UNKNOWN,
    UNKNOWN_RANK,
    OpenShape,
    Poly,
    Shape,
    Size,
    Spec,
    format_shape,
)

from ._known import Sizes, divided, end, with_end
from ._pool import pool
from ._window import Numbers, image_of, pool_window

_RANKS = {"linear": 1, "bilinear": 2, "trilinear": 3}
"""A mode between entries -> how many axes its images have."""


def lp_pool(
    x: Spec,
    *,
    norm_type: float,
    kernel_size: Numbers,
    stride: Numbers | None,
    ceil_mode: bool,
    axes: int,
) -> Spec:
    """One number for each window, as `pool`.

    Raises:
        ArgumentError: Also a norm_type that is neither 1 nor 2.

    Example:
        >>> of = {"norm_type": 2, "kernel_size": 2, "stride": None, "ceil_mode": False}
        >>> lp_pool(Spec(("N", 3, 8)), **of, axes=1)
        float32 (N, 3, 4)
    """
    among("norm_type", norm_type, (1, 2))
    flag("ceil_mode", ceil_mode)
    window = pool_window(x.shape, kernel_size, stride, ceil_mode=ceil_mode, axes=axes)
    return pool(x, **window._asdict())


def adaptive_pool(x: Spec, *, output_size: int | Sequence[int | None] | None, axes: int) -> Spec:
    """As many windows on each axis as are asked for.

    Args:
        output_size: One size for all axes, or one for each; None keeps that of x.
        axes: How many axes an image has.

    Raises:
        ArgumentError: There are other sizes, or one is below 1.
        ShapeError: There is no image, or a size that is needed is a name.

    Example:
        >>> adaptive_pool(Spec(("N", 3, "H", 8)), output_size=(None, 2), axes=2)
        float32 (N, 3, H, 2)
    """
    several = _several("output_size", output_size, axes)
    sizes = [None if n is None else integer("output_size", n, 1) for n in several]
    image = image_of(x.shape, axes=axes)[1:]
    # A single window is all of an axis, whatever its size.
    _all_numbers((n for n, s in zip(image, sizes, strict=True) if s not in (None, 1)), x.shape)
    new = tuple(n if s is None else s for n, s in zip(image, sizes, strict=True))
    return replace(x, shape=with_end(x.shape, axes, new))


def global_pool(x: Spec) -> Spec:
    """One number for each channel.

    Shapes:
        (N, C, ...)  ->  (N, C)

    Raises:
        ShapeError: x has fewer than three axes.
    """
    if isinstance(x.shape, OpenShape):
        return replace(x, shape=(UNKNOWN, UNKNOWN))
    if len(x.shape) < 3:
        raise ShapeError(f"takes (N, C, ...), got {format_shape(x.shape)}.")
    return replace(x, shape=x.shape[:2])


def interpolate(
    x: Spec,
    *,
    size: int | Sequence[int] | None,
    scale_factor: float | Sequence[float] | None,
    mode: str,
    align_corners: bool,
) -> Spec:
    """Entries between those of an image, or every so many of them.

    Shapes:
        (N, C, *image)  ->  (N, C, *size), for images of 1, 2 or 3 axes

    Raises:
        ArgumentError: Neither or both of size and scale_factor are given, or one does not fit; the
            mode is unknown, or one of another rank; align_corners with mode "nearest".
        ShapeError: There is no image whose sizes are numbers.

    Example:
        >>> of = {"mode": "nearest", "align_corners": False}
        >>> interpolate(Spec(("N", 3, 8)), size=None, scale_factor=1.5, **of)
        float32 (N, 3, 12)
    """
    among("mode", mode, ("nearest", *_RANKS))
    if flag("align_corners", align_corners) and mode == "nearest":
        raise ArgumentError('takes align_corners in linear modes, got mode="nearest".')
    if (size is None) == (scale_factor is None):
        raise ArgumentError("takes either size or scale_factor, got both or none.")
    given: Any = scale_factor if size is None else size
    image = _image_between(x.shape, mode, len(given) if isinstance(given, tuple | list) else None)
    if size is None:
        factors = _several("scale_factor", scale_factor, len(image))
        new = tuple(map(_scaled, image, factors))
    else:
        new = tuple(integer("size", n, 1) for n in _several("size", size, len(image)))
    return replace(x, shape=(*x.shape[:2], *new) if isinstance(x.shape, tuple) else UNKNOWN_RANK)


def pixel_shuffle(x: Spec, *, upscale_factor: int) -> Spec:
    """r² channels become an r times as wide and high image.

    Shapes:
        (*, C r², H, W)  ->  (*, C, H r, W r)

    Raises:
        ArgumentError: The factor is below 1.
        ShapeError: There are fewer than three axes, or r² does not divide the channels.

    Example:
        >>> pixel_shuffle(Spec(("N", 8, "H", 3)), upscale_factor=2)
        float32 (N, 2, 2*H, 6)
    """
    r = integer("upscale_factor", upscale_factor, 1)
    channels, height, width = _last_three(x.shape)
    fewer = divided(channels, r**2)
    if fewer is None:
        raise ShapeError(f"takes channels that {r**2} divides, got {format_shape(x.shape)}.")
    return replace(x, shape=with_end(x.shape, 3, (fewer, height * r, width * r)))


def pixel_unshuffle(x: Spec, *, downscale_factor: int) -> Spec:
    """The inverse of `pixel_shuffle`.

    Shapes:
        (*, C, H r, W r)  ->  (*, C r², H, W)

    Raises:
        ArgumentError: The factor is below 1.
        ShapeError: There are fewer than three axes, or r does not divide height and width.

    Example:
        >>> pixel_unshuffle(Spec(("N", 2, "2*H", 6)), downscale_factor=2)
        float32 (N, 8, H, 3)
    """
    r = integer("downscale_factor", downscale_factor, 1)
    channels, *image = _last_three(x.shape)
    height, width = (divided(n, r) for n in image)
    if height is None or width is None:
        raise ShapeError(f"takes images that {r} divides, got {format_shape(x.shape)}.")
    return replace(x, shape=with_end(x.shape, 3, (channels * r**2, height, width)))


def _last_three(x: Shape) -> Sizes:
    got = end(x, 3)
    if got is None:
        raise ShapeError(f"takes (*, C, H, W), got {format_shape(x)}.")
    return got


def _several(name: str, given: object, count: int) -> tuple[Any, ...]:
    """What is given for each axis."""
    several = tuple(given) if isinstance(given, tuple | list) else (given,) * count
    if len(several) != count:
        raise ArgumentError(f"takes {name} as a number or {count} of them, got {given!r}.")
    return several


def _image_between(x: Shape, mode: str, given: int | None) -> Sizes:
    """The sizes of the axes; of an open rank they are as many as the mode or the numbers say."""
    rank = _RANKS.get(mode)
    image = (UNKNOWN,) * (given or rank or 1) if isinstance(x, OpenShape) else x[2:]
    if not 1 <= len(image) <= 3:
        raise ShapeError(f"takes (N, C, *image) with 1 to 3 axes, got {format_shape(x)}.")
    _all_numbers(image, x)
    if rank not in (None, len(image)):
        own = next(name for name, n in _RANKS.items() if n == len(image))
        raise ArgumentError(
            f"takes mode {own!r} for {len(image)} axes, or 'nearest', got {mode!r}."
        )
    return image


def _all_numbers(sizes: Iterable[Size], x: Shape) -> None:
    if any(isinstance(n, Poly) for n in sizes):
        raise ShapeError(f"takes images whose sizes are numbers, got {format_shape(x)}.")


def _scaled(old: Size, factor: object) -> Size:
    to = number("scale_factor", factor, ABOVE_0)
    return integer("the new size", math.floor(old * to), 1) if isinstance(old, int) else UNKNOWN
