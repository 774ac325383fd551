"""Values that are executed in float32: what they are in reals, and how far off they may be.

An executed value is off by what its operands bring along and by its own noise: rounding, and what
a map that is not known exactly leaves open. To first order the operands' part is linear, so it may
cancel; `nearer` therefore goes backward from a value to every noise on the way, and adds up their
sizes there. Forward alone the bound would grow with the depth as the product of all weights.

Every bound is a sum of terms that are not negative, computed in float64, and made larger by SLACK:
that pays for the rounding of up to 2^30 terms.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._interval import Interval

Array = NDArray[Any]
UNIT = 2.0**-24
"""A float32 is off by this much of its size, after one rounding."""
TINY = 2.0**-126
"""And by this much where it may be too small for a normal number, which some devices make 0."""
MOST = float(np.finfo(np.float32).max)
SLACK = 1 + 2.0**-20
_ROWS = 128
"""So many entries go backward together."""
_MOST_ROWS = 4096
"""So many entries of a value may go backward; more keep their forward bounds."""


@dataclass(frozen=True, eq=False)
class Share:
    """What an operand brings along to a result: a linear map of its error, up to `spread`.

    Args:
        of: The operand.
        back: The transposed map, of rows (rows, *result) -> (rows, *operand); None where the map is
            zero, so that nothing is known but the spread.
        reach: A bound of |map| of the operand's error, in the shape of the result.
        spread: A bound of what is off besides.
    """

    of: Executed
    back: Callable[[Array], Array] | None
    reach: Array
    spread: Array


@dataclass(frozen=True, eq=False)
class Executed:
    """A value of a program in float32.

    Args:
        real: Where its real value lies.
        error: A bound of |executed value - real value|.
        noise: The part of it that arises here.
        shares: The parts that operands bring along.
        dtype: Of the executed value.
    """

    real: Interval
    error: Array
    noise: Array
    shares: tuple[Share, ...] = ()
    dtype: str = "float32"

    @staticmethod
    def given(box: Interval, dtype: str) -> Executed:
        """A number as it is, an input or weight; of floats, a device may take a tiny one as 0."""
        size = magnitude(box)
        tiny = (box.lower < TINY) & (box.upper > -TINY) & (dtype == "float32")
        error = np.where(tiny, np.minimum(size, TINY), 0.0)
        return Executed(box, error, error, dtype=dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.real.shape

    @property
    def is_exact(self) -> bool:
        """The executed value is the real one, everywhere."""
        return not self.error.any()

    @cached_property
    def depth(self) -> int:
        """How many values stand below, at most: operands have less."""
        return 1 + max((share.of.depth for share in self.shares), default=0)

    @cached_property
    def there(self) -> Interval:
        """Where the executed value lies, and the real one too."""
        exact = self.error == 0
        with np.errstate(invalid="ignore"):
            low = np.nextafter(self.real.lower - self.error, -np.inf)
            high = np.nextafter(self.real.upper + self.error, np.inf)
        lower, upper = np.where(exact, self.real.lower, low), np.where(exact, self.real.upper, high)
        return Interval(lower, upper)


def magnitude(x: Interval) -> Array:
    """The greatest size of a number in each interval."""
    return np.maximum(np.abs(x.lower), np.abs(x.upper))


def made(real: Interval, shares: tuple[Share, ...], noise: Array, dtype: str) -> Executed:
    """The result of an op, from what its operands bring along and its own rounding.

    Where the bound is large against the value it is taken backward too, or it would make all that
    follows larger.
    """
    shares = tuple(share for share in shares if not share.of.is_exact)
    # The maps are computed in float64: of up to so many terms each.
    rest = [(s.spread, s.reach * ((s.of.error.size + 8) * 2.0**-52)) for s in shares]
    noise = _sum([noise, *(part for pair in rest for part in pair)])
    error = _sum([noise, *(share.reach for share in shares)])
    result = Executed(real, error, noise, shares, dtype)
    large = error > _LARGE * np.max(magnitude(real), initial=0.0)
    return replace(result, error=nearer(result, large)) if shares and large.any() else result


_LARGE = 2.0**-12


def _sum(parts: list[Array]) -> Array:
    """Sums of bounds, rounded upward; what is not a number is no bound."""
    with np.errstate(all="ignore"):
        total = np.asarray(sum(parts) * SLACK)
    return np.where(np.isnan(total), np.inf, total)


def nearer(x: Executed, where: Array) -> Array:
    """The bound of the error, taken backward at some entries."""
    found = x.error.copy()
    places = np.flatnonzero(where & (x.error > 0))
    if x.shares and len(places):
        worst = places[np.argsort(-x.error.ravel()[places], kind="stable")][:_MOST_ROWS]
        bounds = sum(bound for _, bound in contributions(x, worst))
        found.ravel()[worst] = np.minimum(found.ravel()[worst], bounds)
    return found


def contributions(x: Executed, places: NDArray[np.intp]) -> Iterator[tuple[Executed, Array]]:
    """For each value on the way back, how much of the error of some entries may come from it."""
    cuts = [places[i : i + _ROWS] for i in range(0, len(places), _ROWS)]
    ways = [list(_backward(x, cut)) for cut in cuts]
    for parts in zip(*ways, strict=True):
        yield parts[0][0], np.concatenate([bound for _, bound in parts])


def _backward(x: Executed, places: NDArray[np.intp]) -> Iterator[tuple[Executed, Array]]:
    rows = np.zeros((len(places), x.error.size))
    rows[np.arange(len(places)), places] = 1
    waiting = {id(x): (x, [rows.reshape(-1, *x.shape)])}
    order = [(-x.depth, id(x))]
    while order:
        value, parts = waiting.pop(heapq.heappop(order)[1])
        a = sum(parts[1:], start=parts[0])
        # What consumers send is added up in float64.
        yield value, _weighed(a, value.noise + value.error * (len(parts) * 2.0**-52))
        for share in value.shares:
            if share.back is not None:
                if id(share.of) not in waiting:
                    heapq.heappush(order, (-share.of.depth, id(share.of)))
                waiting.setdefault(id(share.of), (share.of, []))[1].append(share.back(a))


def _weighed(a: Array, noise: Array) -> Array:
    """Σ |a| noise over all entries; what is infinite counts where a is not 0."""
    size, finite = np.abs(a), np.isfinite(noise)
    total = np.tensordot(size, np.where(finite, noise, 0.0), axes=noise.ndim)
    lost = ((size != 0) & ~finite).any(axis=tuple(range(1, a.ndim)))
    bad = lost | ~np.isfinite(total)
    return np.where(bad, np.inf, total * SLACK + TINY * 2.0**-20 * (total > 0))
