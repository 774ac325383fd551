"""Callbacks: what they remember is part of the run, what they answer may end it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from small import ADAM, BATCH, EPOCHS, STEPS, cnn, fit, log_of, mlp, resume, rows, state_of

from tensorem import train
from tensorem.errors import ArgumentError, LayerError, PathError, ResumeError

HELD = rows(mlp(), 9)


@dataclass(frozen=True)
class Norms:
    """The greatest loss of a step, within the step: a callback of a user's own."""

    name: str = "norms"
    when: train.When = "update"

    def init(self, state: train.State, names: tuple[str, ...]) -> Any:
        return {"loss": jnp.zeros(())}

    def update(self, memory: Any, event: train.Updated) -> Any:
        return {"loss": jnp.maximum(memory["loss"], event.scores["loss"])}


ALL: tuple[Any, ...] = (
    train.EarlyStopping("val_loss", patience=2, min_delta=10.0),
    train.KeepBest("val_accuracy", mode="max"),
    train.EMA(0.9),
    train.SWA(start=2),
    Norms(),
)


def test_every_kind_of_memory_survives_a_stop_after_any_step(tmp_path: Path) -> None:
    whole = fit(cnn(), tmp_path / "whole", validation=rows(cnn()), callbacks=ALL)
    for step in (2, 3, 4, 8):

        def fail(run: train.Run, step: int = step) -> None:
            if run.step == step:
                raise OSError("the power went")

        path = tmp_path / str(step)
        given: Any = {"validation": rows(cnn()), "checkpoint_every": 1}
        with pytest.raises(train.CallbackError):
            fit(cnn(), path, callbacks=(*ALL, train.on_save(fail)), **given)
        run = resume(path, cnn(), validation=rows(cnn()), callbacks=Norms())
        assert state_of(path) == state_of(tmp_path / "whole")
        assert log_of(path) == log_of(tmp_path / "whole")
        assert run.stopped == whole.stopped


def test_an_average_is_that_of_torch(tmp_path: Path) -> None:
    seen: list[Any] = []
    keep = train.on_save(lambda run: seen.append(run.model.params["2.weight"]))
    run = fit(mlp(), tmp_path, checkpoint_every=1, callbacks=(train.EMA(0.75), keep))
    torch = pytest.importorskip("torch")
    linear = torch.nn.Linear(8, 3, bias=False)
    average = torch.optim.swa_utils.AveragedModel(
        linear, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.75)
    )
    for weight in seen[1:]:
        linear.weight.data = torch.tensor(np.asarray(weight))
        average.update_parameters(linear)
    kept = run.callback("ema").model.params["2.weight"]
    np.testing.assert_allclose(kept, average.module.weight.detach().numpy(), rtol=1e-6, atol=1e-7)
    assert int(run.callback("ema").memory["steps"]) == STEPS


def test_swa_is_the_mean_over_epochs_and_callbacks_change_no_bit() -> None:
    models: list[Any] = []
    keep = train.on_epoch_end(lambda event: models.append(event.run.model))
    run = fit(mlp(), callbacks=[train.SWA(start=2), (keep, train.EMA(0.5))])
    mean = np.mean([m.params["0.weight"] for m in models[1:]], axis=0)
    np.testing.assert_allclose(run.callback("swa").model.params["0.weight"], mean, rtol=1e-6)
    for name, value in fit(mlp()).model.params.items():
        np.testing.assert_array_equal(run.model.params[name], value)


def test_a_run_stops_when_patience_is_at_its_end_and_stays_stopped(tmp_path: Path) -> None:
    stop = train.EarlyStopping("val_loss", patience=2, min_delta=10.0)
    run = fit(mlp(), tmp_path, epochs=9, validation=HELD, callbacks=stop)
    assert run.finished and len(run.history) == 3
    assert run.stopped.startswith("val_loss was not better than ") and "2 epochs" in run.stopped
    again = resume(tmp_path, mlp(), validation=HELD)
    assert again.stopped == run.stopped and again.step == run.step
    more = resume(tmp_path, mlp(), validation=HELD, epochs=9)
    assert len(more.history) == 4  # one more epoch without a better value


