"""Whole numbers beside a number, and what a division leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from jax import Array, lax
from jax.extend.core import Primitive
from numpy.typing import NDArray

from tensorem import rules
from tensorem.domains import Ball, Interval, Rational

from ._derive import Reader, Value, composite, enclosed
from ._op import Cited, Op
from .arithmetic import div, mul, sub
from .compare import less, where

Arb = Any
"""A number of Arb, of which a ball is made."""
Integers = NDArray[Any]


def _nearest(num: Integers, den: int) -> Integers:
    """Of two that are as near the even one."""
    above, left = (2 * num + den) // (2 * den), (2 * num + den) % (2 * den)
    return np.asarray(above - ((left == 0) & (above % 2 == 1)))


def _nearest_arb(a: Arb) -> Arb:
    above = (a + 0.5).floor()
    is_odd = 2 * (above / 2).floor() != above
    return above - 1 if above == a + 0.5 and is_odd else above


def _rising(
    name: str,
    run: Callable[[Array], Array],
    exact: Callable[[Integers, int], Integers],
    arb: Callable[[Arb], Arb],
    of_ends: str,
    primitive: Primitive | None,
) -> Op:
    """A row of a function that rises from one whole number to the next."""

    def ball(x: Ball) -> Ball:
        low, high = (Ball(end, x.bits).each(arb) for end in x.ends())
        return low.hull(high)

    def interval(x: Interval) -> Interval:
        return x.map(getattr(x.rounding.xp, of_ends))

    return Op(
        name,
        1,
        rules.floats,
        run,
        exact=lambda x: Rational(np.asarray(exact(x.num, x.den), object)),
        ball=Cited(ball, "rising: of its ends"),
        interval=Cited(interval, "rising: its ends, nothing is rounded"),
        lines=enclosed(interval),
        primitive=primitive,
    )


floor = _rising(
    "floor", lax.floor, lambda num, den: num // den, lambda a: a.floor(), "floor", lax.floor_p
)
ceil = _rising(
    "ceil", lax.ceil, lambda num, den: -(-num // den), lambda a: a.ceil(), "ceil", lax.ceil_p
)
round = _rising(
    "round",
    partial(lax.round, rounding_method=lax.RoundingMethod.TO_NEAREST_EVEN),
    _nearest,
    _nearest_arb,
    "round",
    None,
)


def _rem(read: Reader, x: Value, y: Value) -> Value:
    """x less y times the whole part of the quotient."""
    quotient = read(div, x, y)
    is_below = read(less, quotient, read.like(quotient, 0.0))
    return read(
        sub,
        x,
        read(mul, y, read(where, is_below, read(ceil, quotient), read(floor, quotient))),
    )


rem = composite("rem", 2, rules.floats, _rem, run=lax.rem, primitive=lax.rem_p)
