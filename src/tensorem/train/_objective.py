"""Losses of more than an output and its targets: that see the model, of several parts, weighted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
from jax import Array

from tensorem import losses, metrics
from tensorem.calls import ANY, named, number
from tensorem.errors import ArgumentError, PathError

from ._feed import Inputs
from ._state import Arrays

Pair = losses.Pair
Score = Callable[[Any, Any], Pair]
"""(output, targets) -> (sum over examples, how many): a loss or a metric."""


@dataclass(frozen=True, eq=False)
class View:
    """A model as a loss sees it: called, it is the model with the parameters of this step.

    Args:
        call: inputs -> output; in training as in training, with the draws of the step.
        params: Its parameters, in which the loss is differentiated.
        buffers: Its buffers after the pass over the batch.
        inputs: The batch.
        output: What the model gave for the batch.
    """

    call: Callable[[Inputs], Any]
    params: Arrays
    buffers: Arrays
    inputs: Inputs
    output: Any

    def __call__(self, *inputs: Array) -> Any:
        return self.call(inputs)


def bare(output: Any) -> View:
    """An output alone, for scores that see no more."""
    return View(lambda inputs: None, {}, {}, (), output)


@runtime_checkable
class Seeing(Protocol):
    """A loss or metric that sees the model."""

    def seen(self, view: View, targets: Any, /) -> Pair:
        """The pair of a batch."""
        ...


def valued(score: Score | Seeing, view: View, targets: Any) -> Pair:
    """The pair of a score, whichever kind it is."""
    return score.seen(view, targets) if isinstance(score, Seeing) else score(view.output, targets)


@dataclass(frozen=True)
class Objective:
    """A loss that sees the model: penalties on parameters, gradients in the input, residuals.

    Args:
        function: (model, inputs, targets) -> (sum, count); the model is a `View`, the inputs are a
            tuple where it takes several.

    Raises:
        ArgumentError: It is no function.

    Example:
        >>> import jax
        >>> from tensorem import nn, train
        >>> model = nn.build(nn.Linear(1, 1), input=("N", 1), seed=0)
        >>> def slope(model, x, y):
        ...     slopes = jax.vmap(jax.grad(lambda p: model(p[None])[0, 0]))(x)
        ...     return ((slopes - y) ** 2).sum(), slopes.size
        >>> x = jnp.ones((8, 1))
        >>> run = train.fit(model, (x, 3 * x), Objective(slope), progress="none", epochs=2)
        >>> run.history[1]["loss"] < run.history[0]["loss"]
        True
    """

    function: Callable[[View, Any, Any], Pair]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ArgumentError(f"An Objective takes a function, got {self.function!r}.")

    def seen(self, view: View, targets: Any) -> Pair:
        """The pair of a batch."""
        inputs = view.inputs[0] if len(view.inputs) == 1 else view.inputs
        return self.function(view, inputs, targets)


@dataclass(frozen=True)
class Auxiliary:
    """A loss that a layer leaves in one of its buffers: `self.update(balance=value)` in forward.

    In evaluation it is what training left there last.

    Args:
        buffer: The path of the buffer, as in `model.buffers`.

    Example:
        >>> Auxiliary("experts.balance")
        Auxiliary(buffer='experts.balance')
    """

    buffer: str

    def seen(self, view: View, targets: Any) -> Pair:
        """Its mean, counted once for each example.

        Raises:
            PathError: There is no such buffer.
        """
        if self.buffer not in view.buffers:
            names = ", ".join(view.buffers) or "none"
            raise PathError(f"Auxiliary takes a buffer of {names}, got {self.buffer!r}.")
        count = jnp.asarray(len(view.inputs[0]), jnp.float32)
        return jnp.mean(view.buffers[self.buffer]) * count, count


Part = tuple[str, float, Score | Seeing]
"""The name of a part of a loss, its weight, and the part itself."""


@dataclass(frozen=True)
class Total:
    """Several losses with weights as one; each has a column of the log. Made by `total`."""

    parts: tuple[Part, ...]

    def seen(self, view: View, targets: Any) -> Pair:
        """The sum of the weighted means of a batch, over the count of the first part."""
        pairs = [valued(part, view, targets) for _, _, part in self.parts]
        weights, count = [weight for _, weight, _ in self.parts], pairs[0][1]
        means = (w * s / n for w, (s, n) in zip(weights, pairs, strict=True))
        return jnp.asarray(sum(means)) * count, count


def total(parts: Mapping[str, str | Score | Seeing | tuple[float, str | Score | Seeing]]) -> Total:
    """Several losses by name, each alone or with its weight: their weighted sum is made small.

    Args:
        parts: name -> loss, or (weight, loss).

    Raises:
        ArgumentError: There is no part, or one is no loss.

    Example:
        >>> from tensorem import data, nn, train
        >>> model = nn.build(nn.Linear(4, 3), input=("N", 4))
        >>> def size(model, inputs, targets):
        ...     return (model.params["weight"] ** 2).sum() * len(inputs), len(inputs)
        >>> loss = total({"fit": "cross_entropy", "size": (0.01, Objective(size))})
        >>> run = train.fit(model, data.iris().train, loss, epochs=1, progress="none")
        >>> row = run.history[0]
        >>> abs(row["loss"] - row["fit"] - 0.01 * row["size"]) < 1e-5
        True
    """
    if not isinstance(parts, Mapping) or not parts:
        raise ArgumentError(f"total takes losses by name, got {parts!r}.")
    return Total(tuple(_part(name, given) for name, given in parts.items()))


def _part(name: str, given: Any) -> Part:
    weight, loss = given if isinstance(given, tuple) and len(given) == 2 else (1.0, given)
    with named("total"):
        weight = number(f"the weight of {name}", weight, ANY)
    return name, weight, _score(loss)


def _score(given: Any) -> Any:
    """The function of a name of a loss or metric."""
    if isinstance(given, str):
        return metrics.by_name(given) if given in metrics.METRICS else losses.by_name(given)
    if not callable(given) and not isinstance(given, Seeing):
        raise ArgumentError(f"A loss takes a name or a function, got {given!r}.")
    return given


@dataclass(frozen=True)
class Pick:
    """A loss or metric of one output and one target of several. Made by `pick`."""

    score: Score
    output: int | str | None
    target: int | str | None
    __name__: str

    def __call__(self, output: Any, targets: Any) -> Pair:
        return self.score(_at("output", output, self.output), _at("target", targets, self.target))


def pick(
    score: str | Score, output: int | str | None = None, target: int | str | None = None
) -> Pick:
    """A loss or metric of one output and one target, where there are several.

    Args:
        score: A name, or a function.
        output: The index or key of the output; None where there is one.
        target: The index or key of the target; None where there is one.

    Raises:
        ArgumentError: The score is none; in training, there is no such output or target.

    Example:
        >>> count = pick("accuracy", output="logits", target=0)
        >>> pair = count({"logits": jnp.eye(2), "mean": 0.0}, (jnp.arange(2), jnp.ones(2)))
        >>> float(losses.mean(pair))
        1.0
    """
    found = _score(score)
    name = score if isinstance(score, str) else getattr(score, "__name__", type(score).__name__)
    return Pick(
        found, output, target, "_".join(str(p) for p in (name, output, target) if p is not None)
    )


def _at(kind: str, tree: Any, key: int | str | None) -> Any:
    if key is None:
        return tree
    try:
        return tree[key]
    except (KeyError, IndexError, TypeError):
        names = list(tree) if isinstance(tree, Mapping) else type(tree).__name__
        raise ArgumentError(f"pick takes an {kind} of {names}, got {key!r}.") from None


@dataclass(frozen=True)
class Weighted:
    """A loss that counts each example by its weight. Made by `weighted`."""

    loss: Callable[..., Array]

    def __call__(self, output: Any, targets: Any) -> Pair:
        if not isinstance(targets, tuple) or len(targets) != 2:
            raise ArgumentError(
                f"weighted takes targets (y, weights), got {type(targets).__name__}.",
                help="pass (x, (y, weights)) to train.fit.",
            )
        y, weights = targets
        entries = self.loss(output, y, reduction="none")
        counts = jnp.broadcast_to(
            weights.reshape(weights.shape + (1,) * (entries.ndim - weights.ndim)), entries.shape
        ).astype(entries.dtype)
        return (entries * counts).sum(), counts.sum()


def weighted(loss: str | Callable[..., Any]) -> Weighted:
    """A loss over targets (y, weights): the sum of weight times loss over the sum of the weights.

    Args:
        loss: A name, or a loss that takes `reduction="none"`. Weights of classes are its own
            argument: `functools.partial(losses.cross_entropy, weight=...)`.

    Raises:
        ArgumentError: It is no loss; in training, the targets are no pair.

    Example:
        >>> output, y, weights = jnp.array([[1.0], [3.0]]), jnp.zeros((2, 1)), jnp.array([1, 3])
        >>> pair = weighted("mse")(output, (y, weights))
        >>> float(losses.mean(pair))
        7.0
    """
    return Weighted(_score(loss))
