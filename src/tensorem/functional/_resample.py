"""Images in another resolution: each axis is a linear map, or a move of entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from tensorem import ops, rules
from tensorem.errors import ShapeError
from tensorem.rules import conv_size, conv_window
from tensorem.shapes import format_shape

from ._contract import Numbers
from ._move import cat, narrow, pad, permute, reshape
from ._shape import checked, shape, spec, static

Array = jax.Array
Mode = Literal["nearest", "linear", "bilinear", "trilinear"]
Places = NDArray[np.floating[Any]]


@checked
def interpolate(
    x: Array,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: Mode = "nearest",
    align_corners: bool = False,
) -> Array:
    """Entries between those of an image, or every so many of them.

    Shapes:
        (N, C, *image)  ->  (N, C, *size), for images of 1, 2 or 3 axes

    Args:
        size: The new size, one number for all axes or one for each.
        scale_factor: In place of size: by how much it grows; sizes are rounded down.
        mode: "nearest", or "linear", "bilinear", "trilinear" for images of 1, 2, 3 axes.
        align_corners: Whether first and last entries stay where they are, in linear modes.

    Raises:
        ShapeError: x is no batch of images whose sizes are numbers.
        ArgumentError: Neither or both of size and scale_factor are given, or one does not fit; the
            mode is unknown, or one of another rank.

    Example:
        >>> interpolate(jnp.array([[[0.0, 1.0]]]), scale_factor=2, mode="linear").tolist()
        [[[0.0, 0.25, 0.75, 1.0]]]

    Source:
        PyTorch, aten/src/ATen/native/UpSample.h, area_pixel_compute_source_index.
    """
    new = rules.interpolate(
        spec(x),
        size=size,
        scale_factor=scale_factor,
        mode=mode,
        align_corners=align_corners,
    ).shape[2:]
    for axis, to in enumerate(new, 2):
        factor: Any = scale_factor
        factor = factor[axis - 2] if isinstance(factor, tuple | list) else factor
        places = _places(x.shape[axis], to, factor, mode, align_corners)
        x = _mapped(x, axis, places) if mode != "nearest" else _picked(x, axis, places)
    return x


@checked
def pixel_shuffle(x: Array, upscale_factor: int) -> Array:
    """r² channels become an r times as wide and high image.

    Shapes:
        (*, C r², H, W)  ->  (*, C, H r, W r)

    Raises:
        ArgumentError: The factor is below 1.
        ShapeError: There are fewer than three axes, or r² does not divide the channels.

    Example:
        >>> pixel_shuffle(jnp.arange(4.0).reshape(4, 1, 1), 2).tolist()
        [[[0.0, 1.0], [2.0, 3.0]]]

    Source:
        Shi et al. 2016, equation 4.
    """
    rules.pixel_shuffle(spec(x), upscale_factor=upscale_factor)
    r, (*lead, channels, height, width) = upscale_factor, x.shape
    x = reshape(x, (*lead, channels // r**2, r, r, height, width))
    n = len(lead)
    x = permute(x, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return reshape(x, (*lead, channels // r**2, height * r, width * r))


@checked
def pixel_unshuffle(x: Array, downscale_factor: int) -> Array:
    """The inverse of `pixel_shuffle`.

    Shapes:
        (*, C, H r, W r)  ->  (*, C r², H, W)

    Raises:
        ArgumentError: The factor is below 1.
        ShapeError: There are fewer than three axes, or r does not divide height and width.

    Example:
        >>> pixel_unshuffle(jnp.arange(4.0).reshape(1, 2, 2), 2).ravel().tolist()
        [0.0, 1.0, 2.0, 3.0]
    """
    rules.pixel_unshuffle(spec(x), downscale_factor=downscale_factor)
    r, (*lead, channels, height, width) = downscale_factor, x.shape
    n = len(lead)
    x = reshape(x, (*lead, channels, height // r, r, width // r, r))
    x = permute(x, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return reshape(x, (*lead, channels * r**2, height // r, width // r))


@checked
def unfold(
    x: Array,
    kernel_size: Numbers,
    dilation: Numbers = 1,
    padding: Numbers = 0,
    stride: Numbers = 1,
) -> Array:
    """The windows of an image, each as a column.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  (N, C · kernel, windows) or (C · kernel, windows)

    Raises:
        ShapeError: x is no image whose sizes are numbers, or it is smaller than the kernel.
        ArgumentError: A number is out of its range.

    Example:
        >>> unfold(jnp.arange(4.0).reshape(1, 2, 2), (1, 2)).tolist()
        [[0.0, 2.0], [1.0, 3.0]]
    """
    window = conv_window(kernel_size, stride, padding, dilation)
    *lead, _, height, width = _last_three(x)
    if not static((height, width)) or len(lead) > 1:
        raise ShapeError(f"takes (N, C, H, W) or (C, H, W), got {format_shape(shape(x))}.")
    axes = zip((height, width), window.kernel_size, window.stride, window.padding, window.dilation,
               strict=True)  # fmt: skip
    counts = [int(str(conv_size(*axis))) for axis in axes]
    (top, bottom), (left, right) = window.padding
    x = pad(x, (left, right, top, bottom))
    parts = [
        _strided(x, (i, j), counts, window.stride)
        for i in range(0, window.kernel_size[0] * window.dilation[0], window.dilation[0])
        for j in range(0, window.kernel_size[1] * window.dilation[1], window.dilation[1])
    ]
    columns = [reshape(p, (*p.shape[:-2], 1, counts[0] * counts[1])) for p in parts]
    stacked = cat(columns, dim=-2)
    return reshape(stacked, (*stacked.shape[:-3], -1, stacked.shape[-1]))


def _places(old: int, new: int, factor: float | None, mode: str, align: bool) -> Places:
    """Where each new entry lies among the old ones, in float32 as PyTorch computes it."""
    at = np.arange(new, dtype=np.float32)
    if align:
        return at * np.float32((old - 1) / (new - 1) if new > 1 else 0.0)
    step = np.float32(1 / factor if factor is not None else old / new)
    if mode == "nearest":
        return np.asarray(np.minimum(np.floor(at * step), old - 1))
    return np.asarray(np.maximum((at + np.float32(0.5)) * step - np.float32(0.5), 0))


def _mapped(x: Array, axis: int, places: Places) -> Array:
    """Each new entry as a mean of its two neighbours: one matrix along the axis."""
    old = int(x.shape[axis])
    low = np.minimum(np.floor(places).astype(int), old - 1)
    share = (places - low).astype(np.float32)
    matrix = np.zeros((len(places), old), np.float32)
    rows = np.arange(len(places))
    np.add.at(matrix, (rows, low), 1 - share)
    np.add.at(matrix, (rows, np.minimum(low + 1, old - 1)), share)
    y = ops.dot(x, jnp.asarray(matrix, x.dtype), contract=((axis,), (1,)), batch=((), ()))
    last = x.ndim - 1
    return permute(
        y, tuple(d if d < axis else (last if d == axis else d - 1) for d in range(x.ndim))
    )


def _picked(x: Array, axis: int, places: Places) -> Array:
    """Old entries by their number, along an axis: runs of equal ones are copies, not gathered.

    Copies that are joined have a sum of cuts as their gradient; for one broadcast XLA:CPU adds up
    over a short axis, which takes six times as long.
    """
    index = places.astype(int)
    old, new = int(x.shape[axis]), len(index)
    if new % old == 0 and np.array_equal(index, np.arange(new) // (new // old)):
        apart = reshape(x, (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :]))
        wide = cat([apart] * (new // old), dim=axis + 1)
        return reshape(wide, (*x.shape[:axis], new, *x.shape[axis + 1 :]))
    return cat([narrow(x, axis, int(i), 1) for i in index], dim=axis)


def _strided(x: Array, start: tuple[int, int], counts: list[int], stride: tuple[int, ...]) -> Array:
    for axis, first, count, step in zip((-2, -1), start, counts, stride, strict=True):
        x = lax.slice_in_dim(x, first, first + (count - 1) * step + 1, step, axis=axis)
    return x


def _last_three(x: Array) -> tuple[int, ...]:
    if x.ndim < 3:
        raise ShapeError(f"takes (*, C, H, W), got {format_shape(shape(x))}.")
    return tuple(x.shape)
