"""Losses of several outputs at once: how near they are to each other, and which comes first."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from tensorem import ops
from tensorem.calls import AT_LEAST_0, among, called, flag, number
from tensorem.errors import ShapeError
from tensorem.functional import shape
from tensorem.shapes import format_shape

from ._check import check_alike
from ._reduce import Reduced, Reduction, reduced

Array = jax.Array

_NO_LENGTH = 1e-12
"""Added to a squared length before its root is taken, as in PyTorch."""


@called
def cosine_embedding(
    x1: Array, x2: Array, target: Array, *, margin: float = 0.0, reduction: Reduction = "pair"
) -> Reduced:
    """1 - cos(x1, x2) for targets 1, max(0, cos(x1, x2) - margin) for targets -1, per row.

    Shapes:
        x1, x2 (*batch, features), target (*batch)  ->  sum (), count ()

    Args:
        target: 1 for rows that belong together, -1 for all others.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: margin is no finite number, or there is no such reduction.

    Example:
        >>> x = jnp.array([[1.0, 0.0]])
        >>> cosine_embedding(x, -x, jnp.array([1.0]), reduction="sum").item()
                2.0
    """
    check_alike(x1, x2)
    _require_rows(x1, target)
    lengths = ops.mul(_squares(x1, _NO_LENGTH), _squares(x2, _NO_LENGTH))
    cos = ops.div(_dot(x1, x2), ops.sqrt(lengths))
    apart = ops.relu(ops.sub(cos, jnp.full_like(cos, number("margin", margin))))
    together = ops.sub(jnp.ones_like(cos), cos)
    positive = ops.greater(target, jnp.zeros_like(target))
    return reduced(ops.where(positive, together, apart), reduction)


@called
def triplet_margin(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float = 1.0,
    p: int = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: Reduction = "pair",
) -> Reduced:
    """max(0, |a - p| - |a - n| + margin), per row, for p-norms.

    Shapes:
        anchor, positive, negative (*batch, features), equal  ->  sum (), count ()

    Args:
        p: 1 or 2.
        eps: Added to every difference.
        swap: Whether |p - n| takes the place of |a - n| where it is smaller.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: p is neither 1 nor 2, margin no finite number, or there is no such
            reduction.

    Example:
        >>> a, b = jnp.zeros((1, 2)), jnp.ones((1, 2))
        >>> triplet_margin(a, a, b, margin=2.0, p=1, eps=0.0, reduction="sum").item()
        0.0

    Source:
        Balntas et al. 2016, equations 1 and 3.
    """
    check_alike(anchor, positive)
    check_alike(anchor, negative)
    among("p", p, (1, 2))
    near, far = _apart(anchor, positive, p, eps), _apart(anchor, negative, p, eps)
    number("eps", eps, AT_LEAST_0)
    if flag("swap", swap):
        far = ops.minimum(far, _apart(positive, negative, p, eps))
    gap = ops.add(ops.sub(near, far), jnp.full_like(near, number("margin", margin)))
    return reduced(ops.relu(gap), reduction)


@called
def margin_ranking(
    x1: Array, x2: Array, target: Array, *, margin: float = 0.0, reduction: Reduction = "pair"
) -> Reduced:
    """max(0, -target (x1 - x2) + margin), per entry.

    Shapes:
        x1, x2, target (...), equal  ->  sum (), count ()

    Args:
        target: 1 where x1 should be the greater one, -1 where x2 should.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: margin is no finite number, or there is no such reduction.

    Example:
        >>> margin_ranking(jnp.ones(1), jnp.zeros(1), jnp.array([-1.0]), reduction="sum").item()
        1.0
    """
    check_alike(x1, x2)
    check_alike(x1, target)
    gap = ops.sub(jnp.full_like(x1, number("margin", margin)), ops.mul(target, ops.sub(x1, x2)))
    return reduced(ops.relu(gap), reduction)


@called
def hinge_embedding(
    output: Array, target: Array, *, margin: float = 1.0, reduction: Reduction = "pair"
) -> Reduced:
    """The output for targets 1, max(0, margin - output) for targets -1, per entry.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Args:
        output: Distances.
        target: 1 for what belongs together, -1 for all else.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: margin is no finite number, or there is no such reduction.

    Example:
        >>> far, sides = jnp.array([0.25, 0.25]), jnp.array([1.0, -1.0])
        >>> hinge_embedding(far, sides, reduction="none").tolist()
        [0.25, 0.75]
    """
    check_alike(output, target)
    apart = ops.relu(ops.sub(jnp.full_like(output, number("margin", margin)), output))
    positive = ops.greater(target, jnp.zeros_like(target))
    return reduced(ops.where(positive, output, apart), reduction)


def _require_rows(x: Array, target: Array) -> None:
    if x.ndim < 1 or shape(target) != shape(x)[:-1]:
        raise ShapeError(
            f"takes a target for each row of {format_shape(shape(x))}, got "
            f"{format_shape(shape(target))}."
        )


def _dot(x: Array, y: Array) -> Array:
    product: Array = ops.sum(ops.mul(x, y), dims=(x.ndim - 1,))
    return product


def _squares(x: Array, more: float) -> Array:
    total = ops.sum(ops.square(x), dims=(x.ndim - 1,))
    longer: Array = ops.add(total, jnp.full_like(total, more))
    return longer


def _apart(x: Array, y: Array, p: int, eps: float) -> Array:
    """The p-norm of x - y + eps; its derivative is 0 where it is 0."""
    d = ops.add(ops.sub(x, y), jnp.full_like(x, eps))
    if p == 1:
        return ops.sum(ops.abs(d), dims=(x.ndim - 1,))
    total = ops.sum(ops.square(d), dims=(x.ndim - 1,))
    none = ops.equal(total, jnp.zeros_like(total))
    root = ops.sqrt(ops.where(none, jnp.ones_like(total), total))
    return ops.where(none, jnp.zeros_like(total), root)
