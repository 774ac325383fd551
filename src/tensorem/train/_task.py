"""A task: a model, the loss that is made small, and the metrics that are looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from inspect import signature
from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tensorem import losses, metrics
from tensorem.dtypes import FLOATING
from tensorem.errors import ArgumentError, ShapeError
from tensorem.layer import Programs, spelled
from tensorem.nn import Layer, Model
from tensorem.ops import translated
from tensorem.shapes import Spec

from ._objective import Part, Score, Seeing, Total, View, bare, valued

Pair = losses.Pair
_COLUMNS = ("epoch", "in_epoch", "step", "lr")
"""What a row of the log says besides scores."""

OF_STEPS = ("grad_norm",)
"""Metrics of a step of training, of which there is none in evaluation: the Euclidean norm of all
its gradients together, before an optimizer clips them."""

_USUAL: dict[str, tuple[str, ...]] = {"cross_entropy": ("accuracy",)}


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be learned.

    Args:
        model: The model, with its initial arrays.
        loss: A name, a function (output, targets) -> (sum, count), or a value such as `total`
            and `Objective` give.
        metrics: Names or such functions; None takes what is usual for the loss. "grad_norm" is that
            of the gradients of a step; in evaluation it is left out.

    Raises:
        ArgumentError: The model is none, a name is unknown or occurs twice, a function has no hash.
        ShapeError: The model takes other things than arrays.
    """

    model: Model
    loss: str | Score | Seeing = "cross_entropy"
    metrics: tuple[str | Score | Seeing, ...] | None = None

    def __post_init__(self) -> None:
        require_model(self.model)
        if self.metrics is None:
            usual = _USUAL.get(self.loss, ()) if isinstance(self.loss, str) else ()
            object.__setattr__(self, "metrics", usual)
        object.__setattr__(self, "metrics", as_tuple(self.metrics))
        _ = self.scores
        if len({*self.names, *_COLUMNS}) < len(self.names) + len(_COLUMNS):
            raise ArgumentError(
                f"metrics takes names that differ, also from loss, {', '.join(_COLUMNS)}, got "
                f"{', '.join(self.names[1:])}.",
                help="a function of one's own is named by its __name__.",
            )

    @property
    def scores(self) -> Scores:
        """The loss, its parts, and the metrics."""
        given = (metric for metric in self.metrics or () if metric not in OF_STEPS)
        metric = (_function("metric", m, metrics.by_name) for m in given)
        parts = (part for _, _, part in _parts(self.loss))
        return Scores((_function("loss", self.loss, losses.by_name), *parts, *metric))

    def reread(self) -> Task:
        """The same task, with the code of the layers as it is now."""
        return replace(self, model=self.model.rebuild())

    @cached_property
    def row(self) -> Callable[[object, Array], Array]:
        """(output, targets) -> the pairs of a batch in one row, compiled as they are read now."""
        scores = self.scores

        def row(output: object, targets: Any) -> Array:
            return as_row(scores(bare(output), targets))

        def own(output: object, targets: Any) -> tuple[Pair, ...]:
            return scores.own(bare(output), targets)

        programs = Programs(scores, lambda: jax.jit(row))

        def run(output: object, targets: Any) -> Array:
            given = output, targets
            program = programs.of(given, lambda: spelled(own, *given)[0])
            result: Array = program(*given)
            return result

        return run

    @property
    def names(self) -> tuple[str, ...]:
        """What a step measures: "loss", its parts, the metrics by their names, those of steps."""
        return (*self.score_names, *self.of_steps)

    @property
    def score_names(self) -> tuple[str, ...]:
        """The names of `scores`: what evaluation measures."""
        parts = (name for name, _, _ in _parts(self.loss))
        given = (metric for metric in self.metrics or () if metric not in OF_STEPS)
        return ("loss", *parts, *map(name_of, given))

    @property
    def of_steps(self) -> tuple[str, ...]:
        """The metrics of steps alone."""
        return tuple(name for name in OF_STEPS if name in (self.metrics or ()))


@dataclass(frozen=True)
class Scores:
    """Several scores as one function: (view, targets) -> a pair for each."""

    functions: tuple[Score | Seeing, ...]

    def __call__(self, view: View, targets: Any) -> tuple[Pair, ...]:
        return tuple(_pair(f, _applied(f, view, targets)) for f in self.functions)

    @property
    def plain(self) -> Scores:
        """Those that see no more than an output and its targets."""
        return Scores(tuple(f for f in self.functions if not isinstance(f, Seeing)))

    @property
    def own(self) -> Scores:
        """Those of the user's own: what is in the tables stays what it is."""
        known: set[Any] = {*losses.LOSSES.values(), *metrics.METRICS.values()}
        return Scores(tuple(f for f in self.functions if f not in known))


