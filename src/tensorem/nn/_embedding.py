"""Tables of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tensorem import functional as F
from tensorem.shapes import Shape, rules

from ._arguments import at_least
from ._init import normal
from ._layer import Layer, Parameter


class Embedding(Layer):
    """The row of a trained table for each index.

    Shapes:
        index (*batch), integers  ->  (*batch, embedding_dim)

    Args:
        num_embeddings: The number of rows; indices are below it, and one that is not gives NaN.
        embedding_dim: The length of a row.

    Raises:
        ArgumentError: A number is below 1.
        DTypeError: The index is of floats.

    Example:
        >>> Embedding(10, 4).output_shape((5, 7))
        (5, 7, 4)

    Source:
        Initial rows: standard normal, as torch.nn.Embedding.
    """

    takes: ClassVar[str] = "integer"
    num_embeddings: int
    embedding_dim: int

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "num_embeddings", "embedding_dim")

    def parameters(self) -> Mapping[str, Parameter | None]:
        return {"weight": Parameter((self.num_embeddings, self.embedding_dim), normal())}

    def output_shape(self, x: Shape) -> Shape:
        return rules.embedding(x, self.embedding_dim)

    def forward(self, x: Any) -> Any:
        return F.embedding(x, self.weight)
