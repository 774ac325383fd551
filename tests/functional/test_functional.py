"""Functions against PyTorch's of the same name, and their errors."""

from __future__ import annotations

import math
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import functional as F
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError
from tensorem.shapes import format_shape


def draw(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


CASES = [
    ("relu", (draw(3, 4),), {}),
    ("leaky_relu", (draw(3, 4), 0.3), {}),
    ("pad", (draw(2, 3, 4), (1, 2, 0, 3)), {"value": 0.5}),
    ("pad", (draw(2, 3, 4), (-1, 2, 1, -2, 0, 1)), {}),
    ("pad", (draw(2, 3, 4, 5), (1, 2, 0, 3), "reflect"), {}),
    ("pad", (draw(2, 3, 4, 5), (4, 0, 3, 3), "reflect"), {}),
    ("pad", (draw(2, 3, 4, 5), (1, 2, 0, 7), "replicate"), {}),
    ("pad", (draw(2, 3, 4), (5, 0, 1, 3), "replicate"), {}),
    ("pad", (draw(2, 3, 4, 5), (5, 2, 0, 4), "circular"), {}),
    ("pad", (draw(2, 3, 4), (0, 3), "circular"), {}),
    ("pad", (draw(2, 3, 4), (1, 0, 1, 2), "constant", -1.5), {}),
    ("sigmoid", (draw(3, 4),), {}),
    ("tanh", (draw(3, 4),), {}),
    ("softplus", (draw(3, 4),), {}),
    ("softplus", (draw(3, 4), 2.5), {}),
    ("softplus", (draw(3, 4),), {"beta": -0.5}),
    ("softmax", (draw(3, 4), 0), {}),
    ("log_softmax", (draw(3, 4),), {"dim": -1}),
    ("linear", (draw(2, 3, 4), draw(5, 4), draw(5)), {}),
    ("conv2d", (draw(2, 4, 7, 6), draw(6, 2, 3, 2)), {"stride": (2, 1), "groups": 2}),
    ("conv2d", (draw(1, 2, 5, 5), draw(3, 2, 3, 3), draw(3)), {"padding": "same"}),
    ("conv2d", (draw(1, 2, 5, 5), draw(3, 2, 3, 3)), {"padding": "valid", "dilation": 2}),
    ("conv2d", (draw(1, 2, 5, 6), draw(3, 2, 2, 4), draw(3)), {"padding": "same"}),
    ("conv2d", (draw(6, 5, 6), draw(2, 3, 4, 4), None, 1, "same", (1, 3), 2), {}),
    ("max_pool2d", (draw(2, 3, 6, 6), 3), {"stride": 2, "padding": 1}),
    ("max_pool2d", (draw(2, 3, 6, 7), 3, 2, 1, 2, True), {}),
    ("avg_pool2d", (draw(2, 3, 6, 6), (2, 3)), {}),
    ("avg_pool2d", (draw(2, 3, 7, 6), 3, 2, 1, True, False, 5), {}),
    ("layer_norm", (draw(3, 4), (4,)), {}),
    ("layer_norm", (draw(2, 3, 4), (3, 4), draw(3, 4), draw(3, 4), 1e-3), {}),
    ("batch_norm", (draw(2, 3, 4), draw(3), np.abs(draw(3)), draw(3), draw(3)), {}),
    ("batch_norm", (draw(2, 3), draw(3), np.abs(draw(3))), {"eps": 0.1}),
]


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize(("name", "args", "kwargs"), CASES)
def test_a_function_is_torchs_of_the_same_name(name: str, args: Any, kwargs: Any) -> None:
    torch = pytest.importorskip("torch")
    theirs = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in args]
    expected = getattr(torch.nn.functional, name)(*theirs, **kwargs).numpy()
    ours = [jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in args]
    assert_close(getattr(F, name)(*ours, **kwargs), expected, rtol=1e-5, atol=1e-5)