def require_model(model: object) -> None:
    """Raise unless this is a model of arrays made by `nn.build`."""
    if not isinstance(model, Model):
        raise ArgumentError(
            f"Training takes a model, got {type(model).__name__}.",
            help="model = nn.build(layer, input=(...))." if isinstance(model, Layer) else "",
        )
    for spec in model.input if isinstance(model.input, tuple) else (model.input,):
        if not isinstance(spec, Spec):
            raise ShapeError(f"Training takes models of arrays, got one that takes {spec}.")


def as_tuple(metrics: object) -> tuple[str | Score | Seeing, ...]:
    """Metrics as they are given, in a tuple.

    Raises:
        ArgumentError: They are none.
    """
    if not isinstance(metrics, tuple | list):
        raise ArgumentError(f"metrics takes a tuple of names or functions, got {metrics!r}.")
    return tuple(metrics)


def name_of(score: object) -> str:
    """The short name of a loss or metric."""
    return score if isinstance(score, str) else getattr(score, "__name__", type(score).__name__)


def full_name(score: object) -> str:
    """What a run records: a name, where a function is defined, or how a value of ours was made."""
    if isinstance(score, str):
        return score
    if is_dataclass(score) and type(score).__module__.startswith("tensorem."):
        made = ", ".join(_said(getattr(score, field.name)) for field in fields(score))
        return f"{type(score).__name__}({made})"
    return f"{getattr(score, '__module__', '?')}.{getattr(score, '__qualname__', name_of(score))}"


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_said, value))})"
    return full_name(value) if callable(value) or isinstance(value, Seeing) else repr(value)


def _parts(loss: object) -> tuple[Part, ...]:
    return loss.parts if isinstance(loss, Total) else ()


def _function(
    kind: str, score: str | Score | Seeing, by_name: Callable[[str], Score]
) -> Score | Seeing:
    if isinstance(score, str):
        return by_name(score)
    if isinstance(score, Seeing):
        require_hash(f"A {kind} takes a function", score)
        return score
    if not callable(score):
        raise ArgumentError(f"A {kind} takes a name or a function, got {score!r}.")
    _require_two(kind, score)
    require_hash(f"A {kind} takes a function", score)
    return score


def _require_two(kind: str, score: Score) -> None:
    """Raise unless a function can be called as a score is."""
    try:
        form = signature(score)
    except ValueError:
        return  # a function that does not say what it takes
    try:
        form.bind(None, None)
    except TypeError as error:
        raise ArgumentError(
            f"A {kind} takes two arguments, (output, targets), got {name_of(score)}{form}.",
            because=f"{error}.",
            help="bind the others first: functools.partial(loss, other=...), or a frozen "
            "dataclass with a __call__.",
        ) from None


def require_hash(what: str, value: object) -> None:
    """Programs are kept by loss, metrics and callbacks, so these stay what they are."""
    try:
        hash(value)
    except TypeError as error:
        raise ArgumentError(
            f"{what} that can be hashed, got {value!r}.",
            because=str(error),
            help="write @dataclass(frozen=True), with fields that can be hashed too.",
        ) from None


def _applied(score: Score | Seeing, view: View, targets: Any) -> object:
    """An error of JAX in a function of the user's is said in our words."""
    with translated(name_of(score), ArgumentError):
        return valued(score, view, targets)


def _pair(score: Score | Seeing, value: Any) -> Pair:
    shapes = [np.shape(v) for v in value] if _has_two_numbers(value) else None
    if shapes != [(), ()]:
        got = f"shapes {shapes[0]} and {shapes[1]}" if shapes else type(value).__name__
        raise ArgumentError(
            f"{name_of(score)} takes its result as (sum, count), two numbers, got {got}.",
            because="a mean is taken once, over all examples; means of batches would be wrong.",
            help="return the sum over the examples, and how many they are.",
        )
    total, count = map(jnp.asarray, value)
    if jnp.iscomplexobj(total) or jnp.iscomplexobj(count):
        raise ArgumentError(
            f"{name_of(score)} takes its result as (sum, count), two real numbers, got "
            f"{total.dtype} and {count.dtype}.",
            because="complex numbers have no order, so none is the smallest.",
            help="return its real part or its absolute value.",
        )
    if total.dtype.name not in FLOATING:
        total = total.astype("float32")
    return total, count


def _has_two_numbers(value: object) -> TypeGuard[tuple[ArrayLike, ArrayLike]]:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))


def as_row(pairs: tuple[Pair, ...]) -> Array:
    """Pairs of sums and counts side by side, at least in float32."""
    dtype = jnp.promote_types(pairs[0][0].dtype, jnp.float32)
    return jnp.stack([jnp.asarray(v, dtype) for pair in pairs for v in pair])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | complex | np.generic | np.ndarray | jax.Array)
