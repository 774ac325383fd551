"""Models whose sizes have names: what does not hold for all of their values is refused."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest

import tensorem as tm
from tensorem import functional as F
from tensorem import losses, metrics, nn, ops
from tensorem.errors import LayerError, ShapeError
from tensorem.shapes import Spec, shape_of


class Of(nn.Layer):
    """A layer of one's own."""

    f: Any

    def forward(self, *xs: Any) -> Any:
        return self.f(*xs)

    def label(self) -> str:
        return "Of"


class Headed(nn.Layer):
    head: nn.Linear

    def forward(self, x: Any, y: Any) -> Any:
        return F.add(self.head(x), y)


def turned(x: Any) -> Any:
    return F.permute(x, (0, 2, 1))


def message(layer: nn.Layer, *input: Any) -> str:
    with pytest.raises(ShapeError) as caught:
        nn.build(layer, input)
    return str(caught.value)


LEAVES = [
    (
        nn.Sequential(nn.Flatten(), nn.Linear(8, 2)),
        ("N", 2, "H"),
        "Linear(8 -> 2) takes (*batch, 8), got (N, 2*H).\n"
        "  where: model[1], after model[0] Flatten  (N, 2, H) -> (N, 2*H)\n"
        "  from:  2*H is set by model[0] Flatten  (N, 2, H) -> (N, 2*H)\n"
        "  help:  in the input write 4 in place of H.",
    ),
    (
        nn.Sequential(nn.Flatten(), nn.Linear(9, 2)),
        ("N", 2, "H"),
        "Linear(9 -> 2) takes (*batch, 9), got (N, 2*H).\n"
        "  where:   model[1], after model[0] Flatten  (N, 2, H) -> (N, 2*H)\n"
        "  from:    2*H is set by model[0] Flatten  (N, 2, H) -> (N, 2*H)\n"
        "  because: 2*H is 9 for no value of H.",
    ),
    (
        nn.Linear(8, 2),
        ("N", "H"),
        "Linear(8 -> 2) takes (*batch, 8), got (N, H).\n"
        "  where: model\n"
        "  from:  H is set by the input (N, H)\n"
        "  help:  in the input write 8 in place of H.",
    ),
    (
        nn.Sequential(nn.ReLU(), nn.LayerNorm(8)),
        ("N", "C"),
        "LayerNorm(8) takes (*batch, 8), got (N, C).\n"
        "  where: model[1], after model[0] ReLU  (N, C) -> (N, C)\n"
        "  from:  C is set by the input (N, C)\n"
        "  help:  in the input write 8 in place of C.",
    ),
    (
        nn.LayerNorm((4, 8)),
        ("N", "C", "D"),
        "LayerNorm((4, 8)) takes (*batch, 4, 8), got (N, C, D).\n"
        "  where: model\n"
        "  from:  C and D are set by the input (N, C, D)\n"
        "  help:  in the input write 4 in place of C and 8 in place of D.",
    ),
    (
        nn.BatchNorm2d(8),
        ("N", "C", 2, 2),
        "BatchNorm2d(8) takes (N, 8, H, W), got (N, C, 2, 2).\n"
        "  where: model\n"
        "  from:  C is set by the input (N, C, 2, 2)\n"
        "  help:  in the input write 8 in place of C.",
    ),
    (
        nn.Conv2d(3, 8, 3),
        ("N", "C", 8, 8),
        "Conv2d(3, 8, 3) takes (N, 3, H, W) or (3, H, W), got (N, C, 8, 8).\n"
        "  where: model\n"
        "  from:  C is set by the input (N, C, 8, 8)\n"
        "  help:  in the input write 3 in place of C.",
    ),
    (
        nn.Sequential(nn.Input(3, 8), nn.Linear(8, 2)),
        ("N", "C", 8),
        "Input(3, 8) takes (N, 3, 8), got (N, C, 8).\n"
        "  where: model.input\n"
        "  from:  C is set by the input (N, C, 8)\n"
        "  help:  in the input write 3 in place of C.",
    ),
    (
        nn.Residual(nn.Linear(3, 3)),
        ("N", "C"),
        "Linear(3 -> 3) takes (*batch, 3), got (N, C).\n"
        "  where: model.inner\n"
        "  from:  C is set by the input (N, C)\n"
        "  help:  in the input write 3 in place of C.",
    ),
    (
        nn.Residual(Of(turned)),
        ("N", "C", "D"),
        "Residual takes an inner layer that keeps the shape, got (N, C, D) -> (N, D, C).\n"
        "  where: model Residual\n"
        "  from:  C and D are set by the input (N, C, D)\n"
        "  help:  in the input write C in place of D.",
    ),
]


