"""`build`: shapes before data, errors word by word, initial values that follow from paths."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tensorem import functional as F
from tensorem import nn
from tensorem.errors import ArgumentError, DTypeError, LayerError, PathError, ShapeError
from tensorem.rules import _convolution
from tensorem.shapes import Spec


def digits() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10),
    )


def message(make: Any, kind: type[Exception] = ShapeError) -> str:
    with pytest.raises(kind) as caught:
        make()
    return str(caught.value)


def test_the_batch_size_stays_symbolic() -> None:
    model = nn.build(digits(), ("N", 1, 8, 8))
    assert model.input == Spec(("N", 1, 8, 8))
    assert model.output == Spec(("N", 10))
    assert nn.build(nn.Flatten(0), ("N", 2, "M")).output == Spec(("2*M*N",))
    assert nn.build(nn.Flatten(), ("2*N+1", 8)).output == Spec(("2*N+1", 8))


def test_layers_that_do_not_fit_raise_where_they_are_written() -> None:
    assert message(lambda: nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(127, 10))) == (
        "Linear(127 -> 10) takes (*batch, 127), got (..., 128).\n"
        "  where: Sequential[2], after Sequential[1] ReLU  (..., 128) -> (..., 128)\n"
        "  from:  128 is set by Sequential[0] Linear(784 -> 128)\n"
        "  help:  write nn.Linear(128, 10), or make Sequential[0] nn.Linear(784, 127)."
    )


def test_the_error_of_build_names_place_origin_and_remedy() -> None:
    class Net(nn.Layer):
        first: nn.Linear
        act: nn.ReLU
        last: nn.Linear

        def forward(self, x: Any) -> Any:
            return self.last(self.act(self.first(x)))

    net = Net(nn.Linear(784, 128), nn.ReLU(), nn.Linear(127, 10))
    assert message(lambda: nn.build(net, ("N", 784))) == (
        "Linear(127 -> 10) takes (*batch, 127), got (N, 128).\n"
        "  where: model.last, after model.act ReLU  (N, 128) -> (N, 128)\n"
        "  from:  128 is set by model.first Linear(784 -> 128)\n"
        "  help:  write nn.Linear(128, 10), or make model.first nn.Linear(784, 127)."
    )


def test_the_origin_is_found_behind_functions_without_a_layer() -> None:
    class Net(nn.Layer):
        first: nn.Linear
        last: nn.Linear

        def forward(self, x: Any) -> Any:
            return self.last(F.relu(self.first(x)))

    text = message(lambda: nn.build(Net(nn.Linear(4, 6), nn.Linear(5, 2)), ("N", 4)))
    assert "from:  6 is set by model.first Linear(4 -> 6)" in text


def test_channels_of_a_convolution_are_explained_too() -> None:
    layer = nn.Sequential(nn.Conv2d(1, 16, 3), nn.Conv2d(16, 8, 3), nn.ReLU())
    wrong = lambda: nn.Sequential(*layer, nn.Conv2d(9, 4, 3))  # noqa: E731
    assert message(wrong) == (
        "Conv2d(9, 4, 3) takes (N, 9, H, W) or (9, H, W), got (..., 8, ?, ?).\n"
        "  where: Sequential[3], after Sequential[2] ReLU  (..., 8, ?, ?) -> (..., 8, ?, ?)\n"
        "  from:  8 is set by Sequential[1] Conv2d(16, 8, 3)\n"
        "  help:  write nn.Conv2d(8, 4, 3), or make Sequential[1] nn.Conv2d(16, 9, 3)."
    )


def test_an_image_before_a_linear_layer_asks_for_flatten() -> None:
    layers = (nn.Conv2d(1, 16, 3), nn.Linear(576, 10))
    text = message(lambda: nn.build(nn.Sequential(*layers), ("N", 1, 8, 8)))
    assert "help:  put nn.Flatten() before it." in text
    layers = (nn.Conv2d(1, 16, 3), nn.Linear(400, 10))
    text = message(lambda: nn.build(nn.Sequential(*layers), ("N", 1, 8, 8)))
    assert "help:  put nn.Flatten() before it and write nn.Linear(576, 10)." in text


def test_a_flatten_is_named_as_the_origin_with_its_shapes() -> None:
    layer = nn.Sequential(nn.Conv2d(1, 16, 3), nn.Flatten(), nn.Sequential(nn.Linear(575, 10)))
    text = message(lambda: nn.build(layer, ("N", 1, 8, 8)))
    assert "where: model[2][0], after model[1] Flatten" in text
    assert "from:  576 is set by model[1] Flatten  (N, 16, 6, 6) -> (N, 576)" in text


def test_an_input_at_the_front_checks_the_whole_stack_when_written() -> None:
    stack = (nn.Conv2d(1, 16, 3, padding=1), nn.MaxPool2d(2), nn.Flatten())
    nn.Sequential(nn.Input(1, 8, 8), *stack, nn.Linear(256, 10))
    with pytest.raises(ShapeError, match=r"takes \(\*batch, 255\), got \(N, 256\)"):
        nn.Sequential(nn.Input(1, 8, 8), *stack, nn.Linear(255, 10))


def test_an_input_does_not_count_and_gives_build_its_shape() -> None:
    model = nn.build(nn.Sequential(nn.Input(4), nn.Linear(4, 2)))
    assert list(model.params) == ["0.weight", "0.bias"]
    assert model.input == Spec(("N", 4))
    assert [info.path for info in model.built.table] == ["", "input", "0"]
    with pytest.raises(ShapeError, match=r"Input\(4\) takes \(N, 4\), got \(N, 5\)"):
        nn.build(nn.Sequential(nn.Input(4), nn.Linear(4, 2)), ("N", 5))
    with pytest.raises(ShapeError, match="build takes an input, got none"):
        nn.build(nn.Linear(4, 2))


def test_errors_inside_forward_get_the_path() -> None:
    class Adds(nn.Layer):
        inner: nn.Linear

        def forward(self, x: Any) -> Any:
            return F.add(x, self.inner(x))

    layer = nn.Sequential(nn.ReLU(), Adds(nn.Linear(3, 2)))
    text = message(lambda: nn.build(layer, ("N", 3)))
    assert text.splitlines()[0].endswith("got (N, 3) and (N, 2).")
    assert "where: model[1] Adds" in text


def test_errors_that_are_not_ours_get_a_note_with_the_path() -> None:
    class Broken(nn.Layer):
        def forward(self, x: Any) -> Any:
            return x.no_such_method()

    with pytest.raises(AttributeError) as caught:
        nn.build(nn.Sequential(nn.ReLU(), Broken()), ("N", 3))
    assert caught.value.__notes__[0] == "in model[1] Broken"
    assert not any("Sequential" in note for note in caught.value.__notes__)


def test_a_layer_with_parameters_stands_in_one_place() -> None:
    layer = nn.Linear(3, 3)
    text = message(lambda: nn.build(nn.Sequential(layer, nn.ReLU(), layer), ("N", 3)), LayerError)
    assert text.startswith("Linear(3 -> 3) stands in two places, '0' and '2'.")
    assert "s = nn.share(layer)" in text
    two = nn.Sequential(nn.Residual(layer), nn.Residual(layer))
    text = message(lambda: nn.build(two, ("N", 3)), LayerError)
    assert "place (inner = field(default_factory=lambda: Linear(3, 3))), or" in text
    act = nn.ReLU()
    nn.build(nn.Sequential(act, nn.Linear(3, 3), act, nn.Linear(3, 3)), ("N", 3))


def test_a_shared_layer_has_one_set_of_arrays() -> None:
    shared = nn.share(nn.Linear(3, 3))
    model = nn.build(nn.Sequential(shared, nn.ReLU(), shared), ("N", 3))
    assert list(model.params) == ["0.weight", "0.bias"]
    w, b = (np.asarray(model.params[n]) for n in ("0.weight", "0.bias"))
    x = np.ones((2, 3), np.float32)
    expected = np.maximum(x @ w.T + b, 0) @ w.T + b
    np.testing.assert_allclose(model(x), expected, rtol=1e-6)
    assert model.summary().count("shared") == 1


def test_sharing_is_part_of_what_a_layer_is() -> None:
    one = nn.share(nn.Linear(3, 3))
    apart = nn.Sequential(nn.share(nn.Linear(3, 3)), nn.share(nn.Linear(3, 3)))
    assert nn.Sequential(one, one) != apart
    assert list(nn.build(apart, ("N", 3)).params) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_initial_values_follow_from_seed_and_path_alone() -> None:
    short = nn.build(nn.Sequential(nn.Linear(4, 3)), ("N", 4), seed=1)
    longer = nn.build(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3)), ("N", 4), seed=1)
    np.testing.assert_array_equal(short.params["0.weight"], longer.params["0.weight"])
    other = nn.build(nn.Sequential(nn.Linear(4, 3)), ("N", 4), seed=2)
    assert not np.array_equal(short.params["0.weight"], other.params["0.weight"])
    twins = nn.build(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)), ("N", 3))
    assert not np.array_equal(twins.params["0.weight"], twins.params["1.weight"])


def test_initialisers_are_chosen_by_path_pattern() -> None:
    init = {"*.weight": nn.init.constant(2.0), "0.*": nn.init.zeros()}
    model = nn.build(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3)), ("N", 4), init=init)
    assert np.all(np.asarray(model.params["0.weight"]) == 0)
    assert np.all(np.asarray(model.params["1.weight"]) == 2)
    with pytest.raises(PathError, match=r"patterns of paths, got '5\.\*', which matches none") as e:
        nn.build(nn.Linear(4, 3), ("N", 4), init={"5.*": nn.init.zeros()})
    assert "weight, bias" in e.value.help


def test_a_layer_states_the_dtypes_it_takes() -> None:
    with pytest.raises(DTypeError, match=r"Embedding\(7, 3\) takes integer values \(int32, ...\)"):
        nn.build(nn.Embedding(7, 3), ("N", 4))
    with pytest.raises(DTypeError, match=r"Linear\(4 -> 3\) takes float values") as caught:
        nn.build(nn.Linear(4, 3), Spec(("N", 4), "int32"))
    assert caught.value.where == "model Linear(4 -> 3)"


def test_a_model_can_be_of_64_bits() -> None:
    model = nn.build(nn.Linear(4, 3), Spec(("N", 4), "float64"))
    assert model.params["weight"].dtype == "float64"
    assert model(np.ones((2, 4))).dtype == "float64"
    assert jax.numpy.ones(1).dtype == "float32"


def test_several_inputs_are_counted() -> None:
    class Two(nn.Layer):
        def forward(self, x: Any, y: Any) -> Any:
            return F.add(x, y)

    assert nn.build(Two(), (("N", 3), (3,))).output == Spec(("N", 3))
    with pytest.raises(ShapeError, match=r"Two takes the inputs \(x: .*, y: .*\) -> .*, got 1"):
        nn.build(Two(), ("N", 3))


def test_a_size_that_comes_from_the_input_is_said_to() -> None:
    class Two(nn.Layer):
        left: nn.Linear
        right: nn.Sequential

        def forward(self, x: Any) -> Any:
            return self.left(x) + self.right(x)

    two = Two(nn.Linear(4, 3), nn.Sequential(nn.ReLU(), nn.Linear(5, 3)))
    with pytest.raises(ShapeError) as caught:
        nn.build(two, ("N", 4))
    assert str(caught.value) == (
        "Linear(5 -> 3) takes (*batch, 5), got (N, 4).\n"
        "  where: model.right[1], after model.right[0] ReLU  (N, 4) -> (N, 4)\n"
        "  from:  4 is set by the input (N, 4)\n"
        "  help:  write nn.Linear(4, 3)."
    )


def test_build_takes_a_layer_and_known_names() -> None:
    with pytest.raises(LayerError, match="build takes a layer, got") as caught:
        nn.build(nn.ReLU, ("N", 3))  # type: ignore[arg-type]
    assert caught.value.help == "write ReLU(...)."
    with pytest.raises(LayerError, match=r"Sequential takes layers, got nn\.ReLU at place 1"):
        nn.Sequential(nn.Flatten(), nn.ReLU)  # type: ignore[arg-type]
    with pytest.raises(
        LayerError, match="takes layers, got the function relu at place 0"
    ) as caught:
        nn.Sequential(F.relu)  # type: ignore[arg-type]
    assert caught.value.help.endswith("such as nn.ReLU() for relu; or nn.Lambda(function).")
    with pytest.raises(LayerError, match=r"takes layers, got \[ReLU\(\)\] at place 0") as caught:
        nn.Sequential([nn.ReLU()])  # type: ignore[arg-type]
    assert caught.value.help == "write nn.Sequential(*layers)."
    with pytest.raises(ArgumentError, match=r"^build takes \(layer, input=None") as caught:
        nn.build(nn.ReLU(), inputs=("N", 3))  # type: ignore[call-arg]
    assert caught.value.help == "did you mean input?"
    with pytest.raises(LayerError, match="got the function tanh at place 1"):
        _ = nn.ReLU() >> jnp.tanh
    with pytest.raises(ShapeError, match="sizes that are integers or names"):
        nn.build(nn.ReLU(), (None, 3))


def test_an_output_shape_that_lies_is_found() -> None:
    class Liar(nn.Layer):
        def output_shape(self, x: Any) -> Any:
            return (*x[:-1], 7)

        def forward(self, x: Any) -> Any:
            return x

    with pytest.raises(LayerError, match=r"Liar gives \(N, 3\), its output_shape says \(N, 7\)"):
        nn.build(Liar(), ("N", 3))


def test_residual_takes_an_inner_layer_that_keeps_the_shape() -> None:
    nn.Sequential(nn.Linear(4, 3), nn.Residual(nn.Sequential(nn.Linear(3, 3), nn.ReLU())))
    with pytest.raises(ShapeError, match=r"keeps the shape, got \(..., 3\) -> \(..., 2\)"):
        nn.Sequential(nn.Linear(4, 3), nn.Residual(nn.Linear(3, 2)))
    with pytest.raises(ShapeError, match=r"keeps the shape, got \(N, 3\) -> \(N, 2\)"):
        nn.build(nn.Residual(nn.Linear(3, 2)), ("N", 3))


def test_two_arrays_cannot_have_one_path() -> None:
    class Clash(nn.Layer):
        layers: Any = nn.Sequential(nn.Linear(2, 2))

        def parameters(self) -> Any:
            return {"layers.0.weight": nn.Parameter((2,), nn.init.zeros())}

        def forward(self, x: Any) -> Any:
            return x

    with pytest.raises(LayerError, match=r"'layers\.0\.weight' names two arrays"):
        nn.build(Clash(), ("N", 2))


@pytest.mark.parametrize("width", [10**7, 2**31 - 1])
def test_arrays_that_no_memory_holds_are_named(width: int) -> None:
    with pytest.raises(LayerError, match=r"weight takes .* more numbers than the memory holds"):
        nn.build(nn.Linear(width, 10**8), ("N", width))


def test_an_initialiser_gives_the_shape_that_is_declared() -> None:
    flat: Any = lambda shape, seed: np.ones(9)  # noqa: E731
    with pytest.raises(ShapeError, match=r"of weight takes the shape \(3, 3\), gave \(9,\)"):
        nn.build(nn.Linear(3, 3), ("N", 3), init={"weight": flat})


@pytest.mark.parametrize("init", [[1], {"*": 1}])
def test_initialisers_are_functions_by_pattern(init: Any) -> None:
    with pytest.raises(ArgumentError, match="init takes a dict from patterns of paths"):
        nn.build(nn.Linear(3, 3), ("N", 3), init=init)


def test_building_a_convolution_asks_its_rule_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    groups = _convolution.check_groups  # which every asking does
    monkeypatch.setattr(_convolution, "check_groups", lambda *a: asked.append(groups(*a)))
    nn.build(nn.Conv2d(1, 2, 3), ("N", 1, 8, 8))
    assert len(asked) == 2  # of the layer, and of the op that runs
