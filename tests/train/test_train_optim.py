"""Training by groups, with frozen parts, by what optax makes, and by schedules of every length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import optax
import pytest
from small import EPOCHS, STEPS, fit, mlp, rows

from tensorem import data, nn, optim, train
from tensorem.errors import ArgumentError, ResumeError

GROUPS = optim.chain(
    optim.clip_grad_norm(1.0),
    optim.groups({"0.*": None, "*.bias": optim.sgd(0.5), "*": optim.adam(1e-2)}),
)


def changed(before: Any, after: Any) -> set[str]:
    return {k for k in before if not np.array_equal(before[k], after[k])}


@pytest.mark.parametrize("backend", ["compiled", "eager"])
def test_groups_move_and_frozen_parts_stay(backend: train.Backend) -> None:
    model = mlp()
    run = fit(model, optimizer=GROUPS, backend=backend)
    frozen = optim.frozen_of(GROUPS, model.params)
    assert frozen and changed(model.params, run.model.params) == model.params.keys() - frozen
    assert run.history[-1]["lr[*.bias]"] == 0.5 and "lr" not in run.history[-1]
    assert "lr[" not in repr(run)


def test_a_pattern_without_a_parameter_is_said_before_training() -> None:
    with pytest.raises(ArgumentError, match=r"got 'backbone\.\*' with none\.\n  help: near: "):
        fit(mlp(), optimizer=optim.groups({"backbone.*": None, "*": optim.sgd()}))
    with pytest.raises(ArgumentError, match="got one whose 4 parameters are all frozen"):
        fit(mlp(), optimizer=optim.groups({"*": None}))


def test_a_schedule_of_the_whole_run_is_resumed_bit_for_bit(tmp_path: Path) -> None:
    rate = optim.warmup_lr(optim.cosine_lr(0.1), optim.epochs(1))
    whole = fit(mlp(), optimizer=optim.sgd(rate))
    assert [row["lr"] for row in whole.history][:1] == pytest.approx(
        [0.1 * (STEPS // EPOCHS - 1) * EPOCHS / STEPS]
    )

    def stop(event: object) -> None:
        raise RuntimeError

    with pytest.raises(train.CallbackError):
        callbacks = train.on_epoch_end(stop)
        fit(mlp(), tmp_path / "run", optimizer=optim.sgd(rate), callbacks=callbacks)
    again = train.resume(tmp_path / "run", mlp(), rows(mlp()), progress="none")
    assert not changed(whole.model.params, again.model.params)
    assert again.history == whole.history


def test_what_optax_makes_trains_and_is_asked_for_again(tmp_path: Path) -> None:
    ours, theirs = fit(mlp(), optimizer=optim.adam(1e-2)), fit(mlp(), optimizer=optax.adam(1e-2))
    assert not changed(ours.model.params, theirs.model.params)
    assert "lr" not in theirs.history[-1]
    rate = optax.cosine_decay_schedule(1e-2, STEPS, alpha=0.1)
    scheduled = fit(mlp(), tmp_path / "run", optimizer=optim.adam(rate))
    assert scheduled.history[-1]["lr"] < 1e-2
    with pytest.raises(
        ResumeError, match=r"takes its optimizer again, got none\.\n  because: a run"
    ):
        train.resume(tmp_path / "run", mlp(), rows(mlp()))
    with pytest.raises(ResumeError, match=r"The run takes the optimizer .*, got .*'sgd'"):
        train.resume(tmp_path / "run", mlp(), rows(mlp()), optimizer=optim.sgd())
    given: Any = {"optimizer": optim.adam(rate), "epochs": EPOCHS + 1, "progress": "none"}
    run = train.resume(tmp_path / "run", mlp(), rows(mlp()), **given)
    assert len(run.history) == EPOCHS + 1


def test_a_schedule_that_is_over_before_the_run_is_an_error() -> None:
    model, iris = nn.build(nn.Linear(4, 3), input=("N", 4)), data.iris().train
    short = {"optimizer": optim.sgd(optim.cosine_lr(0.1, 3)), "epochs": 2, "progress": "none"}
    with pytest.raises(ArgumentError, match=r"lr takes a schedule as long as the run, 8 steps"):
        train.fit(model, iris, **short)  # type: ignore[arg-type]
    held = optim.sgd(optim.cosine_lr(0.1, 3, min_lr=0.01))
    train.fit(model, iris, optimizer=held, epochs=2, progress="none")
    train.fit(model, iris, optimizer=optim.sgd(optim.cosine_lr(0.1)), epochs=2, progress="none")
