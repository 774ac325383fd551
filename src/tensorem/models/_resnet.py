"""Residual networks, with torchvision's names, whose state dicts load."""

from __future__ import annotations

import jax

from tensorem import functional as F
from tensorem import nn

Array = jax.Array


class ResNet(nn.Layer):
    """A stem, four stages of residual blocks, the mean over places, and a linear layer.

    Shapes:
        (N, 3, H, W)  ->  (N, classes)
    """

    conv1: nn.Conv2d
    bn1: nn.BatchNorm2d
    layer1: nn.Layer
    layer2: nn.Layer
    layer3: nn.Layer
    layer4: nn.Layer
    fc: nn.Linear

    def forward(self, x: Array) -> Array:
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(x, 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        y: Array = self.fc(F.mean(x, (2, 3)))
        return y


def resnet18(classes: int = 1000) -> ResNet:
    """ResNet-18: 11,689,512 parameters for 1000 classes.

    Shapes:
        (N, 3, H, W)  ->  (N, classes)

    Example:
        >>> resnet18(10).fc
        Linear(512, 10)

    Source:
        He et al. 2016, table 1.
    """
    return _resnet(nn.BasicBlock, (2, 2, 2, 2), classes)


def resnet34(classes: int = 1000) -> ResNet:
    """ResNet-34: 21,797,672 parameters for 1000 classes; else as `resnet18`."""
    return _resnet(nn.BasicBlock, (3, 4, 6, 3), classes)


def resnet50(classes: int = 1000) -> ResNet:
    """ResNet-50: 25,557,032 parameters for 1000 classes; else as `resnet18`."""
    return _resnet(nn.Bottleneck, (3, 4, 6, 3), classes)


def _resnet(
    block: type[nn.BasicBlock] | type[nn.Bottleneck], counts: tuple[int, ...], classes: int
) -> ResNet:
    wide = 4 if block is nn.Bottleneck else 1
    stages: dict[str, nn.Layer] = {}
    channels = 64
    for i, count in enumerate(counts):
        inner = 64 * 2**i
        stages[f"layer{i + 1}"] = nn.blocks.resnet_stage(
            block, channels, inner, count, 2 if i else 1
        )
        channels = wide * inner
    stem = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
    return ResNet(conv1=stem, bn1=nn.BatchNorm2d(64), **stages, fc=nn.Linear(channels, classes))
