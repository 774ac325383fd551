"""A run that was stopped, killed or interrupted anywhere ends with the same bytes."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from small import EPOCHS, MODELS, STEPS, cnn, fit, log_of, mlp, resume, rows, state_of

from tensorem import data, nn, optim, train
from tensorem.errors import ArgumentError, DataError, FileError, ResumeError
from tensorem.train import _checkpoint, _fingerprint, _folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs that were never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    for name, build in MODELS.items():
        fit(build(), folder / name)
    return {name: folder / name for name in MODELS}


class StopError(Exception):
    pass


def stop_at(step: int) -> train.Watch:
    def stop(run: train.Run) -> None:
        if run.step == step:
            raise StopError

    return train.on_save(stop)


def stopped(path: Path, model: nn.Model, step: int, **given: Any) -> None:
    with pytest.raises(train.CallbackError, match="StopError"):
        fit(model, path, checkpoint_every=1, callbacks=stop_at(step), **given)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("step", range(STEPS))
def test_a_run_stopped_after_any_step_ends_with_the_same_bytes(
    whole: dict[str, Path], tmp_path: Path, name: str, step: int
) -> None:
    model = MODELS[name]()
    stopped(tmp_path / "run", model, step)
    assert state_of(tmp_path / "run") != state_of(whole[name])
    resume(tmp_path / "run", model)
    assert state_of(tmp_path / "run") == state_of(whole[name])
    assert log_of(tmp_path / "run") == log_of(whole[name])


@pytest.mark.parametrize("checkpoint_every", [None, 1, 2, 5, 100])
@pytest.mark.parametrize("log_every", [None, 1, 4])
def test_intervals_change_no_byte_of_the_result(
    whole: dict[str, Path], tmp_path: Path, checkpoint_every: int | None, log_every: int | None
) -> None:
    fit(cnn(), tmp_path, checkpoint_every=checkpoint_every, log_every=log_every)
    assert state_of(tmp_path) == state_of(whole["cnn"])


def test_the_checkpoint_interval_decides_when_it_is_saved(tmp_path: Path) -> None:
    saved: list[int] = []
    hooks = train.on_save(lambda run: saved.append(run.step))
    fit(mlp(), tmp_path / "a", checkpoint_every=4, callbacks=hooks)
    assert saved == [0, 4, 8, STEPS]
    saved.clear()
    fit(mlp(), tmp_path / "b", callbacks=hooks)
    assert saved == [0, 3, 6, STEPS]


@pytest.mark.parametrize("moment", ["saved", "renaming"])
def test_a_killed_run_ends_with_the_same_bytes(
    whole: dict[str, Path], tmp_path: Path, moment: str
) -> None:
    program = Path(__file__).with_name("killed_run.py")
    command = [sys.executable, str(program), str(tmp_path / "run"), moment]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left_over = tmp_path / "run" / ".state.safetensors.new"
    assert left_over.exists() == (moment == "renaming")
    run = resume(tmp_path / "run", mlp())
    assert run.finished
    assert state_of(tmp_path / "run") == state_of(whole["mlp"])
    assert log_of(tmp_path / "run") == log_of(whole["mlp"])
    assert not left_over.exists()


@pytest.mark.long
@pytest.mark.parametrize("kills", [6, 34], ids=["30 in all", "170 in all"])
@pytest.mark.parametrize("checkpoint_every", [1, 2, 3, 50, 1001])
def test_a_run_killed_at_random_instants_ends_with_the_same_bytes(
    tmp_path: Path, checkpoint_every: int, kills: int
) -> None:
    program, chance = Path(__file__).with_name("killed_run.py"), random.Random(checkpoint_every)

    def ends(name: str, seconds: float | None = None) -> bool:
        command = [sys.executable, program, tmp_path / name, "on", str(checkpoint_every)]
        try:
            subprocess.run(command, check=True, timeout=seconds, capture_output=True)
        except subprocess.TimeoutExpired:  # which kills it
            return False
        return True

    def everything(name: str) -> list[tuple[str, bytes]]:
        found = [tmp_path / name / "state.safetensors", tmp_path / name / "log.jsonl"]
        found += sorted((tmp_path / name / "checkpoints").iterdir())
        return [(file.name, file.read_bytes()) for file in found]

    ends("first")  # fills the compile cache
    begun = time.monotonic()
    ends("whole")
    whole, killed = time.monotonic() - begun, 0
    while killed < kills or not ends("run"):
        if not ends("run", whole * chance.uniform(0.4, 1.0)):
            killed += 1
            continue
        assert everything("run") == everything("whole")
        shutil.rmtree(tmp_path / "run")
    assert everything("run") == everything("whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_saves_and_says_how_to_continue(
    whole: dict[str, Path], tmp_path: Path, number: signal.Signals
) -> None:
    path, before = tmp_path / "run", signal.getsignal(number)
    hooks = train.on_epoch_end(lambda event: os.kill(os.getpid(), number))
    with pytest.raises(train.Interrupted) as caught:
        fit(mlp(), path, checkpoint_every=100, callbacks=hooks)
    assert str(caught.value) == (
        f"stopped in epoch 2 of 3, after step 3; saved. "
        f"To continue: train.resume({str(path)!r}, model, data)"
    )
    assert caught.value.signum == number and caught.value.run.step == 3
    assert isinstance(caught.value, KeyboardInterrupt)
    assert signal.getsignal(number) == before
    resume(path, mlp())
    assert state_of(path) == state_of(whole["mlp"])


def test_an_interrupt_within_an_epoch_stops_before_the_next_chunk(
    whole: dict[str, Path], tmp_path: Path
) -> None:
    class Press:
        def moved(self, moment: train.Moment) -> None:
            if moment.done == 2:
                os.kill(os.getpid(), signal.SIGINT)

        def finished(self, moment: train.Moment, row: Any, seconds: float) -> None: ...

        def close(self) -> None: ...

    with pytest.raises(train.Interrupted, match="after step 2; saved"):
        fit(mlp(), tmp_path, checkpoint_every=2, progress=Press())
    resume(tmp_path, mlp())
    assert state_of(tmp_path) == state_of(whole["mlp"])


def test_an_interrupt_without_a_folder_carries_the_run() -> None:
    hooks = train.on_epoch_end(lambda event: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(train.Interrupted, match=r"no path to save to.*is in \.run") as caught:
        fit(mlp(), callbacks=hooks)
    assert caught.value.run.step == 3 and len(caught.value.run.history) == 1


def test_a_full_disk_loses_nothing(
    whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, writes = os.fsync, iter(range(1000))

    def full_after_ten(handle: int) -> None:
        if next(writes) >= 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full_after_ten)
    with pytest.raises(FileError, match="cannot be written: No space left on device") as caught:
        fit(mlp(), tmp_path, checkpoint_every=1)
    assert "is still there" in caught.value.because and "free some space" in caught.value.help
    monkeypatch.undo()
    assert [f.name for f in tmp_path.glob(".*.new")] == []
    resume(tmp_path, mlp())
    assert state_of(tmp_path) == state_of(whole["mlp"])


def test_a_checkpoint_that_fails_is_said_at_the_end_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, saves = _folder.Folder.save, iter(range(1000))

    def full_at_the_last(*given: Any) -> None:
        if next(saves) == EPOCHS:
            raise FileError("no space")
        save(*given)

    monkeypatch.setattr(_folder.Folder, "save", full_at_the_last)
    ended: list[int] = []
    hooks = train.on_train_end(lambda run: ended.append(run.step))
    with pytest.raises(FileError, match="no space"):
        fit(mlp(), tmp_path, callbacks=hooks)
    assert not ended
    saved = _checkpoint.read_checkpoint(tmp_path / "state.safetensors")
    assert int(saved.arrays["step"]) == STEPS - 3


def test_training_goes_on_while_a_checkpoint_is_written(
    whole: dict[str, Path], tmp_path: Path
) -> None:
    """The run of a save has arrays of its own, of its step, whatever came after it."""
    went_on, saved = threading.Event(), dict[int, Any]()

    def keep(run: train.Run) -> None:
        assert went_on.wait(60)
        saved[run.step] = run.model.params, train.model_of(tmp_path / "state.safetensors", mlp())

    hooks = train.on_save(keep), train.on_epoch_end(lambda event: went_on.set())
    fit(mlp(), tmp_path, callbacks=hooks)
    assert sorted(saved) == [0, 3, 6, STEPS]
    for params, model in saved.values():
        for name, array in params.items():
            np.testing.assert_array_equal(array, model.params[name])
    assert state_of(tmp_path) == state_of(whole["mlp"])


def test_what_ends_a_run_waits_for_the_checkpoint_under_way(tmp_path: Path) -> None:
    begun = threading.Event()

    def slow(run: train.Run) -> None:
        begun.set()
        time.sleep(0.2)
        saved.append(run.step)

    def stop(event: train.StepEvent) -> None:
        if event.step == 2:
            assert begun.wait(60)
            raise KeyboardInterrupt

    saved: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        fit(mlp(), tmp_path, callbacks=(train.on_save(slow), train.on_step(stop)))
    assert saved == [0, 2]


def test_more_epochs_continue_as_if_they_had_been_planned(tmp_path: Path) -> None:
    fit(mlp(), tmp_path / "a", epochs=2)
    fit(mlp(), tmp_path / "b", epochs=4)
    resume(tmp_path / "a", mlp(), epochs=4)
    assert state_of(tmp_path / "a") == state_of(tmp_path / "b")
    configs = [(tmp_path / name / "config.json").read_bytes() for name in "ab"]
    assert configs[0] == configs[1]


def test_a_finished_run_comes_back_as_it_is(whole: dict[str, Path]) -> None:
    before = state_of(whole["mlp"])
    run = resume(whole["mlp"], mlp())
    assert run.finished and run.step == STEPS and len(run.history) == EPOCHS
    assert state_of(whole["mlp"]) == before


def test_rows_after_the_checkpoint_are_dropped_and_a_torn_one_too(
    whole: dict[str, Path], tmp_path: Path
) -> None:
    stopped(tmp_path, mlp(), 4)
    with (tmp_path / "log.jsonl").open("ab") as log:
        log.write(b'{"epoch":2,"step":6,"loss":0.0}\n{"epoch":3,"st')
    resume(tmp_path, mlp())
    assert log_of(tmp_path) == log_of(whole["mlp"])


def test_a_lost_log_comes_back_from_the_checkpoint(whole: dict[str, Path], tmp_path: Path) -> None:
    stopped(tmp_path, mlp(), 4)
    (tmp_path / "log.jsonl").unlink()
    resume(tmp_path, mlp())
    assert log_of(tmp_path) == log_of(whole["mlp"])


def test_a_broken_log_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    stopped(tmp_path, mlp(), 4)
    (tmp_path / "log.jsonl").write_bytes(b'{"step":1}\nnonsense\n')
    with pytest.raises(FileError, match="takes JSON with a step") as caught:
        resume(tmp_path, mlp())
    assert caught.value.where == f"{tmp_path / 'log.jsonl'}, line 2"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b[:-1], "is not a whole checkpoint"),
        (lambda b: b[:100], "is not a whole checkpoint"),
        (lambda b: b"", "is not a whole checkpoint"),
        (lambda b: b"\xff" * len(b), "is not a whole checkpoint"),
        (lambda b: b.replace(b'\\"version\\":1', b'\\"version\\":9'), "takes version 1 .* got 9"),
        (lambda b: b.replace(b"tensorem.run", b"tensorem.sun"), "takes the format"),
        (lambda b: b.replace(b"params.0.bias", b"params.0.bais"), "its content is not what its"),
        (lambda b: b[:-3] + bytes([b[-3] ^ 1]) + b[-2:], "its content is not what its hash says"),
        (lambda b: b.replace(b'\\"seed\\":7', b'\\"seed\\":8'), "is not what its hash says"),
    ],
)
def test_a_damaged_checkpoint_is_an_error_of_ours(tmp_path: Path, change: Any, words: str) -> None:
    stopped(tmp_path, mlp(), 1)
    damaged = change(state_of(tmp_path))
    assert damaged != state_of(tmp_path)
    (tmp_path / "state.safetensors").write_bytes(damaged)
    with pytest.raises(FileError, match=words):
        resume(tmp_path, mlp())
    assert state_of(tmp_path) == damaged


def test_arrays_of_another_optimizer_are_named(tmp_path: Path) -> None:
    stopped(tmp_path, mlp(), 1)
    file = tmp_path / "state.safetensors"
    found = _checkpoint.read_checkpoint(file)
    arrays = {name.replace("bias", "bais"): array for name, array in found.arrays.items()}
    _checkpoint.write_checkpoint(file, _checkpoint.Checkpoint(arrays, found.facts))
    with pytest.raises(FileError, match="takes the arrays of this model"):
        resume(tmp_path, mlp())


def test_an_array_of_another_shape_is_named(tmp_path: Path) -> None:
    stopped(tmp_path, mlp(), 1)
    file = tmp_path / "state.safetensors"
    found = _checkpoint.read_checkpoint(file)
    arrays = {**found.arrays, "params.0.bias": np.zeros(3, np.float32)}
    _checkpoint.write_checkpoint(file, _checkpoint.Checkpoint(arrays, found.facts))
    with pytest.raises(
        FileError, match=r"params\.0\.bias takes float32 \(8,\), got float32 \(3,\)"
    ):
        resume(tmp_path, mlp())


def test_metrics_are_as_many_as_recorded(tmp_path: Path) -> None:
    stopped(tmp_path, mlp(), 1)
    with pytest.raises(ResumeError, match=r"The run takes metrics \['accuracy'\], got \(\)"):
        resume(tmp_path, mlp(), metrics=())


def test_epochs_that_are_done_cannot_be_undone(whole: dict[str, Path]) -> None:
    with pytest.raises(ArgumentError, match="takes epochs of at least the 3 that are begun, got 1"):
        resume(whole["mlp"], mlp(), epochs=1)


def test_a_damaged_config_is_an_error_of_ours(tmp_path: Path) -> None:
    stopped(tmp_path, mlp(), 1)
    for text, words in (("{", "takes JSON"), ("[]", "a JSON object"), ("{}", "`saving`")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(FileError, match=words):
            resume(tmp_path, mlp())


def altered(path: Path, **facts: Any) -> None:
    file = path / "state.safetensors"
    found = _checkpoint.read_checkpoint(file)
    _checkpoint.write_checkpoint(
        file, _checkpoint.Checkpoint(found.arrays, {**found.facts, **facts})
    )


def test_other_versions_or_threads_are_refused_by_name(tmp_path: Path) -> None:
    stopped(tmp_path, mlp(), 4)
    altered(tmp_path, fingerprint={**_fingerprint.fingerprint(), "jaxlib": "0.0.1", "threads": "9"})
    with pytest.raises(ResumeError, match=r"was trained with jaxlib 0\.0\.1, threads 9, got jaxl"):
        resume(tmp_path, mlp())
    assert resume(tmp_path, mlp(), anyway=True).finished


def test_every_fact_of_the_fingerprint_is_known() -> None:
    facts = _fingerprint.fingerprint()
    assert {"tensorem", "jax", "jaxlib", "numpy", "optax"} < facts.keys()
    assert {"device", "devices", "XLA flags", "threads", "matmul precision"} < facts.keys()
    assert all(facts[name] for name in facts.keys() - {"XLA flags"})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("jax_enable_x64", True),
        ("jax_disable_jit", True),
        ("jax_default_prng_impl", "rbg"),
        ("jax_default_matmul_precision", "highest"),
        ("jax_numpy_dtype_promotion", "strict"),
        ("jax_optimization_level", "O1"),
    ],
)
def test_a_setting_of_jax_on_which_programs_depend_is_a_fact(setting: str, value: Any) -> None:
    recorded, before = _fingerprint.fingerprint(), jax.config.values[setting]
    jax.config.update(setting, value)
    try:
        with pytest.raises(ResumeError, match=r"the run was trained with .*, got "):
            _fingerprint.check_fingerprint(recorded, "the run")
    finally:
        jax.config.update(setting, before)


def test_a_setting_that_changes_no_bit_is_none() -> None:
    recorded = _fingerprint.fingerprint()
    harmless = {"jax_log_compiles": True, "jax_traceback_filtering": "off"}
    harmless |= {"jax_compilation_cache_dir": "elsewhere"}
    before = {name: jax.config.values[name] for name in harmless}
    try:
        for name, value in harmless.items():
            jax.config.update(name, value)
        assert _fingerprint.fingerprint() == recorded
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


def test_a_run_that_recorded_fewer_facts_is_still_resumed(tmp_path: Path) -> None:
    stopped(tmp_path, mlp(), 4)
    facts = _fingerprint.fingerprint()
    older = {k: v for k, v in facts.items() if not k.startswith("jax_") and k != "compile options"}
    altered(tmp_path, fingerprint=older)
    assert resume(tmp_path, mlp()).finished


def test_other_draws_are_refused_by_name(tmp_path: Path) -> None:
    stopped(tmp_path, cnn(), 4)
    jax.config.update("jax_threefry_partitionable", False)
    try:
        with pytest.raises(ResumeError, match=r"with partitionable draws True, got part.* False"):
            resume(tmp_path, cnn())
    finally:
        jax.config.update("jax_threefry_partitionable", True)


def test_another_model_or_other_data_is_refused(tmp_path: Path) -> None:
    stopped(tmp_path, mlp(), 4)
    with pytest.raises(ResumeError, match="takes its own model again"):
        train.resume(tmp_path, nn.build(nn.Linear(4, 3), ("N", 4)), rows(mlp()))
    other = rows(mlp()).x.copy()
    other[3, 1] += 1
    with pytest.raises(ResumeError, match="takes its own data again"):
        train.resume(tmp_path, mlp(), data.Dataset(other, rows(mlp()).y))
    with pytest.raises(ResumeError, match="takes its own validation again"):
        resume(tmp_path, mlp(), validation=rows(mlp()))


def own_loss(output: Any, target: Any) -> tuple[Any, Any]:
    return (output[:, 0] * target).sum(), np.float32(len(target))


def test_a_loss_of_ones_own_is_given_again(tmp_path: Path) -> None:
    with pytest.raises(train.CallbackError, match="StopError"):
        fit(mlp(), tmp_path, loss=own_loss, checkpoint_every=1, callbacks=stop_at(4))
    with pytest.raises(ResumeError, match=r"takes its loss test_train_resume\.own_loss again"):
        resume(tmp_path, mlp())
    with pytest.raises(ResumeError, match=r"the loss test_train_resume\.own_loss, got"):
        resume(tmp_path, mlp(), loss=stop_at)
    assert resume(tmp_path, mlp(), loss=own_loss).finished


def test_a_folder_that_holds_a_run_is_not_overwritten(whole: dict[str, Path]) -> None:
    before = state_of(whole["mlp"])
    with pytest.raises(FileError, match="got a folder that holds one") as caught:
        fit(mlp(), whole["mlp"])
    assert "train.resume(" in caught.value.help
    assert state_of(whole["mlp"]) == before


@pytest.mark.parametrize("name", ["config.json", "log.jsonl"])
def test_files_of_somebody_else_are_not_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileError, match=f"got a folder with another {name}") as caught:
        fit(mlp(), path=tmp_path)
    assert caught.value.help == "choose another path."
    assert (tmp_path / name).read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_a_run_without_a_state_is_begun_again(tmp_path: Path) -> None:
    """As one is that was killed before its first checkpoint."""
    fit(mlp(), path=tmp_path)
    (tmp_path / "state.safetensors").unlink()
    assert fit(mlp(), path=tmp_path).finished


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match="takes the folder of a run") as caught:
        resume(tmp_path, mlp())
    assert caught.value.because == "it has no state.safetensors."


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        fit(mlp(), tmp_path / "file" / "run")


def test_the_config_says_what_was_asked_for(whole: dict[str, Path]) -> None:
    config = train.read_config(whole["mlp"])
    assert config == json.loads((whole["mlp"] / "config.json").read_text())
    assert config["plan"]["optimizer"]["name"] == "adam" and config["plan"]["epochs"] == EPOCHS
    assert config["saving"] == {"checkpoint_every": None, "log_every": None}


def test_intervals_need_a_folder_and_are_positive(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="take a path to write to"):
        fit(mlp(), log_every=1)
    with pytest.raises(
        ArgumentError, match="takes checkpoint_every as an integer of at least 1, got 0"
    ):
        fit(mlp(), tmp_path, checkpoint_every=0)


def test_a_name_that_no_folder_can_have_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="File name too long"):
        fit(mlp(), tmp_path / ("a" * 300))
    with pytest.raises(ArgumentError, match="A path takes a text or a Path, got None"):
        train.resume(None, mlp(), rows(mlp()))  # type: ignore[arg-type]


def files_of(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.mark.parametrize(("step", "begun"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)])
def test_fewer_epochs_end_as_planned_or_are_refused(tmp_path: Path, step: int, begun: int) -> None:
    for epochs in (1, 2):
        path, planned = tmp_path / f"{epochs}", tmp_path / f"planned {epochs}"
        stopped(path, mlp(), step)
        before = files_of(path)
        if epochs < begun:
            with pytest.raises(ArgumentError, match="at least the 2 that are begun, got 1") as e:
                resume(path, mlp(), epochs=epochs)
            assert "an earlier state is not kept" in e.value.help
            assert files_of(path) == before
            continue
        assert resume(path, mlp(), epochs=epochs).finished
        fit(mlp(), planned, epochs=epochs)
        assert state_of(path) == state_of(planned)


def test_another_total_of_epochs_holds_from_then_on(tmp_path: Path) -> None:
    fit(mlp(), tmp_path / "a", epochs=2)
    with pytest.raises(train.CallbackError, match="StopError"):
        resume(tmp_path / "a", mlp(), epochs=4, callbacks=stop_at(6))
    resume(tmp_path / "a", mlp())
    fit(mlp(), tmp_path / "b", epochs=4)
    assert state_of(tmp_path / "a") == state_of(tmp_path / "b")


def test_a_continued_run_that_fails_names_its_last_checkpoint(tmp_path: Path) -> None:
    model, x = nn.build(nn.Linear(4, 1), ("N", 4)), np.full((6, 4), 1e10, np.float32)
    given: Any = (model, (x, np.zeros((6, 1), np.float32)))
    for begin in (
        lambda: train.fit(
            *given, "mse", optim.sgd(1e-15), batch_size=3, path=tmp_path, progress="none"
        ),
        lambda: train.resume(tmp_path, *given, progress="none"),
    ):
        with pytest.raises(DataError, match="in the loss at epoch 2, step 3") as caught:
            begin()
        assert caught.value.where == f"{tmp_path}, whose last checkpoint is of step 2"


def test_a_hook_that_fails_costs_no_checkpoint_that_was_due(tmp_path: Path) -> None:
    def fail(event: train.EpochEvent) -> None:
        raise StopError

    for every in (None, 3):
        path = tmp_path / str(every)
        with pytest.raises(train.CallbackError, match="StopError"):
            fit(mlp(), path, checkpoint_every=every, callbacks=train.on_epoch_end(fail))
        found = _checkpoint.read_checkpoint(path / "state.safetensors")
        assert int(found.arrays["step"]) == 3


def test_a_signal_before_an_error_is_not_lost() -> None:
    def fail(event: train.EpochEvent) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise StopError

    with pytest.raises(KeyboardInterrupt) as caught:
        fit(mlp(), callbacks=train.on_epoch_end(fail))
    assert isinstance(caught.value.__context__, train.CallbackError)


def test_a_signal_before_an_error_goes_to_who_handled_it_before() -> None:
    seen: list[int] = []

    def fail(event: train.EpochEvent) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise StopError

    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with pytest.raises(train.CallbackError, match="StopError"):
            fit(mlp(), callbacks=train.on_epoch_end(fail))
        assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_farewell_names_all_that_is_given_again(tmp_path: Path) -> None:
    hooks = train.on_epoch_end(lambda event: os.kill(os.getpid(), signal.SIGINT))
    own: dict[str, Any] = {"loss": own_loss, "metrics": (second_loss,)}
    with pytest.raises(train.Interrupted) as caught:
        fit(mlp(), tmp_path, callbacks=hooks, validation=rows(mlp()), **own)
    assert str(caught.value).endswith(", model, data, validation=..., loss=..., metrics=...)")
    assert resume(tmp_path, mlp(), validation=rows(mlp()), **own).finished


def second_loss(output: Any, target: Any) -> tuple[Any, Any]:
    return own_loss(output, target)


def test_metrics_are_a_tuple_here_too(whole: dict[str, Path]) -> None:
    with pytest.raises(ArgumentError, match="metrics takes a tuple of names or functions, got 3"):
        resume(whole["mlp"], mlp(), metrics=3)


def test_a_path_of_a_config_is_a_text_or_a_path() -> None:
    with pytest.raises(ArgumentError, match="A path takes a text or a Path, got None"):
        train.read_config(None)  # type: ignore[arg-type]


def test_intervals_may_be_numbers_of_numpy(tmp_path: Path) -> None:
    given: list[dict[str, Any]] = [{"checkpoint_every": 2, "log_every": 3}]
    given += [{name: np.int64(n) for name, n in given[0].items()}]
    for name, intervals in zip("ab", given, strict=True):
        fit(mlp(), tmp_path / name, **intervals)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def never(output: Any, target: Any) -> tuple[Any, Any]:
    return output.sum() * 0, 0


def test_every_line_of_a_log_is_json(tmp_path: Path) -> None:
    def refuse(word: str) -> Any:
        raise AssertionError(word)

    fit(mlp(), tmp_path, metrics=(never,), log_every=1)
    found = [json.loads(row, parse_constant=refuse) for row in log_of(tmp_path).splitlines()]
    assert len(found) == STEPS + EPOCHS and all(row["never"] is None for row in found)
