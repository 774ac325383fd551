"""Affine and bilinear maps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

from jax import Array

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import flag, integer
from tensorem.layer import Layer, Parameter
from tensorem.shapes import Shape, Spec, format_shape, require_equal

from ._init import kaiming_uniform, uniform


class Linear(Layer):
    """The affine map y = x Wᵀ + b on the last axis.

    Shapes:
        x (*batch, in_features)  ->  y (*batch, out_features)

    Args:
        in_features: Size of the last axis of x.
        out_features: Size of the last axis of y.
        bias: Whether b is added.

    Raises:
        ArgumentError: A number of features is below 1, or bias is neither True nor False.
        ShapeError: The last axis of x is not in_features.

    Example:
        >>> Linear(3, 2).output_shape((5, 3))
        (5, 2)

    Source:
        Initial weight and bias: uniform on ±1/√in_features, as torch.nn.Linear.
    """

    takes = "float"
    in_features: int
    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("in_features", self.in_features, 1)
        integer("out_features", self.out_features, 1)
        flag("bias", self.bias)

    def parameters(self) -> Mapping[str, Parameter | None]:
        weight = Parameter((self.out_features, self.in_features), kaiming_uniform(a=math.sqrt(5)))
        bound = 1 / math.sqrt(self.in_features)
        bias = Parameter((self.out_features,), uniform(-bound, bound))
        return {"weight": weight, "bias": bias if self.bias else None}

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.linear(Spec(x), Spec((self.out_features, self.in_features))).shape
        return y

    def forward(self, x: Array) -> Array:
        bias = cast("Array | None", self.bias)  # in forward the array
        return F.linear(x, self.weight, bias)

    def label(self) -> str:
        return f"Linear({self.in_features} -> {self.out_features})"


class Bilinear(Layer):
    """y_o = x1ᵀ W_o x2 + b_o, on the last axes of two inputs.

    Shapes:
        x1 (*batch, in1_features), x2 (*batch, in2_features)  ->  (*batch, out_features)

    Args:
        in1_features: Size of the last axis of x1.
        in2_features: Size of the last axis of x2.
        out_features: Size of the last axis of y.
        bias: Whether b is added.

    Raises:
        ArgumentError: A number of features is below 1, or bias is neither True nor False.
        ShapeError: A last axis does not fit, or the batches differ.

    Example:
        >>> Bilinear(3, 4, 2).output_shape((5, 3), (5, 4))
        (5, 2)

    Source:
        Initial weight and bias: uniform on ±1/√in1_features, as torch.nn.Bilinear.
    """

    takes = "float"
    in1_features: int
    in2_features: int
    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("in1_features", "in2_features", "out_features"):
            integer(name, getattr(self, name), 1)
        flag("bias", self.bias)

    def parameters(self) -> Mapping[str, Parameter | None]:
        bound = 1 / math.sqrt(self.in1_features)
        start = uniform(-bound, bound)
        shape = (self.out_features, self.in1_features, self.in2_features)
        bias = Parameter((self.out_features,), start)
        return {"weight": Parameter(shape, start), "bias": bias if self.bias else None}

    def output_shape(self, x1: Shape, x2: Shape) -> Shape:
        first = rules.linear(Spec(x1), Spec((self.out_features, self.in1_features)))
        second = rules.linear(Spec(x2), Spec((self.out_features, self.in2_features)))
        what = f"takes batches of equal shapes, got {format_shape(x1)} and {format_shape(x2)}."
        require_equal(first.shape, second.shape, what)
        y: Shape = first.shape
        return y

    def forward(self, x1: Array, x2: Array) -> Array:
        bias = cast("Array | None", self.bias)  # in forward the array
        return F.bilinear(x1, x2, self.weight, bias)