def test_the_best_model_is_kept_whatever_ended_the_run() -> None:
    best = train.KeepBest("val_loss")

    def interrupt(event: train.EpochEvent) -> None:
        if event.epoch == 2:
            raise ValueError("no more")

    with pytest.raises(train.CallbackError) as caught:
        fit(mlp(), validation=HELD, callbacks=(best, train.on_epoch_end(interrupt)))
    assert caught.value.what == (
        "The callback interrupt takes its event without an error, got ValueError: no more"
    )
    assert isinstance(caught.value.__cause__, ValueError) and "in .run" in caught.value.help
    assert caught.value.run is not None
    kept = fit(mlp(), validation=HELD, callbacks=best)
    least = min(row["val_loss"] for row in kept.history)
    found = kept.callback("best")
    assert train.evaluate(found.model, HELD)["loss"] == least == found.memory["value"]
    assert kept.history[int(found.memory["epoch"]) - 1]["val_loss"] == least


def test_a_callback_that_raises_loses_no_epoch(tmp_path: Path) -> None:
    def fail(event: train.EpochEvent) -> None:
        if event.epoch == 2:
            raise ValueError("no more")

    fit(mlp(), tmp_path / "whole", callbacks=train.EMA())
    with pytest.raises(train.CallbackError, match=r"after step 6; saved"):
        fit(mlp(), tmp_path / "run", callbacks=(train.EMA(), train.on_epoch_end(fail)))
    resume(tmp_path / "run", mlp())
    assert state_of(tmp_path / "run") == state_of(tmp_path / "whole")
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")


