"""Directed rounding against exact arithmetic."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import law_numbers
from tensorem.domains import Interval, _interval
from tensorem.errors import DataError

Array = Any
LONG_THIRD = np.longdouble(1) / 3
"""A number of more bits than float64 has, where the platform has such."""


def _holds(lower: Array, upper: Array, values: list[Fraction]) -> None:
    for a, b, v in zip(np.ravel(lower), np.ravel(upper), values, strict=True):
        assert a == -np.inf or Fraction(float(a)) <= v, (a, float(v))
        assert b == np.inf or v <= Fraction(float(b)), (b, float(v))


def _points(f: Callable[..., Any], low: int, high: int) -> tuple[Array, list[Fraction]]:
    a, b = (law_numbers.every_size(2000, s, low, high) for s in (5, 6))
    keep = b != 0
    a, b = a[keep], b[keep]
    pairs = [(Fraction(p), Fraction(q)) for p, q in zip(a.tolist(), b.tolist(), strict=True)]
    return f(Interval.of(a, a), Interval.of(b, b)), [f(p, q) for p, q in pairs]


@pytest.mark.parametrize(
    "f",
    [lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / y],
    ids=["add", "sub", "mul", "div"],
)
@pytest.mark.parametrize(("low", "high"), [(-1074, 1000), (-20, 20), (-1074, -1000), (990, 1023)])
def test_single_operations_enclose_the_exact_result(
    f: Callable[..., Any], low: int, high: int
) -> None:
    found, exact = _points(f, low, high)
    _holds(found.lower, found.upper, exact)


def test_a_sum_of_floats_that_is_a_float_stays_a_point() -> None:
    found = Interval.of([1.0, 0.0], [1.0, 0.0]) + Interval.of([2.0, 0.0], [2.0, 0.0])
    assert np.array_equal(found.lower, found.upper)


def test_overflow_ends_in_an_infinite_end_not_in_a_wrong_one() -> None:
    big = Interval.of([1.7e308], [1.7e308])
    for y in (big + big, big * big, big / Interval.of([1e-10], [1e-10])):
        assert (y.lower[0], y.upper[0]) == (np.finfo(np.float64).max, np.inf)


def test_integers_that_no_float_is_lie_inside() -> None:
    for n in (2**53 + 1, -(2**53) - 1, 2**63 - 1):
        for found in (Interval.point(np.array([n])), Interval.of([n], [n])):
            _holds(found.lower, found.upper, [Fraction(n)])
    assert Interval.point(np.array([2**52 + 1])).is_point
    assert not Interval.point(np.array([2**53 + 1])).is_point


@pytest.mark.parametrize(
    ("given", "exact"),
    [
        (Fraction(1, 3), Fraction(1, 3)),
        (Decimal("0.1"), Fraction(1, 10)),
        (2**70 + 1, Fraction(2**70 + 1)),
        (LONG_THIRD, Fraction(*LONG_THIRD.as_integer_ratio())),
    ],
)
def test_numbers_that_float64_rounds_lie_inside(given: Any, exact: Fraction) -> None:
    for box in (Interval.of([given], [given]), Interval.point(np.array([given]))):
        _holds(box.lower, box.upper, [exact])
    assert Interval.point(np.array([Fraction(1, 2)], object)).is_point


def test_ends_are_in_order() -> None:
    with pytest.raises(DataError, match="takes lower ends up to its upper ends, got one above"):
        Interval.of([0.0, 1.0], [1.0, 0.0])


@pytest.mark.parametrize("terms", [1, 2, 7, 64])
def test_sums_enclose_the_exact_sum(terms: int) -> None:
    for seed, span in ((1, (-1074, 900)), (2, (-30, 30)), (3, (-1074, -1040))):
        a = law_numbers.every_size(terms * 50, seed, *span).reshape(50, terms)
        found = Interval.of(a, a).sums(lambda x: x.sum(axis=1), terms)
        _holds(found.lower, found.upper, [sum(map(Fraction, row)) for row in a.tolist()])  # type: ignore[misc]


def test_sums_of_integers_are_exact_while_they_are_floats() -> None:
    a = np.array([[3.0, -5.0, 2.0**51], [0.5, 1.0, 2.0], [2.0**52, 2.0**52, 2.0**52]])
    found = Interval.of(a[:1], a[:1]).sums(lambda x: x.cumsum(axis=1), 3)
    assert np.array_equal(found.lower, found.upper)
    assert np.array_equal(found.lower, a[:1].cumsum(axis=1))
    for row in a[1:]:
        found = Interval.of(row, row).sums(lambda x: x.sum(axis=0), 3)
        assert found.lower < row.sum() < found.upper


@pytest.mark.parametrize("terms", [1, 3, 40])
def test_dots_enclose_the_exact_dot_at_the_corners(terms: int) -> None:
    for seed, span in ((1, (-700, 400)), (2, (-30, 30)), (3, (-540, -530))):
        a = law_numbers.every_size(terms * 30, seed, *span).reshape(30, terms)
        b = law_numbers.every_size(terms * 2, seed + 9, *span).reshape(terms, 2)
        x = Interval.of(a - np.abs(a) / 8, a + np.abs(a) / 8)
        found = x.products(Interval.of(b, b), np.matmul, terms)
        for corner in (x.lower, x.upper, a):
            _holds(found.lower, found.upper, _exact_matmul(corner, b))


def _exact_matmul(a: Array, b: Array) -> list[Fraction]:
    rows, columns = a.tolist(), b.T.tolist()
    return [
        sum((Fraction(p) * Fraction(q) for p, q in zip(r, c, strict=True)), Fraction(0))
        for r in rows
        for c in columns
    ]


def test_the_network_on_which_float_bounds_are_wrong() -> None:
    """relu(x + 2^24) - 2^24 on [0, 1.5]: peers' float32 bounds exclude values that it takes."""
    shift = Interval.point(np.array([2.0**24]))
    y = abs(Interval.of([0.0], [1.5]) + shift) - shift
    assert (y.lower[0], y.upper[0]) == (0.0, 1.5)


