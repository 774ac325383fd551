"""The two number systems in which a certificate is checked: rounded float64, and exact rationals.

The algorithm is written once over `Arithmetic`. In float64 every error bound of docs/checker.md is
switched on; in exact arithmetic they are all zero. Nothing else differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ._errors import RejectedError, UnsupportedError

Array = np.ndarray[Any, np.dtype[Any]]

UNIT = 2.0**-53
"""One rounding to nearest: |fl(x) - x| <= UNIT * |x| + an underflow of at most 2^-1075."""

TINY = 2.0**-1000
"""More than all underflows of one step together (lemma 2)."""

SPARE = 8
"""Roundings that `gamma` allows for besides the n products and sums of a dot product."""

MOST_BITS = 2**13
"""The longest numerator or denominator of an exact number."""


@dataclass(frozen=True)
class Constant:
    """A tensor that does not depend on the input, known to lie in [lower, upper].

    Stored weights are float64 arrays (exact images of float32) with lower equal to upper; what is
    computed from them is an object array of fractions.
    """

    lower: Array
    upper: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.lower.shape)


@dataclass(frozen=True)
class Arithmetic:
    """A number system: how to compute in it, and how far a computed number may be off.

    Args:
        name: The mode that selects it.
        numbers: float64 array -> numbers, exactly.
        enclose: Constant -> (middle, radius) that contain it.
        gamma: n -> bound of the relative error of n + SPARE roundings.
        tiny: Bound of the underflows of one step.
        half: One half.
        up: Numbers -> the next ones above, to cover one rounding.
        ratio: Float64 numbers near quotients between 0 and 1, for slopes that may be any.
        matmul: Products of matrices, in any order of summation.
        finite: Whether all numbers are finite; exact ones are refused if they are too long.
        work_limit: The most multiplications that a check may cost.
        entry_limit: The most entries of all values together.
    """

    name: str
    numbers: Callable[[Array], Array]
    enclose: Callable[[Constant], tuple[Array, Array]]
    gamma: Callable[[int], Any]
    tiny: Any
    half: Any
    up: Callable[[Array], Array]
    ratio: Callable[[Array, Array], Array]
    matmul: Callable[[Array, Array], Array]
    finite: Callable[[Array], bool]
    work_limit: int
    entry_limit: int


@dataclass(frozen=True)
class Bounds:
    """lower <= value <= upper, and with it |value - middle| <= radius, |value| <= size."""

    lower: Array
    upper: Array
    middle: Array
    radius: Array
    size: Array


def bounds(lower: Array, upper: Array, a: Arithmetic) -> Bounds:
    """The bounds, refused unless they are finite and in order."""
    if not (a.finite(lower) and a.finite(upper)):
        raise RejectedError("a bound is not finite")
    if not bool(np.all(lower <= upper)):
        raise RejectedError("a lower bound is not below its upper bound")
    middle = (lower + upper) * a.half
    radius = a.up(np.maximum(upper - middle, middle - lower))
    return Bounds(lower, upper, middle, radius, np.maximum(np.abs(lower), np.abs(upper)))


# --- float64


def _gamma(n: int) -> float:
    k = (n + SPARE) * UNIT
    return k / (1 - k)


def _float_enclose(c: Constant) -> tuple[Array, Array]:
    if c.lower.dtype == np.float64:
        return c.lower, np.zeros_like(c.lower)
    try:
        middle = _to_float((c.lower + c.upper) / 2)
        exact = to_exact(middle)
        radius = _float_up(_to_float(np.maximum(c.upper - exact, exact - c.lower)))
    except OverflowError:
        raise UnsupportedError("a constant is too large for float64") from None
    return middle, radius


_to_float: Callable[[Array], Array] = np.vectorize(float, otypes=[np.float64])


def _float_up(x: Array) -> Array:
    return np.nextafter(x, np.inf)


def _float_finite(x: Array) -> bool:
    return bool(np.all(np.isfinite(x)))


FLOAT64 = Arithmetic(
    name="float64",
    numbers=lambda x: np.asarray(x, np.float64),
    enclose=_float_enclose,
    gamma=_gamma,
    tiny=TINY,
    half=0.5,
    up=_float_up,
    ratio=np.divide,
    matmul=np.matmul,
    finite=_float_finite,
    work_limit=2**42,
    entry_limit=2**25,
)


# --- exact rationals

to_exact: Callable[[Array], Array] = np.vectorize(Fraction, otypes=[object])


def _exact_enclose(c: Constant) -> tuple[Array, Array]:
    lower, upper = to_exact(c.lower), to_exact(c.upper)
    return (lower + upper) / 2, (upper - lower) / 2


def _exact_matmul(x: Array, y: Array) -> Array:
    """Over one common denominator each, so that the many products are products of integers."""
    (p, m), (q, n) = _integers(x), _integers(y)
    product = np.matmul(p, q)
    fractions = [Fraction(k, m * n) for k in product.ravel()]
    return _object_array(fractions, product.shape)


def _integers(x: Array) -> tuple[Array, int]:
    values, common = x.ravel().tolist(), 1
    for denominator in {v.denominator for v in values}:
        common = math.lcm(common, denominator)
        _require_short(common)
    scaled = [v.numerator * (common // v.denominator) for v in values]
    return _object_array(scaled, x.shape), common


def _object_array(values: list[Any], shape: tuple[int, ...]) -> Array:
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)


def _exact_ratio(x: Array, y: Array) -> Array:
    return to_exact(_to_float(to_exact(x) / to_exact(y)))


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
    enclose=_exact_enclose,
    gamma=lambda n: 0,
    tiny=0,
    half=Fraction(1, 2),
    up=lambda x: x,
    ratio=_exact_ratio,
    matmul=_exact_matmul,
    finite=_exact_finite,
    work_limit=2**30,
    entry_limit=2**21,
)


# --- numbers that are neither floats nor quotients


def float_above(q: Any) -> float:
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