def test_moments_come_in_one_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    told = (
        train.on_train_end(lambda run: seen.append(f"end {run.step}")),
        train.on_epoch_end(lambda event: seen.append(f"epoch {event.epoch} {event.steps}")),
        train.on_step(lambda event: seen.append(f"step {event.epoch}:{event.step}")),
        train.on_train_start(lambda run: seen.append(f"start {run.step}")),
        train.log_loss_every(3),
    )
    run = fit(mlp(), tmp_path, callbacks=told)
    expected = ["start 0"]
    for e in range(EPOCHS):
        expected += [f"step {e + 1}:{3 * e + i}" for i in (1, 2, 3)]
        expected += [f"epoch {e + 1} {3 * e + 3}"]
    assert seen == [*expected, f"end {STEPS}"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[0].startswith("step 1:3: loss=")
    assert run.callbacks == ()


def test_the_scores_of_steps_are_those_of_the_run() -> None:
    losses: list[float] = []
    run = fit(
        mlp(), epochs=1, batch_size=11, callbacks=train.on_step(lambda s: losses.append(s.loss))
    )
    assert run.history[0]["loss"] == pytest.approx(sum(losses) / 2, rel=1e-6)


def test_a_function_may_stop_the_run_at_the_end_of_its_epoch() -> None:
    def enough(event: train.StepEvent) -> train.Stop | None:
        return train.Stop("enough") if event.step == 2 else None

    run = fit(mlp(), callbacks=train.on_step(enough))
    assert (run.stopped, run.step, run.finished) == ("enough", 3, True)


@dataclass(frozen=True)
class Odd(Norms):
    """Callbacks that are wrong, each in its way."""

    kind: str = "form"

    def init(self, state: train.State, names: tuple[str, ...]) -> Any:
        return {"loss": np.zeros(())}

    def update(self, memory: Any, event: Any) -> Any:
        if self.kind == "raise":
            raise ValueError("no")
        return train.Stop("now") if self.kind == "stop" else {"loss": np.zeros(2)}


WRONG: dict[str, Any] = {
    "The callback odd takes a memory of one form, got another": Odd("odd", "epoch"),
    "odd takes no Stop within a compiled step": Odd("odd", kind="stop"),
    "odd takes its event without an error, got ValueError: no": Odd("odd", kind="raise"),
    "callbacks takes names that differ, got 'odd' twice": (Odd("odd", "epoch"), Odd("odd", "step")),
    "callbacks takes names that differ, got 'ema' twice": (train.EMA(), Odd("ema", "epoch")),
    "odd takes no memory at 'save', got one": Odd("odd", "save"),
    "odd takes when of update, start, .*, got 'never'": Odd("odd", "never"),  # type: ignore[arg-type]
    "at 'update' takes a value that can be hashed": Odd("odd", kind=[]),  # type: ignore[arg-type]
    "EarlyStopping takes monitor of loss, accuracy, ep.*, got 'val_loss'": train.EarlyStopping(),
    "KeepBest takes monitor of .*, got 'f1'": train.KeepBest("f1"),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_callback_is_said(words: str) -> None:
    with pytest.raises((ArgumentError, train.CallbackError), match=words):
        fit(mlp(), epochs=1, callbacks=WRONG[words])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: train.EarlyStopping(patience=-1), "EarlyStopping takes patience as an integer of"),
        (lambda: train.EarlyStopping(min_delta=-1.0), "takes min_delta as a finite number of at l"),
        (lambda: train.KeepBest(mode="up"), "KeepBest takes mode of min, max, got 'up'"),
        (lambda: train.EMA(1.0), r"EMA takes decay as a number in \[0, 1\), got 1.0"),
        (lambda: train.SWA(0), "SWA takes start as an integer of at least 1, got 0"),
        (lambda: train.on_step(3), "A callback takes a function, got 3"),
        (lambda: train.Watch("update", print), "A Watch takes when of start, .*, got 'update'"),
        (lambda: train.log_loss_every(-1), "takes every as an integer of at least 0, got -1"),
        (
            lambda: train.Runner(train.Task(mlp()), callbacks=(train.SWA(),), optimizer=ADAM),
            "A Runner takes callbacks at 'update', got SWA",
        ),
    ],
)
def test_a_wrong_argument_is_named(make: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


def test_a_run_knows_its_callbacks_by_name(tmp_path: Path) -> None:
    run = fit(mlp(), tmp_path, epochs=1, callbacks=(train.EMA(), Norms()))
    with pytest.raises(PathError, match="takes the name of a callback, ema, norms, got 'swa'"):
        run.callback("swa")
    with pytest.raises(LayerError, match="The callback norms keeps no model"):
        _ = run.callback("norms").model
    given: Any = {"epochs": 2}
    with pytest.raises(ResumeError, match="The run takes its callback norms again, got none"):
        resume(tmp_path, mlp(), **given)
    with pytest.raises(ResumeError, match=r"callback ema again, got EMA\(decay=0.5"):
        resume(tmp_path, mlp(), callbacks=(train.EMA(0.5), Norms()), **given)
    with pytest.raises(ResumeError, match="callbacks that it recorded, ema, norms, got ema, no"):
        resume(tmp_path, mlp(), callbacks=(Norms(), train.SWA()), **given)
    assert resume(tmp_path, mlp(), callbacks=Norms(), **given).callback("ema").model is not None


def test_an_eager_run_tells_the_same() -> None:
    runs = [fit(mlp(), epochs=1, backend=b, callbacks=ALL[2:]) for b in ("compiled", "eager")]
    for name in ("ema", "swa"):
        one, other = (run.callback(name).model.params["0.weight"] for run in runs)
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_steps_by_hand_tell_callbacks_within_them() -> None:
    runner = train.Runner(train.Task(mlp()), ADAM, callbacks=(Norms(),))
    data = rows(mlp())
    state, record = runner.step(runner.init(0), data.x[:BATCH], data.y[:BATCH])
    assert float(state.callbacks["norms"]["loss"]) == pytest.approx(record.means()["loss"])


def test_a_farewell_names_callbacks_of_ones_own(tmp_path: Path) -> None:
    def fail(event: train.EpochEvent) -> None:
        raise ValueError

    for own, words in ((Norms(), "data, callbacks=...)"), (train.EMA(), "model, data)")):
        with pytest.raises(train.CallbackError) as caught:
            fit(mlp(), tmp_path / own.name, callbacks=(own, train.on_epoch_end(fail)))
        assert caught.value.help.endswith(words)
