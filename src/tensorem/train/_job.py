"""A run in progress: the loop over epochs, and what happens between two chunks of steps."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from tensorem import rand
from tensorem.errors import ArgumentError, DataError
from tensorem.optim import Scaled, learning_rates, needs_code

from ._callback import Callback, Memory, StepEvent, When, answered, rescaled
from ._checkpoint import Checkpoint, canonical, read_checkpoint
from ._evaluate import scored
from ._feed import Batches, Examples
from ._folder import Folder
from ._log import Entry
from ._origin import origin
from ._pace import Pace
from ._plan import Plan
from ._processes import agreed, by_all, by_first, is_first
from ._progress import Display, Moment
from ._record import Record
from ._run import CallbackError, EpochEvent, NonFinite, Run
from ._runner import Runner
from ._signals import Interrupted, Signals
from ._state import State, named_arrays, nonfinite, unused, with_arrays
from ._task import Task
from ._whole import whole
from ._writer import Writer


@dataclass(frozen=True, eq=False)
class Standing:
    """How far a run has come.

    Args:
        state: The state after the last step.
        record: What the steps of the epoch under way measured.
        history: A row for each epoch that is done.
        memory: What the callbacks outside of a step remember, by their names.
        stopped: Why a callback stops the run.
    """

    state: State
    record: Record
    history: tuple[Entry, ...] = ()
    memory: dict[str, Memory] = field(default_factory=dict)
    stopped: str = ""

    def whole(self) -> State:
        """The state with all that callbacks remember: what is saved."""
        return replace(self.state, callbacks=self.state.callbacks | self.memory)

    def taking(self, whole: State) -> Standing:
        """The same with a state as it was saved."""
        kept = whole.callbacks
        within = {name: kept[name] for name in self.state.callbacks}
        memory = {name: kept[name] for name in self.memory}
        return replace(self, state=replace(whole, callbacks=within), memory=memory)


@dataclass(eq=False)
class Job:
    """Everything that a run needs besides where it stands.

    Args:
        facts: What a checkpoint says besides its arrays and the history.
        begun: The step of the last checkpoint that was begun.
        saved: The step of the last checkpoint that is on the disk.
        rows: The rows of the history as canonical JSON, as far as they were saved.
    """

    task: Task
    plan: Plan
    runner: Runner
    batches: Batches
    validation: Examples | None
    folder: Folder | None
    facts: dict[str, Any]
    display: Display
    callbacks: tuple[Callback, ...]
    signals: Signals = field(default_factory=Signals)
    writer: Writer = field(default_factory=Writer)
    begun: int = -1
    saved: int = -1
    rows: list[str] = field(default_factory=list)

    @cached_property
    def spelled(self) -> dict[str, str]:
        """The facts as canonical JSON."""
        return {name: canonical(fact) for name, fact in self.facts.items()}

    def run(self, at: Standing) -> Run:
        """The run as it stands."""
        path, memories = self.folder.path if self.folder else None, at.whole().callbacks
        kept = tuple((c, memories[c.name]) for c in self.callbacks if c.name in memories)
        facts = at.state, self.step(at), at.history, path, at.stopped, kept
        return Run(self.task, self.plan, *facts)

    def step(self, at: Standing) -> int:
        """The steps taken so far."""
        return len(at.history) * len(self.batches) + len(at.record)


def trained(job: Job, at: Standing) -> Run:
    """Train to the end of the plan.

    Raises:
        Interrupted: Ctrl-C or SIGTERM came; what was done is saved.
        DataError: The loss, a parameter or a buffer is no finite number any more.
        FileError: A checkpoint cannot be written.
        CallbackError: A callback raised; what was done is saved.
    """
    pace = Pace(every=job.folder.checkpoint_every if job.folder else None)
    with closing(job.display), job.signals, job.writer:
        told(job, at, "start", job.run(at))
        _begin_save(job, at)  # what is asked for anew holds from here on, whatever happens
        while not job.run(at).finished:
            at = _epoch(job, at, pace)
        _require_finite_arrays(job, at)
        by_all(job.writer.wait)
        told(job, at, "end", job.run(at))
        return job.run(at)


def told(
    job: Job, at: Standing, when: When, event: object, safe: Standing | None = None
) -> Standing:
    """The standing after the callbacks of a moment were told, each in its turn.

    Args:
        safe: What is saved where one raises.
    """
    for callback in job.callbacks:
        if callback.when == when:
            try:
                answer = answered(callback, at.memory.get(callback.name, ()), event)
                if answer.factor != 1.0:
                    at = replace(at, state=rescaled(callback.name, at.state, answer.factor))
            except BaseException as error:
                if safe is not None:
                    _save(job, safe)
                if isinstance(error, ArgumentError):
                    raise _failed(job, safe or at, error) from error.__cause__
                raise
            if callback.name in at.memory:
                at = replace(at, memory=at.memory | {callback.name: answer.memory})
            if answer.stop:
                at = replace(at, stopped=at.stopped or answer.stop)
    return at


def _failed(job: Job, at: Standing, error: ArgumentError) -> CallbackError:
    """What a callback raised, with the run so far."""
    known = job.folder is None or job.saved == job.step(at)
    help = _farewell(job, at) if known else ""
    return CallbackError(error.what, job.run(at), because=error.because, help=help)


def _epoch(job: Job, at: Standing, pace: Pace) -> Standing:
    """The steps that are left of an epoch, then its row."""
    started = time.perf_counter()
    job.display.moved(_moment(job, at))
    for state, record in job.runner.chunks(at.state, at.record, job.batches, pace):
        before, at = len(at.record), replace(at, state=state, record=record)
        _require_finite_loss(job, at, before)
        job.display.moved(_moment(job, at))
        _log(job, _step_rows(job, at, before))
        at = _steps_told(job, at, before)
        if len(record) < len(job.batches):
            _pause(job, at)
    return _closed(job, at, started)


def _steps_told(job: Job, at: Standing, before: int) -> Standing:
    """The same after each step of a chunk was told, in order."""
    if not any(callback.when == "step" for callback in job.callbacks):
        return at
    epoch, first = len(at.history) + 1, len(at.history) * len(job.batches) + 1
    for i, scores in enumerate(at.record.steps(before), before):
        at = told(job, at, "step", StepEvent(epoch, first + i, scores), safe=at)
    return at


def _closed(job: Job, at: Standing, started: float) -> Standing:
    """The same with the epoch closed: validated, told to callbacks, logged, shown, saved if due."""
    moment, row = _moment(job, at), _row(job, at)
    closed = replace(at, record=Record.empty(job.task.names), history=(*at.history, row))
    event = EpochEvent(len(closed.history), job.step(closed), row, job.run(closed))
    closed = told(job, closed, "epoch", event, safe=at)
    _log(job, [row])
    job.display.finished(moment, row, time.perf_counter() - started)
    _pause(job, closed)
    return closed


def _log(job: Job, rows: list[Entry]) -> None:
    if job.folder is not None and rows:
        by_first(partial(job.folder.log, rows))


def _pause(job: Job, at: Standing) -> None:
    """Save where that is due; stop where that was asked for."""
    stopping = agreed(job.signals.received or 0)
    if stopping:
        _save(job, at)
        raise Interrupted(_farewell(job, at), job.run(at), stopping)
    if _due(job, at):
        _begin_save(job, at)


def _due(job: Job, at: Standing) -> bool:
    """Whether a checkpoint falls on this step; the end of a run has one in any case."""
    every = job.folder.checkpoint_every if job.folder else None
    if every is None:
        return len(at.record) == 0
    return job.step(at) % every == 0 or job.run(at).finished


def _save(job: Job, at: Standing) -> None:
    """Write a checkpoint down to the disk, unless this step has one."""
    _begin_save(job, at)
    by_all(job.writer.wait)


def _begin_save(job: Job, at: Standing) -> None:
    """Begin to write a checkpoint, unless this step has one; the next steps go on meanwhile."""
    if job.folder is None or job.begun == job.step(at):
        return
    unused(at.state)
    _require_finite_arrays(job, at)
    arrays = named_arrays(at.whole()) | {"record": at.record.rows}
    facts = {"stopped": at.stopped, "stream": job.batches.position(job.step(at))}
    by_all(lambda: job.writer.begin(partial(_write, job, at, Checkpoint(arrays, facts))))
    job.begun = job.step(at)


def _write(job: Job, at: Standing, checkpoint: Checkpoint) -> None:
    """Write a checkpoint and tell of it, in the thread of the writer."""
    assert job.folder is not None
    if is_first():
        job.folder.save(checkpoint, job.spelled | {"history": _history(job, at)})
    job.saved = job.step(at)
    if any(callback.when == "save" for callback in job.callbacks):
        with job.task.model.precision():  # a thread has its own
            at = _as_saved(job, at, checkpoint)
            told(job, at, "save", job.run(at))


def _history(job: Job, at: Standing) -> str:
    """The history as JSON; each row is spelled once."""
    job.rows.extend(map(canonical, at.history[len(job.rows) :]))
    return f"[{','.join(job.rows[: len(at.history)])}]"


def _as_saved(job: Job, at: Standing, checkpoint: Checkpoint) -> Standing:
    """The same in arrays of its own: those that it had are used up by the next step."""
    arrays = {name: array for name, array in checkpoint.arrays.items() if name != "record"}
    state = replace(at.whole(), key=rand.jax_key(job.plan.seed))
    return at.taking(with_arrays(state, arrays, "state"))


def _moment(job: Job, at: Standing) -> Moment:
    epoch, done = divmod(job.step(at), len(job.batches))
    if done == 0 and len(at.record):
        epoch, done = epoch - 1, len(job.batches)
    loss = at.record.loss_so_far() if len(at.record) else None
    return Moment(epoch, job.plan.epochs, done, len(job.batches), loss)


def _row(job: Job, at: Standing) -> Entry:
    """The row of an epoch: nothing in it depends on time."""
    step = job.step(at)
    row: Entry = {"epoch": len(at.history) + 1, "step": step, **at.record.means()}
    if job.validation is not None:
        arrays = whole((at.state.params, at.state.buffers))
        model = job.task.model.replace(params=arrays[0], buffers=arrays[1])
        scores = scored(job.task, model, job.validation, 256)
        row |= {f"val_{name}": value for name, value in scores.items()}
    row |= _rates(job, at, (step - 1,))[0]
    return _as_json(row)


def _rates(job: Job, at: Standing, steps: Sequence[int]) -> list[dict[str, float]]:
    """The learning rates of steps, under the scale of their epoch."""
    rates, optimizer = learning_rates(job.runner.optimizer, steps), at.state.optimizer
    scale = optimizer.number if isinstance(optimizer, Scaled) else 1.0
    return [{name: rate * scale for name, rate in at_step.items()} for at_step in rates]


def _as_json(row: Entry) -> Entry:
    """JSON has no word for what is not a finite number."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def _step_rows(job: Job, at: Standing, before: int) -> list[Entry]:
    """The rows within an epoch: each the means over the steps since the one before it."""
    every = job.folder.log_every if job.folder else None
    if every is None:
        return []
    first, epoch = len(at.history) * len(job.batches), len(at.history) + 1
    due = [i for i in range(before + 1, len(at.record) + 1) if (first + i) % every == 0]
    rates = _rates(job, at, [first + i - 1 for i in due])
    means = at.record.windows([(max(0, i - every), i) for i in due])
    return [
        _as_json({"in_epoch": epoch, "step": first + i, **mean, **rate})
        for i, mean, rate in zip(due, means, rates, strict=True)
    ]


