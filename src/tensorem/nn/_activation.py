"""Layers without parameters that act entry by entry or along an axis, and changes of form."""

from __future__ import annotations

from jax import Array

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import OTHER_THAN_0, integer, number
from tensorem.layer import Layer
from tensorem.shapes import Shape, Spec


class Identity(Layer):
    """The input itself.

    Shapes:
        (...)  ->  the same
    """

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return x


class ReLU(Layer):
    """max(x, 0); the derivative at 0 is 0.

    Shapes:
        (...)  ->  the same
    """

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.relu(x)


class LeakyReLU(Layer):
    """x where x > 0, negative_slope x elsewhere.

    Shapes:
        (...)  ->  the same

    Args:
        negative_slope: A finite number.

    Raises:
        ArgumentError: negative_slope is none.
    """

    takes = "float"
    negative_slope: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        number("negative_slope", self.negative_slope)

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.leaky_relu(x, self.negative_slope)


class Sigmoid(Layer):
    """1 / (1 + exp(-x)).

    Shapes:
        (...)  ->  the same
    """

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.sigmoid(x)


class Tanh(Layer):
    """The hyperbolic tangent.

    Shapes:
        (...)  ->  the same
    """

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.tanh(x)


class Softplus(Layer):
    """log(1 + exp(beta x)) / beta, without overflow.

    Shapes:
        (...)  ->  the same

    Args:
        beta: A finite number other than 0; the greater, the nearer to `ReLU`.

    Raises:
        ArgumentError: beta is none.
    """

    takes = "float"
    beta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("beta", self.beta, OTHER_THAN_0)

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.softplus(x, self.beta)


class Softmax(Layer):
    """exp(x) divided by its sum along an axis.

    Shapes:
        (...)  ->  the same

    Args:
        dim: The axis; negative ones are counted from the last.

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
        return F.softmax(x, self.dim)


class Flatten(Layer):
    """Several axes as one.

    Shapes:
        (a, ..., c)  ->  (a, product of ..., c)

    Args:
        start_dim: The first of the axes.
        end_dim: The last of them.

    Raises:
        ArgumentError: A number is no integer.
        ShapeError: There is no such axis, or start_dim lies after end_dim.

    Example:
        >>> Flatten().output_shape((5, 16, 4, 4))
        (5, 256)
    """

    start_dim: int = 1
    end_dim: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("start_dim", self.start_dim)
        integer("end_dim", self.end_dim)

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.flatten(Spec(x), start_dim=self.start_dim, end_dim=self.end_dim).shape
        return y

    def forward(self, x: Array) -> Array:
        return F.flatten(x, self.start_dim, self.end_dim)