TENSOR_CASES = [
    ("neg", (draw(3, 4),), {}),
    ("abs", (draw(3, 4),), {}),
    ("sqrt", (np.abs(draw(3, 4)),), {}),
    ("exp", (draw(3, 4),), {}),
    ("log", (np.abs(draw(3, 4)),), {}),
    ("maximum", (draw(3, 4), draw(4)), {}),
    ("minimum", (draw(3, 4), draw(4)), {}),
    ("permute", (draw(2, 3, 4), (2, -3, 1)), {}),
    ("narrow", (draw(2, 5, 4), 1, -3, 2), {}),
    ("narrow", (draw(2, 5, 4), -1, 0, 4), {}),
    ("amax", (draw(2, 3, 4), (0, -1)), {}),
    ("amin", (draw(2, 3, 4), 1, True), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), TENSOR_CASES)
def test_a_function_is_that_of_torch_itself(name: str, args: Any, kwargs: Any) -> None:
    torch = pytest.importorskip("torch")
    theirs = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in args]
    ours = [jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in args]
    expected = getattr(torch, name)(*theirs, **kwargs).numpy()
    assert_close(getattr(F, name)(*ours, **kwargs), expected)


def test_cat_joins_as_numpy() -> None:
    parts = [draw(2, 3), draw(2, 1), draw(2, 4)]
    assert_close(F.cat([jnp.asarray(p) for p in parts], dim=-1), np.concatenate(parts, axis=1))


def test_these_functions_are_ops_in_a_graph() -> None:
    def f(x: Any) -> Any:
        y = F.cat([F.narrow(x, 1, 0, 2), F.neg(F.abs(x))], dim=1)
        return F.amax(F.pad(F.permute(y, (1, 0)), (1, 0)), 0)

    graph = tm.capture(f, (2, 3))
    found = [node.op for node in graph.nodes]
    assert [op for op in found if op != "const"] == [
        "slice", "abs", "neg", "concat", "permute", "pad", "amax",
    ]  # fmt: skip
    named = tm.capture(lambda x: F.cat([F.narrow(x, 1, 1, 2), x], dim=1), ("N", 3))
    assert [str(size) for size in named.specs[named.outputs[0]].shape] == ["N", "5"]