def _require_finite_loss(job: Job, at: Standing, before: int) -> None:
    bad = at.record.first_nonfinite(before)
    if bad is not None:
        _require_count(job, at, bad)
        _stop(job, at, "the loss", bad, float(at.record.losses()[bad]))


def _require_count(job: Job, at: Standing, index: int) -> None:
    if at.record.rows[index, 1] == 0:
        raise DataError(
            "Training takes a loss that counts something in every step, got the count 0 at epoch "
            f"{len(at.history) + 1}, step {job.step(at) - len(at.record) + index + 1}.",
            because="a mean over nothing is no number.",
            help="a loss gives (sum, count): return how many examples the sum is over.",
        )


def _require_finite_arrays(job: Job, at: Standing) -> None:
    """A buffer that was given as it is, such as a mask of -inf, is nobody's mistake."""
    given = job.task.model.buffers
    sound = {k: a for k, a in at.state.buffers.items() if nonfinite({k: given[k]}) is None}
    for kind, arrays in (("parameter", at.state.params), ("buffer", sound)):
        found = nonfinite(arrays)
        if found is not None:
            name, value = found
            _stop(job, at, f"the {kind} {name}", len(at.record) - 1, value)


def _stop(job: Job, at: Standing, what: str, index: int, value: float) -> None:
    step = len(at.history) * len(job.batches) + index
    epoch, done = divmod(step, len(job.batches))
    path = job.folder.path if job.folder else None
    by_all(job.writer.wait)
    event = NonFinite(what, epoch + 1, step + 1, job.batches.rows(epoch, done), path)
    told(job, at, "nonfinite", event)
    _require_indices(job, epoch, done)
    raise DataError(
        f"Training takes steps with finite values, got {value} in {what} at epoch {event.epoch}, "
        f"step {event.step}.",
        where=f"{path}, whose last checkpoint is of step {job.saved}" if path else "",
        because=origin(job.runner, job.batches, lambda: _last_saved(job, at), step),
        help=f"a smaller learning rate{_than(job, at, step)}, inputs on a smaller scale, or "
        "optim.chain(optim.clip_grad_norm(1.0), ...).",
    )


