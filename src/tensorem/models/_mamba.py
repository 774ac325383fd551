"""Language models of state spaces: one of Mamba."""

from __future__ import annotations

from typing import Any

import jax

from tensorem import functional as F
from tensorem import nn
from tensorem.calls import called, integer

Array = jax.Array


class StateSpaceBlock(nn.Layer):
    """A mixer of steps that is normalised before and added."""

    norm: nn.Layer
    mixer: Any

    def init_cache(self, batch: int | tuple[int, ...]) -> Any:
        """The mixer's cache."""
        return self.mixer.init_cache(batch)

    def forward(self, x: Array, cache: Any = None) -> Any:
        if cache is None:
            return F.add(x, self.mixer(self.norm(x)))
        y, after = self.mixer(self.norm(x), cache=cache)
        return F.add(x, y), after


class StateSpaceLM(nn.Layer):
    """A causal language model of blocks that carry a state; `text.generate` writes with it.

    Shapes:
        (N, T), integers  ->  (N, T, vocabulary); then the caches if given
    """

    embed: nn.Embedding
    blocks: tuple[StateSpaceBlock, ...]
    norm: nn.Layer
    head: nn.Linear

    def init_cache(self, batch: int | tuple[int, ...], max_length: int) -> Any:
        """A cache for each block; there is no greatest length."""
        return tuple(block.init_cache(batch) for block in self.blocks)

    def forward(self, tokens: Array, cache: Any = None) -> Any:
        x, after = self.embed(tokens), []
        for i, block in enumerate(self.blocks):
            if cache is None:
                x = block(x)
            else:
                x, new = block(x, cache[i])
                after.append(new)
        logits = self.head(self.norm(x))
        return logits if cache is None else (logits, tuple(after))


@called
def mamba_lm(vocabulary: int, dim: int, depth: int) -> StateSpaceLM:
    """Blocks of Mamba, each normalised before and added, between tokens and logits.

    Shapes:
        (N, T), integers  ->  (N, T, vocabulary)

    Args:
        dim: The length of a vector.
        depth: How many blocks there are.

    Raises:
        ArgumentError: A number is below 1.

    Example:
        >>> from tensorem import Spec
        >>> nn.build(mamba_lm(11, 8, 2), Spec(("N", 5), "int32")).output
        float32 (N, 5, 11)

    Source:
        Gu and Dao 2023, section 3.4; the last layer is not tied to the table of tokens.
    """
    layers = [(nn.RMSNorm(dim), nn.Mamba(dim)) for _ in range(integer("depth", depth, 1))]
    blocks = tuple(StateSpaceBlock(norm, mixer) for norm, mixer in layers)
    head = nn.Linear(dim, vocabulary, bias=False)
    return StateSpaceLM(nn.Embedding(vocabulary, dim), blocks, nn.RMSNorm(dim), head)
