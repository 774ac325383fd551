"""A layer of a user's own whose arithmetic does not fit: our error, with the layer's path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensorem import functional as F
from tensorem import nn
from tensorem.errors import DTypeError, LayerError, ShapeError


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


class Custom(nn.Layer):
    function: Any

    def forward(self, x: Any) -> Any:
        return self.function(x)


@pytest.mark.parametrize(
    "function", [lambda x: x if x.sum() > 0 else -x, lambda x: x * float(x.sum()), np.asarray]
)
def test_asking_for_values_is_a_layer_error_that_says_what_to_write(function: Any) -> None:
    with pytest.raises(LayerError, match=r"forward of Custom\(.*\) asks for the values") as caught:
        nn.build(Custom(function), input=("N", 4))
    assert "jnp.where in place of if" in caught.value.help
    assert caught.value.where.startswith("model Custom(")


def test_counting_a_named_axis_is_a_shape_error() -> None:
    with pytest.raises(ShapeError, match="must know more than the names of its sizes") as caught:
        nn.build(Custom(lambda x: sum(x[i] for i in range(x.shape[0]))), input=("N", 4))
    assert "give integers" in caught.value.help


UNDECIDED = [
    (nn.Flatten(), "Flatten", "whether 2*H*W - 4*W - 4*H + 8 >= 0."),
    (nn.BatchNorm2d(2), "BatchNorm2d(2)", "whether H - 2 >= 0."),
]


@pytest.mark.parametrize(("layer", "label", "question"), UNDECIDED)
def test_what_the_names_do_not_decide_is_said_in_our_words_with_its_place(
    layer: nn.Layer, label: str, question: str
) -> None:
    with pytest.raises(ShapeError) as caught:
        nn.build(nn.Sequential(nn.Conv2d(1, 2, 3), layer), input=("N", 1, "H", "W"))
    assert str(caught.value) == (
        f"The forward of {label} must know more than the names of its sizes.\n"
        f"  where:   model[1] {label}\n"
        f"  because: the names do not decide {question}\n"
        "  help:    give integers in place of the names in the input's shape."
    )


@pytest.mark.parametrize(
    ("function", "question"),
    [
        (lambda x: x if x.shape[0] > 3 else -x, "whether N > 3."),
        (lambda x: x.reshape(3, -1), "whether a division leaves a remainder."),
        (lambda x: x * float(x.shape[0]), "the number that it makes of a size."),
        (lambda x: x[: x.shape[0] - 2], "whether N - 2 is below 0."),
    ],
)
def test_what_asks_for_the_number_behind_a_name_says_which(function: Any, question: str) -> None:
    with pytest.raises(ShapeError, match="must know more than the names") as caught:
        nn.build(Custom(function), input=("N", 4))
    assert caught.value.because == f"the names do not decide {question}"


@pytest.mark.parametrize(("result", "kind"), [(None, "NoneType"), ("a", "str")])
def test_a_forward_gives_arrays(result: Any, kind: str) -> None:
    with pytest.raises(LayerError, match=rf"forward of Custom\(.*\) gives {kind}, not an array"):
        nn.build(Custom(lambda x: result), input=("N", 4))


def test_a_list_is_not_an_array_inside_a_layer() -> None:
    model = nn.build(nn.Linear(3, 2), input=("N", 3))
    with pytest.raises(DTypeError, match=r"Linear\(3 -> 2\) takes an array, got list") as caught:
        model.apply(model.params, [[1.0, 2.0, 3.0]])
    assert caught.value.help == "convert: jnp.asarray(x)."
