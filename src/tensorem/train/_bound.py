"""The original's runner: a task with its parameters and a mode, as a value over the one engine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tensorem import nn, optim, rand
from tensorem.calls import integer, named
from tensorem.errors import ArgumentError

from ._checks import checked
from ._evaluate import predict as predicted
from ._evaluate import scored
from ._feed import Data, examples, feed
from ._find import stepped
from ._objective import View
from ._runner import Runner
from ._state import Arrays
from ._task import Task

Mode = Literal["train", "eval"]


def regression(model: nn.Model) -> Task:
    """The task to meet numbers: mean squared error.

    Example:
        >>> regression(nn.build(nn.Linear(4, 1), input=("N", 4))).loss
        'mse'
    """
    return Task(model, "mse")


def classification(model: nn.Model) -> Task:
    """The task to tell classes: cross entropy, of class numbers or of one row of weights each.

    Example:
        >>> classification(nn.build(nn.Linear(4, 3), input=("N", 4))).names
        ('loss', 'accuracy')
    """
    return Task(model, "cross_entropy")


@dataclass(frozen=True)
class FitConfig:
    """How many steps are trained, and how.

    Args:
        steps: Updates of the parameters, each by one batch.
        optimizer: How gradients move the parameters.
        batch_size: Examples in a step.
        seed: Where the order of the examples and every draw come from.

    Raises:
        ArgumentError: A value out of its range.
    """

    steps: int
    optimizer: optim.Optimizer = field(default_factory=lambda: optim.sgd(0.01))
    batch_size: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        with named("FitConfig"):
            integer("steps", self.steps, 1)

    def steps_of(self, per_epoch: int) -> int:
        """How many steps are trained."""
        return self.steps


@dataclass(frozen=True)
class LoaderFitConfig:
    """How many epochs are trained, and how: see `FitConfig`.

    Raises:
        ArgumentError: A value out of its range.
    """

    epochs: int
    optimizer: optim.Optimizer = field(default_factory=lambda: optim.sgd(0.01))
    batch_size: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        with named("LoaderFitConfig"):
            integer("epochs", self.epochs, 1)

    def steps_of(self, per_epoch: int) -> int:
        """How many steps are trained."""
        return self.epochs * per_epoch


def steps(count: int) -> FitConfig:
    """So many steps of plain gradient descent.

    Example:
        >>> steps(100).steps
        100
    """
    return FitConfig(count)


def epochs(count: int) -> LoaderFitConfig:
    """So many epochs of plain gradient descent.

    Example:
        >>> epochs(3).epochs
        3
    """
    return LoaderFitConfig(count)


@dataclass(frozen=True)
class FitReport:
    """The mean loss over the data, in evaluation, before and after training.

    Args:
        before: That of the parameters as they were.
        after: That of the trained ones.
    """

    before: float
    after: float


@dataclass(frozen=True, eq=False)
class TaskRunner:
    """A task with its parameters and a mode: a value, so that `fit` gives another one.

    Made by `instantiate`. In mode "train" dropout draws and BatchNorm uses the batch; losses and
    accuracies of data are always those of evaluation.

    Args:
        task: The model with its parameters, the loss and the metrics.
        mode: "train" or "eval".
        seed: Where the draws of mode "train" come from.

    Raises:
        ArgumentError: There is no such mode.

    Example:
        >>> from tensorem import data
        >>> iris = data.iris()
        >>> runner = instantiate(classification(nn.build(nn.Linear(4, 3), input=("N", 4))))
        >>> runner, report = runner.fit(iris.train, epochs(2))
        >>> report.after < report.before
        True
        >>> runner.predict_class(iris.test.x[0]) in (0, 1, 2)
        True
    """

    task: Task
    mode: Mode = "eval"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.mode not in ("train", "eval"):
            raise ArgumentError(f"A TaskRunner takes mode of train, eval, got {self.mode!r}.")

    @property
    def params(self) -> Arrays:
        """The parameters by their names."""
        return dict(self.task.model.params)

    @property
    def is_training(self) -> bool:
        """Whether the mode is "train"."""
        return self.mode == "train"

    def with_mode(self, mode: Mode) -> TaskRunner:
        """The same in a mode; this one stays as it is, so nothing is to be put back."""
        return replace(self, mode=mode)

    def train_mode(self) -> TaskRunner:
        """The same in mode "train"."""
        return self.with_mode("train")

    def eval_mode(self) -> TaskRunner:
        """The same in mode "eval"."""
        return self.with_mode("eval")

    def predict_batch(self, x: Any) -> Any:
        """The outputs for a batch of inputs, in the mode of this runner."""
        if not self.is_training:
            return predicted(self.task.model, x)
        model, xs = self.task.model, x if isinstance(x, tuple) else (x,)
        key, params, buffers = rand.jax_key(self.seed), self.params, dict(model.buffers)
        return model.train_apply(params, buffers, *map(jnp.asarray, xs), key=key)[0]

    def predict(self, x: Any) -> Any:
        """The output for one input, in the mode of this runner."""
        xs = x if isinstance(x, tuple) else (x,)
        output = self.predict_batch(tuple(np.asarray(v)[np.newaxis] for v in xs))
        return jax.tree.map(lambda y: y[0], output)

    def predict_class(self, x: Any) -> int:
        """The class with the greatest output for one input."""
        return int(np.argmax(self.predict(x)))

    def mean_loss(self, data: Data) -> float:
        """The mean loss over data, in evaluation."""
        return self._scored(self.task, data)["loss"]

    def accuracy(self, data: Data) -> tuple[int, int]:
        """How many examples are classified correctly, of how many."""
        found = examples(data)
        share = self._scored(Task(self.task.model, self.task.loss, ("accuracy",)), found)
        return round(share["accuracy"] * len(found)), len(found)

    def backward(self, x: Any, y: Any) -> tuple[Arrays, TaskRunner]:
        """The gradients of the mean loss of a batch as in training, and the runner after it.

        What a pass in training changes (running statistics) is changed in the runner after it.
        """
        task, model = self.task, self.task.model
        found = checked(task, examples((x, y)), "batch")
        xs, targets = jax.tree.map(jnp.asarray, (found.inputs, found.targets))
        key, buffers = rand.jax_key(self.seed), dict(model.buffers)

        def loss(params: Arrays) -> tuple[Array, Arrays]:
            output, after = model.train_apply(params, buffers, *xs, key=key)

            def call(inputs: Any) -> Any:
                return model.train_apply(params, buffers, *inputs, key=key)[0]

            total, count = task.scores(View(call, params, after, xs, output), targets)[0]
            return total / count, after

        with model.precision():
            grads, after = jax.grad(loss, has_aux=True)(self.params)
        return grads, self._with(model.replace(buffers=after))

    def fit(self, data: Data, config: FitConfig | LoaderFitConfig) -> tuple[TaskRunner, FitReport]:
        """The runner after training, and the mean losses before and after.

        Each step is one update by the mean over a batch, of data in the order of `fit`.

        Raises:
            DataError: A value or label is wrong.
        """
        runner = Runner(self.task, config.optimizer)
        with self.task.model.precision():
            batches = feed(checked(self.task, examples(data)), config.batch_size, config.seed)
            state, _ = stepped(
                runner, runner.init(config.seed), batches, config.steps_of(len(batches))
            )
        after = self._with(self.task.model.replace(params=state.params, buffers=state.buffers))
        return after, FitReport(self.mean_loss(data), after.mean_loss(data))

    def _with(self, model: nn.Model) -> TaskRunner:
        return replace(self, task=replace(self.task, model=model))

    def _scored(self, task: Task, data: Data) -> dict[str, float]:
        with task.model.precision():
            return scored(task, task.model, checked(task, examples(data)), 256)


def instantiate(task: Task, seed: int = 0) -> TaskRunner:
    """A runner of a task, in mode "eval".

    Raises:
        ArgumentError: It is no task.

    Example:
        >>> instantiate(regression(nn.build(nn.Linear(4, 1), input=("N", 4)))).mode
        'eval'
    """
    if not isinstance(task, Task):
        raise ArgumentError(
            f"instantiate takes a task, got {type(task).__name__}.", help="train.Task(model, loss)."
        )
    return TaskRunner(task, seed=seed)
