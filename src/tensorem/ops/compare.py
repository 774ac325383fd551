"""Comparisons, logic and choice."""

from __future__ import annotations

import operator
from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Primitive

from tensorem import rules
from tensorem.domains import Ball, Interval, Lines
from tensorem.domains import _ball as balls
from tensorem.domains import _exact as exact
from tensorem.domains import _interval as intervals

from ._derive import Box, boxed, enclosed, of_sizes, value, weighted
from ._op import Cited, Op, Rule


def _less(x: Interval, y: Interval) -> Interval:
    return intervals.claim(x.lower >= y.upper, x.upper < y.lower, x)


def _less_equal(x: Interval, y: Interval) -> Interval:
    return intervals.claim(x.lower > y.upper, x.upper <= y.lower, x)


def _equal(x: Interval, y: Interval) -> Interval:
    apart = (x.upper < y.lower) | (y.upper < x.lower)
    points = (x.lower == x.upper) & (y.lower == y.upper)
    return intervals.claim(apart, points & (x.lower == y.lower), x)


def _not(x: Interval) -> Interval:
    return x.like(1.0) - x


def _where_lines(mask: Box, x: Box, y: Box) -> Lines:
    """Where the mask is decided, its choice; elsewhere the ends of both."""
    m = boxed(mask)
    kind = jnp.result_type(value(x))
    yes, no = (m.lower >= 1).astype(kind), (m.upper <= 0).astype(kind)
    either, undecided = boxed(x).hull(boxed(y)), yes + no == 0
    low, high = (jnp.where(undecided, end, 0) for end in (either.lower, either.upper))
    lines = weighted((x, y), (yes, no), (yes, no), low, high)
    return replace(lines, lower=(None, *lines.lower), upper=(None, *lines.upper))


def _comparison(
    name: str, run: Rule, primitive: Primitive, claim: Rule, opposite: Rule, interval: Rule
) -> Op:
    """A row of a comparison: `claim` and what denies it, on numbers over one denominator."""

    def ball(x: Ball, y: Ball) -> Ball:
        return balls.entrywise(lambda a, b: balls.claim(claim(a, b), opposite(a, b), a), x, y)

    return Op(
        name,
        2,
        rules.predicate,
        run,
        exact=partial(exact.truth, claim),
        ball=Cited(ball, "0 or 1 where the balls decide, else from 0 to 1"),
        interval=Cited(interval, "0 or 1 where the ends decide, else [0, 1]"),
        lines=enclosed(interval),
        primitive=primitive,
    )


def _logic(
    name: str,
    arity: int,
    run: Rule,
    primitive: Primitive,
    on_numbers: Rule,
    on_arbs: Rule,
    interval: Rule,
) -> Op:
    """A row of logic on 0 and 1."""
    return Op(
        name,
        arity,
        rules.logic,
        run,
        exact=partial(exact.truth, on_numbers),
        ball=Cited(partial(balls.entrywise, on_arbs), "monotone on 0 and 1"),
        interval=Cited(interval, "monotone on 0 and 1: its ends"),
        lines=enclosed(interval),
        primitive=primitive,
    )


def _each(name: str) -> Rule:
    return lambda *xs: intervals.joined(getattr(xs[0].rounding.xp, name), *xs)


_CHOICE = "the one that the mask picks; where it is undecided, the hull of both"

equal = _comparison("equal", lax.eq, lax.eq_p, operator.eq, operator.ne, _equal)
not_equal = _comparison(
    "not_equal",
    lax.ne,
    lax.ne_p,
    operator.ne,
    operator.eq,
    lambda x, y: _not(_equal(x, y)),
)
less = _comparison("less", lax.lt, lax.lt_p, operator.lt, operator.ge, _less)
less_equal = _comparison("less_equal", lax.le, lax.le_p, operator.le, operator.gt, _less_equal)
greater = _comparison(
    "greater", lax.gt, lax.gt_p, operator.gt, operator.le, lambda x, y: _less(y, x)
)
greater_equal = _comparison(
    "greater_equal",
    lax.ge,
    lax.ge_p,
    operator.ge,
    operator.lt,
    lambda x, y: _less_equal(y, x),
)
logical_and = _logic(
    "logical_and",
    2,
    lax.bitwise_and,
    lax.and_p,
    np.minimum,
    lambda a, b: a.min(b),
    _each("minimum"),
)
logical_or = _logic(
    "logical_or", 2, lax.bitwise_or, lax.or_p, np.maximum, lambda a, b: a.max(b), _each("maximum")
)
logical_not = _logic(
    "logical_not", 1, lax.bitwise_not, lax.not_p, lambda num: num == 0, lambda a: 1 - a, _not
)
where = Op(
    "where",
    3,
    rules.where,
    run=lax.select,
    exact=exact.choose,
    ball=Cited(balls.choose, _CHOICE),
    interval=Cited(intervals.choose, _CHOICE),
    lines=Cited(_where_lines, _CHOICE),
    sizes=of_sizes(exact.choose),
)
