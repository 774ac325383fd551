"""Entries in order and at places, against PyTorch; their graphs and readings."""

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
from tensorem import graph
from tensorem.domains import Interval
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError

X = np.random.default_rng(3).standard_normal((3, 4, 2)).astype(np.float32)
TIES = np.array([[1, np.nan, -0.0, 0.0, 3, -np.nan, 1, np.inf, -np.inf]], np.float32)
INDEX = np.random.default_rng(4).integers(0, 3, (2, 4, 2))


def _stably(f: Any) -> dict[str, bool]:
    return {} if f is F.sort else {"stable": True}


CALLS: list[tuple[str, Callable[..., Any], Any]] = [
    ("sort", lambda f, x: f(x), X),
    ("sort", lambda f, x: f(x, 1, True), X),
    ("sort", lambda f, x: f(x, **_stably(f), dim=-1, descending=True), TIES),
    ("topk", lambda f, x: f(x, 2), X),
    ("topk", lambda f, x: f(x, 3, dim=1, largest=False), X),
    ("topk", lambda f, x: f(x, 0, dim=-2), X),
    ("argsort", lambda f, x: f(x, dim=0, descending=True), X),
    ("gather", lambda f, x, i: f(x, 0, i), X),
    ("gather", lambda f, x, i: f(x, -2, i[:, :2, :1]), X),
    ("take_along_dim", lambda f, x, i: f(x, i[:1], dim=1), X),
    ("index_select", lambda f, x, i: f(x, 1, i[0, :, 0]), X),
    ("index_select", lambda f, x, i: f(x, -1, i[0, :, 0] * 0), X),
    ("index_select", lambda f, x, i: f(x, 0, i[0, :, 0]), X[:, 0, 0]),
    ("scatter_add", lambda f, x, i: f(x, 0, i, x[:2] * x[1:]), X),
    ("scatter_add", lambda f, x, i: f(x[0], -1, i[0] * 0, x[0]), X),
    ("masked_fill", lambda f, x, i: f(x, i[:1] > 1, -2.5), X),
    ("flip", lambda f, x: f(x, (0, -1)), X),
    ("roll", lambda f, x: f(x, 5), X),
    ("repeat_interleave", lambda f, x: f(x, 2, dim=-2), X),
    ("repeat_interleave", lambda f, x: f(x, 3), X),
    ("roll", lambda f, x: f(x, (1, -2), (0, 1)), X),
]


@pytest.mark.parametrize(("name", "call", "x"), CALLS)
def test_values_places_and_gradients_are_torchs(
    name: str, call: Callable[..., Any], x: Any
) -> None:
    torch = pytest.importorskip("torch")
    t = torch.tensor(x, requires_grad=True)
    more = call.__code__.co_argcount - 2
    theirs = call(getattr(torch, name), t, *[torch.tensor(INDEX)] * more)
    theirs = theirs if isinstance(theirs, tuple) else (theirs,)

    def ours(x: Any) -> Any:
        y = call(getattr(F, name), x, *[jnp.asarray(INDEX)] * more)
        ys = y if isinstance(y, tuple) else (y,)
        return (ys[0] * jnp.arange(1.0, 1.0 + ys[0].size).reshape(ys[0].shape)).sum(), ys

    slope, found = jax.jit(jax.grad(ours, has_aux=True))(x)
    for a, b in zip(found, theirs, strict=True):
        assert a.shape == tuple(b.shape)
        np.testing.assert_array_equal(a, b.detach().numpy())
    if theirs[0].requires_grad:
        probe = torch.arange(1.0, 1.0 + theirs[0].numel()).reshape(theirs[0].shape)
        (theirs[0] * probe).sum().backward()
        assert_close(slope, t.grad.numpy(), 1e-6, 1e-6)


def test_of_equal_entries_the_first_comes_first() -> None:
    x = jnp.array([2.0, -0.0, 2.0, 0.0, 2.0])
    assert F.topk(x, 4).indices.tolist() == [0, 2, 4, 1]
    assert F.topk(x, 3, largest=False).indices.tolist() == [1, 3, 0]
    assert F.argsort(x).tolist() == [1, 3, 0, 2, 4]


GRAPHS: list[tuple[Callable[..., Any], list[str]]] = [
    (lambda x: F.topk(x, 2), ["sort", "argsort"]),
    (lambda x: jax.lax.top_k(x, 2), ["sort", "argsort"]),
    (jnp.sort, ["sort"]),
    (jnp.argsort, ["argsort"]),
    (jax.grad(lambda x: F.topk(x, 2)[0].sum()), ["argsort", "scatter_add"]),
    (lambda x: jnp.take_along_axis(x, jnp.argsort(x), axis=1), ["argsort", "gather"]),
    (jax.grad(lambda x: F.embedding(jnp.array([1, 1]), x * x).sum()), ["scatter_add"]),
    (lambda x: jax.lax.sort((x, -x), num_keys=1)[1], ["argsort", "gather"]),
]


