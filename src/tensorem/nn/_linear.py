"""The affine map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import flag, integer
from tensorem.layer import Layer, Parameter
from tensorem.shapes import Shape, Spec

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

    takes: ClassVar[str] = "float"
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

    def forward(self, x: Any) -> Any:
        return F.linear(x, self.weight, self.bias)

    def label(self) -> str:
        return f"Linear({self.in_features} -> {self.out_features})"