@pytest.mark.parametrize(("layer", "input", "text"), LEAVES)
def test_layers_word_by_word(layer: nn.Layer, input: Any, text: str) -> None:
    assert message(layer, *input) == text


BOTH = "N is set by the input (N, 3), M is set by the input (M, 3)"
SAME = "in the input write N in place of M."
OWN = [
    (
        F.add,
        "Broadcasting takes sizes that are equal or 1, counted from the last axis, got (N, 3) and "
        "(M, 3).",
        BOTH,
        SAME,
    ),
    (
        F.matmul,
        "F.matmul takes (*batch, n, k) and (*batch, k, m), got (N, 3) and (M, 3).",
        "M is set by the input (M, 3)",
        "in the input write 3 in place of M.",
    ),
    (
        lambda x, y: F.cat([x, y], 1),
        "F.cat takes operands of equal shapes, got (N,) and (M,).",
        BOTH,
        SAME,
    ),
    (ops.sub, "sub takes operands of equal shapes, got (N, 3) and (M, 3).", BOTH, SAME),
    (
        lambda x, y: x + y,
        "The forward of Of does not fit: add got incompatible shapes for broadcasting: (N, 3), "
        "(M, 3).",
        BOTH,
        SAME,
    ),
    (
        lambda x, y: x @ y,
        "The forward of Of does not fit: dot_general requires contracting dimensions to have the "
        "same shape, got (3,) and (M,).",
        "M is set by the input (M, 3)",
        "in the input write 3 in place of M.",
    ),
]


@pytest.mark.parametrize(("f", "what", "source", "help"), OWN)
def test_layers_of_ones_own_word_by_word(f: Any, what: str, source: str, help: str) -> None:
    text = f"{what}\n  where: model Of\n  from:  {source}\n  help:  {help}"
    assert message(Of(f), ("N", 3), ("M", 3)) == text


def test_a_loss_in_a_layer_says_which_inputs_differ() -> None:
    assert message(Of(lambda x, y: losses.mse(x, y)[0]), ("N", 3), ("M", 3)) == (
        "mse takes an output and a target of equal shapes, got (N, 3) and (M, 3).\n"
        "  where:   model Of\n"
        f"  from:    {BOTH}\n"
        "  because: nothing is broadcast here\n"
        f"  help:    {SAME}"
    )


def test_a_name_meets_the_size_that_a_layer_sets() -> None:
    assert message(Headed(nn.Linear(4, 3)), ("N", 4), ("N", "C")).splitlines()[1:] == [
        "  where: model Headed",
        "  from:  C is set by the input (N, C)",
        "  help:  in the input write 3 in place of C.",
    ]


def test_a_name_in_a_stated_input_is_refused_where_the_stack_is_written() -> None:
    with pytest.raises(ShapeError) as caught:
        nn.Sequential(nn.Input("C", 8, 8), nn.Conv2d(3, 8, 3))
    assert caught.value.source.startswith("C is set by Sequential.input Input(C, 8, 8)")
    assert caught.value.help == "in the input write 3 in place of C."


