"""Metrics of batches: pairs (sum, count) that add up over the parts of a data set."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from tensorem import dtypes, ops
from tensorem.calls import ABOVE_0, called, integer, named, number
from tensorem.errors import ArgumentError
from tensorem.functional import shape
from tensorem.losses import Pair, check_class_form, check_classes, check_indices, l1, mse
from tensorem.shapes import format_shape, require_equal

Array = jax.Array
Metric = Callable[..., Pair]
"""(output, target) -> (sum, count)."""


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
    check_class_form(output, target)
    if not isinstance(target, Tracer) and target.dtype.name in dtypes.INTEGER:
        check_classes(np.asarray(target), output.shape[-1])
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


@called
def top_k_accuracy(output: Array, target: Array, *, k: int = 5) -> Pair:
    """How many rows have the class of the target among their k largest entries.

    Of equal entries the first counts as larger.

    Shapes:
        output (*batch, classes), target (*batch)  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: k is below 1 or above the number of classes, or targets are probabilities.
        DataError: A class is out of range; in a trace it counts as a miss.

    Example:
        >>> top_k_accuracy(jnp.array([[0.5, 0.3, 0.2]]), jnp.array([1]), k=2)
        (Array(1., dtype=float32), Array(1., dtype=float32))
    """
    check_indices(output, target)
    classes = output.shape[-1]
    integer("k", k, 1, classes)
    if not isinstance(target, Tracer):
        check_classes(np.asarray(target), classes)
    index = jnp.expand_dims(target, -1)
    own = jnp.where(jnp.arange(classes) == index, output, 0).sum(-1, keepdims=True)
    ahead = (output > own) | ((output == own) & (jnp.arange(classes) < index))
    within = (ahead.sum(-1) < k) & (target >= 0) & (target < classes)
    return _counted(within)


@called
def squared_error(output: Array, target: Array) -> Pair:
    """The squared differences, per entry: the mean of the pair is the mean squared error.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.

    Example:
        >>> squared_error(jnp.array([1.0, 4.0]), jnp.array([1.0, 2.0]))
        (Array(4., dtype=float32), Array(2., dtype=float32))
    """
    pair: Pair = mse(output, target)
    return pair


@called
def absolute_error(output: Array, target: Array) -> Pair:
    """The absolute differences, per entry: the mean of the pair is the mean absolute error.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.

    Example:
        >>> absolute_error(jnp.array([1.0, 4.0]), jnp.array([1.0, 2.0]))
        (Array(2., dtype=float32), Array(2., dtype=float32))
    """
    pair: Pair = l1(output, target)
    return pair


@called
def perplexity(pair: Pair) -> Array:
    """exp of the mean cross entropy that a pair (sum, count) stands for.

    Example:
        >>> import math
        >>> round(perplexity((jnp.array(4 * math.log(7)), jnp.array(4.0))).item(), 4)
        7.0
    """
    return jnp.exp(pair[0] / pair[1])


@called
def bits_per_byte(pair: Pair, size: float) -> Array:
    """The bits that a byte of a text costs, where a pair (sum, count) is its cross entropy.

    Unlike perplexity, it compares models of different tokens.

    Args:
        size: The bytes of the text whose tokens were counted: `len(text.encode())`.

    Raises:
        ArgumentError: size is not above 0.

    Example:
        >>> import math
        >>> bits_per_byte((jnp.array(4 * math.log(256)), jnp.array(4.0)), size=8).item()
        4.0
    """
    with named("bits_per_byte"):
        number("size", size, ABOVE_0)
    return pair[0] / (math.log(2) * size)


_ALL = (accuracy, binary_accuracy, top_k_accuracy, squared_error, absolute_error)
METRICS: Mapping[str, Metric] = {f.__name__: f for f in _ALL}
"""Every metric of an output and a target by name."""


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
