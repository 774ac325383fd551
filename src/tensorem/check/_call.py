"""Stages in the making, and one call of an op: operands, attributes, recorded shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from ._errors import MalformedError, UnsupportedError
from ._graph import Node, Shape
from ._numbers import Arithmetic, Array, Enclosure, bounds, require_few
from ._steps import Affine, Bend, Box, Read, Stage, forward, read

Value = Enclosure | Array
"""A constant, as its bounds; or the positions of the entries that a value consists of."""


@dataclass
class Draft:
    """The steps so far, the arithmetic that their numbers are for, and what was spent on them."""

    arithmetic: Arithmetic
    steps: list[Stage] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    spent: int = 0
    work: int = 0

    def spend(self, entries: int) -> None:
        """Account for so many entries, before they are made."""
        self.spent += entries
        require_few(self.spent, self.arithmetic)

    def spend_work(self, multiplications: int) -> None:
        """Account for so many multiplications, before they are done."""
        self.work += multiplications
        if self.work > self.arithmetic.work_limit:
            raise UnsupportedError("the graph takes too many multiplications")

    def push(self, step: Stage, shape: Shape) -> Array:
        """The entries of a new step."""
        start = self.starts[-1]
        self.spend(step.count)
        self.steps.append(step)
        self.starts.append(start + step.count)
        return np.arange(start, start + step.count).reshape(shape)

    def entries(self, x: Value) -> Array:
        """The entries of a value; a constant becomes a step."""
        if isinstance(x, Enclosure):
            return self.push(Box(x.lower.size, x.map(np.ravel)), x.shape)
        return x

    def move(self, change: Callable[..., Array], *xs: Value) -> Value:
        """A value whose entries are those of others: what `change` does to arrays."""
        if all(isinstance(x, Enclosure) for x in xs):
            lower, upper = (change(*(getattr(x, end) for x in xs)) for end in ("lower", "upper"))
            return bounds(lower, upper, self.arithmetic)
        return change(*map(self.entries, xs))

    def apply(self, make: Callable[[Read], Affine | Bend], x: Value, shape: Shape) -> Value:
        """The value that a step makes of another; computed at once where that is a constant."""
        if not isinstance(x, Enclosure):
            return self.push(make(read(x)), shape)
        step = make(read(np.arange(x.lower.size)))
        lower, upper, _ = forward(step, x.map(np.ravel), self.arithmetic)
        return bounds(lower, upper, self.arithmetic).map(lambda v: v.reshape(shape))


@dataclass(frozen=True)
class Applied:
    """A node with its operands and the shape that the graph records for its result."""

    draft: Draft
    node: Node
    xs: Sequence[Value]
    shape: Shape

    @property
    def arithmetic(self) -> Arithmetic:
        return self.draft.arithmetic

    def move(self, change: Callable[..., Array], *xs: Value) -> Value:
        """The entries of the operands, or of other values, moved."""
        return self.draft.move(change, *(xs or self.xs))

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

    def unsupported(self, why: str) -> UnsupportedError:
        """The error of a call that is well formed and not known to this checker."""
        return UnsupportedError(f"op `{self.node.op}` of `{self.node.output}`: {why}")

    def constant(self, i: int) -> Enclosure:
        """Operand i, which must not depend on the input."""
        x = self.xs[i]
        if not isinstance(x, Enclosure):
            raise self.unsupported(f"operand {i} depends on the input")
        return x

    def integers(self, name: str, count: int, least: int = 0) -> tuple[int, ...]:
        """An attribute that is a list of so many integers."""
        values = self.node.attrs[name]
        good = isinstance(values, list) and len(values) == count
        good = good and all(type(v) is int and least <= v < 2**31 for v in values)
        self.require(good, f"{count} integers from {least} on as `{name}`")
        return tuple(values)

    def pairs(self, name: str, count: int) -> tuple[tuple[int, int], ...]:
        """An attribute that is a list of so many pairs of integers from 0 on."""
        values = self.node.attrs[name]
        good = isinstance(values, list) and len(values) == count
        good = good and all(isinstance(v, list) and len(v) == 2 for v in values)
        good = good and all(type(n) is int and 0 <= n < 2**31 for v in values for n in v)
        self.require(good, f"{count} pairs of integers from 0 on as `{name}`")
        return tuple((a, b) for a, b in values)

    def axes(self, values: Any, name: str, rank: int) -> tuple[int, ...]:
        """Distinct axes, counted from the front."""
        good = isinstance(values, list) and all(
            type(v) is int and -rank <= v < rank for v in values
        )
        self.require(good and len({v % rank for v in values}) == len(values), f"axes as `{name}`")
        return tuple(v % rank for v in values)

    def dims(self) -> tuple[int, ...]:
        """The attribute `dims`: axes of the first operand."""
        return self.axes(self.node.attrs["dims"], "dims", len(self.xs[0].shape))

    def number(self, name: str) -> Fraction:
        """An attribute that is a number: the double that JSON spells."""
        value = self.node.attrs[name]
        good = type(value) in (int, float) and abs(value) < 2**64
        self.require(good, f"a number as `{name}`")
        return Fraction(value)
