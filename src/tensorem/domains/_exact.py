"""Arrays of exact rational numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem.errors import DataError, DTypeError, MeaningError

Array = NDArray[Any]
"""Of Python integers, but for what is read and what `to_float` gives."""


@dataclass(frozen=True, eq=False)
class Rational:
    """An array of rational numbers: Python integers over one common positive denominator.

    Floats are dyadic, so a whole array of them has a small common denominator, and sums and
    products of arrays are sums and products of integers.

    Args:
        num: Numerators, an array of Python integers.
        den: The denominator of all of them, positive.

    Example:
        >>> Rational.of([0.5, 3.0]) * Rational.of([0.25, -1.0])
        Rational([1/8, -3])
    """

    num: Array
    den: int = 1

    @staticmethod
    def of(values: object) -> Rational:
        """The exact value of every entry: of floats, integers, booleans, or Fractions.

        Raises:
            DataError: An entry is infinite or not a number.
            DTypeError: The entries are complex, or nothing that counts.
        """
        if isinstance(values, Rational):
            return values
        array = np.asarray(values)
        if array.dtype == object:
            return _of_fractions(array)
        if array.dtype.kind in "biu":
            return Rational(_objects(array.astype(object)))
        if array.dtype.kind == "f" and array.dtype.itemsize > 8:
            return _of_fractions(_long(array))
        if array.dtype.kind not in "fV":
            raise DTypeError(f"An exact reading takes numbers, got {array.dtype}.")
        return _of_floats(array.astype(np.float64))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return tuple(self.num.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __add__(self, other: Rational) -> Rational:
        return joined(np.add, self, other)

    def __sub__(self, other: Rational) -> Rational:
        return joined(np.subtract, self, other)

    def __mul__(self, other: Rational) -> Rational:
        return product(np.multiply, self, other)

    def __truediv__(self, other: Rational) -> Rational:
        """The quotient, entry by entry.

        Raises:
            MeaningError: A divisor is zero.
        """
        if np.any(other.num == 0):
            raise MeaningError("`div` has no exact meaning here.", because="a divisor is zero")
        common = math.lcm(*other.num.ravel().tolist())
        flipped = _objects(common // other.num)
        return Rational(_objects(self.num * flipped * other.den), self.den * common).reduced()

    def __neg__(self) -> Rational:
        return self.map(np.negative)

    def __abs__(self) -> Rational:
        return self.map(np.abs)

    def __getitem__(self, index: Any) -> Rational:
        return self.map(lambda num: num[index])

    def map(self, f: Callable[[Array], Array]) -> Rational:
        """A function f with f(c x) = c f(x) for every c > 0: moves, sums, absolute values."""
        return Rational(_objects(f(self.num)), self.den)

    def scaled(self, factor: float | Fraction) -> Rational:
        """The product with one number, taken exactly."""
        q = Fraction(factor)
        return Rational(_objects(self.num * q.numerator), self.den * q.denominator).reduced()

    def reduced(self) -> Rational:
        """The same numbers over their least common denominator."""
        if self.den == 1:
            return self
        common = math.gcd(self.den, *self.num.ravel().tolist())
        if common == 1:
            return self
        return Rational(_objects(self.num // common), self.den // common)

    def sqrt(self) -> Rational:
        """The square root of squares of rationals.

        Raises:
            MeaningError: An entry is not the square of a rational number.
        """
        roots = [_root(Fraction(n, self.den)) for n in self.num.ravel().tolist()]
        return _of_fractions(_filled(roots, self.shape))

    def fractions(self) -> Array:
        """The entries as Python Fractions."""
        entries = [Fraction(n, self.den) for n in self.num.ravel().tolist()]
        return _filled(entries, self.shape)

    def to_float(self) -> Array:
        """The nearest float64 to every entry."""
        entries = [_nearest(n, self.den) for n in self.num.ravel().tolist()]
        return np.array(entries, np.float64).reshape(self.shape)

    def __repr__(self) -> str:
        return f"Rational([{', '.join(str(q) for q in self.fractions().ravel())}])"


def aligned(*xs: Rational) -> tuple[list[Array], int]:
    """Numerators over one denominator common to all the arrays."""
    den = math.lcm(*(x.den for x in xs))
    return [x.num if x.den == den else _objects(x.num * (den // x.den)) for x in xs], den


def joined(f: Callable[..., Array], *xs: Rational) -> Rational:
    """A function with f(c x, c y, ...) = c f(x, y, ...) for every c > 0: sums, extremes, joins."""
    nums, den = aligned(*xs)
    return Rational(_objects(f(*nums)), den)


def product(f: Callable[[Array, Array], Array], x: Rational, y: Rational) -> Rational:
    """A bilinear function of two arrays: products, dots, convolutions."""
    return Rational(_objects(f(x.num, y.num)), x.den * y.den).reduced()


def truth(f: Callable[..., Array], *xs: Rational) -> Rational:
    """A comparison or other claim about the entries, as 0 or 1."""
    nums, _ = aligned(*xs)
    return Rational(_objects(np.asarray(f(*nums)).astype(bool).astype(int)))


def choose(mask: Rational, x: Rational, y: Rational) -> Rational:
    """x where the mask is 1, y where it is 0."""

    def picked(a: Array, b: Array) -> Array:
        return np.where(mask.num != 0, a, b)

    return joined(picked, x, y)


def _of_floats(array: Array) -> Rational:
    _require_finite(array)
    mantissa, exponent = np.frexp(array)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    shift = np.where(whole == 0, 0, exponent - 53)
    least = min(int(shift.min(initial=0)), 0)
    num = _objects(np.left_shift(_objects(whole.astype(object)), (shift - least).astype(object)))
    return Rational(num, 1 << -least).reduced()


def _long(array: Array) -> Array:
    """Floats of more than 64 bits as Fractions."""
    _require_finite(array)
    entries = [Fraction(*x.as_integer_ratio()) for x in array.ravel()]
    return _filled(entries, array.shape)


def _require_finite(array: Array) -> None:
    if not np.all(np.isfinite(array)):
        bad = array[~np.isfinite(array)][0]
        raise DataError(f"An exact reading takes finite numbers, got {bad}.")


def _of_fractions(array: Array) -> Rational:
    entries = [Fraction(q) for q in array.ravel().tolist()]
    den = math.lcm(*(q.denominator for q in entries))
    return Rational(
        _filled([q.numerator * (den // q.denominator) for q in entries], array.shape), den
    )


def _root(q: Fraction) -> Fraction:
    if q >= 0:
        root = Fraction(math.isqrt(q.numerator), math.isqrt(q.denominator))
        if root * root == q:
            return root
    raise MeaningError(
        "`sqrt` has no exact meaning here.",
        because=f"the root of {float(q):g} is {'irrational' if q > 0 else 'not real'}",
        help="read it as an interval",
    )


def _nearest(num: int, den: int) -> float:
    """Python rounds a quotient of integers correctly; beyond the largest float it is infinite."""
    try:
        return num / den
    except OverflowError:
        return math.inf if num > 0 else -math.inf


def _filled(entries: Sequence[int | Fraction], shape: tuple[int, ...]) -> Array:
    array = np.empty(len(entries), object)
    array[:] = entries
    return array.reshape(shape)


def _objects(values: object) -> Array:
    """An array of objects also where NumPy made a scalar of it."""
    return values if isinstance(values, np.ndarray) else np.array(values, object)
