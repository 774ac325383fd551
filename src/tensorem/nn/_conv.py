"""Convolution."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import among, flag, integer
from tensorem.layer import Layer, Parameter
from tensorem.rules import PADDING_MODES, Window, conv_window
from tensorem.shapes import Shape, Spec

from ._init import kaiming_uniform, uniform

Numbers = int | tuple[int, int]


class Conv2d(Layer):
    """The cross-correlation of images with trained kernels.

    Shapes:
        x (N, in_channels, H, W) or (in_channels, H, W)  ->  the same with out_channels, H', W'
        H' = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1

    Args:
        in_channels: Channels of x.
        out_channels: Channels of y.
        kernel_size: One number, or height and width.
        stride: The step between windows.
        padding: Places on each side; "valid" for none, "same" for as many as keep the size.
        dilation: The step within a window.
        groups: Into how many groups of channels inputs and outputs fall.
        bias: Whether a number is added per output channel.
        padding_mode: What fills them: "zeros", or entries of the image as in `F.pad`: "reflect",
            "replicate" or "circular".

    Raises:
        ArgumentError: An argument is out of range, or groups do not divide the channels.
        ShapeError: x is no image of in_channels, smaller than the kernel, or too small to fill its
            padding.

    Example:
        >>> Conv2d(1, 16, kernel_size=3, padding="same").output_shape((5, 1, 8, 8))
        (5, 16, 8, 8)

    Source:
        Initial weight and bias: uniform on ±1/√(in_channels / groups · kernel), as torch.nn.Conv2d.
    """

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
        return conv_window(self.kernel_size, self.stride, self.padding, self.dilation)

    def parameters(self) -> Mapping[str, Parameter | None]:
        weight = Parameter(self._weight(), kaiming_uniform(a=math.sqrt(5)))
        bound = 1 / math.sqrt(math.prod(self._weight()[1:]))
        bias = Parameter((self.out_channels,), uniform(-bound, bound))
        return {"weight": weight, "bias": bias if self.bias else None}

    def _weight(self) -> tuple[int, ...]:
        kernel = self.window().kernel_size
        return (self.out_channels, self.in_channels // self.groups, *kernel)

    def output_shape(self, x: Shape) -> Shape:
        window, weight = self.window(), Spec(self._weight())
        y: Shape = rules.conv2d(Spec(x), weight, **rules.moves(window), groups=self.groups).shape
        if self.padding_mode != "zeros":
            rules.check_frame(x, window.padding, self.padding_mode)
        return y

    def forward(self, x: Any) -> Any:
        padding = self.padding
        if self.padding_mode != "zeros":  # zeros are the convolution's own, and cost nothing
            rows, columns = self.window().padding
            x, padding = F.pad(x, (*columns, *rows), self.padding_mode), 0
        return F.conv2d(
            x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )  # fmt: skip


_MODES = ("zeros", *(mode for mode in PADDING_MODES if mode != "constant"))
