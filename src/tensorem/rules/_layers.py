"""The shape rules of the leaf layers: partly known shape in, partly known shape out.

One small pure function per layer, and the only statement of what the layer takes: `build`, a call
at run time and a type checker all read these. A rule checks what is known and lets the rest pass;
a size with a name is known: it must be right for all values of the name.
The message of an error begins with `takes`: the layer puts its own name in front (`calls.named`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorem.errors import ArgumentError, DataError, ShapeError
from tensorem.shapes import (
    UNKNOWN,
    UNKNOWN_RANK,
    OpenShape,
    Shape,
    Size,
    differ,
    format_shape,
    is_negative,
    numel,
    require_equal,
)

from ._window import (
    Pair,
    Window,
    check_padding,
    conv_size,
    conv_window,
    least_size,
    pool_size,
    pool_window,
)

Sizes = tuple[Size, ...]


def same(x: Shape) -> Shape:
    """Any shape to itself: activations, dropout.

    Shapes:
        (...)  ->  (...)
    """
    return x


def linear(x: Shape, in_features: Size, out_features: Size) -> Shape:
    """The affine map on the last axis.

    Shapes:
        (*batch, in_features)  ->  (*batch, out_features)

    Raises:
        ShapeError: The last axis is not in_features.

    Example:
        >>> from tensorem.shapes import shape_of
        >>> linear(shape_of(("N", 128)), 128, 10)
        (N, 10)
    """
    remedy = f"write nn.Linear({{}}, {out_features})."
    _require(f"(*batch, {in_features})", x, _last_axes(x, 1), (in_features,), remedy)
    return _with_last(x, 1, (out_features,))


def conv2d(
    x: Shape,
    in_channels: Size,
    out_channels: Size,
    kernel_size: int | Pair,
    stride: int | Pair = 1,
    padding: int | Pair | str = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Shape:
    """The convolution of an image or a batch of images.

    Shapes:
        (N, in_channels, H, W) or (in_channels, H, W)  ->  the same with out_channels, H_out, W_out

    Raises:
        ShapeError: The rank, the channels, a kernel that reaches beyond the padded image, or an
            image too small to fill its padding.
        ArgumentError: Stride, dilation, kernel, padding or groups out of range.

    Example:
        >>> from tensorem.shapes import shape_of
        >>> conv2d(shape_of(("N", 1, 8, 8)), 1, 16, kernel_size=3, padding=1)
        (N, 16, 8, 8)
    """
    if groups < 1 or not _divides(groups, in_channels) or not _divides(groups, out_channels):
        raise ArgumentError(
            f"takes groups that divide its channels {in_channels} and {out_channels}, got {groups}."
        )
    _, *image = _image(x, in_channels, f"write nn.Conv2d({{}}, {out_channels}, ...).")
    window = conv_window(kernel_size, stride, padding, dilation)
    if padding_mode != "zeros":
        for size, ends in zip(image, window.padding, strict=True):
            check_padding(size, ends, padding_mode)
    return _with_last(x, 3, (out_channels, *_slide(x, image, window, conv_size)))


def max_pool2d(
    x: Shape,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    ceil_mode: bool = False,
) -> Shape:
    """The largest value under a window that slides over an image or a batch of images.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  (N, C, H_out, W_out) or (C, H_out, W_out)

    Raises:
        ShapeError: The rank, or a window that reaches beyond the padded image or lies outside.
        ArgumentError: Stride, kernel, padding or dilation out of range.

    Example:
        >>> from tensorem.shapes import shape_of
        >>> max_pool2d(shape_of(("N", 16, 8, 8)), 2)
        (N, 16, 4, 4)
    """
    channels, *image = _image(x, None, "")
    window = pool_window(image, kernel_size, stride, padding, dilation, ceil_mode)
    return _with_last(x, 3, (channels, *_slide(x, image, window, pool_size)))


def avg_pool2d(
    x: Shape,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    ceil_mode: bool = False,
) -> Shape:
    """The mean under a window that slides over an image or a batch of images; as `max_pool2d`.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  (N, C, H_out, W_out) or (C, H_out, W_out)

    Raises:
        ShapeError: The rank, or a window that reaches beyond the padded image.
        ArgumentError: Stride, kernel or padding out of range.

    Example:
        >>> from tensorem.shapes import shape_of
        >>> avg_pool2d(shape_of(("N", 16, 9, 9)), 2, ceil_mode=True)
        (N, 16, 5, 5)
    """
    return max_pool2d(x, kernel_size, stride, padding, 1, ceil_mode)


def flatten(x: Shape, start_dim: int = 1, end_dim: int = -1) -> Shape:
    """Several axes as one.

    Shapes:
        (a, ..., b, ..., c)  ->  (a, product of ..., c)

    Raises:
        ShapeError: An axis does not exist, or start_dim lies after end_dim.

    Example:
        >>> from tensorem.shapes import shape_of
        >>> flatten(shape_of(("N", 16, 4, 4)))
        (N, 256)
    """
    if isinstance(x, OpenShape):
        return _flatten_open(x, start_dim, end_dim)
    sizes = x if x else (1,)
    first, last = _axis(sizes, start_dim, "start_dim"), _axis(sizes, end_dim, "end_dim")
    if first > last:
        raise ShapeError(
            f"takes start_dim up to end_dim, got {start_dim} and {end_dim} for {format_shape(x)}."
        )
    return (*sizes[:first], numel(sizes[first : last + 1]), *sizes[last + 1 :])


def batch_norm2d(x: Shape, num_features: int) -> Shape:
    """Each channel normalised over the batch and the image.

    Shapes:
        (N, num_features, H, W)  ->  (N, num_features, H, W)

    Raises:
        ShapeError: The rank is not 4, or the channels are not num_features.

    Example:
        >>> from tensorem.shapes import shape_of
        >>> batch_norm2d(shape_of(("N", 16, 8, 8)), 16)
        (N, 16, 8, 8)
    """
    form = f"(N, {num_features}, H, W)"
    got = _last_axes(x, 4)
    if got is None or (isinstance(x, tuple) and len(x) != 4):
        raise _mismatch(form, x)
    _require(form, x, got[1:2], (num_features,), "write nn.BatchNorm2d({}).")
    return (got[0], num_features, *got[2:])


def layer_norm(x: Shape, normalized_shape: int | Sequence[int]) -> Shape:
    """The last axes normalised together.

    Shapes:
        (*batch, *normalized_shape)  ->  (*batch, *normalized_shape)

    Raises:
        ShapeError: The last axes are not normalized_shape.

    Example:
        >>> layer_norm((5, 7, 3), (7, 3))
        (5, 7, 3)
    """
    want = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    form = f"(*batch, {', '.join(map(str, want))})"
    remedy = "write nn.LayerNorm({})." if len(want) == 1 else "write nn.LayerNorm(({}))."
    _require(form, x, _last_axes(x, len(want)), want, remedy)
    return _with_last(x, len(want), want)


def columns(x: Shape, count: int) -> Shape:
    """Each column of a table by itself.

    Shapes:
        (*batch, count)  ->  (*batch, count)

    Raises:
        ShapeError: The last axis is another.

    Example:
        >>> columns((5, 3), 3)
        (5, 3)
    """
    remedy = "give one mean and one std for each of the {} columns."
    _require(f"(*batch, {count})", x, _last_axes(x, 1), (count,), remedy)
    return _with_last(x, 1, (count,))


def embedding(x: Shape, embedding_dim: int) -> Shape:
    """One row of the table for each index.

    Shapes:
        (*batch)  ->  (*batch, embedding_dim)

    Example:
        >>> embedding((5, 7), 4)
        (5, 7, 4)
    """
    if isinstance(x, OpenShape):
        return OpenShape((*x.last, embedding_dim))
    return (*x, embedding_dim)


def check_row(row: int, rows: int) -> None:
    """Refuse a row that a table does not have; negative ones are counted from the last.

    Raises:
        ArgumentError: It has none of that number.
    """
    if type(row) is not int or not -rows <= row < rows:
        raise ArgumentError(f"takes padding_idx from {-rows} to {rows - 1}, or None, got {row!r}.")


def check_rows(index: Any, rows: int) -> None:
    """Refuse an index of a row that a table does not have; the error says where it stands.

    Raises:
        DataError: One is below 0, beyond the last, or no whole number.
    """
    wrong = np.argwhere((index < 0) | (index >= rows) | (index % 1 != 0))
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise DataError(
            f"takes indices from 0 to {rows - 1}, got {index[at]}.",
            where=f"index[{', '.join(map(str, at))}]",
        )


def softmax(x: Shape, dim: int) -> Shape:
    """The shape itself, once it has the axis.

    Shapes:
        (...)  ->  (...)

    Raises:
        ShapeError: There is no axis dim.
    """
    if isinstance(x, tuple):
        _axis(x, dim, "dim")
    return x


def _mismatch(form: str, x: Shape) -> ShapeError:
    return ShapeError(f"takes {form}, got {format_shape(x)}.")


def _require(form: str, x: Shape, got: Sizes | None, wanted: Sizes, remedy: str) -> None:
    """Refuse sizes other than those wanted, or too few axes (None).

    The remedy names the sizes that came, where they are plain integers.
    """
    if got is None:
        raise _mismatch(form, x)
    plain = all(isinstance(size, int) for size in got)
    help = remedy.format(", ".join(map(str, got))) if plain else ""
    require_equal(got, wanted, f"takes {form}, got {format_shape(x)}.", help)


def _last_axes(x: Shape, n: int) -> Sizes | None:
    """The last n sizes, unknown where the shape is open; None if it has fewer axes."""
    if isinstance(x, OpenShape):
        last = (UNKNOWN,) * (n - len(x.last)) + x.last
        return last[len(last) - n :]
    return x[len(x) - n :] if len(x) >= n else None


def _with_last(x: Shape, n: int, sizes: tuple[Size, ...]) -> Shape:
    """The shape with other sizes in place of its last n."""
    if isinstance(x, OpenShape):
        return OpenShape((*x.last[: max(len(x.last) - n, 0)], *sizes))
    return (*x[: len(x) - n], *sizes)


def _divides(groups: int, channels: Size) -> bool:
    return not differ(channels // groups * groups, channels)


def _image(x: Shape, channels: Size | None, remedy: str) -> tuple[Size, Size, Size]:
    """Channels, height and width of an image or a batch of images."""
    c = "C" if channels is None else str(channels)
    form = f"(N, {c}, H, W) or ({c}, H, W)"
    got = _last_axes(x, 3)
    rank = len(x) if isinstance(x, tuple) else len(x.last)
    if got is None or rank > 4:
        raise _mismatch(form, x)
    if channels is not None:
        _require(form, x, got[:1], (channels,), remedy)
    return got[0], got[1], got[2]


def _slide(
    x: Shape, image: list[Size], window: Window[Any], positions: Callable[..., Size]
) -> tuple[Size, Size]:
    """The positions of a window on both axes of an image."""
    axes = list(zip(image, *window, strict=True))
    least = [least_size(k, p, d) for _, k, _, p, d in axes]
    if any(is_negative(n - m) for n, m in zip(image, least, strict=True)):
        raise ShapeError(
            f"takes images of at least {least[0]} x {least[1]}, got {format_shape(x)}.",
            because="the kernel reaches beyond the padded image",
            help="use a smaller kernel_size or dilation, or more padding.",
        )
    height, width = (positions(*axis) for axis in axes)
    return height, width


def _axis(x: tuple[Size, ...], dim: int, name: str) -> int:
    if type(dim) is not int:
        raise ArgumentError(f"takes {name} as an integer, got {dim!r}.")
    rank = len(x)
    if not -rank <= dim < rank:
        raise ShapeError(
            f"takes an input with axis {name}={dim}, got {format_shape(x)} with {rank} "
            f"{'axis' if rank == 1 else 'axes'}."
        )
    return dim % rank


def _flatten_open(x: OpenShape, start_dim: int, end_dim: int) -> Shape:
    if start_dim >= 0 and end_dim == -1:
        return (UNKNOWN,) * (start_dim + 1)
    n = len(x.last)
    if start_dim < 0 and end_dim < 0 and -start_dim <= n and start_dim <= end_dim:
        merged = math.prod(x.last[n + start_dim : n + end_dim + 1], start=1)
        return OpenShape((*x.last[: n + start_dim], merged, *x.last[n + end_dim + 1 :]))
    return UNKNOWN_RANK