def test_an_output_shape_that_is_right_for_some_names_lies() -> None:
    class Liar(nn.Layer):
        def output_shape(self, x: Any) -> Any:
            return (*x[:-1], 3)

        def forward(self, x: Any) -> Any:
            return x

    with pytest.raises(LayerError, match=r"Liar gives \(N, C\), its output_shape says \(N, 3\)"):
        nn.build(Liar(), ("N", "C"))


FITTING = [
    (nn.Sequential(nn.Flatten(), nn.ReLU()), ("N", 2, "H")),
    (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2, 1)), ("N", 3, "H", "W")),
    (nn.Conv2d(3, 8, 3), ("N", 3, "H", "W")),
    (nn.Conv2d(3, 8, 3, 2), ("N", 3, "H", 9)),
    (nn.MaxPool2d(2), ("N", 1, "H", "W")),
    (nn.MaxPool2d(3, 2, dilation=2), ("N", 1, 9, "W")),
    (nn.AvgPool2d(2), ("N", 1, "H", "W")),
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.AvgPool2d(3, 1, 1)), ("N", 3, "H", "W")),
    (nn.Residual(nn.Linear(3, 3)), ("N", "T", 3)),
    (nn.Sequential(nn.Input("C"), nn.ReLU()), ("N", 7)),
    (nn.Sequential(nn.Input("C"), nn.ReLU()), ("N", "D")),
    (Of(lambda x: F.add(x, F.mean(x, 1, keepdim=True))), ("N", "C")),
    (Of(lambda x: F.matmul(x, turned(x))), ("N", "C", "D")),
]


@pytest.mark.parametrize(("layer", "input"), FITTING)
def test_what_is_right_for_all_names_is_built(layer: nn.Layer, input: Any) -> None:
    nn.build(layer, input)


N3, M3, ROWS = ("N", 3), ("M", 3), Spec(("M",), "int32")
CAPTURED = [
    (F.add, (N3, M3), SAME),
    (ops.add, (N3, M3), SAME),
    (lambda x, y: x + y, (N3, M3), SAME),
    (lambda x, y: jnp.where(x > 0, x, y), (N3, M3), SAME),
    (lambda x, y: x @ y, (N3, M3), "in the input write 3 in place of M."),
    (F.linear, (("N", "K"), (2, 3)), "in the input write 3 in place of K."),
    (F.linear, (("N", "K"), (2, "K"), ("B",)), "in the input write 2 in place of B."),
    (F.conv2d, (("N", "C", 8, 8), (8, 3, 3, 3)), "in the input write 3 in place of C."),
    (lambda x: F.layer_norm(x, 8), (("N", "C"),), "in the input write 8 in place of C."),
    (F.batch_norm, (("N", "C", 2), ("D",), ("D",)), "in the input write D in place of C."),
    (lambda x: F.reshape(x, (2, 4)), (("N", 2),), "in the input write 4 in place of N."),
    (losses.mse, (N3, M3), SAME),
    (losses.cross_entropy, (N3, ROWS), SAME),
    (metrics.accuracy, (N3, ROWS), SAME),
    (metrics.binary_accuracy, (N3, M3), SAME),
]


@pytest.mark.parametrize(("f", "shapes", "help"), CAPTURED)
def test_captured_functions_say_what_to_write(f: Any, shapes: Any, help: str) -> None:
    with pytest.raises(ShapeError) as caught:
        tm.capture(f, *shapes)
    assert caught.value.help == help


def test_weights_may_have_names_too() -> None:
    graph = tm.capture(lambda x, w: F.conv2d(x, w, groups=2), ("N", "2*C", 8, 8), (8, "C", 3, 3))
    assert graph.specs[graph.outputs[0]].shape == shape_of(("N", 8, 6, 6))
    graph = tm.capture(F.linear, ("N", "C"), ("O", "C"), ("O",))
    assert graph.specs[graph.outputs[0]].shape == shape_of(("N", "O"))
