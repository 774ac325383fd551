"""What a layer takes: arguments by name, dtypes for each input, fields that are layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from tensorem import functional as F
from tensorem import nn, train
from tensorem.errors import ArgumentError, DTypeError, LayerError, ShapeError
from tensorem.shapes import Spec


class Masked(nn.Layer):
    takes: ClassVar[str | Mapping[str, str]] = {"x": "float", "mask": "bool"}

    def output_shape(self, x: Any) -> Any:
        return x

    def forward(self, x: Any, mask: Any = None) -> Any:
        return x if mask is None else jnp.where(mask, x, 0.0)


class MaskedLinear(nn.Layer):
    inner: nn.Linear
    takes: ClassVar[str | Mapping[str, str]] = {"mask": "bool"}

    def forward(self, x: Any, mask: Any) -> Any:
        return jnp.where(mask, self.inner(x), 0.0)


class Around(nn.Layer):
    inner: nn.Layer
    how: Callable[[Any, Any], Any]

    def forward(self, x: Any) -> Any:
        return self.how(self.inner, x)


def built(inner: nn.Layer, call: Callable[[Any, Any], Any]) -> nn.Model:
    return nn.build(Around(inner, call), input=("N", 3))


def test_an_argument_by_name_is_checked_and_noted_as_one_by_place() -> None:
    by_name, by_place = (
        built(nn.Linear(3, 3), f) for f in (lambda f, x: f(x=x), lambda f, x: f(x))
    )
    assert by_name.summary() == by_place.summary()
    with pytest.raises(ShapeError, match=re.escape("Linear(4 -> 3) takes (*batch, 4), got (N, 3)")):
        built(nn.Linear(4, 3), lambda f, x: f(x=x))
    with pytest.raises(DTypeError, match=r"Linear.* takes float values \(float32, ...\), got int3"):
        built(nn.Linear(3, 3), lambda f, x: f(x=x.astype(int)))


@pytest.mark.parametrize("run_leaf", [nn.Context().run_leaf, nn.eager])
def test_each_input_has_a_dtype_of_its_own(run_leaf: Any) -> None:
    model = built(Masked(), lambda f, x: f(x, mask=x > 0))
    x = np.array([[-1, 2, 3]], np.float32)
    y, _ = model.layer.call(({}, {}), jnp.asarray(x), ctx=nn.Context(run_leaf=run_leaf))
    assert y.tolist() == [[0, 2, 3]]
    with pytest.raises(
        DTypeError, match=r"^Masked takes mask as bool values \(bool\), got float32"
    ):
        built(Masked(), lambda f, x: f(x, mask=x))
    with pytest.raises(DTypeError, match=r"^Masked takes x as float values .*, got int32"):
        nn.build(Masked(), input=Spec(("N", 3), "int32"))


def test_a_layer_of_layers_has_dtypes_of_its_own_too() -> None:
    layer = MaskedLinear(nn.Linear(3, 3))
    assert built(layer, lambda f, x: f(x, mask=x > 0))
    with pytest.raises(DTypeError, match=r"^MaskedLinear takes mask as bool values"):
        built(layer, lambda f, x: f(x, mask=x))


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda f, x: f(input=x), "got an unexpected keyword argument 'input'"),
        (lambda f, x: f(x, mask=x), "got an unexpected keyword argument 'mask'"),
        (lambda f, x: f(), "missing a required argument: 'x'"),
        (lambda f, x: f(x, x), "too many positional arguments"),
    ],
)
def test_a_call_that_does_not_fit_forward(call: Callable[[Any, Any], Any], what: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(f"ReLU takes (x): {what}")) as error:
        built(nn.ReLU(), call)
    assert error.value.where == "model.inner ReLU"


def test_a_class_says_of_its_inputs_what_can_be_checked() -> None:
    with pytest.raises(LayerError, match="takes any, float, integer, bool, got 'boolean'"):
        type("Bad", (nn.ReLU,), {"takes": "boolean"})
    with pytest.raises(LayerError, match="takes takes names of x, got 'y'"):
        type("Bad", (nn.ReLU,), {"takes": {"y": "float"}})


def test_a_built_model_is_no_field() -> None:
    model = nn.build(nn.Linear(3, 3), input=("N", 3))
    for given in (model, (nn.ReLU(), model), {"a": model}, ((model,),), {"a": [{"b": model}]}):
        with pytest.raises(LayerError, match="as fields, got a built model as `inner`"):
            Around(given, len)  # type: ignore[arg-type]


def test_a_layer_without_annotation_is_no_part() -> None:
    with pytest.raises(LayerError, match=r"Bad has a layer `conv` without an annotation") as error:
        type("Bad", (nn.Layer,), {"conv": nn.Linear(3, 2)})
    assert error.value.help == "write `conv: Linear = Linear(3, 2)`."


class Defaults(nn.Layer):
    inner: nn.Linear = nn.Linear(3, 3)
    rest: tuple[nn.Layer, ...] = (nn.ReLU(), nn.Linear(3, 3))

    def forward(self, x: Any) -> Any:
        for layer in (self.inner, *self.rest):
            x = layer(x)
        return x


def test_a_layer_that_is_a_default_belongs_to_each_instance_alone() -> None:
    layer = nn.Sequential(Defaults(), Defaults())
    names = [f"{i}.{at}.{name}" for i in "01" for at in ("inner", "rest.1") for name in "wb"]
    found = list(nn.build(layer, input=("N", 3)).params)
    assert [name[:-1] for name in names] == [name.rsplit(".", 1)[0] + "." for name in found]
    assert Defaults() == Defaults() and repr(Defaults()) == "Defaults()"
    with pytest.raises(LayerError, match="stands in two places"):
        nn.build(nn.Sequential(*[nn.Linear(3, 3)] * 2), input=("N", 3))


def test_a_function_speaks_of_its_weight() -> None:
    with pytest.raises(ShapeError, match=r"^F.linear takes \(\*batch, 5\), got \(2, 3\)") as error:
        F.linear(jnp.ones((2, 3)), jnp.ones((4, 5)))
    assert "nn." not in str(error.value)


def test_a_loss_takes_two_arguments() -> None:
    model = nn.build(nn.Linear(3, 3), input=("N", 3))
    with pytest.raises(
        ArgumentError, match=r"A loss takes two arguments, \(output, targets\), got"
    ):
        train.Task(model, lambda output, target, weight: output)  # type: ignore[arg-type, misc]
