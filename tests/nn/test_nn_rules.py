"""The shape rule of every layer agrees with what its forward returns."""

from __future__ import annotations

import jax
import pytest

from tensorem import nn
from tensorem.layer import _tree
from tensorem.shapes import Spec, shape_of

CASES = [
    (nn.Linear(5, 3), ("N", 5)),
    (nn.Linear(5, 3), ("N", "T", 5)),
    (nn.Linear(5, 3), (5,)),
    (nn.Conv2d(2, 3, 3), ("N", 2, 6, 7)),
    (nn.Conv2d(2, 4, (3, 2), 2, (1, 0), (1, 2), 2), ("N", 2, 6, 7)),
    (nn.Conv2d(2, 3, 3, padding="same"), (2, 6, 7)),
    (nn.Conv2d(2, 3, (2, 4), padding="same", padding_mode="reflect"), ("N", 2, 6, 7)),
    (nn.Conv2d(2, 3, 3, 1, 2, padding_mode="replicate"), ("N", 2, "H", 7)),
    (nn.Conv2d(2, 3, 3, 1, 1, padding_mode="circular"), ("N", 2, "H", 7)),
    (nn.MaxPool2d(2), ("N", 2, 6, 7)),
    (nn.MaxPool2d(2, dilation=2, ceil_mode=True), ("N", 2, 6, 8)),
    (nn.MaxPool2d(2, ceil_mode=True), ("N", 2, "2*H", "4*T+1")),
    (nn.AvgPool2d(3, 2, 1, True, False), ("N", 2, 6, 7)),
    (nn.AvgPool2d(3, 1, 1, divisor_override=2), ("N", 2, "2*H", 7)),
    (nn.MaxPool2d(3, 2, 1), (2, 6, 7)),
    (nn.AvgPool2d((2, 3)), ("N", 2, 6, 7)),
    (nn.Flatten(), ("N", 2, 3, 4)),
    (nn.Flatten(), ("N", 2, "H", 4)),
    (nn.Flatten(0, 1), ("N", 2, 3)),
    (nn.ReLU(), ("N", 2)),
    (nn.LeakyReLU(), ("N", 2)),
    (nn.Sigmoid(), ("N", 2)),
    (nn.Tanh(), ("N", 2)),
    (nn.Softplus(), ("N", 2)),
    (nn.Softmax(-1), ("N", 2)),
    (nn.Identity(), ("N", 2)),
    (nn.Dropout(), ("N", 2)),
    (nn.BatchNorm2d(2), ("N", 2, 3, 4)),
    (nn.LayerNorm((3, 4)), ("N", 3, 4)),
    (nn.Embedding(9, 4, -1), Spec(("N", "T"), "int32")),
    (nn.Softplus(2), ("N", 2)),
    (nn.Embedding(9, 4), Spec(("N", "T"), "int32")),
    (nn.Input(3, 4), ("N", 3, 4)),
    (nn.Residual(nn.Linear(3, 3)), ("N", 3)),
    (nn.Sequential(nn.Linear(3, 2), nn.ReLU()), ("N", 3)),
    (nn.share(nn.Linear(3, 2)), ("N", 3)),
]


@pytest.mark.parametrize(("layer", "given"), CASES, ids=lambda v: str(v))
def test_the_rule_is_what_forward_returns(layer: nn.Layer, given: object) -> None:
    model = nn.build(layer, given)
    assert layer.output_shape(model.input.shape) == model.output.shape
    sizes = {"N": 3, "T": 2, "H": 5}
    concrete = model.input.bind(sizes)
    x = jax.ShapeDtypeStruct(concrete.shape, concrete.dtype)
    y = jax.eval_shape(model.apply, model.params, x)
    assert layer.output_shape(concrete.shape) == y.shape == model.output.bind(sizes).shape


def test_every_layer_is_in_the_table() -> None:
    public = {c for c in vars(nn).values() if isinstance(c, type) and issubclass(c, nn.Layer)}
    tested = {type(part) for layer, _ in CASES for _, part in _tree.walk(layer)}
    assert public - tested == {nn.Layer}


@pytest.mark.parametrize(
    "layer", [layer for layer, _ in CASES if _tree.is_leaf(layer)], ids=lambda v: str(v)
)
def test_every_rule_takes_a_shape_of_unknown_rank(layer: nn.Layer) -> None:
    from tensorem.shapes import UNKNOWN_RANK

    assert shape_of(layer.output_shape(UNKNOWN_RANK)) is not None
