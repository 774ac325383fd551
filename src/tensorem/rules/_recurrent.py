"""The shape rules of what runs over time: sequences, states and lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem.errors import DataError, ShapeError
from tensorem.shapes import OpenShape, Shape, Size, format_shape, require_equal, same_size

from ._known import end, with_end


def sequence(x: Shape, in_features: Size, out_features: Size, remedy: str = "") -> Shape:
    """A value for each step of a sequence, out of one for each step.

    Shapes:
        (*batch, T, in_features)  ->  (*batch, T, out_features)

    Args:
        remedy: The help of the error, with {} in place of in_features.

    Raises:
        ShapeError: There is no axis of steps, no step on it, or the last axis is not in_features.

    Example:
        >>> from tensorem.shapes import shape_of
        >>> sequence(shape_of(("N", "T", 3)), 3, 16)
        (N, T, 16)
    """
    form, got = f"(*batch, T, {in_features})", end(x, 2)
    if got is None:
        raise ShapeError(f"takes {form}, got {format_shape(x)}.")
    help = remedy.format(got[1]) if isinstance(got[1], int) else ""
    require_equal(got[1:], (in_features,), f"takes {form}, got {format_shape(x)}.", help)
    if same_size(got[0], 0):
        raise ShapeError(f"takes sequences of at least one step, got {format_shape(x)}.")
    return with_end(x, 1, (out_features,))


def state(x: Shape, got: Shape | None, first: tuple[int, ...], hidden: int, name: str) -> Shape:
    """The shape of a state of sequences x, once the one that is given has it.

    Shapes:
        x (*batch, T, in)  ->  (*first, *batch, hidden)

    Args:
        got: The shape of the state that is given, if there is one.
        first: The axes before those of the batch, such as (layers,).
        name: What the state is called in the error.

    Raises:
        ShapeError: The state has another shape.

    Example:
        >>> state((5, 7, 3), None, (2,), 16, "state")
        (2, 5, 16)
    """
    if isinstance(x, OpenShape):
        return OpenShape((hidden,))
    wanted = (*first, *x[:-2], hidden)
    if got is not None:
        what = f"takes {name} {format_shape(wanted)}, got {format_shape(got)}."
        require_equal(got, wanted, what)
    return wanted


def lengths(x: Shape, got: Shape | None) -> None:
    """One length for each sequence of x.

    Shapes:
        x (*batch, T, in), lengths (*batch)

    Raises:
        ShapeError: There is another number of them.
    """
    if got is not None and not isinstance(x, OpenShape):
        wanted = x[:-2]
        what = f"takes lengths {format_shape(wanted)}, got {format_shape(got)}."
        require_equal(got, wanted, what)


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
