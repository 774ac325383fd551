"""Smooth functions of one number, bounded on short pieces by their bend: docs/checker.md, lemma 12.

Everything here is float64, in both modes: what it gives is rounded outward, so holds exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ._errors import RejectedError
from ._numbers import TINY, Array

PIECES = 65
"""Into how many pieces an interval is cut: an odd number, so that the middle lies inside of one."""
HALVINGS = 30
"""Of the range of slopes, in the search for the best one."""
ERROR = 2.0**-38
"""How far a value may be off, relative to it (assumption A5)."""


@dataclass(frozen=True)
class Function:
    """What is known of a function.

    Args:
        value: Its values, off by ERROR of themselves and TINY at most.
        bend: (lower, upper) -> at least the size of the second derivative between them; infinite
            where there is none throughout.
        rises: 1 where it rises, -1 where it falls, 0 where it does both.
        least: No value lies below.
        greatest: No value lies above.
    """

    value: Callable[[Array], Array]
    bend: Callable[[Array, Array], Array]
    rises: int = 0
    least: float = -math.inf
    greatest: float = math.inf


def _at_most(number: float) -> Callable[[Array, Array], Array]:
    return lambda lower, upper: np.full_like(lower, number)


def _above_zero(bend: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """The bend of a function that is known above zero, and bends most at the lower end."""
    return lambda lower, upper: np.where(lower > 0, bend(lower), np.inf)


def _reciprocal_bend(lower: Array, upper: Array) -> Array:
    near = np.maximum(lower, -upper)  # how far zero is, on one side of it
    return np.where(near > 0, 2 / near**3, np.inf)


def _sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    y: Array = np.where(x < 0, small, 1) / (1 + small)
    return y


_erf = np.vectorize(math.erf, otypes=[float])
_erfc = np.vectorize(math.erfc, otypes=[float])

FUNCTIONS: dict[str, Function] = {
    "cos": Function(np.cos, _at_most(1), 0, -1, 1),
    "erf": Function(_erf, _at_most(0.97), 1, -1, 1),
    "exp": Function(np.exp, lambda lower, upper: np.exp(upper), 1, 0),
    "gelu": Function(lambda x: x * (_erfc(-x * math.sqrt(0.5)) / 2), _at_most(0.8), 0, -0.17),
    "log": Function(np.log, _above_zero(lambda x: 1 / x**2), 1),
    "reciprocal": Function(lambda x: 1 / x, _reciprocal_bend, -1),
    "rsqrt": Function(lambda x: 1 / np.sqrt(x), _above_zero(lambda x: 0.75 * x**-2.5), -1, 0),
    "sigmoid": Function(_sigmoid, _at_most(0.097), 1, 0, 1),
    "silu": Function(lambda x: x * _sigmoid(x), _at_most(0.5), 0, -0.2785),
    "sin": Function(np.sin, _at_most(1), 0, -1, 1),
    "softplus": Function(lambda x: np.logaddexp(0, x), _at_most(0.25), 1, 0),
    "sqrt": Function(np.sqrt, _above_zero(lambda x: 0.25 * x**-1.5), 1, 0),
    "square": Function(np.square, _at_most(2), 0, 0),
    "tanh": Function(np.tanh, _at_most(0.77), 1, -1, 1),
}


@dataclass(frozen=True)
class Pieces:
    """Intervals cut into pieces.

    Args:
        x: The ends of the pieces (PIECES + 1, n); the first and the last are those of the interval.
        y: The values there.
        sag: How far the function may be from the chord of a piece (PIECES, n).
    """

    x: Array
    y: Array
    sag: Array

    @property
    def negative(self) -> Pieces:
        """The same of the function with the other sign."""
        return replace(self, y=-self.y)


def pieces(kind: str, lower: Array, upper: Array) -> Pieces:
    """The pieces of some intervals."""
    f, parts = FUNCTIONS[kind], np.arange(PIECES + 1)[:, None] / PIECES
    x = np.minimum(lower + parts * (upper - lower), upper)
    x[-1] = upper
    width, bend = np.diff(x, axis=0), f.bend(x[:-1], x[1:])
    sag = (bend + TINY) * width * width / 8 * (1 + ERROR) + TINY
    if not np.all(np.isfinite(bend)) or not np.all(np.isfinite(sag)):
        raise RejectedError(f"{kind} is not smooth on all of an interval, or too steep")
    return Pieces(x, f.value(x), sag)


def least(cut: Pieces, slope: Array) -> Array:
    """A number that f(x) - slope x does not fall below."""
    product = slope * cut.x
    slop = 2 * (ERROR * (np.abs(cut.y) + np.abs(product)) + TINY)
    heights = cut.y - product - slop
    lowest: Array = (np.minimum(heights[:-1], heights[1:]) - cut.sag).min(axis=0)
    return lowest


def enclosed_values(kind: str, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Between which numbers all values on some intervals lie."""
    f, cut = FUNCTIONS[kind], pieces(kind, lower, upper)
    if f.rises:
        ends = cut.y[[0, -1]][:: f.rises]
        slop = 2 * (ERROR * np.abs(ends) + TINY)
        low, high = ends[0] - slop[0], ends[1] + slop[1]
    else:
        low, high = least(cut, np.zeros_like(lower)), -least(cut.negative, np.zeros_like(lower))
    return np.maximum(low, f.least), np.minimum(high, f.greatest)


def steepness(cut: Pieces) -> tuple[Array, Array]:
    """The slopes of a line below and of one above, which lie close: any are sound."""
    return -_roof(cut.negative), _roof(cut)


def _roof(cut: Pieces) -> Array:
    """The slope of the line above whose height at the middle is least.

    The area below a line is that height times the width. Where the function is highest above a line
    right of the middle, a steeper one is lower there.
    """
    width = np.diff(cut.x, axis=0)
    chords = np.diff(cut.y, axis=0) / np.where(width > 0, width, 1)
    low, high, middle = chords.min(axis=0), chords.max(axis=0), (cut.x[0] + cut.x[-1]) / 2
    for _ in range(HALVINGS):
        slope = (low + high) / 2
        highest = (cut.y - slope * cut.x).argmax(axis=0)
        right = np.take_along_axis(cut.x, highest[None], axis=0)[0] > middle
        low, high = np.where(right, slope, low), np.where(right, high, slope)
    best: Array = (low + high) / 2
    return best
