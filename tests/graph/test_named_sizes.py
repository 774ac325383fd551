"""Programs over axes whose size is a name: captured once, bound to many sizes, read in all ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import functional as F
from tensorem import graph, nn, verify
from tensorem.domains import Rational
from tensorem.errors import ArgumentError, CaptureError, GraphError, ShapeError

SHAPE = ("N", "T", 4)

PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "mean of the batch": lambda x: x.mean(0),
    "mean of the sequence": lambda x: x.mean(1),
    "mean that keeps the axis": lambda x: x - x.mean(1, keepdims=True),
    "mean of both": lambda x: x.mean((0, 1)),
    "mean of all": lambda x: x.mean(),
    "F.mean": lambda x: F.mean(x, dim=0),
    "F.mean that keeps the axis": lambda x: F.sub(x, F.mean(x, 1, keepdim=True)),
    "F.sum": lambda x: F.sum(x, (0, 2)),
    "quotient by the size": lambda x: x.sum(1) / x.shape[1],
    "product with the size": lambda x: x * (2 * x.shape[1] + 1),
    "derivative of a mean": jax.grad(lambda x: (x**2).mean()),
    "first example": lambda x: x[0],
    "last example": lambda x: x[-1],
    "first of the sequence": lambda x: x[:, 0],
    "last of the sequence": lambda x: x[:, -1],
    "last but one": lambda x: x[:, -2],
    "all but the last": lambda x: x[:, :-1],
    "differences": lambda x: x[:, 1:] - x[:, :-1],
    "take": lambda x: jnp.take(x, -1, axis=1),
    "list of places": lambda x: x[:, jnp.array([0, -1, 0])],
    "reversed": lambda x: jnp.flip(x, 1),
    "positions": lambda x: x + jnp.arange(x.shape[1])[:, None],
    "attention": lambda x: jnp.matmul(F.matmul(x, jnp.swapaxes(x, 1, 2)), x),
    "window": lambda x: jnp.pad(x, ((0, 0), (1, 0), (0, 0))),
}


@pytest.mark.parametrize("sizes", [(3, 5), (1, 2), (2, 7)])
@pytest.mark.parametrize("name", PROGRAMS)
def test_one_graph_serves_all_sizes(name: str, sizes: tuple[int, int]) -> None:
    f = PROGRAMS[name]
    captured = graph.capture(f, SHAPE)
    again = graph.from_json(graph.to_json(captured), captured.arrays)
    assert graph.graph_hash(again) == graph.graph_hash(captured)
    n, t = sizes
    x = np.random.default_rng(0).integers(-8, 9, (n, t, 4)).astype(np.float32) / 4
    given = {"N": n, "T": t}
    bound = again.bind(**{k: v for k, v in given.items() if k in again.names})
    assert not bound.names
    expected = np.asarray(f(jnp.asarray(x)))
    assert_close(graph.to_jax(bound)(x), expected)
    exact = tm.evaluate(again, x, dtype="rational")
    assert isinstance(exact, Rational) and exact.shape == expected.shape
    assert_close(exact.to_float(), expected)
    box = tm.evaluate(again, x, dtype="interval")
    assert np.all(box.lower <= exact.to_float()) and np.all(exact.to_float() <= box.upper)
    assert_close(box.upper - box.lower, np.zeros(expected.shape), 0, 1e-9)


@pytest.mark.parametrize("shape", [("N", "T", 4), (3, 5, 4)])
def test_a_mean_is_a_mean_whether_its_size_has_a_name_or_not(shape: Any) -> None:
    for f in (lambda x: x.mean(1), lambda x: x.sum(1) / x.shape[1], lambda x: F.mean(x, 1)):
        assert [node.op for node in graph.capture(f, shape).nodes] == ["mean"]
    almost = graph.capture(lambda x: x.sum(1) / (x.shape[1] + 1), shape)
    assert "mean" not in {node.op for node in almost.nodes}


def test_a_sum_divided_by_another_size_is_no_mean() -> None:
    captured = graph.capture(lambda x: x.sum(1) / x.shape[0], SHAPE)
    assert "mean" not in {node.op for node in captured.nodes}
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert_close(tm.evaluate(captured, x), x.sum(1) / 2)


def windows(x: Any, size: int, step: int) -> Any:
    """(N, C, H, W) -> (N, C, H', W', size, size)."""
    cut = np.lib.stride_tricks.sliding_window_view(x, (size, size), (2, 3))
    return cut[:, :, ::step, ::step]


def convolved(x: Any, w: Any, b: Any, step: int) -> Any:
    y = np.tensordot(windows(x, 3, step), w, ((1, 4, 5), (1, 2, 3)))
    return np.moveaxis(y + b, 3, 1)


KERNELS = np.random.default_rng(1).integers(-4, 5, (2, 3, 3, 3)).astype(np.float32)
BIAS = np.array([0.5, -2.0], np.float32)
IMAGES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "convolution": (
        lambda x: F.conv2d(x, KERNELS, BIAS),
        lambda x: convolved(x, KERNELS, BIAS, 1),
    ),
    "convolution in twos": (
        lambda x: F.conv2d(F.pad(x, (0, 1, 0, 1)), KERNELS, BIAS, 2),
        lambda x: convolved(np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1))), KERNELS, BIAS, 2),
    ),
    "greatest": (lambda x: F.max_pool2d(x, 2), lambda x: windows(x, 2, 2).max((4, 5))),
    "greatest of three": (lambda x: F.max_pool2d(x, 3, 1), lambda x: windows(x, 3, 1).max((4, 5))),
    "mean": (lambda x: F.avg_pool2d(x, 2), lambda x: windows(x, 2, 2).mean((4, 5))),
    "mean of three": (lambda x: F.avg_pool2d(x, 3, 1), lambda x: windows(x, 3, 1).mean((4, 5))),
    "one after the other": (
        lambda x: F.avg_pool2d(F.max_pool2d(F.conv2d(x, KERNELS, BIAS), 2), 2, 1),
        lambda x: windows(windows(convolved(x, KERNELS, BIAS, 1), 2, 2).max((4, 5)), 2, 1).mean(
            (4, 5)
        ),
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_windows_on_named_images_are_bound_to_what_is_captured_at_those_sizes(name: str) -> None:
    f, oracle = IMAGES[name]
    captured = graph.capture(f, ("N", 3, "2*H", "2*W"))
    bound = captured.bind(N=2, H=4, W=5)
    again = graph.capture(f, (2, 3, 8, 10))
    assert graph.graph_hash(bound) == graph.graph_hash(again)
    x = np.random.default_rng(0).integers(-8, 9, (2, 3, 8, 10)).astype(np.float32) / 4
    assert_close(graph.to_jax(bound)(x), oracle(x.astype(np.float64)))
    assert_close(tm.evaluate(captured, x, dtype="rational").to_float(), oracle(x.astype("float64")))


def test_windows_over_a_name_map_and_differentiate_as_they_do_over_numbers() -> None:
    mapped = graph.capture(jax.vmap(lambda x: F.avg_pool2d(x, 2)), (3, "N", 1, "2*H", 4))
    assert mapped.bind(N=2, H=3).specs[mapped.outputs[0]].shape == (3, 2, 1, 3, 2)
    slope = graph.capture(jax.grad(lambda x: F.avg_pool2d(x, 2).sum()), ("N", 1, "2*H", 4))
    x = np.arange(24, dtype=np.float32).reshape(1, 1, 6, 4)
    assert_close(graph.to_jax(slope.bind(N=1, H=3))(x), np.full(x.shape, 0.25))


def test_half_of_a_name_is_no_size_of_a_graph_and_the_help_says_what_is() -> None:
    with pytest.raises(CaptureError, match="polynomials in names, got floordiv") as caught:
        graph.capture(lambda x: F.max_pool2d(x, 2), ("N", 1, "H", 4))
    assert caught.value.help.endswith("in the input's shape, or a multiple: 2*H in place of H.")


class Pooled(nn.Layer):
    """A sequence of any length to one row of scores: its mean, and its last entry."""

    head: nn.Linear

    def forward(self, x: Any) -> Any:
        return self.head(F.mean(x, dim=1) + x[:, -1])


def test_a_layer_over_a_named_sequence_is_built_read_and_proved() -> None:
    model = nn.build(Pooled(nn.Linear(4, 2)), input=SHAPE, seed=1)
    x = np.random.default_rng(0).normal(size=(1, 5, 4)).astype(np.float32)
    weight, bias = (np.asarray(model.params[f"head.{n}"]) for n in ("weight", "bias"))
    y = (x.mean(1) + x[:, -1]) @ weight.T + bias
    for dtype in ("float32", "float64"):
        assert_close(tm.evaluate(model, x, dtype=dtype), y, 1e-5, 1e-5)
    proof = verify.robust(tm.capture(model).bind(T=5), x[0], label=int(y.argmax()), eps=1e-3)
    assert proof.verdict == "proved" and proof.check()


@pytest.mark.parametrize(
    ("f", "sizes", "error", "words"),
    [
        (lambda x: x[:, 2], {"T": 2}, ArgumentError, "every op has a meaning, got T=2"),
        (lambda x: x[2], {"N": 1, "T": 9}, ArgumentError, "every op has a meaning, got N=1, T=9"),
        (lambda x: x[:, -3], {"T": 2}, ShapeError, "The size T-3 takes names that make it at lea"),
        (lambda x: x[:, 1:] * 2, {"T": 0}, ShapeError, "The size T-1 takes names that make it at"),
    ],
)
def test_a_size_at_which_an_entry_is_missing_is_refused(
    f: Any, sizes: dict[str, int], error: type[Exception], words: str
) -> None:
    captured = graph.capture(f, SHAPE)
    with pytest.raises(error, match=words) as caught:
        captured.bind(**sizes)
    if error is ArgumentError:
        assert getattr(caught.value, "because", "").startswith("`slice` takes a part of (")


NO_POLYNOMIAL: dict[str, tuple[Callable[[Any], Any], str]] = {
    "half": (lambda x: x[:, : x.shape[1] // 2], r"floordiv\(T, 2\)"),
    "last two": (lambda x: x[:, -2:], r"max\(0, T - 2\)"),
    "one at most": (lambda x: x[:, 1:2], r"min\(T, 2\) - 1"),
}


@pytest.mark.parametrize("name", NO_POLYNOMIAL)
def test_a_size_that_is_no_polynomial_is_an_error(name: str) -> None:
    f, words = NO_POLYNOMIAL[name]
    with pytest.raises(CaptureError, match=f"takes sizes that are polynomials .* got {words}"):
        graph.capture(f, SHAPE)


def test_a_loop_over_a_named_axis_is_bound_like_any_other_size() -> None:
    def sums(x: Any) -> Any:
        return jax.lax.scan(lambda total, row: (total + row, total), jnp.zeros((3, 4)), x)

    named = graph.capture(sums, ("2*T", 3, 4))
    assert named.names == {"T"}
    with pytest.raises(GraphError, match=r"a length that is a number, got 2\*T"):
        graph.unroll(named)
    bound = named.bind(T=2)
    assert graph.graph_hash(bound) == graph.graph_hash(graph.capture(sums, (4, 3, 4)))
    back = graph.from_json(graph.to_json(named), named.arrays)
    assert graph.graph_hash(back.bind(T=2)) == graph.graph_hash(bound)
    x = np.random.default_rng(0).normal(size=(4, 3, 4)).astype(np.float32)
    for ours, theirs in zip(graph.to_jax(bound)(x), jax.jit(sums)(x), strict=True):
        assert np.array_equal(ours, theirs)


def test_a_loop_of_a_named_length_has_a_turn() -> None:
    named = graph.capture(lambda x: jax.lax.scan(lambda c, _: (c * 2.0, None), 1.0, x)[0], ("T",))
    assert graph.to_jax(named.bind(T=5))(np.zeros(5, np.float32)) == 32
    with pytest.raises(ArgumentError, match="every op has a meaning, got T=0"):
        named.bind(T=0)


def test_a_named_axis_inside_of_a_loop_is_bound() -> None:
    inside = graph.capture(
        lambda x: jax.lax.scan(lambda c, row: (c + row.mean(), c), 0.0, x)[1], (3, "T")
    )
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert tm.evaluate(inside, x).tolist() == [0.0, 1.5, 7.0]
    assert tm.evaluate(inside, x, dtype="rational").to_float().tolist() == [0.0, 1.5, 7.0]


@pytest.mark.parametrize("f", [lambda x: x[:, ::-1], lambda x: x[:, jnp.arange(x.shape[1])]])
def test_places_that_the_size_decides_are_an_error(f: Any) -> None:
    with pytest.raises(CaptureError, match="got the JAX primitive `gather`") as caught:
        graph.capture(f, SHAPE)
    assert "give integers in place of the names" in caught.value.help


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * x.shape[1] ** -0.5,
        lambda x: x / float(x.shape[1]),
        lambda x: x if x.shape[1] > 3 else -x,
        lambda x: sum(x[:, i] for i in range(x.shape[1])),
        lambda x: x.reshape(3, -1),
        lambda x: jnp.split(x, 2, axis=1),
    ],
)
def test_a_function_that_needs_the_number_is_an_error(f: Any) -> None:
    with pytest.raises(
        ShapeError, match="function must know more than the names of its sizes"
    ) as caught:
        graph.capture(f, SHAPE)
    assert caught.value.because
    assert caught.value.help == "give integers in place of the names in the input's shape."
    graph.capture(f, (2, 6, 4))  # as the help says
