"""Floats of 16 bits: sums are taken in float32 and rounded once, as PyTorch does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tensorem import functional as F
from tensorem import ops
from tensorem.errors import DTypeError
from tensorem.graph import capture, to_jax
from tensorem.shapes import Spec

HALF = ("float16", "bfloat16")
DRAW = np.random.default_rng(0)
ROWS = {dtype: jnp.asarray(DRAW.uniform(0.5, 9, size=(4, 768)), dtype) for dtype in HALF}
IMAGES = {dtype: jnp.asarray(DRAW.uniform(size=(2, 3, 16, 16)), dtype) for dtype in HALF}


def normalised(x: Any) -> Any:
    return F.batch_norm(x, *F.batch_moments(x))


CASES: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], Any], dict[str, Any]]] = {
    "sum": (lambda x: F.sum(x, 1), lambda t, x: x.sum(1), ROWS),
    "mean": (lambda x: F.mean(x, 1), lambda t, x: x.mean(1), ROWS),
    "softmax": (lambda x: F.softmax(x, 1), lambda t, x: t.softmax(x, 1), ROWS),
    "log_softmax": (lambda x: F.log_softmax(x, 1), lambda t, x: t.log_softmax(x, 1), ROWS),
    "layer_norm": (lambda x: F.layer_norm(x, 768), lambda t, x: t.layer_norm(x, (768,)), ROWS),
    "batch_norm": (
        normalised,
        lambda t, x: t.batch_norm(x, None, None, training=True),
        IMAGES,
    ),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 8), lambda t, x: t.avg_pool2d(x, 8), IMAGES),
    "counted": (
        lambda x: F.avg_pool2d(x, 7, 7, 1, count_include_pad=False),
        lambda t, x: t.avg_pool2d(x, 7, 7, 1, count_include_pad=False),
        IMAGES,
    ),
}


def pulled_back(f: Any, x: Any, weight: Any) -> tuple[Any, Any]:
    """The value, and the gradient of its weighted sum."""
    y, back = jax.vjp(f, x)
    return y, back(weight)[0]


def wide(x: Any) -> Any:
    return np.asarray(x, np.float64)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_as_good_as_those_of_pytorch(name: str, dtype: str) -> None:
    """Against float64: at most the error of PyTorch, and half a unit of rounding more."""
    torch = pytest.importorskip("torch")
    ours, theirs, data = CASES[name]
    x = data[dtype]

    def of_torch(kind: Any) -> tuple[Any, Any]:
        leaf = torch.tensor(wide(x)).to(kind).requires_grad_()
        y = theirs(torch.nn.functional, leaf)
        y.backward(torch.tensor(weight(y.shape)).to(kind))
        return y.detach().double().numpy(), leaf.grad.double().numpy()

    def weight(shape: Any) -> Any:
        return wide(np.cos(np.arange(np.prod(shape))).reshape(shape).astype(x.dtype))

    form = jax.eval_shape(ours, x)
    y, slope = jax.jit(lambda x, w: pulled_back(ours, x, w))(x, weight(form.shape).astype(x.dtype))
    assert y.dtype.name == dtype
    unit = float(jnp.finfo(dtype).eps)
    for found, half, true in zip(
        (y, slope), of_torch(getattr(torch, dtype)), of_torch(torch.float64), strict=True
    ):
        error, allowed = (np.max(np.abs(wide(a) - true)) for a in (found, half))
        assert error <= 1.01 * allowed + unit / 2 * np.max(np.abs(true))


def test_sums_beyond_float16_are_no_infinities() -> None:
    half = partial(jnp.asarray, dtype="float16")
    assert F.layer_norm(half([300.0, -300.0]), 2).tolist() == [1, -1]
    assert normalised(half([[300.0], [-300.0]])).tolist() == [[1], [-1]]
    assert F.avg_pool2d(jnp.full((1, 1, 32, 32), 100, jnp.float16), 32).item() == 100
    assert F.avg_pool2d(jnp.ones((1, 1, 256, 256), jnp.float16), 256).item() == 1
    padded = F.avg_pool2d(
        jnp.full((1, 1, 62, 62), 100, jnp.float16), 64, 64, 1, count_include_pad=False
    )
    assert padded.item() == 100


@pytest.mark.parametrize("dtype", HALF)
def test_moments_of_a_batch_are_float32(dtype: str) -> None:
    x = jnp.asarray([[300.0], [-300.0]], dtype)
    mean, var = F.batch_moments(x)
    assert mean.dtype == var.dtype == jnp.float32
    assert (mean.tolist(), var.tolist()) == ([0], [90000])


def test_a_sum_of_halves_is_rounded_once() -> None:
    """Against the exact sum, rounded to the dtype."""
    for dtype, x in ROWS.items():
        exact = np.asarray(wide(x).sum(1), x.dtype)
        np.testing.assert_array_equal(F.sum(x, 1), exact, strict=False)
        assert F.sum(x, 1).dtype.name == dtype


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("name", CASES)
def test_a_captured_program_has_the_same_bits(name: str, dtype: str) -> None:
    f, _, data = CASES[name]
    x = data[dtype][..., :64]
    f = f if name != "layer_norm" else lambda x: F.layer_norm(x, 64)

    def slope(x: Any) -> Any:
        return jax.grad(lambda x: jnp.sum(jnp.sin(f(x))))(x)

    def both(x: Any) -> Any:
        return f(x), slope(x)

    again = to_jax(capture(both, Spec(x.shape, dtype)))(x)
    for ours, theirs in zip(again, jax.jit(both)(x), strict=True):
        np.testing.assert_array_equal(wide(ours), wide(theirs))


@pytest.mark.parametrize("dtype", HALF)
def test_sums_that_jax_takes_in_16_bits_are_captured_as_they_are(dtype: str) -> None:
    """The gradient of a bias is one; a mean in its place would be of float32."""

    def slope(bias: Any, weight: Any) -> Any:
        return jax.grad(lambda b: jnp.sum((b + weight) * weight))(bias) / 768

    x = ROWS[dtype].T
    graph = capture(slope, Spec((4,), dtype), Spec(x.shape, dtype))
    assert "mean" not in {node.op for node in graph.nodes}
    np.testing.assert_array_equal(wide(to_jax(graph)(x[0], x)), wide(jax.jit(slope)(x[0], x)))


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("transform", ["forward", "grad", "vmap", "remat", "scan", "jvp"])
def test_rows_are_recognised(dtype: str, transform: str) -> None:
    def f(x: Any) -> Any:
        y = ops.softmax(ops.log_softmax(x, dim=-1), dim=-1)
        return ops.layer_norm(y, jnp.ones(64, dtype), jnp.zeros(64, dtype), ndim=1, eps=1e-5)

    programs: dict[str, Any] = {
        "forward": f,
        "grad": jax.grad(lambda x: jnp.sum(f(x))),
        "vmap": jax.vmap(f),
        "remat": jax.checkpoint(f),
        "jvp": lambda x: jax.jvp(f, (x,), (x,)),
        "scan": lambda x: jax.lax.scan(lambda c, row: (c, f(row)), 0, x)[1],
    }
    graph = capture(programs[transform], Spec((4, 64), dtype))
    nodes = [n for node in graph.nodes for n in (node.body.nodes if node.body else (node,))]
    seen = {node.op for node in nodes}
    assert {"softmax", "log_softmax"} <= seen
    assert "layer_norm" in seen or transform in ("vmap", "grad")


def test_statistics_of_float32_go_with_halves_only() -> None:
    one = jnp.ones(1)
    assert F.batch_norm(jnp.ones((1, 1), jnp.float16), one, one).dtype == jnp.float16
    for x, mean, var in (
        (jnp.ones((1, 1)), one.astype("float16"), one),
        (jnp.ones((1, 1), "float16"), one, one.astype("float16")),
        (jnp.ones((1, 1), "float16"), one.astype("bfloat16"), one.astype("bfloat16")),
    ):
        with pytest.raises(DTypeError, match="batch_norm takes operands of one dtype"):
            F.batch_norm(x, mean, var)
