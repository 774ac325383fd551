"""Capture: what is recognised under which transform, and that graphs compute the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import functional as F
from tensorem import graph, ops
from tensorem.errors import CaptureError
from tensorem.shapes import Spec

X = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
TILES: dict[str, Any] = dict(
    kernel_size=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)), dilation=(1, 1)
)
W = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)


def network(x: Any) -> Any:
    return ops.softmax(ops.tanh(ops.relu(ops.linear(x, W))), dim=-1)


def with_bias(x: Any) -> Any:
    return ops.softmax(ops.tanh(ops.relu(ops.linear(x, W, W[0]))), dim=-1)


def loss(x: Any) -> Any:
    return jnp.sum(network(x) ** 2)


def scanned(x: Any) -> Any:
    return jax.lax.scan(lambda c, _: (network(c), jnp.sum(c)), x, None, length=3)


TRANSFORMS: dict[str, tuple[Callable[[Any], Any], set[str]]] = {
    "forward": (network, {"linear", "relu", "tanh", "softmax"}),
    "scan": (scanned, {"linear", "relu", "tanh", "softmax", "loop"}),
    "remat": (jax.checkpoint(network), {"linear", "relu", "tanh", "softmax"}),
    "grad": (jax.grad(loss), {"linear", "relu", "tanh", "softmax"}),
    "jvp": (lambda x: jax.jvp(loss, (x,), (x,)), {"linear", "relu", "tanh", "softmax"}),
    "hvp": (lambda x: jax.jvp(jax.grad(loss), (x,), (x,)), {"linear", "relu", "tanh", "softmax"}),
    "grad of scan": (
        jax.grad(lambda x: jnp.sum(scanned(x)[1])),
        {"linear", "relu", "tanh", "softmax", "loop"},
    ),
    "grad of remat": (jax.grad(jax.checkpoint(loss)), {"linear", "relu", "tanh", "softmax"}),
    "vmap": (jax.vmap(network), {"linear", "relu", "tanh", "softmax"}),
    "vmap with a bias": (jax.vmap(with_bias), {"relu", "tanh", "softmax", "dot", "add"}),
    "vmap over the last axis": (jax.vmap(network, 1, 1), {"relu", "tanh", "softmax", "dot"}),
    "vmap of grad": (jax.vmap(jax.grad(loss)), {"linear", "relu", "tanh", "softmax"}),
}
"""The experiment of docs/design.md ("What capture recognises"): the ops that keep their names."""


NAMED = {"linear", "relu", "tanh", "softmax", "loop"}


def ops_of(g: graph.Graph) -> set[str]:
    inside = (ops_of(node.body) for node in g.nodes if node.body is not None)
    return {node.op for node in g.nodes}.union(*inside)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_ops_are_recognised_and_the_graph_computes_the_same(name: str) -> None:
    f, expected = TRANSFORMS[name]
    g = graph.capture(f, (4, 4))
    assert expected <= ops_of(g) and NAMED & ops_of(g) == NAMED & expected
    ours, theirs = jax.tree.leaves(graph.to_jax(g)(X)), jax.tree.leaves(jax.jit(f)(X))
    for a, e in zip(ours, theirs, strict=True):
        assert np.array_equal(a, e)


def test_a_forward_pass_keeps_its_bits() -> None:
    g = graph.capture(network, ("N", 4))
    ours = graph.to_jax(g.bind(N=4))(X)
    assert np.array_equal(ours, jax.jit(network)(X))


NORMALISED = {
    "layer_norm": lambda x: jnp.sum(F.layer_norm(x, (7,)) ** 3 * 1.3),
    "batch_norm": lambda x: jnp.sum(F.batch_norm(x, *F.batch_moments(x), eps=1e-5) ** 2),
}


@pytest.mark.parametrize("name", NORMALISED)
def test_a_gradient_keeps_its_bits(name: str) -> None:
    """The numbers in it are numbers for the compiler: as arguments they change how it rounds."""
    f = jax.grad(NORMALISED[name])
    x = np.random.default_rng(2).normal(size=(4, 3, 5, 7)).astype(np.float32)
    ours = graph.to_jax(graph.capture(f, x.shape))(x)
    assert np.array_equal(ours, jax.jit(f)(x))


def test_a_name_alone_is_not_believed() -> None:
    def impostor(x: Any) -> Any:
        return x + 1.0

    ops.relu(X)
    impostor.__name__ = impostor.__qualname__ = "relu"
    g = graph.capture(jax.jit(impostor), (4,))
    assert [node.op for node in g.nodes] == ["broadcast", "add"]


def test_sizes_stay_symbolic_and_are_bound_by_name() -> None:
    g = graph.capture(lambda x: ops.relu(x.reshape(x.shape[0], -1)), ("N", 2, "H"))
    assert str(g.specs[g.outputs[0]].shape) == "(N, 2*H)"
    assert g.names == {"N", "H"}
    bound = g.bind(N=3, H=5)
    assert bound.specs[g.outputs[0]].shape == (3, 10)


def test_trees_of_arguments_and_results_keep_their_form() -> None:
    def f(pair: Any, scale: Any) -> Any:
        return {"sum": pair["a"] + pair["b"], "scaled": (pair["a"] * scale,)}

    g = graph.capture(f, {"a": (3,), "b": (3,)}, ())
    assert g.inputs == ("x0.a", "x0.b", "x1")
    a = np.arange(3, dtype=np.float32)
    result = graph.to_jax(g)({"a": a, "b": a}, np.float32(2))
    assert_close(result["sum"], 2 * a)
    assert_close(result["scaled"][0], 2 * a)


def test_weights_keep_their_names_and_dead_ones_are_dropped() -> None:
    weights = {"0.weight": W, "1.weight": W}
    g = graph.capture(lambda w, x: ops.linear(x, w["0.weight"]), ("N", 4), weights=weights)
    assert set(g.arrays) == {"0.weight"}


def test_what_has_no_row_is_an_error_with_a_remedy() -> None:
    with pytest.raises(CaptureError, match="got the JAX primitive `while`") as caught:
        graph.capture(
            lambda x: jax.lax.while_loop(lambda x: jnp.sum(x) < 3, lambda x: x + 1, x), (3,)
        )
    assert "fixed length" in str(caught.value)
    with pytest.raises(CaptureError, match="`random_seed`"):
        graph.capture(lambda x: x * jax.random.uniform(jax.random.key(0), (3,)), (3,))


def convolutional(w: Any, x: Any) -> Any:
    attrs: dict[str, Any] = dict(stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1)
    h = ops.max_pool2d(ops.relu(ops.conv2d(x, w["k"], **attrs)), **TILES)
    return jnp.sum(ops.log_softmax(h.reshape(h.shape[0], -1), dim=-1) ** 2)


def test_a_gather_takes_as_much_of_a_row_as_it_says() -> None:
    d = jax.lax.GatherDimensionNumbers((1,), collapsed_slice_dims=(0,), start_index_map=(0,))
    f = lambda x: jax.lax.gather(x, jnp.array([[3], [0]]), d, slice_sizes=(1, 2))  # noqa: E731
    g = graph.capture(f, (4, 4))
    assert_close(graph.to_jax(g)(X), X[[3, 0], :2], 0, 0)


def test_a_primitive_that_was_told_more_than_a_row_is_refused() -> None:
    wide = lambda x: jnp.matmul(x, x, preferred_element_type=jnp.int32)  # noqa: E731
    with pytest.raises(CaptureError, match=r"gives int8 \(4, 4\) and not int32 \(4, 4\)") as caught:
        graph.capture(wide, Spec((4, 4), "int8"))
    assert caught.value.where == "dot_general(int8[4,4], int8[4,4])"


@pytest.mark.parametrize("name", ["x0", "linear_0", "relu_1", "const.0", "x0_"])
def test_weights_and_values_never_share_a_name(name: str) -> None:
    def f(w: Any, x: Any) -> Any:
        return ops.add(ops.relu(ops.linear(x, W)), w[name] * 2.0)

    g = graph.capture(f, (4, 4), weights={name: X})
    assert_close(graph.to_jax(g)(W), np.maximum(W @ W.T, 0) + 2 * X)


def test_keys_with_dots_are_two_arguments() -> None:
    g = graph.capture(lambda d: d["a"]["b"] - 2 * d["a.b"], {"a": {"b": (2,)}, "a.b": (2,)})
    assert_close(graph.to_jax(g)({"a": {"b": jnp.ones(2)}, "a.b": jnp.full(2, 5.0)}), [-9, -9])


def test_what_has_no_gradient_has_none_in_the_graph() -> None:
    g = graph.to_jax(graph.capture(lambda x: jnp.sum(jax.lax.stop_gradient(x) * x), (4, 4)))
    assert_close(jax.grad(g)(X), X, 0, 0)


def test_the_gradient_of_a_convolution_is_a_graph_of_facade_ops() -> None:
    rng = np.random.default_rng(0)
    w = {"k": rng.normal(size=(2, 1, 3, 3)).astype(np.float32)}
    x = rng.normal(size=(2, 1, 4, 4)).astype(np.float32)
    f = jax.grad(convolutional, (0, 1))
    g = graph.simplify(graph.capture(f, (2, 1, 4, 4), weights=w))
    assert {"conv2d", "conv2d_dk", "conv2d_dx", "log_softmax"} <= ops_of(g)
    (dw, dx), (ew, ex) = graph.to_jax(g)(x), jax.jit(f)(w, x)
    assert_close(dw["k"], ew["k"], 1e-4, 1e-5)
    assert_close(dx, ex, 1e-4, 1e-5)


def test_a_user_who_switched_compilation_off_captures_the_same_graph() -> None:
    """Our names stand on compiled calls, which `jax.disable_jit` takes away."""
    f = lambda x: ops.max_pool2d(network(x), **TILES)  # noqa: E731
    shape = ("N", 1, 4, 4)
    expected = graph.capture(f, shape)
    assert {"max_pool2d", "softmax"} <= ops_of(expected)
    with jax.disable_jit():
        found = graph.capture(f, shape)
        assert jax.config.jax_disable_jit  # type: ignore[attr-defined]
    assert graph.graph_hash(found) == graph.graph_hash(expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_program_of_64_bits_stays_one_wherever_it_is_run(dtype: str) -> None:
    """JAX rounds what is in 64 bits to 32, in silence, unless its 64-bit mode is on."""
    g = graph.capture(lambda x: jnp.tanh(x * 0.1) + x.mean(), Spec(("N",), dtype))
    assert {spec.dtype for spec in g.specs.values()} == {dtype}
    x = np.array([0.1, -0.7], dtype)
    found = graph.to_jax(g.bind(N=2))(x)
    assert found.dtype == dtype
    rtol = {"float32": 1e-6, "float64": 1e-15}[dtype]
    assert_close(found, np.tanh(x * 0.1) + x.mean(), rtol, 0)


def test_a_call_of_another_op_of_the_name_is_the_tables_row_or_none() -> None:
    twin = replace(ops.relu, shape=lambda x, **attrs: ops.relu.shape(x))
    captured = graph.capture(lambda x: twin(x) + ops.relu(x), (3,))
    assert [node.row for node in captured.nodes if node.op == "relu"] == [ops.relu] * 2
    captured = graph.capture(replace(ops.relu, run=lambda x: -x), (3,))
    assert [node.op for node in captured.nodes] == ["neg"]
