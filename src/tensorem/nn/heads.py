"""The ends of models: all features of an example, and an affine map of them. None has a softmax."""

from __future__ import annotations

from ._activation import Flatten
from ._combine import Sequential
from ._linear import Linear


def classifier(in_features: int, classes: int, start_dim: int = 1) -> Sequential:
    """A logit for each class.

    Shapes:
        (N, ...) of in_features numbers each  ->  (N, classes)

    Args:
        start_dim: The first axis of an example; 0 where there is no batch.

    Example:
        >>> classifier(48, 10).output_shape((5, 3, 4, 4))
        (5, 10)
        >>> classifier(48, 10, start_dim=0).output_shape((3, 4, 4))
        (10,)
    """
    return Sequential(Flatten(start_dim), Linear(in_features, classes))


def regressor(in_features: int, outputs: int = 1, start_dim: int = 1) -> Sequential:
    """Numbers of any size, one or several; else `classifier`."""
    return classifier(in_features, outputs, start_dim)


__all__ = ["classifier", "regressor"]
