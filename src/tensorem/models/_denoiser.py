"""Networks that take the step of a diffusion beside what is to be denoised."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from tensorem import functional as F
from tensorem import nn
from tensorem.calls import called, integer, integers
from tensorem.errors import ArgumentError

Array = jax.Array


class TimeEmbedding(nn.Layer):
    """Sines and cosines of a step, through a perceptron.

    Shapes:
        (N,), integers  ->  (N, dim)
    """

    mlp: nn.Sequential
    dim: int

    def forward(self, t: Array) -> Array:
        waves = F.sinusoidal_encoding(jnp.zeros((t.shape[0], 1, self.dim)), t)
        y: Array = self.mlp(F.flatten(waves, 1))
        return y


def _embedding(dim: int) -> TimeEmbedding:
    return TimeEmbedding(nn.blocks.mlp(dim, dim, (dim,), "silu"), dim)


class TimedMLP(nn.Layer):
    """Residual affine maps, each of which sees the step."""

    time: TimeEmbedding
    enter: nn.Linear
    layers: tuple[nn.Linear, ...]
    leave: nn.Linear

    def forward(self, x: Array, t: Array) -> Array:
        e, h = self.time(t), self.enter(x)
        for layer in self.layers:
            h = F.add(h, layer(F.silu(F.add(h, e))))
        y: Array = self.leave(F.silu(h))
        return y


@called
def denoising_mlp(features: int, hidden: int = 128, depth: int = 3) -> nn.Layer:
    """A denoiser of vectors, for `Diffusion`.

    Shapes:
        x (N, features), t (N,), integers  ->  like x

    Args:
        hidden: The width of all layers and of the embedding of the step.
        depth: How many residual layers there are.

    Raises:
        ArgumentError: A number is below 1.

    Example:
        >>> from tensorem import Spec
        >>> nn.build(denoising_mlp(2, 8), (("N", 2), Spec(("N",), "int32"))).output
        float32 (N, 2)
    """
    layers = tuple(nn.Linear(hidden, hidden) for _ in range(integer("depth", depth, 1)))
    enter, leave = nn.Linear(features, hidden), nn.Linear(hidden, features)
    return TimedMLP(_embedding(hidden), enter, layers, leave)


class TimedBlock(nn.Layer):
    """Two convolutions, each normalised before, with the step between; what goes in is added."""

    norm1: nn.GroupNorm
    conv1: nn.Conv2d
    time: nn.Linear
    norm2: nn.GroupNorm
    conv2: nn.Conv2d
    skip: nn.Layer

    def forward(self, x: Array, e: Array) -> Array:
        h = self.conv1(F.silu(self.norm1(x)))
        h = F.add(h, self.time(F.silu(e))[:, :, None, None])
        return F.add(self.skip(x), self.conv2(F.silu(self.norm2(h))))


def _block(before: int, after: int, dim: int) -> TimedBlock:
    skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
    first, second = nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)
    time = nn.Linear(dim, after)
    return TimedBlock(_norm(before), first, time, _norm(after), second, skip)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(max(g for g in (8, 4, 2, 1) if channels % g == 0), channels)


class TimedLevel(nn.Layer):
    """A block, what lies below at half the size, and a block of both together."""

    down: TimedBlock
    below: nn.Layer
    up: nn.ConvTranspose2d
    join: TimedBlock

    def forward(self, x: Array, e: Array) -> Array:
        x = self.down(x, e)
        y = self.up(self.below(F.avg_pool2d(x, 2), e))
        joined: Array = self.join(F.cat([x, y], 1), e)
        return joined


class TimedUNet(nn.Layer):
    """A U-Net whose blocks see the step, and the class if there are any."""

    time: TimeEmbedding
    class_embedding: nn.Embedding | None
    enter: nn.Conv2d
    body: nn.Layer
    norm: nn.GroupNorm
    leave: nn.Conv2d

    def forward(self, x: Array, t: Array, *kind: Array) -> Array:
        e = self.time(t)
        if self.class_embedding is not None:
            e = F.add(e, self.class_embedding(*kind))
        h = self.body(self.enter(x), e)
        y: Array = self.leave(F.silu(self.norm(h)))
        return y


@called
def denoising_unet(
    channels: int, widths: tuple[int, ...] = (32, 64), classes: int | None = None
) -> nn.Layer:
    """A denoiser of images, for `Diffusion`; 2^(levels - 1) divides H and W.

    Shapes:
        x (N, channels, H, W), t (N,), integers  ->  like x; with classes, theirs (N,) behind t

    Args:
        widths: The channels of each level; the embedding of the step has 4 times the first.
        classes: How many classes of images there are, of which it is told one; None for none.

    Raises:
        ArgumentError: There is no level, or a number is below 1.

    Example:
        >>> from tensorem import Spec
        >>> inputs = ("N", 1, 8, 8), Spec(("N",), "int32")
        >>> nn.build(denoising_unet(1, (4, 8)), inputs).output
        float32 (N, 1, 8, 8)

    Source:
        Ho et al. 2020, appendix B, with one block for each level and without attention.
    """
    if not integers("widths", widths, 1):
        raise ArgumentError("takes the widths of a level or more, got ().")
    first, before = widths[0], (widths[0], *widths)
    dim = 4 * first
    body: nn.Layer = _block(before[-2], before[-1], dim)
    for i in reversed(range(len(widths) - 1)):
        up = nn.ConvTranspose2d(widths[i + 1], widths[i], 2, 2)
        level = _block(before[i], widths[i], dim), _block(2 * widths[i], widths[i], dim)
        body = TimedLevel(level[0], body, up, level[1])
    enter, leave = (
        nn.Conv2d(channels, first, 3, padding=1),
        nn.Conv2d(first, channels, 3, padding=1),
    )
    embedding = None if classes is None else nn.Embedding(classes, dim)
    return TimedUNet(_embedding(dim), embedding, enter, body, _norm(first), leave)
