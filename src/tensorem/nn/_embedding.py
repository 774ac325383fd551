"""Tables of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

import jax

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import AT_LEAST_0, among, flag, integer, number
from tensorem.layer import Layer, Parameter
from tensorem.shapes import Shape, Spec

from ._init import normal, zero_row

Array = jax.Array


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
        std: The deviation of the initial rows; GPT-2's are of 0.02, as they are its last layer too.

    Raises:
        ArgumentError: A number is below 1, or there is no row padding_idx, or std is below 0.
        DTypeError: The index is of floats.

    Example:
        >>> Embedding(10, 4).output_shape((5, 7))
        (5, 7, 4)

    Source:
        Initial rows: normal, of deviation 1 as torch.nn.Embedding.
    """

    takes = "integer"
    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None = None
    std: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("num_embeddings", self.num_embeddings, 1)
        integer("embedding_dim", self.embedding_dim, 1)
        if self.padding_idx is not None:
            rules.check_row(self.padding_idx, self.num_embeddings)
        number("std", self.std, AT_LEAST_0)

    def parameters(self) -> Mapping[str, Parameter | None]:
        rows, zero = normal(std=self.std), self.padding_idx
        start = rows if zero is None else zero_row(rows, zero)
        return {"weight": Parameter((self.num_embeddings, self.embedding_dim), start)}

    def output_shape(self, x: Shape) -> Shape:
        table = Spec((self.num_embeddings, self.embedding_dim))
        y: Shape = rules.embedding(Spec(x, "int32"), table).shape
        return y

    def forward(self, x: Array) -> Array:
        return F.embedding(x, self.weight, self.padding_idx)


class OneHotEmbedding(Layer):
    """The rows of a trained table, added up with the numbers of a vector.

    A vector of one 1 picks a row, as its place does in `Embedding`; the arrays have the same names.

    Shapes:
        x (*batch, num_embeddings)  ->  (*batch, embedding_dim)

    Args:
        num_embeddings: The number of rows.
        embedding_dim: The length of a row.

    Raises:
        ArgumentError: A number is below 1.
        ShapeError: The last axis of x is not num_embeddings.

    Example:
        >>> OneHotEmbedding(10, 4).output_shape((5, 10))
        (5, 4)

    Source:
        Initial rows: standard normal, as torch.nn.Embedding.
    """

    takes = "float"
    num_embeddings: int
    embedding_dim: int

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("num_embeddings", self.num_embeddings, 1)
        integer("embedding_dim", self.embedding_dim, 1)

    def parameters(self) -> Mapping[str, Parameter | None]:
        return {"weight": Parameter((self.num_embeddings, self.embedding_dim), normal())}

    def output_shape(self, x: Shape) -> Shape:
        y: Shape = rules.linear(Spec(x), Spec((self.embedding_dim, self.num_embeddings))).shape
        return y

    def forward(self, x: Array) -> Array:
        y: Array = F.linear(x, F.permute(self.weight, (1, 0)))
        return y


class EmbeddingBag(Layer):
    """The sum, mean or maximum of the rows of a trained table, for each bag of indices.

    A bag is a row of a matrix, or what stands in a list from its offset to that of the next one. A
    bag without indices gives 0.

    Shapes:
        index (B, L), or index (L) with offsets (B)  ->  (B, embedding_dim)

    Args:
        num_embeddings: The number of rows; indices are below it.
        embedding_dim: The length of a row.
        mode: "sum", "mean" or "max".
        include_last_offset: Whether a last offset, the length of the list, ends the last bag.
        padding_idx: A row that no bag holds; negative ones are counted from the last.

    Raises:
        ArgumentError: A number is below 1, or there is no such mode or row padding_idx, or
            per_sample_weights are given in another mode than "sum".
        DTypeError: The index is of floats.
        ShapeError: The index is neither, or the offsets are missing or one too many.
        DataError: An index is out of range.

    Example:
        >>> EmbeddingBag(10, 4).output_shape((5, 7))
        (5, 4)

    Source:
        Initial rows: standard normal, as torch.nn.EmbeddingBag.
    """

    num_embeddings: int
    embedding_dim: int
    mode: str = field(default="mean", kw_only=True)
    include_last_offset: bool = field(default=False, kw_only=True)
    padding_idx: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("num_embeddings", self.num_embeddings, 1)
        integer("embedding_dim", self.embedding_dim, 1)
        among("mode", self.mode, ("sum", "mean", "max"))
        flag("include_last_offset", self.include_last_offset)
        if self.padding_idx is not None:
            rules.check_row(self.padding_idx, self.num_embeddings)

    def parameters(self) -> Mapping[str, Parameter | None]:
        start = normal() if self.padding_idx is None else zero_row(normal(), self.padding_idx)
        return {"weight": Parameter((self.num_embeddings, self.embedding_dim), start)}

    def output_shape(
        self, index: Shape, offsets: Shape | None = None, per_sample_weights: Shape | None = None
    ) -> Shape:
        return rules.embedding_bag(index, offsets, self.embedding_dim, self.include_last_offset)

    def forward(
        self,
        index: Array,
        offsets: Array | None = None,
        per_sample_weights: Array | None = None,
    ) -> Array:
        return F.embedding_bag(
            index,
            self.weight,
            offsets,
            mode=self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )
