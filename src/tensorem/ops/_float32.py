"""How far the float32 execution of an op may lie from its real value: a rule for each row.

Any execution is meant in which

    a sum, of products too, runs in any order, with or without FMA: γ_n = n u / (1 - n u), u = 2^-24
    so does a product over an axis
    a quotient is one, or a product with the rounded inverse
    a number below 2^-126 may be taken as 0, where it is made and where it is used
    a function of one number is off by the units that UNITS says (tests hold the runtime to them)

and in which an op computes what its row says, in float32: no TF32, no Winograd, and no compiler
that makes one op of two. Rounding: Higham 2002, 2.2 and 3.1; what operands bring along: the mean
value theorem on the hull of the real and the executed value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import runtime
from tensorem.domains import End, Executed, Interval, Share
from tensorem.domains import _executed as executed_
from tensorem.domains._executed import MOST, TINY, UNIT, Array, made, magnitude, nearer
from tensorem.domains._interval import _ball
from tensorem.dtypes import FLOATING
from tensorem.errors import MeaningError
from tensorem.rules import axis
from tensorem.shapes import Spec

from ._curve import Curve, derivative
from ._op import Attr, Attrs, Cited, Op, results
from .arithmetic import pow_int
from .normalise import softmax
from .pool import windows
from .reduce import _joined

UNITS: Mapping[str, tuple[float, float]] = {
    "gelu": (16, 2.0**-12),
    "silu": (8, 2.0**-100),
    "mish": (8, 2.0**-100),
}
"""Of a function of one number: how many units of its last place, where that of smaller values is
that of the second number. Of all others 4, and 0."""
_FLUSHED = 128
"""Functions of one number may lose so many of the least normal number, where they are as small."""


@dataclass(frozen=True, eq=False)
class Call:
    """An op applied to executed operands.

    Args:
        op: The row.
        attrs: Its attributes.
        xs: The operands.
        real: Where its real result lies.
        dtype: Of its result.
    """

    op: Op
    attrs: Mapping[str, Any]
    xs: tuple[Executed, ...]
    real: Interval
    dtype: str

    def interval(self, *xs: Interval) -> Interval:
        """The result on other boxes."""
        result: Interval = self.op.meaning("interval")(*xs, **self.attrs)
        return result

    def upper(self, *xs: Array) -> Array:
        """The result on numbers that are not negative, or a little more: of sums and moves."""
        with np.errstate(all="ignore"):
            return np.asarray(self.interval(*(Interval(x, x) for x in xs)).upper)

    def rounded(self, size: End, units: float | Array, tiny: float = 1) -> Array:
        """What is lost: units of a size, and some least numbers; all, where it overflows."""
        if self.dtype not in FLOATING:
            most = 1 if self.dtype == "bool" else np.iinfo(self.dtype).max
            return np.where(size > most, np.inf, 0.0)
        with np.errstate(all="ignore"):
            lost = units * UNIT * size + tiny * 2 * TINY
        infinite = np.isinf(self.real.lower) & (self.real.lower == self.real.upper)
        return np.where(infinite, 0.0, np.where(size * executed_.SLACK < MOST, lost, np.inf))

    def made(self, *shares: Share, noise: Array | float = 0.0) -> Executed:
        """The result of these parts; where the real value may be any, nothing is known."""
        unknown = np.isinf(self.real.lower) & (self.real.upper == -self.real.lower)
        noise = np.where(unknown, np.inf, np.broadcast_to(noise, self.real.shape))
        return made(self.real, shares, noise, self.dtype)


Rule = Callable[[Call], Executed]
Back = Callable[[Array], Array]


# --- what an operand brings along


def _centred(x: Interval) -> tuple[Array, Array]:
    """Middles and radii."""
    middle, radius = _ball(x)
    return np.asarray(middle), np.asarray(radius)


def _times(a: End, b: End) -> Array:
    """A product of bounds; 0 of what is infinite is 0."""
    with np.errstate(all="ignore"):
        return np.where((a == 0) | (b == 0), 0.0, a * b)


def _along(x: Executed, slope: Interval, noise: Array) -> Share:
    """Entry by entry, in proportion to a slope that lies between two."""
    if x.is_exact:
        return _spread(x, np.zeros(x.shape))
    with np.errstate(all="ignore"):
        middle, radius = _centred(slope)
    bad = ~(np.isfinite(middle) & np.isfinite(radius))
    middle, radius = np.where(bad, 0.0, middle), np.where(bad, np.inf, radius)
    error = nearer(x, _times(radius, x.error) > noise)
    reach, spread = _times(np.abs(middle), error), _times(radius, error)
    return Share(x, lambda a: a * middle, reach, spread)


def _constant(x: Executed, slope: float) -> Share:
    return _along(x, x.real.like(slope), np.zeros(x.shape))


def _spread(x: Executed, spread: End) -> Share:
    """What an operand brings along, where only its size is known."""
    return Share(x, None, np.zeros(spread.shape), np.asarray(spread))


def _linear(
    call: Call, i: int, others: tuple[Array, ...], error: Array, radii: Any = None
) -> Share:
    """What an operand brings along to sums of products: linear in it, with the others known."""
    if call.xs[i].is_exact:
        return _spread(call.xs[i], np.zeros(call.real.shape))
    sizes = [np.abs(other) for other in others]
    reach = call.upper(*sizes[:i], error, *sizes[i:])
    spread = np.zeros(reach.shape) if radii is None else call.upper(*radii[:i], error, *radii[i:])
    attrs = tuple(sorted(call.attrs.items()))
    back = _transposed(call.op, attrs, i, call.xs[i].shape)
    return Share(call.xs[i], lambda a: back(a, others), reach, spread)


@cache
def _transposed(op: Op, attrs: Attrs, i: int, shape: tuple[int, ...]) -> Callable[..., Array]:
    """(rows on the result, the other operands) -> rows on operand i, compiled once for each op."""

    def back(a: Any, others: Any) -> Any:
        f = lambda x: op.run(*others[:i], x, *others[i:], **dict(attrs))  # noqa: E731
        return jax.linear_transpose(f, jax.ShapeDtypeStruct(shape, a.dtype))(a)[0]

    compiled = jax.jit(jax.vmap(back, in_axes=(0, None)))

    def run(a: Array, others: tuple[Array, ...]) -> Array:
        count = 1 << (len(a) - 1).bit_length()  # few shapes, few programs
        rows = np.concatenate([a, np.zeros((count - len(a), *a.shape[1:]))])
        with runtime.float64():
            return np.asarray(compiled(rows, others))[: len(a)]

    return run


def _placed(x: Executed, places: End, reach: End) -> Share:
    """Entries that stand elsewhere in a result: at each place which one, -1 for none of them."""
    to = np.ravel(places).astype(np.int64)
    known = np.flatnonzero(to >= 0)

    def back(a: Array) -> Array:
        rows = np.zeros((x.error.size, len(a)))
        np.add.at(rows, to[known], a.reshape(len(a), -1).T[known])
        return rows.T.reshape(len(a), *x.shape)

    return Share(x, back, np.asarray(reach), np.zeros(reach.shape))


def _moved(call: Call, i: int) -> Share:
    """What an operand brings along to a move: the op shows where its entries go."""
    x, none = call.xs[i], [np.full(x.shape, -1.0) for x in call.xs]
    if x.is_exact:
        return _spread(x, np.zeros(call.real.shape))
    numbers = np.arange(float(x.error.size)).reshape(x.shape)
    boxes = [*none[:i], numbers, *none[i + 1 :]]
    places = call.interval(*(Interval(b, b) for b in boxes)).lower
    zeros = [np.zeros(x.shape) for x in call.xs]
    return _placed(x, np.asarray(places), call.upper(*zeros[:i], x.error, *zeros[i + 1 :]))


# --- rules


def _move(call: Call) -> Executed:
    return call.made(*(_moved(call, i) for i in range(len(call.xs))))


def _same(call: Call) -> Executed:
    return call.made(_constant(call.xs[0], 1.0))


def _neg(call: Call) -> Executed:
    return call.made(_constant(call.xs[0], -1.0))


def _sum(sign: float, call: Call) -> Executed:
    x, y = call.xs
    noise = call.rounded(magnitude(call.interval(x.there, y.there)), 1)
    return call.made(_constant(x, 1.0), _constant(y, sign), noise=noise)


def _mul(call: Call) -> Executed:
    """x̂ŷ - xy = ŷ δx + x δy."""
    x, y = call.xs
    noise = call.rounded(magnitude(call.interval(x.there, y.there)), 1)
    return call.made(_along(x, y.there, noise), _along(y, x.real, noise), noise=noise)


def _div(call: Call) -> Executed:
    """x̂/ŷ - x/y = δx/ŷ - (x/y) δy/ŷ."""
    x, y = call.xs
    inverse = y.real.like(1.0) / y.there
    size = magnitude(call.interval(x.there, y.there))
    noise = call.rounded(size, 4) + 4 * TINY * magnitude(x.there)
    of_y = _along(y, -(call.real * inverse), noise)
    return call.made(_along(x, inverse, noise), of_y, noise=noise)


def _extreme(greater: int, call: Call) -> Executed:
    """One of the two; where both may be it, a mean of what they bring along."""
    x, y = call.xs
    above, below = (x, y) if greater else (y, x)
    first = above.there.lower >= below.there.upper
    second = (below.there.lower >= above.there.upper) & ~first
    return call.made(*_chosen(x, y, first, second))


def _chosen(x: Executed, y: Executed, first: End, second: End) -> tuple[Share, Share]:
    """Slopes of 1 and 0 where it is known which of two it is, else from 0 to 1."""
    none = np.zeros(x.shape)
    of_x = Interval(np.where(first, 1.0, 0.0), np.where(second, 0.0, 1.0))
    of_y = Interval(np.where(second, 1.0, 0.0), np.where(first, 0.0, 1.0))
    return _along(x, of_x, none), _along(y, of_y, none)


def _where(call: Call) -> Executed:
    """As the mask says; where the executed one may differ, how far the two lie apart."""
    mask, x, y = call.xs
    flips = mask.error > 0
    yes, no = (mask.real.lower >= 1) & ~flips, (mask.real.upper <= 0) & ~flips
    with np.errstate(invalid="ignore"):
        one, other = (a.there.upper - b.there.lower for a, b in ((x, y), (y, x)))
        apart = np.maximum(one, other)
    noise = np.where(flips, np.where(np.isnan(apart), np.inf, np.maximum(apart, 0.0)), 0.0)
    return call.made(*_chosen(x, y, yes, no), noise=noise)


def _decided(call: Call) -> Executed:
    """No number is rounded, but where an operand is off the result may be another."""
    return call.made(*(_spread(x, _apart(call)) for x in call.xs))


def _apart(call: Call) -> Array:
    """How far the real and the executed result may lie apart, of all operands that are off."""
    there = call.interval(*(x.there for x in call.xs))
    off = [np.broadcast_to(x.error > 0, there.shape) for x in call.xs if x.shape == there.shape]
    off = off if len(off) == len(call.xs) else [np.asarray(any(not x.is_exact for x in call.xs))]
    apart = np.maximum(there.upper - call.real.lower, call.real.upper - there.lower)
    return np.where(np.any(off, axis=0), np.maximum(apart, 0.0), 0.0)


def _cast(call: Call) -> Executed:
    [x] = call.xs
    if call.dtype not in FLOATING:
        return _decided(call)
    size = magnitude(x.there)
    long = (size > 2.0**24) if x.dtype not in FLOATING else np.zeros(x.shape, bool)
    return call.made(_constant(x, 1.0), noise=np.where(long, UNIT * size, 0.0))


def _total(terms: Callable[..., int], more: int, call: Call) -> Executed:
    """Sums of entries in any order, then `more` roundings."""
    [x] = call.xs
    n = terms(x.shape, call.real.shape, **call.attrs) + more
    noise = call.rounded(call.upper(magnitude(x.there)), _gamma(n), 2 * n)
    return call.made(_linear(call, 0, (), x.error), noise=noise)


def _factors(terms: Callable[..., int], call: Call) -> Executed:
    """Π(|x| + δ) - Π|x|, and a rounding for each factor; one that is lost below takes along those
    that are above 1."""
    [x] = call.xs
    n, size = terms(x.shape, call.real.shape, **call.attrs), magnitude(x.real)
    most = call.upper(np.maximum(magnitude(x.there), 1.0))
    lost = call.rounded(call.upper(magnitude(x.there)), _gamma(n)) + n * 2 * TINY * most
    noise = np.where(most * executed_.SLACK < MOST, lost, np.inf)
    spread = call.upper(size + x.error) - np.asarray(call.interval(Interval(size, size)).lower)
    return call.made(_spread(x, np.where(x.is_exact, 0.0, spread)), noise=noise)


def _gamma(n: float) -> float:
    """γ_n over u; nothing is known of sums of 2^23 terms and more."""
    return n / (1 - n * UNIT) if n < 2**23 else math.inf


def _product(call: Call) -> Executed:
    """x̂ŵ - xw = δx ŵ + x δw, summed; and perhaps a bias."""
    x, w, *bias = call.xs
    none = [np.zeros(b.shape) for b in bias]
    (m, r), (n, s) = _centred(x.real), _centred(w.there)
    ones = call.upper(np.ones(x.shape), np.ones(w.shape), *none)
    terms = float(np.max(ones, initial=0.0)) + len(bias)
    size = call.upper(*(magnitude(a.there) for a in call.xs))
    noise = call.rounded(size, _gamma(terms), 2 * terms)
    of_x = _linear(call, 0, (n, *none), _closer(x, noise, s), (s, *none))
    of_w = _linear(call, 1, (m, *none), _closer(w, noise, r), (r, *none))
    zeros = np.zeros(x.shape), np.zeros(w.shape)
    return call.made(of_x, of_w, *(_linear(call, 2, zeros, b.error) for b in bias), noise=noise)


def _closer(x: Executed, noise: Array, radius: Array) -> Array:
    """The error of an operand, taken backward where the other one is open enough to matter."""
    open_ = np.max(radius, initial=0.0) * np.max(x.error, initial=0.0) > np.min(noise, initial=0.0)
    return nearer(x, np.full(x.shape, open_))


def _greatest(sign: float, cut: Callable[..., Array], call: Call) -> Executed:
    """The error of the entry that is surely extreme; else the greatest of those that may be."""
    [x] = call.xs
    low, high = (x.there.lower, x.there.upper) if sign > 0 else (-x.there.upper, -x.there.lower)
    places = cut(np.arange(x.error.size).reshape(x.shape), **call.attrs).astype(int)
    low, high = (np.where(places < 0, -np.inf, end.ravel()[places]) for end in (low, high))
    error = np.where(places < 0, 0.0, x.error.ravel()[places])
    first = np.argmax(low, axis=-1)[..., None]
    others = np.where(np.arange(low.shape[-1]) == first, -np.inf, high).max(axis=-1)
    sure = np.take_along_axis(low, first, -1)[..., 0] >= others
    winner = np.where(sure, np.take_along_axis(places, first, -1)[..., 0], -1)
    able = high >= low.max(axis=-1, keepdims=True)
    most = np.where(able, error, 0.0).max(axis=-1)
    share = _placed(x, winner, np.where(sure, most, 0.0))
    return call.made(replace(share, spread=np.where(sure, 0.0, most)))


def _sort(call: Call) -> Executed:
    """In order, no two lists come apart by more than their entries did."""
    [x] = call.xs
    most = x.error.max(axis=axis(x.shape, call.attrs["dim"]), keepdims=True, initial=0.0)
    return call.made(_spread(x, np.broadcast_to(most, call.real.shape)))


def _taken(entries: int, call: Call) -> Executed:
    """Entries by an index: moved where it is known, one of all where it is exact."""
    index, x = call.xs[1 - entries], call.xs[entries]
    if not index.is_exact:
        return call.made(_spread(index, np.full(call.real.shape, np.inf)))

    def found(a: Array) -> Interval:
        boxes = [index.real, index.real]
        boxes[entries] = Interval(a, a)
        return call.interval(*boxes)

    if np.any(index.real.lower != index.real.upper):
        return call.made(_spread(x, found(x.error).upper))
    numbers = np.arange(float(x.error.size)).reshape(x.shape)
    return call.made(_placed(x, np.maximum(found(numbers).lower, -1), found(x.error).upper))


def _added(call: Call) -> Executed:
    """Entries added up at the places of an index."""
    x, index, src = call.xs
    if not index.is_exact:
        return call.made(_spread(index, np.full(call.real.shape, np.inf)))
    zero, at = (np.zeros(x.shape), np.zeros(src.shape)), index.real

    def upper(a: Array, b: Array) -> Array:
        return np.asarray(call.interval(Interval(-a, a), at, Interval(-b, b)).upper)

    terms = 1 + src.shape[axis(src.shape, call.attrs["dim"])]
    noise = call.rounded(upper(magnitude(x.there), magnitude(src.there)), _gamma(terms), 2 * terms)
    reach = upper(x.error, zero[1]), upper(zero[0], src.error)
    if np.any(at.lower != at.upper):
        return call.made(_spread(x, reach[0]), _spread(src, reach[1]), noise=noise)
    places, dim = np.asarray(at.lower, np.int64)[None], axis(x.shape, call.attrs["dim"]) + 1
    none = np.zeros(call.real.shape)
    of_x = Share(x, lambda a: a, reach[0], none)
    of_src = Share(src, lambda a: np.take_along_axis(a, places, dim), reach[1], none)
    return call.made(of_x, of_src, noise=noise)


# --- functions of one number


def _curve(call: Call) -> Executed:
    [x] = call.xs
    assert call.op.signature is not None
    facts: Curve = call.op.signature(**call.attrs)
    units, grain = UNITS.get(call.op.name, (4, 0.0))
    there = call.interval(x.there)
    noise = call.rounded(np.maximum(magnitude(there), grain), 2 * units, _FLUSHED)
    if x.is_exact:
        return call.made(noise=noise)
    return call.made(_bent(x, _slopes(facts, x.there), there, noise), noise=noise)


def _bent(x: Executed, slope: Interval, there: Interval, noise: Array) -> Share:
    """In proportion to a slope; or within the range of all values, where that is less."""
    share = _along(x, slope, noise)
    with np.errstate(invalid="ignore"):
        width = np.where(x.error > 0, np.nextafter(there.upper - there.lower, np.inf), 0.0)
    flat = ~(share.reach + share.spread <= width)
    reach, spread = np.where(flat, 0.0, share.reach), np.where(flat, width, share.spread)
    return replace(share, back=_except(flat, share.back), reach=reach, spread=spread)


def _except(flat: Array, back: Back | None) -> Back | None:
    """The same way back, but for some entries."""
    return None if back is None else lambda a: np.where(flat, 0.0, back(a))


def _slopes(facts: Curve, x: Interval) -> Interval:
    """The least and greatest slope: on a piece that bends one way, at its ends."""
    slope, bends = facts.slope or derivative(facts.run), facts.bends
    with runtime.float64(), np.errstate(all="ignore"):
        if bends.period < math.inf:
            whole = ~np.asarray(bends.fit(x))
            lower = np.where(whole, 0.0, x.lower)
            x = Interval(lower, np.where(whole, bends.period * 0.999, x.upper))
        _, ends = bends.unrolled(Interval(jnp.asarray(x.lower), jnp.asarray(x.upper)))
        left, right = (np.asarray(e) for e in (ends[:-1], ends[1:]))
        # A slope may jump where pieces meet, so it is taken just inside.
        inside = [np.nextafter(left, right), left / 2 + right / 2, np.nextafter(right, left)]
        places = np.concatenate([np.asarray(ends), *inside])
        found = np.asarray(slope(jnp.asarray(places)))
        reach = np.abs(found).max(axis=0) * 2.0**-40 + 2.0**-50
        return Interval(found.min(axis=0) - reach, found.max(axis=0) + reach)


def _kink(left: Callable[..., float], right: float, call: Call) -> Executed:
    """One slope below 0, one above."""
    [x] = call.xs
    low, high = left(**call.attrs), right
    below, above = x.there.upper <= 0, x.there.lower >= 0
    ends = np.where(below, low, np.where(above, high, min(low, high)))
    tops = np.where(below, low, np.where(above, high, max(low, high)))
    exact = {low, high} <= {-1.0, 0.0, 1.0}
    # The slope itself is rounded, then the product.
    noise = call.rounded(magnitude(call.interval(x.there)), 2.5) * (not exact)
    return call.made(_along(x, Interval(ends, tops), noise), noise=noise)


def _power(exponent: Callable[..., int], call: Call) -> Executed:
    [x] = call.xs
    n = exponent(**call.attrs)
    there = call.interval(x.there)
    size = magnitude(there)
    noise = call.rounded(size, _gamma(2 * abs(n) + 4 * (n < 0)), 4)
    noise = np.where((n < 0) & (size > 2.0**120), np.inf, noise)  # x^|n| may be taken as 0
    slope = (
        pow_int.meaning("interval")(x.there, exponent=n - 1) * x.real.like(float(n))
        if n
        else x.real.like(0.0)
    )
    return call.made(_bent(x, slope, there, noise), noise=noise)


# --- softmax


def _softmax(call: Call) -> Executed:
    """Its Jacobian y_i (δ_i - Σ y_j δ_j), between the least and greatest y."""
    [x], dim = call.xs, axis(call.real.shape, call.attrs["dim"])
    along = dim + 1
    y = call.interval(x.there)
    middle, radius = _centred(y)
    n, most = x.shape[dim], 2 * _reach(x, dim)
    noise = call.rounded(y.upper, most + n + 32, 128 * (n + 2))
    error = nearer(x, _times(radius, x.error) > noise)

    def both(a: End, b: End) -> Array:
        """a_i (δ_i + Σ b_j δ_j)."""
        return _times(a, error + _times(b, error).sum(axis=dim, keepdims=True))

    def back(a: Array) -> Array:
        return np.asarray(middle * (a - (middle * a).sum(axis=along, keepdims=True)))

    spread = both(radius, y.upper) + _times(
        middle, _times(radius, error).sum(axis=dim, keepdims=True)
    )
    return call.made(Share(x, back, both(middle, middle), spread), noise=noise)


def _log_softmax(call: Call) -> Executed:
    """Its Jacobian δ_i - Σ y_j δ_j, y = softmax."""
    [x], dim = call.xs, axis(call.real.shape, call.attrs["dim"])
    along = dim + 1
    middle, radius = _centred(softmax.meaning("interval")(x.there, dim=dim))
    n = x.shape[dim]
    long = x.there.upper.max(axis=dim, keepdims=True) - x.there.lower
    size = magnitude(call.interval(x.there))
    units = _reach(x, dim) + 16 + n + 8 * math.log(max(n, 1))
    noise = call.rounded(size, 1) + UNIT * (np.maximum(long, 0.0) + units) + 128 * (n + 2) * TINY
    noise = np.where(call.real.lower == call.real.upper, np.where(x.error == 0, 0.0, noise), noise)
    error = nearer(x, _times(radius, x.error) > noise)

    def back(a: Array) -> Array:
        return np.asarray(a - middle * a.sum(axis=along, keepdims=True))

    reach = error + _times(middle, error).sum(axis=dim, keepdims=True)
    spread = np.broadcast_to(_times(radius, error).sum(axis=dim, keepdims=True), x.shape)
    return call.made(Share(x, back, reach, spread), noise=noise)


def _reach(x: Executed, dim: int) -> Array:
    """How far an entry may lie below the greatest one, as far as exp is not 0."""
    high = x.there.upper.max(axis=dim, keepdims=True)
    low = x.there.lower.min(axis=dim, keepdims=True)
    with np.errstate(invalid="ignore"):
        reach = np.where(high > low, high - low, 0.0)
    return np.minimum(reach, 128.0)


# --- the table


def _join(x: Array, *, dims: tuple[int, ...]) -> Array:
    return _joined(x, dims)


def _windows(x: Array, **attrs: Any) -> Array:
    return np.asarray(windows(x, -1, **attrs))


def _count(x: tuple[int, ...], y: tuple[int, ...], **attrs: Any) -> int:
    return math.prod(x) // max(math.prod(y), 1)


_CURVES = (
    *("sqrt", "rsqrt", "exp", "log", "log1p", "expm1", "tanh", "sigmoid", "erf", "sin", "cos"),
    *("hardtanh", "softplus", "logsigmoid", "gelu", "silu", "mish", "hardswish", "elu", "celu"),
    *("selu", "softsign", "atan"),
)
_NORMS = ("layer_norm", "rms_norm")
_MOVES = ("reshape", "permute", "broadcast", "concat", "slice", "pad", "flip")
_DECIDED = (
    *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "sign"),
    *("floor", "ceil", "round"),
    *("logical_and", "logical_or", "logical_not", "argmax", "argsort"),
)
_MEAN_VALUE = "the mean value theorem; rounding: UNITS, held against the runtime"
_ANY_ORDER = "linear; rounding in any order: Higham 2002, 3.1 and 4.2"
_ONCE = "the mean value theorem; one rounding: Higham 2002, 2.2"
_KNOWN = "the entry that is surely it; else the worst of all that may be"

RULES: Mapping[str, Cited[Executed]] = {
    **dict.fromkeys(_CURVES, Cited(_curve, _MEAN_VALUE)),
    **dict.fromkeys(_MOVES, Cited(_move, "a move: of errors")),
    **dict.fromkeys(
        _DECIDED, Cited(_decided, "nothing is rounded; another result where undecided")
    ),
    "stop_gradient": Cited(_same, "the value itself"),
    "neg": Cited(_neg, "nothing is rounded"),
    "abs": Cited(partial(_kink, lambda: -1.0, 1.0), "the mean value theorem"),
    "relu": Cited(partial(_kink, lambda: 0.0, 1.0), "the mean value theorem"),
    "leaky_relu": Cited(partial(_kink, lambda *, negative_slope: negative_slope, 1.0), _ONCE),
    "add": Cited(partial(_sum, 1.0), _ONCE),
    "sub": Cited(partial(_sum, -1.0), _ONCE),
    "mul": Cited(_mul, _ONCE),
    "div": Cited(_div, _ONCE),
    "maximum": Cited(partial(_extreme, 1), _KNOWN),
    "minimum": Cited(partial(_extreme, 0), _KNOWN),
    "square": Cited(partial(_power, lambda: 2), _ONCE),
    "pow_int": Cited(partial(_power, lambda *, exponent: exponent), _ONCE),
    "cast": Cited(_cast, "none between floats; else as a comparison"),
    "where": Cited(_where, "the one that the mask picks; how far apart where it may be another"),
    **dict.fromkeys(("dot", "matmul", "linear"), Cited(_product, _ANY_ORDER)),
    **dict.fromkeys(("conv2d", "conv2d_dx", "conv2d_dk"), Cited(_product, _ANY_ORDER)),
    "sum": Cited(partial(_total, _count, 0), _ANY_ORDER),
    "mean": Cited(partial(_total, _count, 4), _ANY_ORDER),
    "cumsum": Cited(partial(_total, lambda x, y, *, dim: int(x[dim]), 0), _ANY_ORDER),
    "prod": Cited(partial(_factors, _count), _ANY_ORDER),
    "cumprod": Cited(partial(_factors, lambda x, y, *, dim: int(x[dim])), _ANY_ORDER),
    "avg_pool2d": Cited(
        partial(_total, lambda x, y, *, kernel_size, **rest: math.prod(kernel_size), 4), _ANY_ORDER
    ),
    "amax": Cited(partial(_greatest, 1.0, _join), _KNOWN),
    "amin": Cited(partial(_greatest, -1.0, _join), _KNOWN),
    "max_pool2d": Cited(partial(_greatest, 1.0, _windows), _KNOWN),
    "sort": Cited(_sort, "no entry moves further than the worst of its axis"),
    "gather": Cited(partial(_taken, 0), "a move; the worst of all where the index varies"),
    "embedding": Cited(partial(_taken, 1), "a move; the worst of all where the index varies"),
    "scatter_add": Cited(_added, _ANY_ORDER),
    "softmax": Cited(_softmax, "its Jacobian between the least and greatest values"),
    "log_softmax": Cited(_log_softmax, "its Jacobian between the least and greatest values"),
}
"""For each row how far its execution is off; a row with a definition has that of its parts."""


def executed(op: Op, *xs: Executed, **attrs: Attr) -> Executed:
    """An op in float32.

    Raises:
        MeaningError: There is no rule for the op, or it computes in other floats.
    """
    real: Interval = op.meaning("interval")(*(x.real for x in xs), **attrs)
    if op.definition is not None and op.name not in RULES:
        read: Executed = replace(op.definition(READ, *xs, **attrs), real=real)
        return _normed(read, xs, **attrs) if op.name in _NORMS else read  # type: ignore[arg-type]
    [spec] = results(op.shape(*(Spec(x.shape, x.dtype) for x in xs), **attrs))
    if spec.dtype in FLOATING and spec.dtype != "float32":
        raise MeaningError(
            f"`{op.name}` has no float32 execution.", because=f"it computes in {spec.dtype}"
        )
    if op.name not in RULES:
        raise MeaningError(
            f"`{op.name}` has no float32 meaning.", because="no bound of its rounding is stated"
        )
    return RULES[op.name](Call(op, attrs, xs, real, spec.dtype))


def _normed(found: Executed, xs: tuple[Executed, ...], *, ndim: int, eps: float) -> Executed:
    """A number over the root of the mean of n squares, its own among them, is at most sqrt n."""
    x, (weight, *bias) = xs[0], xs[1:]
    n = math.prod(x.shape[len(x.shape) - ndim :])
    if eps < 2.0**-100 or not np.max(magnitude(x.there), initial=0.0) < 2.0**60:
        return found
    most = math.sqrt(n) * (1 + 2 * (n + 64) * UNIT) * magnitude(weight.there)
    moved = sum(magnitude(b.there) for b in bias)
    far = 2 * most + 4 * UNIT * (most + moved) + 8 * TINY + sum(b.error for b in bias)
    error = np.minimum(found.error, np.asarray(far) * executed_.SLACK)
    if np.all(np.isfinite(found.error)):
        return replace(found, error=error)
    return replace(found, error=error, noise=error, shares=())


class _Reader:
    """Reads a definition as float32 executions."""

    def __call__(self, op: Op, *xs: Executed, **attrs: Attr) -> Executed:
        return executed(op, *xs, **attrs)

    def like(self, x: Executed, number: float) -> Executed:
        """One number, which is rounded."""
        off = np.full(x.shape, abs(float(np.float32(number)) - number))
        return Executed(x.real.like(number), off, off)


READ: Any = _Reader()
