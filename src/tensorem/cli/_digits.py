"""The model of the demo: the first example of the documentation, on 8x8 digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorem.nn import Model
    from tensorem.optim import Optimizer

STEPS = 45
"""Batches of 32 in an epoch of 1437 digits."""


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


def optimizer_for(epochs: int) -> Optimizer:
    """Adam with a learning rate that falls to zero at the last step."""
    from tensorem import optim

    return optim.adam(optim.cosine_lr(1e-2, total_steps=STEPS * epochs))
