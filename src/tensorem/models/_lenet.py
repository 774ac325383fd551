"""LeNet-5."""

from __future__ import annotations

from tensorem import nn


def lenet(classes: int = 10) -> nn.Sequential:
    """LeNet-5 for images of 28 by 28, with relu and maxima.

    Shapes:
        (N, 1, 28, 28)  ->  (N, classes)

    Example:
        >>> lenet().output_shape((5, 1, 28, 28))
        (5, 10)

    Source:
        LeCun et al. 1998.
    """
    features = (
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    )  # fmt: skip
    return nn.Sequential(*features, *nn.blocks.mlp(16 * 5 * 5, classes, (120, 84)))
