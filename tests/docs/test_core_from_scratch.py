"""The core from scratch says what tensorem says of the same model, and what it proves is so."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tensorem as tm
from tensorem import nn, verify

FILE = Path(__file__).parents[2] / "docs" / "core_from_scratch.py"
PATHS = {"0": "0", "1": "2.inner.0", "2": "3"}


@pytest.fixture(scope="module")
def core() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(FILE)))


@pytest.fixture(scope="module")
def model(core: SimpleNamespace) -> nn.Model:
    inner = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
    layer = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Residual(inner), nn.Linear(6, 2))
    state = {f"{PATHS[name[0]]}.{name[2:]}": array for name, array in core.weights.items()}
    return nn.build(layer, input=("N", 2)).load_state_dict(state)


def test_it_prints_what_it_finds(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(FILE), run_name="__main__")
    assert capsys.readouterr().out.splitlines()[-1].endswith("proved")


def test_it_captures_the_same_graph(core: SimpleNamespace, model: nn.Model) -> None:
    graph = tm.capture(model)
    assert [node.op for node in core.graph.nodes] == [node.op for node in graph.nodes]
    assert core.shape == model.output.shape[1:]


def test_its_exact_value_is_the_same_fraction(core: SimpleNamespace, model: nn.Model) -> None:
    exact = tm.evaluate(model, core.x[None], dtype="rational")
    assert exact.fractions()[0].tolist() == core.q.tolist()
    np.testing.assert_allclose(core.y, core.q.astype(float), rtol=1e-5)


def test_its_bounds_are_those_of_the_prover(core: SimpleNamespace, model: nn.Model) -> None:
    prover, label = verify.Prover.of(model), int(core.y.argmax())
    for margin, method in ((core.loose, "ibp"), (core.tight, "crown")):
        found = prover.margins(core.x[None], [label], "0.1", method=method)
        np.testing.assert_allclose(found[0], float(margin), rtol=1e-5)
    assert core.loose < 0 < core.tight


def test_its_bounds_hold(core: SimpleNamespace) -> None:
    label = int(core.y.argmax())
    points = core.x + np.random.default_rng(0).uniform(-0.1, 0.1, (500, 2))
    outputs = np.array([core.model(x, core.weights) for x in points])
    assert (outputs[:, label] - outputs[:, 1 - label]).min() >= float(core.tight)


def test_a_shape_that_does_not_fit_is_an_error(core: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match=r"linear takes \(2,\), got \(3,\)\."):
        core.read(core.graph, "shape", (3,), np.shape)
