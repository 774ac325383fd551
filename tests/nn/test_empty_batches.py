"""A batch of nothing gives nothing, in the shape that its model has."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from tensorem import nn
from tensorem.shapes import Spec

LAYERS = [
    (nn.MultiheadAttention(4, 2), (3, 4)),
    (nn.TransformerEncoderLayer(4, 2, 8), (3, 4)),
    (nn.LSTM(4, 3, bidirectional=True), (3, 4)),
    (nn.Mamba(4), (3, 4)),
    (nn.GroupNorm(2, 4), (4, 3)),
    (nn.InstanceNorm1d(4), (4, 3)),
    (nn.Conv2d(4, 2, 3, groups=2), (4, 5, 5)),
    (nn.AdaptiveMaxPool2d(2), (4, 5, 5)),
    (nn.Upsample(scale_factor=2, mode="bilinear"), (4, 5, 5)),
]


@pytest.mark.parametrize(("layer", "one"), LAYERS, ids=lambda value: str(value)[:25])
def test_nothing_goes_in_and_nothing_comes_out(layer: nn.Layer, one: tuple[int, ...]) -> None:
    model = nn.build(layer, ("N", *one))
    specs = jax.tree.leaves(model.output, is_leaf=lambda x: isinstance(x, Spec))
    given = jax.tree.leaves(model(np.zeros((0, *one), np.float32)))
    assert [y.shape for y in given] == [spec.bind({"N": 0}).shape for spec in specs]
