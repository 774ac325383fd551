"""Dropout."""

from __future__ import annotations

from typing import Any, ClassVar

from tensorem import functional as F
from tensorem.calls import FROM_0_TO_1, number
from tensorem.layer import Layer
from tensorem.shapes import Shape


class Dropout(Layer):
    """In training each entry is 0 with probability p and divided by 1 - p otherwise.

    Shapes:
        (...)  ->  the same

    Args:
        p: The probability of 0, in [0, 1].

    Raises:
        ArgumentError: p is out of range.
        LayerError: A training step has no key.

    Source:
        Srivastava et al. 2014, in the inverted form: evaluation is the identity.
    """

    takes: ClassVar[str] = "float"
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        number("p", self.p, FROM_0_TO_1)

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Any) -> Any:
        return F.dropout(x, self.p, key=self.key()) if self.training else x
