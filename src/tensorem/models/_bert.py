"""BERT: a transformer that sees a whole text, and one vector for each text."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from tensorem import functional as F
from tensorem import nn
from tensorem.calls import called
from tensorem.layer import Around

Array = jax.Array


class BERT(nn.Layer):
    """Vectors of tokens, each of which has seen the whole text.

    Shapes:
        tokens (N, T), integers, mask (N, T), truth values, kinds (N, T), integers  ->  (N, T, dim)

    Args:
        words: The vectors of tokens.
        places: Those of places, which are added.
        kinds: Those of the parts of a text, first or second; without them all is the first.
        norm: What normalises the sum.
        drop: What stands behind it.
        encoder: The blocks.

    A mask is True where there is a token, and False in the padding, which no token sees.
    """

    words: nn.Embedding
    places: nn.LearnedPositionalEmbedding
    kinds: nn.Embedding
    norm: nn.LayerNorm
    drop: nn.Dropout
    encoder: nn.TransformerEncoder

    def forward(
        self, tokens: Array, mask: Array | None = None, kinds: Array | None = None
    ) -> Array:
        kinds = jnp.zeros_like(tokens) if kinds is None else kinds
        x = self.places(F.add(self.words(tokens), self.kinds(kinds)))
        forbidden = None if mask is None else jnp.logical_not(mask)
        y: Array = self.encoder(self.drop(self.norm(x)), src_key_padding_mask=forbidden)
        return y


@called
def bert(
    size: tuple[int, int, int], vocabulary: int = 30522, places: int = 512, dropout: float = 0.1
) -> BERT:
    """BERT without its pooling layer, (768, 12, 12) as "base"; the perceptrons are 4 times as wide.

    Shapes:
        as of `BERT`

    Args:
        size: The size of a vector, blocks, heads.
        places: The most tokens of a text.

    Raises:
        ArgumentError: A number is out of range.

    Example:
        >>> from tensorem import Spec
        >>> inputs = Spec(("N", "T"), "int32"), Spec(("N", "T"), "bool")
        >>> nn.build(bert((8, 2, 2), 11, 16), inputs).output
        float32 (N, T, 8)

    Source:
        Devlin et al. 2019.
    """
    dim, depth, heads = size
    block = nn.TransformerEncoderLayer(dim, heads, 4 * dim, dropout, "gelu", 1e-12)
    words, kinds = (nn.Embedding(count, dim, std=0.02) for count in (vocabulary, 2))
    tables = words, nn.LearnedPositionalEmbedding(places, dim), kinds
    norm, drop = nn.LayerNorm(dim, 1e-12), nn.Dropout(dropout)
    return BERT(*tables, norm, drop, nn.TransformerEncoder(block, depth))


class MeanPooled(Around):
    """One vector of length 1 for each text: the mean over its tokens, normalised.

    `model.with_layer(MeanPooled(model.layer))` keeps the arrays of a model and their names.

    Shapes:
        tokens (N, T), integers, mask (N, T), truth values  ->  (N, dim)

    Example:
        >>> from tensorem import Spec
        >>> inputs = Spec(("N", "T"), "int32"), Spec(("N", "T"), "bool")
        >>> model = nn.build(bert((8, 2, 2), 11, 16), inputs)
        >>> model.with_layer(MeanPooled(model.layer)).output
        float32 (N, 8)

    Source:
        Reimers and Gurevych 2019, section 3.
    """

    def output_shape(self, *shapes: Any) -> Any:
        hidden = self.layer.output_shape(*shapes)
        return (hidden[0], hidden[-1])

    def forward(self, tokens: Array, mask: Array, *rest: Array) -> Array:
        hidden = self.layer(tokens, mask, *rest)
        here = mask.astype(hidden.dtype)[..., None]
        total = F.sum(F.mul(hidden, here), 1)
        y: Array = F.normalize(F.div(total, F.maximum(F.sum(here, 1), 1.0)), dim=1)
        return y
