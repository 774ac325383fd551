"""Rows of functions of one number, from facts: where they turn, where and how they bend."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from tensorem import rules
from tensorem.domains import Ball, Diagonal, End, Interval, Lines
from tensorem.shapes import Spec

from ._derive import IRRATIONAL, Box, boxed
from ._op import Attr, Cited, Op, Operands

Function = Callable[[Array], Array]
Wide = NDArray[Any]
"""Arrays of float64 in NumPy."""
Arb = Any
"""A number of Arb, of which a ball is made."""
Line = tuple[Array, Array]
"""Slope and offset."""


# --- facts


@dataclass(frozen=True)
class Turn:
    """A place where a curve turns from falling to rising, or back.

    Args:
        low: The place lies here ...
        high: ... or between here and there.
        value: A number not above the least value there, or not below the greatest.
    """

    low: float
    high: float
    value: float


@dataclass(frozen=True)
class Bends:
    """The pieces on which a function bends one way, from left to right.

    Args:
        kinds: Of each piece: "convex", "concave" or "linear".
        joints: Where they meet, at inflections and kinks. The bend beside a rounded inflection is
            as small as the rounding, so a piece may be off by that much.
        period: The function repeats after so much. Then a piece begins at every joint.
    """

    kinds: tuple[str, ...]
    joints: tuple[float, ...] = ()
    period: float = math.inf

    def unrolled(self, x: Interval) -> tuple[tuple[str, ...], Array]:
        """Kinds, and the ends of the pieces within boxes: (pieces + 1, *shape)."""
        if self.period == math.inf:
            kinds, joints = self.kinds, [jnp.full_like(x.lower, j) for j in self.joints]
        else:
            start = self.period * jnp.floor((x.lower - self.joints[0]) / self.period)
            turns = (start, start + self.period)
            kinds, joints = self.kinds * 2, [t + j for t in turns for j in self.joints][1:]
        inner = [jnp.clip(j, x.lower, x.upper) for j in joints]
        return kinds, jnp.stack([x.lower, *inner, x.upper])

    def fit(self, x: Interval) -> End:
        """Where the pieces are known: of a periodic function on less than a period, not far off."""
        return (x.upper - x.lower < self.period) & ~_far(self.period, x)


CONVEX = Bends(("convex",))
CONCAVE = Bends(("concave",))
S_SHAPED = Bends(("convex", "concave"), (0.0,))


@dataclass(frozen=True)
class Curve:
    """What is known of a function of one number.

    Args:
        run: The function in JAX, with its limits at both infinities.
        wide: The same in NumPy float64.
        ulps: How far a value of `wide` is off at most, in units of its last place (tested).
        grain: The units of smaller values are those of this one.
        ball: The same in numbers of Arb, whose methods it calls.
        slope: The derivative in JAX; without it that of `run`.
        bends: Where and how it bends.
        turns: Every place where it turns, within a period.
        above: The function is defined above this number ...
        closed: ... and at it, if so.
        least: No value lies below.
        greatest: No value lies above.
    """

    run: Function
    wide: Callable[[Wide], Wide]
    ulps: int
    ball: Callable[[Arb], Arb]
    grain: float = 0.0
    slope: Function | None = None
    bends: Bends = CONVEX
    turns: tuple[Turn, ...] = ()
    above: float = -math.inf
    closed: bool = True
    least: float = -math.inf
    greatest: float = math.inf


def curve(name: str, facts: Curve, **rest: Any) -> Op:
    """A row of a function of one number, from facts about it."""
    return family(name, lambda: facts, **rest)


def family(name: str, facts: Callable[..., Curve], **rest: Any) -> Op:
    """A row of curves with attributes: attrs, by keyword -> facts. The defaults name one."""
    one = facts()
    interval = rest.get("interval", Cited(lambda x, **a: values(facts(**a), x), _source(one)))

    def shape(x: Spec, **attrs: Attr) -> Spec:
        facts(**attrs)  # says which attributes there are
        return rules.floats(x)

    def run(x: Array, **attrs: Attr) -> Array:
        return facts(**attrs).run(x)

    def ball(x: Ball, **attrs: Attr) -> Ball:
        return x.each(facts(**attrs).ball)

    def lines(box: Box, **attrs: Attr) -> Lines:
        x, f = boxed(box), facts(**attrs)
        return supported(f.run, f.slope or derivative(f.run), f.bends, x, interval(x, **attrs))

    def jvp(y: Array, xs: Operands, ts: Operands, **attrs: Attr) -> Array:
        slope = facts(**attrs).slope
        assert slope is not None
        return slope(xs[0]) * ts[0]

    columns = {
        "exact": IRRATIONAL,
        "ball": Cited(ball, _ARB),
        "interval": interval,
        "lines": Cited(lines, SUPPORT),
        "jvp": None if one.slope is None else jvp,
        "signature": facts,
    }
    return Op(name, 1, shape, Cited(run, _RUN), **{**columns, **rest})


def _source(facts: Curve) -> str:
    turns = "its ends, and the turning points inside" if facts.turns else "monotone: its ends"
    return f"{turns}, {facts.ulps} ulp outward (held against mpmath)"


_ARB = "its formula in balls: Johansson 2017 (Arb); held against mpmath"
_RUN = "as JAX computes it; no bound of its error is claimed"
SUPPORT = "tangents and chords, as Zhang et al. 2018 (CROWN), table 2; of least area"


# --- intervals


def values(facts: Curve, x: Interval) -> Interval:
    """Values at both ends and at turning points inside; the whole line where there are none."""
    f = facts.wide if x.is_rigorous else facts.run
    ends = (Interval.point(end).values(f, facts.ulps, facts.grain) for end in (x.lower, x.upper))
    low, high = ends
    y = low.hull(high)
    for turn in facts.turns:
        y = y.hull(_turned(turn, facts.bends.period, x, y))
    return y.clip(facts.least, facts.greatest).unless(_outside(facts, x.lower))


def _turned(turn: Turn, period: float, x: Interval, y: Interval) -> Interval:
    """The value of a turning point that may lie inside, else a value that is there anyway."""
    value = x.rounding.xp.where(_passes(turn, period, x), turn.value, y.lower)
    return Interval(value, value)


def _passes(turn: Turn, period: float, x: Interval) -> End:
    """The curve may turn inside. The slack covers the rounding of a period below `_FAR`."""
    if period == math.inf:
        return (x.lower <= turn.high) & (x.upper >= turn.low)
    first = x.rounding.xp.ceil((x.lower - turn.high) / period - _SLACK)
    passes: End = _far(period, x) | (first <= (x.upper - turn.low) / period + _SLACK)
    return passes


def _far(period: float, x: Interval) -> End:
    far: End = (x.rounding.xp.maximum(-x.lower, x.upper) > _FAR) & (period < math.inf)
    return far


_FAR = 2.0**20
_SLACK = 1e-9  # the quotients are off by 3 · 2^-53 · 2^18 at most


def _outside(facts: Curve, a: End) -> End:
    outside: End = a < facts.above if facts.closed else a <= facts.above
    return outside


# --- lines


def supported(f: Function, slope: Function, bends: Bends, x: Interval, y: Interval) -> Lines:
    """Lines of a function with these bends, where its values on the box x lie in y.

    The area between two lines over a box is its width times their distance at the middle. So the
    best line above is least there: it supports the concave hull. Any slope is sound, as its offset
    is taken over all pieces; slopes are searched for, and the flat line is the first.
    """
    kinds, ends = bends.unrolled(x)
    known = bends.fit(x) & (jnp.isfinite(y.lower) | jnp.isfinite(y.upper))
    middle = jnp.asarray(x.lower / 2 + x.upper / 2)
    over = partial(_roof, middle=middle, known=known)
    high, roof = over(_Hull(f, slope, *_split(kinds, ends, "concave")), y.upper)
    under = _Hull(lambda a: -f(a), lambda a: -slope(a), *_split(kinds, ends, "convex"))
    low, floor = over(under, -y.lower)
    return Lines((Diagonal(-low),), (Diagonal(high),), -floor, roof)


def derivative(f: Function) -> Function:
    """The derivative of a function of one number."""
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


@dataclass(frozen=True)
class _Hull:
    """A function over a box: on its humps it is concave, elsewhere greatest at the ends of pieces.

    Args:
        f: The function.
        slope: Its derivative.
        ends: The ends of all pieces (pieces + 1, *shape).
        humps: Lower and upper ends of the humps (2, humps, *shape).
        trials: How many slopes are worth a trial.
    """

    f: Function
    slope: Function
    ends: Array
    humps: Array
    trials: int

    def chord(self, left: Array, right: Array) -> Array:
        """The slope of a chord; the derivative where there is none."""
        width = right - left
        steep = (self.f(right) - self.f(left)) / jnp.where(width > 0, width, 1)
        return jnp.where(width > 0, steep, self.slope(left))

    def highest(self, steep: Array) -> Line:
        """Where f(x) - steep x is greatest, and a number that it does not exceed."""
        tops = self.f(self.ends) - steep * self.ends
        if not self.humps.shape[1]:
            return _greatest(self.ends, tops)
        places, peaks = self._peaks(steep)
        return _greatest(*map(jnp.concatenate, ([self.ends, places], [tops, peaks])))

    def _peaks(self, steep: Array) -> Line:
        """The same on each hump, by bisection for the derivative."""

        def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            middle = (ends[0] + ends[1]) / 2
            rises = self.slope(middle) > steep
            return jnp.where(rises, middle, ends[0]), jnp.where(rises, ends[1], middle)

        low, high = jax.lax.fori_loop(0, _HALVINGS, halve, (self.humps[0], self.humps[1]))
        at = (low + high) / 2
        # A concave function lies below its tangent at `at`, to both ends of what is left.
        rest = jnp.abs(self.slope(at) - steep) * (high - low) / 2
        return at, self.f(at) - steep * at + rest


_HALVINGS = 24
_TRIALS = 8


def _split(kinds: tuple[str, ...], ends: Array, hump: str) -> tuple[Array, Array, int]:
    """All ends, those of humps, and the number of trials: the tangent alone, chords, or both."""
    at = np.array([i for i, kind in enumerate(kinds) if kind == hump], int)
    trials = _TRIALS if 0 < len(at) < len(kinds) else (0 if len(at) == 1 else len(kinds))
    return ends, jnp.stack([ends[at], ends[at + 1]]), trials


def _greatest(places: Array, heights: Array) -> Line:
    """The place of the greatest height, and that height."""
    best = jnp.argmax(heights, axis=0)[None]
    pick = partial(jnp.take_along_axis, indices=best, axis=0)
    return pick(places)[0], pick(heights)[0]


def _roof(hull: _Hull, flat: End, *, middle: Array, known: End) -> Line:
    """The line above that is least at the middle: cutting planes (Kelley 1960) for its slope.

    The chord between the best places left and right of the middle is too steep on one side; where
    the function is highest above it is the next place.
    """

    def tried(steep: Array, best: Line) -> tuple[Array, Line]:
        at, offset = hull.highest(steep)
        better = known & (steep * middle + offset < best[0] * middle + best[1])
        return at, _pick(better, (steep, offset), best)

    def step(_: int, state: tuple[Line, Line]) -> tuple[Line, Line]:
        (left, right), best = state
        at, best = tried(hull.chord(left, right), best)
        return _pick(at <= middle, (at, right), (left, at)), best

    _, best = tried(hull.slope(middle), (jnp.zeros_like(flat), jnp.asarray(flat)))
    ends = hull.ends[0], hull.ends[-1]
    line: Line = jax.lax.fori_loop(0, hull.trials, step, (ends, best))[1]
    return line


def _pick(mask: End, x: Line, y: Line) -> Line:
    """One line where the mask holds, the other elsewhere."""
    return jnp.where(mask, x[0], y[0]), jnp.where(mask, x[1], y[1])


# --- kinks


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


def slope_below(box: Box, lines: Lines, **attrs: Attr) -> dict[str, Array]:
    """The evidence of a kink: the slope of its lower line."""
    below = lines.lower[0]
    assert isinstance(below, Diagonal)
    return {"slope": jnp.clip(below.coefficient, 0, 1)}


def _upside_down(lines: Lines) -> Lines:
    """Lines of -f, from diagonal lines of f."""
    floor = tuple(Diagonal(-m.coefficient) for m in lines.upper if isinstance(m, Diagonal))
    roof = tuple(Diagonal(-m.coefficient) for m in lines.lower if isinstance(m, Diagonal))
    return Lines(floor, roof, -lines.upper_offset, -lines.lower_offset)
