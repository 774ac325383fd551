"""Initialisers: ranges, PyTorch's defaults, the original's numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tensorem import nn
from tensorem.errors import ArgumentError

BOUNDS = [
    (nn.Linear(64, 100), "weight", 1 / 8),
    (nn.Linear(64, 2000), "bias", 1 / 8),
    (nn.Conv2d(8, 40, 3, groups=2), "weight", 1 / 6),
    (nn.Conv2d(8, 2000, 3, groups=2), "bias", 1 / 6),
]


@pytest.mark.parametrize(("layer", "name", "bound"), BOUNDS)
def test_defaults_are_uniform_on_torchs_range(layer: Any, name: str, bound: float) -> None:
    declared = layer.parameters()[name]
    values = declared.init(declared.shape, seed=1)
    assert -bound <= values.min() < -0.99 * bound and 0.99 * bound < values.max() <= bound
    assert abs(values.mean()) < 0.05 * bound
    assert abs(values.std() - bound / math.sqrt(3)) < 0.03 * bound


@pytest.mark.parametrize(("layer", "name", "bound"), BOUNDS)
def test_torch_has_the_same_range(layer: Any, name: str, bound: float) -> None:
    torch = pytest.importorskip("torch")
    module = eval(f"nn.{layer!r}", {"nn": torch.nn})
    largest = float(getattr(module, name).detach().abs().max())
    assert 0.99 * bound < largest <= bound


def test_the_schemes_have_their_ranges() -> None:
    shape = (200, 100)
    for init, bound in (
        (nn.init.xavier_uniform(), math.sqrt(6 / 300)),
        (nn.init.kaiming_uniform(), math.sqrt(6 / 100)),
        (nn.init.uniform(-3, 3), 3.0),
        (nn.init.original_xavier_uniform(), math.sqrt(6 / 300)),
        (nn.init.original_kaiming_uniform(), math.sqrt(6 / 100)),
    ):
        values = init(shape, seed=2)
        assert 0.99 * bound < np.abs(values).max() <= bound
    values = nn.init.normal(1.0, 2.0)(shape, seed=2)
    assert abs(values.mean() - 1) < 0.05 and abs(values.std() - 2) < 0.05
    assert np.all(nn.init.ones()((2, 3), 0) == 1) and np.all(nn.init.zeros()((2, 3), 0) == 0)


def test_the_originals_numbers() -> None:
    # reference notes, section 8.3: Linear(2, 8) with seed 0, and as built from the stream of 0
    init = nn.init.original_xavier_uniform()
    first = init((8, 2), 0).ravel()[:2]
    np.testing.assert_allclose(first, [-0.4088817382816579, -0.34304267018323487], rtol=1e-14)
    built = init((8, 2), 7960286522194355700).ravel()[:4]
    expected = [
        -0.34918436967913025,
        0.6095068161633985,
        -0.6821964289695664,
        -0.2643943761784916,
    ]
    np.testing.assert_allclose(built, expected, rtol=1e-13)


def test_fans_are_torchs() -> None:
    assert nn.init.fans((16, 3, 5, 5)) == (75, 400)
    with pytest.raises(ArgumentError, match=r"a weight of two axes or more, got \(3,\)"):
        nn.init.xavier_uniform()((3,), 0)
