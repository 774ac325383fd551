"""Adapters: what they compute, what is trained and kept, and what merging does, exactly."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import adapters, data, disk, nn, optim, train
from tensorem.adapters import IA3, DoRA, LoRA, Prefix
from tensorem.errors import ArgumentError, FileError, LayerError, PathError, ShapeError

MLP = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
X = np.asarray(np.random.default_rng(0).normal(size=(5, 4)), np.float32)


def drawn(model: nn.Model, scale: float = 0.1) -> nn.Model:
    """The same with random numbers in its adapters."""
    rng = np.random.default_rng(1)
    new = {n: scale * rng.normal(size=model.params[n].shape) for n in adapter_of(model)}
    return model.replace(
        params={**model.params, **{n: jnp.asarray(a, jnp.float32) for n, a in new.items()}}
    )


def adapter_of(model: nn.Model) -> list[str]:
    return [n for n in model.params if ".adapters." in f".{n}"]


def mlp(kind: Any = None, patterns: Any = "*") -> nn.Model:
    model = nn.build(MLP, input=("N", 4))
    return adapters.add(model, patterns, LoRA(2, 6.0) if kind is None else kind)


@pytest.mark.parametrize("kind", [LoRA(2, 6.0), DoRA(2, 6.0), IA3(), IA3(1)])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(2, 4, 3, groups=2), ("N", 2, 5, 5)),
        (nn.ConvTranspose1d(2, 3, 2), ("N", 2, 5)),
        (nn.Embedding(7, 3), tm.Spec(("N", 2), "int32")),
        (nn.MultiheadAttention(8, 2, num_kv_heads=1), ("N", 3, 8)),
        (nn.MultiheadAttention(8, 2, kdim=8, vdim=8, bias=False), ("N", 3, 8)),
    ],
    ids=str,
)
def test_every_kind_begins_with_nothing_and_merges_into_every_layer(
    kind: Any, layer: nn.Layer, shape: Any
) -> None:
    plain = nn.build(layer, input=shape)
    spec = plain.input
    x = np.random.default_rng(2).integers(0, 7, (2, *spec.shape[1:])).astype(spec.dtype)
    adapted = adapters.add(plain, "*", kind)
    assert_close(adapted(x), plain(x), atol=1e-6)
    other = drawn(adapted, 0.5)
    assert np.abs(np.asarray(other(x) - plain(x))).max() > 0.05
    merged = adapters.merge(other)
    assert merged.layer == plain.layer and list(merged.params) == list(plain.params)
    assert_close(merged(x), other(x), rtol=1e-4, atol=1e-5)


def test_lora_is_the_papers_formula() -> None:
    model = drawn(adapters.add(nn.build(nn.Linear(4, 3), input=("N", 4)), "*", LoRA(2, 6.0)))
    a, b = (np.asarray(model.params[f"adapters.default.weight.{n}"], float) for n in "AB")
    w, bias = (np.asarray(model.params[n], float) for n in ("weight", "bias"))
    assert_close(model(X), X @ w.T + bias + 6 / 2 * (X @ a.T) @ b.T)


def test_dora_has_the_papers_lengths_and_direction() -> None:
    model = drawn(adapters.add(nn.build(nn.Linear(4, 3), input=("N", 4)), "*", DoRA(2, 6.0)))
    a, b, m = (np.asarray(model.params[f"adapters.default.weight.{n}"], float) for n in "ABm")
    w = np.asarray(model.params["weight"], float)
    v = w + 3 * b @ a
    lengths = (m * np.linalg.norm(w, axis=1))[:, None]
    expected = lengths * v / np.linalg.norm(v, axis=1, keepdims=True)
    assert_close(adapters.merge(model).params["weight"], expected)


def test_ia3_scales_what_comes_out_or_goes_in() -> None:
    plain = nn.build(nn.Linear(4, 3, bias=False), input=("N", 4))
    for dim, size in ((0, 3), (1, 4)):
        model = drawn(adapters.add(plain, "*", IA3(dim)), 1.0)
        ell = np.asarray(model.params["adapters.default.weight.l"])
        assert ell.shape == (size,)
        expected = ell * np.asarray(plain(X)) if dim == 0 else plain(X * ell)
        assert_close(model(X), expected)


def test_merged_is_adapted_exactly_over_the_rationals() -> None:
    model = drawn(mlp())
    exact: dict[str, Any] = {n: fractions(a) for n, a in model.params.items()}
    for i in "02":
        a, b = (exact[f"{i}.adapters.default.weight.{n}"] for n in "AB")
        exact[f"{i}.weight"] = exact[f"{i}.weight"] + Fraction(6, 2) * (b @ a)
    hidden = fractions(X[:2]) @ exact["0.weight"].T + exact["0.bias"]
    merged = np.maximum(hidden, 0) @ exact["2.weight"].T + exact["2.bias"]
    adapted = tm.evaluate(model, X[:2], dtype="rational")
    assert (np.asarray(adapted.fractions()) == merged).all()


def fractions(array: Any) -> Any:
    return np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(np.asarray(array))


def test_weights_are_rounded_once_and_near_those_of_the_adapted_model() -> None:
    plain = nn.build(nn.Linear(64, 16, bias=False), input=("N", 64))
    model = adapters.use(drawn(adapters.add(plain, "*", LoRA(8, 5.0)), 1.0), {"default": 0.3})
    a, b = (fractions(model.params[f"adapters.default.weight.{n}"]) for n in "AB")
    w = fractions(model.params["weight"])
    scale = Fraction(0.3) * Fraction(5.0 / 8)
    exact = np.asarray(w + scale * (b @ a), object)
    merged = fractions(adapters.merge(model).params["weight"])
    u = Fraction(1, 2**24)
    assert (np.abs(merged - exact) <= u * (1 + Fraction(1, 2**20)) * np.abs(exact)).all()
    run = fractions(model(np.eye(64, dtype=np.float32)).T)
    g = 12 * u / (1 - 12 * u)
    bound = g * (np.abs(w) + scale * (np.abs(b) @ np.abs(a)))
    assert (np.abs(run - merged) <= bound).all()


def test_unmerge_gives_the_old_bits_and_keeps_what_was_trained_since() -> None:
    model = drawn(mlp(patterns="0"), 10.0)
    merged = adapters.merge(model)
    moved = merged.replace(params={**merged.params, "2.bias": merged.params["2.bias"] + 1})
    again = adapters.unmerge(moved, model)
    assert again.layer == model.layer
    for name, array in model.params.items():
        assert (again.params[name] == array).all() == (name != "2.bias")
    other = merged.replace(params={**merged.params, "0.weight": merged.params["0.weight"] + 1})
    with pytest.raises(ArgumentError, match=r"unmerge takes what merge gave, got another 0.weight"):
        adapters.unmerge(other, model)
    for refused in (lambda: adapters.merge(merged), lambda: adapters.unmerge(model, merged)):
        with pytest.raises(ArgumentError, match="merge takes a model with adapters, got Model"):
            refused()


def test_the_adapter_alone_is_trained() -> None:
    model, iris = mlp(LoRA(2, 6.0, dropout=0.5), "0"), data.iris()
    assert model.summary(200).splitlines()[-1].split() == ["trained", "24", "(26.4%)"]
    run = train.fit(model, iris.train, optimizer=optim.adam(0.05), epochs=2, progress="none")
    moved = [n for n in model.params if not (run.model.params[n] == model.params[n]).all()]
    assert moved == adapter_of(model) != []
    kept = [leaf.size for leaf in jax.tree.leaves(run.state.optimizer) if leaf.ndim]
    assert sum(kept) == 2 * 24  # two moments of each number that is trained


def test_dropout_hides_entries_of_the_input_from_the_adapter() -> None:
    plain = nn.build(nn.Linear(4, 3), input=("N", 4))
    model = drawn(adapters.add(plain, "*", LoRA(2, 6.0, dropout=0.5)), 1.0)
    eye = np.eye(4, dtype=np.float32)
    y, _ = model.train_apply(model.params, model.buffers, eye, key=jax.random.key(3))
    seen, whole = (np.asarray(v - plain(eye)) for v in (y, model(eye)))
    assert all(np.allclose(s, 0, atol=1e-5) or np.allclose(s, 2 * w, 1e-4)
               for s, w in zip(seen, whole, strict=True))  # fmt: skip
    assert (np.abs(seen).max(1) < 1e-5).any() and (np.abs(seen).max(1) > 0.1).any()


def test_adapters_are_switched_scaled_and_summed() -> None:
    plain = nn.build(nn.Linear(4, 3), input=("N", 4))
    both = drawn(adapters.add(adapters.add(plain, "*", LoRA(2, 6.0), "a"), "*", IA3(), "b"), 1.0)
    change = {n: np.asarray(adapters.use(both, {n: 1.0})(X) - plain(X)) for n in "ab"}
    assert_close(both(X), plain(X) + change["a"] + change["b"], atol=1e-5)
    mixed = adapters.use(both, {"b": 0.5, "a": -2.0})
    assert adapters.factors(mixed) == {"a": -2.0, "b": 0.5}
    assert_close(mixed(X), plain(X) - 2 * change["a"] + 0.5 * change["b"], atol=1e-5)
    off = adapters.use(both, {})
    assert (off(X) == plain(X)).all() and off.frozen == set(off.params)
    one = adapters.use(off, {"a": 1.0})
    assert off.params.keys() - one.frozen == {f"adapters.a.weight.{n}" for n in "AB"}
    assert adapters.remove(adapters.remove(both, "a"), "b").layer == plain.layer
    with pytest.raises(ArgumentError, match=r"remove takes the name of an adapter, got 'c'"):
        adapters.remove(both, "c")
    with pytest.raises(ArgumentError, match=r"use takes a dict from names .* got \{'c': 1\}"):
        adapters.use(both, {"c": 1})
    with pytest.raises(ArgumentError, match="use takes a as a finite number, got nan"):
        adapters.use(both, {"a": float("nan")})


def test_a_projection_has_an_adapter_of_its_own() -> None:
    plain = nn.build(nn.TransformerEncoderLayer(8, 2, 16), input=("N", 3, 8))
    model = adapters.add(plain, ("*.q_proj_weight", "*.v_proj_weight"), LoRA(2, 4.0))
    w, new = (
        np.asarray(adapters.merge(m).params["self_attn.in_proj_weight"])
        for m in (model, drawn(model, 1.0))
    )
    same = (w == new).all(1)
    assert same.tolist() == [False] * 8 + [True] * 8 + [False] * 8
    layer = nn.build(nn.Repeat(nn.TransformerEncoderLayer(8, 2, 16), 6), input=("N", 3, 8))
    assert adapters.add(layer, "5.self_attn", LoRA(2, 4.0)).output == layer.output


def test_shared_layers_and_computed_weights() -> None:
    table = nn.share(nn.Linear(4, 4))
    model = adapters.add(nn.build(nn.Sequential(table, table), input=("N", 4)), "*", LoRA(1, 1.0))
    assert adapter_of(model) == [f"0.adapters.default.weight.{n}" for n in "AB"]
    assert_close(adapters.merge(drawn(model))(X), drawn(model)(X))
    normed = nn.build(nn.WeightNorm(nn.Linear(4, 4)), input=("N", 4))
    with pytest.raises(PathError, match=r"got '\*', which matches none.\n  help: there are none"):
        adapters.add(normed, "*", LoRA(1, 1.0))


def test_a_file_holds_the_adapter_alone(tmp_path: Path) -> None:
    model = drawn(adapters.add(drawn(mlp()), "0", DoRA(1, 3.0, 0.25), "other"))
    file = adapters.save(model, tmp_path / "other.safetensors", "other")
    assert sorted(disk.read_arrays(file)[0]) == ["0.weight.A", "0.weight.B", "0.weight.m"]
    plain = nn.build(MLP, input=("N", 4))
    again = adapters.load(plain, file, "again")
    assert again.layer == adapters.add(plain, "0", DoRA(1, 3.0, 0.25), "again").layer
    only = adapters.remove(model, "default")
    assert (again(X) == only(X)).all() and "0.bias" in again.frozen
    with pytest.raises(ArgumentError, match="save takes the name of an adapter, got 'no'"):
        adapters.save(model, file, "no")
    with pytest.raises(PathError, match=r"load takes an adapter of 0.weight, the model has none"):
        adapters.load(nn.build(nn.Linear(4, 8), input=("N", 4)), file)
    with pytest.raises(ShapeError):
        adapters.load(nn.build(nn.Sequential(nn.Linear(4, 9)), input=("N", 4)), file)
    arrays, texts = disk.read_arrays(file)
    for broken in ({}, {"adapter": "[1]"}, {"adapter": '{"0.weight": {"kind": "X", "shape": []}}'}):
        disk.write_whole(file, disk.pack(arrays, broken))
        with pytest.raises(FileError, match=r"one that adapters.save wrote, got another"):
            adapters.load(plain, file)
    disk.write_whole(file, disk.pack({"0.weight.A": arrays["0.weight.A"]}, texts))
    with pytest.raises(FileError, match="its arrays are not those that it describes"):
        adapters.load(plain, file)


def test_an_adapted_model_is_saved_without_code_and_captured(tmp_path: Path) -> None:
    model = drawn(mlp())
    again = tm.load(tm.save(model, tmp_path / "m"))
    assert isinstance(again, nn.Model) and again.layer == model.layer
    assert again.frozen == model.frozen and (again(X) == model(X)).all()
    assert_close(tm.GraphModel(tm.capture(model))(X), model(X))


def test_attention_with_adapters_writes_with_its_cache() -> None:
    plain = nn.build(nn.MultiheadAttention(8, 2), input=("N", 3, 8))
    model = drawn(adapters.add(plain, "*", LoRA(2, 4.0)))
    assert set(model.layer.init_cache(1, 4)) == set(plain.layer.init_cache(1, 4))  # type: ignore[attr-defined]


def test_what_is_refused() -> None:
    model = nn.build(MLP, input=("N", 4))
    with pytest.raises(PathError, match=r"got '\*attn', which matches none.\n  help: .*0.weight"):
        adapters.add(model, ("0", "*attn"), LoRA(1, 1.0))
    with pytest.raises(
        ArgumentError, match=r"add takes a kind such as LoRA\(8, 16.0\), got 'lora'"
    ):
        adapters.add(model, "*", "lora")  # type: ignore[arg-type]
    one = adapters.add(model, "*", LoRA(1, 1.0))
    for name in ("default", "a.b", ""):
        with pytest.raises(ArgumentError, match="An adapter takes a name of letters and digits"):
            adapters.add(one, "*", LoRA(1, 1.0), name)
    for made in (
        lambda: LoRA(0, 1.0),
        lambda: LoRA(1, float("inf")),
        lambda: LoRA(1, 1.0, dropout=1.0),
        lambda: DoRA(0, 1.0),
        lambda: IA3(2),
        lambda: Prefix(0),
    ):
        with pytest.raises(ArgumentError, match=" takes "):
            made()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_merging_rounds_is_bounded_and_printed(dtype: str) -> None:
    plain = nn.build(nn.Linear(64, 16), tm.Spec(("N", 64), dtype))
    model = adapters.add(plain, "*", LoRA(8, 5.0), "fr")
    model = adapters.add(model, "*", LoRA(2, 3.0), "de")
    model = adapters.use(rounded(drawn(model, 1.0), dtype), {"fr": 0.3, "de": 1.0})
    found = adapters.difference(model)
    (name, (kind, apart, bound)), *none = found.rows.items()
    assert (name, kind, none) == ("weight", dtype, [])
    assert bound is not None and 0 < apart <= bound < 1e4 * apart
    assert f"{apart:.1e}" in str(found) and f"{bound:.1e}" in str(found)
    other = adapters.difference(adapters.add(plain, "*", IA3()))
    assert other.rows["weight"][2] is None and "not stated" in str(other)


def rounded(model: nn.Model, dtype: str) -> nn.Model:
    return model.replace(params={n: a.astype(dtype) for n, a in model.params.items()})


def test_a_prefix_is_keys_and_values_that_every_query_sees(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    plain = nn.build(nn.MultiheadAttention(8, 2), ("N", 3, 8))
    model = adapters.add(plain, "*", Prefix(1), "one")
    x = np.random.default_rng(3).normal(size=(2, 3, 8)).astype(np.float32)
    net = torch.nn.MultiheadAttention(8, 2, add_bias_kv=True, batch_first=True)  # one, at the end
    state = {n: torch.tensor(np.asarray(a)) for n, a in plain.params.items()}
    k, v = (torch.tensor(np.asarray(model.params[f"adapters.one.prefix.{n}"]))[None]
            for n in ("key", "value"))  # fmt: skip
    net.load_state_dict({**state, "bias_k": k, "bias_v": v})
    expected = net(*[torch.tensor(x)] * 3)[0].detach().numpy()
    assert_close(model(x), expected, rtol=1e-4, atol=1e-6)
    trained = set(model.params) - model.frozen
    assert trained == {"adapters.one.prefix.key", "adapters.one.prefix.value"}
    assert_close(adapters.use(model, {})(x), plain(x))
    again = adapters.load(plain, adapters.save(model, tmp_path / "a.safetensors", "one"), "one")
    assert (again(x) == model(x)).all()
    with pytest.raises(ArgumentError, match="merge takes adapters of weights, got a prefix"):
        adapters.merge(model)
    both = adapters.add(model, "*", Prefix(2), "two")
    joined = adapters.use(both, {"two": 1.0, "one": 0.5})
    values = [np.asarray(joined.params[f"adapters.{n}.prefix.value"]) for n in ("two", "one")]
    keys = [np.asarray(joined.params[f"adapters.{n}.prefix.key"]) for n in ("two", "one")]
    prefix = tuple(jnp.concatenate(p) for p in (keys, [values[0], values[1] / 2]))
    found, _ = plain.layer.call((plain.params, {}), jnp.asarray(x), prefix=prefix)
    assert_close(joined(x), found)


def test_a_causal_model_with_a_prefix_sees_no_later_token_and_writes_with_its_cache() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 8, dropout=0.0)
    model = adapters.add(nn.build(Causal(layer), ("N", 5, 8)), "*.self_attn", Prefix(3))
    x = np.random.default_rng(4).normal(size=(2, 5, 8)).astype(np.float32)
    mask = np.array([[True] * 5, [True] * 4 + [False]])
    assert_close(model(x)[:, :2], model(np.where(np.arange(5)[:, None] < 2, x, 9.0))[:, :2])
    told: Any = model.layer
    cache, found = layer.init_cache(2, 5), []
    for part in (x[:, :3], x[:, 3:]):
        (y, cache), _ = told.call((model.params, {}), jnp.asarray(part), cache=cache)
        found.append(y)
    assert_close(np.concatenate(found, 1), model(x), rtol=1e-4, atol=1e-5)
    masked, _ = told.call((model.params, {}), jnp.asarray(x), mask=jnp.asarray(~mask))
    assert_close(masked[0], model(x)[0], rtol=1e-4, atol=1e-6)
    named = adapters.add(nn.build(Causal(layer), ("N", "T", 8)), "*.self_attn", Prefix(3))
    assert_close(tm.evaluate(tm.capture(named.replace(params=model.params)), x), model(x), 1e-5)


class Causal(nn.Layer):
    inner: nn.TransformerEncoderLayer

    def forward(self, x: Any, cache: Any = None, mask: Any = None) -> Any:
        return self.inner(x, src_key_padding_mask=mask, is_causal=True, cache=cache)


def test_the_pages_formulas() -> None:
    rng = np.random.default_rng(0)
    base, a, b = (jnp.asarray(rng.normal(size=s), jnp.float32) for s in ((4, 3), (4, 2), (2, 3)))
    params = adapters.Params(a, b)
    assert_close(adapters.delta(params, 0.5), 0.5 * np.asarray(a) @ np.asarray(b))
    whole = np.asarray(base) + 0.5 * np.asarray(a) @ np.asarray(b)
    assert_close(adapters.effective_weight(base, params, 0.5), whole)
    assert_close(adapters.linear(jnp.asarray(X), base, params, 0.5), X @ whole)
    # in and out change places: the layer of the page is the transpose of a Linear
    model = adapters.add(nn.build(nn.Linear(4, 3, bias=False), input=("N", 4)), "*", LoRA(2, 1.0))
    names = ("weight", "adapters.default.weight.A", "adapters.default.weight.B")
    model = model.load_state_dict(dict(zip(names, (base.T, a.T, b.T), strict=True)))
    assert_close(model(X), adapters.linear(jnp.asarray(X), base, params, 0.5))


class Doubled(nn.Layer):
    """A weight that is changed, as `name` and `grown` say."""

    inner: nn.Linear
    name: str = "weight"
    grown: bool = False

    def forward(self, x: Any) -> Any:
        nn.adjust(self.inner, self.name, lambda w: w[:1] if self.grown else 2 * w)
        return self.inner(self.inner(x))


def test_adjust_changes_a_parameter_that_stays_one() -> None:
    model = nn.build(Doubled(nn.Linear(4, 4)), input=("N", 4))
    w, b = (np.asarray(model.params[f"inner.{n}"]) for n in ("weight", "bias"))
    assert_close(model(X), (X @ (2 * w.T) + b) @ (2 * w.T) + b)
    with pytest.raises(LayerError, match=r"adjust takes a sub-layer within forward .* got 'no'"):
        nn.build(Doubled(nn.Linear(4, 4), "no"), input=("N", 4))
    with pytest.raises(ShapeError, match=r"The weight of .* takes \(4, 4\), got \(1, 4\)"):
        nn.build(Doubled(nn.Linear(4, 4), grown=True), input=("N", 4))
    with pytest.raises(LayerError, match="adjust takes a sub-layer within forward"):
        nn.adjust(nn.Linear(2, 2), "weight", lambda w: w)


def test_a_layer_takes_over_the_arrays_of_a_model() -> None:
    model = nn.build(MLP, input=("N", 4)).freeze("0.*")
    wider = model.with_layer(nn.Sequential(*MLP, nn.Linear(3, 2)), seed=4)
    assert wider.params["2.weight"] is model.params["2.weight"] and wider.frozen == model.frozen
    with pytest.raises(ShapeError, match=r"2.weight takes \(2, 8\), got \(3, 8\)"):
        model.with_layer(nn.Sequential(*list(MLP)[:2], nn.Linear(8, 2)))
    with pytest.raises(LayerError, match="with_layer takes a layer, got 3"):
        model.with_layer(3)  # type: ignore[arg-type]
