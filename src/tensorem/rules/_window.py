"""The arithmetic of sliding windows: convolution and pooling, and the frames around images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import Size, Unknown, is_negative

Pair = tuple[int, int]
Ends = tuple[Size, Size]


def pair(value: object, name: str, at_least: int) -> Pair:
    """One integer for both axes, or one for each.

    Raises:
        ArgumentError: Not an integer or a pair of integers, or below the least value.
            The message begins with `takes`: the layer or op names itself in front.
    """
    both = (value, value) if isinstance(value, int) else value
    if (
        isinstance(both, (tuple, list))
        and len(both) == 2
        and all(type(v) is int and v >= at_least for v in both)
    ):
        return (both[0], both[1])
    raise ArgumentError(
        f"takes {name} as an integer of at least {at_least} or a pair of these, got {value!r}."
    )


P = TypeVar("P", int, Size)


class Window(NamedTuple, Generic[P]):
    """A window that slides over an image, each number for height and width.

    Args:
        padding: ((top, bottom), (left, right)); those of a pooling are unknown where they depend
            on an unknown size.
    """

    kernel_size: Pair
    stride: Pair
    padding: tuple[tuple[P, P], tuple[P, P]]
    dilation: Pair


def conv_window(
    kernel_size: int | Pair,
    stride: int | Pair = 1,
    padding: int | Pair | str = 0,
    dilation: int | Pair = 1,
) -> Window[int]:
    """The window of a convolution.

    Args:
        padding: A number, one for each axis, "valid" for none, or "same" for as many as keep the
            size; of an uneven number the greater half comes after the image, as in PyTorch.

    Raises:
        ArgumentError: A number is out of range, or padding is "same" and the stride is not 1.

    Example:
        >>> conv_window((3, 4), padding="same", dilation=(2, 1)).padding
        ((2, 2), (1, 2))
    """
    kernel, steps = pair(kernel_size, "kernel_size", 1), pair(stride, "stride", 1)
    spread = pair(dilation, "dilation", 1)
    if padding == "same":
        if steps != (1, 1):
            raise ArgumentError(
                f'takes padding="same" with stride 1, got stride {stride}.',
                help="give the padding as a number.",
            )
        reach = [d * (k - 1) for k, d in zip(kernel, spread, strict=True)]
        high, wide = ((r // 2, r - r // 2) for r in reach)
    else:
        high, wide = ((p, p) for p in pair(0 if padding == "valid" else padding, "padding", 0))
    return Window(kernel, steps, (high, wide), spread)


def pool_window(
    image: Sequence[Size],
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    ceil_mode: bool = False,
) -> Window[Size]:
    """The window of a pooling on an image of this height and width.

    Raises:
        ArgumentError: A number is out of range.

    Example:
        >>> pool_window((8, 9), 2, ceil_mode=True).padding
        ((0, 0), (0, 1))
    """
    kernel, spread = pair(kernel_size, "kernel_size", 1), pair(dilation, "dilation", 1)
    steps = kernel if stride is None else pair(stride, "stride", 1)
    axes = zip(image, kernel, steps, pair(padding, "padding", 0), spread, strict=True)
    high, wide = (pool_padding(*axis, ceil_mode) for axis in axes)
    return Window(kernel, steps, (high, wide), spread)


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
    room = _room(size, kernel, padding, dilation)
    if is_negative(room):
        raise ShapeError(
            f"takes a size of at least {least_size(kernel, padding, dilation)}, got {size}."
        )
    return room if isinstance(room, Unknown) else room // stride + 1


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
    size: int, kernel: int, stride: int, padding: Pair, counted: Pair
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


def check_padding(size: Size, padding: Pair, mode: str) -> None:
    """Refuse an axis that is too short to fill its padding.

    Raises:
        ShapeError: The message begins with `takes`.
    """
    least = PADDING_MODES[mode](max(padding))
    if max(padding) > 0 and is_negative(size - least):
        raise ShapeError(
            f"takes an axis of at least {least} for padding {padding} in mode {mode!r}, got {size}."
        )


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


def _room(size: Size, kernel: int, padding: Ends, dilation: int) -> Size:
    """How far a window can move on a padded axis."""
    return size + padding[0] + padding[1] - _span(kernel, dilation)
