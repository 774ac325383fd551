"""Columns to other units and back, against NumPy and exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tensorem as tm
from tensorem import nn
from tensorem.data import Scale
from tensorem.errors import ArgumentError, ShapeError

X = np.random.default_rng(0).normal((3000, 0.02), (800, 0.005), (50, 2)).astype(np.float32)


def test_columns_have_mean_0_and_deviation_1_and_come_back() -> None:
    scale = Scale.of(X)
    there = nn.build(nn.Standardize(scale.mean, scale.std), ("N", 2))
    back = nn.build(nn.Unstandardize(scale.mean, scale.std), ("N", 2))
    y = np.asarray(there(X), np.float64)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(back(there(X)), X, rtol=1e-5)
    assert not there.params and not there.buffers


def test_exactly() -> None:
    model = nn.build(nn.Standardize((0.5,), (3.0,)), (1,))
    exact: Any = tm.evaluate(model, np.array([1.0], np.float32), dtype="rational")
    assert Fraction(str(exact).removeprefix("Rational([").removesuffix("])")) == Fraction(1, 6)


def test_a_constant_column_is_left_at_0() -> None:
    x = np.full((3, 1), 0.1, np.float32)
    scale = Scale.of(x)
    assert scale.std == (1.0,)
    assert nn.build(nn.Standardize(scale.mean, scale.std), ("N", 1))(x).tolist() == [[0.0]] * 3


@pytest.mark.parametrize("kind", [nn.Standardize, nn.Unstandardize])
@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        ((0.0,), (0.0,), r"takes std as a finite number above 0, got 0.0"),
        ((float("nan"),), (1.0,), "takes mean as a finite number, got"),
        (0.0, 1.0, "takes mean as a tuple of numbers, got 0.0"),
        ((0.0, 1.0), (1.0,), "one mean and one std for each column, got 2 and 1"),
        ((), (), "one mean and one std for each column, got 0 and 0"),
    ],
)
def test_what_is_no_scale_is_refused(kind: Any, mean: Any, std: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        kind(mean, std)


def test_other_columns_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"takes \(\*batch, 1\), got \(N, 2\)") as caught:
        nn.build(nn.Standardize((0.0,), (1.0,)), ("N", 2))
    assert "one mean and one std for each of the 2 columns" in caught.value.help