MOVES: list[tuple[Any, type[Exception], str]] = [
    (lambda x: F.permute(x, (0, 0)), ArgumentError, "F.permute takes dims that name every axis"),
    (lambda x: F.permute(x, (0,)), ArgumentError, "axis of (2, 3) once, got (0,)."),
    (
        lambda x: F.permute(x, (0, 0.5)),
        ArgumentError,
        "F.permute takes dims as a tuple of integers, got (0",
    ),
    (lambda x: F.cat([]), ArgumentError, "F.cat takes a list of at least one array, got list"),
    (lambda x: F.cat(x), ArgumentError, "F.cat takes a list of at least one array, got ArrayImpl"),
    (lambda x: F.cat([x, x[:1]], 1), ShapeError, "F.cat takes operands of equal shapes"),
    (lambda x: F.cat([x], 2), ShapeError, "F.cat takes an input with axis dim=2, got (2, 3)"),
    (lambda x: F.cat([x, x.astype("int32")]), DTypeError, "F.cat takes"),
    (
        lambda x: F.narrow(x, 1, 2, 2),
        ShapeError,
        "F.narrow takes a part of the axis of 3, got start",
    ),
    (
        lambda x: F.narrow(x, 1, -4, 2),
        ShapeError,
        "F.narrow takes a part of the axis of 3, got start",
    ),
    (lambda x: F.narrow(x, 5, 0, 1), ShapeError, "F.narrow takes an input with axis dim=5"),
    (
        lambda x: F.narrow(x, 1, 0.5, 2),
        ArgumentError,
        "F.narrow takes start as an integer, got 0.5",
    ),
    (lambda x: F.pad(x, (1, 2, 3)), ArgumentError, "F.pad takes pad as up to 2 pairs of integers"),
    (lambda x: F.pad(x, (-9, 0)), ArgumentError, "F.pad takes frames that leave an image"),
    (lambda x: F.pad(x, 1), ArgumentError, "F.pad takes pad as a tuple of integers, got 1"),
    (
        lambda x: F.pad(x, (1, 1), "zeros"),
        ArgumentError,
        "F.pad takes mode as one of constant, reflect, replicate, circular, got 'zeros'",
    ),
    (
        lambda x: F.pad(x, (1, -1), "reflect"),
        ArgumentError,
        "F.pad takes pad of at least 0 in mode 'reflect', got (1, -1).",
    ),
    (
        lambda x: F.pad(x, (0, 3), "reflect"),
        ShapeError,
        "F.pad takes an axis of at least 4 for padding (0, 3) in mode 'reflect', got 3.",
    ),
    (
        lambda x: F.pad(x, (0, 0, 3, 0), mode="circular"),
        ShapeError,
        "F.pad takes an axis of at least 3 for padding (3, 0) in mode 'circular', got 2.",
    ),
    (
        lambda x: F.softplus(x, 0),
        ArgumentError,
        "takes beta as a finite number other than 0, got 0.",
    ),
    (
        lambda x: F.avg_pool2d(x[None], 2, divisor_override=0),
        ArgumentError,
        "avg_pool2d takes divisor_override as an integer of at least 1, got 0.",
    ),
    (
        lambda x: F.embedding(jnp.zeros(2, jnp.int32), x, 2),
        ArgumentError,
        "F.embedding takes padding_idx from -2 to 1, or None, got 2.",
    ),
    (lambda x: F.reshape(x, 6), ArgumentError, "F.reshape takes a tuple of sizes, got 6"),
    (lambda x: F.amax(x, "a"), ArgumentError, "F.amax takes dim as an integer, got"),
    (lambda x: F.amin(x, 2), ShapeError, "F.amin takes an input with axis dim=2"),
    (lambda x: F.softmax(x, 0.5), ArgumentError, "F.softmax takes dim as an integer, got 0.5"),
    (lambda x: F.exp(x.astype("int32")), DTypeError, "takes"),
    (lambda x: F.neg(x > 0), DTypeError, "takes"),
    (lambda x: F.maximum(x, x[:, :2]), ShapeError, "Broadcasting takes sizes that are equal or 1"),
]


@pytest.mark.parametrize(("call", "kind", "words"), MOVES)
def test_what_does_not_fit_is_refused(call: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=re.escape(words)):
        call(jnp.ones((2, 3)))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
@pytest.mark.parametrize(("a", "b"), [((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1, 4), (3, 1))])
def test_arithmetic_broadcasts_as_numpy(name: str, a: Any, b: Any) -> None:
    x, y = draw(*a), np.abs(draw(*b)) + 1
    expected = {"add": x + y, "sub": x - y, "mul": x * y, "div": x / y}[name]
    assert_close(getattr(F, name)(jnp.asarray(x), jnp.asarray(y)), expected)


def test_a_number_takes_the_dtype_of_the_other_operand() -> None:
    x = jnp.ones(3, jnp.bfloat16)
    assert F.mul(x, 2).dtype == F.sub(1.5, x).dtype == jnp.bfloat16


def test_the_rest_is_numpys() -> None:
    x = draw(2, 3, 4)
    array = jnp.asarray(x)
    assert_close(F.flatten(array), x.ravel())
    assert_close(F.flatten(array, 1), x.reshape(2, 12))
    assert_close(F.flatten(array, 0, 1), x.reshape(6, 4))
    assert F.flatten(jnp.asarray(1.0)).shape == (1,)
    assert_close(F.reshape(array, (4, -1)), x.reshape(4, 6))
    assert_close(F.broadcast(array, (2, 5, 3, 4), (0, 2, 3)), np.stack([x] * 5, 1))
    assert_close(F.matmul(array, array.transpose(0, 2, 1)), x @ x.transpose(0, 2, 1))
    assert_close(F.embedding(jnp.asarray([1, 0]), array[0]), x[0][[1, 0]])
    mean, var = F.batch_moments(jnp.asarray(draw(3, 2, 4, 5)))
    assert_close(mean, draw(3, 2, 4, 5).mean((0, 2, 3)))
    assert_close(var, draw(3, 2, 4, 5).var((0, 2, 3)))


