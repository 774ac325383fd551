"""A masked autoencoder of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import functional as F
from tensorem import nn, ssl
from tensorem.calls import FROM_0_BELOW_1, called, integer, number
from tensorem.errors import ArgumentError
from tensorem.layer import Around
from tensorem.losses import Pair

Array = jax.Array
Size = tuple[int, int, int]


class MAE(nn.Layer):
    """An encoder of the patches that are seen, and a decoder that tells the pixels of all.

    In a training step each image has its own draw of what is hidden; in evaluation the same places
    are hidden in all images, always.

    Shapes:
        (N, C, H, W)  ->  {"prediction": (N, P, D), "target": the same, "hidden": (N, P)}, with P
        patches of D numbers as in `ssl.patches`

    Args:
        embed: Patches to vectors.
        encoder: Its blocks.
        enter: What is encoded to vectors of the decoder.
        decoder: Its blocks.
        leave: These to patches.
        patch: The side of a patch.
        places: How many patches there are.
        ratio: The share that is hidden, rounded down.
    """

    embed: nn.Linear
    encoder: nn.TransformerEncoder
    enter: nn.Linear
    decoder: nn.TransformerEncoder
    leave: nn.Linear
    patch: int
    places: int
    ratio: float

    def parameters(self) -> Mapping[str, nn.Parameter | None]:
        shape = (1, 1, self.enter.out_features)
        return {"mask_token": nn.Parameter(shape, nn.init.normal(0, 0.02))}

    def forward(self, x: Array) -> dict[str, Array]:
        target = ssl.patches(x, self.patch)
        order = self._order(x.shape[0])
        back, seen = jnp.argsort(order, axis=1), self.places - int(self.ratio * self.places)
        tokens = _chosen(self.tokens(target), order[:, :seen])
        known = self.enter(self.encoder(tokens))
        shape = (x.shape[0], self.places - seen, self.enter.out_features)
        both = F.cat([known, jnp.broadcast_to(self.mask_token, shape)], 1)
        told = self.decoder(F.sinusoidal_encoding(_chosen(both, back)))
        return {"prediction": self.leave(told), "target": target, "hidden": back >= seen}

    def tokens(self, patches: Array) -> Array:
        """Vectors of patches, with their places added."""
        y: Array = F.sinusoidal_encoding(self.embed(patches))
        return y

    def _order(self, rows: Any) -> Array:
        """The patches of each image, those that are seen first."""
        if self.training:
            return jnp.argsort(jax.random.uniform(self.key(), (rows, self.places)), axis=1)
        fixed = np.random.default_rng(0).permutation(self.places).astype(np.int32)
        return jnp.broadcast_to(fixed, (rows, self.places))


def _chosen(tokens: Array, places: Array) -> Array:
    """Tokens of each row, by their places."""
    y: Array = F.take_along_dim(tokens, places[..., None], 1)
    return y


class MAEFeatures(Around):
    """What the encoder of an `MAE` makes of whole images: the mean over patches.

    `model.with_layer(MAEFeatures(model.layer))` keeps the arrays of a model and their names.

    Shapes:
        (N, C, H, W)  ->  (N, dim)

    Example:
        >>> model = nn.build(mae(1, 8, 4, (8, 1, 2)), ("N", 1, 8, 8))
        >>> model.with_layer(MAEFeatures(model.layer)).output
        float32 (N, 8)
    """

    def output_shape(self, *shapes: Any) -> Any:
        assert isinstance(self.layer, MAE)
        return (shapes[0][0], self.layer.embed.out_features)

    def forward(self, x: Array) -> Array:
        layer: Any = self.layer
        y: Array = F.mean(layer.encoder(layer.tokens(ssl.patches(x, layer.patch))), 1)
        return y


@called
def mae(
    channels: int,
    image: int,
    patch: int,
    size: Size,
    decoder: Size | None = None,
    ratio: float = 0.75,
) -> MAE:
    """A masked autoencoder of square images; `mae_objective` trains it.

    Shapes:
        as of `MAE`

    Args:
        channels: Those of an image.
        image: Its side; patch, the side of a patch, divides it.
        size: The length of a vector, the blocks and the heads of the encoder.
        decoder: Those of the decoder; None for half the length and one block.
        ratio: The share of patches that is hidden.

    Raises:
        ArgumentError: A number is out of range, or patch does not divide image.

    Example:
        >>> model = nn.build(mae(1, 8, 4, (8, 1, 2)), ("N", 1, 8, 8))
        >>> model.output["prediction"], model.output["hidden"]
        (float32 (N, 4, 16), bool (N, 4))

    Source:
        He et al. 2022, section 3, with sines of a patch's number for its place and without a token
        of the class.
    """
    if integer("image", image, 1) % integer("patch", patch, 1):
        raise ArgumentError(f"takes a patch that divides the image, got {patch} and {image}.")
    number("ratio", ratio, FROM_0_BELOW_1)
    pixels, wide = channels * patch**2, decoder or (size[0] // 2, 1, size[2])
    ends = nn.Linear(pixels, size[0]), nn.Linear(size[0], wide[0]), nn.Linear(wide[0], pixels)
    places = (image // patch) ** 2
    return MAE(ends[0], _blocks(size), ends[1], _blocks(wide), ends[2], patch, places, ratio)


def _blocks(size: Size) -> nn.TransformerEncoder:
    dim, depth, heads = size
    block = nn.TransformerEncoderLayer(dim, heads, 4 * dim, 0.0, "gelu", norm_first=True)
    return nn.TransformerEncoder(block, depth, nn.LayerNorm(dim))


@called
def mae_objective(output: dict[str, Array], targets: Any) -> Pair:
    """The squared errors of hidden patches, and how many these are; a loss for `train.fit`.

    Targets say nothing. It is `ssl.masked_mse` as a pair, so that parts of a batch add up.

    Shapes:
        output of `MAE`  ->  sum (), count ()

    Example:
        >>> y, hidden = jnp.array([[[1.0], [5.0]]]), jnp.array([[True, False]])
        >>> output = {"prediction": y, "target": 0 * y, "hidden": hidden}
        >>> [float(v) for v in mae_objective(output, None)]
        [1.0, 1.0]

    Source:
        He et al. 2022, section 3.
    """
    missed = F.mean((output["prediction"] - output["target"]) ** 2, -1)
    hidden = output["hidden"].astype(missed.dtype)
    return F.sum(missed * hidden), F.sum(hidden)
