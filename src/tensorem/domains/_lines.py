"""Linear bounds: what the backward bound computation knows about one operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax

from ._interval import End, Interval


@dataclass(frozen=True, eq=False)
class Diagonal:
    """The linear map that multiplies every entry by its own coefficient."""

    coefficient: End

    def __call__(self, x: jax.Array) -> jax.Array:
        return x * self.coefficient

    def transpose(self, a: jax.Array) -> jax.Array:
        """The transposed map: the same one."""
        return a * self.coefficient


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear map given by a function of JAX arrays.

    Args:
        function: Linear in its one operand.
        shape: The operand's shape.
    """

    function: Callable[[jax.Array], jax.Array]
    shape: tuple[int, ...]

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.function(x)

    def transpose(self, a: jax.Array) -> jax.Array:
        """The transposed map, from results to operands."""
        operand = jax.ShapeDtypeStruct(self.shape, a.dtype)
        result: jax.Array = jax.linear_transpose(self.function, operand)(a)[0]
        return result


Map = Diagonal | Linear | None


@dataclass(frozen=True, eq=False)
class Lines:
    """Linear bounds of a result y on a box of its operands x:

        Σ lower[i](x[i]) + lower_offset  <=  y  <=  Σ upper[i](x[i]) + upper_offset.

    A map of None is zero: the operand does not vary, or does not help.

    Args:
        lower: One map for each operand.
        upper: One map for each operand.
        lower_offset: An array of the result's shape.
        upper_offset: An array of the result's shape.
    """

    lower: tuple[Map, ...]
    upper: tuple[Map, ...]
    lower_offset: End
    upper_offset: End

    @property
    def is_equation(self) -> bool:
        """Both bounds are one: y is an affine function of the operands."""
        return self.lower is self.upper and self.lower_offset is self.upper_offset


def equation(maps: tuple[Map, ...], offset: End) -> Lines:
    """Bounds of a result that is affine in its operands."""
    return Lines(maps, maps, offset, offset)


def flat(box: Interval, arity: int) -> Lines:
    """Bounds that do not look at the operands: the ends of an enclosure."""
    return Lines((None,) * arity, (None,) * arity, box.lower, box.upper)
