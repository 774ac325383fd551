"""Every rule against what PyTorch's layer returns, and against what it refuses."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorem import nn, rules
from tensorem.calls import each, named, unless_named
from tensorem.errors import ArgumentError, ShapeError
from tensorem.layer import ruled
from tensorem.rules import (
    check_padding,
    conv_size,
    conv_window,
    pool_size,
    pool_window,
    window_counts,
)
from tensorem.shapes import (
    UNKNOWN,
    UNKNOWN_RANK,
    OpenShape,
    Shape,
    Spec,
    bind_size,
    format_shape,
    parse_size,
    same_shape,
    shape_of,
)

ends = st.tuples(st.integers(0, 3), st.integers(0, 3))
windows = st.tuples(st.integers(1, 4), st.integers(1, 3), ends, st.integers(1, 3))
Window = tuple[int, int, tuple[int, int], int]


@given(st.integers(0, 12), windows)
def test_conv_size_counts_the_positions(size: int, window: Window) -> None:
    kernel, stride, padding, dilation = window
    reach = dilation * (kernel - 1)
    starts = range(-padding[0], size + padding[1] - reach, stride)
    if starts:
        assert conv_size(size, *window) == len(starts)
    else:
        with pytest.raises(ShapeError, match=f"takes a size of at least .* got {size}"):
            conv_size(size, *window)


@given(st.integers(1, 9), st.sampled_from(["H", "4*H", "6*H+3", "?"]), windows)
def test_conv_size_of_symbols_is_that_of_their_values(h: int, text: str, window: Window) -> None:
    size = parse_size(text)
    value = {"H": h, "4*H": 4 * h, "6*H+3": 6 * h + 3, "?": h}[text]
    try:
        expected = conv_size(value, *window)
    except ShapeError:
        return
    assert bind_size(conv_size(size, *window), {"H": h}) in (expected, UNKNOWN)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((8, 0, 1, (0, 0)), "kernel_size of at least 1, got 0"),
        ((8, 3, 0, (0, 0)), "stride of at least 1, got 0"),
        ((8, 3, 1, (-1, 0)), "padding of at least 0, got -1"),
        ((8, 3, 1, (0, -2)), "padding of at least 0, got -2"),
        ((8, 3, 1, (0, 0), 0), "dilation of at least 1, got 0"),
    ],
)
def test_windows_that_make_no_sense_are_refused(arguments: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        conv_size(*arguments)


def test_pool_padding_is_at_most_half_the_kernel() -> None:
    with pytest.raises(ArgumentError, match="at most half of kernel_size 2, got 2"):
        pool_size(8, kernel=2, stride=2, padding=(2, 2))


def test_no_pooling_window_lies_outside() -> None:
    with pytest.raises(
        ArgumentError, match=r"windows that begin before the end, got padding \(0, 2"
    ):
        pool_size(4, kernel=2, stride=2, padding=(0, 2))
    with pytest.raises(ShapeError, match="takes a size of at least dilation 3, got 2") as caught:
        pool_size(2, kernel=2, stride=1, padding=(1, 1), dilation=3)
    assert caught.value.because == "a window could lie wholly in the padding."
    assert pool_size(2, kernel=2, stride=1, padding=(0, 2), dilation=3) == 1


@given(st.integers(1, 12), windows, st.booleans())
def test_ceil_mode_lets_in_the_windows_that_begin_inside(
    size: int, window: Window, ceil_mode: bool
) -> None:
    kernel, stride, (padding, _), dilation = window
    padding = min(padding, kernel // 2)
    span, end = dilation * (kernel - 1) + 1, size + padding
    try:
        ends = pool_window((1, size, 4), kernel, stride, padding, dilation, ceil_mode).padding[0]
        found = conv_size(size, kernel, stride, ends, dilation)
    except ShapeError:
        found = 0
    count = -((span - size - 2 * padding) // stride) if ceil_mode else 0  # of PyTorch's Pool.h
    count = count + 1 - ((count * stride) >= end) if ceil_mode else 0
    plain = (size + 2 * padding - span) // stride + 1
    assert found == max(count if ceil_mode else plain, 0)


@given(st.sampled_from(["H", "4*H", "6*H+3", "?"]), st.integers(1, 9), windows)
def test_ceil_mode_of_symbols_is_that_of_their_values(text: str, h: int, window: Window) -> None:
    kernel, stride, (padding, _), dilation = window
    padding = min(padding, kernel // 2)
    value = {"H": h, "4*H": 4 * h, "6*H+3": 6 * h + 3, "?": h}[text]
    frames = [
        pool_window((1, size, 1), kernel, stride, padding, dilation, True).padding[0]
        for size in (value, parse_size(text))
    ]
    assert frames[1][0] == padding and frames[1][1] in (frames[0][1], UNKNOWN)


@given(st.integers(1, 9), windows, st.integers(0, 3))
def test_window_counts_are_those_of_a_mask(size: int, window: Window, counted: int) -> None:
    kernel, stride, ends, _ = window
    counted = min(counted, *ends)
    mask = [-counted <= i < size + counted for i in range(-ends[0], size + ends[1])]
    starts = range(0, len(mask) - kernel + 1, stride)
    expected = tuple(sum(mask[i : i + kernel]) for i in starts)
    found = window_counts(size, kernel, stride, ends, (counted, counted))
    assert tuple(max(n, 0) for n in found) == expected


@pytest.mark.parametrize(
    ("mode", "padding", "least"),
    [("reflect", (1, 3), 4), ("replicate", (9, 0), 1), ("circular", (2, 5), 5)],
)
def test_a_frame_takes_an_axis_that_fills_it(mode: str, padding: Any, least: int) -> None:
    check_padding(least, padding, mode)
    check_padding(0, (0, 0), mode)
    with pytest.raises(ShapeError, match=f"takes an axis of at least {least} .* mode '{mode}'"):
        check_padding(least - 1, padding, mode)


def test_same_pads_the_greater_half_after_the_image() -> None:
    assert conv_window((3, 4), 1, "same", (2, 1)).padding == ((2, 2), (1, 2))
    with pytest.raises(
        ArgumentError, match=r'takes padding="same" with stride 1, got stride \(1, 2'
    ):
        conv_window(3, (1, 2), "same")


@pytest.mark.parametrize("bad", [0, (1, 2, 3), "3", 1.0, (1, 0), (True, 1)])
def test_pairs(bad: object) -> None:
    with pytest.raises(ArgumentError, match="takes stride as an integer of at least 1 or a pair"):
        each("stride", bad, 2, 1)


LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("Linear", {"in_features": 6, "out_features": 4}),
    ("Conv2d", {"in_channels": 4, "out_channels": 6, "kernel_size": 3}),
    (
        "Conv2d",
        {
            "in_channels": 4,
            "out_channels": 6,
            "kernel_size": (3, 2),
            "stride": (2, 1),
            "padding": (1, 0),
            "dilation": (2, 3),
            "groups": 2,
        },
    ),
    (
        "Conv2d",
        {"in_channels": 4, "out_channels": 6, "kernel_size": (2, 4), "padding": "same"},
    ),
    *(
        (
            "Conv2d",
            {
                "in_channels": 4,
                "out_channels": 6,
                "kernel_size": 3,
                "padding": (2, 3),
                "padding_mode": mode,
            },
        )
        for mode in ("reflect", "replicate", "circular")
    ),
    ("MaxPool2d", {"kernel_size": 2}),
    ("MaxPool2d", {"kernel_size": 2, "ceil_mode": True}),
    (
        "MaxPool2d",
        {"kernel_size": (2, 3), "stride": (3, 4), "padding": 1, "dilation": 2, "ceil_mode": True},
    ),
    ("AvgPool2d", {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    ("MaxPool2d", {"kernel_size": (3, 2), "stride": (2, 1), "padding": 1}),
    ("AvgPool2d", {"kernel_size": (3, 2), "stride": 1, "padding": (1, 0)}),
    ("Flatten", {}),
    ("Flatten", {"start_dim": 0, "end_dim": -2}),
    ("Flatten", {"start_dim": -2, "end_dim": -1}),
    ("Flatten", {"start_dim": 1, "end_dim": 2}),
    ("Flatten", {"start_dim": 1, "end_dim": -2}),
    ("Flatten", {"start_dim": -3, "end_dim": 2}),
    ("Flatten", {"start_dim": -4, "end_dim": -3}),
    ("BatchNorm2d", {"num_features": 4}),
    ("LayerNorm", {"normalized_shape": 6}),
    ("LayerNorm", {"normalized_shape": (5, 6)}),
    ("Softmax", {"dim": 1}),
    ("Softmax", {"dim": -3}),
    ("ReLU", {}),
    ("Dropout", {}),
    ("PReLU", {"num_parameters": 4}),
    ("PReLU", {}),
    ("GLU", {"dim": 1}),
    ("GLU", {}),
    ("PixelShuffle", {"upscale_factor": 2}),
    ("PixelUnshuffle", {"downscale_factor": 2}),
    ("LPPool2d", {"norm_type": 2, "kernel_size": (2, 3), "stride": 1}),
    ("AdaptiveAvgPool2d", {"output_size": (2, None)}),
    ("AdaptiveMaxPool1d", {"output_size": 1}),
    ("Upsample", {"scale_factor": 1.5}),
    ("Upsample", {"size": 3}),
]


def rule_of(name: str, arguments: dict[str, Any]) -> Any:
    """The rule of a layer, asked by its name and arguments."""
    rule = getattr(nn, name)(**arguments).output_shape
    return lambda shape: rule(shape)


INPUTS: list[tuple[int, ...]] = [
    (),
    (6,),
    (5, 6),
    (4, 5, 6),
    (2, 4, 5, 6),
    (2, 4, 2, 6),
    (2, 3, 5, 6),
    (2, 4, 5, 7),
    (2, 2, 4, 5, 6),
]


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize(("name", "arguments"), LAYERS)
def test_rule_is_what_torch_does(name: str, arguments: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    layer, rule = getattr(torch.nn, name)(**arguments), rule_of(name, arguments)
    for shape in INPUTS:
        try:
            expected = tuple(layer(torch.zeros(shape)).shape)
        except (RuntimeError, ValueError, IndexError):
            with pytest.raises(ShapeError, match=r"^takes "):
                rule(shape)
        else:
            assert rule(shape) == expected


@pytest.mark.parametrize(("name", "arguments"), LAYERS)
@given(data=st.data())
def test_partly_known_shapes_contain_the_truth(
    name: str, arguments: dict[str, Any], data: st.DataObject
) -> None:
    rule = rule_of(name, arguments)
    shape = data.draw(st.sampled_from(INPUTS))
    try:
        expected = rule(shape)
    except ShapeError:
        return
    hidden: tuple[Any, ...] = tuple(UNKNOWN if data.draw(st.booleans()) else s for s in shape)
    veiled: Shape = hidden
    if data.draw(st.booleans()):
        veiled = OpenShape(hidden[data.draw(st.integers(0, len(hidden))) :])
    assert same_shape(rule(veiled), expected) is not False


def test_embedding_is_what_torch_does() -> None:
    torch = pytest.importorskip("torch")
    layer, rule = torch.nn.Embedding(10, 3), nn.Embedding(10, 3).output_shape
    for shape in [(), (4,), (2, 4)]:
        index = torch.zeros(shape, dtype=torch.int64)
        assert rule(shape) == tuple(layer(index).shape)
    assert rule(UNKNOWN_RANK) == OpenShape((3,))


def test_clashes_are_found_with_the_input_unknown() -> None:
    hidden = nn.Linear(784, 128).output_shape(UNKNOWN_RANK)
    assert format_shape(hidden) == "(..., 128)"
    with pytest.raises(ShapeError, match=r"takes \(\*batch, 127\), got \(\.\.\., 128\)\."):
        nn.Linear(127, 10).output_shape(hidden)
    images = nn.Conv2d(1, 16, 3).output_shape(UNKNOWN_RANK)
    assert format_shape(images) == "(..., 16, ?, ?)"
    with pytest.raises(ShapeError, match=r"takes \(N, 8, H, W\) or \(8, H, W\)"):
        nn.Conv2d(8, 16, 3).output_shape(images)
    assert format_shape(nn.Flatten().output_shape(images)) == "(?, ?)"


@pytest.mark.parametrize(
    ("dims", "last", "text"),
    [
        ((1, 2), (4, 5, 6, 7), "(..., 7)"),
        ((1, -2), (4, 5), "(?, ?, 5)"),
        ((1, -3), (5,), "(?, ?, ?, 5)"),
        ((-3, -2), (4, 5, 6, 7), "(..., 4, 30, 7)"),
        ((-3, -2), (7,), "(..., ?, 7)"),
        ((-3, 2), (4, 5, 6, 7), "(..., 7)"),
    ],
)
def test_of_an_open_rank_all_is_kept_that_is_known(dims: Any, last: Any, text: str) -> None:
    assert format_shape(nn.Flatten(*dims).output_shape(OpenShape(last))) == text
    with pytest.raises(ShapeError, match=r"up to end_dim, got -1 and -2 for \(\.\.\.\)"):
        nn.Flatten(-1, -2).output_shape(UNKNOWN_RANK)


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        (OpenShape((3,)), (3, "N", 4), "(..., N, 4)"),
        ((2, 3), OpenShape((3, 5, 4)), "(..., 5, 4)"),
        (UNKNOWN_RANK, UNKNOWN_RANK, "(...)"),
    ],
)
def test_a_product_of_an_open_rank_ends_as_the_second_operand(x: Any, y: Any, text: str) -> None:
    found = rules.dot(Spec(x), Spec(y), contract=((1,), (0,)), batch=((), ()))
    assert format_shape(found.shape) == text


def test_symbolic_images() -> None:
    x = shape_of(("N", 1, "4*H", "W"))
    assert format_shape(nn.Conv2d(1, 8, 3, padding=1).output_shape(x)) == "(N, 8, 4*H, W)"
    assert format_shape(nn.MaxPool2d(2).output_shape(x)) == "(N, 1, 2*H, ?)"


ERRORS: list[tuple[nn.Layer, Any, str]] = [
    (nn.Linear(127, 10), (), "Linear(127 -> 10) takes (*batch, 127), got ()."),
    (
        nn.Linear(1, 2),
        ("N+1",),
        "Linear(1 -> 2) takes (*batch, 1), got (N+1,).\n  because: N+1 is 1 for no value of N.",
    ),
    (
        nn.Linear(8, 2),
        ("2*N",),
        "Linear(8 -> 2) takes (*batch, 8), got (2*N,).\n"
        "  help: in the input write 4 in place of N.",
    ),
    (
        nn.Linear(127, 10),
        ("N", 128),
        "Linear(127 -> 10) takes (*batch, 127), got (N, 128).\n  help: write nn.Linear(128, 10).",
    ),
    (
        nn.Conv2d(1, 16, 3),
        ("N", 3, 8, 8),
        "Conv2d(1, 16, 3) takes (N, 1, H, W) or (1, H, W), got (N, 3, 8, 8).\n"
        "  help: write nn.Conv2d(3, 16, 3).",
    ),
    (
        nn.Conv2d(1, 16, 5),
        ("N", 1, 8, 3),
        "Conv2d(1, 16, 5) takes images of at least 5 x 5, got (N, 1, 8, 3).\n"
        "  because: the kernel reaches beyond the padded image\n"
        "  help:    use a smaller kernel_size or dilation, or more padding.",
    ),
    (
        nn.MaxPool2d(2),
        (8, 8),
        "MaxPool2d(2) takes (N, C, H, W) or (C, H, W), got (8, 8).",
    ),
    (nn.Flatten(), (8,), "Flatten takes an input with axis start_dim=1, got (8,) with 1 axis."),
    (
        nn.Flatten(1, 0),
        (8, 8),
        "Flatten(end_dim=0) takes start_dim up to end_dim, got 1 and 0 for (8, 8).",
    ),
    (
        nn.BatchNorm2d(4),
        ("N", 3, 8, 8),
        "BatchNorm2d(4) takes (N, 4, H, W), got (N, 3, 8, 8).\n  help: write nn.BatchNorm2d(3).",
    ),
    (nn.BatchNorm2d(3), (3, 8, 8), "BatchNorm2d(3) takes (N, 3, H, W), got (3, 8, 8)."),
    (
        nn.LayerNorm((5, 6)),
        (2, 5, 7),
        "LayerNorm((5, 6)) takes (*batch, 5, 6), got (2, 5, 7).",
    ),
    (
        nn.Upsample(size=(2, 3)),
        ("N", 4, "H", 5),
        "Upsample(size=(2, 3)) takes images whose sizes are numbers, got (N, 4, H, 5).",
    ),
    (
        nn.PixelShuffle(2),
        ("N", "C", 3, 3),
        "PixelShuffle(2) takes channels that 4 divides, got (N, C, 3, 3).",
    ),
    (
        nn.Softmax(2),
        (2, 5),
        "Softmax(2) takes an input with axis dim=2, got (2, 5) with 2 axes.",
    ),
]


@pytest.mark.parametrize(("layer", "shape", "text"), ERRORS, ids=str)
def test_errors_word_by_word(layer: nn.Layer, shape: Any, text: str) -> None:
    with pytest.raises(ShapeError) as error:
        ruled(layer, "", (shape_of(shape),), (), None)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(8, 2), ("N", None)),
        (nn.Conv2d(3, 8, 3), (None, 8, 8)),
        (nn.BatchNorm2d(8), ("N", None, 2, 2)),
        (nn.LayerNorm((4, 8)), ("N", None, 8)),
    ],
    ids=str,
)
def test_an_unknown_size_passes_where_a_name_does_not(layer: nn.Layer, shape: Any) -> None:
    layer.output_shape(shape_of(shape))


def test_named_leaves_other_errors_alone() -> None:
    with pytest.raises(ShapeError, match=r"^A size takes"), named("Layer"):
        shape_of((-1,))
    with pytest.raises(ShapeError, match=r"^A takes (.*)"), named("A"), unless_named("B"):
        raise ShapeError("takes nothing.")


def test_a_pooling_is_padded_by_half_its_window_at_most() -> None:
    with pytest.raises(ArgumentError, match="at most half of kernel_size 2, got 2"):
        nn.MaxPool2d(2, padding=2).output_shape(shape_of(("N", 1, 8, 8)))


def test_rules_need_no_jax() -> None:
    code = "import sys, tensorem.rules; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda n: nn.Conv2d(1, 1, 3, stride=n),
        lambda n: nn.Conv2d(1, 1, 3, dilation=(1, n)),
        lambda n: nn.Conv2d(1, 1, n),
        lambda n: nn.MaxPool2d(2, padding=n),
        lambda n: nn.Linear(n, 2),
        lambda n: nn.LayerNorm((3, n)),
        lambda n: nn.Softmax(n),
    ],
)
def test_an_integer_beyond_32_bits_is_refused(make: Any) -> None:
    with pytest.raises(ArgumentError, match=r"takes \w+ as .* of at most 2147483647.* got"):
        make(2**31)
