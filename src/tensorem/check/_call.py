"""One call of an op: its operands, its attributes, and the shape that the graph records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ._build import Builder, Value
from ._errors import MalformedError, UnsupportedError
from ._graph import Node, Shape
from ._numbers import Constant


@dataclass(frozen=True)
class Call:
    """A node with its operands and the shape that the graph records for its result."""

    builder: Builder
    node: Node
    xs: Sequence[Value]
    shape: Shape

    def expect(self, shape: Sequence[int]) -> Shape:
        """The shape that the op's own rule gives, refused unless it is the recorded one."""
        if tuple(shape) != self.shape:
            got, recorded = tuple(shape), self.shape
            raise MalformedError(
                f"`{self.node.output}` has shape {got}, the graph records {recorded}"
            )
        return self.shape

    def require(self, true: bool, what: str) -> None:
        """Refuse a call for which a requirement does not hold."""
        if not true:
            raise MalformedError(f"op `{self.node.op}` of `{self.node.output}` takes {what}")

    def constant(self, i: int) -> Constant:
        """Operand i, which must not depend on the input."""
        x = self.xs[i]
        if not isinstance(x, Constant):
            raise UnsupportedError(
                f"op `{self.node.op}` of `{self.node.output}`: operand {i} depends on the input"
            )
        return x

    def integers(self, name: str, count: int, least: int = 0) -> tuple[int, ...]:
        """An attribute that is a list of so many integers."""
        values = self.node.attrs[name]
        good = isinstance(values, list) and len(values) == count
        good = good and all(type(v) is int and least <= v < 2**31 for v in values)
        self.require(good, f"{count} integers from {least} on as `{name}`")
        return tuple(values)

    def axes(self, name: str, rank: int) -> tuple[int, ...]:
        """An attribute that is a list of distinct axes."""
        return self.distinct_axes(self.node.attrs[name], name, rank)

    def distinct_axes(self, values: Any, name: str, rank: int) -> tuple[int, ...]:
        """Distinct axes of a value, counted from the front."""
        good = isinstance(values, list) and all(
            type(v) is int and -rank <= v < rank for v in values
        )
        self.require(good and len({v % rank for v in values}) == len(values), f"axes as `{name}`")
        return tuple(v % rank for v in values)

    def number(self, name: str) -> Fraction:
        """An attribute that is a number: the double that JSON spells."""
        value = self.node.attrs[name]
        good = type(value) in (int, float) and abs(value) < 2**64
        self.require(good, f"a number as `{name}`")
        return Fraction(value)
