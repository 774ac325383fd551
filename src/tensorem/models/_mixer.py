"""MLP-Mixer."""

from __future__ import annotations

import jax

from tensorem import functional as F
from tensorem import nn

Array = jax.Array


class Mixer(nn.Layer):
    """A perceptron over places, then one over channels, each normalised before and added."""

    norm1: nn.LayerNorm
    tokens: nn.Sequential
    norm2: nn.LayerNorm
    channels: nn.Sequential

    def forward(self, x: Array) -> Array:
        mixed = self.tokens(F.permute(self.norm1(x), (0, 2, 1)))
        x = F.add(x, F.permute(mixed, (0, 2, 1)))
        return F.add(x, self.channels(self.norm2(x)))


class MLPMixer(nn.Layer):
    """Patches through blocks; a linear layer reads the mean over places."""

    stem: nn.Conv2d
    blocks: nn.Sequential
    norm: nn.LayerNorm
    head: nn.Linear

    def forward(self, x: Array) -> Array:
        patches = F.permute(F.flatten(self.stem(x), 2), (0, 2, 1))
        y: Array = self.head(F.mean(self.norm(self.blocks(patches)), 1))
        return y


def mlp_mixer(
    image: int, patch: int, dim: int, depth: int, hidden: tuple[int, int], classes: int
) -> nn.Layer:
    """MLP-Mixer of square images with three channels.

    Shapes:
        (N, 3, image, image)  ->  (N, classes)

    Args:
        image: The side of an image; patch, the side of a patch, divides it.
        dim: The length of a token.
        depth: How many blocks there are.
        hidden: The widths of the perceptrons over places and over channels.

    Example:
        >>> nn.build(mlp_mixer(8, 4, 16, 1, (8, 32), 10), ("N", 3, 8, 8)).output
        float32 (N, 10)

    Source:
        Tolstikhin et al. 2021.
    """
    places = (image // patch) ** 2

    def both(size: int, width: int) -> tuple[nn.LayerNorm, nn.Sequential]:
        return nn.LayerNorm(dim), nn.blocks.mlp(size, size, (width,), "gelu")

    layers = [Mixer(*both(places, hidden[0]), *both(dim, hidden[1])) for _ in range(depth)]
    stem = nn.Conv2d(3, dim, patch, patch)
    return MLPMixer(stem, nn.Sequential(*layers), nn.LayerNorm(dim), nn.Linear(dim, classes))
