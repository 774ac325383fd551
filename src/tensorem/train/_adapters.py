"""A run told to what others keep: TensorBoard, Weights & Biases, MLflow."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from tensorem.calls import integer, named
from tensorem.disk import path_of
from tensorem.errors import ArgumentError, FileError

from ._callback import StepEvent, Watch
from ._run import EpochEvent
from ._watch import on_epoch_end, on_step, on_train_end

Tell = Callable[[dict[str, float], int], object]
"""(numbers by name, step) -> nothing."""


def log_to(target: Any, every: int | None = None) -> tuple[Watch, ...]:
    """Callbacks that tell the numbers of a run to an object that the user made.

    The row of each epoch goes there under its own names, and of every so many steps the scores of
    the batch as "step_loss", ...; a step that a resumed run takes again is told again. Nothing
    is imported and nothing is contacted but by the object itself.

    Args:
        target: A run of W&B (`log(numbers, step=)`), MLflow (`log_metrics(numbers, step=)`), or a
            SummaryWriter of TensorBoard (`add_scalar(name, number, step)`).
        every: Steps between those that are told; None tells epochs alone.

    Raises:
        ArgumentError: The target is none of these, or every is no positive integer.

    Example:
        >>> from tensorem import data, nn, train
        >>> class Mine:
        ...     def log(self, numbers, step):
        ...         print(step, sorted(numbers))
        >>> model = nn.build(nn.Linear(4, 3), input=("N", 4))
        >>> run = train.fit(model, data.iris().train, epochs=2, progress="none",
        ...                 callbacks=log_to(Mine()))
        4 ['accuracy', 'loss', 'lr']
        8 ['accuracy', 'loss', 'lr']
    """
    tell = _tell(target)

    def tell_epoch(event: EpochEvent) -> None:
        row = {k: v for k, v in event.row.items() if k not in ("epoch", "step") and v is not None}
        tell(row, event.steps)

    if every is None:
        return (on_epoch_end(tell_epoch),)
    with named("log_to"):
        every = integer("every", every, 1)

    def tell_step(event: StepEvent) -> None:
        if event.step % every == 0:
            tell({f"step_{name}": value for name, value in event.scores.items()}, event.step)

    return on_step(tell_step), on_epoch_end(tell_epoch)


def tensorboard(folder: str | Path, every: int | None = None) -> tuple[Watch, ...]:
    """Callbacks that write the numbers of a run into a folder for TensorBoard, as `log_to` says.

    Raises:
        FileError: tensorboardX is not installed, or the folder cannot be written.
        ArgumentError: every is no positive integer.

    Example:
        >>> told = tensorboard("logs", every=10)  # doctest: +SKIP
        >>> run = train.fit(model, data, callbacks=told)  # doctest: +SKIP
    """
    writer = _writer(path_of(folder))
    flush = on_epoch_end(lambda event: writer.flush())
    return *log_to(writer, every), flush, on_train_end(lambda run: writer.close())


def _writer(folder: Path) -> Any:
    try:
        made = import_module("tensorboardX").SummaryWriter
    except ImportError as error:
        raise FileError(
            "TensorBoard's files take tensorboardX, which is not installed.",
            help='pip install "tensorem[tensorboard]"',
        ) from error
    try:
        return made(str(folder))
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"TensorBoard's files cannot be written to {folder}: {reason}.") from error


def _tell(target: Any) -> Tell:
    if callable(add := getattr(target, "add_scalar", None)):
        return lambda numbers, step: [add(name, v, step) for name, v in numbers.items()]
    for method in ("log_metrics", "log"):
        if callable(log := getattr(target, method, None)):
            return lambda numbers, step: log(numbers, step=step)
    raise ArgumentError(
        f"log_to takes a run of W&B, mlflow or a SummaryWriter, got {target!r}.",
        help='wandb.init(...) of pip install "tensorem[wandb]", or mlflow of "tensorem[mlflow]".',
    )
