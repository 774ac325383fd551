"""Data against the task, before the first step: shapes, dtypes, values, labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from tensorem import losses, nn
from tensorem.calls import named
from tensorem.dtypes import exactly, is_floating, is_numeric
from tensorem.errors import DataError, DTypeError, ShapeError
from tensorem.shapes import Spec, solve

from ._feed import Examples, Targets
from ._objective import bare
from ._task import Scores, Task


def checked(task: Task, found: Examples, where: str = "data") -> Examples:
    """The examples in the dtypes of the model.

    Raises:
        ShapeError: An input or target has another shape than the model or the loss takes.
        DTypeError: A dtype does not fit.
        DataError: A value is not finite, or a label is no class.
    """
    found = _in_order(task.model, found, where)
    inputs = checked_inputs(task.model, found.inputs, where)
    output = _output(task, inputs)

    def converted(target: NDArray[Any]) -> NDArray[Any]:
        return _converted(target, _target_dtype(output, target), f"{where}, y")

    targets = jax.tree.map(converted, found.targets)
    _check_targets(task, inputs, targets, where)
    for target in jax.tree.leaves(targets):
        _check_finite(target, f"{where}, y")
    return Examples(inputs, targets)


def _in_order(model: nn.Model, found: Examples, where: str) -> Examples:
    """The same with inputs that were given by name in the order of the arguments of forward."""
    if not found.names:
        return found
    specs = model.input if isinstance(model.input, tuple) else (model.input,)
    takes = tuple(signature(model.layer.forward).parameters)[: len(specs)]
    if set(found.names) != set(takes):
        raise DataError(
            f"The model takes inputs named {', '.join(takes)}, got {', '.join(found.names)}.",
            where=where,
        )
    by_name = dict(zip(found.names, found.inputs, strict=True))
    return Examples(tuple(by_name[name] for name in takes), found.targets)


@dataclass(frozen=True)
class Span:
    """The values of a target that were seen so far, and the dtype that it is held in."""

    least: Any
    greatest: Any
    dtype: str

    def holds(self, target: NDArray[Any]) -> bool:
        """Whether a target lies within; one that is no number does not."""
        return bool(self.least <= target.min() and target.max() <= self.greatest)

    def over(self, target: NDArray[Any]) -> Span:
        """The span of both."""
        least, greatest = min(self.least, target.min()), max(self.greatest, target.max())
        return Span(least, greatest, self.dtype)


@dataclass(frozen=True, eq=False)
class Checks:
    """`checked` for one batch after another.

    The loss and the metrics look again where examples have a form that they have not seen, or a
    target beyond those that they have; they are traced for it, which takes longer than a step.
    """

    task: Task
    seen: dict[Any, tuple[Span, ...]] = field(default_factory=dict)

    def __call__(self, found: Examples, where: str) -> Examples:
        """The batch in the dtypes of the model."""
        found = _in_order(self.task.model, found, where)
        ys, tree = jax.tree.flatten(found.targets)
        form = (tree, *((a.shape[1:], a.dtype) for a in (*found.inputs, *ys)))
        known = self.seen.get(form)
        if known and all(span.holds(y) for span, y in zip(known, ys, strict=True)):
            inputs = checked_inputs(self.task.model, found.inputs, where)
            dtypes = iter(span.dtype for span in known)
            held = [_converted(y, next(dtypes), f"{where}, y") for y in ys]
            return Examples(inputs, jax.tree.unflatten(tree, held))
        good = checked(self.task, found, where)
        spans = known or [
            Span(y.min(), y.max(), held.dtype.name)
            for y, held in zip(ys, jax.tree.leaves(good.targets), strict=True)
        ]
        self.seen[form] = tuple(span.over(y) for span, y in zip(spans, ys, strict=True))
        return good


def checked_inputs(
    model: nn.Model, inputs: tuple[NDArray[Any], ...], where: str = ""
) -> tuple[NDArray[Any], ...]:
    """The inputs in the dtypes of the model; the names of its sizes have one value throughout."""
    specs = model.input if isinstance(model.input, tuple) else (model.input,)
    if len(inputs) != len(specs):
        raise ShapeError(f"The model takes {len(specs)} inputs, got {len(inputs)}.", where=where)
    found, sizes = [], dict[str, int]()
    for number, (spec, x) in enumerate(zip(specs, inputs, strict=True)):
        name = "x" if len(specs) == 1 else f"x[{number}]"
        at = f"{where}, {name}" if where else name
        sizes |= _sizes(spec, x, sizes, at)
        found.append(_converted(x, spec.dtype, at))
        _check_finite(found[-1], at)
    return tuple(found)


def _sizes(spec: Spec, x: NDArray[Any], sizes: dict[str, int], where: str) -> dict[str, int]:
    try:
        with named("The model"):
            return solve(spec.bind(sizes).shape, x.shape)
    except ShapeError as error:
        raise error.with_notes(where=where, help=_help(spec, x)) from None


def _help(spec: Spec, x: NDArray[Any]) -> str:
    shape = spec.shape
    if isinstance(shape, tuple) and shape and isinstance(shape[0], int):
        return "the first size counts examples: give it a name, nn.build(layer, ('N', ...))."
    return ""


def _converted(array: NDArray[Any], dtype: str, where: str) -> NDArray[Any]:
    """The array in a dtype that holds all of its values."""
    if not is_numeric(array.dtype):
        raise DTypeError(
            f"A model takes numbers, got {array.dtype}.",
            where=where,
            help="of names of classes make numbers: np.unique(y, return_inverse=True)[1].",
        )
    try:
        with named("The model"):
            held: NDArray[Any] = exactly(array, dtype)
    except DTypeError as error:
        raise error.with_notes(where=where) from None
    return held


def _check_finite(array: NDArray[Any], where: str) -> None:
    if not is_floating(array.dtype) or np.isfinite(array).all():
        return
    at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    bad = int((~np.isfinite(array.reshape(len(array), -1))).any(axis=1).sum())
    raise DataError(
        f"Training takes finite numbers, got {array[at]} in example {at[0]}.",
        where=where,
        because=f"{bad} of {len(array)} examples hold such a value." if bad > 1 else "",
        help="remove these examples, or replace the values.",
    )


def _target_dtype(output: Any, target: NDArray[Any]) -> str:
    """Class numbers stay what they are; numbers to be met take the dtype of the output."""
    exact = target.dtype.kind in "biu" or not isinstance(output, jax.ShapeDtypeStruct)
    name: str = target.dtype.name if exact else output.dtype.name
    return name


def _output(task: Task, inputs: tuple[NDArray[Any], ...]) -> Any:
    """What the model gives for all examples at once, without computing it."""
    model = task.model
    specs = model.input if isinstance(model.input, tuple) else (model.input,)
    xs = [jax.ShapeDtypeStruct(x.shape, s.dtype) for x, s in zip(inputs, specs, strict=True)]
    program: Any = model.built.evaluate  # a jitted function, which remembers its shapes
    return program.eval_shape(dict(model.params), dict(model.buffers), tuple(xs))


def _check_targets(
    task: Task, inputs: tuple[NDArray[Any], ...], targets: Targets, where: str
) -> None:
    """The loss and the metrics say themselves what they take."""
    output = _output(task, inputs)
    try:
        plain = task.scores.plain
        unseen = plain.functions
        if isinstance(task.loss, str):
            losses.check_targets(
                task.loss, _one_array(task.loss, output), _one_target(task.loss, targets)
            )
            unseen = unseen[1:]
        form = jax.tree.map(lambda y: jax.ShapeDtypeStruct(y.shape, y.dtype), targets)
        jax.eval_shape(lambda output, y: plain.own(bare(output), y), output, form)
        _see_values(Scores(unseen), output, targets)
    except (ShapeError, DTypeError, DataError) as error:
        place = f"{where}, y" if not error.where else f"{where}, y: {error.where}"
        raise type(error)(error.what, where=place, because=error.because, help=error.help) from None


def _see_values(scores: Scores, output: object, targets: Targets) -> None:
    """A trace in which the targets are values, so that a score sees what it refuses in them."""
    values = jax.tree.map(jnp.asarray, targets)
    jax.eval_shape(lambda y: scores(bare(y), values), output)


def _one_target(loss: str, targets: Targets) -> NDArray[Any]:
    if isinstance(targets, np.ndarray):
        return targets
    raise ShapeError(
        f"{loss} takes one array of targets, got {len(jax.tree.leaves(targets))}.",
        help="train.pick(loss, target=...), train.weighted(loss), train.total({...}).",
    )


def _one_array(loss: str, output: object) -> Spec:
    if isinstance(output, jax.ShapeDtypeStruct):
        return Spec(output.shape, output.dtype.name)
    raise ShapeError(
        f"{loss} takes one output, got {len(jax.tree.leaves(output))}.",
        help="pass a loss of your own: (outputs, targets) -> (sum, count).",
    )