def test_symbolic_sizes_stay_polynomials() -> None:
    (n,) = jax.export.symbolic_shape("N")
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.extend([F.shape(x), F.shape(F.add(F.flatten(x, 0), 1.0))])
        return F.add(x, jnp.ones(3))

    y = jax.eval_shape(f, jax.ShapeDtypeStruct((n, 3), jnp.float32))
    assert [format_shape(s) for s in seen] == ["(N, 3)", "(3*N,)"]
    assert format_shape(F.shape(y)) == "(N, 3)"


@pytest.mark.parametrize(
    ("pooled", "what"),
    [
        (lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), "ceil_mode"),
        (lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), "count_include_pad=False"),
    ],
)
def test_windows_that_depend_on_a_named_size_are_refused(pooled: Any, what: str) -> None:
    with pytest.raises(ShapeError, match=rf"takes .*{what} for .* known height .* got \(2, H, W\)"):
        tm.capture(pooled, (2, "H", "W"))


def test_a_padding_row_passes_no_gradient_on() -> None:
    table, index = jnp.asarray(draw(3, 2)), jnp.asarray([[0, 2], [2, 1]])
    for idx in (2, -1):
        found, back = jax.vjp(lambda t, i=idx: F.embedding(index, t, i), table)
        assert_close(found, table[index])
        assert_close(back(jnp.ones((2, 2, 2)))[0], [[1, 1], [1, 1], [0, 0]])


def test_dropout_is_a_mask_of_the_key() -> None:
    x, key = jnp.ones((100, 100)), jax.random.key(0)
    y = np.asarray(F.dropout(x, 0.4, key=key))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.6)}
    assert abs((y == 0).mean() - 0.4) < 0.02
    np.testing.assert_array_equal(y, F.dropout(x, 0.4, key=key))
    assert not np.array_equal(y, F.dropout(x, 0.4, key=jax.random.key(1)))


