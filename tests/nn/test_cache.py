"""Decoding with a cache is the forward of the whole: token by token, rows of any length."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import functional as F
from tensorem import nn
from tensorem.errors import ArgumentError, DataError, DTypeError, LayerError, ShapeError
from tensorem.shapes import Spec

VOCABULARY, LONGEST = 11, 200


class Words(nn.Layer):
    """A small language model: tokens to scores of the next one."""

    embed: nn.Embedding
    places: nn.LearnedPositionalEmbedding
    blocks: nn.TransformerEncoder

    def init_cache(self, batch: int, max_length: int) -> Any:
        return self.blocks.init_cache(batch, max_length)

    def forward(self, tokens: Any, cache: Any = None) -> Any:
        start = 0 if cache is None else cache[0]["position"]
        x = self.places(self.embed(tokens), start)
        y = self.blocks(x, is_causal=True, cache=cache)
        y, cache = (y, None) if cache is None else y
        scores = F.linear(y, self.embed.weight)
        return scores if cache is None else (scores, cache)


def words(rotary: str | None = "interleaved") -> nn.Model:
    attention = nn.MultiheadAttention(8, 2, rotary=rotary, softcap=5.0)
    inner = nn.TransformerEncoderLayer(
        8, 2, 12, activation="gelu", norm_first=True, self_attn=attention
    )
    layer = Words(
        nn.Embedding(VOCABULARY, 8),
        nn.LearnedPositionalEmbedding(LONGEST, 8),
        nn.TransformerEncoder(inner, 2, nn.LayerNorm(8)),
    )
    return nn.build(layer, Spec(("N", "T"), "int32"), seed=2)


def test_token_by_token_is_the_whole_with_one_program() -> None:
    model, rng = words(), np.random.default_rng(0)
    tokens = jnp.asarray(rng.integers(0, VOCABULARY, (2, LONGEST)), "int32")
    step = jax.jit(model.apply)
    params, cache = dict(model.params), model.layer.init_cache(2, LONGEST)
    found = []
    for t in range(LONGEST):
        scores, cache = step(params, tokens[:, t : t + 1], cache)
        found.append(scores)
    whole = model(tokens)
    assert_close(np.concatenate(found, 1), whole, 1e-5, 1e-5)
    assert np.array_equal(np.concatenate(found, 1).argmax(-1), np.asarray(whole).argmax(-1))
    assert step._cache_size() == 1
    beyond, _ = step(params, tokens[:, :1], cache)
    assert np.isnan(beyond).all()


def test_prompts_of_unequal_length_are_each_as_alone() -> None:
    model, rng = words(), np.random.default_rng(1)
    lengths = jnp.asarray([3, 7, 12])
    prompts = jnp.asarray(rng.integers(0, VOCABULARY, (3, 12)), "int32")
    apply, params = jax.jit(model.apply), dict(model.params)
    scores, cache = apply(params, prompts, model.layer.init_cache(3, LONGEST))
    cache = nn.rewind(cache, lengths)
    last = jnp.take_along_axis(scores, (lengths - 1)[:, None, None], 1)
    token, written = jnp.argmax(last, -1), []
    for _ in range(4):
        written.append(token)
        scores, cache = apply(params, token, cache)
        token = jnp.argmax(scores, -1)
    said = jnp.concatenate(written, 1)
    for i, n in enumerate([3, 7, 12]):
        y = model(jnp.concatenate([prompts[i, :n], said[i]])[None])[0, n - 1 :]
        assert np.array_equal(y[:-1].argmax(-1), said[i])
        assert_close(scores[i, -1], y[-1], 1e-5, 1e-5)


def test_a_decoder_remembers_too() -> None:
    layer = nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 6), 2)
    model = nn.build(layer, (("N", "T", 4), ("N", "S", 4)))
    rng = np.random.default_rng(2)
    tgt, memory = (jnp.asarray(rng.standard_normal((2, n, 4)), jnp.float32) for n in (3, 5))
    both = dict(model.params), {}
    whole, _ = layer.call(both, tgt, memory, tgt_is_causal=True)
    (first, cache), _ = layer.call(both, tgt[:, :2], memory, cache=layer.init_cache(2, 3))
    (second, _), _ = layer.call(both, tgt[:, 2:], memory, cache=cache)
    assert_close(jnp.concatenate([first, second], 1), whole, 1e-5, 1e-5)


def test_heads_of_keys_serve_several_of_queries_and_are_remembered_once() -> None:
    layer = nn.MultiheadAttention(8, 4, num_kv_heads=2, softcap=3.0, window=3)
    params = dict(nn.build(layer, ("N", "T", 8)).params)
    x = jnp.asarray(np.random.default_rng(4).standard_normal((2, 5, 8)), jnp.float32)
    parts = jnp.split(x @ params["in_proj_weight"].T + params["in_proj_bias"], [8, 12], -1)
    q, k, v = (jnp.swapaxes(p.reshape(2, 5, -1, 2), 1, 2) for p in parts)
    options = {"is_causal": True, "enable_gqa": True, "softcap": 3.0, "window": 3}
    heads = F.scaled_dot_product_attention(q, k, v, **options)
    joined = jnp.swapaxes(heads, 1, 2).reshape(2, 5, 8)
    whole = joined @ params["out_proj.weight"].T + params["out_proj.bias"]
    assert_close(layer.call((params, {}), x, is_causal=True)[0], whole, 1e-5, 1e-5)
    cache, found = layer.init_cache(2, 5), []
    assert cache["key"].shape == (2, 2, 5, 2)
    for t in range(5):
        (y, cache), _ = layer.call((params, {}), x[:, t : t + 1], cache=cache)
        found.append(y)
    assert_close(jnp.concatenate(found, 1), whole, 1e-5, 1e-5)


@pytest.mark.parametrize("d_conv", [1, 4])
def test_a_state_space_step_by_step_is_the_whole_with_one_program(d_conv: int) -> None:
    layer = nn.Mamba(4, d_state=3, d_conv=d_conv)
    model = nn.build(layer, ("N", "T", 4), seed=1)
    x = jnp.asarray(np.random.default_rng(5).standard_normal((2, 7, 4)), jnp.float32)
    step, params = jax.jit(model.apply), dict(model.params)
    cache, found = layer.init_cache(2), []
    for t in range(7):
        y, cache = step(params, x[:, t : t + 1], None, cache)
        found.append(y)
    assert step._cache_size() == 1
    assert_close(jnp.concatenate(found, 1), model(x), 1e-5, 1e-5)
    lengths = jnp.asarray([2, 5])
    padded = jnp.where(jnp.arange(5)[:, None] < lengths[:, None, None], x[:, :5], jnp.nan)
    _, cache = step(params, padded, lengths, layer.init_cache(2))
    following = jnp.stack([x[0, 2:4], x[1, 5:7]])
    y, _ = step(params, following, None, cache)
    assert_close(y, jnp.stack([model(x)[0, 2:4], model(x)[1, 5:7]]), 1e-5, 1e-5)


def test_the_state_of_a_gated_state_space_is_carried() -> None:
    layer = nn.GatedDiagonalSSM(3, 4)
    model = nn.build(layer, ("N", "T", 3), seed=1)
    x = jnp.asarray(np.random.default_rng(6).standard_normal((2, 5, 3)), jnp.float32)
    step, state, found = jax.jit(model.apply), jnp.zeros((2, 4)), []
    for t in range(5):
        y, state = step(dict(model.params), x[:, t : t + 1], state)
        found.append(y)
    assert step._cache_size() == 1
    whole, last = model(x)
    assert_close(jnp.concatenate(found, 1), whole, 1e-5, 1e-5)
    assert_close(state, last, 1e-5, 1e-5)


MAMBA = nn.Mamba(4)
MISTAKEN: list[tuple[Any, type[Exception], str]] = [
    (lambda c: {"state": c["state"]}, ArgumentError, "a cache of conv and state, got"),
    (lambda c: {**c, "conv": c["conv"][:1]}, ShapeError, r"takes a cache with conv \(2, 3, 8\)"),
    (lambda c: {**c, "state": c["state"] > 0}, DTypeError, "state of float32, got bool"),
]


@pytest.mark.parametrize(("change", "error", "words"), MISTAKEN)
def test_a_cache_of_a_state_space_that_does_not_fit_is_said(
    change: Any, error: type[Exception], words: str
) -> None:
    params = dict(nn.build(MAMBA, ("N", "T", 4)).params)
    with pytest.raises(error, match=words):
        MAMBA.call((params, {}), jnp.ones((2, 1, 4)), cache=change(MAMBA.init_cache(2)))


def test_a_state_space_holds_no_earlier_state() -> None:
    with pytest.raises(ArgumentError, match="rewind takes caches of attention, got that of a sta"):
        nn.rewind(MAMBA.init_cache(2), 0)
    with pytest.raises(ArgumentError, match="A cache takes batch as an integer of at least 1"):
        MAMBA.init_cache(0)


def test_heads_of_keys_divide_those_of_queries() -> None:
    with pytest.raises(ArgumentError, match="takes num_kv_heads that divide num_heads, got 3 and"):
        nn.MultiheadAttention(8, 4, num_kv_heads=3)


def test_without_softmax_the_rationals_are_equal() -> None:
    layer = nn.MultiheadAttention(4, 2, weighting="linear")
    params = dict(nn.build(layer, ("N", "T", 4)).params)
    x = jnp.round(jnp.asarray(np.random.default_rng(0).standard_normal((1, 3, 4))) * 4) / 4
    x = x.astype("float32")

    def whole(x: Any) -> Any:
        return layer.call((params, {}), x, is_causal=True)[0]

    def stepwise(x: Any) -> Any:
        cache, found = layer.init_cache(1, 3), []
        for t in range(3):
            (y, cache), _ = layer.call((params, {}), x[:, t : t + 1], cache=cache)
            found.append(y)
        return jnp.concatenate(found, 1)

    one, other = (tm.GraphModel(tm.graph.capture(f, (1, 3, 4))) for f in (whole, stepwise))
    a, b = (tm.evaluate(m, x, dtype="rational") for m in (one, other))
    assert (np.asarray(a.num) * b.den == np.asarray(b.num) * a.den).all()


def test_a_cache_is_a_tree_of_arrays_in_a_graph() -> None:
    layer = nn.MultiheadAttention(4, 2)
    params = dict(nn.build(layer, ("N", "T", 4)).params)
    cache = layer.init_cache(2, 5)

    def step(x: Any, cache: Any) -> Any:
        return layer.call((params, {}), x, cache=cache)[0]

    specs = {name: Spec(a.shape, a.dtype.name) for name, a in cache.items()}
    captured = tm.graph.to_jax(tm.graph.capture(step, (2, 1, 4), specs))
    x = jnp.ones((2, 1, 4))
    ours, theirs = captured(x, cache), jax.jit(step)(x, cache)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert np.array_equal(a, b)


LAYER = nn.MultiheadAttention(4, 2)
PARAMS = dict(nn.build(LAYER, ("N", "T", 4)).params)
STACK = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6), 2)
CACHE = LAYER.init_cache(2, 3)
X = jnp.ones((2, 2, 4))


def attend(cache: Any, *xs: Any) -> Any:
    return LAYER.call((PARAMS, {}), *(xs or (X,)), cache=cache)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: LAYER.init_cache(0, 3), ArgumentError, "takes batch as an integer of at least 1"),
        (lambda: LAYER.init_cache(2, 0), ArgumentError, "takes max_length as an integer of at le"),
        (lambda: attend(CACHE, X, X), ArgumentError, "a cache of its own keys, got a key besides"),
        (lambda: attend(X), ArgumentError, "takes a cache of key, value and position, got Array"),
        (lambda: attend({"key": X}), ArgumentError, r"got \['key'\]"),
        (
            lambda: attend(LAYER.init_cache(1, 3)),
            ShapeError,
            r"takes a cache with position \(2,\), got \(1,\)",
        ),
        (
            lambda: attend({**CACHE, "key": CACHE["key"][:, :1]}),
            ShapeError,
            r"takes a cache with key \(2, 2, 3, 2\), got \(2, 1, 3, 2\)",
        ),
        (
            lambda: attend(LAYER.init_cache(2, 3, "float16")),
            DTypeError,
            "takes a cache with key of float32, got float16",
        ),
        (
            lambda: attend({**CACHE, "position": jnp.zeros(2)}),
            DTypeError,
            "position of int32, got float32",
        ),
        (
            lambda: attend(CACHE, jnp.ones((2, 4, 4))),
            ShapeError,
            "takes up to 3 tokens, the length of the cache, got 4",
        ),
        (
            lambda: attend(nn.rewind(CACHE, jnp.array([0, 2]))),
            DataError,
            "takes positions below 3, the length of the cache, got 3",
        ),
        (lambda: nn.rewind(CACHE, 4), DataError, r"rewind takes positions from 0 to 3, got 4"),
        (lambda: nn.rewind(CACHE, 1.0), DTypeError, "rewind takes a position of integers"),  # type: ignore[arg-type]
        (lambda: nn.rewind(CACHE, jnp.array([1])), ShapeError, r"takes a position \(2,\), got"),
        (lambda: nn.rewind(X, 1), ArgumentError, "rewind takes a cache of key, value and position"),
        (
            lambda: STACK.call((dict(nn.build(STACK, (2, 2, 4)).params), {}), X, cache=(CACHE,)),
            LayerError,
            "TransformerEncoder takes a cache for each of 2 layers, got 1",
        ),
    ],
)
def test_a_cache_that_does_not_fit_is_one_error(call: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        call()
