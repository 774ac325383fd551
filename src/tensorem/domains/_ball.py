"""Balls: real numbers with as many bits as asked for, each a midpoint and a bound of its error.

The arithmetic is that of Arb (Johansson 2017), which python-flint gives: every result holds every
value that its operands may have. What this needs is loaded when the first ball is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem.dtypes import FLOATING
from tensorem.errors import DataError, MeaningError

from ._exact import Rational

Array = NDArray[Any]
"""Of numbers of Arb, but for what is read and what `to_float` gives."""
Arb = Any
"""A number of Arb; python-flint says no types."""
BITS = 128
LEAST_BITS, MOST_BITS = 16, 1_000_000


@dataclass(frozen=True, eq=False)
class Ball:
    """An array of real numbers, each known up to a radius.

    Args:
        values: Numbers of Arb, an array of objects.
        bits: The precision in which midpoints are computed.
    """

    values: Array
    bits: int = BITS

    @staticmethod
    def of(values: object, bits: int = BITS) -> Ball:
        """Balls around numbers: floats, integers and booleans exactly, Fractions to so many bits.

        An infinity is taken too: a mask may hold one.

        Raises:
            MeaningError: python-flint is not installed.
            DataError: An entry is not a number.
            DTypeError: The entries are complex, or nothing that counts.
        """
        array = values if isinstance(values, Rational) else np.asarray(values)
        if isinstance(array, Rational) or array.dtype.name not in FLOATING:
            return Ball(_arbs(Rational.of(array).fractions(), bits), bits)
        if np.any(np.isnan(array)):
            raise DataError("A reading in balls takes numbers, got nan.")
        return Ball(_arbs(array.astype(np.float64).astype(object), bits), bits)

    @staticmethod
    def between(lower: object, upper: object, bits: int = BITS) -> Ball:
        """The balls around all numbers between two arrays."""
        return Ball.of(lower, bits).hull(Ball.of(upper, bits))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return tuple(self.values.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __add__(self, other: Ball) -> Ball:
        return computed(np.add, self, other)

    def __sub__(self, other: Ball) -> Ball:
        return computed(np.subtract, self, other)

    def __mul__(self, other: Ball) -> Ball:
        return computed(np.multiply, self, other)

    def __truediv__(self, other: Ball) -> Ball:
        """The quotient; not a number, which stands for all of them, where the divisor may be 0."""
        return computed(np.true_divide, self, other)

    def __neg__(self) -> Ball:
        return computed(np.negative, self)

    def __abs__(self) -> Ball:
        return self.each(abs)

    def __getitem__(self, index: Any) -> Ball:
        return computed(lambda values: values[index], self)

    def each(self, f: Callable[[Arb], Arb]) -> Ball:
        """A function of one number of Arb, at every entry."""
        return entrywise(f, self)

    def hull(self, other: Ball) -> Ball:
        """Balls around both."""
        return entrywise(lambda a, b: a.union(b), self, other)

    def like(self, number: float) -> Ball:
        """The same number at every entry."""
        return Ball.of(np.full(self.shape, number), self.bits)

    def ends(self) -> tuple[Array, Array]:
        """Numbers of Arb without radius, below and above; infinite where nothing is known."""
        with precision(self.bits):
            infinite = _flint().arb("inf")
            low = _each(lambda a: -infinite if a.is_nan() else a.lower(), self.values)
            high = _each(lambda a: infinite if a.is_nan() else a.upper(), self.values)
        return low, high

    def rational(self, name: str) -> Rational:
        """The numbers themselves, where they have no radius.

        Args:
            name: The op that asks.

        Raises:
            MeaningError: One has.
        """
        for a in self.values.ravel():
            if not a.is_exact() or not a.is_finite():
                raise MeaningError(
                    f"`{name}` has no ball meaning here.",
                    because=f"{self.bits} bits do not decide an operand that chooses: {a}",
                    help="read it with more bits, or as an interval",
                )
        return Rational.of(_each(_fraction, self.values))

    def to_float(self) -> Array:
        """The midpoints as float64."""
        return _each(lambda a: float(a.mid()), self.values).astype(np.float64)

    def radius(self) -> Array:
        """Numbers that no error exceeds, as float64; infinite where nothing is known."""
        radii = _each(lambda a: float(a.rad()) if a.is_finite() else np.inf, self.values)
        return np.nextafter(radii.astype(np.float64), np.inf)

    def text(self, value: Arb) -> str:
        """One of the numbers in decimals: as many digits as it has bits, and its radius."""
        with precision(self.bits):
            return str(value)

    def __repr__(self) -> str:
        return f"Ball([{', '.join(map(self.text, self.values.ravel()))}])"


def computed(f: Callable[..., Array], *xs: Ball) -> Ball:
    """A function of arrays of numbers of Arb, in their precision."""
    with precision(bits := max(x.bits for x in xs)):
        values = f(*(x.values for x in xs))
    return Ball(_arbs(values, bits), bits)


def entrywise(f: Callable[..., Arb], *xs: Ball) -> Ball:
    """A function of numbers of Arb, entry by entry."""
    return computed(np.frompyfunc(f, len(xs), 1), *xs)


def reduced(f: Callable[[Arb, Arb], Arb], x: Array) -> Array:
    """A function of two numbers of Arb, over the last axis of an array."""
    return np.asarray(np.frompyfunc(f, 2, 1).reduce(x, axis=-1), object)


def claim(always: bool, never: bool, like: Arb) -> Arb:
    """1 where a claim is known to hold, 0 where it is known not to; else all from 0 to 1."""
    return type(like)(1) if always else type(like)(0) if never else type(like)(0.5, 0.5)


def choose(mask: Ball, x: Ball, y: Ball) -> Ball:
    """x where the mask is 1, y where it is 0, and both where it may be either."""
    return entrywise(lambda m, a, b: a if m == 1 else b if m == 0 else a.union(b), mask, x, y)


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """A context in which Arb computes midpoints of so many bits."""
    context = _flint().ctx
    before, context.prec = context.prec, bits
    try:
        yield
    finally:
        context.prec = before


def _flint() -> Any:
    try:
        return import_module("flint")
    except ImportError as error:
        raise MeaningError(
            "Reading in balls takes python-flint, which is not installed.",
            help='pip install "tensorem[exact]"',
        ) from error


def _arbs(values: object, bits: int) -> Array:
    """Numbers of Arb in the place of others; a Fraction is rounded, with a radius."""
    arb = _flint().arb

    def one(value: Any) -> Arb:
        if isinstance(value, Fraction):
            return arb(value.numerator) / arb(value.denominator)
        return value if isinstance(value, arb) else arb(value)

    with precision(bits):
        return _each(one, np.asarray(values, object))


def _each(f: Callable[[Any], Any], x: Array) -> Array:
    """An array of objects also where NumPy makes one number of it."""
    return np.asarray(np.frompyfunc(f, 1, 1)(x), object)


def _fraction(a: Arb) -> Fraction:
    mantissa, exponent = a.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