ERRORS = [
    (lambda: F.add(jnp.ones((3, 2)), jnp.ones(3)), ShapeError, r"got \(3, 2\) and \(3,\)"),
    (
        lambda: F.add(jnp.ones(3), jnp.ones(3, jnp.int32)),
        DTypeError,
        "F.add takes operands of one dtype, got float32 and int32",
    ),
    (
        lambda: F.linear(jnp.ones((2, 3)), jnp.ones((5, 4))),
        ShapeError,
        r"F.linear takes \(\*batch, 4\), got \(2, 3\)",
    ),
    (
        lambda: F.linear(jnp.ones((2, 4)), jnp.ones((5, 4)), jnp.ones(4)),
        ShapeError,
        r"F.linear takes a bias \(5,\), got \(4,\)",
    ),
    (
        lambda: F.linear(jnp.ones(4), jnp.ones(4)),
        ShapeError,
        r"F.linear takes a weight \(out, in\), got \(4,\)",
    ),
    (
        lambda: F.matmul(jnp.ones((2, 3)), jnp.ones((2, 3))),
        ShapeError,
        r"F.matmul takes \(\*batch, n, k\) and \(\*batch, k, m\), got \(2, 3\) and \(2, 3\)",
    ),
    (
        lambda: F.conv2d(jnp.ones((1, 2, 4, 4)), jnp.ones((3, 2, 5, 5))),
        ShapeError,
        "F.conv2d takes images of at least 5 x 5, got",
    ),
    (
        lambda: F.conv2d(jnp.ones((1, 2, 4, 4)), jnp.ones((3, 2, 2, 2)), None, 2, "same"),
        ArgumentError,
        'F.conv2d takes padding="same" with stride 1, got stride 2',
    ),
    (lambda: F.max_pool2d(jnp.ones((4, 4)), 2), ShapeError, "F.max_pool2d takes"),
    (lambda: F.softmax(jnp.ones(3), 1), ShapeError, "F.softmax takes an input with axis dim=1"),
    (
        lambda: F.layer_norm(jnp.ones((2, 3)), 3, jnp.ones(2)),
        ShapeError,
        r"F.layer_norm takes weight \(3,\), got \(2,\)",
    ),
    (
        lambda: F.batch_norm(jnp.ones((2, 3)), jnp.ones(4), jnp.ones(4)),
        ShapeError,
        r"F.batch_norm takes \(N, 4, ...\), got \(2, 3\)",
    ),
    (lambda: F.batch_norm(jnp.ones(2), jnp.ones(2), jnp.ones(2)), ShapeError, r"got \(2,\)"),
    (lambda: F.batch_moments(jnp.ones(2)), ShapeError, r"F.batch_moments takes \(N, C, ...\)"),
    (
        lambda: F.embedding(jnp.ones(2), jnp.ones((3, 4))),
        DTypeError,
        r"F.embedding takes integers \(int32, ...\), got float32",
    ),
    (
        lambda: F.dropout(jnp.ones(2), 2.0, key=jax.random.key(0)),
        ArgumentError,
        r"F.dropout takes p as a number in \[0, 1\]",
    ),
    (
        lambda: F.dropout(jnp.ones(2, int), 0.3, key=jax.random.key(0)),
        DTypeError,
        "F.dropout takes floats, got int",
    ),
    (
        lambda: F.add(jnp.ones(2, jnp.int32), 0.5),
        DTypeError,
        r"F.add takes operands of one dtype, got int32 and the number 0\.5",
    ),
    (lambda: F.mul(300, jnp.ones(2, jnp.uint8)), DTypeError, "got uint8 and the number 300"),
    (lambda: F.add(jnp.ones(2, bool), True), DTypeError, "got bool and the number True"),
    (lambda: F.add(jnp.ones(2, bool), jnp.ones(2, bool)), DTypeError, "add takes numbers, got"),
    (lambda: F.div(jnp.ones(2, jnp.int32), 2), DTypeError, "div takes floats, got int32"),
    (lambda: F.softmax(jnp.ones((2, 2), jnp.int32), 1), DTypeError, "softmax takes floats"),
    (lambda: F.softmax(jnp.ones((2, 0)), 1), ShapeError, r"takes at least one entry along \(1,\)"),
    (lambda: F.sigmoid([0.5]), DTypeError, "sigmoid takes arrays, got"),
    (lambda: F.max_pool2d(jnp.ones((1, 1, 2, 2), bool), 2), DTypeError, "takes floats, got bool"),
    (
        lambda: F.matmul(jnp.ones((2, 2), jnp.float16), jnp.ones((2, 2))),
        DTypeError,
        "matmul takes operands of one dtype, got float16 and float32",
    ),
    (
        lambda: F.linear(jnp.ones((2, 2), jnp.float16), jnp.ones((2, 2))),
        DTypeError,
        "linear takes operands of one dtype, got float16 and float32",
    ),
    (
        lambda: F.conv2d(jnp.ones((1, 2, 2), jnp.float16), jnp.ones((1, 1, 2, 2))),
        DTypeError,
        "conv2d takes operands of one dtype, got float16 and float32",
    ),
    (
        lambda: F.layer_norm(jnp.ones((2, 2), jnp.float16), 2, jnp.ones(2)),
        DTypeError,
        "layer_norm takes operands of one dtype, got float16 and float32",
    ),
    (
        lambda: F.batch_norm(jnp.ones((2, 2)), jnp.ones(2, jnp.int32), jnp.ones(2, jnp.int32)),
        DTypeError,
        "batch_norm takes operands of one dtype, got float32 and int32",
    ),
    (lambda: F.batch_moments(jnp.ones((2, 2), int)), DTypeError, "batch_moments takes floats"),
    (lambda: F.relu(jnp.ones(2, bool)), DTypeError, "relu takes numbers, got bool"),
    (lambda: F.leaky_relu(jnp.ones(2, int)), DTypeError, "leaky_relu takes floats, got int"),
    (lambda: F.avg_pool2d(jnp.ones((1, 2, 2), int), 2), DTypeError, "takes floats, got int"),
    (lambda: F.conv2d(jnp.ones((1, 2, 2)), jnp.ones((1, 1, 1, 1)), stride=0), ArgumentError, "str"),
    (lambda: F.broadcast(jnp.ones(2), (3,), (0,)), ShapeError, "broadcast takes sizes that are 1"),
    (lambda: F.broadcast(jnp.ones(2), (3,), (1,)), ArgumentError, "broadcast takes 1 rising dims"),
    (lambda: F.reshape(jnp.ones((2, 3)), (4,)), ShapeError, "takes a target of 6 elements"),
    (
        lambda: F.conv2d(jnp.ones((0, 4, 4)), jnp.ones((2, 0, 3, 3))),
        ShapeError,
        "F.conv2d takes at least 1 channel in and out, got 0 and 2.",
    ),
    (
        lambda: F.conv2d(jnp.ones((1, 4, 4)), jnp.ones((0, 1, 3, 3))),
        ShapeError,
        "F.conv2d takes at least 1 channel in and out, got 1 and 0.",
    ),
    (
        lambda: F.softmax(jnp.ones(()), 0),
        ShapeError,
        r"F.softmax takes an input with axis dim=0, got \(\) with 0 axes.",
    ),
    (lambda: F.log_softmax(jnp.ones(()), -1), ShapeError, "F.log_softmax takes an input with axis"),
    (
        lambda: F.dropout(jnp.ones(2), key=jnp.zeros(3)),
        DTypeError,
        r"F.dropout takes one key of jax.random, got float32 \(3,\).",
    ),
    (
        lambda: F.dropout(jnp.ones(2), 0.0, key=jax.random.split(jax.random.key(0))),
        DTypeError,
        r"F.dropout takes one key of jax.random, got key<fry> \(2,\).",
    ),
    (lambda: F.flatten(jnp.ones((2, 3)), 2), ShapeError, "F.flatten takes an input with axis"),
]


