"""The model of the demo: the first example of the documentation, on 8x8 digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._recipe import VERSION, Recipe, built

if TYPE_CHECKING:
    from tensorem.nn import Model

RECIPE = Recipe(layers="cnn", version=VERSION)
_BATCH = 32
STEPS = 1437 // _BATCH
"""Batches in an epoch of the digits to train on, the smaller last one left out."""


def model_of(seed: int) -> Model:
    """A convolution, a maximum over windows, a linear map."""
    from tensorem import data

    return built(RECIPE, data.digits(), seed)


def plan_of(seed: int, epochs: int) -> dict[str, Any]:
    """How it is trained: Adam, with a learning rate that falls to zero at the last step."""
    from tensorem import optim

    rate = optim.cosine_lr(1e-2, total_steps=STEPS * epochs)
    plan = {"optimizer": optim.adam(rate), "epochs": epochs, "seed": seed}
    return {**plan, "batch_size": _BATCH, "drop_last": True}
