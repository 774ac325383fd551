"""Functions as callbacks: one for each moment of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorem.calls import integer, named

from ._callback import StepEvent, Watch
from ._run import EpochEvent, NonFinite, Run


def on_train_start(function: Callable[[Run], Any]) -> Watch:
    """Call a function with the run before its first step, or before it goes on.

    Its folder is ours by then, and a new one has no checkpoint yet.
    """
    return Watch("start", function)


def on_step(function: Callable[[StepEvent], Any]) -> Watch:
    """Call a function with each step, in order.

    The steps of a chunk (about half a second of them) are told together once they are done, so that
    the compiled loop is as fast as without.

    Example:
        >>> from tensorem import data, nn, train
        >>> model, losses = nn.build(nn.Linear(4, 3), input=("N", 4)), []
        >>> keep = on_step(lambda step: losses.append(step.loss))
        >>> run = train.fit(model, data.iris().train, epochs=2, progress="none", callbacks=keep)
        >>> len(losses) == run.step
        True
    """
    return Watch("step", function)


def on_epoch_end(function: Callable[[EpochEvent], Any]) -> Watch:
    """Call a function after each epoch, when it is validated and before it is saved.

    Example:
        >>> from tensorem import data, nn, train
        >>> model = nn.build(nn.Linear(4, 3), input=("N", 4))
        >>> tell = on_epoch_end(lambda event: print(event.epoch, sorted(event.row)))
        >>> run = train.fit(model, data.iris().train, epochs=1, progress="none", callbacks=tell)
        1 ['accuracy', 'epoch', 'loss', 'lr', 'step']
    """
    return Watch("epoch", function)


def on_save(function: Callable[[Run], Any]) -> Watch:
    """Call a function with the run after each checkpoint is on the disk.

    It is called by the thread that writes, while training goes on; the run has arrays of its own,
    and the next checkpoint waits for its end.
    """
    return Watch("save", function)


def on_nonfinite(function: Callable[[NonFinite], Any]) -> Watch:
    """Call a function with a `NonFinite` before the run stops with an error."""
    return Watch("nonfinite", function)


def on_train_end(function: Callable[[Run], Any]) -> Watch:
    """Call a function with the run when it is at its end."""
    return Watch("end", function)


def log_loss_every(every: int = 1) -> Watch:
    """Print the loss of every so many steps; 0 prints none.

    Raises:
        ArgumentError: every is below 0.

    Example:
        >>> log_loss_every(2).update((), StepEvent(epoch=1, step=4, scores={"loss": 0.25}))
        step 1:4: loss=0.25
    """
    with named("log_loss_every"):
        every = integer("every", every, 0)

    def print_loss(event: StepEvent) -> None:
        if every and event.step % every == 0:
            print(f"step {event.epoch}:{event.step}: loss={event.loss}")

    return on_step(print_loss)
