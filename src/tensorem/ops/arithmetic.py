"""Sums, products, quotients, extremes and powers, entry by entry."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from tensorem import rules
from tensorem.domains import Ball, Diagonal, End, Interval, Lines, Map, Rational, equation
from tensorem.domains import _ball as balls
from tensorem.domains import _exact as exact
from tensorem.domains import _interval as intervals
from tensorem.dtypes import INTEGER
from tensorem.errors import MeaningError
from tensorem.rules import DType

from . import _curve
from ._derive import (
    Box,
    boxed,
    combination,
    enclosed,
    entrywise,
    of_sizes,
    product_lines,
    rounded,
    value,
    varies,
    weighted,
)
from ._op import Cited, Op, Operands

T = TypeVar("T")
Arb = Any
"""A number of Arb, of which a ball is made."""


# --- lines


def _mul_lines(x: Box, y: Box) -> Lines:
    return entrywise(product_lines(jnp.multiply, x, y))


def _div_lines(x: Box, y: Box) -> Lines:
    """Linear in x where y is constant; else the ends of the quotient."""
    if varies(y):
        return enclosed(Interval.__truediv__)(x, y)
    return equation((Diagonal(1 / value(y)), None), jnp.zeros_like(value(x)))


def _extreme_lines(left: float, right: float, x: Box, y: Box) -> Lines:
    """max(x, y) = y + relu(x - y), and min(x, y) = y + min(x - y, 0)."""
    bend = _curve.kink(left, right, boxed(x) - boxed(y))
    floor, roof = _coefficient(bend.lower[0]), _coefficient(bend.upper[0])
    return weighted(
        (x, y), (floor, 1 - floor), (roof, 1 - roof), bend.lower_offset, bend.upper_offset
    )


def _coefficient(m: Map) -> End:
    return m.coefficient if isinstance(m, Diagonal) else jnp.zeros(())


# --- powers


def _power(x: Interval, exponent: int) -> Interval:
    result = x.like(1.0)
    for _ in range(exponent):
        result = result * x
    return result


def _pow_interval(x: Interval, *, exponent: int) -> Interval:
    """Even powers rise in |x|, odd ones in x; a negative power is one over the positive one."""
    if exponent < 0:
        return x.like(1.0) / _pow_interval(x, exponent=-exponent)
    base = x if exponent % 2 else x.__abs__()
    return base.rising(partial(_power, exponent=exponent))


def _pow_exact(x: Rational, *, exponent: int) -> Rational:
    if exponent < 0:
        one = Rational.of(np.ones(x.shape, np.int64))
        return one / _pow_exact(x, exponent=-exponent)
    return Rational(np.asarray(x.num**exponent, object), x.den**exponent).reduced()


def _pow_lines(box: Box, *, exponent: int) -> Lines:
    """Convex for even exponents; odd ones bend the other way below 0."""
    if exponent == 1:
        return combination(1.0)(box)
    x, f = boxed(box), partial(lax.integer_pow, y=exponent)
    bends = _curve.Bends(("concave" if exponent % 2 else "convex", "convex"), (0.0,))
    y = _pow_interval(x, exponent=exponent)
    return _curve.supported(f, _curve.derivative(f), bends, x, y)


def _pow_ball(x: Ball, *, exponent: int) -> Ball:
    return x.each(lambda a: _power_of_arb(a, exponent))


def _power_of_arb(a: Arb, exponent: int) -> Arb:
    """By squares; of even powers that of |a|, which is no wider."""
    if exponent < 0:
        return 1 / _power_of_arb(a, -exponent)
    if exponent % 2:
        return a * _power_of_arb(a, exponent - 1)
    half = None if exponent == 0 else _power_of_arb(a.__abs__(), exponent // 2)
    return type(a)(1) if half is None else half * half


# --- casts and signs


def _cast_sizes(x: NDArray[Any], *, dtype: DType) -> NDArray[Any] | None:
    """32 bits and more hold every size."""
    return x if np.dtype(dtype).itemsize >= 4 else None


def _cast_exact(x: Rational, *, dtype: str) -> Rational:
    """Real numbers are not rounded; integers take the part before the point, booleans x != 0."""
    if dtype == "bool":
        return exact.truth(lambda num: num != 0, x)
    if dtype not in INTEGER:
        return x
    whole = np.sign(x.num) * (np.abs(x.num) // x.den)
    least, greatest = _range(dtype)
    if np.any((whole < least) | (whole > greatest)):
        raise MeaningError(
            "`cast` has no exact meaning here.", because=f"{dtype} does not hold its operand"
        )
    return Rational(np.asarray(whole, object))


def _cast_ball(x: Ball, *, dtype: str) -> Ball:
    if dtype == "bool":
        return x.each(lambda a: balls.claim(a != 0, a == 0, a))
    if dtype not in INTEGER:
        return x
    least, greatest = _range(dtype)
    low, high = (Ball(end, x.bits).each(_whole) for end in x.ends())
    if not np.all((low.values >= least) & (high.values <= greatest)):
        raise MeaningError(
            "`cast` has no ball meaning here.", because=f"{dtype} may not hold its operand"
        )
    return low.hull(high)


def _whole(a: Arb) -> Arb:
    """A number without radius, cut towards 0."""
    return a.floor() if a >= 0 else a.ceil()


def _cast_interval(x: Interval, *, dtype: str) -> Interval:
    if dtype == "bool":
        return _nonzero(x)
    if dtype not in INTEGER:
        return x
    xp, (least, greatest) = x.rounding.xp, _range(dtype)
    whole = x.map(xp.trunc)
    # One more than the greatest is a power of two, so that it is a float too.
    fits = (whole.lower >= float(least)) & (whole.upper < float(greatest + 1))
    lower, upper = xp.where(fits, whole.lower, least), xp.where(fits, whole.upper, greatest)
    return Interval(lower.astype(whole.lower.dtype), upper.astype(whole.upper.dtype))


def _range(dtype: str) -> tuple[int, int]:
    """What integers of a dtype lie between; a number beyond becomes one of them, by the device."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def _nonzero(x: Interval) -> Interval:
    apart = (x.lower > 0) | (x.upper < 0)
    return intervals.claim((x.lower == 0) & (x.upper == 0), apart, x)


