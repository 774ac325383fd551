"""A model looked at: its scores over data, and its outputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import nn
from tensorem.data import array_of
from tensorem.errors import ArgumentError, DataError

from ._checks import checked, checked_inputs
from ._feed import Examples, examples
from ._record import Record
from ._state import Array, Arrays
from ._step import as_row
from ._task import Score, Scores, Task, require_model


def evaluate(
    model: nn.Model,
    data: Any,
    loss: str | Score = "cross_entropy",
    metrics: tuple[str | Score, ...] | None = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """The mean loss and metrics of a model over data, in evaluation.

    The last batch is filled up with rows of weight 0; so the means are those of the data alone,
    and NaN where a score counted nothing.

    Args:
        data: A `Dataset`, or a pair (x, y).
        loss: A name, or a function (output, targets) -> (sum, count).
        metrics: Names or such functions; None takes what is usual for the loss.
        batch_size: Examples at a time.

    Raises:
        ShapeError: The data is not what the model takes.
        DataError: A label is no class, a value is not finite.

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
    score = _scorer(model.layer, task.scores)
    rows = []
    for chosen, real in _batches(len(found), batch_size):
        xs = tuple(jnp.asarray(x[chosen]) for x in found.inputs)
        weights = jnp.asarray(real)
        row = score(model.params, model.buffers, xs, jnp.asarray(found.targets[chosen]), weights)
        rows.append(np.asarray(row).tolist())
        if not np.isfinite(rows[-1]).all():
            model.look(*xs)
    return Record(task.names, np.asarray(rows)).means()


def predict(model: nn.Model, x: Any, batch_size: int = 256) -> Any:
    """The outputs of a model for many inputs, a batch at a time, in evaluation.

    Args:
        x: Inputs, one per row; a tuple of them where the model takes several.
        batch_size: Rows at a time.

    Raises:
        ShapeError: The inputs are not what the model takes.
        DataError: The inputs are ragged, hold a value that is not finite, or there are none.

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


def _predicted(model: nn.Model, inputs: tuple[Any, ...], batch_size: int) -> Any:
    if len(inputs[0]) == 0:
        raise DataError("predict takes at least one row, got none.")
    parts = []
    for chosen, real in _batches(len(inputs[0]), batch_size):
        y = model(*(jnp.asarray(v[chosen]) for v in inputs))
        parts.append(jax.tree.map(lambda a, real=real: np.asarray(a)[real], y))
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def _batches(n: int, batch_size: int) -> list[tuple[Any, Any]]:
    """Rows and weights of equal batches; what fills the last one up has weight 0."""
    if type(batch_size) is not int or batch_size < 1:
        raise ArgumentError(f"Evaluation takes a batch_size of at least 1, got {batch_size!r}.")
    size = min(batch_size, n)
    batches = [np.arange(start, start + size) for start in range(0, n, size)]
    return [(np.where(rows < n, rows, 0), rows < n) for rows in batches]


@lru_cache(maxsize=32)
def _scorer(layer: nn.Layer, scores: Scores) -> Callable[..., Array]:
    """(params, buffers, inputs, targets, weights) -> the pairs of a batch in one row."""

    def of_one(output: Any, target: Array) -> Array:
        single = jax.tree.map(lambda a: a[jnp.newaxis], (output, target))
        return as_row(scores(*single))

    def score(
        params: Arrays, buffers: Arrays, inputs: Any, targets: Array, weights: Array
    ) -> Array:
        output, _ = layer.call((params, buffers), *inputs)
        each = jax.vmap(of_one)(output, targets)
        return jnp.where(weights[:, jnp.newaxis], each, 0).sum(axis=0)

    return jax.jit(score)
