"""Activations in which parts of the input meet, and one that is trained."""

from __future__ import annotations

from collections.abc import Mapping

from jax import Array

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import integer, number
from tensorem.layer import Layer, Parameter
from tensorem.shapes import Shape, Spec

from ._init import constant


class PReLU(Layer):
    """max(x, 0) + weight · min(x, 0), with a trained weight, or one for each channel.

    Shapes:
        (N, num_parameters, ...), or any for one parameter  ->  the same

    Args:
        num_parameters: 1, or the number of channels (axis 1).
        init: What the weights start with.

    Raises:
        ArgumentError: num_parameters is below 1, or init no finite number.
        ShapeError: The channels are not num_parameters.

    Source:
        He et al. 2015, equation 1.
    """

    takes = "float"
    num_parameters: int = 1
    init: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("num_parameters", self.num_parameters, 1)
        number("init", self.init)

    def parameters(self) -> Mapping[str, Parameter | None]:
        return {"weight": Parameter((self.num_parameters,), constant(self.init))}

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.prelu(Spec(x), Spec((self.num_parameters,))).shape
        return y

    def forward(self, x: Array) -> Array:
        return F.prelu(x, self.weight)


class GLU(Layer):
    """The first half of an axis times the sigmoid of the second.

    Shapes:
        (..., 2 n, ...)  ->  (..., n, ...)

    Raises:
        ArgumentError: dim is no integer.
        ShapeError: There is no such axis, or 2 does not divide it.

    Source:
        Dauphin et al. 2017, equation 1.
    """

    takes = "float"
    dim: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("dim", self.dim)

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.halved(Spec(x), dim=self.dim).shape
        return y

    def forward(self, x: Array) -> Array:
        return F.glu(x, self.dim)


class SwiGLU(Layer):
    """silu of the first half of an axis, times the second.

    Shapes:
        (..., 2 n, ...)  ->  (..., n, ...)

    Raises:
        ArgumentError: dim is no integer.
        ShapeError: There is no such axis, or 2 does not divide it.

    Source:
        Shazeer 2020, equation 6, without its matrices.
    """

    takes = "float"
    dim: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("dim", self.dim)

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.halved(Spec(x), dim=self.dim).shape
        return y

    def forward(self, x: Array) -> Array:
        return F.swiglu(x, self.dim)


class LogSoftmax(Layer):
    """The logarithm of softmax along an axis.

    Shapes:
        (...)  ->  the same

    Raises:
        ArgumentError: dim is no integer.
        ShapeError: There is no such axis.
    """

    takes = "float"
    dim: int

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("dim", self.dim)

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.softmax(Spec(x), dim=self.dim).shape
        return y

    def forward(self, x: Array) -> Array:
        return F.log_softmax(x, self.dim)


class Softmin(Layer):
    """softmax of -x along an axis.

    Shapes:
        (...)  ->  the same

    Raises:
        ArgumentError: dim is no integer.
        ShapeError: There is no such axis.
    """

    takes = "float"
    dim: int

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("dim", self.dim)

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.softmax(Spec(x), dim=self.dim).shape
        return y

    def forward(self, x: Array) -> Array:
        return F.softmin(x, self.dim)
