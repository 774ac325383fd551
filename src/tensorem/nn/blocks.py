"""Layers in the usual order, as `nn.Sequential`: perceptrons, convolutions with all that follows.

`nn.BasicBlock` and `nn.Bottleneck` are layers of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorem.calls import among, integer, integers, named
from tensorem.errors import LayerError
from tensorem.layer import Layer

from ._combine import Sequential
from ._conv import Conv2d
from ._dropout import Dropout
from ._linear import Linear
from ._norm import BatchNorm2d
from ._pool import MaxPool2d
from ._residual import ACTIVATIONS, BasicBlock, Bottleneck


def activation(name: str) -> Layer:
    """The layer of "relu", "gelu", "gelu_tanh", "silu", "tanh" or "sigmoid".

    Raises:
        ArgumentError: There is none of that name.

    Example:
        >>> activation("gelu_tanh")
        GELU(approximate='tanh')
    """
    with named("activation"):
        among("name", name, tuple(ACTIVATIONS))
    return ACTIVATIONS[name]()


def mlp(
    in_features: int,
    out_features: int,
    hidden: Sequence[int] = (),
    activation: str = "relu",
    dropout: float | None = None,
) -> Sequential:
    """Affine maps with an activation, and dropout if given, between each two.

    Shapes:
        (*batch, in_features)  ->  (*batch, out_features)

    Args:
        hidden: The sizes between, a tuple or list.

    Raises:
        ArgumentError: hidden is none, or one is below 1.

    Example:
        >>> mlp(4, 3, hidden=(8,))
        Sequential(Linear(4, 8), ReLU(), Linear(8, 3))
    """
    with named("mlp"):
        sizes = integers("hidden", hidden, 1)
    layers: list[Layer] = []
    for size in sizes:
        layers += [Linear(in_features, size), *_after(activation, dropout)]
        in_features = size
    return Sequential(*layers, Linear(in_features, out_features))


def conv_act(conv: Conv2d, activation: str = "relu", dropout: float | None = None) -> Sequential:
    """A convolution, an activation, and dropout if given.

    Example:
        >>> conv_act(Conv2d(1, 8, 3))
        Sequential(Conv2d(1, 8, 3), ReLU())
    """
    return Sequential(conv, *_after(activation, dropout))


def conv_norm_act(
    conv: Conv2d, activation: str = "relu", dropout: float | None = None, *, eps: float = 1e-5
) -> Sequential:
    """A convolution, batch norm, an activation, and dropout if given.

    Write the convolution with bias=False: the norm takes away what it adds.

    Raises:
        LayerError: conv is none.

    Example:
        >>> conv_norm_act(Conv2d(1, 8, 3, bias=False), "silu")
        Sequential(Conv2d(1, 8, 3, bias=False), BatchNorm2d(8), SiLU())
    """
    if not isinstance(conv, Conv2d):
        raise LayerError(f"conv_norm_act takes an nn.Conv2d, got {conv!r}.")
    norm = BatchNorm2d(conv.out_channels, eps)
    return Sequential(conv, norm, *_after(activation, dropout))


def conv_norm_act_pool(
    conv: Conv2d,
    pool: MaxPool2d | None = None,
    activation: str = "relu",
    dropout: float | None = None,
    *,
    eps: float = 1e-5,
) -> Sequential:
    """`conv_norm_act`, and pooling: `nn.MaxPool2d(2)` where no other is given.

    Example:
        >>> conv_norm_act_pool(Conv2d(1, 8, 3, bias=False)).output_shape((5, 1, 10, 10))
        (5, 8, 4, 4)
    """
    block = conv_norm_act(conv, activation, dropout, eps=eps)
    return Sequential(*block, MaxPool2d(2) if pool is None else pool)


def _after(name: str, dropout: float | None) -> list[Layer]:
    return [activation(name), *([] if dropout is None else [Dropout(dropout)])]


def conv3x3(in_channels: int, out_channels: int, stride: int = 1, *, bias: bool = False) -> Conv2d:
    """A convolution of 3 by 3 that keeps the size, or with stride 2 gives `down2` of it."""
    return Conv2d(in_channels, out_channels, 3, stride, 1, bias=bias)


def conv1x1(in_channels: int, out_channels: int, stride: int = 1, *, bias: bool = False) -> Conv2d:
    """A convolution of 1 by 1 that keeps the size, or with stride 2 gives `down2` of it."""
    return Conv2d(in_channels, out_channels, 1, stride, bias=bias)


def down2(size: int) -> int:
    """The size after a step of 2: half of it, rounded up.

    Raises:
        ArgumentError: The size is below 1.

    Example:
        >>> [down2(n) for n in (1, 2, 3, 7, 8)]
        [1, 1, 2, 4, 4]
    """
    with named("down2"):
        return (integer("size", size, 1) + 1) // 2


def resnet_stage(
    block: type[BasicBlock] | type[Bottleneck],
    in_channels: int,
    channels: int,
    count: int,
    stride: int = 1,
) -> Sequential:
    """Residual blocks of one size one after another; the first has the stride.

    Args:
        block: `nn.BasicBlock` or `nn.Bottleneck`, which gives 4 channels for each.
        count: How many blocks.

    Raises:
        ArgumentError: count is below 1.

    Example:
        >>> resnet_stage(BasicBlock, 8, 16, count=2, stride=2)
        Sequential(BasicBlock(8, 16, stride=2), BasicBlock(16, 16))
    """
    wide = channels * (4 if block is Bottleneck else 1)
    with named("resnet_stage"):
        integer("count", count, 1)
    rest = [block(wide, channels) for _ in range(count - 1)]
    return Sequential(block(in_channels, channels, stride), *rest)


__all__ = [
    "activation",
    "conv1x1",
    "conv3x3",
    "conv_act",
    "conv_norm_act",
    "conv_norm_act_pool",
    "down2",
    "mlp",
    "resnet_stage",
]