def test_infinite_ends_and_what_is_not_a_number_become_the_whole_line() -> None:
    line, one = Interval.of([-np.inf], [np.inf]), Interval.of([1.0], [2.0])
    zero = Interval.of([0.0], [0.0])
    for y in (line + line, line - line, line * line, one / line, line * one, line / line):
        assert (y.lower[0], y.upper[0]) == (-np.inf, np.inf)
    assert ((line * zero).lower[0], (line * zero).upper[0]) == (0.0, 0.0)
    nan = np.array([np.nan])
    for broken in (Interval.of(nan, nan), Interval.point(nan), Interval(nan, nan) + one):
        assert (broken.lower[0], broken.upper[0]) == (-np.inf, np.inf)
    assert not Interval.point(nan).is_point


def test_a_dot_with_an_infinite_end_is_the_whole_line() -> None:
    x = Interval.of([[0.0, -np.inf]], [[1.0, np.inf]])
    y = x.products(Interval.of([[1.0], [1.0]], [[1.0], [1.0]]), np.matmul, 2)
    assert (y.lower[0, 0], y.upper[0, 0]) == (-np.inf, np.inf)


def test_a_divisor_that_may_be_zero_gives_the_whole_line() -> None:
    y = Interval.of([1.0, 1.0], [1.0, 1.0]) / Interval.of([-1.0, 0.0], [1.0, 1.0])
    assert np.all(y.lower == -np.inf) and np.all(y.upper == np.inf)


def test_claims_are_decided_only_where_they_must_be() -> None:
    x, y = Interval.of([0.0, 0.0, 3.0], [1.0, 3.0, 4.0]), Interval.of([2.0] * 3, [3.0] * 3)
    less = _interval.claim(x.lower >= y.upper, x.upper < y.lower, x)
    assert (list(less.lower), list(less.upper)) == ([1.0, 0.0, 0.0], [1.0, 1.0, 0.0])


def test_an_undecided_choice_is_the_hull() -> None:
    mask = Interval.of([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    y = _interval.choose(mask, Interval.of([5.0] * 3, [6.0] * 3), Interval.of([1.0] * 3, [2.0] * 3))
    assert (list(y.lower), list(y.upper)) == ([1.0, 1.0, 5.0], [2.0, 6.0, 6.0])


def test_an_interval_passes_through_jit_and_vmap() -> None:
    x = Interval(jnp.zeros((3, 2)), jnp.ones((3, 2)))
    y = jax.jit(jax.vmap(lambda a: a + a))(x)
    assert not y.is_rigorous and y.shape == (3, 2)
    weight = jax.jit(lambda a: a)(Interval.point(jnp.ones(2)))
    assert weight.is_point and not y.is_point


def test_numbers_that_are_not_jax_arrays_are_read_rigorously() -> None:
    assert Interval.point(np.float32([1.0])).is_rigorous
    assert Interval.point(np.float32([0.1])).lower[0] == float(np.float32(0.1))
    assert not Interval.point(jnp.ones(1)).is_rigorous


def test_examples() -> None:
    assert doctest.testmod(_interval).failed == 0
