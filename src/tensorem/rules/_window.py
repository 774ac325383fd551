"""The arithmetic of sliding windows: convolution and pooling, and the frames around images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, Generic, NamedTuple, TypeVar

from tensorem.calls import each
from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import (
    OpenShape,
    Shape,
    Size,
    Spec,
    format_shape,
    is_negative,
)

from ._known import Sizes, end, require, sizes_of

Two = tuple[int, int]
Ends = tuple[Size, Size]


P = TypeVar("P", int, Size)
Padding = tuple[tuple[P, P], tuple[P, P]]


class Window(NamedTuple, Generic[P]):
    """A window that slides over an image, each number for every axis.

    Args:
        padding: ((top, bottom), (left, right)) of an image of two axes; those of a pooling are
            unknown where they depend on an unknown size.
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[P, P], ...]
    dilation: tuple[int, ...]


Numbers = int | tuple[int, ...]
"""One number for all axes of an image, or one for each."""

_AXES = {1: "L", 2: "H, W", 3: "D, H, W"}
"""How the axes of an image are called."""


def moves(window: Window[int]) -> dict[str, Any]:
    """The numbers of a window without its kernel, which a weight has."""
    return {"stride": window.stride, "padding": window.padding, "dilation": window.dilation}


def conv_window(
    kernel_size: int | Sequence[object],
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    dilation: Numbers = 1,
    *,
    axes: int = 2,
) -> Window[int]:
    """The window of a convolution.

    Args:
        padding: A number, one for each axis, "valid" for none, or "same" for as many as keep the
            size; of an uneven number the greater half comes after the image, as in PyTorch.
        axes: How many axes an image has.

    Raises:
        ArgumentError: A number is out of range, or padding is "same" and the stride is not 1.

    Example:
        >>> conv_window((3, 4), padding="same", dilation=(2, 1)).padding
        ((2, 2), (1, 2))
    """
    kernel = each("kernel_size", kernel_size, axes, 1)
    steps, spread = each("stride", stride, axes, 1), each("dilation", dilation, axes, 1)
    if padding == "same":
        if set(steps) != {1}:
            raise ArgumentError(
                f'takes padding="same" with stride 1, got stride {stride}.',
                help="give the padding as a number.",
            )
        reach = [d * (k - 1) for k, d in zip(kernel, spread, strict=True)]
        return Window(kernel, steps, tuple((r // 2, r - r // 2) for r in reach), spread)
    numbers = each("padding", 0 if padding == "valid" else padding, axes, 0)
    return Window(kernel, steps, tuple((p, p) for p in numbers), spread)


def pool_window(
    x: Shape,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
    *,
    axes: int = 2,
) -> Window[Size]:
    """The window of a pooling on an image or a batch of images.

    Raises:
        ShapeError: There is no image.
        ArgumentError: A number is out of range.

    Example:
        >>> pool_window((1, 8, 9), 2, ceil_mode=True).padding
        ((0, 0), (0, 1))
    """
    kernel = each("kernel_size", kernel_size, axes, 1)
    steps = kernel if stride is None else each("stride", stride, axes, 1)
    frame, spread = each("padding", padding, axes, 0), each("dilation", dilation, axes, 1)
    _, *image = image_of(x, axes=axes)
    numbers = zip(image, kernel, steps, frame, spread, strict=True)
    padded = tuple(pool_padding(*axis, ceil_mode) for axis in numbers)
    return Window(kernel, steps, padded, spread)


def image_of(x: Shape, channels: Size | None = None, source: str = "", axes: int = 2) -> Sizes:
    """Channels and sizes of an image or a batch of images.

    Args:
        channels: How many there must be.
        source: What set their number.
        axes: How many axes an image has.

    Raises:
        ShapeError: There is no image, or one of other channels.
    """
    c, form = "C" if channels is None else channels, _AXES[axes]
    what = f"takes (N, {c}, {form}) or ({c}, {form}), got {format_shape(x)}."
    got = end(x, axes + 1)
    if got is None or len(x.last if isinstance(x, OpenShape) else x) > axes + 2:
        raise ShapeError(what)
    if channels is None:
        return got
    require(got[:1], (channels,), what, source)
    return (channels, *got[1:])


def slide(
    x: Shape, image: Sizes, window: tuple[Any, ...], count: Callable[..., Size]
) -> tuple[Size, ...]:
    """The positions of a window on every axis of an image.

    Args:
        window: Kernel, stride, padding and dilation, each for all axes.
        count: Counts them on one axis: `conv_size` or `pool_size`.

    Raises:
        ShapeError: There are none.
    """
    axes = list(zip(image, *window, strict=True))
    least = [least_size(k, p, d) for _, k, _, p, d in axes]
    if any(is_negative(n - m) for n, m in zip(image, least, strict=True)):
        raise ShapeError(
            f"takes images of at least {' x '.join(map(str, least))}, got {format_shape(x)}.",
            because="the kernel reaches beyond the padded image",
            help="use a smaller kernel_size or dilation, or more padding.",
        )
    return tuple(count(*axis) for axis in axes)


def conv_size(size: Size, kernel: int, stride: int, padding: Ends, dilation: int = 1) -> Size:
    """The number of positions of a window of `dilation * (kernel - 1) + 1` on a padded axis.

    Args:
        padding: How many places the axis gets before and after.

    Raises:
        ArgumentError: kernel, stride or dilation below 1, or padding below 0.
        ShapeError: The window is larger than the padded axis.
            Both messages begin with `takes`: the layer or op names itself in front.

    Example:
        >>> conv_size(8, kernel=3, stride=1, padding=(1, 1))
        8

    Source:
        torch.nn.Conv2d, its formula for H_out.
    """
    check_window(kernel, stride, padding, dilation)
    if is_negative(_room(size, kernel, padding, dilation)):
        raise ShapeError(
            f"takes a size of at least {least_size(kernel, padding, dilation)}, got {size}."
        )
    found: Size = positions(size, kernel, stride, padding, dilation)
    return found


def positions(size: P, kernel: int, stride: int, padding: tuple[P, P], dilation: int) -> P:
    """The same for sizes of any kind, those of JAX too, and unchecked."""
    return _room(size, kernel, padding, dilation) // stride + 1


def pool_size(size: Size, kernel: int, stride: int, padding: Ends, dilation: int = 1) -> Size:
    """The number of positions of a pooling window, as `conv_size`; none lies wholly outside.

    Raises:
        ArgumentError: As `conv_size`; also padding before the axis above kernel // 2, or so much
            after it that the last window begins there.
        ShapeError: The window is larger than the padded axis, or the axis fits between two
            entries of a window.

    Example:
        >>> pool_size(8, kernel=2, stride=2, padding=(0, 0))
        4
    """
    positions = conv_size(size, kernel, stride, padding, dilation)
    if is_negative(kernel // 2 - padding[0]):
        raise ArgumentError(
            f"takes padding of at most half of kernel_size {kernel}, got {padding[0]}."
        )
    beyond = (positions - 1) * stride - padding[0] - size
    if isinstance(beyond, int) and beyond >= 0:
        raise ArgumentError(f"takes windows that begin before the end, got padding {padding}.")
    if padding[0] != 0 and is_negative(size - dilation):
        raise ShapeError(
            f"takes a size of at least dilation {dilation}, got {size}.",
            because="a window could lie wholly in the padding.",
        )
    return positions


def pool_padding(
    size: Size, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> Ends:
    """How many places a pooled axis gets before and after.

    With ceil_mode one more window counts where it reaches beyond the padded axis and begins in the
    axis or in the padding before it: places are added after the axis until that window fits.

    Example:
        >>> pool_padding(8, kernel=3, stride=2, padding=0, dilation=1, ceil_mode=True)
        (0, 1)

    Source:
        PyTorch, aten/src/ATen/native/Pool.h, pooling_output_shape_pad_lr.
    """
    if not ceil_mode:
        return padding, padding
    room = _room(size, kernel, (padding, padding), dilation)
    rest = room - room // stride * stride
    if not isinstance(rest, int):
        return padding, rest
    more = -rest % stride
    return padding, padding + (more if more < _span(kernel, dilation) - padding else 0)


def window_counts(
    size: int, kernel: int, stride: int, padding: Two, counted: Two
) -> tuple[int, ...]:
    """How many places of each window lie in the axis or in the counted part of its padding.

    Example:
        >>> window_counts(4, kernel=3, stride=2, padding=(1, 2), counted=(0, 0))
        (2, 3, 1)
    """
    first = range(-padding[0], size + padding[1] - kernel + 1, stride)
    return tuple(min(i + kernel, size + counted[1]) - max(i, -counted[0]) for i in first)


PADDING_MODES: Mapping[str, Callable[[int], int]] = {
    "constant": lambda padding: 0,
    "reflect": lambda padding: padding + 1,
    "replicate": lambda padding: 1,
    "circular": lambda padding: padding,
}
"""What fills a frame -> the least size of an axis that it can fill so many places of."""


def check_padding(size: Size, padding: Two, mode: str) -> None:
    """Refuse an axis that is too short to fill its padding.

    Raises:
        ShapeError: The message begins with `takes`.
    """
    least = PADDING_MODES[mode](max(padding))
    if max(padding) > 0 and is_negative(size - least):
        raise ShapeError(
            f"takes an axis of at least {least} for padding {padding} in mode {mode!r}, got {size}."
        )


def check_frame(x: Shape, frame: tuple[tuple[int, int], ...], mode: str) -> None:
    """Refuse an image that is too small to fill its frame.

    Raises:
        ShapeError: It is.
    """
    for size, padding in zip(image_of(x, axes=len(frame))[1:], frame, strict=True):
        check_padding(size, padding, mode)


def check_window(kernel: int, stride: int, padding: Ends, dilation: int) -> None:
    """Refuse windows that cover nothing, do not move, or cut the axis."""
    for name, value, least in (
        ("kernel_size", kernel, 1),
        ("stride", stride, 1),
        ("padding", padding[0], 0),
        ("padding", padding[1], 0),
        ("dilation", dilation, 1),
    ):
        if is_negative(value - least):
            raise ArgumentError(f"takes {name} of at least {least}, got {value}.")


def least_size(kernel: int, padding: Ends, dilation: int) -> Size:
    """The smallest size of an axis on which a window has a position."""
    least = _span(kernel, dilation) - padding[0] - padding[1]
    return 0 if is_negative(least) else least


def _span(kernel: int, dilation: int) -> int:
    """The places from the first entry of a window to its last."""
    return dilation * (kernel - 1) + 1


def _room(size: P, kernel: int, padding: tuple[P, P], dilation: int) -> P:
    """How far a window can move on a padded axis."""
    return size + padding[0] + padding[1] - _span(kernel, dilation)


def of_batches(rule: Callable[..., Spec]) -> Callable[..., Spec]:
    """The rule of images or batches, for batches alone: what a row takes."""

    @wraps(rule)  # its signature says what the attributes are
    def of_batch(x: Spec, *rest: Spec, **attrs: object) -> Spec:
        return rule(replace(x, shape=sizes_of(x, 4)), *rest, **attrs)

    return of_batch
