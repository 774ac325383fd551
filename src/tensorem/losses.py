"""Losses: how far an output is from its target, as a pair (sum, count).

A mean is taken once, by `mean`, after the pairs of all parts have been added: so accumulation over
parts of a batch, or over devices, equals the whole batch. Shapes are equal; nothing broadcasts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from tensorem import dtypes, ops
from tensorem.calls import called
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError
from tensorem.functional import broadcast, shape
from tensorem.shapes import (
    UNKNOWN,
    Poly,
    Shape,
    Size,
    Spec,
    format_shape,
    require_equal,
    same_shape,
)

Array = Any
Pair = tuple[Array, Array]
Loss = Callable[[Array, Array], Pair]


@called
def mse(output: Array, target: Array) -> Pair:
    """The squared differences, per entry.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.

    Example:
        >>> mse(jnp.array([1.0, 4.0]), jnp.array([1.0, 2.0]))
        (Array(4., dtype=float32), Array(2., dtype=float32))
    """
    _alike("mse", output, target)
    return _entries(ops.square(ops.sub(output, target)))


@called
def l1(output: Array, target: Array) -> Pair:
    """The absolute differences, per entry.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.

    Example:
        >>> l1(jnp.array([1.0, 4.0]), jnp.array([1.0, 2.0]))
        (Array(2., dtype=float32), Array(2., dtype=float32))
    """
    _alike("l1", output, target)
    return _entries(ops.abs(ops.sub(output, target)))


@called
def bce_with_logits(output: Array, target: Array) -> Pair:
    """The cross entropy of independent bits, per entry: -y log σ(x) - (1 - y) log σ(-x), logits x.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Args:
        target: Probabilities of 1.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.

    Example:
        >>> bce_with_logits(jnp.array([100.0, -100.0]), jnp.array([1.0, 1.0]))
        (Array(100., dtype=float32), Array(2., dtype=float32))
    """
    _alike("bce_with_logits", output, target)
    other = ops.sub(jnp.ones_like(target), target)
    one, zero = ops.softplus(ops.neg(output)), ops.softplus(output)
    return _entries(ops.add(_weighted(one, target), _weighted(zero, other)))


@called
def cross_entropy(output: Array, target: Array) -> Pair:
    """The cross entropy of classes, per row: -log softmax(output) at the target.

    A class out of range is an error where the target is a value, and gives NaN inside a trace.

    Shapes:
        output (*batch, classes), target (*batch) or (*batch, classes)  ->  sum (), count ()

    Args:
        output: Logits; the classes are the last axis.
        target: Class indices (integers), or probabilities (floats).

    Raises:
        ShapeError: The shapes do not fit.
        DataError: A class is out of range.

    Example:
        >>> cross_entropy(jnp.array([[100.0, 0.0], [0.0, 100.0]]), jnp.array([0, 0]))
        (Array(100., dtype=float32), Array(2., dtype=float32))
    """
    check_class_form("cross_entropy", output, target)
    return _nll("cross_entropy", ops.log_softmax(output, dim=-1), target)


@called
def nll(output: Array, target: Array) -> Pair:
    """The negative log likelihood, per row: `cross_entropy` for log probabilities.

    Shapes:
        output (*batch, classes), target (*batch) or (*batch, classes)  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        DataError: A class is out of range.

    Example:
        >>> nll(jnp.array([[-1.0, -2.0], [-3.0, -4.0]]), jnp.array([0, 1]))
        (Array(5., dtype=float32), Array(2., dtype=float32))
    """
    check_class_form("nll", output, target)
    return _nll("nll", output, target)


def mean(pair: Pair) -> Array:
    """The mean that a pair (sum, count) stands for.

    Example:
        >>> mean((jnp.array(6.0), jnp.array(4.0)))
        Array(1.5, dtype=float32, weak_type=True)
    """
    return pair[0] / pair[1]


_NEAR = 1e-2
"""How far a sum of probabilities may be from 1: what bfloat16 rounds."""

LOSSES: dict[str, Loss] = {f.__name__: f for f in (mse, l1, bce_with_logits, cross_entropy, nll)}
"""Every loss by name."""


def by_name(name: str) -> Loss:
    """The loss of a name.

    Raises:
        ArgumentError: There is none.

    Example:
        >>> by_name("mse") is mse
        True
    """
    if name not in LOSSES:
        raise ArgumentError(f"A loss takes a name of {', '.join(LOSSES)}, got {name!r}.")
    return LOSSES[name]


def check_targets(name: str, output: Spec, target: Any) -> None:
    """Check the targets of a whole data set before anything runs.

    Args:
        name: The loss.
        output: The spec of the model's output; its first axis counts examples.
        target: A NumPy array with the targets of all examples.

    Raises:
        ShapeError: The targets of an example have another shape.
        DTypeError: Classes that are no integers, targets that are no numbers.
        DataError: A class out of range, a value that is not finite; the error names the row.

    Example:
        >>> check_targets("mse", Spec(("N", 3)), np.zeros((8, 3), np.float32))
    """
    by_name(name)
    target = np.asarray(target)
    # All examples at once; names are what the targets say.
    sizes = (UNKNOWN if isinstance(n, Poly) else n for n in output.shape[1:])
    output = Spec((*target.shape[:1], *sizes), output.dtype)
    if name in ("cross_entropy", "nll"):
        _check_form(name, output.shape, Spec(target.shape, target.dtype))
        if target.dtype.name in dtypes.INTEGER:
            return check_classes(name, target, output.shape[-1])
        _check_probabilities(name, target)
    else:
        _check_equal(name, output.shape, target.shape)
    _check_finite(name, target)
    if name == "bce_with_logits":
        _check_range(name, target)


def _pair(values: Array, count: Any) -> Pair:
    """Sum and count, at least in float32: float16 counts to 65504, bfloat16 to 256."""
    if values.dtype.name in dtypes.HALF:
        values = ops.cast(values, dtype="float32")
    total = ops.sum(values, dims=tuple(range(values.ndim)))
    return total, jnp.asarray(count, total.dtype)


def _entries(values: Array) -> Pair:
    return _pair(values, values.size)


def _alike(name: str, output: Array, target: Array) -> None:
    if output.dtype.name not in dtypes.FLOATING:
        raise DTypeError(
            f"{name} takes floats, got {output.dtype}.",
            help="convert: output.astype('float32').",
        )
    _check_equal(name, shape(output), shape(target))
    _same_dtype(name, output, target)


def _check_equal(name: str, output: Shape, target: Shape) -> None:
    what = f"{name} takes an output and a target of equal shapes, got {format_shape(output)} and "
    try:
        require_equal(target, output, f"{what}{format_shape(target)}.", "reshape one of them.")
    except ShapeError as error:
        raise error.with_notes(because="nothing is broadcast here") from None


def _same_dtype(name: str, output: Array, target: Array) -> None:
    if output.dtype != target.dtype:
        raise DTypeError(
            f"{name} takes an output and a target of one dtype, got {output.dtype} and "
            f"{target.dtype}.",
            help=f"convert: target.astype({output.dtype.name!r}).",
        )


def check_class_form(name: str, output: Array, target: Array) -> None:
    """Raise unless targets are classes or probabilities for the rows of an output."""
    holds_floats = output.dtype.name in dtypes.FLOATING
    if output.ndim < 1 or shape(output)[-1] == 0 or not holds_floats:
        raise ShapeError(
            f"{name} takes an output (*batch, classes) of floats, got {output.dtype} "
            f"{format_shape(shape(output))}."
        )
    _check_form(name, shape(output), Spec(shape(target), target.dtype.name))


def _nll(name: str, logp: Array, target: Array) -> Pair:
    if target.dtype.name in dtypes.FLOATING:
        _same_dtype(name, logp, target)
        picked = _weighted(logp, target)
    else:
        picked = _picked(name, logp, target)
    return _pair(ops.neg(picked), logp.size // logp.shape[-1])


def _weighted(x: Array, weight: Array) -> Array:
    """x · weight, where 0 · ∞ is 0: what has probability 0 costs nothing."""
    most = jnp.finfo(x.dtype).max  # type: ignore[no-untyped-call]
    finite = ops.minimum(ops.maximum(x, jnp.full_like(x, -most)), jnp.full_like(x, most))
    # Not `ops.mul`: its derivative along x alone has the term x · 0.
    return ops.where(ops.equal(weight, jnp.zeros_like(weight)), finite, x) * weight


def _picked(name: str, logp: Array, target: Array) -> Array:
    """The log probabilities at the classes, 0 elsewhere; NaN where there is no such class."""
    classes = logp.shape[-1]
    if not isinstance(target, Tracer):
        check_classes(name, np.asarray(target), classes)
    last = logp.ndim - 1
    index = broadcast(_wide(target), logp.shape, tuple(range(last)))
    numbers = jnp.asarray(np.arange(classes), index.dtype)
    hit = ops.equal(index, broadcast(numbers, logp.shape, (last,)))
    valid = ops.logical_and(
        ops.greater_equal(index, jnp.zeros_like(index)),
        ops.less(index, jnp.full_like(index, classes)),
    )
    elsewhere = ops.where(valid, jnp.zeros_like(logp), jnp.full_like(logp, jnp.nan))
    return ops.where(hit, logp, elsewhere)


def _wide(target: Array) -> Array:
    """Class numbers in a dtype that also holds the number of classes: uint8 does not hold 256."""
    target = jnp.asarray(target)
    return ops.cast(target, dtype="int32") if target.dtype.itemsize < 4 else target


def _check_form(name: str, output: Shape, target: Spec) -> None:
    """Integers without the class axis, or floats with it."""
    if target.dtype not in (*dtypes.FLOATING, *dtypes.INTEGER):
        raise DTypeError(
            f"{name} takes integer classes or float targets, got {target.dtype}.",
            help="convert: target.astype('int32').",
        )
    sizes = output if isinstance(output, tuple) else ()
    wanted = sizes if target.dtype in dtypes.FLOATING else sizes[:-1]
    help = _other_form(target, sizes)
    what = f"{name} takes classes {format_shape(sizes[:-1])} or probabilities "
    what += f"{format_shape(sizes)}, got {target.dtype} {format_shape(target.shape)}."
    require_equal(target.shape, wanted, what, help)


def _other_form(target: Spec, sizes: tuple[Size, ...]) -> str:
    """What to write where only the dtype is that of the other form."""
    if target.dtype in dtypes.FLOATING and same_shape(sizes[:-1], target.shape):
        return "classes are integers: target.astype('int32')."
    if target.dtype in dtypes.INTEGER and same_shape(sizes, target.shape):
        return "probabilities are floats: target.astype('float32'); or target.argmax(-1)."
    return ""


def check_classes(name: str, target: Any, classes: Any) -> None:
    """Raise DataError unless every target is a class from 0 on, where their number is known."""
    if not isinstance(classes, int):
        return
    wrong = np.argwhere((target < 0) | (target >= classes))
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise DataError(
            f"{name} takes classes from 0 to {classes - 1}, got {int(target[at])}.",
            where=f"target[{', '.join(map(str, at))}]",
            help=f"{len(wrong)} of {target.size} targets are out of range.",
        )


def _check_probabilities(name: str, target: Any) -> None:
    """Rows of numbers in [0, 1] whose sum is 1, up to the rounding of their dtype."""
    _check_finite(name, target)
    _check_range(name, target)
    sums = target.sum(axis=-1, dtype=np.float64)
    wrong = np.argwhere(abs(sums - 1) > _NEAR)
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise DataError(
            f"{name} takes probabilities with the sum 1, got the sum {sums[at]:g}.",
            where=f"target[{', '.join(map(str, at))}]",
            help="divide each row by its sum; or pass a loss of your own that weighs the rows.",
        )


def _check_range(name: str, target: Any) -> None:
    wrong = np.argwhere((target < 0) | (target > 1))
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise DataError(
            f"{name} takes probabilities in [0, 1], got {target[at]}.",
            where=f"target[{', '.join(map(str, at))}]",
        )


def _check_finite(name: str, target: Any) -> None:
    if not dtypes.is_numeric(target.dtype):
        raise DTypeError(f"{name} takes numbers as targets, got {target.dtype}.")
    wrong = np.argwhere(~np.isfinite(target))
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise DataError(
            f"{name} takes finite targets, got {target[at]}.",
            where=f"target[{', '.join(map(str, at))}]",
        )


__all__ = [
    "LOSSES",
    "Loss",
    "Pair",
    "bce_with_logits",
    "by_name",
    "check_targets",
    "cross_entropy",
    "l1",
    "mean",
    "mse",
    "nll",
]
