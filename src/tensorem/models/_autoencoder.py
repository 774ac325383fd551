"""Autoencoders: plain, and variational with the bound that it maximises."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from tensorem import functional as F
from tensorem import losses, nn
from tensorem.calls import called
from tensorem.losses import Pair

Array = jax.Array


def autoencoder(features: int, hidden: int, latent: int) -> nn.Sequential:
    """Down to a latent vector and back, between 0 and 1.

    Shapes:
        (*batch, features)  ->  (*batch, features)

    Example:
        >>> autoencoder(8, 6, 2).output_shape((5, 8))
        (5, 8)

    Source:
        The original's `vectorAutoencoder`.
    """
    down = nn.blocks.mlp(features, latent, (hidden,))
    up = nn.Sequential(*nn.blocks.mlp(latent, features, (hidden,)), nn.Sigmoid())
    return nn.Sequential({"encoder": down, "act": nn.ReLU(), "decoder": up})


class VAE(nn.Layer):
    """A variational autoencoder: its output holds what `elbo` needs.

    In training the latent vector is drawn, in evaluation it is the mean.

    Shapes:
        (N, features)  ->  {"logits": (N, features), "mean": (N, latent), "log_variance": the same}
    """

    encoder: nn.Layer
    decoder: nn.Layer

    def forward(self, x: Array) -> dict[str, Array]:
        mean, log_variance = jnp.split(self.encoder(x), 2, axis=-1)
        z = mean
        if self.training:
            noise = jax.random.normal(self.key(), mean.shape, mean.dtype)
            z = F.add(mean, F.mul(noise, F.exp(F.mul(log_variance, 0.5))))
        return {"logits": self.decoder(z), "mean": mean, "log_variance": log_variance}


def vae(features: int, hidden: int, latent: int) -> VAE:
    """A variational autoencoder of vectors between 0 and 1; train it by `elbo`.

    Shapes:
        (N, features)  ->  as of `VAE`

    Example:
        >>> model = nn.build(vae(8, 6, 2), ("N", 8))
        >>> sorted(model.output)
        ['log_variance', 'logits', 'mean']

    Source:
        Kingma and Welling 2014, appendix C.1.
    """
    down = nn.blocks.mlp(features, 2 * latent, (hidden,), "tanh")
    return VAE(down, nn.blocks.mlp(latent, features, (hidden,), "tanh"))


@called
def elbo(output: dict[str, Array], x: Array) -> Pair:
    """The negative evidence lower bound of each example, added up, and how many they are.

    The cross entropy of the bits x, added up, and KL(N(mean, variance) ‖ N(0, 1)); a loss for
    `train.fit`, whose targets are the inputs.

    Shapes:
        output of `VAE`, x (N, features)  ->  sum (), count ()

    Raises:
        ShapeError: x has another shape than the logits.

    Example:
        >>> zero = jnp.zeros((1, 2))
        >>> total, count = elbo({"logits": zero, "mean": zero, "log_variance": zero}, zero)
        >>> round(float(total), 4), float(count)
        (1.3863, 1.0)

    Source:
        Kingma and Welling 2014, equation 10.
    """
    mean, log_variance = output["mean"], output["log_variance"]
    missed: Array = losses.bce_with_logits(output["logits"], x, reduction="sum")
    divergence = 0.5 * F.sum(F.exp(log_variance) + mean**2 - 1 - log_variance)
    return missed + divergence, jnp.asarray(x.shape[0], missed.dtype)
