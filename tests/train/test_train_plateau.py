"""A rate that falls on a plateau: PyTorch's rule, and the same bytes after a resume."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from small import EPOCHS, fit, mlp, resume, state_of

from tensorem import optim, train
from tensorem.errors import ArgumentError

RULE = optim.scaled(optim.sgd(0.1, momentum=0.9))
FALLING = train.ReduceLROnPlateau("loss", factor=0.5, patience=0, threshold=0.99, cooldown=1)
NAMES = ("loss", "lr", "epoch", "step")


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"patience": 0, "factor": 0.5, "min_lr": 0.02},
        {"patience": 1, "cooldown": 2, "threshold": 0.1},
        {"patience": 0, "factor": 0.3, "eps": 0.02},
    ],
)
def test_the_rate_is_that_of_pytorch(mode: Any, threshold_mode: Any, given: Any) -> None:
    torch = pytest.importorskip("torch")
    rule = {"patience": 3, "mode": mode, "threshold_mode": threshold_mode, **given}
    values = np.random.default_rng(0).normal(1.0, 0.2, 40).cumsum() / np.arange(1, 41)
    values[7] = math.nan
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **rule)
    state: Any = train.State({}, {}, RULE.transform().init({}), jnp.zeros(()), jnp.ones(2))
    ours, lr = train.ReduceLROnPlateau("loss", **rule), 0.1
    memory = ours.init(state, NAMES)
    for epoch, value in enumerate(values, 1):
        row = {"loss": None if math.isnan(value) else value, "lr": lr}
        answer = ours.update(memory, train.EpochEvent(epoch, epoch, row, None))  # type: ignore[arg-type]
        memory = answer.memory if isinstance(answer, train.Rescale) else answer
        lr *= answer.factor if isinstance(answer, train.Rescale) else 1.0
        schedule.step(float(value))
        assert lr == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-12)


def test_a_scaled_run_is_that_of_the_schedule_with_these_rates() -> None:
    run = fit(mlp(), optimizer=RULE, callbacks=FALLING, epochs=5)
    rates = [row["lr"] for row in run.history]
    assert rates == [0.1, 0.1, 0.05, 0.05, 0.025]
    lr = optim.multi_step_lr(0.1, (6, 12), gamma=0.5)
    other = fit(mlp(), optimizer=optim.sgd(lr, momentum=0.9), epochs=5)
    for name, array in run.model.params.items():
        expected = np.asarray(other.model.params[name])
        assert np.asarray(array) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_the_scale_is_resumed_bit_for_bit(tmp_path: Path) -> None:
    fit(mlp(), tmp_path / "whole", optimizer=RULE, callbacks=FALLING, epochs=5)
    fit(mlp(), tmp_path / "parts", optimizer=RULE, callbacks=FALLING, epochs=EPOCHS)
    run = resume(tmp_path / "parts", mlp(), epochs=5)
    assert state_of(tmp_path / "parts") == state_of(tmp_path / "whole")
    assert run.history[-1]["lr"] == 0.025


class Telling:
    """A callback that scales the steps at a moment."""

    name = "telling"

    def __init__(self, when: str, factor: float = 0.5) -> None:
        self.when, self.factor = when, factor

    def init(self, state: train.State, names: tuple[str, ...]) -> Any:
        return ()

    def update(self, memory: Any, event: Any) -> train.Rescale:
        return train.Rescale(self.factor)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"callbacks": FALLING}, "plateau takes an optimizer whose steps have a scale"),
        ({"callbacks": Telling("epoch")}, "telling takes an optimizer whose steps have a scale"),
        ({"callbacks": Telling("step"), "optimizer": RULE}, 'takes a Rescale at "epoch" only'),
        ({"callbacks": Telling("epoch", -1.0), "optimizer": RULE}, "telling takes factor as"),
        (
            {"callbacks": train.ReduceLROnPlateau(), "optimizer": RULE},
            "takes monitor of loss, accuracy",
        ),
    ],
)
def test_a_scale_that_is_not_there_is_said(given: Any, words: str) -> None:
    with pytest.raises((ArgumentError, train.CallbackError), match=words):
        fit(mlp(), **given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"factor": 1.0}, "takes factor below 1, got 1.0"),
        ({"patience": -1}, "takes patience as an integer of at least 0"),
        ({"cooldown": -1}, "takes cooldown as an integer of at least 0"),
        ({"threshold_mode": "part"}, "takes threshold_mode as one of rel, abs"),
        ({"min_lr": -1.0}, "takes min_lr as"),
        ({"mode": "best"}, "takes mode of min, max"),
    ],
)
def test_wrong_settings_are_refused(given: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        train.ReduceLROnPlateau(**given)


def test_min_lr_takes_one_rate() -> None:
    groups = optim.groups({"0.*": optim.sgd(0.1), "*": optim.sgd(0.2)})
    plateau = train.ReduceLROnPlateau("loss", min_lr=0.01)
    with pytest.raises(ArgumentError, match="min_lr with one learning rate, got 2"):
        fit(mlp(), optimizer=optim.scaled(groups), callbacks=plateau)
    run = fit(mlp(), optimizer=optim.scaled(groups), callbacks=FALLING)
    assert run.history[-1]["lr[0.*]"] == 0.05
    assert run.history[-1]["lr[*]"] == 0.1
