"""Rationals against Python's Fractions."""

from __future__ import annotations

import doctest
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import law_numbers
from tensorem.domains import Rational, _exact
from tensorem.errors import DataError, DTypeError, MeaningError


def _fractions(x: Any) -> list[Fraction]:
    return [Fraction(float(v)) for v in np.ravel(x)]


def test_floats_of_every_size_are_taken_exactly() -> None:
    x = law_numbers.every_size(200, seed=1)
    assert _fractions(x) == list(Rational.of(x).fractions())
    assert np.array_equal(Rational.of(x).to_float(), x)


def test_float32_integers_and_booleans_are_taken_exactly() -> None:
    assert list(Rational.of(np.float32([0.1])).fractions()) == [Fraction(13421773, 134217728)]
    assert list(Rational.of(np.array([2**62, -3])).fractions()) == [2**62, -3]
    assert list(Rational.of(np.array([True, False])).fractions()) == [1, 0]
    assert list(Rational.of([Fraction(1, 3)]).fractions()) == [Fraction(1, 3)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_only_finite_numbers_have_an_exact_value(bad: float) -> None:
    with pytest.raises(DataError, match=f"takes finite numbers, got {bad}"):
        Rational.of([1.0, bad])


def test_floats_of_more_bits_are_taken_exactly_and_complex_numbers_not_at_all() -> None:
    third = np.array([1], np.longdouble) / 3
    assert Rational.of(third).fractions()[0] == Fraction(*third[0].as_integer_ratio())
    with pytest.raises(DTypeError, match="takes numbers, got complex128"):
        Rational.of(np.array([1 + 2j]))


def test_arithmetic_is_that_of_fractions() -> None:
    a, b = law_numbers.every_size(60, seed=2), law_numbers.every_size(60, seed=3)
    x, y = Rational.of(a), Rational.of(b)
    pairs = list(zip(_fractions(a), _fractions(b), strict=True))
    assert list((x + y).fractions()) == [p + q for p, q in pairs]
    assert list((x - y).fractions()) == [p - q for p, q in pairs]
    assert list((x * y).fractions()) == [p * q for p, q in pairs]
    assert list((x / (y * y + Rational.of(np.ones(60)))).fractions()) == [
        p / (q * q + 1) for p, q in pairs
    ]
    assert list(abs(-x).fractions()) == [abs(p) for p, _ in pairs]
    assert list(x.scaled(0.1).fractions()) == [p * Fraction(0.1) for p, _ in pairs]


def test_a_scalar_stays_an_array() -> None:
    x = Rational.of(0.5)
    assert (x.shape, (x + x).shape, (x * x)[()].shape) == ((), (), ())
    assert x.map(lambda num: num.sum()).fractions() == Fraction(1, 2)


def test_the_denominator_is_the_least_common_one() -> None:
    assert (Rational.of([0.5, 0.25]) * Rational.of([4.0, 8.0])).den == 1


def test_roots_of_squares_are_exact_and_all_others_are_refused() -> None:
    assert list(Rational.of([4.0, 2.25, 0.0]).sqrt().fractions()) == [2, Fraction(3, 2), 0]
    with pytest.raises(MeaningError, match="`sqrt` has no exact meaning here") as caught:
        Rational.of([2.0]).sqrt()
    assert caught.value.because == "the root of 2 is irrational"
    with pytest.raises(MeaningError) as caught:
        Rational.of([-4.0]).sqrt()
    assert caught.value.because == "the root of -4 is not real"


def test_a_zero_divisor_is_refused() -> None:
    with pytest.raises(MeaningError, match="`div` has no exact meaning here") as caught:
        _ = Rational.of([1.0]) / Rational.of([0.0])
    assert caught.value.because == "a divisor is zero"


def test_the_nearest_float_is_correctly_rounded() -> None:
    third = Rational.of([Fraction(1, 3), Fraction(10) ** 400, -(Fraction(10) ** 400)])
    assert list(third.to_float()) == [1 / 3, np.inf, -np.inf]


def test_examples() -> None:
    assert doctest.testmod(_exact).failed == 0
