"""Perceptrons."""

from __future__ import annotations

from tensorem import nn


def mlp(in_features: int, out_features: int, hidden: tuple[int, ...] = (128,)) -> nn.Sequential:
    """Affine maps with relu between them: `nn.blocks.mlp`.

    Shapes:
        (*batch, in_features)  ->  (*batch, out_features)

    Example:
        >>> mlp(4, 3, (8,))
        Sequential(Linear(4, 8), ReLU(), Linear(8, 3))
    """
    return nn.blocks.mlp(in_features, out_features, hidden)


def pinn(
    in_features: int = 2, out_features: int = 1, width: int = 32, depth: int = 4
) -> nn.Sequential:
    """A smooth perceptron for the solution of a differential equation: tanh, of one width.

    Shapes:
        (*batch, in_features)  ->  (*batch, out_features)

    Example:
        >>> pinn(depth=1)
        Sequential(Linear(2, 32), Tanh(), Linear(32, 1))

    Source:
        Raissi et al. 2019.
    """
    return nn.blocks.mlp(in_features, out_features, (width,) * depth, "tanh")
