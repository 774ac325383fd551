"""Intervals: sets of real numbers between two floats, and all directed rounding that there is.

One arithmetic, read twice. Ends that are NumPy float64 arrays are read rigorously: every end is
rounded outward, and the interval encloses the result in real arithmetic. Ends that are JAX arrays
are read fast: the same formulas in the arrays' own precision without directed rounding, to be
compiled and batched, and never to be trusted.

Rigorous rounding, with u = 2^-53 and eta = 2^-1074 the least positive float:
    a + b       the error of a rounded sum is a float (TwoSum): an end moves only if it must.
    a * b       the same by TwoProduct, away from underflow and overflow; 0 * b = 0.
    a / b       the rounded result is off by half a unit at most: one float outward.
    Σ a_i       any order: |error| <= γ_n Σ|a_i|, γ_n = n u / (1 - n u)           (Higham 2002, 4.2)
                of integers with Σ|a_i| < 2^52 none: all partial sums are integers below 2^53.
    Σ a_i b_i   any order, with or without FMA: γ_n Σ|a_i b_i| + n eta            (Higham 2002, 3.1)
    f(a)        NumPy's value, moved outward by a number of units; tests hold it against mpmath.
A value that is not a number becomes the whole line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from tensorem.errors import DataError

End = jax.Array | NDArray[Any]
"""The ends of a fast interval, or of a rigorous one."""
Ends = tuple[End, End]
_TINY = 2.0**-1070


@dataclass(frozen=True, eq=False)
class Interval:
    """An array of intervals.

    Args:
        lower: The lower ends.
        upper: The upper ends.
        is_point: The value is known not to vary: a weight or a constant, `lower` itself.

    Example:
        >>> Interval.of([1.0, -2.0], [2.0, 3.0]) * Interval.of([-1.0, 1.0], [1.0, 1.0])
        Interval([-2, 2], [-2, 3])
    """

    lower: End
    upper: End
    is_point: bool = False

    @staticmethod
    def of(lower: object, upper: object) -> Interval:
        """Rigorous intervals between two arrays of numbers.

        Raises:
            DataError: A lower end lies above its upper end.
        """
        low, high = _around_floats(lower)[0], _around_floats(upper)[1]
        if np.any(low > high):
            raise DataError("An interval takes lower ends up to its upper ends, got one above.")
        return Interval(low, high)

    @staticmethod
    def point(values: object) -> Interval:
        """Intervals that hold one value each: fast for JAX arrays, rigorous for any other."""
        if isinstance(values, jax.Array):
            return Interval(values, values, is_point=True)
        low, high = _around_floats(values)
        return Interval(low, high, is_point=low is high)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return tuple(self.lower.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def is_rigorous(self) -> bool:
        """The ends are rounded outward."""
        return not isinstance(self.lower, jax.Array)

    @property
    def rounding(self) -> Rounding:
        """How the ends are computed."""
        return RIGOROUS if self.is_rigorous else FAST

    def like(self, value: float) -> Interval:
        """The same number at every entry."""
        return Interval.point(self.rounding.xp.full_like(self.lower, value))

    def __add__(self, other: Interval) -> Interval:
        add = self.rounding.add
        return _clean(add(self.lower, other.lower)[0], add(self.upper, other.upper)[1])

    def __neg__(self) -> Interval:
        return Interval(-self.upper, -self.lower)

    def __sub__(self, other: Interval) -> Interval:
        return self + (-other)

    def __mul__(self, other: Interval) -> Interval:
        return _extremes(self.rounding.mul, self, other)

    def __truediv__(self, other: Interval) -> Interval:
        """The quotient; the whole line where the divisor may be zero."""
        quotient = _extremes(self.rounding.div, self, other)
        return quotient.unless((other.lower <= 0) & (other.upper >= 0))

    def __abs__(self) -> Interval:
        xp = self.rounding.xp
        least = xp.maximum(xp.maximum(self.lower, -self.upper), 0)
        return Interval(least, xp.maximum(-self.lower, self.upper))

    def __getitem__(self, index: Any) -> Interval:
        return self.map(lambda a: a[index])

    def square(self) -> Interval:
        """The product of a number with itself."""
        size, mul = abs(self), self.rounding.mul
        return _clean(mul(size.lower, size.lower)[0], mul(size.upper, size.upper)[1])

    def map(self, f: Callable[[Any], End]) -> Interval:
        """A rising function that rounds nothing: moves, extremes."""
        return Interval(f(self.lower), f(self.upper))

    def rising(self, f: Callable[[Interval], Interval]) -> Interval:
        """A rising function, read at both ends."""
        low, high = f(Interval.point(self.lower)), f(Interval.point(self.upper))
        return Interval(low.lower, high.upper)

    def values(self, f: Callable[[Any], End], ulps: int, grain: float = 0.0) -> Interval:
        """A rising function whose computed values are off by this many units at most.

        The units are those of the last place, and of values below `grain` those of `grain`.
        """
        around = partial(self.rounding.around, f, ulps=ulps, grain=grain)
        return _clean(around(self.lower)[0], around(self.upper)[1])

    def sums(self, f: Callable[[Any], End], terms: int) -> Interval:
        """Sums of at most so many entries each; f is linear with coefficients 0 and 1."""
        total = partial(self.rounding.total, f, terms=terms)
        return _clean(total(self.lower)[0], total(self.upper)[1])

    def products(self, other: Interval, f: Callable[[Any, Any], End], terms: int) -> Interval:
        """Sums of at most so many products of an entry of each: dots, convolutions."""
        return _clean(*self.rounding.products(f, self, other, terms))

    def clip(self, low: float, high: float) -> Interval:
        """The part of the interval in a range that is known to hold the value."""
        xp = self.rounding.xp
        return Interval(xp.maximum(self.lower, low), xp.minimum(self.upper, high))

    def unless(self, bad: End) -> Interval:
        """The whole line where something went wrong."""
        xp = self.rounding.xp
        lower = xp.where(bad, -np.inf, self.lower)
        return Interval(lower, xp.where(bad, np.inf, self.upper))

    def hull(self, other: Interval) -> Interval:
        """The least interval around both."""
        xp = self.rounding.xp
        return Interval(xp.minimum(self.lower, other.lower), xp.maximum(self.upper, other.upper))

    def meet(self, other: Interval) -> Interval:
        """The common part of two enclosures of one value."""
        xp = self.rounding.xp
        return Interval(xp.maximum(self.lower, other.lower), xp.minimum(self.upper, other.upper))

    def __repr__(self) -> str:
        if not self.is_rigorous:
            return f"Interval({self.lower!r}, {self.upper!r})"
        pairs = zip(np.ravel(self.lower), np.ravel(self.upper), strict=True)
        return f"Interval({', '.join(f'[{a:.17g}, {b:.17g}]' for a, b in pairs)})"


jax.tree_util.register_dataclass(Interval, data_fields=["lower", "upper"], meta_fields=["is_point"])


@dataclass(frozen=True)
class Rounding:
    """How ends are computed: each rule gives floats below and above the real result.

    Args:
        xp: The array library.
        add: a + b.
        mul: a * b.
        div: a / b.
        around: f(a), for a computed f.
        total: Sums of entries.
        products: Sums of products of intervals.
    """

    xp: ModuleType
    add: Callable[[End, End], Ends]
    mul: Callable[[End, End], Ends]
    div: Callable[[End, End], Ends]
    around: Callable[..., Ends]
    total: Callable[..., Ends]
    products: Callable[..., Ends]


def claim(never: End, always: End, x: Interval) -> Interval:
    """0 where a claim never holds, 1 where it always does, else [0, 1]."""
    kind = x.lower.dtype
    return Interval(always.astype(kind), (~never).astype(kind))


def choose(mask: Interval, x: Interval, y: Interval) -> Interval:
    """x where the mask is 1, y where it is 0, and the hull of both where it may be either."""
    xp, both = x.rounding.xp, x.hull(y)
    yes, no = mask.lower >= 1, mask.upper <= 0
    lower = xp.where(yes, x.lower, xp.where(no, y.lower, both.lower))
    upper = xp.where(yes, x.upper, xp.where(no, y.upper, both.upper))
    return Interval(lower, upper)


def joined(f: Callable[..., End], *xs: Interval) -> Interval:
    """A function that rises in every operand and rounds nothing: extremes, joins."""
    return Interval(f(*(x.lower for x in xs)), f(*(x.upper for x in xs)))


def _clean(lower: End, upper: End) -> Interval:
    xp = jnp if isinstance(lower, jax.Array) else np
    low, high = xp.where(xp.isnan(lower), -np.inf, lower), xp.where(xp.isnan(upper), np.inf, upper)
    return Interval(low, high)


def _extremes(rule: Callable[[End, End], Ends], x: Interval, y: Interval) -> Interval:
    """The least and greatest of a rule at the four corners."""
    xp = x.rounding.xp
    corners = [rule(a, b) for a in (x.lower, x.upper) for b in (y.lower, y.upper)]
    low, high = [c[0] for c in corners], [c[1] for c in corners]
    return _clean(
        xp.minimum(xp.minimum(low[0], low[1]), xp.minimum(low[2], low[3])),
        xp.maximum(xp.maximum(high[0], high[1]), xp.maximum(high[2], high[3])),
    )


# --- rigorous: NumPy float64, rounded outward


def _float64(values: object) -> End:
    return np.asarray(values).astype(np.float64)


def _down(a: End) -> End:
    return np.nextafter(a, -np.inf)


def _up(a: End) -> End:
    return np.nextafter(a, np.inf)


def _around_floats(values: object) -> Ends:
    """Floats below and above numbers: the number twice, where float64 does not round it."""
    ends = _float64(values)
    rounded = _rounded(np.asarray(values), ends)
    if not np.any(rounded | np.isnan(ends)):
        return ends, ends
    around = _clean(np.where(rounded, _down(ends), ends), np.where(rounded, _up(ends), ends))
    return around.lower, around.upper


def _rounded(values: End, ends: End) -> End:
    """Where a float64 is not the number itself. NumPy compares integers as floats, others exactly:
    fractions, decimals, long integers of Python, floats of more bits."""
    return np.abs(ends) >= 2.0**53 if values.dtype.kind in "iu" else values != ends


def _add(a: End, b: End) -> Ends:
    """TwoSum: the rounded sum and its exact error, whose sign says which end must move."""
    with np.errstate(all="ignore"):
        s = a + b
        t = s - a
        error = (a - (s - t)) + (b - t)
        lost = ~np.isfinite(error)
        return (
            np.where((error < 0) | lost, _down(s), s),
            np.where((error > 0) | lost, _up(s), s),
        )


def _mul(a: End, b: End) -> Ends:
    """TwoProduct: as for sums, in the range where the error of a product is a float too."""
    with np.errstate(all="ignore"):
        p = a * b
        (x, y), (v, w) = _halves(a), _halves(b)
        error = y * w - (((p - x * v) - y * v) - x * w)
        size = np.maximum(np.maximum(np.abs(a), np.abs(b)), np.abs(p))
        lost = (size > 2.0**990) | (np.abs(p) < 2.0**-950) | ~np.isfinite(error)
    zero = (a == 0) | (b == 0)
    return (
        np.where(zero, 0.0, np.where((error < 0) | lost, _down(p), p)),
        np.where(zero, 0.0, np.where((error > 0) | lost, _up(p), p)),
    )


def _halves(a: End) -> Ends:
    """a as a sum of two floats of 26 bits (Veltkamp)."""
    c = a * (2.0**27 + 1)
    high = c - (c - a)
    return high, a - high


def _div(a: End, b: End) -> Ends:
    with np.errstate(all="ignore"):
        q = a / b
    zero = (a == 0) & (b != 0)
    return np.where(zero, 0.0, _down(q)), np.where(zero, 0.0, _up(q))


def _around(f: Callable[[Any], End], a: End, ulps: int, grain: float) -> Ends:
    with np.errstate(all="ignore"):
        y = _float64(f(a))
        reach = ulps * np.spacing(np.maximum(np.abs(y), grain))
        finite = np.isfinite(y)
        return (
            np.where(finite, _down(y - reach), np.where(y > 0, np.finfo(np.float64).max, y)),
            np.where(finite, _up(y + reach), np.where(y < 0, np.finfo(np.float64).min, y)),
        )


def _total(f: Callable[[Any], End], a: End, terms: int) -> Ends:
    with np.errstate(all="ignore"):
        s, size = _float64(f(a)), _float64(f(np.abs(a)))
        low, high = _ends(s, _unit(terms) * size)
        exact = (terms <= 1) | (np.all(a % 1 == 0) & (size < 2.0**52))
        return np.where(exact, s, low), np.where(exact, s, high)


def _unit(terms: int) -> float:
    """Twice the relative error of a sum, which also pays for the rounding of the bound itself."""
    return float(2.0**-52 * (terms + 8))


def _ends(centre: End, radius: End) -> Ends:
    """centre ± radius; the whole line if either overflowed."""
    good = np.isfinite(centre) & np.isfinite(radius)
    return (
        np.where(good, _down(centre - radius), -np.inf),
        np.where(good, _up(centre + radius), np.inf),
    )


def _products(f: Callable[[Any, Any], End], x: Interval, y: Interval, terms: int) -> Ends:
    """Midpoint and radius: xy ∈ m n ± (|m| s + r (|n| + s)), and the rounding of each sum."""
    with np.errstate(all="ignore"):
        (m, r), (n, s) = _ball(x), _ball(y)
        far: End = np.abs(n)
        size = _float64(f(np.abs(m), far))
        spread = np.zeros_like(size)
        if np.any(s != 0):
            far, spread = _up(far + s), spread + f(np.abs(m), s)
        if np.any(r != 0):
            spread = spread + f(r, far)
        rounding = _unit(terms) * (size + 2 * spread) + (terms + 8) * _TINY
        return _ends(_float64(f(m, n)), (spread + rounding) * (1 + 2.0**-50))


def _ball(x: Interval) -> Ends:
    """A midpoint, and a radius that reaches both ends."""
    point = x.lower == x.upper
    if point.all():
        return x.lower, np.broadcast_to(0.0, point.shape)
    middle = np.where(point, x.lower, x.lower / 2 + x.upper / 2)
    reach = _up(np.maximum(x.upper - middle, middle - x.lower))
    return middle, np.where(point, 0.0, reach)


# --- fast: JAX arrays, no directed rounding


def _both(a: End) -> Ends:
    return a, a


def _fast_products(f: Callable[[Any, Any], End], x: Interval, y: Interval, terms: int) -> Ends:
    """As the rigorous rule, without a thought of rounding."""
    m, n = (x.lower + x.upper) / 2, (y.lower + y.upper) / 2
    r, s = (x.upper - x.lower) / 2, (y.upper - y.lower) / 2
    centre = f(m, n)
    if x.is_point and y.is_point:
        return centre, centre
    if y.is_point:
        spread = f(r, jnp.abs(n))
    elif x.is_point:
        spread = f(jnp.abs(m), s)
    else:
        spread = f(r, jnp.abs(n) + s) + f(jnp.abs(m), s)
    return centre - spread, centre + spread


RIGOROUS = Rounding(np, _add, _mul, _div, _around, _total, _products)
FAST = Rounding(
    jnp,
    lambda a, b: _both(a + b),
    lambda a, b: _both(a * b),
    lambda a, b: _both(a / b),
    lambda f, a, ulps, grain: _both(f(a)),
    lambda f, a, terms: _both(f(a)),
    _fast_products,
)
