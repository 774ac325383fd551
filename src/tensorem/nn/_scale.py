"""Columns in the units that a network learns in, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jax import Array

from tensorem import rules
from tensorem.calls import ABOVE_0, ANY, number
from tensorem.errors import ArgumentError
from tensorem.layer import Layer
from tensorem.shapes import Shape, Spec


class Standardize(Layer):
    """Each column less its mean, over its standard deviation; nothing in it is trained.

    As a first layer it makes the units of a table part of the model, which then has one meaning
    for all who call, save and prove it.

    Shapes:
        x (*batch, columns)  ->  the same

    Args:
        mean: The mean of each column.
        std: The standard deviation of each column, above 0.

    Raises:
        ArgumentError: mean and std are not as many finite numbers, or a deviation is not above 0.
        ShapeError: The last axis of x has another size.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(Standardize(mean=(1.0, 20.0), std=(2.0, 10.0)), input=("N", 2))
        >>> model([[3.0, 10.0]]).tolist()
        [[1.0, -1.0]]

    Source:
        sklearn.preprocessing.StandardScaler, whose mean_ and scale_ these are.
    """

    takes = "float"
    mean: Sequence[float]
    std: Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_scale(self)

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.columns(Spec(x), len(self.mean)).shape
        return y

    def forward(self, x: Array) -> Array:
        return (x - np.asarray(self.mean, x.dtype)) / np.asarray(self.std, x.dtype)

    def label(self) -> str:
        return f"Standardize({len(self.mean)})"


class Unstandardize(Layer):
    """Each column times its standard deviation, plus its mean: what `Standardize` undoes.

    As a last layer it lets a network that learns in numbers near 1 answer in the units of its
    targets.

    Shapes:
        x (*batch, columns)  ->  the same

    Args:
        mean: The mean of each column.
        std: The standard deviation of each column, above 0.

    Raises:
        ArgumentError: As `Standardize`.
        ShapeError: The last axis of x has another size.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(Unstandardize(mean=(1.0, 20.0), std=(2.0, 10.0)), input=("N", 2))
        >>> model([[1.0, -1.0]]).tolist()
        [[3.0, 10.0]]
    """

    takes = "float"
    mean: Sequence[float]
    std: Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_scale(self)

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.columns(Spec(x), len(self.mean)).shape
        return y

    def forward(self, x: Array) -> Array:
        return x * np.asarray(self.std, x.dtype) + np.asarray(self.mean, x.dtype)

    def label(self) -> str:
        return f"Unstandardize({len(self.mean)})"


def _require_scale(layer: Standardize | Unstandardize) -> None:
    for name, allowed in (("mean", ANY), ("std", ABOVE_0)):
        values = getattr(layer, name)
        if not isinstance(values, tuple):
            raise ArgumentError(f"takes {name} as a tuple of numbers, got {values!r}.")
        own = tuple(number(name, value, allowed) for value in values)
        object.__setattr__(layer, name, own)
    if len(layer.mean) != len(layer.std) or not layer.mean:
        raise ArgumentError(
            f"takes one mean and one std for each column, got {len(layer.mean)} and "
            f"{len(layer.std)}."
        )
