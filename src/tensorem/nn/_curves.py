"""Curves as layers: each entry goes through one function of a number."""

from __future__ import annotations

from jax import Array

from tensorem import functional as F
from tensorem.calls import ABOVE_0, among, number
from tensorem.errors import ArgumentError
from tensorem.layer import Layer
from tensorem.shapes import Shape


class GELU(Layer):
    """x Φ(x), with the normal distribution Φ.

    Shapes:
        (...)  ->  the same

    Args:
        approximate: "none", or "tanh" for ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))).

    Raises:
        ArgumentError: approximate is another word.

    Source:
        Hendrycks and Gimpel 2016, section 2.
    """

    takes = "float"
    approximate: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        among("approximate", self.approximate, ("none", "tanh"))

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.gelu(x, self.approximate)


class SiLU(Layer):
    """x σ(x), also called swish.

    Shapes:
        (...)  ->  the same

    Source:
        Elfwing et al. 2018, equation 5.
    """

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.silu(x)


class Mish(Layer):
    """x tanh(softplus(x)).

    Shapes:
        (...)  ->  the same

    Source:
        Misra 2020, equation 1.
    """

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.mish(x)


class Hardswish(Layer):
    """x min(max(x + 3, 0), 6) / 6.

    Shapes:
        (...)  ->  the same

    Source:
        Howard et al. 2019, equation in section 5.2.
    """

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.hardswish(x)


class ELU(Layer):
    """x where x > 0, alpha (exp(x) - 1) elsewhere.

    Shapes:
        (...)  ->  the same

    Args:
        alpha: A finite number.

    Raises:
        ArgumentError: alpha is none.

    Source:
        Clevert et al. 2016, equation 15.
    """

    takes = "float"
    alpha: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("alpha", self.alpha)

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.elu(x, self.alpha)


class CELU(Layer):
    """max(x, 0) + min(0, alpha (exp(x / alpha) - 1)).

    Shapes:
        (...)  ->  the same

    Args:
        alpha: A finite number above 0.

    Raises:
        ArgumentError: alpha is none.

    Source:
        Barron 2017, equation 2.
    """

    takes = "float"
    alpha: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("alpha", self.alpha, ABOVE_0)

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.celu(x, self.alpha)


class SELU(Layer):
    """ELU scaled so that mean 0 and variance 1 are kept from layer to layer.

    Shapes:
        (...)  ->  the same

    Source:
        Klambauer et al. 2017, equation 2.
    """

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.selu(x)


class Hardtanh(Layer):
    """x within two limits.

    Shapes:
        (...)  ->  the same

    Args:
        min_val: The least value.
        max_val: The greatest, above min_val.

    Raises:
        ArgumentError: A limit is no finite number, or max_val is not above min_val.
    """

    takes = "float"
    min_val: float = -1.0
    max_val: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("min_val", self.min_val)
        number("max_val", self.max_val)
        if not self.min_val < self.max_val:
            raise ArgumentError(
                f"takes max_val above min_val = {self.min_val}, got {self.max_val}."
            )

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.hardtanh(x, self.min_val, self.max_val)


class ReLU6(Layer):
    """min(max(x, 0), 6).

    Shapes:
        (...)  ->  the same
    """

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.relu6(x)


class Softsign(Layer):
    """x / (1 + |x|).

    Shapes:
        (...)  ->  the same
    """

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.softsign(x)


class LogSigmoid(Layer):
    """log(1 / (1 + exp(-x))), without overflow.

    Shapes:
        (...)  ->  the same
    """

    takes = "float"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.logsigmoid(x)
