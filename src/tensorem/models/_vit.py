"""Vision transformers, with torchvision's names, whose state dicts load."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from tensorem import functional as F
from tensorem import nn
from tensorem.calls import integer
from tensorem.errors import ArgumentError

Array = jax.Array


class EncoderBlock(nn.Layer):
    """Attention and a perceptron, each normalised before and added."""

    ln_1: nn.LayerNorm
    self_attention: nn.MultiheadAttention
    ln_2: nn.LayerNorm
    mlp: nn.Sequential

    def forward(self, x: Array) -> Array:
        x = F.add(x, self.self_attention(self.ln_1(x)))
        return F.add(x, self.mlp(self.ln_2(x)))


class Encoder(nn.Layer):
    """Blocks over tokens with a trained vector for each place."""

    layers: nn.Sequential
    ln: nn.LayerNorm
    tokens: int
    dim: int

    def parameters(self) -> Mapping[str, nn.Parameter | None]:
        return {"pos_embedding": nn.Parameter((1, self.tokens, self.dim), nn.init.normal(0, 0.02))}

    def forward(self, x: Array) -> Array:
        y: Array = self.ln(self.layers(F.add(x, self.pos_embedding)))
        return y


class VisionTransformer(nn.Layer):
    """Patches and a token of the class through an encoder; a linear layer reads that token.

    Shapes:
        (N, 3, H, W)  ->  (N, classes)
    """

    conv_proj: nn.Conv2d
    encoder: Encoder
    heads: nn.Sequential

    def parameters(self) -> Mapping[str, nn.Parameter | None]:
        return {"class_token": nn.Parameter((1, 1, self.conv_proj.out_channels), nn.init.zeros())}

    def forward(self, x: Array) -> Array:
        patches = F.permute(F.flatten(self.conv_proj(x), 2), (0, 2, 1))
        first = jnp.broadcast_to(self.class_token, (x.shape[0], 1, patches.shape[2]))
        y: Array = self.heads(self.encoder(F.cat([first, patches], 1))[:, 0])
        return y


def vit(
    image: int, patch: int, dim: int, depth: int, heads: int, hidden: int, classes: int
) -> VisionTransformer:
    """A vision transformer.

    Shapes:
        (N, 3, image, image)  ->  (N, classes)

    Args:
        image: The side of an image; patch, the side of a patch, divides it.
        dim: The length of a token.
        depth: How many blocks there are.
        heads: The heads of attention.
        hidden: The width of the perceptrons.

    Raises:
        ArgumentError: patch does not divide image, or a number is below 1.

    Example:
        >>> vit(8, 4, 16, 1, 2, 32, 10).conv_proj
        Conv2d(3, 16, 4, stride=4)

    Source:
        Dosovitskiy et al. 2021.
    """
    integer("depth", depth, 1)
    if integer("image", image, 1) % integer("patch", patch, 1):
        raise ArgumentError(f"vit takes a patch that divides the image, got {patch} and {image}.")
    layers = {f"encoder_layer_{i}": _block(dim, heads, hidden) for i in range(depth)}
    tokens = 1 + (image // patch) ** 2
    encoder = Encoder(nn.Sequential(layers), nn.LayerNorm(dim, 1e-6), tokens, dim)
    head = nn.Sequential({"head": nn.Linear(dim, classes)})
    return VisionTransformer(nn.Conv2d(3, dim, patch, patch), encoder, head)


def _block(dim: int, heads: int, hidden: int) -> EncoderBlock:
    # torchvision's dropouts of 0 hold the places of names
    mlp = (nn.Linear(dim, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, dim), nn.Identity())
    attention = nn.MultiheadAttention(dim, heads)
    return EncoderBlock(nn.LayerNorm(dim, 1e-6), attention, nn.LayerNorm(dim, 1e-6),
                        nn.Sequential(*mlp))  # fmt: skip


def vit_b_16(classes: int = 1000) -> VisionTransformer:
    """ViT-B/16 for images of 224 by 224: 86,567,656 parameters for 1000 classes; else as `vit`."""
    return vit(224, 16, 768, 12, 12, 3072, classes)
