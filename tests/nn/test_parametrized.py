"""Weights that are functions of what is trained: how they start, load, and what is refused."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from tensorem import data, nn, optim, train
from tensorem.errors import ArgumentError, LayerError, PathError, ShapeError


def test_a_normalised_layer_starts_as_the_layer_itself() -> None:
    x = np.ones((2, 1, 4, 4), np.float32)
    plain = nn.build(nn.Conv2d(1, 3, 2), input=("N", 1, 4, 4))
    for dim in (0, 1, None):
        model = nn.build(nn.WeightNorm(nn.Conv2d(1, 3, 2), dim=dim), input=("N", 1, 4, 4))
        v = model.params["parametrizations.weight.original1"]
        expected = plain.replace(params={"weight": v, "bias": model.params["bias"]})
        np.testing.assert_allclose(model(x), expected(x), rtol=1e-6)
        assert sum(row.parameters for row in model.table) == sum(
            p.size for p in model.params.values()
        )


def test_the_spectral_norm_comes_near_the_largest_singular_value() -> None:
    model = nn.build(nn.SpectralNorm(nn.Linear(4, 3, bias=False)), input=("N", 4))
    w = model.params["parametrizations.weight.original"]
    largest = np.linalg.svd(w, compute_uv=False)[0]
    np.testing.assert_allclose(model(np.eye(4, dtype=np.float32)).T, w / largest, rtol=1e-3)


@pytest.mark.parametrize("wrapper", [nn.WeightNorm, nn.SpectralNorm])
def test_a_normalised_layer_trains_within_others(wrapper: Any) -> None:
    layer = nn.Sequential(nn.Checkpoint(wrapper(nn.Linear(4, 8))), nn.ReLU(), nn.Linear(8, 3))
    model, iris = nn.build(layer, input=("N", 4)), data.iris()
    run = train.fit(model, iris.train, optimizer=optim.adam(0.05), epochs=5, progress="none")
    assert run.history[-1]["loss"] < run.history[0]["loss"] / 2
    assert run.model.load_state_dict(run.model.state_dict()).params.keys() == model.params.keys()


class Halved(nn.Layer):
    """A weight that is supplied, as `names` say."""

    inner: nn.Layer
    names: tuple[str, ...] = ("inner.weight",)
    shape: tuple[int, ...] = (2, 3)

    def parameters(self) -> dict[str, nn.Parameter]:
        return {"half": nn.Parameter(self.shape, nn.init.ones())}

    def supplies(self) -> tuple[str, ...]:
        return self.names

    def forward(self, x: jax.Array) -> Any:
        nn.supply(self.inner, weight=self.half * 2)
        return self.inner(x)


def test_what_is_supplied_is_checked() -> None:
    with pytest.raises(PathError, match=r"supplies 'inner.wight', which is no parameter in it"):
        nn.build(Halved(nn.Linear(3, 2), ("inner.wight",)), input=("N", 3))
    with pytest.raises(LayerError, match="names that supplies says, got 'weight'"):
        nn.build(Halved(nn.Linear(3, 2), ()), input=("N", 3))
    with pytest.raises(ShapeError, match=r"The weight of Linear.* takes \(2, 3\), got \(3, 2\)"):
        nn.build(Halved(nn.Linear(3, 2), shape=(3, 2)), input=("N", 3))
    with pytest.raises(LayerError, match="supply takes a sub-layer"):
        nn.supply(nn.Linear(3, 2), weight=jax.numpy.ones((2, 3)))


def test_what_cannot_be_normalised_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"a parameter of Linear\(3 -> 2\), got 'wight'"):
        nn.WeightNorm(nn.Linear(3, 2), "wight")
    with pytest.raises(ArgumentError, match=r"takes dim from -2 to 1, got 2\."):
        nn.WeightNorm(nn.Linear(3, 2), dim=2)
    with pytest.raises(ArgumentError, match=r"got 1 axes and 0\."):
        nn.SpectralNorm(nn.Linear(3, 2), "bias")
    with pytest.raises(ArgumentError, match="n_power_iterations"):
        nn.SpectralNorm(nn.Linear(3, 2), n_power_iterations=0)
