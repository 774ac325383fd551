"""`fit` and `resume`: a model, data and a plan become a run."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import optax

from tensorem import nn, optim, runtime
from tensorem.calls import called
from tensorem.data import Loader
from tensorem.disk import path_of
from tensorem.errors import ArgumentError, DataError, FileError, ResumeError
from tensorem.layer import walk

from ._average import NORMS
from ._callback import Callback, Callbacks, again, begun, callbacks_of, described
from ._callbacks import EMA, SWA, EarlyStopping, KeepBest
from ._checkpoint import canonical
from ._checks import Checks, checked
from ._compute import Backend, Compute, compute_of
from ._feed import Batches, Data, Examples, Feed, examples, feed
from ._fingerprint import check_fingerprint, fingerprint
from ._folder import FORMAT, Folder, opened, required
from ._job import Job, Standing, trained
from ._objective import Score, Seeing
from ._plan import Plan, plan_of
from ._plateau import ReduceLROnPlateau
from ._processes import by_first, held_by_first, is_first
from ._progress import Display, display_of
from ._record import Record
from ._run import Run
from ._runner import Runner
from ._state import nonfinite, with_arrays
from ._stream import Stream, StreamFeed, streamed
from ._task import Task

_ADAM = optim.adam(1e-3)
OURS = {kind.__name__: kind for kind in (EarlyStopping, KeepBest, EMA, SWA, ReduceLROnPlateau)}
"""The callbacks that a resumed run makes again by itself."""


@called
def fit(
    model: nn.Model,
    data: Data | Loader | Stream,
    loss: str | Score | Seeing = "cross_entropy",
    optimizer: optim.Optimizer | optax.GradientTransformation = _ADAM,
    epochs: int = 20,
    batch_size: int = 32,
    seed: int = 0,
    *,
    validation: Data | None = None,
    metrics: tuple[str | Score | Seeing, ...] | None = None,
    drop_last: bool = False,
    backend: Backend | Compute = "compiled",
    path: str | Path | None = None,
    checkpoint_every: int | None = None,
    log_every: int | None = None,
    progress: str | Display = "auto",
    callbacks: Callbacks = (),
) -> Run:
    """The model that makes the mean loss over the data small, by stochastic gradient descent.

    The result is a function of the model, the data and the arguments up to `backend`; the others
    say what is written and shown, and change no bit of it; callbacks may stop it. With a path the
    run can be stopped (Ctrl-C, SIGTERM) or killed at any instant and continued with `resume`.
    The order is fixed: steps, their log, validation, callbacks of the epoch, its log, the save.

    Args:
        model: A model made by `nn.build`; it stays as it is, the trained one is `run.model`.
        data: A `Dataset`, or a pair (x, y); x is a tuple for several inputs. Or a `Loader`
            or a `Stream`, for data that does not fit in memory.
        loss: "cross_entropy", "mse", a function (output, targets) -> (sum, count), or a value:
            `total` of several, `weighted` by example, an `Objective` that sees the model.
        optimizer: How gradients move the parameters; a transformation of optax too.
        epochs: How often every example is visited.
        batch_size: Examples in a step; the last batch of an epoch may be smaller.
        seed: Where the order of the examples and every random draw come from.
        validation: Data to be scored after each epoch.
        metrics: Names or functions like the loss; None takes what is usual for the loss.
            "grad_norm" is the norm of the gradients of a step.
        drop_last: Whether a smaller last batch is left out.
        backend: "compiled": many steps in one program. "eager": layer by layer. Or a `Compute`,
            which also says in how many parts a batch is computed, in which precision, and on
            which devices.
        path: The run folder to make: config.json, log.jsonl, state.safetensors.
        checkpoint_every: Steps between checkpoints; None: one at the end of each epoch.
        log_every: Steps between rows of the log; None: one row at the end of each epoch.
        progress: "auto", "live", "notebook", "plain" or "none", or a display of one's own.
        callbacks: Values that are told of steps and epochs, such as `EarlyStopping` and `EMA`, and
            functions, by `on_step`, `on_epoch_end`, ...: one, or a tuple.

    Raises:
        ShapeError: The data is not what the model takes.
        DTypeError: The dtypes do not fit.
        DataError: A value, label or parameter is wrong, or the loss stops being finite.
        ArgumentError: An argument is out of its range.
        FileError: The folder holds a run, another process trains in it, or it cannot be written.
        Interrupted: Ctrl-C or SIGTERM came; a `KeyboardInterrupt` that carries the run so far.
        CallbackError: A callback raised; it carries the run so far.

    Example:
        >>> from tensorem import data, nn
        >>> model = nn.build(nn.Linear(4, 3), input=("N", 4))
        >>> run = fit(model, data.iris().train, epochs=2, progress="none")
        >>> [row["epoch"] for row in run.history]
        [1, 2]
    """
    task = _task(model, loss, metrics)
    _require_finite(model)
    rule, compute = optim.optimizer_of(optimizer), compute_of(backend)
    plan = Plan(loss, rule, epochs, batch_size, seed, task.metrics or (), drop_last, compute)
    folder = _folder(path, checkpoint_every, log_every)
    _warn_of_parts(model, compute)
    with model.precision():
        job = _job(task, plan, data, validation, folder, progress, callbacks_of(callbacks))
        at = _standing(job)
        if folder is None:
            return trained(job, at)
        with held_by_first(folder.path):
            by_first(lambda: folder.create(_config(job, folder)))
            return trained(job, at)


@called
def resume(
    path: str | Path,
    model: nn.Model,
    data: Data | Loader | Stream,
    *,
    validation: Data | None = None,
    loss: Score | Seeing | None = None,
    metrics: tuple[str | Score | Seeing, ...] | None = None,
    optimizer: optim.Optimizer | optax.GradientTransformation | None = None,
    epochs: int | None = None,
    backend: Backend | Compute | None = None,
    anyway: bool = False,
    progress: str | Display = "auto",
    callbacks: Callbacks = (),
) -> Run:
    """The run of a folder, continued to its end: the same bytes as if it had never stopped.

    A folder holds arrays and plain facts, no code and no data. So the model (its structure; its
    arrays are replaced) and the data are given again, and compared with what was recorded.

    Args:
        path: The run folder.
        model: A model of the same layers and input.
        data: The same data; of a `Stream` the first batch and the number of steps are compared.
        validation: The same validation data, where there was any.
        loss: The same function, where the loss was a function.
        metrics: The same metrics, where one was a function.
        optimizer: The same optimizer, where it holds code of optax.
        epochs: Another total of epochs, to train further; schedules that count in fractions
            of a run count in those of the longer one.
        backend: Another way to compute from here on, such as on other devices, which rounds
            otherwise. None: as before.
        anyway: Whether to continue under other versions, device, settings or threads, or with a
            forward that computes something else.
        progress: As in `fit`.
        callbacks: The user's own that remember something, and any that do not; those of
            `tensorem.train` that remember something are recorded.

    Raises:
        ResumeError: Something differs from what was recorded; the message says what.
        ArgumentError: More epochs than epochs=... are begun: an earlier state is not kept.
        FileError: The checkpoint is malformed, or another process trains in the folder.
        Interrupted: As in `fit`.
        CallbackError: As in `fit`.
    """
    with held_by_first(required(path_of(path))):
        folder, checkpoint = opened(path_of(path))
        facts, arrays = checkpoint.facts, dict(checkpoint.arrays)
        rows = arrays.pop("record")
        plan = plan_of(facts["plan"], loss, metrics, epochs, optimizer)
        plan = plan if backend is None else replace(plan, backend=compute_of(backend))
        _require_epochs(plan, len(facts["history"]) + (len(rows) > 0))
        task = _task(model, plan.loss, plan.metrics)
        with model.precision():
            if not anyway:
                check_fingerprint(facts["fingerprint"], str(path))
            told_of = again(facts.get("callbacks", []), callbacks_of(callbacks), OURS)
            job = _job(task, plan, data, validation, folder, progress, told_of)
            _require_same(facts, job.facts)
            if not anyway:
                _require_program(facts, job.facts)
            at = _standing(job)
            _require_callbacks(facts, job.facts)
            at = replace(
                at.taking(with_arrays(at.whole(), arrays, str(path))),
                record=Record(task.names, rows),
                history=tuple(facts["history"]),
                stopped=facts.get("stopped", "") if epochs is None else "",
            )
            _require_step(job, at, str(path))
            job.batches.restore(facts.get("stream"), job.step(at))
            by_first(lambda: folder.describe(_config(job, folder)))
            by_first(lambda: folder.rewind(job.step(at), at.history))
            if canonical(facts["plan"]) == canonical(job.facts["plan"]):
                job.begun = job.saved = job.step(at)
            return trained(job, at)


def _warn_of_parts(model: nn.Model, compute: Compute) -> None:
    """A model that mixes its examples is another one in parts."""
    norms = [path for path, layer in walk(model.layer) if isinstance(layer, NORMS)]
    if compute.accumulate > 1 and norms:
        more = f" and {len(norms) - 1} more" if len(norms) > 1 else ""
        warnings.warn(
            f"accumulate={compute.accumulate} gives {norms[0]}{more} the statistics of a part of a "
            "batch: a BatchNorm mixes the examples that it sees. nn.GroupNorm does not.",
            stacklevel=4,
        )


def _task(
    model: nn.Model, loss: str | Score | Seeing, metrics: tuple[str | Score | Seeing, ...] | None
) -> Task:
    runtime.prepare()
    return Task(model, loss, metrics)


def _folder(
    path: str | Path | None, checkpoint_every: int | None, log_every: int | None
) -> Folder | None:
    if path is not None:
        return Folder(path_of(path), checkpoint_every, log_every)
    if checkpoint_every is not None or log_every is not None:
        raise ArgumentError("checkpoint_every and log_every take a path to write to, got none.")
    return None


def _job(
    task: Task,
    plan: Plan,
    data: Data | Loader | Stream,
    validation: Data | None,
    folder: Folder | None,
    progress: str | Display,
    callbacks: tuple[Callback, ...],
) -> Job:
    display = display_of(progress if is_first() else "none")
    traced = tuple(callback for callback in callbacks if callback.when == "update")
    runner = Runner(task, plan.optimizer, plan.backend, traced)
    task = runner.task
    given = streamed(data)
    found = checked(task, given.first() if isinstance(given, Stream) else examples(given))
    held_out = None if validation is None else checked(task, examples(validation), "validation")
    facts = {
        "plan": plan.to_json(),
        "model": f"{task.model.layer!r} of {task.model.input!r}",
        "frozen": sorted(task.model.frozen),
        "program": task.model.built.spelling.sha256() if folder else "",
        "data": _identity(given, found) if folder else "",
        "validation": held_out.sha256() if folder and held_out else None,
        "fingerprint": fingerprint(),
    }
    if plan.backend.devices is not None:
        plan.backend.devices.require_batch(plan.batch_size)
    batches = _batches(task, plan, given if isinstance(given, Stream) else found)
    if isinstance(batches, Feed) and runner.grid is not None:
        placed = runner.grid.everywhere((batches.inputs, batches.targets))
        batches = replace(batches, inputs=placed[0], targets=placed[1])
    optimizer = runner.optimizer.over(len(batches), plan.epochs)
    _require_rates(optimizer, len(batches) * plan.epochs)
    if optimizer != runner.optimizer:
        runner = replace(runner, optimizer=optimizer)
    return Job(task, plan, runner, batches, held_out, folder, facts, display, callbacks)


def _require_rates(optimizer: optim.Optimizer, steps: int) -> None:
    """A schedule that is 0 before the last step of a run would train nothing from there on."""
    schedules = {k for k, v in optim.rates_of(optimizer).items() if isinstance(v, optim.Schedule)}
    late = optim.learning_rates(optimizer, range(max(0, steps - 2), steps))
    for name in sorted(schedules):
        if len(late) == 2 and late[0][name] == late[1][name] == 0:
            raise ArgumentError(
                f"{name} takes a schedule as long as the run, {steps} steps, got one that is 0 "
                "before its end.",
                because="the steps that are left would change nothing.",
                help="leave its length out, which is the whole run, or give a least rate.",
            )


def _standing(job: Job) -> Standing:
    """Where a run begins; from here on it is known which callbacks remember something."""
    state, names = job.runner.init(job.plan.seed), job.task.names
    held_out = () if job.validation is None else job.task.score_names
    scores = (*names, *(f"val_{name}" for name in held_out))
    rates = optim.rates_of(job.runner.optimizer)
    outside = [callback for callback in job.callbacks if callback.when != "update"]
    memory = begun(outside, state, names, (*scores, "epoch", "step", *rates))
    if both := sorted(memory.keys() & state.callbacks.keys()):
        raise ArgumentError(f"callbacks takes names that differ, got {both[0]!r} twice.")
    at = Standing(state, Record.empty(names), memory=memory)
    job.facts["callbacks"] = [described(callback) for callback, _ in job.run(at).callbacks]
    return at


def _identity(data: object, found: Examples) -> str:
    """The hash of the examples; of a stream that of its first batch, and how many it has."""
    digest = found.sha256()
    return f"{digest}, 1 of {data.steps} batches" if isinstance(data, Stream) else digest


def _batches(task: Task, plan: Plan, data: Examples | Stream) -> Batches:
    if isinstance(data, Examples):
        return feed(data, plan.batch_size, plan.seed, plan.drop_last)
    if plan.drop_last:
        raise ArgumentError("drop_last takes data in memory, got a Stream, which decides itself.")
    return StreamFeed(data, plan.batch_size, Checks(task), task.model.precision)


def _config(job: Job, folder: Folder) -> dict[str, Any]:
    saving = {"checkpoint_every": folder.checkpoint_every, "log_every": folder.log_every}
    return {"format": FORMAT, "version": 1, **job.facts, "saving": saving}


def _require_finite(model: nn.Model) -> None:
    found = nonfinite(model.params)
    if found is not None:
        name, value = found
        raise DataError(f"Training takes a model of finite parameters, got {value} in {name}.")


def _require_step(job: Job, at: Standing, where: str) -> None:
    """The state, the epochs that are done and the record of the next one are of one step."""
    wide = at.record.rows.shape[1] == 2 * len(at.record.names)
    if not wide or int(at.state.step) != job.step(at):
        raise FileError(
            f"{where} takes a checkpoint of one step, got a state after {int(at.state.step)} "
            f"and a record up to {job.step(at)}."
        )


def _require_epochs(plan: Plan, begun: int) -> None:
    if plan.epochs < begun:
        raise ArgumentError(
            f"train.resume takes epochs of at least the {begun} that are begun, got {plan.epochs}.",
            help="an earlier state is not kept: train again with train.fit.",
        )


def _require_same(recorded: dict[str, Any], given: dict[str, Any]) -> None:
    for name in ("model", "frozen", "data", "validation"):
        if recorded.get(name, _BEFORE.get(name)) != given[name]:
            raise ResumeError(
                f"The run takes its own {name} again, got another.",
                because=f"{recorded.get(name)} was recorded, this is {given[name]}.",
                help=_HELP[name],
            )


def _require_callbacks(recorded: dict[str, Any], given: dict[str, Any]) -> None:
    before, now = ([c["name"] for c in f.get("callbacks", [])] for f in (recorded, given))
    if sorted(before) != sorted(now):
        raise ResumeError(
            f"The run takes the callbacks that it recorded, {', '.join(before) or 'none'}, got "
            f"{', '.join(now) or 'none'}.",
            help="what a callback did not see from the first step on, it cannot make up.",
        )


def _require_program(recorded: dict[str, Any], given: dict[str, Any]) -> None:
    """Layers that look the same may have another forward; earlier runs did not record it."""
    if recorded.get("program", given["program"]) != given["program"]:
        raise ResumeError(
            "The run takes the program of its model again, got another.",
            because="a forward was changed since, or a value that it reads.",
            help="pass anyway=True to continue with the code as it is now.",
        )


_BEFORE: dict[str, list[str]] = {"frozen": []}
"""What held for runs that did not record it."""
_HELP = {
    "model": "build the same layers for the same input.",
    "frozen": "freeze the same parameters: model.freeze(pattern).",
    "data": "pass the same examples in the same order, of a Stream as many steps; "
    "their hash is compared.",
    "validation": "pass the same examples as validation=...; their hash is compared.",
}
