"""GPT-2: a causal transformer whose last layer is the table of its tokens."""

from __future__ import annotations

from typing import Any

import jax

from tensorem import functional as F
from tensorem import nn
from tensorem.calls import among

Array = jax.Array

SIZES = {
    "gpt2": (768, 12, 12),
    "gpt2-medium": (1024, 24, 16),
    "gpt2-large": (1280, 36, 20),
    "gpt2-xl": (1600, 48, 25),
}
"""The size of a vector, blocks and heads of each published model."""


class GPT(nn.Layer):
    """A causal language model; `text.generate` writes with it, by its cache.

    Shapes:
        (N, T), integers  ->  (N, T, vocabulary); then the caches if given

    Args:
        wte: The vectors of tokens, which are the weights of the last layer too.
        wpe: The vectors of places.
        h: The blocks.
    """

    wte: nn.Embedding
    wpe: nn.LearnedPositionalEmbedding
    h: nn.TransformerEncoder

    def init_cache(self, batch: int | tuple[int, ...], max_length: int) -> Any:
        """A cache for each block: `nn.MultiheadAttention.init_cache`."""
        return self.h.init_cache(batch, max_length)

    def forward(self, tokens: Array, cache: Any = None) -> Any:
        start = 0 if cache is None else cache[0]["position"]
        y = self.h(self.wpe(self.wte(tokens), start), is_causal=True, cache=cache)
        y, cache = (y, None) if cache is None else y
        logits = F.linear(y, self.wte.weight)
        return logits if cache is None else (logits, cache)


def gpt2(
    size: str | tuple[int, int, int] = "gpt2", vocabulary: int = 50257, places: int = 1024,
    dropout: float = 0.1,
) -> GPT:  # fmt: skip
    """GPT-2 of a published size (124,439,808 parameters as "gpt2"), or of other numbers.

    Shapes:
        (N, T), integers  ->  (N, T, vocabulary)

    Args:
        size: A name of `SIZES`, or (the size of a vector, blocks, heads).
        places: The most tokens of a text.

    Raises:
        ArgumentError: There is no such size.

    Example:
        >>> gpt2((8, 2, 2), 11, 16).wte
        Embedding(11, 8, std=0.02)

    Source:
        Radford et al. 2019.
    """
    if isinstance(size, str):
        size = SIZES[among("size", size, tuple(SIZES))]
    dim, depth, heads = size
    block = nn.TransformerEncoderLayer(dim, heads, 4 * dim, dropout, "gelu_tanh", norm_first=True)
    stack = nn.TransformerEncoder(block, depth, nn.LayerNorm(dim))
    table = nn.Embedding(vocabulary, dim, std=0.02)
    return GPT(table, nn.LearnedPositionalEmbedding(places, dim), stack)
