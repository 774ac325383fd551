"""ConvNeXt, with torchvision's names, whose state dicts load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

import jax

from tensorem import functional as F
from tensorem import nn

Array = jax.Array


class Permute(nn.Layer):
    """The axes in another order."""

    dims: tuple[int, ...]

    def forward(self, x: Array) -> Array:
        return F.permute(x, self.dims)


class LayerNorm2d(nn.Layer):
    """A norm over the channels of images."""

    norm: nn.LayerNorm = field(metadata={"path": ""})

    def forward(self, x: Array) -> Array:
        return F.permute(self.norm(F.permute(x, (0, 2, 3, 1))), (0, 3, 1, 2))


class Block(nn.Layer):
    """A convolution of each channel and a perceptron, scaled and added."""

    block: nn.Sequential
    dim: int

    def parameters(self) -> Mapping[str, nn.Parameter | None]:
        return {"layer_scale": nn.Parameter((self.dim, 1, 1), nn.init.constant(1e-6))}

    def forward(self, x: Array) -> Array:
        return F.add(x, F.mul(self.layer_scale, self.block(x)))


class ConvNeXt(nn.Layer):
    """Stages of blocks; a linear layer reads the mean over places."""

    features: nn.Sequential
    classifier: nn.Sequential

    def forward(self, x: Array) -> Array:
        y: Array = self.classifier(F.mean(self.features(x), (2, 3), keepdim=True))
        return y


def convnext_tiny(
    classes: int = 1000,
    depths: tuple[int, ...] = (3, 3, 9, 3),
    dims: tuple[int, ...] = (96, 192, 384, 768),
) -> nn.Layer:
    """ConvNeXt-T: 28,589,128 parameters for 1000 classes.

    Shapes:
        (N, 3, H, W)  ->  (N, classes), with H and W of 32 at least

    Args:
        depths: The blocks of each stage.
        dims: The channels of each stage.

    Example:
        >>> nn.build(convnext_tiny(10, (1, 1), (4, 8)), (2, 3, 32, 32)).output
        float32 (2, 10)

    Source:
        Liu et al. 2022, with torchvision's names and without stochastic depth.
    """
    stages: list[nn.Layer] = [nn.Sequential(nn.Conv2d(3, dims[0], 4, 4), _norm(dims[0]))]
    for i, (depth, dim) in enumerate(zip(depths, dims, strict=True)):
        stages.append(nn.Sequential(*(_block(dim) for _ in range(depth))))
        if i + 1 < len(dims):
            stages.append(nn.Sequential(_norm(dim), nn.Conv2d(dim, dims[i + 1], 2, 2)))
    head = nn.Sequential(_norm(dims[-1]), nn.Flatten(), nn.Linear(dims[-1], classes))
    return ConvNeXt(nn.Sequential(*stages), head)


def _norm(dim: int) -> LayerNorm2d:
    return LayerNorm2d(nn.LayerNorm(dim, 1e-6))


def _block(dim: int) -> Block:
    parts = (
        nn.Conv2d(dim, dim, 7, padding=3, groups=dim), Permute((0, 2, 3, 1)),
        nn.LayerNorm(dim, 1e-6), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim),
        Permute((0, 3, 1, 2)),
    )  # fmt: skip
    return Block(nn.Sequential(*parts), dim)
