"""Properties: boxes of inputs, and sets of outputs that are not to be reached from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tensorem.errors import ArgumentError

from ._claim import FORMAT, decimal


@dataclass(frozen=True)
class Inequality:
    """The sum of coefficient * y[place] over the terms is at most the bound.

    Args:
        terms: Pairs of a place in the flat output and a decimal.
        bound: A decimal.
        strict: It is below the bound. A proof is of the weaker form, a refutation of this one.
    """

    terms: tuple[tuple[int, str], ...]
    bound: str
    strict: bool = False

    def holds(self, low: Sequence[Fraction | float], high: Sequence[Fraction | float]) -> bool:
        """Does it hold for certain, for outputs between these?"""
        parts = [Fraction(c) * (high if Fraction(c) > 0 else low)[i] for i, c in self.terms]
        total, bound = sum(parts), Fraction(self.bound)
        return total < bound if self.strict else total <= bound


@dataclass(frozen=True)
class Property:
    """For every x with lower <= x <= upper, the output lies in none of the unsafe sets.

    All numbers are exact decimals. An unsafe set is where all of its inequalities hold.

    Args:
        lower: The least input, an entry for each of the flat input.
        upper: The greatest.
        unsafe: Sets of inequalities.
    """

    lower: tuple[str, ...]
    upper: tuple[str, ...]
    unsafe: tuple[tuple[Inequality, ...], ...]

    @staticmethod
    def of(
        lower: Iterable[object],
        upper: Iterable[object],
        unsafe: Iterable[Iterable[tuple[Mapping[int, object], object]]],
    ) -> Property:
        """A property of numbers; a float means the decimal that Python prints for it.

        Args:
            lower: The least input, entry by entry.
            upper: The greatest input.
            unsafe: Sets of inequalities, each the coefficients by place, and what their sum is at
                most.

        Raises:
            ArgumentError: A number is no decimal that a certificate can hold, or a box or set is
                empty.

        Example:
            >>> Property.of([0], [0.5], [[({0: 1, 1: -1}, 0)]]).unsafe  # y[0] <= y[1] is unsafe
            ((Inequality(terms=((0, '1'), (1, '-1')), bound='0', strict=False),),)
        """
        low, high = (tuple(decimal(v, "a box") for v in end) for end in (lower, upper))
        sets = (tuple(_inequality(*one) for one in several) for several in unsafe)
        return Property(low, high, tuple(sets)).checked()

    def checked(self) -> Property:
        """This property.

        Raises:
            ArgumentError: Its box or a set of it is empty.
        """
        pairs = zip(map(Fraction, self.lower), map(Fraction, self.upper), strict=False)
        if not self.lower or len(self.lower) != len(self.upper) or any(a > b for a, b in pairs):
            raise ArgumentError(
                "A property takes a box, got ends of different lengths, or a lower one above an "
                "upper one."
            )
        if not self.unsafe or not all(one.terms for one in _flat(self)) or not all(self.unsafe):
            raise ArgumentError("A property takes unsafe sets of inequalities, got an empty one.")
        return self

    def reached(self, low: Sequence[Fraction | float], high: Sequence[Fraction | float]) -> bool:
        """Do all outputs between these lie in one unsafe set?"""
        return any(all(one.holds(low, high) for one in several) for several in self.unsafe)

    def reached_by(self, outputs: np.ndarray) -> bool:
        """Do these outputs, taken exactly, lie in an unsafe set?"""
        flat = outputs.ravel()
        exact = [Fraction(float(v)) for v in flat] if np.all(np.isfinite(flat)) else []
        return bool(exact) and self.reached(exact, exact)

    def to_json(self, graph: str, weights: str, method: str) -> str:
        """The claim that a certificate makes of it."""
        sets = [
            [{"terms": [list(t) for t in one.terms], "bound": one.bound} for one in several]
            for several in self.unsafe
        ]
        fields = {"format": FORMAT, "version": 2, "property": "avoid", "semantics": "real"}
        fields |= {"graph": graph, "weights": weights, "method": method}
        box = {"lower": self.lower, "upper": self.upper}
        return json.dumps({**fields, **box, "unsafe": sets}, sort_keys=True, separators=(",", ":"))


def _flat(given: Property) -> list[Inequality]:
    return [one for several in given.unsafe for one in several]


def _inequality(terms: Mapping[int, object], bound: object) -> Inequality:
    pairs = ((int(place), decimal(c, "a coefficient")) for place, c in terms.items())
    return Inequality(tuple(pairs), decimal(bound, "a bound"))
