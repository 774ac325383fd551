"""Connectionist temporal classification: labels of an unsegmented sequence."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from tensorem.calls import called, flag, integer
from tensorem.dtypes import FLOATING, INTEGER
from tensorem.errors import DTypeError, ShapeError
from tensorem.functional import shape
from tensorem.shapes import format_shape

from ._reduce import Reduced, Reduction, reduced

Array = jax.Array


@called
def ctc(
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
    reduction: Reduction = "pair",
) -> Reduced:
    """-log of the probability that a sequence spells its labels, blanks and repeats left out.

    "mean" and "pair" divide the loss of each sequence by the number of its labels, as PyTorch's
    "mean"; "sum" and "none" do not.

    Shapes:
        log_probs (T, N, classes), targets (N, S), lengths (N)  ->  sum (), count ()

    Args:
        log_probs: Logarithms of the probabilities of the classes at each place.
        targets: The labels, each row filled up to S; not the blank.
        input_lengths: How many places of each sequence count.
        target_lengths: How many labels each row has.
        blank: The class that spells nothing.
        zero_infinity: Whether a sequence that cannot spell its labels costs 0 and not ∞.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: log_probs are no floats, or labels and lengths no integers.
        ArgumentError: There is no such class as blank, or no such reduction.

    Example:
        >>> even = jnp.log(jnp.full((2, 1, 2), 0.5))
        >>> length = jnp.array([2]), jnp.array([1])
        >>> round(ctc(even, jnp.array([[1]]), *length, reduction="sum").item(), 4)  # -log 3/4
        0.2877

    Source:
        Graves et al. 2006, equation 8, computed by `optax.ctc_loss`.
    """
    _require_form(log_probs, targets, input_lengths, target_lengths)
    integer("blank", blank, 0, log_probs.shape[2] - 1)
    flag("zero_infinity", zero_infinity)
    from optax import ctc_loss  # here, since the other losses do without it

    beyond, unused = (
        _beyond(log_probs.shape[0], input_lengths),
        _beyond(targets.shape[1], target_lengths),
    )
    # optax multiplies by one-hot rows, and adds up logarithms of no path.
    logits = jnp.swapaxes(jnp.maximum(log_probs, _NEVER), 0, 1)
    found = ctc_loss(logits, beyond, targets, unused, blank_id=blank, log_epsilon=_NEVER)
    possible = _fits(targets, input_lengths, target_lengths) & (found < -_NEVER / 2)
    values = jnp.where(possible, found, 0.0 if zero_infinity else jnp.inf)
    if reduction in ("mean", "pair"):
        values = values / jnp.maximum(target_lengths, 1)
    return reduced(values.astype(log_probs.dtype), reduction)


_NEVER = -1e30
"""In the place of log 0: 0 · ∞ is no number."""


def _beyond(size: int, lengths: Array) -> Array:
    """1 at the places after the end of each row."""
    return (jnp.arange(size)[None] >= lengths[:, None]).astype(jnp.float32)


def _fits(targets: Array, input_lengths: Array, target_lengths: Array) -> Array:
    """Whether there are places for all labels, and for a blank between two equal ones."""
    within = jnp.arange(1, targets.shape[1])[None] < target_lengths[:, None]
    repeats = jnp.sum((targets[:, 1:] == targets[:, :-1]) & within, axis=1)
    return target_lengths + repeats <= input_lengths


def _require_form(log_probs: Array, targets: Array, *lengths: Array) -> None:
    if log_probs.ndim != 3:
        raise ShapeError(f"takes log_probs (T, N, classes), got {format_shape(shape(log_probs))}.")
    if log_probs.dtype.name not in FLOATING:
        raise DTypeError(f"takes log_probs as floats, got {log_probs.dtype}.")
    rows = log_probs.shape[1]
    wanted = {"targets": (targets, 2), "input_lengths": (lengths[0], 1)}
    for name, (array, ndim) in {**wanted, "target_lengths": (lengths[1], 1)}.items():
        if array.ndim != ndim or array.shape[0] != rows:
            form = f"({rows}, S)" if ndim == 2 else f"({rows},)"
            raise ShapeError(f"takes {name} {form}, got {format_shape(shape(array))}.")
        if array.dtype.name not in INTEGER:
            raise DTypeError(f"takes {name} as integers, got {array.dtype}.")
