"""VQ-VAE: an autoencoder whose latent vectors are rows of a codebook."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from tensorem import functional as F
from tensorem import losses, nn
from tensorem.calls import AT_LEAST_0, FROM_0_BELOW_1, called, integer, number
from tensorem.layer import Initialiser
from tensorem.losses import Pair

Array = jax.Array
stop_gradient = jax.lax.stop_gradient


class Codebook(nn.Layer):
    """The row that is nearest to each vector; a gradient goes to the vector as if it were the row.

    Shapes:
        (..., dim)  ->  {"codes": (...), integers, "rows": (..., dim), "through": the same}

    Args:
        count: How many rows there are.
        dim: The length of one.
        decay: What rows keep in a training step, where they are no parameters but moving means of
            the vectors that they are nearest to; None for rows that a loss teaches.

    Raises:
        ArgumentError: A size is below 1, or decay not in [0, 1).

    Example:
        >>> model = nn.build(Codebook(4, 2), ("N", 2))
        >>> model(model.params["weight"])["codes"].tolist()
        [0, 1, 2, 3]

    Source:
        van den Oord et al. 2017, equations 1 and 2; decay: appendix A.1, where each row begins as
        the mean of one vector. Rows begin uniform on ±1/count.
    """

    count: int
    dim: int
    decay: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("count", self.count, 1)
        integer("dim", self.dim, 1)
        if self.decay is not None:
            number("decay", self.decay, FROM_0_BELOW_1, "None")

    def parameters(self) -> Mapping[str, nn.Parameter | None]:
        if self.decay is not None:
            return {}
        return {"weight": nn.Parameter((self.count, self.dim), self._start())}

    def buffers(self) -> Mapping[str, nn.Buffer | None]:
        if self.decay is None:
            return {}
        rows = nn.Buffer((self.count, self.dim), self._start())
        return {"weight": rows, "counts": nn.Buffer((self.count,), nn.init.ones())}

    def _start(self) -> Initialiser:
        return nn.init.uniform(-1 / self.count, 1 / self.count)

    def forward(self, z: Array) -> dict[str, Array]:
        lengths = F.sum(F.mul(self.weight, self.weight), 1)
        near = F.sub(F.mul(F.linear(z, self.weight), 2.0), lengths)  # |z|² is the same for all
        codes = jnp.argmax(near, -1)
        if self.decay is not None and self.training:
            self._follow(stop_gradient(z).reshape(-1, self.dim), codes.reshape(-1), self.decay)
        rows = F.embedding(codes, self.weight)
        through = F.add(z, stop_gradient(F.sub(rows, z)))
        return {"codes": codes, "rows": rows, "through": through}

    def _follow(self, z: Array, codes: Array, decay: float) -> None:
        """Move each row towards the mean of its vectors; a row without any stays."""
        own = F.one_hot(codes, self.count, z.dtype.name)
        found = F.sum(own, 0)
        counts = F.add(F.mul(self.counts, decay), F.mul(found, 1 - decay))
        apart = F.sub(F.matmul(own.T, z), F.mul(self.weight, found[:, None]))
        part = F.div(1 - decay, F.maximum(counts, 1e-5))
        self.update(weight=F.add(self.weight, F.mul(apart, part[:, None])), counts=counts)


class VQVAE(nn.Layer):
    """An encoder, a codebook, and a decoder of the rows; `vq_objective` trains it.

    Shapes:
        (N, ...)  ->  {"output": of the decoder, "codes": (N, places), integers,
        "encoded": (N, places, dim), "rows": the same}

    Args:
        encoder: Gives (N, ..., dim).
        codebook: Gives a row for each vector.
        decoder: Takes what the encoder gives.
    """

    encoder: nn.Layer
    codebook: Codebook
    decoder: nn.Layer

    def forward(self, x: Array) -> dict[str, Array]:
        encoded = self.encoder(x)
        found = self.codebook(encoded)
        output = self.decoder(found["through"])
        return {"output": output, "encoded": encoded, "codes": found["codes"],
                "rows": found["rows"]}  # fmt: skip


@called
def vq_vae(
    features: int, hidden: int, places: int, dim: int, codes: int, decay: float | None = None
) -> VQVAE:
    """A VQ-VAE of vectors; `VQVAE` takes other encoders and decoders.

    Shapes:
        (N, features)  ->  as of `VQVAE`

    Args:
        hidden: The width of the encoder and of the decoder.
        places: How many latent vectors there are.
        dim: The length of one.
        codes: How many rows the codebook has.
        decay: As of `Codebook`.

    Raises:
        ArgumentError: A size is below 1, or decay not in [0, 1).

    Example:
        >>> model = nn.build(vq_vae(8, 6, 3, 2, 5), ("N", 8))
        >>> model.output["codes"], model["decoder"].output
        (int32 (N, 3), float32 (N, 8))

    Source:
        van den Oord et al. 2017.
    """
    shape = integer("places", places, 1), integer("dim", dim, 1)
    down = nn.blocks.mlp(features, places * dim, (hidden,))
    up = nn.blocks.mlp(places * dim, features, (hidden,))
    encoder = nn.Sequential(*down, nn.Unflatten(1, shape))
    return VQVAE(encoder, Codebook(codes, dim, decay), nn.Sequential(nn.Flatten(), *up))


@called
def vq_objective(output: dict[str, Array], x: Array, *, beta: float = 0.25) -> Pair:
    """The squared errors of each example, added up, and how many examples there are.

    |x - output|² teaches the decoder and, through the codes, the encoder; |encoded - rows|² the
    rows, where they are parameters; beta |encoded - rows|² the encoder, to stay near its rows. A
    loss for `train.fit`, whose targets are the inputs.

    Shapes:
        output of `VQVAE`, x like its output  ->  sum (), count ()

    Raises:
        ShapeError: x has another shape than the output.
        ArgumentError: beta is below 0.

    Example:
        >>> z = jnp.ones((1, 1, 2))
        >>> output = {"output": jnp.zeros((1, 3)), "encoded": z, "rows": 2 * z}
        >>> [float(v) for v in vq_objective(output, jnp.ones((1, 3)))]
        [5.5, 1.0]

    Source:
        van den Oord et al. 2017, equation 3, with a squared error for the log likelihood.
    """
    number("beta", beta, AT_LEAST_0)
    missed: Array = losses.mse(output["output"], x, reduction="sum")
    encoded, rows = output["encoded"], output["rows"]
    taught = F.sum((stop_gradient(encoded) - rows) ** 2)
    near = F.sum((encoded - stop_gradient(rows)) ** 2)
    return missed + taught + beta * near, jnp.asarray(x.shape[0], missed.dtype)
