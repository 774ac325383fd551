"""Layers side by side: their sum, their outputs one after another, their outputs apart."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Self

from jax import Array

from tensorem import functional as F
from tensorem.calls import integer
from tensorem.errors import LayerError, ShapeError
from tensorem.layer import Layer, Tree, ruled, shape_tree
from tensorem.shapes import UNKNOWN_RANK, Shape, format_shape, require_equal


class AddBranches(Layer):
    """The sum f(x) + g(x).

    Shapes:
        x  ->  what f gives, which is what g gives

    Raises:
        ShapeError: The branches give different shapes.

    Example:
        >>> from tensorem import nn
        >>> nn.AddBranches(nn.Linear(3, 2), nn.Linear(3, 2)).output_shape((5, 3))
        (5, 2)
    """

    f: Layer
    g: Layer

    def output_shape(self, x: Shape = UNKNOWN_RANK) -> Shape:
        one = ruled(self.f, "f", (x,), (), None)
        _require_equal(one, ruled(self.g, "g", (x,), (), None))
        return one

    def forward(self, x: Array) -> Array:
        one, other = self.f(x), self.g(x)
        _require_equal(shape_tree(one), shape_tree(other))
        total: Array = F.add(one, other)
        return total


class Concat(Layer):
    """The outputs of several layers for one input, one after another along an axis.

    Shapes:
        x  ->  (..., a + b + ..., ...)  where the layers give (..., a, ...), (..., b, ...), ...

    Args:
        branches: The layers.
        dim: The axis.

    Raises:
        LayerError: There are no layers.
        ShapeError: Other axes of the outputs differ, or there is no such axis.

    Example:
        >>> from tensorem import nn
        >>> both = nn.Concat((nn.Conv2d(1, 4, 1), nn.Conv2d(1, 8, 3, padding=1)))
        >>> nn.build(both, input=("N", 1, 6, 6)).output
        float32 (N, 12, 6, 6)
    """

    branches: tuple[Layer, ...]
    dim: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.branches if isinstance(self.branches, tuple) else ()
        if not given or not all(isinstance(branch, Layer) for branch in given):
            raise LayerError(
                f"takes a tuple of layers, got {self.branches!r}.",
                help="write nn.Concat((a, b), dim=1).",
            )
        integer("dim", self.dim)

    def forward(self, x: Array) -> Array:
        return F.cat([branch(x) for branch in self.branches], self.dim)


class Parallel(Layer):
    """Layers side by side, on one input or each on its own; their outputs as a tuple.

    Shapes:
        x  ->  (a(x), b(x), ...);    (x1, x2, ...)  ->  (a(x1), b(x2), ...)

    Args:
        branches: The layers. A tuple that goes in is one input for each of them.

    Raises:
        LayerError: There are no layers, or something is none.
        ShapeError: There are several inputs, but not one for each layer.

    Example:
        >>> from tensorem import nn
        >>> both = nn.Parallel(nn.Linear(4, 8), nn.Linear(4, 3))
        >>> nn.build(both, input=("N", 4)).output
        (float32 (N, 8), float32 (N, 3))
    """

    branches: tuple[Layer, ...] = field(default=(), metadata={"path": ""})

    def __init__(self, *branches: Layer) -> None:
        for branch in branches:
            if not isinstance(branch, Layer):
                raise LayerError(f"takes layers, got {branch!r}.")
        if not branches:
            raise LayerError("takes layers, got none.")
        object.__setattr__(self, "branches", branches)

    @classmethod
    def of_fields(cls, **values: Any) -> Self:
        return cls(*values["branches"])

    def forward(self, *xs: Tree) -> tuple[Tree, ...]:
        xs = xs[0] if len(xs) == 1 and isinstance(xs[0], tuple) else xs
        if len(xs) not in (1, len(self.branches)):
            raise ShapeError(
                f"Parallel takes 1 input, or {len(self.branches)} for its layers, got {len(xs)}."
            )
        each = xs * len(self.branches) if len(xs) == 1 else xs
        return tuple(branch(x) for branch, x in zip(self.branches, each, strict=True))

    def __repr__(self) -> str:
        return f"Parallel({', '.join(map(repr, self.branches))})"


def _require_equal(f: Shape, g: Shape) -> None:
    got = f"{format_shape(f)} and {format_shape(g)}"
    require_equal(f, g, f"AddBranches takes branches that give one shape, got {got}.")
