"""Changes of form: axes that are split, and entries that are added up."""

from __future__ import annotations

from jax import Array

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import flag, integer, integers
from tensorem.errors import ShapeError
from tensorem.layer import Layer
from tensorem.shapes import UNKNOWN_RANK, OpenShape, Shape, differ, format_shape, numel


class Unflatten(Layer):
    """One axis as several: the inverse of `Flatten`.

    Shapes:
        (..., n, ...)  ->  (..., *unflattened_size, ...), whose product is n

    Args:
        dim: The axis.
        unflattened_size: What it becomes.

    Raises:
        ArgumentError: A number is no integer, or a size is below 1.
        ShapeError: There is no such axis, or it has another size.

    Example:
        >>> Unflatten(1, (2, 3)).output_shape((5, 6))
        (5, 2, 3)
    """

    dim: int
    unflattened_size: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("dim", self.dim)
        integers("unflattened_size", self.unflattened_size, 1)

    def output_shape(self, x: Shape) -> Shape:
        if isinstance(x, OpenShape):
            return UNKNOWN_RANK
        axis, sizes = rules.axis(x, self.dim), self.unflattened_size
        if differ(x[axis], numel(sizes)):
            raise ShapeError(
                f"takes {numel(sizes)} entries on axis {self.dim}, got {format_shape(x)}.",
                help=f"{format_shape(sizes)} has {numel(sizes)} entries.",
            )
        return (*x[:axis], *sizes, *x[axis + 1 :])

    def forward(self, x: Array) -> Array:
        axis = self.dim % x.ndim
        return F.reshape(x, (*x.shape[:axis], *self.unflattened_size, *x.shape[axis + 1 :]))


class Sum(Layer):
    """The sum of all entries, or of those along some axes.

    Shapes:
        (...)  ->  (), or without the axes dim; with keepdim they stay, with size 1

    Args:
        dim: One axis, several, or None for all.
        keepdim: Whether the axes stay.

    Raises:
        ArgumentError: dim is none of these, or keepdim no truth value.
        ShapeError: There is no such axis.

    Example:
        >>> Sum().output_shape((5, 6)), Sum(1).output_shape((5, 6))
        ((), (5,))
    """

    takes = "float"
    dim: int | tuple[int, ...] | None = None
    keepdim: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dim is not None:
            integers("dim", self.dim if isinstance(self.dim, tuple) else (self.dim,))
        flag("keepdim", self.keepdim)

    def output_shape(self, x: Shape) -> Shape:
        if isinstance(x, OpenShape):
            return () if self.dim is None and not self.keepdim else UNKNOWN_RANK
        dims = (self.dim,) if isinstance(self.dim, int) else self.dim
        gone = range(len(x)) if dims is None else [rules.axis(x, d) for d in dims]
        if self.keepdim:
            return tuple(1 if i in gone else n for i, n in enumerate(x))
        return tuple(n for i, n in enumerate(x) if i not in gone)

    def forward(self, x: Array) -> Array:
        return F.sum(x, self.dim, self.keepdim)
