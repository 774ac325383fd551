"""The model of the demo: the first example of the documentation, on 8x8 digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorem.nn import Model

STEPS = 44
"""Batches of 32 in an epoch of 1437 digits, the smaller last one left out."""


def model_of(seed: int) -> Model:
    """A convolution, a maximum over windows, a linear map."""
    from tensorem import nn

    layer = nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10),
    )
    return nn.build(layer, input=("N", 1, 8, 8), seed=seed)


def plan_of(seed: int, epochs: int) -> dict[str, Any]:
    """How it is trained: Adam, with a learning rate that falls to zero at the last step."""
    from tensorem import optim

    rate = optim.cosine_lr(1e-2, total_steps=STEPS * epochs)
    return {"optimizer": optim.adam(rate), "epochs": epochs, "seed": seed, "drop_last": True}