def _cast_lines(box: Box, *, dtype: str) -> Lines:
    if jnp.issubdtype(jnp.dtype(dtype), jnp.floating):
        return combination(1.0)(box)
    return enclosed(_cast_interval)(box, dtype=dtype)


def _sign_interval(x: Interval) -> Interval:
    return x.map(x.rounding.xp.sign)


def _abs_jvp(y: Array, xs: Operands, ts: Operands) -> Array:
    """Zero at 0, as in PyTorch; JAX takes 1 there."""
    return sign(xs[0]) * ts[0]


def _same(x: T) -> T:
    return x


# --- rows


_TWO_SUM = "its ends; rounding: TwoSum, Knuth 1997, 4.2.2"
_TWO_PRODUCT = "its corners; rounding: TwoProduct, Dekker 1971"
_SUMMED = "Johansson 2017 (Arb): a ball around the rounded result"
_EITHER = "the ball of it; where its operands overlap, of both"
_RISING_UNROUNDED = "rising: its ends, nothing is rounded"

add = Op(
    "add",
    2,
    rules.numbers,
    run=lax.add,
    exact=Rational.__add__,
    ball=Cited(Ball.__add__, _SUMMED),
    interval=Cited(Interval.__add__, _TWO_SUM),
    lines=combination(1.0, 1.0),
    primitive=lax.add_p,
    sizes=of_sizes(Rational.__add__),
)
sub = Op(
    "sub",
    2,
    rules.numbers,
    run=lax.sub,
    exact=Rational.__sub__,
    ball=Cited(Ball.__sub__, _SUMMED),
    interval=Cited(Interval.__sub__, _TWO_SUM),
    lines=combination(1.0, -1.0),
    primitive=lax.sub_p,
    sizes=of_sizes(Rational.__sub__),
)
mul = Op(
    "mul",
    2,
    rules.numbers,
    run=lax.mul,
    exact=Rational.__mul__,
    ball=Cited(Ball.__mul__, _SUMMED),
    interval=Cited(Interval.__mul__, _TWO_PRODUCT),
    lines=Cited(_mul_lines, "linear over a constant operand; else McCormick 1976"),
    primitive=lax.mul_p,
    sizes=of_sizes(Rational.__mul__),
)
div = Op(
    "div",
    2,
    rules.floats,
    run=lax.div,
    exact=Rational.__truediv__,
    ball=Cited(Ball.__truediv__, "a ball; not a number where the divisor may be 0"),
    interval=Cited(Interval.__truediv__, "its corners, one float outward; over zero all numbers"),
    lines=Cited(_div_lines, "linear over a constant divisor; else flat"),
    primitive=lax.div_p,
)
maximum = Op(
    "maximum",
    2,
    rules.alike,
    run=lax.max,
    exact=partial(exact.joined, np.maximum),
    ball=Cited(lambda x, y: balls.entrywise(lambda a, b: a.max(b), x, y), _EITHER),
    interval=Cited(lambda x, y: intervals.joined(x.rounding.xp.maximum, x, y), _RISING_UNROUNDED),
    lines=Cited(partial(_extreme_lines, 0.0, 1.0), "as relu, of y + relu(x - y)"),
    primitive=lax.max_p,
)
minimum = Op(
    "minimum",
    2,
    rules.alike,
    run=lax.min,
    exact=partial(exact.joined, np.minimum),
    ball=Cited(lambda x, y: balls.entrywise(lambda a, b: a.min(b), x, y), _EITHER),
    interval=Cited(lambda x, y: intervals.joined(x.rounding.xp.minimum, x, y), _RISING_UNROUNDED),
    lines=Cited(partial(_extreme_lines, 1.0, 0.0), "as relu upside down, of y + min(x - y, 0)"),
    primitive=lax.min_p,
)
neg = Op(
    "neg",
    1,
    rules.numbers,
    run=lax.neg,
    exact=Rational.__neg__,
    ball=Cited(Ball.__neg__, _SUMMED),
    interval=Cited(Interval.__neg__, "falling: its ends exchanged, nothing is rounded"),
    lines=combination(-1.0),
    primitive=lax.neg_p,
)
abs = Op(
    "abs",
    1,
    rules.signed,
    run=lax.abs,
    exact=Rational.__abs__,
    ball=Cited(Ball.__abs__, _EITHER),
    interval=Cited(Interval.__abs__, "0 inside, else its ends; nothing is rounded"),
    lines=Cited(partial(_curve.kink, -1.0, 1.0), "as relu, for the slopes -1 and 1"),
    jvp=_abs_jvp,
    primitive=lax.abs_p,
)
sign = Op(
    "sign",
    1,
    rules.numbers,
    run=lax.sign,
    exact=lambda x: Rational(np.asarray(np.sign(x.num), object)),
    ball=Cited(lambda x: x.each(lambda a: a.sgn()), _EITHER),
    interval=Cited(_sign_interval, _RISING_UNROUNDED),
    lines=enclosed(_sign_interval),
    primitive=lax.sign_p,
)
square = Op(
    "square",
    1,
    rules.numbers,
    run=lax.square,
    exact=lambda x: _pow_exact(x, exponent=2),
    ball=Cited(partial(_pow_ball, exponent=2), "products of balls"),
    interval=Cited(Interval.square, "rising in |x|; rounding: as mul"),
    lines=Cited(partial(_pow_lines, exponent=2), _curve.SUPPORT),
    primitive=lax.square_p,
)
pow_int = Op(
    "pow_int",
    1,
    rules.pow_int,
    run=lambda x, *, exponent: lax.integer_pow(x, exponent),
    exact=_pow_exact,
    ball=Cited(_pow_ball, "products of balls"),
    interval=Cited(_pow_interval, "rising in x or |x|; rounding: as mul"),
    lines=Cited(_pow_lines, _curve.SUPPORT),
)
cast = Op(
    "cast",
    1,
    rules.cast,
    run=lambda x, *, dtype: rounded(x, dtype),
    exact=_cast_exact,
    ball=Cited(_cast_ball, "in reals: none between floats; to integers, its ends cut"),
    interval=Cited(_cast_interval, "in reals: none between floats; to integers, its ends cut"),
    lines=Cited(_cast_lines, "in reals: the op itself between floats; else flat"),
    sizes=_cast_sizes,
)
stop_gradient = Op(
    "stop_gradient",
    1,
    rules.same,
    run=lax.stop_gradient,
    exact=_same,
    ball=Cited(_same, "the value itself"),
    interval=Cited(_same, "the value itself"),
    lines=combination(1.0),
)
