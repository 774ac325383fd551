"""Rows of functions of one number, from facts: where they rise, how they bend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tensorem.domains import Diagonal, Interval, Lines

from . import _specs
from ._derive import IRRATIONAL, Box, boxed
from ._op import Cited, Op

Array = Any
Function = Callable[[Array], Array]
Line = tuple[Array, Array]
Bend = Callable[[Function, Array, Array], tuple[Line, Line]]
"""(function, low, high) -> the line below it and the line above."""


@dataclass(frozen=True)
class Curve:
    """What is known of a function of one number.

    Args:
        run: The function in JAX.
        wide: The function in NumPy float64.
        ulps: How far a value of `wide` is off at most, in units of its last place (tested).
        rising: It rises everywhere; otherwise it falls everywhere.
        bend: "convex", "concave", or "s" (convex below 0, concave above).
        above: The function is defined for numbers above this one ...
        closed: ... and at it.
        least: No value lies below.
        greatest: No value lies above.
    """

    run: Function
    wide: Function
    ulps: int
    rising: bool = True
    bend: str = "convex"
    above: float = -np.inf
    closed: bool = False
    least: float = -np.inf
    greatest: float = np.inf


def curve(name: str, facts: Curve, **rest: Any) -> Op:
    """A row of a function of one number, from facts about it."""
    return Op(
        name,
        1,
        _specs.floats,
        Cited(facts.run, "as JAX computes it; no bound of its error is claimed"),
        **{
            "exact": IRRATIONAL,
            "interval": Cited(partial(monotone, facts), _monotone_source(facts)),
            "lines": Cited(partial(bent, facts), _BENT_SOURCES[facts.bend]),
            **rest,
        },
    )


def _monotone_source(facts: Curve) -> str:
    way = "rising" if facts.rising else "falling"
    return f"{way}: its ends, {facts.ulps} ulp outward (held against mpmath)"


CONVEX = "convex: chord above, tangent at the middle below"
_BENT_SOURCES = {
    "convex": CONVEX,
    "concave": "concave: tangent at the middle above, chord below",
    "s": "Zhang et al. 2018 (CROWN), table 2: tangents and chords",
}


def monotone(facts: Curve, x: Interval) -> Interval:
    """A rising or falling function, read at both ends; the whole line where it is not defined."""
    f = facts.wide if x.is_rigorous else facts.run
    y = x.values(f, facts.ulps) if facts.rising else -(x.values(lambda a: -f(a), facts.ulps))
    return y.clip(facts.least, facts.greatest).unless(_outside(facts, x.lower))


def _outside(facts: Curve, a: Array) -> Array:
    return a < facts.above if facts.closed else a <= facts.above


def bent(facts: Curve, box: Box) -> Lines:
    """Lines of a function whose bend is known; infinite where it is not defined."""
    x = boxed(box)
    lower, upper = _BENDS[facts.bend](facts.run, x.lower, x.upper)
    return between(lower, upper, monotone(facts, x))


def between(lower: Line, upper: Line, values: Interval) -> Lines:
    """Lines with these slopes and offsets; the ends of the values where a line is not finite."""
    low, floor = _finite(lower, values, values.lower)
    high, roof = _finite(upper, values, values.upper)
    return Lines((Diagonal(low),), (Diagonal(high),), floor, roof)


def _finite(line: Line, values: Interval, end: Array) -> Line:
    good = jnp.isfinite(line[0]) & jnp.isfinite(line[1]) & jnp.isfinite(values.upper)
    return jnp.where(good, line[0], 0), jnp.where(good, line[1], end)


def tangent(f: Function, at: Array) -> Line:
    """The line that touches a curve at a point."""
    y, slope = jax.jvp(f, (at,), (jnp.ones_like(at),))
    return slope, y - slope * at


def chord(f: Function, low: Array, high: Array) -> Line:
    """The line through two points of a curve; its tangent where they are too close to tell."""
    width = high - low
    close = width <= 1e-6 * jnp.maximum(jnp.abs(low), jnp.abs(high))
    slope, offset = tangent(f, low)
    steep = (f(high) - f(low)) / jnp.where(close, 1, width)
    return pick(close, (slope, offset), (steep, f(low) - steep * low))


def pick(mask: Array, x: Line, y: Line) -> Line:
    """One line where the mask holds, the other elsewhere."""
    return jnp.where(mask, x[0], y[0]), jnp.where(mask, x[1], y[1])


def convex(f: Function, low: Array, high: Array) -> tuple[Line, Line]:
    """Tangent at the middle below, chord above."""
    return tangent(f, (low + high) / 2), _roof(f, low, high)


def _roof(f: Function, low: Array, high: Array) -> Line:
    """The chord of a convex function, lifted where it is too short to be computed well."""
    slope, offset = chord(f, low, high)
    return slope, jnp.maximum(offset, jnp.maximum(f(low) - slope * low, f(high) - slope * high))


def s_shaped(f: Function, low: Array, high: Array) -> tuple[Line, Line]:
    """Convex below 0 and concave above: tangents through the far ends where it bends both ways."""
    lower, upper = convex(f, low, high)
    inner, outer = concave(f, low, high)
    left, right = high <= 0, low >= 0
    return (
        pick(left, lower, pick(right, inner, _under(f, low, high))),
        pick(left, upper, pick(right, outer, _over(f, low, high))),
    )


def upside_down(bound: Bend) -> Bend:
    """The lines of functions that bend the other way everywhere."""

    def flipped(f: Function, low: Array, high: Array) -> tuple[Line, Line]:
        lower, upper = bound(lambda x: -f(x), low, high)
        return _minus(upper), _minus(lower)

    return flipped


concave = upside_down(convex)
flipped_s = upside_down(s_shaped)


def _over(f: Function, low: Array, high: Array) -> Line:
    """The least line above an s on [low, high], low < 0 < high: from (low, f(low)) to a tangent.

    The touching point is found by bisection; its upper end is taken, whose tangent lies above.
    """

    def below(d: Array) -> Array:
        slope, offset = tangent(f, d)
        return slope * low + offset < f(low)

    def halve(_: int, ends: Line) -> Line:
        middle = (ends[0] + ends[1]) / 2
        under = below(middle)
        return jnp.where(under, middle, ends[0]), jnp.where(under, ends[1], middle)

    start = (jnp.clip(0.0, low, high), high)
    _, touch = jax.lax.fori_loop(0, _HALVINGS, halve, start)
    return pick(below(high), _roof(f, low, high), tangent(f, touch))


_HALVINGS = 24


def _under(f: Function, low: Array, high: Array) -> Line:
    """The greatest line below: the same s, turned by half a circle."""
    slope, offset = _over(lambda x: -f(-x), -high, -low)
    return slope, -offset


def _minus(line: Line) -> Line:
    return -line[0], -line[1]


_BENDS: dict[str, Bend] = {
    "convex": convex,
    "concave": concave,
    "s": s_shaped,
}


def kink(left: float, right: float, box: Box) -> Lines:
    """Lines of the function with one slope below zero and another above: relu, leaky_relu, abs.

    Args:
        left: The slope below zero.
        right: The slope above zero.
        box: Where. The lower line has the slope of its longer side.

    Source:
        Zhang et al. 2018 (CROWN), section 3.3: adaptive lower slope.
    """
    x = boxed(box)
    if left > right:
        return _upside_down(kink(-left, -right, box))
    mixed = (x.lower < 0) & (x.upper > 0)
    stable = jnp.where(x.lower >= 0, right, left)
    width = jnp.where(mixed, x.upper - x.lower, 1)
    roof = jnp.where(mixed, (right * x.upper - left * x.lower) / width, stable)
    floor = jnp.where(mixed, jnp.where(x.upper > -x.lower, right, left), stable)
    top = jnp.where(mixed, (left - roof) * x.lower, 0)
    return Lines((Diagonal(floor),), (Diagonal(roof),), jnp.zeros_like(top), top)


def _upside_down(lines: Lines) -> Lines:
    """Lines of -f, from diagonal lines of f."""
    floor = tuple(Diagonal(-m.coefficient) for m in lines.upper if isinstance(m, Diagonal))
    roof = tuple(Diagonal(-m.coefficient) for m in lines.lower if isinstance(m, Diagonal))
    return Lines(floor, roof, -lines.upper_offset, -lines.lower_offset)
