"""A layer of a user's own whose arithmetic does not fit: our error, with the layer's path."""

from __future__ import annotations

from typing import Any

import pytest

from tensorem import functional as F
from tensorem import nn
from tensorem.errors import ShapeError


class Gated(nn.Layer):
    gate: nn.Linear
    value: nn.Linear

    def forward(self, x: Any) -> Any:
        return F.sigmoid(self.gate(x)) * self.value(x)


def test_sizes_that_do_not_multiply_are_a_shape_error_with_a_path() -> None:
    layer = nn.Sequential(nn.Linear(4, 5), Gated(nn.Linear(5, 3), nn.Linear(5, 2)))
    with pytest.raises(ShapeError, match="The forward of Gated does not fit: mul got") as caught:
        nn.build(layer, input=("N", 4))
    assert "where: model[1] Gated" in str(caught.value)


def test_other_errors_of_a_user_stay_what_they_are() -> None:
    class Broken(nn.Layer):
        def forward(self, x: Any) -> Any:
            raise ValueError("my own")

    with pytest.raises(ValueError, match="my own") as caught:
        nn.build(Broken(), input=("N", 4))
    assert caught.value.__notes__[0] == "in model Broken"
