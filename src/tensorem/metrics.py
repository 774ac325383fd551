"""Metrics: what a reader wants to know about outputs and targets, as a pair (sum, count)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from tensorem import dtypes, ops
from tensorem.calls import called
from tensorem.errors import ArgumentError
from tensorem.functional import shape
from tensorem.losses import check_class_form, check_classes
from tensorem.shapes import format_shape, require_equal

Array = Any
Pair = tuple[Array, Array]
Metric = Callable[[Array, Array], Pair]


@called
def accuracy(output: Array, target: Array) -> Pair:
    """How many rows have their largest entry, the first of equals, at the class of the target.

    Shapes:
        output (*batch, classes), target (*batch) or (*batch, classes)  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The target holds no numbers.
        DataError: A class is out of range; in a trace it counts as a miss.

    Example:
        >>> accuracy(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1]))
        (Array(1., dtype=float32), Array(2., dtype=float32))
    """
    check_class_form("accuracy", output, target)
    if not isinstance(target, Tracer) and target.dtype.name in dtypes.INTEGER:
        check_classes("accuracy", np.asarray(target), output.shape[-1])
    classes = ops.argmax(target, dim=-1) if target.dtype.name in dtypes.FLOATING else target
    said = ops.argmax(output, dim=-1)
    return _counted(ops.equal(said, ops.cast(classes, dtype=said.dtype.name)))


@called
def binary_accuracy(output: Array, target: Array) -> Pair:
    """How many logits have the sign of their bit: above 0 for targets above 1/2.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Raises:
        ShapeError: The shapes differ.

    Example:
        >>> binary_accuracy(jnp.array([2.0, -1.0]), jnp.array([1.0, 1.0]))
        (Array(1., dtype=float32), Array(2., dtype=float32))
    """
    form = f"{format_shape(shape(output))} and {format_shape(shape(target))}"
    what = f"binary_accuracy takes an output and a target of equal shapes, got {form}."
    require_equal(shape(target), shape(output), what)
    yes = ops.greater(output, jnp.zeros_like(output))
    return _counted(ops.equal(yes, ops.greater(target, jnp.full_like(target, 0.5))))


METRICS: dict[str, Metric] = {f.__name__: f for f in (accuracy, binary_accuracy)}
"""Every metric by name."""


def by_name(name: str) -> Metric:
    """The metric of a name.

    Raises:
        ArgumentError: There is none.

    Example:
        >>> by_name("accuracy") is accuracy
        True
    """
    if name not in METRICS:
        raise ArgumentError(f"A metric takes a name of {', '.join(METRICS)}, got {name!r}.")
    return METRICS[name]


def _counted(right: Array) -> Pair:
    ones = ops.cast(right, dtype="float32")
    return ops.sum(ones, dims=tuple(range(ones.ndim))), jnp.asarray(ones.size, "float32")


__all__ = ["METRICS", "Metric", "Pair", "accuracy", "binary_accuracy", "by_name"]