@pytest.mark.parametrize(("call", "error", "words"), ERRORS)
def test_misuse_is_one_clear_error(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
    with pytest.raises(error, match=words):
        jax.eval_shape(call)


def test_a_number_takes_the_dtype_of_the_array() -> None:
    assert_close(F.add(jnp.ones(2, jnp.int8), -100), [-99, -99])
    assert F.mul(2, jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16


def test_a_batch_may_be_empty() -> None:
    assert F.conv2d(jnp.ones((0, 1, 4, 4)), jnp.ones((2, 1, 3, 3))).shape == (0, 2, 2, 2)
    assert F.max_pool2d(jnp.ones((0, 1, 4, 4)), 2).shape == (0, 1, 2, 2)
    assert F.softmax(jnp.ones((0, 3)), 1).shape == (0, 3)


def test_an_index_without_a_row_is_an_error_and_no_number_in_a_trace() -> None:
    table = jnp.ones((3, 4))
    with pytest.raises(DataError, match=r"F\.embedding takes indices .* 2, got 3") as caught:
        F.embedding(jnp.asarray([0, 3]), table)
    assert caught.value.where == "index[1]"
    for dtype in ("int8", "int32"):
        index = jnp.asarray([2, -1, 3], dtype)
        rows = jax.jit(F.embedding)(index, table)
        assert np.isnan(rows).all(axis=1).tolist() == [False, True, True]
    slope = jax.grad(lambda t: jax.jit(F.embedding)(jnp.asarray([2]), t).sum())(table)
    assert slope.sum(axis=1).tolist() == [0, 0, 4]


def test_scores_that_xla_computes_twice_are_rounded_once() -> None:
    """An average fused into the difference is not rounded, in the maximum it is."""
    x = jnp.full((1, 1000, 13, 13), 1.3e10, jnp.float32)
    shares = jax.jit(lambda f, x: f(F.mean(x, (2, 3)), -1), static_argnums=0)
    assert_close(shares(F.softmax, x), np.full((1, 1000), 1e-3))
    assert_close(shares(F.log_softmax, x), np.full((1, 1000), -math.log(1000)))
