"""Losses of classes and of bits: cross entropies, likelihoods, margins."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from tensorem import dtypes, ops
from tensorem.calls import FROM_0_TO_1, among, called, number
from tensorem.errors import ArgumentError, ShapeError
from tensorem.functional import broadcast, shape
from tensorem.shapes import format_shape

from ._check import (
    check_alike,
    check_class_form,
    check_classes,
    check_indices,
    check_range,
    same_dtype,
)
from ._reduce import Reduced, Reduction, reduced, weighted

Array = jax.Array

_FLOOR = -100.0
"""The least logarithm of a probability, as in PyTorch."""


@called
def cross_entropy(
    output: Array,
    target: Array,
    *,
    weight: Array | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    dim: int = -1,
    reduction: Reduction = "pair",
) -> Reduced:
    """The cross entropy of classes, per row: -log softmax(output) at the target.

    A class out of range is an error where the target is a value, and gives NaN inside a trace.

    Shapes:
        output (*batch, classes), target (*batch) or (*batch, classes)  ->  sum (), count ()

    Args:
        output: Logits.
        target: Class indices (integers), or probabilities (floats).
        weight: What each class counts, (classes); the count is the sum of the weights of the
            targets, or the number of rows where targets are probabilities.
        ignore_index: A target that counts for nothing.
        label_smoothing: The share s of every target that is spread over all classes.
        dim: The axis of the classes; 1 for images (N, classes, H, W).
        reduction: "pair", "mean", "sum" or "none", as in every loss.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: Targets are neither classes nor probabilities.
        ArgumentError: An option is out of range, or ignore_index stands beside probabilities.
        DataError: A class is out of range.

    Example:
        >>> cross_entropy(jnp.array([[100.0, 0.0], [0.0, 100.0]]), jnp.array([0, 0]))
        (Array(100., dtype=float32), Array(2., dtype=float32))

    Source:
        Smoothing: Szegedy et al. 2016, section 7.
    """
    rows = _last(output, target, dim)
    check_class_form(*rows)
    logp = ops.log_softmax(rows[0], dim=-1)
    return _nll(logp, rows[1], weight, ignore_index, label_smoothing, reduction)


@called
def nll(
    output: Array,
    target: Array,
    *,
    weight: Array | None = None,
    ignore_index: int | None = None,
    dim: int = -1,
    reduction: Reduction = "pair",
) -> Reduced:
    """The negative log likelihood, per row: `cross_entropy` for log probabilities.

    Shapes:
        output (*batch, classes), target (*batch) or (*batch, classes)  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: Targets are neither classes nor probabilities.
        ArgumentError: As `cross_entropy`.
        DataError: A class is out of range.

    Example:
        >>> nll(jnp.array([[-1.0, -2.0], [-3.0, -4.0]]), jnp.array([0, 1]))
        (Array(5., dtype=float32), Array(2., dtype=float32))
    """
    rows = _last(output, target, dim)
    check_class_form(*rows)
    return _nll(*rows, weight, ignore_index, 0.0, reduction)


@called
def bce_with_logits(
    output: Array,
    target: Array,
    *,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    reduction: Reduction = "pair",
) -> Reduced:
    """The cross entropy of independent bits, per entry: -y log σ(x) - (1 - y) log σ(-x), logits x.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Args:
        target: Probabilities of 1.
        weight: What the last axes count: the shape of an entry of the batch, or of the whole.
        pos_weight: What a 1 counts for each entry of the last axes, such as zeros / ones.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: There is no such reduction.

    Example:
        >>> bce_with_logits(jnp.array([100.0, -100.0]), jnp.array([1.0, 1.0]))
        (Array(100., dtype=float32), Array(2., dtype=float32))
    """
    check_alike(output, target)
    other = ops.sub(jnp.ones_like(target), target)
    one, zero = ops.softplus(ops.neg(output)), ops.softplus(output)
    if pos_weight is not None:
        one = ops.mul(one, _spread("pos_weight", pos_weight, output))
    values = ops.add(weighted(one, target), weighted(zero, other))
    return reduced(_times(values, weight), reduction)


@called
def bce(
    output: Array, target: Array, *, weight: Array | None = None, reduction: Reduction = "pair"
) -> Reduced:
    """The cross entropy of independent bits, per entry: -y log p - (1 - y) log(1 - p).

    A logarithm is at least -100, as in PyTorch. `bce_with_logits` is exact where this is not.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Args:
        output: Probabilities p of 1.
        target: Probabilities of 1.
        weight: What the last axes count: the shape of an entry of the batch, or of the whole.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: There is no such reduction.
        DataError: An output is no probability, where it is a value.

    Example:
        >>> bce(jnp.array([0.0, 0.5]), jnp.array([1.0, 0.0]), reduction="none").tolist()
        [100.0, 0.6931471824645996]
    """
    check_alike(output, target)
    if not isinstance(output, Tracer):
        check_range(np.asarray(output))
    rest = ops.sub(jnp.ones_like(output), output)
    other = ops.sub(jnp.ones_like(target), target)
    likely = ops.add(ops.mul(target, _log(output)), ops.mul(other, _log(rest)))
    return reduced(_times(ops.neg(likely), weight), reduction)


@called
def multi_margin(
    output: Array,
    target: Array,
    *,
    p: int = 1,
    margin: float = 1.0,
    weight: Array | None = None,
    reduction: Reduction = "pair",
) -> Reduced:
    """Σ max(0, margin - output[target] + output[i])^p / classes over all others i, per row.

    Shapes:
        output (*batch, classes), target (*batch)  ->  sum (), count ()

    Args:
        target: Class indices.
        p: 1 or 2.
        weight: What each class counts, (classes).

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: Targets are no classes.
        ArgumentError: p is neither 1 nor 2, margin no finite number, or there is no such
            reduction.
        DataError: A class is out of range.

    Example:
        >>> multi_margin(jnp.array([[0.1, 0.2, 0.4]]), jnp.array([2]), reduction="sum").item()
        0.5

    Source:
        Crammer and Singer 2001, as torch.nn.MultiMarginLoss.
    """
    check_indices(output, target)
    among("p", p, (1, 2))
    hit = _one_hot(target, output, None)
    own = _rows(ops.sum(ops.mul(hit, output), dims=(output.ndim - 1,)), output)
    gap = ops.relu(ops.add(ops.sub(jnp.full_like(output, number("margin", margin)), own), output))
    gap = ops.mul(gap if p == 1 else ops.square(gap), ops.sub(jnp.ones_like(hit), hit))
    if weight is not None:
        worth = ops.sum(ops.mul(hit, _spread("weight", weight, output)), dims=(hit.ndim - 1,))
        gap = ops.mul(gap, _rows(worth, output))
    return reduced(ops.mean(gap, dims=(output.ndim - 1,)), reduction)


def _last(output: Array, target: Array, dim: int) -> tuple[Array, Array]:
    """Output and target with the axis of the classes last."""
    if type(dim) is not int or not -output.ndim <= dim < output.ndim:
        raise ShapeError(f"takes an output with the axis {dim}, got {format_shape(shape(output))}.")
    axis = dim % output.ndim
    if axis == output.ndim - 1:
        return output, target
    dims = (*(d for d in range(output.ndim) if d != axis), axis)
    holds_classes = target.ndim == output.ndim
    return (
        ops.permute(output, dims=dims),
        ops.permute(target, dims=dims) if holds_classes else target,
    )


def _nll(
    logp: Array,
    target: Array,
    weight: Array | None,
    ignored: int | None,
    smoothing: float,
    reduction: Reduction,
) -> Reduced:
    """-Σ q log p per row, for the probabilities q that a target stands for."""
    is_class = target.dtype.name not in dtypes.FLOATING
    number("label_smoothing", smoothing, FROM_0_TO_1)
    if is_class and weight is None and ignored is None and not smoothing:
        # What is usual, without the products with 0 and 1: they cost 4 % of a small net's step.
        picked = _placed(target, logp, None)
        return reduced(ops.neg(ops.sum(picked, dims=(logp.ndim - 1,))), reduction)
    share = _shares(logp, target, ignored)
    worth = share if weight is None else ops.mul(share, _spread("weight", weight, logp))
    counted = weight is not None or ignored is not None
    last = (logp.ndim - 1,)
    counts = ops.sum(worth, dims=last) if counted and is_class else None
    if smoothing:
        worth = _smoothed(share, weight, smoothing)
    values = ops.neg(ops.sum(weighted(logp, worth), dims=last))
    return reduced(values, reduction, counts)


def _shares(logp: Array, target: Array, ignored: int | None) -> Array:
    """The probability of every class that targets stand for; 0 for all where one is ignored."""
    if target.dtype.name not in dtypes.FLOATING:
        return _one_hot(target, logp, ignored)
    if ignored is not None:
        raise ArgumentError("takes ignore_index beside classes, got probabilities as targets.")
    same_dtype(logp, target)
    return target


def _smoothed(share: Array, weight: Array | None, smoothing: float) -> Array:
    """(1 - s) q + s / classes, weighed; rows that are ignored stay 0."""
    classes = share.shape[-1]
    whole = _rows(ops.sum(share, dims=(share.ndim - 1,)), share)
    even = ops.mul(whole, jnp.full_like(share, smoothing / classes))
    mixed = ops.add(ops.mul(share, jnp.full_like(share, 1 - smoothing)), even)
    return mixed if weight is None else ops.mul(mixed, _spread("weight", weight, share))


def _one_hot(target: Array, like: Array, ignored: int | None) -> Array:
    """1 at the class of each row, 0 elsewhere; NaN where there is no such class."""
    return _placed(target, jnp.ones_like(like), ignored)


def _placed(target: Array, value: Array, ignored: int | None) -> Array:
    """The value at the class of each row, 0 elsewhere; NaN where there is no such class."""
    classes, last = value.shape[-1], value.ndim - 1
    if not isinstance(target, Tracer):
        check_classes(np.asarray(target), classes, ignored)
    index = broadcast(_wide(target), value.shape, tuple(range(last)))
    numbers = jnp.asarray(np.arange(classes), index.dtype)
    hit = ops.equal(index, broadcast(numbers, value.shape, (last,)))
    valid = ops.logical_and(
        ops.greater_equal(index, jnp.zeros_like(index)),
        ops.less(index, jnp.full_like(index, classes)),
    )
    zero = jnp.zeros_like(value)
    found = ops.where(hit, value, ops.where(valid, zero, jnp.full_like(value, jnp.nan)))
    if ignored is None:
        return found
    return ops.where(ops.equal(index, jnp.full_like(index, ignored)), zero, found)


def _wide(target: Array) -> Array:
    """Class numbers in a dtype that also holds the number of classes: uint8 does not hold 256."""
    target = jnp.asarray(target)
    return ops.cast(target, dtype="int32") if target.dtype.itemsize < 4 else target


def _rows(x: Array, like: Array) -> Array:
    """One number per row, for every class."""
    spread: Array = broadcast(x, like.shape, tuple(range(like.ndim - 1)))
    return spread


def _spread(name: str, weight: Array, like: Array) -> Array:
    """Weights of the last axes, for every entry."""
    first = like.ndim - weight.ndim
    if first < 0 or shape(like)[first:] != shape(weight):
        raise ShapeError(
            f"takes {name} of the last axes of {format_shape(shape(like))}, got "
            f"{format_shape(shape(weight))}."
        )
    cast = weight if weight.dtype == like.dtype else ops.cast(weight, dtype=like.dtype.name)
    spread: Array = broadcast(cast, like.shape, tuple(range(first, like.ndim)))
    return spread


def _times(values: Array, weight: Array | None) -> Array:
    return values if weight is None else ops.mul(values, _spread("weight", weight, values))


@jax.custom_jvp
def _log(p: Array) -> Array:
    """log p, at least -100; where it is no more its derivative is 0."""
    none = ops.equal(p, jnp.zeros_like(p))
    floor = jnp.full_like(p, _FLOOR)
    log = ops.maximum(ops.log(ops.where(none, jnp.ones_like(p), p)), floor)
    return ops.where(none, floor, log)


@_log.defjvp
def _log_slope(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    y = _log(*primals)
    return y, jnp.where(y > _FLOOR, _reciprocal(*primals), 0) * tangents[0]


@jax.custom_jvp
def _reciprocal(p: Array) -> Array:
    """1 / p, whose derivative is finite where 1 / p² is no float: a target of 0 makes it 0."""
    return 1 / p


@_reciprocal.defjvp
def _reciprocal_slope(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    y = _reciprocal(*primals)
    most = float(jnp.finfo(y.dtype).max) ** 0.5 / 2  # type: ignore[no-untyped-call]
    return y, -(jnp.minimum(y, most) ** 2) * tangents[0]
