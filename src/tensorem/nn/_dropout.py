"""Dropout: of entries, of whole channels, and so that mean and variance stay."""

from __future__ import annotations

from jax import Array

from tensorem import functional as F
from tensorem.calls import FROM_0_BELOW_1, FROM_0_TO_1, number
from tensorem.errors import ShapeError
from tensorem.layer import Layer
from tensorem.shapes import OpenShape, Shape, format_shape


class Dropout(Layer):
    """In training each entry is 0 with probability p and divided by 1 - p otherwise.

    Shapes:
        (...)  ->  the same

    Args:
        p: The probability of 0, in [0, 1].

    Raises:
        ArgumentError: p is out of range.
        LayerError: A training step has no key, and p is not 0.

    Source:
        Srivastava et al. 2014, in the inverted form: evaluation is the identity.
    """

    takes = "float"
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        number("p", self.p, FROM_0_TO_1)

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.dropout(x, self.p, key=self.key()) if self.training and self.p else x


class Dropout1d(Layer):
    """In training each channel is 0 with probability p and divided by 1 - p otherwise.

    Shapes:
        (N, C, L) or (C, L)  ->  the same

    Args:
        p: The probability of 0, in [0, 1].

    Raises:
        ArgumentError: p is out of range.
        ShapeError: x has another rank.
        LayerError: A training step has no key.

    Source:
        Tompson et al. 2015, section 3.2.
    """

    takes = "float"
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        number("p", self.p, FROM_0_TO_1)

    def output_shape(self, x: Shape) -> Shape:
        return _channels(x, 1)

    def forward(self, x: Array) -> Array:
        return F.channel_dropout(x, self.p, axes=1, key=self.key()) if self.training else x


class Dropout2d(Layer):
    """In training each channel is 0 with probability p and divided by 1 - p otherwise.

    Shapes:
        (N, C, H, W) or (C, H, W)  ->  the same

    Args:
        p: The probability of 0, in [0, 1].

    Raises:
        ArgumentError: p is out of range.
        ShapeError: x has another rank.
        LayerError: A training step has no key.

    Source:
        Tompson et al. 2015, section 3.2.
    """

    takes = "float"
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        number("p", self.p, FROM_0_TO_1)

    def output_shape(self, x: Shape) -> Shape:
        return _channels(x, 2)

    def forward(self, x: Array) -> Array:
        return F.channel_dropout(x, self.p, axes=2, key=self.key()) if self.training else x


class AlphaDropout(Layer):
    """In training each entry is SELU's least value with probability p; mean and variance stay.

    Shapes:
        (...)  ->  the same

    Args:
        p: The probability, in [0, 1).

    Raises:
        ArgumentError: p is out of range.
        LayerError: A training step has no key.

    Source:
        Klambauer et al. 2017, section 2, "New dropout technique".
    """

    takes = "float"
    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        number("p", self.p, FROM_0_BELOW_1)

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return F.alpha_dropout(x, self.p, key=self.key()) if self.training else x


def _channels(x: Shape, axes: int) -> Shape:
    """A batch of images of so many axes, or one of them."""
    if not isinstance(x, OpenShape) and len(x) not in (axes + 1, axes + 2):
        image = ", ".join("DHW"[3 - axes :]) if axes > 1 else "L"
        raise ShapeError(f"takes (N, C, {image}) or (C, {image}), got {format_shape(x)}.")
    return x
