"""The shape rules of what runs over time: sequences, states and lengths."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem.dtypes import INTEGER
from tensorem.errors import DataError, DTypeError, ShapeError
from tensorem.shapes import OpenShape, Size, Spec, format_shape, require_equal, same_size

from ._contract import linear
from ._elementwise import floating
from ._known import end, with_end


def sequence(x: Spec, in_features: Size, out_features: Size, remedy: str = "") -> Spec:
    """A value for each step of a sequence, out of one for each step.

    Shapes:
        (*batch, T, in_features)  ->  (*batch, T, out_features)

    Args:
        remedy: The help of the error, with {} in place of in_features.

    Raises:
        ShapeError: There is no axis of steps, no step on it, or the last axis is not in_features.
        DTypeError: x holds no floats.

    Example:
        >>> sequence(Spec(("N", "T", 3)), 3, 16)
        float32 (N, T, 16)
    """
    form, got = f"(*batch, T, {in_features})", end(x.shape, 2)
    if got is None:
        raise ShapeError(f"takes {form}, got {format_shape(x.shape)}.")
    help = remedy.format(got[1]) if isinstance(got[1], int) else ""
    require_equal(got[1:], (in_features,), f"takes {form}, got {format_shape(x.shape)}.", help)
    if same_size(got[0], 0):
        raise ShapeError(f"takes sequences of at least one step, got {format_shape(x.shape)}.")
    return replace(floating(x), shape=with_end(x.shape, 1, (out_features,)))


def state(x: Spec, got: Spec | None, first: tuple[int, ...], hidden: Size) -> Spec:
    """The state of sequences x, once the one that is given is like it.

    Shapes:
        x (*batch, T, in)  ->  (*first, *batch, hidden)

    Args:
        got: The state that is given, if there is one.
        first: The axes before those of the batch, such as (layers,).

    Raises:
        ShapeError: The state has another shape.
        DTypeError: It has another dtype than x.

    Example:
        >>> state(Spec((5, 7, 3)), None, (2,), 16)
        float32 (2, 5, 16)
    """
    if isinstance(x.shape, OpenShape):
        return replace(x, shape=OpenShape((hidden,)))
    return _stated(got, replace(x, shape=(*first, *x.shape[:-2], hidden)))


def next_state(x: Spec, got: Spec | None, in_features: Size, hidden: Size) -> Spec:
    """The state after one step, once the one that is given is like it.

    Shapes:
        x (*batch, in_features)  ->  (*batch, hidden)

    Args:
        got: The state that is given, if there is one.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: x holds no floats, or the state has another dtype.

    Example:
        >>> next_state(Spec(("N", 3)), None, 3, 16)
        float32 (N, 16)
    """
    return _stated(got, linear(floating(x), Spec((hidden, in_features), x.dtype)))


def _stated(got: Spec | None, wanted: Spec) -> Spec:
    """The state that is wanted, once the one that is given is like it."""
    if got is None:
        return wanted
    shapes = format_shape(wanted.shape), format_shape(got.shape)
    require_equal(got.shape, wanted.shape, "takes a state {}, got {}.".format(*shapes))
    if got.dtype != wanted.dtype:
        raise DTypeError(f"takes a state of the dtype of x, {wanted.dtype}, got {got.dtype}.")
    return wanted


def lengths(x: Spec, got: Spec | None) -> None:
    """One length for each sequence of x.

    Shapes:
        x (*batch, T, in), lengths (*batch)

    Raises:
        ShapeError: There is another number of them.
        DTypeError: They are no integers.
    """
    if got is None:
        return
    if got.dtype not in INTEGER:
        raise DTypeError(
            f"takes lengths of integers (int32, ...), got {got.dtype}.",
            help='convert: lengths.astype("int32").',
        )
    if not isinstance(x.shape, OpenShape):
        wanted = x.shape[:-2]
        what = f"takes lengths {format_shape(wanted)}, got {format_shape(got.shape)}."
        require_equal(got.shape, wanted, what)


def check_lengths(lengths: NDArray[Any], steps: int) -> None:
    """Refuse a length that no sequence of so many steps has; the error says where it stands.

    Raises:
        DataError: One is below 1, or above the number of steps.
    """
    wrong = np.argwhere((lengths < 1) | (lengths > steps))
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise DataError(
            f"takes lengths from 1 to {steps}, got {lengths[at]}.",
            where=f"lengths[{', '.join(map(str, at))}]" if at else "lengths",
        )
