"""Convolution of series, images and volumes, and its transpose."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, cast

from jax import Array

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import among, each, flag, integer
from tensorem.layer import Layer, Parameter
from tensorem.rules import PADDING_MODES, Numbers, Window, conv_window
from tensorem.shapes import UNKNOWN, OpenShape, Shape, Spec

from ._init import kaiming_uniform, uniform


class Conv(Layer):
    """What convolutions of all ranks have in common; use `Conv1d`, `Conv2d` or `Conv3d`."""

    axes: ClassVar[int] = 0
    """How many axes an image has."""

    takes = "float"
    in_channels: int
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
        for name in ("in_channels", "out_channels", "groups"):
            integer(name, getattr(self, name), 1)
        rules.check_groups(self.in_channels, self.out_channels, self.groups)
        flag("bias", self.bias)
        among("padding_mode", self.padding_mode, _MODES)
        self.window()  # its numbers are checked when written

    def window(self) -> Window[int]:
        """Kernel, stride, padding and dilation for each axis."""
        return conv_window(
            self.kernel_size, self.stride, self.padding, self.dilation, axes=self.axes
        )

    def parameters(self) -> Mapping[str, Parameter | None]:
        return _started(self._weight(), self.out_channels, self.bias)

    def _weight(self) -> tuple[int, ...]:
        kernel = self.window().kernel_size
        return (self.out_channels, self.in_channels // self.groups, *kernel)

    def output_shape(self, x: Shape) -> Shape:
        window, weight = self.window(), Spec(self._weight())
        y: Shape = rules.conv(Spec(x), weight, **rules.moves(window), groups=self.groups).shape
        if self.padding_mode != "zeros":
            rules.check_frame(x, window.padding, self.padding_mode)
        return y

    def forward(self, x: Array) -> Array:
        padding = self.padding
        if self.padding_mode != "zeros":  # zeros are the convolution's own, and cost nothing
            frame = sum(reversed(self.window().padding), ())  # the last axis first, as in PyTorch
            x, padding = F.pad(x, frame, self.padding_mode), 0
        bias = cast("Array | None", self.bias)  # in forward the array
        return _FORWARD[self.axes](
            x, self.weight, bias, self.stride, padding, self.dilation, self.groups
        )  # fmt: skip


class Conv1d(Conv):
    """The cross-correlation of series with trained kernels.

    Shapes:
        x (N, in_channels, L) or (in_channels, L)  ->  the same with out_channels
        and sizes floor((size + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1

    Args:
        in_channels: Channels of x.
        out_channels: Channels of y.
        kernel_size: How many places a kernel has.
        stride: The step between windows.
        padding: Places on each side; "valid" for none, "same" for as many as keep the size.
        dilation: The step within a window.
        groups: Into how many groups of channels inputs and outputs fall.
        bias: Whether a number is added per output channel.
        padding_mode: What fills them: "zeros", or entries of x as in `F.pad`: "reflect",
            "replicate" or "circular".

    Raises:
        ArgumentError: An argument is out of range, or groups do not divide the channels.
        ShapeError: x has other channels, is smaller than the kernel, or too small to fill its
            padding.

    Example:
        >>> Conv1d(4, 8, kernel_size=3, stride=2).output_shape((5, 4, 9))
        (5, 8, 4)

    Source:
        Initial weight and bias: uniform on ±1/√(in_channels / groups · kernel), as torch.nn.Conv1d.
    """

    axes: ClassVar[int] = 1


class Conv2d(Conv):
    """The cross-correlation of images with trained kernels.

    Shapes:
        x (N, in_channels, H, W) or (in_channels, H, W)  ->  the same with out_channels
        and sizes floor((size + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1

    Args:
        in_channels: Channels of x.
        out_channels: Channels of y.
        kernel_size: One number, or height and width.
        stride: The step between windows.
        padding: Places on each side; "valid" for none, "same" for as many as keep the size.
        dilation: The step within a window.
        groups: Into how many groups of channels inputs and outputs fall.
        bias: Whether a number is added per output channel.
        padding_mode: What fills them: "zeros", or entries of x as in `F.pad`: "reflect",
            "replicate" or "circular".

    Raises:
        ArgumentError: An argument is out of range, or groups do not divide the channels.
        ShapeError: x has other channels, is smaller than the kernel, or too small to fill its
            padding.

    Example:
        >>> Conv2d(1, 16, kernel_size=3, padding="same").output_shape((5, 1, 8, 8))
        (5, 16, 8, 8)

    Source:
        Initial weight and bias: uniform on ±1/√(in_channels / groups · kernel), as torch.nn.Conv2d.
    """

    axes: ClassVar[int] = 2


class Conv3d(Conv):
    """The cross-correlation of volumes with trained kernels.

    Shapes:
        x (N, in_channels, D, H, W) or (in_channels, D, H, W)  ->  the same with out_channels
        and sizes floor((size + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1

    Args:
        in_channels: Channels of x.
        out_channels: Channels of y.
        kernel_size: One number, or depth, height and width.
        stride: The step between windows.
        padding: Places on each side; "valid" for none, "same" for as many as keep the size.
        dilation: The step within a window.
        groups: Into how many groups of channels inputs and outputs fall.
        bias: Whether a number is added per output channel.
        padding_mode: What fills them: "zeros", or entries of x as in `F.pad`: "reflect",
            "replicate" or "circular".

    Raises:
        ArgumentError: An argument is out of range, or groups do not divide the channels.
        ShapeError: x has other channels, is smaller than the kernel, or too small to fill its
            padding.

    Example:
        >>> Conv3d(1, 2, kernel_size=3).output_shape((5, 1, 8, 8, 4))
        (5, 2, 6, 6, 2)

    Source:
        Initial weight and bias: uniform on ±1/√(in_channels / groups · kernel), as torch.nn.Conv3d.
    """

    axes: ClassVar[int] = 3


class ConvTranspose(Layer):
    """What transposed convolutions have in common; use `ConvTranspose1d`, `2d` or `3d`."""

    axes: ClassVar[int] = 0
    """How many axes an image has."""

    takes = "float"
    in_channels: int
    out_channels: int
    kernel_size: Numbers
    stride: Numbers = 1
    padding: Numbers = 0
    output_padding: Numbers = 0
    groups: int = 1
    bias: bool = True
    dilation: Numbers = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("in_channels", "out_channels", "groups"):
            integer(name, getattr(self, name), 1)
        rules.check_groups(self.in_channels, self.out_channels, self.groups)
        flag("bias", self.bias)
        self.output_shape(OpenShape((self.in_channels, *(UNKNOWN,) * self.axes)))  # its numbers

    def window(self) -> Window[int]:
        """Kernel, stride, padding and dilation for each axis."""
        padding = each("padding", self.padding, self.axes, 0)
        return conv_window(self.kernel_size, self.stride, padding, self.dilation, axes=self.axes)

    def parameters(self) -> Mapping[str, Parameter | None]:
        return _started(self._weight(), self.out_channels, self.bias)

    def _weight(self) -> tuple[int, ...]:
        kernel = self.window().kernel_size
        return (self.in_channels, self.out_channels // self.groups, *kernel)

    def output_shape(self, x: Shape) -> Shape:
        more = each("output_padding", self.output_padding, self.axes, 0)
        moves = rules.moves(self.window())
        y: Shape = rules.conv_transpose(
            Spec(x), Spec(self._weight()), **moves, output_padding=more, groups=self.groups
        ).shape
        return y

    def forward(self, x: Array) -> Array:
        bias = cast("Array | None", self.bias)  # in forward the array
        return _TRANSPOSED[self.axes](
            x, self.weight, bias, self.stride, self.padding, self.output_padding,
            self.groups, self.dilation,
        )  # fmt: skip


class ConvTranspose1d(ConvTranspose):
    """The transpose of a convolution: from its result to its image, with trained kernels.

    Shapes:
        x (N, in_channels, L) or (in_channels, L)  ->  the same with out_channels
        and sizes (size - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1

    Args:
        in_channels: Channels of x.
        out_channels: Channels of y.
        kernel_size: One number, or one for each axis.
        stride: The step between windows.
        padding: How many places are cut off on each side.
        output_padding: How many are added at the end.
        groups: Into how many groups of channels inputs and outputs fall.
        bias: Whether a number is added per output channel.
        dilation: The step within a window.

    Raises:
        ArgumentError: An argument is out of range, or groups do not divide the channels.
        ShapeError: x has other channels, or a size that is a name, or nothing is left.

    Example:
        >>> ConvTranspose1d(4, 8, 4, stride=2, padding=1).output_shape((5, 4, 9))
        (5, 8, 18)

    Source:
        Initial weight and bias as torch.nn.ConvTranspose1d: uniform on ±1/√(out_channels / groups ·
        kernel).
    """

    axes: ClassVar[int] = 1


class ConvTranspose2d(ConvTranspose):
    """The transpose of a convolution: from its result to its image, with trained kernels.

    Shapes:
        x (N, in_channels, H, W) or (in_channels, H, W)  ->  the same with out_channels
        and sizes (size - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1

    Args:
        in_channels: Channels of x.
        out_channels: Channels of y.
        kernel_size: One number, or one for each axis.
        stride: The step between windows.
        padding: How many places are cut off on each side.
        output_padding: How many are added at the end.
        groups: Into how many groups of channels inputs and outputs fall.
        bias: Whether a number is added per output channel.
        dilation: The step within a window.

    Raises:
        ArgumentError: An argument is out of range, or groups do not divide the channels.
        ShapeError: x has other channels, or a size that is a name, or nothing is left.

    Example:
        >>> ConvTranspose2d(4, 8, 2, stride=2).output_shape((5, 4, 3, 4))
        (5, 8, 6, 8)

    Source:
        Initial weight and bias as torch.nn.ConvTranspose2d: uniform on ±1/√(out_channels / groups ·
        kernel).
    """

    axes: ClassVar[int] = 2


class ConvTranspose3d(ConvTranspose):
    """The transpose of a convolution: from its result to its image, with trained kernels.

    Shapes:
        x (N, in_channels, D, H, W) or (in_channels, D, H, W)  ->  the same with out_channels
        and sizes (size - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1

    Args:
        in_channels: Channels of x.
        out_channels: Channels of y.
        kernel_size: One number, or one for each axis.
        stride: The step between windows.
        padding: How many places are cut off on each side.
        output_padding: How many are added at the end.
        groups: Into how many groups of channels inputs and outputs fall.
        bias: Whether a number is added per output channel.
        dilation: The step within a window.

    Raises:
        ArgumentError: An argument is out of range, or groups do not divide the channels.
        ShapeError: x has other channels, or a size that is a name, or nothing is left.

    Example:
        >>> ConvTranspose3d(1, 2, 3).output_shape((5, 1, 2, 2, 2))
        (5, 2, 4, 4, 4)

    Source:
        Initial weight and bias as torch.nn.ConvTranspose3d: uniform on ±1/√(out_channels / groups ·
        kernel).
    """

    axes: ClassVar[int] = 3


def _started(
    shape: tuple[int, ...], out_channels: int, biased: bool
) -> Mapping[str, Parameter | None]:
    """Weight and bias, uniform on ±1/√(the products in a sum), as PyTorch's."""
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    bias = Parameter((out_channels,), uniform(-bound, bound))
    weight = Parameter(shape, kaiming_uniform(a=math.sqrt(5)))
    return {"weight": weight, "bias": bias if biased else None}


_FORWARD = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_MODES = ("zeros", *(mode for mode in PADDING_MODES if mode != "constant"))
