"""Chains, names, branches side by side, and sizes that come from the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorem as tm
from tensorem import nn
from tensorem.errors import LayerError, PathError, ShapeError

X = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)


def named() -> nn.Sequential:
    return nn.Sequential({"a": nn.Linear(4, 8), "act": nn.ReLU(), "b": nn.Linear(8, 3)})


def test_a_chain_is_one_sequential() -> None:
    a, b, c = nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)
    assert (a >> b) >> c == a >> (b >> c) == nn.Sequential(a, b, c)
    first = nn.Input(4) >> a >> b
    assert first == nn.Sequential(nn.Input(4), a, b) and nn.build(first).output.shape[1] == 8
    assert nn.Sequential(nn.Input(4), a) >> b == first
    assert "0.a.weight" in nn.build(named() >> nn.ReLU(), ("N", 4)).params
    with pytest.raises(
        ShapeError, match=r"Linear\(8 -> 3\) takes \(\*batch, 8\), got \(\.\.\., 7\)"
    ):
        nn.Linear(4, 7) >> c
    with pytest.raises(LayerError, match=r"write nn\.ReLU"):
        _ = a >> nn.ReLU  # type: ignore[operator]


def test_names_take_the_place_of_numbers(tmp_path: Path) -> None:
    model = nn.build(named(), ("N", 4))
    plain = nn.build(nn.Sequential(*named()), ("N", 4))
    state = {n.replace("a.", "0.").replace("b.", "2."): a for n, a in model.params.items()}
    np.testing.assert_array_equal(plain.load_state_dict(state)(X), model(X))
    assert list(model.params) == ["a.weight", "a.bias", "b.weight", "b.bias"]
    loaded = tm.load(tm.save(model, tmp_path))
    assert isinstance(loaded, nn.Model) and loaded.layer == model.layer
    whole = nn.Sequential({"in": nn.Input(4), "a": nn.Linear(4, 3)})
    assert eval(repr(whole), vars(nn)) == whole and nn.build(whole).output.shape[1] == 3


def test_parts_by_name_place_and_slice() -> None:
    layers = named()
    assert layers["act"] == layers[1] == nn.ReLU() and len(layers) == 3
    assert layers[:"b"] == layers[:2] == nn.Sequential({"a": layers["a"], "act": nn.ReLU()})  # type: ignore[misc]
    assert layers["act":] == layers[1:]  # type: ignore[misc]
    with pytest.raises(PathError, match="has the layers a, act, b, got 'c'"):
        layers["c"]
    with pytest.raises(ShapeError) as caught:
        nn.Sequential({"a": nn.Linear(4, 8), "b": nn.Linear(7, 3)})
    assert caught.value.where.startswith("Sequential.b, after Sequential.a")


@pytest.mark.parametrize("name", ["a.b", "", 3, "a b"])
def test_a_name_is_one_step_of_a_path(name: Any) -> None:
    with pytest.raises(LayerError, match="takes names of letters, digits and _"):
        nn.Sequential({name: nn.ReLU()})


def test_branches_side_by_side() -> None:
    a, b = nn.Linear(4, 2), nn.Linear(4, 3)
    on_one = nn.build(nn.Parallel(a, b), ("N", 4))
    y, z = on_one(X)
    np.testing.assert_allclose(y, on_one["0"](X), rtol=1e-6)
    np.testing.assert_allclose(z, on_one["1"](X), rtol=1e-6)
    chain = nn.build(nn.Parallel(a, b) >> nn.Parallel(nn.ReLU(), nn.Tanh()), ("N", 4))
    p, q = chain.load_state_dict({f"0.{n}": v for n, v in on_one.params.items()})(X)
    np.testing.assert_allclose(p, np.maximum(y, 0), rtol=1e-6)
    np.testing.assert_allclose(q, np.tanh(z), rtol=1e-5)
    with pytest.raises(ShapeError, match="Parallel takes 1 input, or 2 for its layers, got 3"):
        nn.build(nn.Parallel(a, b), (("N", 4),) * 3)
    with pytest.raises(LayerError, match="Parallel takes layers, got none"):
        nn.Parallel()
    with pytest.raises(LayerError, match="Parallel takes layers, got 3"):
        nn.Parallel(a, 3)  # type: ignore[arg-type]


class Scale(nn.Layer):
    size: int | None = None

    def sized(self, x: Any) -> nn.Layer:
        return self if self.size else replace(self, size=x[-1])

    def parameters(self) -> dict[str, nn.Parameter | None]:
        return {"s": nn.Parameter((self.size,), nn.init.ones())} if self.size else {}

    def forward(self, x: Any) -> Any:
        return x * self.s


def test_a_size_comes_from_the_data() -> None:
    layer = nn.LazyConv2d(4, 3) >> nn.ReLU() >> nn.Flatten() >> Scale() >> nn.LazyLinear(2)
    model = nn.build(layer, ("N", 1, 5, 6), seed=2)
    wanted = nn.Conv2d(1, 4, 3) >> nn.ReLU() >> nn.Flatten() >> Scale(48) >> nn.Linear(48, 2)
    assert model.layer == wanted
    for name, array in nn.build(wanted, ("N", 1, 5, 6), seed=2).params.items():
        np.testing.assert_array_equal(model.params[name], array)


def test_sizes_within_what_carries_shares_and_replaces() -> None:
    stack = nn.build(nn.Repeat(nn.LazyLinear(4) >> nn.Tanh(), 6), ("N", 4))
    assert stack.layer == nn.Repeat(nn.Linear(4, 4) >> nn.Tanh(), 6)
    shared = nn.share(nn.LazyLinear(4))
    twice = nn.build(nn.Sequential(shared, nn.MapBatch(nn.LazyLinear(4)), shared), ("N", 4))
    assert list(twice.params) == ["0.weight", "0.bias", "1.inner.weight", "1.inner.bias"]
    after = twice.replace_layer("1", nn.LazyLinear(4) >> Scale())
    assert list(after.params)[2:] == ["1.0.weight", "1.0.bias", "1.1.s"]


def test_sizes_that_do_not_come() -> None:
    with pytest.raises(
        ShapeError, match=r"LazyLinear\(3\) takes \(\*batch, in_features\) with a num"
    ):
        nn.build(nn.LazyLinear(3), ("N", "T"))
    with pytest.raises(ShapeError, match=r"takes \(N, in_channels, H, W\) with a number there"):
        nn.build(nn.LazyConv2d(3, 2), (4, 4))
    with pytest.raises(LayerError, match=r"LazyLinear\(3\) has no size yet"):
        nn.LazyLinear(3).forward(X)

    class Never(nn.Layer):
        def sized(self, x: Any) -> nn.Layer:
            return Never()

    with pytest.raises(LayerError, match="sized of Never takes shapes and gives a layer with its"):
        nn.build(Never(), ("N",))
