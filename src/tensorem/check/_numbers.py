"""The two number systems in which a certificate is checked: rounded float64, and exact rationals.

The algorithm is written once over `Arithmetic`. In float64 every error bound of docs/checker.md is
switched on; in exact arithmetic they are all zero. Nothing else differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

import numpy as np

from ._errors import RejectedError, UnsupportedError

Array = np.ndarray[Any, np.dtype[Any]]
Number = float | Fraction

UNIT = 2.0**-53
"""One rounding to nearest: |fl(x) - x| <= UNIT * |x| + an underflow of at most 2^-1075."""

TINY = 2.0**-1000
"""More than all underflows of one step together (lemma 2)."""

SPARE = 8
"""Roundings that `gamma` allows for besides the n products and sums of a dot product."""

MOST_BITS = 2**13
"""The longest numerator or denominator of an exact number."""


@dataclass(frozen=True)
class Arithmetic:
    """A number system: how to compute in it, and how far a computed number may be off.

    Args:
        name: The mode that selects it.
        numbers: float64 array -> numbers, exactly.
        dtype: The dtype of arrays of numbers.
        gamma: n -> bound of the relative error of n + SPARE roundings.
        tiny: Bound of the underflows of one step.
        half: One half.
        up: Numbers -> the next ones above, to cover one rounding.
        root: Positive numbers -> numbers below and above their square roots.
        matmul: Products of matrices, in any order of summation.
        finite: Whether all numbers are finite; exact ones are refused if they are too long.
        cost: Bits of the numbers -> how many multiplications of short ones take as long as one.
        work_limit: The most multiplications of short numbers that a check may cost.
        entry_limit: The most entries of all values together.
    """

    name: str
    numbers: Callable[[Array], Array]
    dtype: type
    gamma: Callable[[int], Any]
    tiny: float
    half: Number
    up: Callable[[Array], Array]
    root: Callable[[Array], tuple[Array, Array]]
    matmul: Callable[[Array, Array], Array]
    finite: Callable[[Array], bool]
    cost: Callable[[int], int]
    work_limit: int
    entry_limit: int

    def zeros(self, *shape: int) -> Array:
        """Numbers that are zero."""
        return np.zeros(shape, self.dtype)


@dataclass(frozen=True)
class Enclosure:
    """lower <= value <= upper, and with it |value - middle| <= radius, |value| <= size."""

    lower: Array
    upper: Array
    middle: Array
    radius: Array
    size: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.lower.shape)

    def map(self, move: Callable[[Array], Array]) -> Enclosure:
        """The same bounds, their entries moved."""
        return Enclosure(*(move(np.asarray(getattr(self, part.name))) for part in fields(self)))


def bounds(lower: Array, upper: Array, a: Arithmetic) -> Enclosure:
    """The bounds, refused unless they are finite and in order."""
    lower, upper = np.asarray(lower), np.asarray(upper)
    if not (a.finite(lower) and a.finite(upper)):
        raise RejectedError("a bound is not finite")
    if not bool(np.all(lower <= upper)):
        raise RejectedError("a lower bound is not below its upper bound")
    middle = (lower + upper) * a.half
    radius = a.up(np.maximum(upper - middle, middle - lower))
    return Enclosure(lower, upper, middle, radius, np.maximum(np.abs(lower), np.abs(upper)))


def require_few(entries: int, a: Arithmetic) -> None:
    """Refuse a graph of too many entries."""
    if entries > a.entry_limit:
        raise UnsupportedError(f"the graph takes more than {a.entry_limit} entries")


# --- constants


def exactly(x: Array, a: Arithmetic) -> Enclosure:
    """The bounds of float64 numbers that are known."""
    numbers = a.numbers(x)
    return bounds(numbers, numbers, a)


def above(q: Fraction, a: Arithmetic) -> Any:
    """The least number of an arithmetic that is at least q."""
    return q if a.dtype is object else float_above(q)


def inverse(x: Enclosure, a: Arithmetic) -> Enclosure:
    """1 / x, for x on one side of zero."""
    return bounds(-a.up(-1 / x.upper), a.up(1 / x.lower), a)


def inverse_root(x: Enclosure, a: Arithmetic) -> Enclosure:
    """1 / sqrt(x), for x above zero."""
    return inverse(bounds(a.root(x.lower)[0], a.root(x.upper)[1], a), a)


def product(x: Enclosure, y: Enclosure, a: Arithmetic) -> Enclosure:
    """x * y, entry by entry."""
    ends = [p * q for p in (x.lower, x.upper) for q in (y.lower, y.upper)]
    return bounds(-a.up(-np.minimum.reduce(ends)), a.up(np.maximum.reduce(ends)), a)


def floats(x: Enclosure) -> tuple[Array, Array]:
    """The ends as float64, rounded outward."""
    lower, upper = (_floats_above(sign * end) for sign, end in ((-1, x.lower), (1, x.upper)))
    return -lower, upper


def _floats_above(x: Array) -> Array:
    if x.dtype != object:
        return x
    return np.array([float_above(v) for v in x.ravel().tolist()]).reshape(x.shape)


# --- float64


def _gamma(n: int) -> float:
    k = (n + SPARE) * UNIT
    return k / (1 - k)


def _float_up(x: Array) -> Array:
    return np.nextafter(x, np.inf)


def _float_root(x: Array) -> tuple[Array, Array]:
    nearest = np.sqrt(x)
    return np.nextafter(nearest, 0), _float_up(nearest)


FLOAT64 = Arithmetic(
    name="float64",
    numbers=lambda x: np.asarray(x, np.float64),
    dtype=float,
    gamma=_gamma,
    tiny=TINY,
    half=0.5,
    up=_float_up,
    root=_float_root,
    matmul=np.matmul,
    finite=lambda x: bool(np.all(np.isfinite(x))),
    cost=lambda bits: 1,
    work_limit=2**42,
    entry_limit=2**25,
)


# --- exact rationals

to_exact: Callable[[Array], Array] = np.vectorize(Fraction, otypes=[object])


def _exact_root(x: Array) -> tuple[Array, Array]:
    ends = [square_root(q) for q in x.ravel()]
    below, above = (_object_array([e[i] for e in ends], x.shape) for i in (0, 1))
    return below, above


def _exact_matmul(x: Array, y: Array) -> Array:
    """Over one common denominator each, so that the many products are products of integers."""
    (p, m), (q, n) = _integers(x), _integers(y)
    product = np.matmul(p, q)
    return _object_array([Fraction(k, m * n) for k in product.ravel()], product.shape)


def _integers(x: Array) -> tuple[Array, int]:
    values, common = x.ravel().tolist(), 1
    for denominator in {v.denominator for v in values}:
        common = math.lcm(common, denominator)
        _require_short(common)
    return _object_array([v.numerator * (common // v.denominator) for v in values], x.shape), common


def _object_array(values: list[Any], shape: tuple[int, ...]) -> Array:
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)


def _exact_finite(x: Array) -> bool:
    for v in x.ravel().tolist():
        _require_short(v.numerator)
        _require_short(v.denominator)
    return True


def _require_short(n: int) -> None:
    if n.bit_length() > MOST_BITS:
        raise UnsupportedError(f"exact arithmetic comes to numbers of more than {MOST_BITS} bits")


EXACT = Arithmetic(
    name="exact",
    numbers=to_exact,
    dtype=object,
    gamma=lambda n: 0,
    tiny=0,
    half=Fraction(1, 2),
    up=lambda x: x,
    root=_exact_root,
    matmul=_exact_matmul,
    finite=_exact_finite,
    cost=lambda bits: 1 + min(bits, MOST_BITS) ** 2 // 2**18,
    work_limit=2**30,
    entry_limit=2**21,
)


# --- numbers that are neither floats nor quotients


def float_above(q: Number) -> float:
    """The least float64 that is at least q, a rational or a float."""
    try:
        nearest = float(q)
    except OverflowError:
        nearest = math.inf if q > 0 else -math.inf
    return nearest if nearest >= q else math.nextafter(nearest, math.inf)


def square_root(q: Fraction) -> tuple[Fraction, Fraction]:
    """Two rationals around the square root of q > 0, 2^-100 apart relative to it or closer."""
    bits = q.denominator.bit_length() - q.numerator.bit_length()
    shift = 102 + max(0, bits // 2 + 1)
    root = math.isqrt((q.numerator << 2 * shift) // q.denominator)
    return Fraction(root, 1 << shift), Fraction(root + 1, 1 << shift)


def assert_gradual_underflow() -> None:
    """Refuse a processor state that flushes subnormal numbers to zero: lemma 2 needs them."""
    small = np.full((2, 2), 2.0**-1060)
    if not bool(np.all(small @ np.full((2, 2), 2.0**-10) == 2.0**-1069)):
        raise UnsupportedError("this process flushes subnormal numbers to zero")
