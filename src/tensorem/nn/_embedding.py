"""Tables of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import integer
from tensorem.layer import Layer, Parameter
from tensorem.shapes import Shape, Spec

from ._init import normal, zero_row


class Embedding(Layer):
    """The row of a trained table for each index.

    Shapes:
        index (*batch), integers  ->  (*batch, embedding_dim)

    Args:
        num_embeddings: The number of rows; indices are below it. One that is
            not is a DataError of the model, and gives NaN inside a trace of one's own.
        embedding_dim: The length of a row.
        padding_idx: A row that starts at 0 and gets no gradient; negative ones are counted from
            the last.

    Raises:
        ArgumentError: A number is below 1, or there is no row padding_idx.
        DTypeError: The index is of floats.

    Example:
        >>> Embedding(10, 4).output_shape((5, 7))
        (5, 7, 4)

    Source:
        Initial rows: standard normal, as torch.nn.Embedding.
    """

    takes = "integer"
    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("num_embeddings", self.num_embeddings, 1)
        integer("embedding_dim", self.embedding_dim, 1)
        if self.padding_idx is not None:
            rules.check_row(self.padding_idx, self.num_embeddings)

    def parameters(self) -> Mapping[str, Parameter | None]:
        start = normal() if self.padding_idx is None else zero_row(normal(), self.padding_idx)
        return {"weight": Parameter((self.num_embeddings, self.embedding_dim), start)}

    def output_shape(self, x: Shape) -> Shape:
        table = Spec((self.num_embeddings, self.embedding_dim))
        y: Shape = rules.embedding(Spec(x, "int32"), table).shape
        return y

    def forward(self, x: Any) -> Any:
        return F.embedding(x, self.weight, self.padding_idx)
