"""Diffusion: a denoiser in training."""

from __future__ import annotations

from typing import Any

import jax

from tensorem import functional as F
from tensorem import losses, nn
from tensorem.calls import among, called
from tensorem.losses import Pair

from ._schedule import Schedule, alpha_bars, mixed

Array = jax.Array
PREDICTS = ("noise", "velocity", "data")
"""What a denoiser may be asked for: the noise, √ᾱ noise - √(1 - ᾱ) x, or x itself."""


class Diffusion(nn.Layer):
    """A denoiser in training: steps and noise are drawn, and its output holds what it missed.

    `model["denoiser"]` is the denoiser as a model of its own, to be captured and exported. In
    evaluation the draws are those of a fixed key, so that losses of validation can be compared.

    Shapes:
        x (N, ...), conditions (N, ...)  ->  {"prediction": (N, ...), "target": the same}

    Args:
        denoiser: Takes (x_t, t, *conditions), with t (N,) of integers, and gives what it is asked
            for. Conditions are what else is known of each x, such as its class.
        schedule: How much of the data is left at each step.
        predicts: What it is asked for: "noise", "velocity" (√ᾱ noise - √(1 - ᾱ) x) or "data".

    Raises:
        ArgumentError: It cannot be asked for that.

    Example:
        >>> from tensorem import models
        >>> layer = Diffusion(models.denoising_mlp(2, 8), models.linear_schedule(100))
        >>> model = nn.build(layer, ("N", 2))
        >>> model["denoiser"].input[1], models.ddim(model, 3, steps=5).shape
        (int32 (N,), (3, 2))

    Source:
        Ho et al. 2020, algorithm 1; velocity: Salimans and Ho 2022, section 4.
    """

    denoiser: nn.Layer
    schedule: Schedule
    predicts: str = "noise"

    def __post_init__(self) -> None:
        super().__post_init__()
        among("predicts", self.predicts, PREDICTS)

    def forward(self, x: Array, *conditions: Array) -> dict[str, Array]:
        key = self.key() if self.training else jax.random.key(0)
        steps, draws = jax.random.split(key)
        t = jax.random.randint(steps, (x.shape[0],), 0, self.schedule.steps)
        noise = jax.random.normal(draws, x.shape, x.dtype)
        a = alpha_bars(self.schedule, t, x)
        prediction = self.denoiser(mixed(a, x, noise), t, *conditions)
        return {"prediction": prediction, "target": _wanted(self.predicts, a, x, noise)}


def _wanted(predicts: str, a: Array, x: Array, noise: Array) -> Array:
    if predicts == "velocity":
        return F.sub(F.mul(F.sqrt(a), noise), F.mul(F.sqrt(F.sub(1.0, a)), x))
    return noise if predicts == "noise" else x


@called
def denoising(output: dict[str, Array], targets: Any) -> Pair:
    """The squared error of a denoiser; a loss for `train.fit`, to which targets say nothing.

    Shapes:
        output of `Diffusion`  ->  sum (), count ()

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.ones((2, 3))
        >>> [float(v) for v in denoising({"prediction": x, "target": 3 * x}, None)]
        [24.0, 6.0]

    Source:
        Ho et al. 2020, equation 14.
    """
    pair: Pair = losses.mse(output["prediction"], output["target"])
    return pair
