"""Places in a sequence, and tables of vectors read in other ways than by index."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import functional as F
from tensorem import nn
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError, TensoremError

X = jnp.asarray(np.random.default_rng(0).standard_normal((2, 5, 6)), jnp.float32)


def turned(x: Any, places: Any, base: float, half: bool) -> Any:
    """Each pair as a complex number times that of its angle, in float64."""
    x, d = np.asarray(x, np.float64), x.shape[-1]
    angle = np.asarray(places)[..., None] / base ** (2 * np.arange(d // 2) / d)
    first, second = (x[..., : d // 2], x[..., d // 2 :]) if half else (x[..., ::2], x[..., 1::2])
    z = (first + 1j * second) * np.exp(1j * angle)
    pair = (z.real, z.imag)
    return np.concatenate(pair, -1) if half else np.stack(pair, -1).reshape(x.shape)


@pytest.mark.parametrize("style", ["interleaved", "half"])
def test_a_rotary_embedding_turns_pairs(style: str) -> None:
    half = style == "half"
    for start in (0, 7):
        layer = nn.RotaryEmbedding(style, base=100.0, start=start)
        y = nn.build(layer, ("N", "T", 6))(X)
        assert_close(y, turned(X, start + np.arange(5), 100.0, half), 1e-5, 1e-5)
    rows = F.rotary_embedding(X, jnp.array([3, 900]), style=style)
    places = np.array([[3], [900]]) + np.arange(5)
    assert_close(rows, turned(X, places, 1e4, half), 1e-3, 1e-3)


def test_products_of_turned_vectors_depend_on_distance() -> None:
    q, k = X[0, :1], X[1, :1]

    def score(i: int, j: int) -> Any:
        return jnp.vdot(F.rotary_embedding(q, i), F.rotary_embedding(k, j))

    assert_close(score(9, 4), score(25, 20), 1e-4, 1e-4)


def test_the_styles_differ_in_the_order_of_entries_alone() -> None:
    order = jnp.array([0, 2, 4, 1, 3, 5])
    halves = F.rotary_embedding(X[..., order], style="half")
    assert_close(halves, F.rotary_embedding(X)[..., order])


@pytest.mark.parametrize("d", [4, 7])
def test_a_sinusoidal_encoding_adds_waves(d: int) -> None:
    x = jnp.zeros((2, 5, d))
    y = nn.build(nn.SinusoidalPositionalEncoding(start=2), ("N", "T", d))(x)
    wanted = [
        [(np.sin, np.cos)[j % 2]((p + 2) / 10000.0 ** (2 * (j // 2) / d)) for j in range(d)]
        for p in range(5)
    ]
    assert_close(y, np.broadcast_to(wanted, y.shape), 1e-5, 1e-5)


def test_a_learned_embedding_adds_the_vector_of_each_place() -> None:
    layer = nn.LearnedPositionalEmbedding(8, 6)
    model = nn.build(layer, ("N", "T", 6))
    table = model.params["weight"]
    assert np.array_equal(model(X), X + table[:5])
    y, _ = layer.call((dict(model.params), {}), X, jnp.array([0, 3]))
    assert np.array_equal(y[1], X[1] + table[3:8])
    with pytest.raises(DataError, match=r"takes indices from 0 to 7, got 8"):
        layer.call((dict(model.params), {}), X, 4)
    late = jax.jit(lambda p: layer.call((dict(model.params), {}), X, p)[0])(4)
    assert np.isnan(late[:, 4]).all() and not np.isnan(late[:, :4]).any()


def test_one_hot_rows_read_the_table_of_an_embedding() -> None:
    index = jnp.array([[3, 0], [6, 2]])
    by_index = nn.build(nn.Embedding(7, 4), nn.examples.Spec(("N", 2), "int32"))
    by_rows = nn.build(nn.OneHotEmbedding(7, 4), ("N", 2, 7)).load_state_dict(by_index.state_dict())
    rows = jax.nn.one_hot(index, 7)
    assert np.array_equal(by_rows(rows), by_index(index))
    soft = (rows[:, :1] + rows[:, 1:]) / 2
    assert_close(by_rows(jnp.tile(soft, (1, 2, 1)))[:, 0], by_index(index).mean(1))


BAGS = [
    {"mode": "sum"}, {"mode": "mean"}, {"mode": "max"}, {"mode": "mean", "padding_idx": 2},
    {"mode": "sum", "padding_idx": 2}, {"mode": "max", "padding_idx": 2},
    {"mode": "sum", "per_sample_weights": np.linspace(-1, 1, 8, dtype=np.float32)},
]  # fmt: skip


@pytest.mark.parametrize("last", [False, True])
def test_bags_are_those_of_torch(last: bool) -> None:
    torch = pytest.importorskip("torch")
    index, offsets = np.array([1, 2, 4, 5, 4, 3, 2, 0]), np.array([0, 3, 3, 7] + [8] * last)
    table = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    for kw in BAGS:
        given = {n: torch.tensor(a) if n == "per_sample_weights" else a for n, a in kw.items()}
        t = torch.tensor(table, requires_grad=True)
        theirs = torch.nn.functional.embedding_bag(
            torch.tensor(index), t, torch.tensor(offsets), include_last_offset=last, **given
        )
        theirs.square().sum().backward()

        def f(w: Any, kw: Any = kw) -> Any:
            return F.embedding_bag(index, w, offsets, include_last_offset=last, **kw)

        y, pull = jax.vjp(f, jnp.asarray(table))
        assert_close(y, theirs.detach().numpy(), 1e-5, 1e-6)
        assert_close(pull(2 * y)[0], t.grad.numpy(), 1e-5, 1e-5)


TABLE, LIST = jnp.ones((4, 3)), jnp.array([0, 1, 2])
WRONG: list[tuple[Any, type[TensoremError], str]] = [
    (
        lambda: F.rotary_embedding(jnp.ones((5, 7))),
        ShapeError,
        r"F.rotary_embedding takes an even number of entries on the last axis, got \(5, 7\)",
    ),
    (lambda: F.rotary_embedding(X, style="x"), ArgumentError, "style as one of interleaved, half"),
    (lambda: F.rotary_embedding(X.astype(int)), DTypeError, "takes floats, got int32"),
    (lambda: F.rotary_embedding(X, jnp.array([1.0])), DTypeError, "a position of integers"),
    (
        lambda: F.rotary_embedding(X, jnp.array([1, 2, 3])),
        ShapeError,
        r"takes a position \(\) or of the first axes of \(2, 5, 6\), got \(3,\)",
    ),
    (
        lambda: F.sinusoidal_encoding(jnp.ones(3)),
        ShapeError,
        r"takes \(\*batch, T, d\), got \(3,\)",
    ),
    (lambda: F.places(jnp.ones(3)), ShapeError, r"F.places takes \(\*batch, T, d\), got \(3,\)"),
    (lambda: F.places(X, jnp.ones(2)), DTypeError, "F.places takes a position of integers"),
    (lambda: nn.RotaryEmbedding("x"), ArgumentError, "style as one of interleaved, half"),
    (
        lambda: nn.RotaryEmbedding(base=0.5),
        ArgumentError,
        "base as a finite number above 1, got 0.5",
    ),
    (lambda: nn.RotaryEmbedding(start=0.5), ArgumentError, "start as an integer"),  # type: ignore[arg-type]
    (
        lambda: nn.SinusoidalPositionalEncoding(base=1),
        ArgumentError,
        "base as a finite number above 1, got 1",
    ),
    (
        lambda: nn.build(nn.LearnedPositionalEmbedding(4, 2), ("N", 5, 2)),
        ShapeError,
        r"takes up to 4 places, got \(N, 5, 2\).\n(.*\n)*  help:  write nn.LearnedPosi.*\(5, 2\)",
    ),
    (
        lambda: nn.build(nn.LearnedPositionalEmbedding(4, 2), ("N", "T", 2))(jnp.ones((1, 5, 2))),
        ShapeError,
        r"takes up to 4 places, got \(1, 5, 2\)",
    ),
    (lambda: nn.LearnedPositionalEmbedding(0, 2), ArgumentError, "num_positions as an integer of"),
    (
        lambda: nn.build(nn.LearnedPositionalEmbedding(4, 2), ("N", 4, 3)),
        ShapeError,
        r"LearnedPositionalEmbedding\(4, 2\) takes \(\*batch, T, 2\), got \(N, 4, 3\)",
    ),
    (
        lambda: nn.build(nn.OneHotEmbedding(4, 2), ("N", 3)),
        ShapeError,
        r"OneHotEmbedding\(4, 2\) takes \(\*batch, 4\), got \(N, 3\)",
    ),
    (lambda: nn.OneHotEmbedding(0, 2), ArgumentError, "num_embeddings as an integer"),
    (lambda: nn.Embedding(4, 2, std=-1.0), ArgumentError, "std as a finite number of at least 0"),
    (lambda: nn.EmbeddingBag(4, 2, mode="x"), ArgumentError, "mode as one of sum, mean, max"),
    (lambda: nn.EmbeddingBag(4, 2, padding_idx=4), ArgumentError, "padding_idx from -4 to 3"),
    (lambda: nn.EmbeddingBag(4, 2, max_norm=1.0), ArgumentError, "'max_norm'"),  # type: ignore[call-arg]
    (lambda: F.embedding_bag(LIST, TABLE), ShapeError, r"\(L\) with offsets \(B\), got \(3,\)"),
    (
        lambda: F.embedding_bag(LIST[None], TABLE, LIST),
        ShapeError,
        r"takes \(B, L\), or \(L\) with offsets \(B\), got \(1, 3\) with offsets \(3,\)",
    ),
    (lambda: F.embedding_bag(LIST, TABLE, LIST * 1.0), DTypeError, "takes offsets of integers"),
    (
        lambda: F.embedding_bag(LIST, TABLE, jnp.array([0, 2, 1])),
        DataError,
        r"takes offsets that rise from 0 to at most 3, got \[0, 2, 1\]",
    ),
    (lambda: F.embedding_bag(LIST[None] + 3, TABLE), DataError, "takes indices from 0 to 3, got 4"),
    (lambda: F.embedding_bag(LIST[None], TABLE, mode="x"), ArgumentError, "as one of sum, mean"),
    (
        lambda: F.embedding_bag(LIST[None], TABLE, per_sample_weights=TABLE[:1]),
        ArgumentError,
        "takes per_sample_weights in mode 'sum', got mode 'mean'",
    ),
    (
        lambda: F.embedding_bag(LIST[None], TABLE, mode="sum", per_sample_weights=TABLE),
        ShapeError,
        r"takes per_sample_weights \(1, 3\), got \(4, 3\)",
    ),
]


@pytest.mark.parametrize(("call", "kind", "words"), WRONG, ids=[w[2] for w in WRONG])
def test_what_does_not_fit_is_one_error(call: Any, kind: type[TensoremError], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()