def _last_saved(job: Job, at: Standing) -> State:
    """The last state that is kept: of the checkpoint, or that before the first step."""
    if job.folder is None or job.saved < 0:
        return job.runner.init(job.plan.seed)
    arrays = dict(read_checkpoint(job.folder.files.state).arrays)
    arrays.pop("record")
    return at.taking(with_arrays(at.whole(), arrays, str(job.folder.path))).state


def _than(job: Job, at: Standing, step: int) -> str:
    """The learning rates of a step, where they are known."""
    rates = _rates(job, at, (step,))[0].values()
    return f" than {', '.join(map(str, rates))}" if rates else ""


def _require_indices(job: Job, epoch: int, done: int) -> None:
    """Raise if the inputs of a step hold an index that is out of range."""
    inputs = job.batches.inputs_of(epoch, done)
    if inputs is None:
        return
    try:
        job.task.model.look(*inputs)
    except DataError as error:
        raise error.with_notes(because=f"step {done + 1} of epoch {epoch + 1} holds it.") from None


def _farewell(job: Job, at: Standing) -> str:
    epoch = min(len(at.history) + 1, job.plan.epochs)
    where = f"stopped in epoch {epoch} of {job.plan.epochs}, after step {job.step(at)}"
    if job.folder is None:
        return f"{where}; fit had no path to save to, so what was learned is in .run of this."
    given = "".join(f", {name}=..." for name in _given_again(job))
    call = f"train.resume({str(job.folder.path)!r}, model, data{given})"
    return f"{where}; saved. To continue: {call}"


def _given_again(job: Job) -> list[str]:
    """What a folder does not hold, besides the model and the data."""
    needed = {
        "validation": job.validation is not None,
        "loss": not isinstance(job.plan.loss, str),
        "metrics": not all(isinstance(metric, str) for metric in job.plan.metrics),
        "callbacks": any("arguments" not in said for said in job.facts["callbacks"]),
        "optimizer": needs_code(job.plan.optimizer.to_json()),
    }
    return [name for name, is_needed in needed.items() if is_needed]
