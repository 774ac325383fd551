"""The blocks of residual networks, with the names of torchvision, so that its weights load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial

from jax import Array

from tensorem import functional as F
from tensorem.calls import among, integer
from tensorem.layer import Layer
from tensorem.shapes import UNKNOWN_RANK, Shape

from ._activation import ReLU, Sigmoid, Tanh
from ._combine import Sequential
from ._conv import Conv2d
from ._curves import GELU, SiLU
from ._norm import BatchNorm2d

ACTIVATIONS: Mapping[str, Callable[[], Layer]] = {
    "relu": ReLU,
    "gelu": GELU,
    "gelu_tanh": partial(GELU, "tanh"),
    "silu": SiLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
}
"""What a block takes by name."""


class BasicBlock(Layer):
    """Two convolutions of 3 by 3, added to what goes in; the block of ResNet-18 and ResNet-34.

    Where the channels or the size change, what goes in passes a convolution of 1 by 1 first.

    Shapes:
        (N, in_channels, H, W)  ->  (N, out_channels, H', W') with H' = floor((H - 1) / stride) + 1

    Args:
        in_channels: Channels of x.
        out_channels: Channels of y.
        stride: The step of the first convolution, 1 or more.
        activation: "relu", "gelu", "gelu_tanh", "silu", "tanh" or "sigmoid".
        bias: Whether convolutions add one; the norms do so anyway.
        eps: Added to the variance of the norms.

    Raises:
        ArgumentError: A number is out of range, or there is no such activation.
        ShapeError: x is no batch of images of in_channels.

    Example:
        >>> BasicBlock(8, 16, stride=2).output_shape((5, 8, 7, 8))
        (5, 16, 4, 4)

    Source:
        He et al. 2016, figure 5 left, with the projection of option B. Names: torchvision.
    """

    in_channels: int
    out_channels: int
    stride: int = 1
    activation: str = "relu"
    bias: bool = field(default=False, kw_only=True)
    eps: float = field(default=1e-5, kw_only=True)
    conv1: Conv2d = field(init=False)
    bn1: BatchNorm2d = field(init=False)
    conv2: Conv2d = field(init=False)
    bn2: BatchNorm2d = field(init=False)
    downsample: Sequential | None = field(init=False)
    act: Layer = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        convolutions = [(self.in_channels, 3, self.stride), (self.out_channels, 3, 1)]
        _complete(self, convolutions, self.out_channels)

    def output_shape(self, x: Shape = UNKNOWN_RANK) -> Shape:
        return self.conv2.output_shape(self.conv1.output_shape(x))

    def forward(self, x: Array) -> Array:
        y = self.act(self.bn1(self.conv1(x)))
        return _joined(self, x, self.bn2(self.conv2(y)))


class Bottleneck(Layer):
    """Convolutions of 1, 3 and 1, added to what goes in; the block of ResNet-50 and deeper ones.

    Where the channels or the size change, what goes in passes a convolution of 1 by 1 first.

    Shapes:
        (N, in_channels, H, W)  ->  (N, 4 channels, H', W') with H' = floor((H - 1) / stride) + 1

    Args:
        in_channels: Channels of x.
        channels: Channels of the convolution in the middle.
        stride: The step of the convolution in the middle, 1 or more.
        activation: "relu", "gelu", "gelu_tanh", "silu", "tanh" or "sigmoid".
        bias: Whether convolutions add one; the norms do so anyway.
        eps: Added to the variance of the norms.

    Raises:
        ArgumentError: A number is out of range, or there is no such activation.
        ShapeError: x is no batch of images of in_channels.

    Example:
        >>> Bottleneck(64, 16, stride=2).output_shape((5, 64, 7, 8))
        (5, 64, 4, 4)

    Source:
        He et al. 2016, figure 5 right, with the step at the middle as in torchvision, whose names
        these are.
    """

    in_channels: int
    channels: int
    stride: int = 1
    activation: str = "relu"
    bias: bool = field(default=False, kw_only=True)
    eps: float = field(default=1e-5, kw_only=True)
    conv1: Conv2d = field(init=False)
    bn1: BatchNorm2d = field(init=False)
    conv2: Conv2d = field(init=False)
    bn2: BatchNorm2d = field(init=False)
    conv3: Conv2d = field(init=False)
    bn3: BatchNorm2d = field(init=False)
    downsample: Sequential | None = field(init=False)
    act: Layer = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        middle = integer("channels", self.channels, 1)
        convolutions = [(self.in_channels, 1, 1), (middle, 3, self.stride), (middle, 1, 1)]
        _complete(self, convolutions, 4 * middle)

    def output_shape(self, x: Shape = UNKNOWN_RANK) -> Shape:
        y = self.conv2.output_shape(self.conv1.output_shape(x))
        return self.conv3.output_shape(y)

    def forward(self, x: Array) -> Array:
        y = self.act(self.bn1(self.conv1(x)))
        y = self.act(self.bn2(self.conv2(y)))
        return _joined(self, x, self.bn3(self.conv3(y)))


Block = BasicBlock | Bottleneck


def _complete(block: Block, convolutions: list[tuple[int, int, int]], channels: int) -> None:
    """Make the layers inside a block, of (channels that go in, kernel, stride) for each in turn."""
    integer("in_channels", block.in_channels, 1)
    integer("stride", block.stride, 1)
    among("activation", block.activation, tuple(ACTIVATIONS))
    outputs = [inputs for inputs, _, _ in convolutions[1:]] + [channels]
    made: dict[str, Layer | None] = {}
    for k, ((inputs, kernel, stride), gives) in enumerate(zip(convolutions, outputs, strict=True)):
        made[f"conv{k + 1}"] = _conv(block, inputs, gives, kernel, stride)
        made[f"bn{k + 1}"] = BatchNorm2d(gives, block.eps)
    made |= {"downsample": _skip(block, channels), "act": ACTIVATIONS[block.activation]()}
    for name, part in made.items():
        object.__setattr__(block, name, part)


def _conv(block: Block, inputs: int, outputs: int, kernel: int, stride: int) -> Conv2d:
    return Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=block.bias)


def _skip(block: Block, channels: int) -> Sequential | None:
    """What goes in, in the form of what is added to it; None where it has that form."""
    if block.stride == 1 and block.in_channels == channels:
        return None
    projection = _conv(block, block.in_channels, channels, 1, block.stride)
    return Sequential(projection, BatchNorm2d(channels, block.eps))


def _joined(block: Block, x: Array, y: Array) -> Array:
    skip = x if block.downsample is None else block.downsample(x)
    out: Array = block.act(F.add(y, skip))
    return out
