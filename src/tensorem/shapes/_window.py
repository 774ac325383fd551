"""The arithmetic of sliding windows: convolution and pooling."""

from __future__ import annotations

from tensorem.errors import ArgumentError, ShapeError

from ._size import Size, Unknown, is_negative

Pair = tuple[int, int]


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


def conv_size(size: Size, kernel: int, stride: int, padding: int, dilation: int = 1) -> Size:
    """The number of positions of a window of `dilation * (kernel - 1) + 1` on a padded axis.

    Raises:
        ArgumentError: kernel, stride or dilation below 1, or padding below 0.
        ShapeError: The window is larger than the padded axis.
            Both messages begin with `takes`: the layer or op names itself in front.

    Example:
        >>> conv_size(8, kernel=3, stride=1, padding=1)
        8

    Source:
        torch.nn.Conv2d, its formula for H_out.
    """
    check_window(kernel, stride, padding, dilation)
    room = size + 2 * padding - (dilation * (kernel - 1) + 1)
    if is_negative(room):
        raise ShapeError(
            f"takes a size of at least {least_size(kernel, padding, dilation)}, got {size}."
        )
    return room if isinstance(room, Unknown) else room // stride + 1


def pool_size(size: Size, kernel: int, stride: int, padding: int) -> Size:
    """The number of positions of a pooling window: as `conv_size`, with padding at most half of it.

    Raises:
        ArgumentError: As `conv_size`; also padding above kernel // 2.
        ShapeError: The window is larger than the padded axis.

    Example:
        >>> pool_size(8, kernel=2, stride=2, padding=0)
        4
    """
    check_pool_padding(kernel, padding)
    return conv_size(size, kernel, stride, padding)


def check_window(kernel: int, stride: int, padding: int, dilation: int) -> None:
    """Refuse windows that cover nothing, do not move, or cut the axis."""
    for name, value, least in (
        ("kernel_size", kernel, 1),
        ("stride", stride, 1),
        ("padding", padding, 0),
        ("dilation", dilation, 1),
    ):
        if value < least:
            raise ArgumentError(f"takes {name} of at least {least}, got {value}.")


def check_pool_padding(kernel: int, padding: int) -> None:
    """Refuse padding with which a pooling window could lie wholly outside."""
    if padding > kernel // 2:
        raise ArgumentError(
            f"takes padding of at most half of kernel_size {kernel}, got {padding}."
        )


def least_size(kernel: int, padding: int, dilation: int) -> int:
    """The smallest size of an axis on which a window has a position."""
    return max(dilation * (kernel - 1) + 1 - 2 * padding, 0)
