"""A model looked at: its scores over data, and its outputs."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike, NDArray

from tensorem import nn
from tensorem.calls import called, integer, named
from tensorem.data import array_of
from tensorem.errors import DataError

from ._checks import checked, checked_inputs
from ._feed import Data, Examples, Inputs, examples, taken
from ._objective import Score, Seeing, View
from ._record import Record
from ._task import Task, as_row, require_model


@called
def evaluate(
    model: nn.Model,
    data: Data,
    loss: str | Score | Seeing = "cross_entropy",
    metrics: tuple[str | Score | Seeing, ...] | None = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """The mean loss and metrics of a model over data, in evaluation.

    Sums and counts of all batches are added before they are divided; the last batch may be smaller.
    A score that counted nothing is NaN.

    Args:
        data: A `Dataset`, or a pair (x, y).
        loss: A name, or a function (output, targets) -> (sum, count).
        metrics: Names or such functions; None takes what is usual for the loss. What is of steps,
            "grad_norm", is left out.
        batch_size: Examples at a time.

    Raises:
        ShapeError: The data is not what the model takes.
        DataError: A label is no class, a value is not finite.
        ArgumentError: batch_size is no positive integer, or the model none.

    Example:
        >>> from tensorem import data, nn
        >>> model = nn.build(nn.Linear(4, 3), input=("N", 4))
        >>> sorted(evaluate(model, data.iris().test))
        ['accuracy', 'loss']
    """
    task = Task(model, loss, metrics)
    with model.precision():
        return scored(task, model, checked(task, examples(data)), batch_size)


def scored(task: Task, model: nn.Model, found: Examples, batch_size: int) -> dict[str, float]:
    """The same for examples that were checked before."""
    rows = []
    for batch in _batches(len(found), batch_size):
        xs = tuple(jnp.asarray(x[batch]) for x in found.inputs)
        output = model.built.evaluate(dict(model.params), dict(model.buffers), xs)
        targets = jax.tree.map(jnp.asarray, taken(found.targets, batch))
        row = _row(task, model, xs, output, targets)
        rows.append(np.asarray(row).tolist())
        if not np.isfinite(rows[-1]).all():
            model.look(*xs)
    return Record(task.score_names, np.asarray(rows, np.float64)).means()


def _row(task: Task, model: nn.Model, xs: Inputs, output: Any, targets: Any) -> Array:
    """The pairs of a batch; a score that sees the model calls it as it is in evaluation."""
    if task.scores.plain == task.scores:
        return task.row(output, targets)
    params, buffers = dict(model.params), dict(model.buffers)

    def call(inputs: Inputs) -> Any:
        return model.built.evaluate(params, buffers, inputs)

    return as_row(task.scores(View(call, params, buffers, xs, output), targets))


@called
def predict(model: nn.Model, x: ArrayLike | tuple[ArrayLike, ...], batch_size: int = 256) -> Any:
    """The outputs of a model for many inputs, a batch at a time, in evaluation.

    Args:
        x: Inputs, one per row; a tuple of them where the model takes several.
        batch_size: Rows at a time.

    Raises:
        ShapeError: The inputs are not what the model takes.
        DataError: The inputs are ragged, hold a value that is not finite, or there are none.
        ArgumentError: batch_size is no positive integer, or the model none.

    Example:
        >>> from tensorem import data, nn
        >>> model = nn.build(nn.Linear(4, 3), input=("N", 4))
        >>> predict(model, data.iris().test.x).shape
        (30, 3)
    """
    require_model(model)
    inputs = tuple(array_of("predict takes", v) for v in (x if isinstance(x, tuple) else (x,)))
    with model.precision():
        return _predicted(model, checked_inputs(model, inputs), batch_size)


def _predicted(model: nn.Model, inputs: tuple[NDArray[Any], ...], batch_size: int) -> Any:
    if len(inputs[0]) == 0:
        raise DataError("predict takes at least one row, got none.")
    parts = []
    for batch in _batches(len(inputs[0]), batch_size):
        parts.append(jax.tree.map(np.asarray, model(*(jnp.asarray(v[batch]) for v in inputs))))
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def _batches(n: int, batch_size: int) -> list[slice]:
    """The rows of each batch; none is made up, for a model or a loss may mix its examples."""
    with named("Evaluation"):
        size = integer("batch_size", batch_size, 1)
    return [slice(start, start + size) for start in range(0, n, size)]
