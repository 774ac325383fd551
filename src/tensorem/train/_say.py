"""The original's reports: lines of text of what `evaluate` and `predict` give, in evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from tensorem import nn

from ._evaluate import evaluate, predict
from ._feed import Data, examples
from ._objective import Score

T = TypeVar("T")
Probe = tuple[str, ArrayLike, int]
"""A name, an input without the axis of the batch, and its class."""


def report_probes(title: str, probes: Iterable[T], line_of: Callable[[T], str]) -> None:
    """Print a title, and a line for each probe.

    Example:
        >>> report_probes("squares", [1, 2], lambda n: f"{n}: {n * n}")
        squares
        1: 1
        2: 4
    """
    print(title)
    for probe in probes:
        print(line_of(probe))


def report_mean_loss(
    label: str, model: nn.Model, data: Data, loss: str | Score = "cross_entropy"
) -> float:
    """Print the mean loss over data, and give it back; the batches need not fit together.

    Raises:
        ShapeError: The data is not what the model takes.
        DataError: A label is no class, a value is not finite.
        ArgumentError: The model is none, or there is no such loss.

    Example:
        >>> model = nn.build(nn.Linear(2, 1), input=("N", 2))
        >>> model = model.load_state_dict({"weight": [[1.0, 1.0]], "bias": [0.0]})
        >>> data = np.array([[1.0, 2.0], [0.0, 1.0]], "f"), np.zeros((2, 1), "f")
        >>> value = report_mean_loss("before", model, data, "mse")
        mean_loss(before) = 5.0
    """
    value = evaluate(model, data, loss, metrics=())["loss"]
    print(f"mean_loss({label}) = {value}")
    return value


def report_class_probes(
    model: nn.Model,
    probes: Iterable[Probe],
    title: str = "predictions",
    include_logits: bool = False,
) -> None:
    """Print the class that a model predicts for each of some named inputs.

    Args:
        probes: (name, input without the axis of the batch, class).
        include_logits: Whether the outputs are printed too.

    Raises:
        ShapeError: An input is not what the model takes.
        ArgumentError: The model is none.

    Example:
        >>> model = nn.build(nn.Linear(2, 2), input=("N", 2))
        >>> model = model.load_state_dict({"weight": [[1.0, 0.0], [0.0, 1.0]], "bias": [0.0, 0.0]})
        >>> report_class_probes(model, [("up", np.array([0.0, 3.0], "f"), 1)])
        predictions
          up: expected=1 predicted=1
    """

    def line(probe: Probe) -> str:
        name, x, expected = probe
        logits = predict(model, np.asarray(x)[np.newaxis])[0]
        said = f"  {name}: expected={expected} predicted={_class(logits)}"
        return f"{said} logits={logits.tolist()}" if include_logits else said

    report_probes(title, probes, line)


def _class(logits: Any) -> int | None:
    """The first of the largest; None where there is none."""
    return int(np.argmax(logits)) if logits.size and not np.isnan(logits).any() else None


def report_loss_accuracy_one_hot(
    label: str, model: nn.Model, data: Data, loss: str | Score = "cross_entropy"
) -> tuple[float, int, int]:
    """Print the mean loss and how many classes are right, and give (loss, right, all) back.

    Args:
        data: Targets are one-hot rows, or classes.

    Raises:
        ShapeError: The data is not what the model takes.
        DataError: A label is no class, a value is not finite.
        ArgumentError: The model is none, or there is no such loss.

    Example:
        >>> model = nn.build(nn.Linear(2, 2), input=("N", 2))
        >>> model = model.load_state_dict({"weight": [[1.0, 0.0], [0.0, 1.0]], "bias": [0.0, 0.0]})
        >>> data = np.array([[3.0, 0.0], [0.0, 3.0]], "f"), np.array([[1.0, 0.0], [1.0, 0.0]], "f")
        >>> report_loss_accuracy_one_hot("test", model, data, "mse")[1:]
        mean_loss(test) = 3.5
        accuracy(test) = 1/2
        (1, 2)
    """
    value = report_mean_loss(label, model, data, loss)
    found = examples(data)
    targets = np.asarray(found.targets)
    logits = predict(model, found.inputs)
    classes = targets.argmax(axis=-1) if targets.shape == logits.shape else targets
    right, total = int((logits.argmax(axis=-1) == classes).sum()), classes.size
    print(f"accuracy({label}) = {right}/{total}")
    return value, right, total
