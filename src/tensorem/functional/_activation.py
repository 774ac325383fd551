"""Functions of one variable, entry by entry, and the softmaxes along an axis."""

from __future__ import annotations

from typing import Any

from tensorem import ops
from tensorem.shapes import rules

from ._shape import checked, shape

Array = Any


def relu(x: Array) -> Array:
    """max(x, 0); the derivative at 0 is 0."""
    return ops.relu(x)


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """x where x > 0, negative_slope x elsewhere."""
    return ops.leaky_relu(x, negative_slope=float(negative_slope))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return ops.tanh(x)


def softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    return ops.softplus(x)


@checked
def softmax(x: Array, dim: int) -> Array:
    """exp(x) divided by its sum along an axis.

    Shapes:
        (...)  ->  the same
    """
    rules.softmax(shape(x), dim)
    return ops.softmax(x, dim=dim)


@checked
def log_softmax(x: Array, dim: int) -> Array:
    """The logarithm of `softmax`, without overflow.

    Shapes:
        (...)  ->  the same
    """
    rules.softmax(shape(x), dim)
    return ops.log_softmax(x, dim=dim)
