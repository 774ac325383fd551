"""What a loss takes: the forms of outputs and targets, and the targets of a whole data set."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from tensorem import dtypes
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError
from tensorem.functional import shape
from tensorem.shapes import (
    Shape,
    Size,
    Spec,
    format_shape,
    require_equal,
    same_shape,
)

Array = jax.Array

_NEAR = 1e-2
"""How far a sum of probabilities may be from 1: what bfloat16 rounds."""


def check_alike(output: Array, target: Array) -> None:
    """Raise unless both are floats of one dtype and one shape."""
    if output.dtype.name not in dtypes.FLOATING:
        raise DTypeError(
            f"takes floats, got {output.dtype}.",
            help="convert: output.astype('float32').",
        )
    check_equal(shape(output), shape(target))
    same_dtype(output, target)


def check_equal(output: Shape, target: Shape) -> None:
    """Raise unless two shapes are equal for all values of their names."""
    what = f"takes an output and a target of equal shapes, got {format_shape(output)} and "
    try:
        require_equal(target, output, f"{what}{format_shape(target)}.", "reshape one of them.")
    except ShapeError as error:
        raise error.with_notes(because="nothing is broadcast here") from None


def same_dtype(output: Array, target: Array) -> None:
    """Raise unless two arrays have one dtype."""
    if output.dtype != target.dtype:
        raise DTypeError(
            f"takes an output and a target of one dtype, got {output.dtype} and {target.dtype}.",
            help=f"convert: target.astype({output.dtype.name!r}).",
        )


def check_class_form(output: Array, target: Array) -> None:
    """Raise unless targets are classes or probabilities for the rows of an output."""
    holds_floats = output.dtype.name in dtypes.FLOATING
    if output.ndim < 1 or shape(output)[-1] == 0 or not holds_floats:
        raise ShapeError(
            f"takes an output (*batch, classes) of floats, got {output.dtype} "
            f"{format_shape(shape(output))}."
        )
    check_form(shape(output), Spec(shape(target), target.dtype.name))


def check_form(output: Shape, target: Spec) -> None:
    """Integers without the class axis, or floats with it."""
    if target.dtype not in (*dtypes.FLOATING, *dtypes.INTEGER):
        raise DTypeError(
            f"takes integer classes or float targets, got {target.dtype}.",
            help="convert: target.astype('int32').",
        )
    sizes = output if isinstance(output, tuple) else ()
    wanted = sizes if target.dtype in dtypes.FLOATING else sizes[:-1]
    help = _other_form(target, sizes)
    what = f"takes classes {format_shape(sizes[:-1])} or probabilities "
    what += f"{format_shape(sizes)}, got {target.dtype} {format_shape(target.shape)}."
    require_equal(target.shape, wanted, what, help)


def _other_form(target: Spec, sizes: tuple[Size, ...]) -> str:
    """What to write where only the dtype is that of the other form."""
    if target.dtype in dtypes.FLOATING and same_shape(sizes[:-1], target.shape):
        return "classes are integers: target.astype('int32')."
    if target.dtype in dtypes.INTEGER and same_shape(sizes, target.shape):
        return "probabilities are floats: target.astype('float32'); or target.argmax(-1)."
    if len(sizes) > 2 and same_shape((sizes[0], *sizes[2:]), target.shape):
        return "classes stand on the last axis here; where they stand on axis 1, write dim=1."
    return ""


def check_indices(output: Array, target: Array) -> None:
    """As `check_class_form`, of targets that are classes."""
    check_class_form(output, target)
    if target.dtype.name in dtypes.FLOATING:
        raise ArgumentError("takes classes as targets, got probabilities.")


def check_classes(target: NDArray[Any], classes: object, ignored: int | None = None) -> None:
    """Raise DataError unless every target is a class from 0 on, where their number is known."""
    if not isinstance(classes, int):
        return
    outside = (target < 0) | (target >= classes)
    wrong = outside if ignored is None else outside & (target != ignored)
    help = f"{np.count_nonzero(wrong)} of {target.size} targets are out of range."
    _refuse(wrong, f"classes from 0 to {classes - 1}, got", target, help)


def check_probabilities(target: NDArray[Any]) -> None:
    """Rows of numbers in [0, 1] whose sum is 1, up to the rounding of their dtype."""
    check_finite(target)
    check_range(target)
    sums = target.sum(axis=-1, dtype=np.float64)
    help = "divide each row by its sum; or pass a loss of your own that weighs the rows."
    wrong = abs(sums - 1) > _NEAR
    _refuse(wrong, "probabilities with the sum 1, got the sum", np.round(sums, 6), help)


def check_range(target: NDArray[Any]) -> None:
    """Raise DataError unless every target is a probability."""
    _refuse((target < 0) | (target > 1), "probabilities in [0, 1], got", target)


def check_finite(target: NDArray[Any]) -> None:
    """Raise unless every target is a finite number."""
    if not dtypes.is_numeric(target.dtype):
        raise DTypeError(f"takes numbers as targets, got {target.dtype}.")
    _refuse(~np.isfinite(target), "finite targets, got", target)


def check_signs(target: NDArray[Any]) -> None:
    """Raise DataError unless every target is -1 or 1."""
    _refuse(abs(target) != 1, "targets that are -1 or 1, got", target)


def _refuse(wrong: NDArray[Any], takes: str, values: NDArray[Any], help: str = "") -> None:
    """Raise DataError at the first place that is wrong."""
    places = np.argwhere(wrong)
    if len(places):
        at = tuple(int(i) for i in places[0])
        where = f"target[{', '.join(map(str, at))}]"
        raise DataError(f"takes {takes} {values[at]}.", where=where, help=help)
