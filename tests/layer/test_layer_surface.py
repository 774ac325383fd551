"""A model's arrays and layers by name: frozen, taken out, replaced, watched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import nn, optim, train
from tensorem.errors import (
    ArgumentError,
    FileError,
    LayerError,
    PathError,
    ResumeError,
    ShapeError,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 12).astype(np.int32)


def small() -> nn.Model:
    inner = nn.Sequential(nn.Linear(5, 5), nn.Tanh())
    return nn.build(nn.Sequential(nn.Linear(4, 5), inner, nn.Linear(5, 3)), ("N", 4))


def fitted(model: nn.Model, optimizer: Any = None, **more: Any) -> train.Run:
    rule = optim.adam(0.01) if optimizer is None else optimizer
    return train.fit(model, (X, Y), optimizer=rule, epochs=2, progress="none", **more)


def same(a: Any, b: Any) -> bool:
    return np.array_equal(a, b)


def test_arrays_are_listed_as_in_torch() -> None:
    model = nn.build(nn.BatchNorm2d(3), ("N", 3, 2, 2))
    assert sum(p.size for p in model.parameters()) == 6
    assert dict(model.named_parameters()) == model.params
    assert [name for name, _ in model.named_buffers()] == list(model.buffers)


@pytest.mark.parametrize("backend", ["compiled", "eager"])
def test_what_is_frozen_is_not_trained(backend: Any) -> None:
    model = small().freeze("0.*", "1.0.bias")
    run = fitted(model, backend=backend)
    assert run.model.frozen == {"0.weight", "0.bias", "1.0.bias"}
    moved = {n for n in model.params if not same(model.params[n], run.model.params[n])}
    assert moved == {"1.0.weight", "2.weight", "2.bias"}
    held = jax.tree.leaves(run.state.optimizer)
    assert sum(a.size for a in held if a.ndim) == 2 * sum(model.params[n].size for n in moved)


def test_frozen_steps_are_those_of_gradients_of_the_rest() -> None:
    model = small().freeze("1.*", "2.*")
    state = train.Runner(train.Task(model, "mse"), optim.sgd(0.5)).init()
    y = RNG.standard_normal((12, 3)).astype(np.float32)
    runner = train.Runner(train.Task(model, "mse", ()), optim.sgd(0.5))
    state, _ = runner.step(runner.init(), X, y)
    grads = jax.grad(lambda p: jnp.mean((model.apply(p, X) - y) ** 2))(dict(model.params))
    for name, old in model.params.items():
        wanted = old - 0.5 * grads[name] if name in ("0.weight", "0.bias") else old
        np.testing.assert_allclose(state.params[name], wanted, rtol=1e-5, atol=1e-6)


def test_frozen_survives_every_change_of_a_model(tmp_path: Path) -> None:
    model = small().freeze("0.*")
    kept = model.frozen
    assert kept == model.replace(params=model.params).frozen == model.rebuild().frozen
    assert kept == model.load_state_dict(model.state_dict()).frozen
    assert kept == jax.tree.map(lambda a: a, model).frozen
    assert kept == tm.load(tm.save(model, tmp_path)).frozen  # type: ignore[union-attr]
    assert kept == tm.load(tmp_path, layer=model.layer).frozen  # type: ignore[union-attr]
    assert model.unfreeze("0.bias").frozen == {"0.weight"}


def test_patterns_that_do_not_fit_name_what_is_near() -> None:
    with pytest.raises(PathError, match=r"freeze takes patterns .*'0.wieght', which") as caught:
        small().freeze("0.*", "0.wieght")
    assert caught.value.help.startswith("the nearest are 0.weight")
    with pytest.raises(PathError) as caught:
        small().unfreeze("1")
    assert caught.value.help == "1.* names what is below it: 1.0.weight, 1.0.bias."
    with pytest.raises(PathError) as caught:
        nn.build(nn.ReLU(), (2,)).freeze("*")
    assert caught.value.help == "there are none."
    with pytest.raises(ArgumentError, match=r'freeze takes patterns such as "0\.\*", got \(\)'):
        small().freeze()
    with pytest.raises(ArgumentError, match="6 parameters are all frozen"):
        fitted(small().freeze("*"))


def test_a_run_resumes_with_what_was_frozen_alone(tmp_path: Path) -> None:
    model = small().freeze("0.*")
    fitted(model, optim.sgd(0.1), path=tmp_path)
    with pytest.raises(ResumeError, match="takes its own frozen again, got another") as caught:
        train.resume(tmp_path, small(), (X, Y), epochs=3, progress="none")
    assert "model.freeze" in caught.value.help
    assert train.resume(tmp_path, model, (X, Y), epochs=3, progress="none").finished


def test_a_file_that_freezes_what_is_not_there_is_refused(tmp_path: Path) -> None:
    from safetensors import safe_open

    from tensorem import disk
    from tensorem.files import _models

    tm.save(small().freeze("0.bias"), tmp_path)
    file = disk.RunFiles(tmp_path).weights
    arrays, _ = disk.read_arrays(file)
    with safe_open(file, "np") as opened:
        texts = {**opened.metadata(), "frozen": '["colour"]'}
    texts["sha256"] = _models._sha256(arrays, texts)
    file.write_bytes(disk.pack(arrays, texts))
    with pytest.raises(FileError, match=r"by names of parameters what is frozen, got '\[\"colour"):
        tm.load(tmp_path)


def test_a_part_is_a_model_with_its_own_input() -> None:
    model = small().freeze("1.0.bias")
    part, h = model[1], model[0](X)
    assert part.input == tm.Spec(("N", 5)) and list(part.params) == ["0.weight", "0.bias"]
    assert part.frozen == {"0.bias"} and part.params["0.bias"] is model.params["1.0.bias"]
    assert same(model.submodel("2")(part(h)), model(X))
    assert model["1.0"].layer == nn.Linear(5, 5)


def test_a_part_of_a_shared_layer_has_the_shared_arrays() -> None:
    shared = nn.share(nn.Linear(3, 3))
    model = nn.build(nn.Sequential(shared, nn.ReLU(), shared), ("N", 3))
    assert model[2].params["weight"] is model.params["0.weight"]


def test_a_part_that_is_not_there_or_takes_no_arrays() -> None:
    class Odd(nn.Layer):
        used: nn.Lambda
        spare: nn.Linear

        def forward(self, x: Any) -> Any:
            return self.used(None, x)

    model = nn.build(Odd(nn.Lambda(lambda none, x: x), nn.Linear(2, 2)), ("N", 2))
    with pytest.raises(
        PathError, match="submodel takes the path of a layer below, got 'spar'"
    ) as e:
        model["spar"]
    assert e.value.help == "the nearest are spare."
    with pytest.raises(LayerError, match="called with arrays, got 'spare'") as caught:
        model["spare"]
    assert caught.value.because == "forward calls it not."
    with pytest.raises(LayerError, match="called with arrays, got 'used'"):
        model["used"]
    with pytest.raises(TypeError, match="not iterable"):
        list(model)  # type: ignore[call-overload]


def test_a_layer_is_replaced_and_all_else_stays() -> None:
    model = small().freeze("0.*", "2.*")
    after = model.replace_layer("2", nn.Linear(5, 7), seed=3)
    assert after.output == tm.Spec(("N", 7)) and after.frozen == {"0.weight", "0.bias"}
    for name in ("0.weight", "0.bias", "1.0.weight", "1.0.bias"):
        assert after.params[name] is model.params[name]
    assert same(after.params["2.weight"], nn.build(after.layer, ("N", 4), 3).params["2.weight"])
    inner = model.replace_layer("1.1", nn.Sequential(nn.ReLU(), nn.BatchNorm1d(5)))
    assert (
        "1.1.1.running_mean" in inner.buffers
        and inner.params["1.0.bias"] is model.params["1.0.bias"]
    )
    assert model.layer == small().layer


def test_a_replaced_part_of_a_block_is_saved_as_what_it_is(tmp_path: Path) -> None:
    block = nn.build(nn.BasicBlock(2, 2), ("N", 2, 4, 4))
    after = block.replace_layer("act", nn.Tanh())
    again = tm.load(tm.save(after, tmp_path))
    x = RNG.standard_normal((1, 2, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(again(x), after(x), rtol=1e-6, atol=1e-6)
    stack = nn.build(nn.Repeat(nn.Sequential(nn.Linear(4, 4), nn.Tanh()), 6), ("N", 4))
    other = stack.replace_layer("3.1", nn.ReLU())
    h = X
    for i in range(6):
        h = other[i](h)
    np.testing.assert_allclose(other(X), h, rtol=1e-5, atol=1e-6)
    loaded = tm.load(tm.save(other, tmp_path / "stack"))
    np.testing.assert_allclose(loaded(X), h, rtol=1e-5, atol=1e-6)


def test_a_shared_layer_is_replaced_where_it_is_kept() -> None:
    shared = nn.share(nn.Sequential(nn.Linear(3, 3), nn.ReLU()))
    model = nn.build(nn.Sequential(shared, shared, nn.Linear(3, 2)), ("N", 3))
    whole = model.replace_layer("0.1", nn.Tanh())
    assert same(whole.params["0.0.weight"], model.params["0.0.weight"])
    assert isinstance(whole.layer, nn.Sequential) and whole.layer[0] is whole.layer[1]
    apart = model.replace_layer(0, nn.Linear(3, 3))
    assert apart.params["1.0.weight"] is model.params["0.0.weight"]
    with pytest.raises(LayerError, match="The layer at '1' shares with one before it"):
        model.replace_layer("1.1", nn.Tanh())


def test_a_layer_that_does_not_fit_in_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"Linear\(5 -> 3\) takes \(\*batch, 5\), got \(N, 6\)"):
        small().replace_layer("1", nn.Linear(5, 6))
    with pytest.raises(PathError, match="replace_layer takes the path of a layer below, got '7'"):
        small().replace_layer("7", nn.ReLU())
    with pytest.raises(LayerError, match="replace_layer takes a layer, got 'relu'"):
        small().replace_layer("1", "relu")  # type: ignore[arg-type]


def test_inner_values_come_out_in_every_meaning() -> None:
    model = small()
    watched = model.with_outputs("0", "1.1")
    h = model[0](X)
    y, inner = watched(X)
    assert same(y, model(X)) and list(inner) == ["0", "1.1"]
    np.testing.assert_allclose(inner["0"], h, rtol=1e-6)
    np.testing.assert_allclose(inner["1.1"], model[1](h), rtol=1e-6)
    grads = jax.grad(lambda p: watched.apply(p, X)[1]["1.1"].sum())(dict(watched.params))
    assert float(jnp.abs(grads["2.weight"]).max()) == 0 < float(jnp.abs(grads["0.weight"]).max())
    _, captured = graph_values(tm.capture(watched))
    np.testing.assert_allclose(captured["1.1"], inner["1.1"], rtol=1e-6)
    exact = tm.evaluate(
        model.replace_layer("1.1", nn.ReLU()).with_outputs("0"), X[:1], dtype="rational"
    )
    np.testing.assert_allclose(exact[1]["0"].to_float(), h[:1], rtol=1e-5, atol=1e-6)


def graph_values(graph: Any) -> Any:
    return tm.GraphModel(graph)(X)


def test_inner_values_that_are_not_there() -> None:
    with pytest.raises(PathError, match="with_outputs takes the path of a layer below, got '9'"):
        small().with_outputs("9")
    stack = nn.build(nn.Repeat(nn.Linear(4, 4), 6), ("N", 4))
    with pytest.raises(LayerError, match="takes paths of layers that forward calls, got '2'"):
        stack.with_outputs("2")

    class Rows(nn.Layer):
        inner: nn.Linear

        def forward(self, x: Any) -> Any:
            return jax.vmap(self.inner)(x)

    with pytest.raises(LayerError, match=r"the output of Linear.* is kept inside a JAX transform"):
        nn.build(Rows(nn.Linear(4, 4)), ("N", 4)).with_outputs("inner")


def test_a_state_dict_says_all_that_does_not_fit() -> None:
    model, state = small(), dict(small().state_dict())
    bad = {**state, "0.bias": np.ones(2, np.float32), "2.weight": np.ones((3, 4), np.float32)}
    with pytest.raises(ShapeError, match=r"0.bias takes \(5,\), got \(2,\)") as caught:
        model.load_state_dict(bad)
    assert caught.value.because == "2.weight takes (3, 5), got (3, 4)"
    bad["2.bais"] = bad.pop("2.bias")
    with pytest.raises(PathError) as missing:
        model.load_state_dict(bad)
    for words in ("2.bias is missing (nearest: 2.bais)", "0.bias takes (5,)", "2.weight takes"):
        assert words in missing.value.because
    with pytest.warns(UserWarning, match="5 of 6 arrays are loaded; 2.bias is missing"):
        model.load_state_dict({n: a for n, a in state.items() if n != "2.bias"}, strict=False)
    with pytest.raises(PathError, match="takes 6 arrays, got 1 that do not match by name"):
        model.load_state_dict({"colour": np.ones(2)}, strict=False)


def test_the_table_says_what_is_trained() -> None:
    model = small().freeze("0.*", "2.bias")
    lines = model.summary(100).splitlines()
    assert "25 (frozen)" in lines[3] and "18 (3 frozen)" in lines[7]
    assert lines[-2].split() == ["total", "73"] and lines[-1].split() == [
        "trained",
        "45",
        "(61.6%)",
    ]
    assert "<th>45 (61.6%)</th>" in model._repr_html_()
    assert "trained  45 (61.6%)" in model.summary(30)


COUNTED: list[tuple[nn.Layer, Any, str]] = [
    (nn.Linear(5, 3), ("N", 5), "33*N"),  # 2*5*3 and the bias
    (nn.Conv2d(2, 3, 3, padding=1), ("N", 2, 4, 5), "2340*N"),  # 60 of 2*2*9; a bias by ones
    (nn.Conv2d(4, 6, 3, groups=2, bias=False), ("N", 4, 5, 5), "1944*N"),
    (nn.Conv1d(2, 3, 2, bias=False), ("N", 2, 5), "96*N"),
    (nn.ConvTranspose2d(2, 3, 2, 2, bias=False), ("N", 2, 3, 4), "576*N"),
    (nn.MaxPool2d(2), ("N", 3, "2*H", 4), "24*H*N"),
    (nn.ReLU(), ("N", "T", 4), "4*N*T"),
    (nn.Flatten(), ("N", 3, 4), "0"),
    (nn.Repeat(nn.Linear(3, 3), 6), ("N", 3), "126*N"),  # a loop: 6 times 2*3*3 and the bias
    (nn.RNN(3, 4, bias=False, returns="last"), ("N", "T", 3), "64*N*T"),  # 24 + 32, add, tanh
    (nn.Embedding(5, 3), tm.Spec(("N",), "int32"), "0"),
]


@pytest.mark.parametrize(("layer", "given", "flops"), COUNTED, ids=lambda v: str(v)[:25])
def test_operations_are_those_of_a_count_by_hand(layer: nn.Layer, given: Any, flops: str) -> None:
    assert str(nn.build(layer, given).table[0].flops) == flops


@pytest.mark.parametrize(
    ("twin", "shape"),
    [
        ("Linear(5, 3, bias=False)", (4, 5)),
        ("Conv2d(4, 6, (3, 2), (2, 1), 1, 1, 2, bias=False)", (2, 4, 7, 6)),
        ("Conv3d(2, 3, 2, bias=False)", (2, 2, 3, 4, 3)),
        ("ConvTranspose1d(4, 3, 4, 2, 1, bias=False)", (2, 4, 5)),
        ("Sequential(Linear(3, 3, False), Linear(3, 2, False), Flatten())", (2, 4, 3)),
    ],
)
def test_operations_are_those_that_torch_counts(twin: str, shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        eval(twin, vars(torch.nn))(torch.ones(shape))
    ours = nn.build(eval(twin, vars(nn)), shape).table[0]
    assert ours.flops == counter.get_total_flops()


def test_costs_are_those_of_the_layers_below_and_sum() -> None:
    table = {info.path: info for info in small().table}
    assert table[""].flops == table["0"].flops + table["1"].flops + table["2"].flops
    assert str(table["1"].flops) == "60*N" and str(table["1"].activations) == "40*N"
    assert str(table[""].activations) == "72*N"
