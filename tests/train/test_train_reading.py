"""A run reads code and values as they are when it begins; nothing that was compiled is stale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorem import nn, optim, train
from tensorem.errors import ResumeError

WEIGHT = 1.0
X, Y = np.ones((4, 1), np.float32), np.zeros((4, 1), np.float32)
SGD = optim.sgd(0.125)


class Scaled(nn.Layer):
    inner: nn.Linear
    factor = 1.0

    def forward(self, x: Any) -> Any:
        return self.inner(x) * (self.factor if self.training else 1.0)


def weighted(output: Any, target: Any) -> tuple[Any, Any]:
    return WEIGHT * (output - target).sum(), np.float32(len(target))


@dataclass(frozen=True, repr=False)
class OwnRate(optim.Schedule):
    def function(self) -> Any:
        return lambda step: WEIGHT / 8


def model() -> nn.Model:
    return nn.build(Scaled(nn.Linear(1, 1, bias=False)), input=("N", 1))


def moved(**plan: Any) -> float:
    """How far one epoch of one step moves the weight."""
    start = plan.pop("model", None) or model()
    given = {"loss": weighted, "optimizer": SGD, "batch_size": 4, "progress": "none"} | plan
    run = train.fit(start, (X, Y), epochs=1, **given)
    return float((start.params["inner.weight"] - run.model.params["inner.weight"])[0, 0])


@pytest.mark.parametrize("backend", ["compiled", "eager"])
def test_a_run_reads_its_loss_its_layers_and_its_optimizer_anew(
    backend: train.Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, own = model(), optim.sgd(OwnRate("constant", (("lr", 0.125),)))
    assert moved(backend=backend) == moved(backend=backend) == pytest.approx(0.125)
    assert moved(backend=backend, optimizer=own) == pytest.approx(0.125)
    with monkeypatch.context() as patch:
        patch.setitem(globals(), "WEIGHT", 2.0)
        assert moved(backend=backend) == pytest.approx(0.25)
        assert moved(backend=backend, optimizer=own) == pytest.approx(0.5)
    monkeypatch.setattr(Scaled, "factor", 4.0)
    assert moved(backend=backend) == moved(model=built, backend=backend) == pytest.approx(0.5)


def test_a_model_that_was_changed_is_trained_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    old = model()
    weight, before = float(old.params["inner.weight"][0, 0]), float(old(X)[0, 0])
    monkeypatch.setattr(Scaled, "forward", lambda self, x: self.inner(x) * 3.0)
    run = train.fit(old, (X, Y), weighted, SGD, epochs=1, batch_size=4, progress="none")
    assert run.history[0]["loss"] == pytest.approx(3 * weight)
    assert float(run.model(X)[0, 0]) == pytest.approx(3 * (weight - 3 / 8))
    assert float(old(X)[0, 0]) == before


def test_scores_are_read_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    built = model()
    data = X, Y
    once = train.evaluate(built, data, "mse", (weighted,))
    assert train.evaluate(built, data, "mse", (weighted,)) == once
    monkeypatch.setitem(globals(), "WEIGHT", 2.0)
    assert train.evaluate(built, data, "mse", (weighted,))["weighted"] == 2 * once["weighted"]


def test_a_run_is_not_resumed_with_another_forward(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"loss": weighted, "progress": "none"}
    train.fit(model(), (X, Y), epochs=1, path=tmp_path / "run", **given)
    again = tmp_path / "run", model(), (X, Y)
    assert train.resume(*again, epochs=2, **given).finished
    monkeypatch.setattr(Scaled, "forward", lambda self, x: self.inner(x) * 3.0)
    with pytest.raises(ResumeError, match="takes the program of its model again, got another"):
        train.resume(*again, epochs=3, **given)
    assert train.resume(*again, epochs=3, anyway=True, **given).finished


def test_equal_runs_share_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    from tensorem.train import _runner

    make = _runner.make_chunk
    monkeypatch.setattr(_runner, "make_chunk", lambda step: compiled.append(step) or make(step))
    x, y = np.ones((5, 2, 2), np.float32), np.zeros(5, np.int32)
    layer = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Dropout(0.25), nn.Linear(3, 2))
    for _ in range(3):
        net = nn.build(layer, input=("N", 2, 2))
        train.fit(net, (x, y), epochs=2, batch_size=3, progress="none")
    assert len(compiled) == 2  # for batches of three, and for the last one of two


READ: list[bool] = []


class Counted(nn.Layer):
    inner: nn.Linear

    def forward(self, x: Any) -> Any:
        READ.append(True)
        return self.inner(x)


def test_a_run_of_a_net_that_was_trained_before_reads_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = nn.build(Counted(nn.Linear(1, 1, bias=False)), input=("N", 1))
    once = moved(model=net, loss="mse")
    READ.clear()
    assert moved(model=net, loss="mse") == once
    assert len(READ) == 1  # nothing in it asks whether this is training: one reading says both
    weight = float(net.params["inner.weight"][0, 0])
    factor = {True: 4.0, False: 1.0}
    asking = lambda self, x: self.inner(x) * factor[self.training]  # noqa: E731
    monkeypatch.setattr(Counted, "forward", asking)  # an evaluation says the same still
    assert once == pytest.approx(weight / 4)
    assert moved(model=net, loss="mse") == pytest.approx(4 * weight)
