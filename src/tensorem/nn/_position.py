"""Where an entry of a sequence stands: added to it, or turned into it."""

from __future__ import annotations

from collections.abc import Mapping

import jax

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import Range, among, integer, number
from tensorem.errors import ShapeError
from tensorem.layer import Layer, Parameter
from tensorem.shapes import Shape, format_shape

from ._init import normal

Array = jax.Array
ABOVE_1 = Range("a finite number above 1", lambda v: v > 1)


class LearnedPositionalEmbedding(Layer):
    """A sequence plus a trained vector for each place.

    Shapes:
        x (*batch, T, embedding_dim), position () or as many of the first axes as it has
        ->  like x

    Args:
        num_positions: How many places have a vector.
        embedding_dim: The length of a vector.

    Raises:
        ArgumentError: A number is below 1.
        ShapeError: The last axis of x is not embedding_dim, or x is longer than there are places.
        DataError: A place has no vector, where places are known; elsewhere it gives NaN.

    Example:
        >>> LearnedPositionalEmbedding(16, 8).output_shape((2, 5, 8))
        (2, 5, 8)

    Source:
        Radford et al. 2018 (GPT); initial vectors: normal of deviation 0.02, as there.
    """

    num_positions: int
    embedding_dim: int

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("num_positions", self.num_positions, 1)
        integer("embedding_dim", self.embedding_dim, 1)

    def parameters(self) -> Mapping[str, Parameter | None]:
        return {"weight": Parameter((self.num_positions, self.embedding_dim), normal(std=0.02))}

    def output_shape(self, x: Shape, position: Shape = ()) -> Shape:
        y: Shape = rules.vectors(x, self.embedding_dim)
        steps = x[-2] if isinstance(x, tuple) and len(x) > 1 else 1
        if isinstance(steps, int) and steps > self.num_positions:
            raise ShapeError(
                f"takes up to {self.num_positions} places, got {format_shape(x)}.",
                help=f"write nn.LearnedPositionalEmbedding({steps}, {self.embedding_dim}).",
            )
        return y

    def forward(self, x: Array, position: int | Array = 0) -> Array:
        return F.add(x, F.embedding(F.places(x, position), self.weight))


class SinusoidalPositionalEncoding(Layer):
    """A sequence plus sines and cosines of its places: `F.sinusoidal_encoding`.

    Shapes:
        x (*batch, T, d), position () or as many of the first axes as it has  ->  like x

    Args:
        start: The place of the first entry, where position is 0.
        base: The slowest wave is about 2π times as long.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: x has no axis T.

    Source:
        Vaswani et al. 2017, section 3.5.
    """

    start: int = 0
    base: float = 10000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("start", self.start)
        number("base", self.base, ABOVE_1)

    def output_shape(self, x: Shape, position: Shape = ()) -> Shape:
        return x

    def forward(self, x: Array, position: int | Array = 0) -> Array:
        return F.sinusoidal_encoding(x, position + self.start, base=self.base)


class RotaryEmbedding(Layer):
    """Pairs of entries turned by an angle that grows with their place: `F.rotary_embedding`.

    Shapes:
        x (*batch, T, d), position () or as many of the first axes as it has  ->  like x

    Args:
        style: "interleaved" pairs entry 2i with 2i + 1, "half" entry i with i + d/2.
        base: Pair i of d/2 is turned by place / base^(2i/d).
        start: The place of the first entry, where position is 0.

    Raises:
        ArgumentError: There is no such style, or a number is out of range.
        ShapeError: d is odd, or x has no axis T.

    Source:
        Su et al. 2021, RoFormer, equation 34.
    """

    style: str = "interleaved"
    base: float = 10000.0
    start: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        among("style", self.style, rules.ROTARY_STYLES)
        integer("start", self.start)
        number("base", self.base, ABOVE_1)

    def output_shape(self, x: Shape, position: Shape = ()) -> Shape:
        return x

    def forward(self, x: Array, position: int | Array = 0) -> Array:
        return F.rotary_embedding(x, position + self.start, base=self.base, style=self.style)
