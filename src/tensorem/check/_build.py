"""Values and steps in the making: what a lowered graph is put together from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ._errors import UnsupportedError
from ._graph import Shape
from ._numbers import EXACT, Arithmetic, Array, Constant, bounds, to_exact
from ._steps import Step, forward, gather, known

MOST_EXACT = 2**22
"""The most multiplications and entries of all ops of constants, which are folded in fractions."""


@dataclass(frozen=True)
class Moving:
    """A value that depends on the input: the step that gives it, and its shape."""

    step: int
    shape: Shape


Value = Moving | Constant
Make = Callable[[Arithmetic, tuple[int, ...]], Step]


@dataclass
class Builder:
    """The steps so far, the arithmetic that their numbers are for, and what was spent on them."""

    arithmetic: Arithmetic
    steps: list[Step] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    entries: int = 0
    folded: int = 0

    def spend(self, entries: int) -> None:
        """Account for so many entries, before they are made."""
        self.entries += entries
        if self.entries > self.arithmetic.entry_limit:
            limit = self.arithmetic.entry_limit
            raise UnsupportedError(f"the graph takes more than {limit} entries")

    def spend_exact(self, work: int) -> None:
        """Account for so many operations on fractions, before they are made."""
        self.folded += work
        if self.folded > MOST_EXACT:
            raise UnsupportedError("the ops of constants alone are too large to be folded exactly")

    def push(self, step: Step, shape: Shape) -> Moving:
        """The value of a new step."""
        self.steps.append(step)
        self.sizes.append(math.prod(shape))
        self.spend(self.sizes[-1])
        return Moving(len(self.steps) - 1, shape)

    def apply(self, make: Make, sources: Sequence[Value], shape: Shape, work: int = 0) -> Value:
        """A new step on the sources; folded if they are all constants."""
        constants = [s for s in sources if isinstance(s, Constant)]
        if len(constants) == len(sources):
            self.spend_exact(work + math.prod(shape) + sum(s.lower.size for s in constants))
            return _fold(make, constants, shape)
        read = tuple(self.step_of(source) for source in sources)
        return self.push(make(self.arithmetic, read), shape)

    def step_of(self, value: Value) -> int:
        """The step that gives a value."""
        if isinstance(value, Moving):
            return value.step
        return self.push(known(value, self.arithmetic), value.shape).step

    def gather(self, sources: Sequence[Value], index: Array) -> Value:
        """The entries at these positions of the sources, laid end to end."""
        flat, shape = index.flatten(), index.shape
        self.spend(flat.size)
        if all(isinstance(s, Constant) for s in sources):
            ends = (_join([getattr(s, side) for s in sources], self) for side in ("lower", "upper"))
            lower, upper = (end[flat].reshape(shape) for end in ends)
            if lower.dtype == object:
                self.spend_exact(flat.size)
            return Constant(lower, upper)
        (first, *more) = sources
        if isinstance(first, Moving) and not more and _is_identity(flat, math.prod(first.shape)):
            return Moving(first.step, shape)
        counts = [math.prod(s.shape) for s in sources]
        return self.apply(lambda _, read: gather(read, counts, flat), sources, shape)


def _join(parts: Sequence[Array], builder: Builder) -> Array:
    """Arrays end to end; all of them in fractions where one is."""
    if any(p.dtype == object for p in parts):
        builder.spend_exact(sum(p.size for p in parts))
        parts = [to_exact(p) for p in parts]
    return np.concatenate([p.ravel() for p in parts])


def _is_identity(index: Array, size: int) -> bool:
    return index.size == size and bool(np.array_equal(index, np.arange(size)))


def _fold(make: Make, sources: Sequence[Constant], shape: Shape) -> Constant:
    """An op of constants, in exact arithmetic."""
    ends = [[to_exact(end.ravel()) for end in (s.lower, s.upper)] for s in sources]
    given = [bounds(lower, upper, EXACT) for lower, upper in ends]
    lower, upper, _ = forward(make(EXACT, tuple(range(len(sources)))), given, EXACT)
    return Constant(lower.reshape(shape), upper.reshape(shape))
