"""Attention: nothing of the future, one meaning of each mask, and PyTorch's numbers."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import functional as F
from tensorem import nn
from tensorem.errors import ArgumentError, DTypeError, LayerError, ShapeError, TensoremError
from tensorem.shapes import Spec

KEY = jax.random.key(1)
LOWER = np.tril(np.ones((3, 3), bool))
SOME = jnp.asarray([[True, False, True], [True, True, False], [False, True, True]])


def normal(*shape: int, seed: int = 0) -> Any:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def no_future(f: Any, x: Any) -> None:
    """d output[t] / d input[s] is exactly 0 for s > t, and not for s = t."""
    length = x.shape[-2]

    @jax.jit
    def slopes(x: Any) -> Any:
        y, pull = jax.vjp(f, x)
        at = jnp.zeros((length, *y.shape)).at[jnp.arange(length), ..., jnp.arange(length), :].set(1)
        return jax.vmap(pull)(at)[0]

    for t, dx in enumerate(np.asarray(slopes(x))):
        assert not dx[..., t + 1 :, :].any() and dx[..., t, :].any()


MASKS: dict[str, Any] = {
    "none": {},
    "may_attend": {"may_attend": SOME},
    "floats": {"attn_mask": normal(3, 3)},
}


@pytest.mark.parametrize("axes", [1, *(pytest.param(n, marks=pytest.mark.long) for n in (0, 2, 3))])
def test_no_path_sees_the_future(axes: int) -> None:
    layer = nn.MultiheadAttention(4, 2, 0.5, rotary="half")
    params = dict(nn.build(layer, ("N", "T", 4)).params)
    x = normal(*(2, 1, 2)[:axes], 3, 4)
    training = nn.Context(training=True, key=KEY)
    for ctx, scores, mask, cached in product(
        (nn.EVALUATION, training), (False, True), MASKS, (False, True)
    ):
        rest = {"cache": layer.init_cache(x.shape[:-2], 3)} if cached else {"is_causal": True}

        def f(
            x: Any, ctx: Any = ctx, scores: Any = scores, mask: Any = mask, rest: Any = rest
        ) -> Any:
            kw = {**MASKS[mask], **rest}
            y, _ = layer.call((params, {}), x, need_weights=scores, ctx=ctx, **kw)
            return y[0] if isinstance(y, tuple) else y

        no_future(f, x)


def test_no_option_of_the_function_sees_the_future() -> None:
    x, y = normal(4, 3, 2), normal(2, 3, 2, seed=1)
    options: dict[str, tuple[Any, ...]] = {
        "attn_mask": (None, SOME),
        "softcap": (None, 2.0),
        "window": (None, 2),
        "weighting": ("softmax", "linear"),
        "enable_gqa": (True, False),
    }
    for values in product(*options.values()):
        kw: dict[str, Any] = dict(zip(options, values, strict=True))
        key = y if kw["enable_gqa"] else jnp.concatenate([y, y])
        given = {"is_causal": True, "dropout_p": 0.2, "dropout_key": KEY, **kw}

        def f(key: Any, given: Any = given) -> Any:
            return F.scaled_dot_product_attention(x, key, key, **given)

        out, pull = jax.vjp(f, key)
        (d,) = pull(jnp.zeros_like(out).at[:, 0].set(1.0))
        assert not d[:, 1:].any()


def test_spellings_of_one_mask_give_equal_bits() -> None:
    layer, x = nn.MultiheadAttention(4, 2), normal(2, 3, 4)
    params = dict(nn.build(layer, ("N", "T", 4)).params)
    floats = jnp.where(LOWER, 0.0, -jnp.inf)
    per_head = jnp.broadcast_to(~LOWER, (4, 3, 3))
    spellings: list[dict[str, Any]] = [
        {"is_causal": True},
        {"may_attend": LOWER},
        {"may_attend": jnp.broadcast_to(LOWER, (2, 3, 3))},
        {"may_attend": jnp.broadcast_to(LOWER, (2, 2, 3, 3))},
        {"attn_mask": ~LOWER},
        {"attn_mask": floats},
        {"attn_mask": per_head},
        {"attn_mask": ~LOWER, "is_causal": True, "may_attend": LOWER},
    ]
    first, *others = (layer.call((params, {}), x, **kw)[0] for kw in spellings)
    assert all(np.array_equal(first, other) for other in others)


def test_a_causal_mask_that_is_turned_around_is_said() -> None:
    x, upper = normal(2, 3, 4), LOWER.T
    layer = nn.MultiheadAttention(4, 2)
    params = dict(nn.build(layer, ("N", "T", 4)).params)
    with pytest.raises(ArgumentError, match=r"^F.scaled_dot_product_attention takes attn_mask in"):
        F.scaled_dot_product_attention(x, x, x, upper)
    with pytest.raises(ArgumentError, match=r"takes attn_mask in which True forbids, got") as e:
        layer.call((params, {}), x, attn_mask=LOWER & ~np.eye(3, dtype=bool))
    assert "inverted" in e.value.because and "may_attend=" in e.value.help
    with pytest.raises(ArgumentError, match=r"takes may_attend in which True allows, got one"):
        layer.call((params, {}), x, may_attend=jnp.asarray(upper))
    meant = jnp.where(upper, 0.0, -jnp.inf)
    assert F.scaled_dot_product_attention(x, x, x, meant).shape == x.shape


@pytest.mark.parametrize("weighting", ["softmax", "linear"])
def test_a_query_that_may_attend_to_no_key_gets_zeros(weighting: str) -> None:
    x = normal(3, 2)
    rows = jnp.asarray([[True, True, False], [False] * 3, [True] * 3])
    for mask in (rows, jnp.where(rows, 0.5, -jnp.inf)):

        def f(x: Any, mask: Any = mask) -> Any:
            return F.scaled_dot_product_attention(x, x, x, mask, weighting=weighting)

        y, pull = jax.vjp(f, x)
        (dx,) = pull(jnp.zeros_like(y).at[1].set(1.0))
        assert not y[1].any() and y[0].any() and not dx.any()
        assert jnp.isfinite(pull(jnp.ones_like(y))[0]).all()


def test_all_keys_of_a_row_may_be_padding() -> None:
    layer, x = nn.MultiheadAttention(4, 2, bias=False), normal(2, 3, 4)
    params = dict(nn.build(layer, ("N", "T", 4)).params)
    pads = jnp.asarray([[True] * 3, [False, False, True]])
    y, _ = layer.call((params, {}), x, key_padding_mask=pads)
    alone, _ = layer.call((params, {}), x[1:, :2])
    assert not y[0].any()
    assert_close(y[1:, :2], alone)


def test_the_function_computes_what_torch_computes() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    for shape, scale in (((5, 3), 1.0), ((1, 4, 5, 2), 30.0)):
        q, k, v = (rng.standard_normal(shape) * scale for _ in range(3))
        length = shape[-2]
        keep = rng.uniform(size=(length, length)) < 0.6
        keep[:, 0] = True
        few = k[:, ::2], v[:, ::2]
        for kw, key, value in (
            ({}, k, v),
            ({"is_causal": True}, k, v),
            ({"attn_mask": keep, "scale": 0.3}, k, v),
            ({"attn_mask": rng.standard_normal((length, length))}, k, v),
            *([({"is_causal": True, "enable_gqa": True}, *few)] if len(shape) == 4 else []),
        ):
            given = {n: torch.tensor(a) if hasattr(a, "shape") else a for n, a in kw.items()}
            ts = [torch.tensor(a, requires_grad=True) for a in (q, key, value)]
            theirs = torch.nn.functional.scaled_dot_product_attention(*ts, **given)
            theirs.square().sum().backward()
            with tm.runtime.float64():
                f = jax.jit(partial(F.scaled_dot_product_attention, **kw))
                y, pull = jax.vjp(f, *map(jnp.asarray, (q, key, value)))
                assert_close(y, theirs.detach().numpy(), 1e-9, 1e-9)
                for ours, t in zip(pull(2 * y), ts, strict=True):
                    assert_close(ours, t.grad.numpy(), 1e-8, 1e-8 * scale)


def test_masks_and_weights_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    layer = nn.MultiheadAttention(8, 2)
    model = nn.build(layer, ("N", "T", 8))
    model = model.load_state_dict({n: p.detach().numpy() for n, p in theirs.state_dict().items()})
    x = normal(2, 3, 8)
    pads = np.array([[False, False, True], [False, False, False]])
    heads = np.random.default_rng(1).uniform(size=(4, 3, 3)) < 0.3
    heads[:, :, 0] = False
    for kw in (
        {"key_padding_mask": pads},
        {"attn_mask": ~LOWER},
        {"attn_mask": heads, "key_padding_mask": pads},
        {"attn_mask": np.asarray(normal(3, 3)), "key_padding_mask": np.where(pads, -np.inf, 0.5)},
    ):
        kw = {n: a.astype(np.float32) if a.dtype == float else a for n, a in kw.items()}
        t = torch.tensor(np.asarray(x))
        for average in (True, False):
            expected = theirs(
                t, t, t, average_attn_weights=average, **{n: torch.tensor(a) for n, a in kw.items()}
            )
            ours, _ = layer.call(
                (dict(model.params), {}), x, need_weights=True, average_attn_weights=average, **kw
            )
            for a, b in zip(ours, expected, strict=True):
                assert_close(a, b.detach().numpy(), 1e-4, 1e-5)


def test_a_transformer_with_masks_computes_what_torch_computes() -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Transformer(8, 2, 1, 1, 12, batch_first=True).eval()
    layer = nn.Transformer(8, 2, 1, 1, 12)
    model = nn.build(layer, (("N", "S", 8), ("N", "T", 8)))
    model = model.load_state_dict({n: p.detach().numpy() for n, p in theirs.state_dict().items()})
    src, tgt = normal(2, 4, 8), normal(2, 3, 8, seed=1)
    pads = np.array([[False, False, True, True], [False] * 4])
    masks = {"tgt_mask": ~LOWER, "src_key_padding_mask": pads, "memory_key_padding_mask": pads}
    ours, _ = layer.call((dict(model.params), {}), src, tgt, **masks)
    expected = theirs(
        torch.tensor(np.asarray(src)),
        torch.tensor(np.asarray(tgt)),
        **{n: torch.tensor(m) for n, m in masks.items()},
    )
    assert_close(ours, expected.detach().numpy(), 1e-4, 1e-5)


def test_dropout_draws_for_each_layer_and_weight() -> None:
    layer = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, 0.5), 2)
    model = nn.build(layer, ("N", "T", 4))
    x = normal(2, 3, 4)
    one, _ = model.train_apply(model.params, {}, x, key=KEY)
    again, _ = model.train_apply(model.params, {}, x, key=KEY)
    other, _ = model.train_apply(model.params, {}, x, key=jax.random.key(2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    with pytest.raises(LayerError, match=r"draws random numbers, got no key"):
        model.train_apply(model.params, {}, x)
    ones = jnp.ones((200, 200))
    kept = F.scaled_dot_product_attention(ones, ones, ones, dropout_p=0.25, dropout_key=KEY)
    assert 0.99 < float(kept.mean()) < 1.01


def test_layer_by_layer_keeps_what_is_asked_for() -> None:
    layer, x = nn.TransformerEncoderLayer(4, 2, 6), normal(2, 3, 4)
    params = dict(nn.build(layer, ("N", "T", 4)).params)
    whole, _ = layer.call((params, {}), x, is_causal=True)
    eager = nn.Context(run_leaf=nn.eager)
    assert_close(layer.call((params, {}), x, is_causal=True, ctx=eager)[0], whole)


def test_a_graph_keeps_named_lengths() -> None:
    class Words(nn.Layer):
        inner: nn.TransformerEncoderLayer

        def forward(self, x: Any, pads: Any) -> Any:
            return self.inner(x, src_key_padding_mask=pads, is_causal=True)

    attention = nn.MultiheadAttention(4, 2, 0.1, rotary="half", window=3)
    layer = Words(nn.TransformerEncoderLayer(4, 2, 6, self_attn=attention))
    model = nn.build(layer, (("N", "T", 4), Spec(("N", "T"), "bool")))
    whole = tm.capture(model)
    assert {"softmax", "layer_norm", "linear"} <= {node.op for node in whole.nodes}
    for n, t in ((1, 5), (3, 2), (2, 1)):
        x, pads = normal(n, t, 4), jnp.zeros((n, t), bool).at[:, 1:2].set(True)
        y = tm.graph.to_jax(whole.bind(N=n, T=t))(x, pads)
        assert np.array_equal(y, model(x, pads))


def test_an_encoder_is_saved_and_loaded(tmp_path: Any) -> None:
    inner = nn.TransformerEncoderLayer(4, 2, 6, activation="gelu", norm_first=True)
    layer = nn.Sequential(nn.TransformerEncoder(inner, 2, nn.LayerNorm(4)), nn.Flatten())
    model = nn.build(layer, ("N", 3, 4), seed=3)
    tm.save(model, tmp_path / "model")
    again = tm.load(tmp_path / "model")
    assert isinstance(again, nn.Model) and again.layer == layer
    x = normal(2, 3, 4)
    assert np.array_equal(again(x), model(x))


def test_attention_without_softmax_is_read_exactly() -> None:
    model = nn.build(nn.MultiheadAttention(4, 2, weighting="linear"), ("N", "T", 4))
    x = jnp.round(normal(1, 3, 4) * 8) / 8
    exact = tm.evaluate(model, x, dtype="rational")
    assert_close(exact.to_float(), tm.evaluate(model, x, dtype="float64"), 1e-12, 1e-12)


X = jnp.ones((2, 3, 4))
ATTENTION = nn.MultiheadAttention(4, 2)
PARAMS = dict(nn.build(ATTENTION, ("N", "T", 4)).params)


def attend(*xs: Any, **kw: Any) -> Any:
    return ATTENTION.call((PARAMS, {}), *xs, **kw)


WRONG: list[tuple[Any, type[TensoremError], str]] = [
    (lambda: nn.MultiheadAttention(5, 2), ArgumentError, "num_heads that divide embed_dim, got 2"),
    (lambda: nn.MultiheadAttention(0, 2), ArgumentError, "embed_dim as an integer of at least 1"),
    (
        lambda: nn.MultiheadAttention(4, 2, 1.5),
        ArgumentError,
        r"dropout as a number in \[0, 1\], got 1.5",
    ),
    (
        lambda: nn.MultiheadAttention(4, 2, head_dim=0),
        ArgumentError,
        "head_dim as an integer of at",
    ),
    (
        lambda: nn.MultiheadAttention(6, 2, rotary="half"),
        ArgumentError,
        "an even head_dim with rotary, got 3",
    ),
    (lambda: nn.MultiheadAttention(4, 2, rotary="x"), ArgumentError, "as one of interleaved, half"),
    (
        lambda: nn.MultiheadAttention(4, 2, rotary_base=1),
        ArgumentError,
        "rotary_base as a finite number",
    ),
    (lambda: nn.MultiheadAttention(4, 2, window=0), ArgumentError, "window as an integer of at"),
    (lambda: nn.MultiheadAttention(4, 2, softcap=0.0), ArgumentError, "softcap as a finite number"),
    (
        lambda: nn.MultiheadAttention(4, 2, weighting="x"),
        ArgumentError,
        "as one of softmax, linear",
    ),
    (
        lambda: nn.MultiheadAttention(4, 2, batch_first=False),
        ArgumentError,
        "batch_first as True, got False",
    ),
    (lambda: attend(X[..., :3]), ShapeError, r"takes query \(\*batch, L, 4\), got \(2, 3, 3\)"),
    (lambda: attend(X, X[:1]), ShapeError, r"query and key with the same batch axes"),
    (lambda: attend(X, X, X[:, :2]), ShapeError, r"key \(\*batch, S, ...\) and value"),
    (
        lambda: attend(X, key_padding_mask=jnp.zeros((2, 4), bool)),
        ShapeError,
        r"key_padding_mask that broadcasts to \(2, 3\), got \(2, 4\)",
    ),
    (
        lambda: attend(X, attn_mask=jnp.zeros((3, 3), "int32")),
        DTypeError,
        "attn_mask of truth values, or of float32 to be added, got int32.\n"
        ".*\n  help:  convert: .*, once 1 means in it what True means here",
    ),
    (
        lambda: attend(X, attn_mask=np.zeros((3, 3))),
        DTypeError,
        r'got float64.\n.*\n  help:  convert: attn_mask.astype\("float32"\)',
    ),
    (
        lambda: attend(X, key_padding_mask=[[False] * 3] * 2),
        DTypeError,
        r"takes arrays, got list.\n.*\n  help:  jnp.asarray\(key_padding_mask\)",
    ),
    (
        lambda: F.scaled_dot_product_attention(X, X, X, None, True),
        ArgumentError,
        r"takes dropout_p as a number in \[0, 1\], got True",
    ),
    (
        lambda: F.scaled_dot_product_attention(X, X, X, is_causal=X),
        ArgumentError,
        "F.scaled_dot_product_attention takes is_causal as True or False",
    ),
    (
        lambda: F.scaled_dot_product_attention(X, X, X, enable_gqa=2),  # type: ignore[arg-type]
        ArgumentError,
        "takes enable_gqa as True or False, got 2",
    ),
    (lambda: attend(X, is_causal=X), ArgumentError, "takes is_causal as True or False, got Array"),
    (lambda: attend(X, need_weights=1), ArgumentError, "takes need_weights as True or False"),
    (
        lambda: attend(X, average_attn_weights=None),
        ArgumentError,
        "takes average_attn_weights as True or False, got None",
    ),
    (
        lambda: attend(X, attn_mask=jnp.zeros((3, 3, 3), bool)),
        ShapeError,
        r"attn_mask that broadcasts to \(4, 3, 3\), got \(3, 3, 3\)",
    ),
    (
        lambda: attend(X, attn_mask=jnp.zeros(3, bool)),
        ShapeError,
        r"attn_mask \(L, S\) or \(N \* num_heads, L, S\), got \(3,\)",
    ),
    (
        lambda: attend(X, may_attend=jnp.ones((3, 2), bool)),
        ShapeError,
        r"may_attend that broadcasts to \(2, 2, 3, 3\), got \(3, 2\)",
    ),
    (
        lambda: F.scaled_dot_product_attention(X, X, X, dropout_p=0.1),
        ArgumentError,
        "takes a dropout_key with dropout_p=0.1, got none",
    ),
    (
        lambda: F.scaled_dot_product_attention(X, X[:1], X[:1]),
        ShapeError,
        r"takes query \(\*batch, L, d\) and key \(\*batch, S, d\), got \(2, 3, 4\) and \(1, 3, 4\)",
    ),
    (
        lambda: F.scaled_dot_product_attention(X[:1], X, X, enable_gqa=True),
        ShapeError,
        "a number of heads in query that is a multiple",
    ),
    (
        lambda: F.scaled_dot_product_attention(X, X, X[:, :2]),
        ShapeError,
        r"takes key \(\*batch, S, ...\) and value \(\*batch, S, ...\)",
    ),
    (lambda: F.attention_weights(X, X, softcap=-1.0), ArgumentError, "softcap as a finite number"),
    (
        lambda: F.attention_weights(X, X, window=0),
        ArgumentError,
        "window as an integer of at least",
    ),
    (lambda: F.attention_weights(X, X, weighting="x"), ArgumentError, "as one of softmax, linear"),
    (lambda: F.attention_weights(X.astype(int), X), DTypeError, "takes floats, got int32"),
    (
        lambda: F.attention_weights(X, X, jnp.ones((2, 4), bool)),
        ShapeError,
        r"attn_mask that broadcasts to \(2, 3, 3\), got \(2, 4\)",
    ),
    (
        lambda: nn.TransformerEncoderLayer(4, 2, activation="x"),
        ArgumentError,
        "as one of relu, gelu",
    ),
    (
        lambda: nn.TransformerEncoderLayer(4, 2, batch_first=False),
        ArgumentError,
        "TransformerEncoderLayer takes batch_first as True, got False",
    ),
    (
        lambda: nn.Transformer(4, 2, batch_first=False),
        ArgumentError,
        "Transformer takes batch_first",
    ),
    (lambda: nn.TransformerEncoderLayer(4, 2, 0), ArgumentError, "dim_feedforward as an integer"),
    (
        lambda: nn.TransformerEncoderLayer(4, 2, self_attn=nn.MultiheadAttention(4, 1)),
        LayerError,
        r"takes self_attn as MultiheadAttention\(4, 2, ...\), got MultiheadAttention\(4, 1\)",
    ),
    (
        lambda: nn.TransformerDecoderLayer(4, 2, multihead_attn=nn.MultiheadAttention(8, 2)),
        LayerError,
        "takes multihead_attn as",
    ),
    (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2), 0),
        ArgumentError,
        "TransformerEncoder takes num_layers as an integer of at least 1, got 0",
    ),
    (
        lambda: nn.TransformerDecoder(nn.Linear, 2),  # type: ignore[arg-type]
        LayerError,
        "TransformerDecoder takes a layer",
    ),
    (lambda: nn.Transformer(8, 2, 0), ArgumentError, "num_encoder_layers as an integer"),
    (
        lambda: nn.Sequential(nn.Linear(3, 5), nn.TransformerEncoderLayer(4, 2)),
        ShapeError,
        r"TransformerEncoderLayer takes \(\*batch, T, 4\), got \(..., 5\)",
    ),
]


@pytest.mark.parametrize(("call", "kind", "words"), WRONG, ids=[w[2] for w in WRONG])
def test_what_does_not_fit_is_one_error(call: Any, kind: type[TensoremError], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()
