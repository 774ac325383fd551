"""A language model of selective state spaces."""

from __future__ import annotations

from tensorem import nn


def mamba_lm(vocabulary: int, dim: int, depth: int) -> nn.Sequential:
    """Blocks of Mamba, each normalised before and added, between tokens and logits.

    Shapes:
        (N, T), integers  ->  (N, T, vocabulary)

    Args:
        dim: The length of a vector.
        depth: How many blocks there are.

    Example:
        >>> from tensorem import Spec
        >>> nn.build(mamba_lm(11, 8, 2), Spec(("N", 5), "int32")).output
        float32 (N, 5, 11)

    Source:
        Gu and Dao 2023, section 3.4; the last layer is not tied to the table of tokens.
    """
    blocks = [nn.Residual(nn.Sequential(nn.RMSNorm(dim), nn.Mamba(dim))) for _ in range(depth)]
    norm, head = nn.RMSNorm(dim), nn.Linear(dim, vocabulary, bias=False)
    body = nn.Sequential(*blocks)
    return nn.Sequential(
        {"embed": nn.Embedding(vocabulary, dim), "blocks": body, "norm": norm, "head": head}
    )
