"""U-Net."""

from __future__ import annotations

import jax

from tensorem import functional as F
from tensorem import nn
from tensorem.calls import integers
from tensorem.errors import ArgumentError

Array = jax.Array


class Level(nn.Layer):
    """Convolutions, what lies below at half the size, and convolutions of both together."""

    down: nn.Layer
    below: nn.Layer
    up: nn.Layer
    join: nn.Layer

    def forward(self, x: Array) -> Array:
        x = self.down(x)
        y = self.up(self.below(F.max_pool2d(x, 2)))
        joined: Array = self.join(F.cat([x, y], 1))
        return joined


def unet(
    in_channels: int, out_channels: int, channels: tuple[int, ...] = (64, 128, 256, 512, 1024)
) -> nn.Sequential:
    """U-Net with padded convolutions, so that the size stays; 2^(levels - 1) divides H and W.

    Shapes:
        (N, in_channels, H, W)  ->  (N, out_channels, H, W)

    Args:
        channels: Those of each level.

    Raises:
        ArgumentError: There is no level, or a number is below 1.

    Example:
        >>> nn.build(unet(1, 2, (4, 8)), ("N", 1, 8, 8)).output
        float32 (N, 2, 8, 8)

    Source:
        Ronneberger et al. 2015, figure 1, with batch norms.
    """
    integers("channels", channels, 1)
    if not channels:
        raise ArgumentError("unet takes the channels of a level or more, got ().")
    before = (in_channels, *channels)
    body: nn.Layer = _two(before[-2], before[-1])
    for i in reversed(range(len(channels) - 1)):
        wide, deep = channels[i], channels[i + 1]
        up = nn.ConvTranspose2d(deep, wide, 2, 2)
        body = Level(_two(before[i], wide), body, up, _two(2 * wide, wide))
    return nn.Sequential(body, nn.Conv2d(before[1], out_channels, 1))


def _two(before: int, after: int) -> nn.Layer:
    first, second = (nn.blocks.conv_norm_act(nn.blocks.conv3x3(n, after)) for n in (before, after))
    return nn.Sequential(*first, *second)
