"""Layers that get the size of what goes in from the data, at `build`."""

from __future__ import annotations

from typing import ClassVar

from jax import Array

from tensorem.calls import flag, integer
from tensorem.errors import LayerError, ShapeError
from tensorem.layer import Layer
from tensorem.rules import Numbers
from tensorem.shapes import UNKNOWN, UNKNOWN_RANK, OpenShape, Shape, Size, format_shape

from ._conv import Conv1d, Conv2d, Conv3d
from ._linear import Linear


class Lazy(Layer):
    """What layers that get a size from the data have in common."""

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        if isinstance(x, OpenShape) or UNKNOWN in x:
            return UNKNOWN_RANK
        y: Shape = self.sized(x).output_shape(x)
        return y

    def forward(self, x: Array) -> Array:
        raise LayerError(f"{self.label()} has no size yet.", help="nn.build(layer, input=...).")


class LazyLinear(Lazy):
    """A `Linear` whose in_features is the last axis of x; `build` puts that one in its place.

    Shapes:
        x (*batch, in_features)  ->  y (*batch, out_features)

    Args:
        out_features: Size of the last axis of y.
        bias: Whether a number is added per output.

    Raises:
        ArgumentError: out_features is below 1, or bias is neither True nor False.
        ShapeError: The last axis is a name, or there is none.

    Example:
        >>> from tensorem import nn
        >>> nn.build(nn.Flatten() >> nn.LazyLinear(10), input=("N", 3, 4)).layer
        Sequential(Flatten(), Linear(12, 10))
    """

    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("out_features", self.out_features, 1)
        flag("bias", self.bias)

    def sized(self, x: Shape) -> Layer:
        return Linear(_number(x, -1, "(*batch, in_features)"), self.out_features, self.bias)


class LazyConv(Lazy):
    """What lazy convolutions of all ranks have in common; use `LazyConv1d` to `LazyConv3d`."""

    kind: ClassVar[type[Conv1d | Conv2d | Conv3d]]
    """What it becomes."""

    out_channels: int
    kernel_size: Numbers
    stride: Numbers = 1
    padding: Numbers | str = 0
    dilation: Numbers = 1
    groups: int = 1
    bias: bool = True
    padding_mode: str = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._with(integer("groups", self.groups, 1))  # its arguments are checked when written

    def _with(self, in_channels: int) -> Layer:
        return self.kind(
            in_channels,
            self.out_channels,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.bias,
            self.padding_mode,
        )

    def sized(self, x: Shape) -> Layer:
        axes = self.kind.axes
        sizes = ", ".join(("L", "H, W", "D, H, W")[axes - 1 : axes])
        return self._with(_number(x, -1 - axes, f"(N, in_channels, {sizes})"))


class LazyConv1d(LazyConv):
    """A `Conv1d` whose in_channels are those of x; `build` puts that one in its place.

    Shapes:
        x (N, in_channels, L) or (in_channels, L)  ->  as `Conv1d`

    Args:
        out_channels: Channels of y.
        kernel_size: How many places a kernel has.
        stride: As all that follows: see `Conv1d`.

    Raises:
        ArgumentError: An argument is out of range, or groups do not divide the channels.
        ShapeError: The channels are a name, or there are none.

    Example:
        >>> LazyConv1d(8, 3).output_shape((5, 4, 9))
        (5, 8, 7)
    """

    kind: ClassVar[type[Conv1d | Conv2d | Conv3d]] = Conv1d


class LazyConv2d(LazyConv):
    """A `Conv2d` whose in_channels are those of x; `build` puts that one in its place.

    Shapes:
        x (N, in_channels, H, W) or (in_channels, H, W)  ->  as `Conv2d`

    Args:
        out_channels: Channels of y.
        kernel_size: One number, or height and width.
        stride: As all that follows: see `Conv2d`.

    Raises:
        ArgumentError: An argument is out of range, or groups do not divide the channels.
        ShapeError: The channels are a name, or there are none.

    Example:
        >>> LazyConv2d(8, 3, padding="same").output_shape((5, 4, 6, 6))
        (5, 8, 6, 6)
    """

    kind: ClassVar[type[Conv1d | Conv2d | Conv3d]] = Conv2d


class LazyConv3d(LazyConv):
    """A `Conv3d` whose in_channels are those of x; `build` puts that one in its place.

    Shapes:
        x (N, in_channels, D, H, W) or (in_channels, D, H, W)  ->  as `Conv3d`

    Args:
        out_channels: Channels of y.
        kernel_size: One number, or one for each axis.
        stride: As all that follows: see `Conv3d`.

    Raises:
        ArgumentError: An argument is out of range, or groups do not divide the channels.
        ShapeError: The channels are a name, or there are none.

    Example:
        >>> LazyConv3d(8, 2).output_shape((5, 4, 3, 3, 3))
        (5, 8, 2, 2, 2)
    """

    kind: ClassVar[type[Conv1d | Conv2d | Conv3d]] = Conv3d


def _number(x: Shape, axis: int, takes: str) -> int:
    """The size of an axis, which is that of an array and so a number."""
    size: Size | None = x[axis] if isinstance(x, tuple) and len(x) >= -axis else None
    if not isinstance(size, int):
        raise ShapeError(f"takes {takes} with a number there, got {format_shape(x)}.")
    return size
