"""What a layer computes in float32 lies no further from its real value than the bound says."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from test_every_layer import EXAMPLES, drawn, sized

import tensorem as tm
from tensorem import nn
from tensorem.domains import Ball, Interval
from tensorem.nn.examples import Example

SHORT = (
    *("Conv2d", "MaxPool2d", "AvgPool2d", "BatchNorm2d", "LayerNorm", "RMSNorm", "Linear", "GELU"),
    *("Softmax", "Embedding", "LSTMCell", "GRU", "MultiheadAttention", "Residual", "WeightNorm"),
)
WALKED = [
    pytest.param(e, id=e.title, marks=() if e.title in SHORT else pytest.mark.long)
    for e in EXAMPLES
]


@pytest.mark.parametrize("example", WALKED)
def test_no_layer_lies_further_off_than_its_bound(example: Example) -> None:
    """At a point the bound is small, too: roundings of float32, not the product of all weights."""
    specs = sized(example)
    xs = drawn(example, specs)
    model = nn.build(example.layer, specs)
    found = tm.float32_error(model, *xs)
    trees = model(*xs), found.bounds, tm.evaluate(model, *xs, dtype="ball")
    for y, bound, real in zip(*map(jax.tree.leaves, trees[:2]), _balls(trees[2]), strict=True):
        far = abs(Ball.of(np.asarray(y)) - real).to_float()
        assert np.all(far <= bound)
        assert np.all(bound <= 1e-4 * (1 + np.abs(np.asarray(y, np.float64))))


@pytest.mark.long
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.title)
def test_it_holds_on_a_box(example: Example) -> None:
    specs, rng = sized(example), np.random.default_rng(0)
    xs = drawn(example, specs)
    model = nn.build(example.layer, specs)
    boxes = [Interval.of(x - 0.01, x + 0.01) if x.dtype == np.float32 else x for x in xs]
    found = tm.float32_error(model, *boxes)
    for _ in range(3):
        moved = [_moved(x, rng) for x in xs]
        trees = model(*moved), found.bounds, tm.evaluate(model, *moved, dtype="ball")
        for y, bound, real in zip(*map(jax.tree.leaves, trees[:2]), _balls(trees[2]), strict=True):
            assert np.all(abs(Ball.of(np.asarray(y)) - real).to_float() <= bound)


def _moved(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another point of the box, in float32."""
    return x + np.float32(rng.uniform(-0.009, 0.009, x.shape)) if x.dtype == np.float32 else x


def _balls(tree: object) -> list[Ball]:
    return jax.tree.leaves(tree, is_leaf=lambda leaf: isinstance(leaf, Ball))