@pytest.mark.parametrize(("f", "rows"), GRAPHS)
def test_they_are_captured_saved_and_read(f: Callable[..., Any], rows: list[str]) -> None:
    x = X[..., 0]
    g = graph.capture(f, x.shape)
    assert set(rows) <= {node.op for node in g.nodes}
    back = graph.from_json(graph.to_json(g), g.arrays)
    expected = jax.tree.leaves(jax.jit(f)(x))
    for a, b in zip(jax.tree.leaves(graph.to_jax(back)(x)), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(_read(back, x, "rational"), expected, strict=True):
        assert_close(a.to_float(), b, 1e-6, 1e-6)


def _read(g: Any, x: Any, dtype: str) -> Any:
    found = tm.evaluate(g, x, dtype=dtype)
    return found if isinstance(found, tuple | list) else [found]


def test_a_place_is_known_where_the_order_is_decided() -> None:
    x = Interval.of([[0.0, 5.5, 2.0, 4.0]], [[1.0, 6.0, 4.5, 5.0]])
    values, places = tm.evaluate(graph.capture(F.sort, (1, 4)), x, dtype="interval")
    assert (values.lower.tolist(), values.upper.tolist()) == (
        [[0.0, 2.0, 4.0, 5.5]],
        [[1.0, 4.5, 5.0, 6.0]],
    )
    assert (places.lower.tolist(), places.upper.tolist()) == (
        [[0.0, 2.0, 2.0, 1.0]],
        [[0.0, 3.0, 3.0, 1.0]],
    )


def test_a_source_may_be_longer_than_its_index() -> None:
    found = F.scatter_add(jnp.zeros(2), 0, jnp.array([1, 1]), jnp.arange(1.0, 5.0))
    assert found.tolist() == [0.0, 3.0]


def test_they_work_along_an_axis_whose_size_is_a_name() -> None:
    def f(x: Any) -> Any:
        values, places = F.sort(x, 1)
        return F.scatter_add(F.flip(x, 1), 1, places, values), F.gather(x, 1, places)

    g, x = graph.capture(f, ("N", "T")), X[..., 0]
    for ours, theirs in zip(tm.evaluate(g, x), jax.jit(f)(x), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_place_that_there_is_not_shows() -> None:
    index = jnp.array([-1, 3, 1])
    taken = jax.jit(lambda i: F.gather(jnp.arange(3.0), 0, i))(index)
    np.testing.assert_array_equal(taken, [np.nan, np.nan, 1.0])
    added = jax.jit(lambda i: F.scatter_add(jnp.zeros(3), 0, i, jnp.ones(3)))(index)
    assert added.tolist() == [0.0, 1.0, 0.0]


Y, ONES = jnp.ones((3, 4)), jnp.ones((3, 4), jnp.int32)
WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: F.sort(Y, 2), ShapeError, "F.sort takes an input with axis dim=2"),
    (lambda: F.sort(Y, 0, 1), ArgumentError, "takes descending as True or False, got 1"),  # type: ignore[arg-type]
    (lambda: F.argsort(Y > 0), DTypeError, "argsort takes"),
    (lambda: F.topk(Y, 5), ShapeError, "takes up to 4 entries of axis 1, got 5"),
    (lambda: F.topk(Y, -1), ArgumentError, "takes k as an integer of at least 0, got -1"),
    (lambda: F.gather(Y, 0, ONES * 3), DataError, r"takes indices from 0 to 2, got 3"),
    (lambda: F.gather(Y, 0, Y), DTypeError, r"takes indices that are integers \(int32, ...\)"),
    (lambda: F.gather(Y, 0, ONES[0]), ShapeError, "takes an index of as many axes"),
    (lambda: F.gather(Y[:0], 0, ONES), ShapeError, "takes at least one entry along"),
    (lambda: F.gather(Y[:2], 1, ONES), ShapeError, "their sizes equal but for axis 1"),
    (lambda: F.take_along_dim(Y, ONES[0], 1), ShapeError, "takes indices of 2 axes, got 1"),
    (lambda: F.index_select(Y, 0, ONES), ShapeError, "takes an index of 1 axis, got 2"),
    (lambda: F.index_select(Y, 0, ONES[0] * 3), DataError, "takes indices from 0 to 2, got 3"),
    (lambda: F.scatter_add(Y, 0, ONES, Y[:2]), ShapeError, "takes one index for each entry of src"),
    (lambda: F.scatter_add(Y, 0, ONES, ONES), DTypeError, "takes operands of one dtype"),
    (lambda: F.scatter_add(Y, 1, ONES * 4, Y), DataError, "takes indices from 0 to 3, got 4"),
    (lambda: F.masked_fill(Y, Y, 0), DTypeError, "takes a mask of truth values"),
    (lambda: F.flip(Y, (0, 0)), ShapeError, "each once"),
    (lambda: F.roll(Y, (1, 2), 0), ArgumentError, r"takes a shift for each of 1 axes, got \(1, 2"),
    (
        lambda: F.repeat_interleave(Y, -1, 0),
        ArgumentError,
        "takes repeats as an integer of at least 0, got -1",
    ),
    (lambda: F.repeat_interleave(Y, 2, 2), ShapeError, "takes an input with axis dim=2"),
    (
        lambda: graph.capture(lambda x: F.roll(x, 1, 1), (3, "T")),
        ShapeError,
        r"F.roll takes an axis whose size is a number, got \(3, T\)",
    ),
    (lambda: F.roll(Y, 1, 2), ShapeError, "F.roll takes an input with axis dim=2"),
    (
        lambda: tm.ops.sort(Y, dim=0, descending=True, count=-2),
        ArgumentError,
        "takes a count of at least 0, or -1 for all, got -2",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), WRONG)
def test_what_they_do_not_take_is_said(
    call: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call()
