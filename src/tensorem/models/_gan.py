"""The two players of a generative adversarial network of vectors."""

from __future__ import annotations

from tensorem import nn


def generator(latent: int, hidden: int, features: int) -> nn.Sequential:
    """From noise to vectors between 0 and 1.

    Shapes:
        (*batch, latent)  ->  (*batch, features)

    Example:
        >>> generator(2, 6, 8).output_shape((5, 2))
        (5, 8)

    Source:
        The original's `vectorGanGenerator`.
    """
    return nn.Sequential(*nn.blocks.mlp(latent, features, (hidden, hidden)), nn.Sigmoid())


def discriminator(features: int, hidden: int) -> nn.Sequential:
    """From vectors to the logit of being real.

    Shapes:
        (*batch, features)  ->  (*batch, 1)

    Example:
        >>> discriminator(8, 6).output_shape((5, 8))
        (5, 1)

    Source:
        The original's `vectorGanDiscriminator`, without its sigmoid: `losses.bce_with_logits`.
    """
    return nn.blocks.mlp(features, 1, (hidden, hidden))
