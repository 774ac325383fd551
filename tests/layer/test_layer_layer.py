"""Layers as descriptions: frozen, hashable, readable; errors that say what to write."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from tensorem import functional as F
from tensorem import nn
from tensorem.errors import ArgumentError, LayerError
from tensorem.shapes import UNKNOWN_RANK


class Gated(nn.Layer):
    gate: nn.Linear
    value: nn.Linear

    def forward(self, x: Any) -> Any:
        return F.mul(F.sigmoid(self.gate(x)), self.value(x))


class Many(nn.Layer):
    blocks: Any
    heads: Any

    def forward(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return {name: head(x) for name, head in self.heads.items()}


def many() -> Many:
    return Many([nn.Linear(3, 4), nn.ReLU()], {"a": nn.Linear(4, 1), "b": nn.Linear(4, 2)})


def test_a_subclass_is_a_dataclass_with_fields_by_place_or_by_name() -> None:
    a, b = nn.Linear(3, 2), nn.Linear(3, 2)
    assert Gated(a, b) == Gated(gate=a, value=b)
    assert hash(Gated(a, b)) == hash(Gated(gate=a, value=b))
    assert Gated(a, b) != Gated(a, nn.Linear(3, 2, bias=False))
    assert nn.ReLU() != nn.Tanh()


class Scaled(nn.Layer):
    by: Any

    def forward(self, x: Any) -> Any:
        return x * (1.0 / self.by if isinstance(self.by, float) else self.by)


@pytest.mark.parametrize(("a", "b"), [(2, 2.0), (1, True), (0.0, -0.0), ((1,), (True,))])
def test_values_of_two_types_make_two_layers(a: Any, b: Any) -> None:
    # Equal layers share one compiled program.
    assert a == b and Scaled(a) != Scaled(b)
    assert hash(Scaled(a)) != hash(Scaled(b))


def test_a_layer_of_another_type_has_a_program_of_its_own() -> None:
    whole, inverse = (nn.build(Scaled(by), ("N", 1)) for by in (2, 2.0))
    x = np.full((1, 1), 8, np.float32)
    assert (whole(x), inverse(x)) == (16.0, 4.0)
    assert Scaled(float("nan")) == Scaled(float("nan"))


def test_layers_read_as_the_code_that_makes_them() -> None:
    conv = nn.Conv2d(1, 16, 3, padding=1)
    assert repr(conv) == "Conv2d(1, 16, 3, padding=1)"
    assert repr(nn.Sequential(conv, nn.Linear(4, 2, bias=False))) == (
        "Sequential(Conv2d(1, 16, 3, padding=1), Linear(4, 2, bias=False))"
    )
    assert repr(many()) == ("Many((Linear(3, 4), ReLU()), {'a': Linear(4, 1), 'b': Linear(4, 2)})")
    assert eval(repr(conv), vars(nn)) == conv


def test_lists_and_dicts_become_immutable_and_hashable() -> None:
    layer = many()
    assert isinstance(layer.blocks, tuple)
    assert hash(layer) == hash(many())
    assert layer == many()
    with pytest.raises(TypeError):
        layer.heads["c"] = nn.ReLU()


def test_sublayers_in_containers_have_state_dict_names() -> None:
    model = nn.build(many(), ("N", 3))
    assert list(model.params) == [
        "blocks.0.weight",
        "blocks.0.bias",
        "heads.a.weight",
        "heads.a.bias",
        "heads.b.weight",
        "heads.b.bias",
    ]
    y = model(np.ones((5, 3), np.float32))
    assert {name: value.shape for name, value in y.items()} == {"a": (5, 1), "b": (5, 2)}


def test_a_deep_copy_is_equal_and_distinct() -> None:
    layer = many()
    copied = copy.deepcopy(layer)
    assert copied == layer
    assert copied.blocks[0] is not layer.blocks[0]
    block = nn.Linear(3, 3)
    nn.build(nn.Sequential(block, copy.deepcopy(block)), ("N", 3))


def test_setting_an_attribute_says_how_to_declare_it() -> None:
    class Torchlike(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 2)

    with pytest.raises(LayerError, match="Torchlike is frozen: `fc` cannot be set") as caught:
        Torchlike()
    assert "declare a field in the class body (`fc: nn.Linear`)" in caught.value.help
    with pytest.raises(LayerError, match="`bias` cannot be deleted"):
        del nn.Linear(3, 2).bias


def test_a_field_may_not_hide_a_method_of_layers() -> None:
    with pytest.raises(LayerError, match="Bad has a field `key`, which every layer has"):

        class Bad(nn.Layer):
            key: int


def test_a_call_before_build_is_an_error_with_the_remedy() -> None:
    with pytest.raises(LayerError, match="Linear is called, but it holds no arrays") as caught:
        nn.Linear(3, 2)(np.ones((1, 3)))
    assert caught.value.help.startswith("model = nn.build(layer, input=...), then model(x)")
    for use in (lambda: nn.Linear(3, 2).training, lambda: nn.Dropout().key()):
        with pytest.raises(LayerError, match="inside forward only"):
            use()


def test_arrays_are_not_attributes_before_build() -> None:
    layer = nn.Linear(3, 2)
    assert not hasattr(layer, "weight")
    with pytest.raises(
        AttributeError, match=r"Linear\(3 -> 2\) holds no arrays; read model.params"
    ):
        _ = layer.weight
    with pytest.raises(AttributeError, match="Linear has no attribute 'wieght'"):
        _ = layer.wieght


def test_an_array_as_a_field_is_an_error_that_names_the_field() -> None:
    class Scaled(nn.Layer):
        scale: Any

        def forward(self, x: Any) -> Any:
            return x

    with pytest.raises(LayerError, match="the field `scale` of Scaled is not a plain value") as e:
        nn.build(Scaled(np.ones(3)), ("N", 3))
    assert e.value.help == "declare arrays in parameters() or buffers()."


def test_a_layer_without_forward_says_so() -> None:
    class Empty(nn.Layer):
        size: int

    assert Empty(3).output_shape((1, 2)) == UNKNOWN_RANK
    with pytest.raises(LayerError, match="Empty has no forward"):
        nn.build(Empty(3), ("N", 3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Linear(0, 2), "Linear takes in_features as an integer of at least 1, got 0"),
        (lambda: nn.Linear(2.0, 2), "in_features as an integer of at least 1, got 2.0"),  # type: ignore[arg-type]
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups that divide the channels 3 and 4, got 2"),
        (lambda: nn.Conv2d(3, 4, 3, stride=0), "^Conv2d takes stride as an integer of at least 1"),
        (lambda: nn.MaxPool2d(0), "^MaxPool2d takes kernel_size as an integer of at least 1"),
        (lambda: nn.AvgPool2d(2, padding=-1), "^AvgPool2d takes padding as an integer of at"),
        (lambda: nn.Linear(3, 2, None), "Linear takes bias as True or False, got None"),  # type: ignore[arg-type]
        (lambda: nn.Conv2d(3, 2, 1, bias=0), "Conv2d takes bias as True or False, got 0"),  # type: ignore[arg-type]
        (lambda: nn.Dropout("a"), r"Dropout takes p as a number in \[0, 1\], got 'a'"),  # type: ignore[arg-type]
        (lambda: nn.Dropout(True), r"Dropout takes p as a number in \[0, 1\], got True"),
        (lambda: nn.LeakyReLU(float("nan")), "negative_slope as a finite number, got nan"),
        (lambda: nn.Softmax(1.0), "Softmax takes dim as an integer, got 1.0"),  # type: ignore[arg-type]
        (lambda: nn.Flatten("a"), "Flatten takes start_dim as an integer, got 'a'"),  # type: ignore[arg-type]
        (lambda: nn.BatchNorm2d(2, eps=-1), "eps as a finite number of at least 0, got -1"),
        (lambda: nn.BatchNorm2d(2, momentum=2), r"momentum as a number in \[0, 1\] or None, got 2"),
        (
            lambda: nn.LayerNorm(-1),
            r"normalized_shape as a tuple of integers of at least 1, got \(-1,",
        ),
        (lambda: nn.LayerNorm(()), r"normalized_shape of at least one axis, got \(\)"),
        (
            lambda: nn.LayerNorm(3, eps=float("inf")),
            "eps as a finite number of at least 0, got inf",
        ),
        (lambda: nn.Dropout(1.5), r"Dropout takes p as a number in \[0, 1\], got 1.5"),
        (lambda: nn.BatchNorm2d(0), "num_features as an integer of at least 1, got 0"),
        (lambda: nn.Embedding(0, 3), "num_embeddings as an integer of at least 1, got 0"),
        (
            lambda: nn.Embedding(4, 3, 4),
            "^Embedding takes padding_idx from -4 to 3, or None, got 4",
        ),
        (lambda: nn.Embedding(4, 3, 1.0), "Embedding takes padding_idx .* got 1.0"),  # type: ignore[arg-type]
        (
            lambda: nn.MaxPool2d(2, dilation=0),
            "^MaxPool2d takes dilation as an integer of at least",
        ),
        (lambda: nn.MaxPool2d(2, ceil_mode=1), "MaxPool2d takes ceil_mode as True or False, got 1"),  # type: ignore[arg-type]
        (lambda: nn.AvgPool2d(2, ceil_mode=None), "takes ceil_mode as True or False, got None"),  # type: ignore[arg-type]
        (
            lambda: nn.AvgPool2d(2, divisor_override=0),
            "divisor_override as an integer of at least 1",
        ),
        (
            lambda: nn.Conv2d(1, 1, 1, padding_mode="constant"),
            "padding_mode as one of zeros, reflect, replicate, circular, got 'constant'",
        ),
        (lambda: nn.Softplus(0), "takes beta as a finite number other than 0, got 0"),
        (
            lambda: nn.Softplus(float("inf")),
            "beta as a finite number other than 0, got inf",
        ),
    ],
)
def test_hyperparameters_are_checked_when_written(make: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


def test_numbers_of_numpy_are_the_numbers_that_they_are() -> None:
    layer = nn.Conv2d(np.int64(3), np.int32(4), (np.int8(3), np.int8(1)))  # type: ignore[arg-type]
    assert layer == nn.Conv2d(3, 4, (3, 1)) and repr(layer) == "Conv2d(3, 4, (3, 1))"
    assert type(nn.Dropout(np.float64(0.5)).p) is float


def test_conv_same_needs_stride_1() -> None:
    with pytest.raises(ArgumentError, match='padding="same" with stride 1, got stride 2'):
        nn.Conv2d(1, 1, 2, 2, padding="same")
