"""Small data sets that are made, not read: points on a line and a grid, bands in images.

Source:
    The samples of the original, whose names they keep in the form of Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from tensorem.calls import among, integer, named
from tensorem.errors import ArgumentError, DataError

from ._dataset import Dataset
from ._source import Array

Axis = Literal["vertical", "horizontal"]
AXES: tuple[Axis, Axis] = ("vertical", "horizontal")
"""The classes of bands, 0 and 1."""


def linspace(lo: float, hi: float, n: int) -> Array:
    """n numbers from lo to hi, both included; one is lo.

    Shapes:
        float32 (n,)

    Raises:
        ArgumentError: n is below 0.

    Example:
        >>> linspace(0, 1, 3)
        array([0. , 0.5, 1. ], dtype=float32)
    """
    with named("linspace"):
        return np.linspace(lo, hi, integer("n", n, 0), dtype=np.float32)


def grid2(xs: ArrayLike, ys: ArrayLike) -> Array:
    """All pairs, x outside and y inside.

    Shapes:
        xs (m,), ys (n,) -> float32 (m * n, 2)

    Example:
        >>> grid2([0, 1], [5, 6]).tolist()
        [[0.0, 5.0], [0.0, 6.0], [1.0, 5.0], [1.0, 6.0]]
    """
    pairs = np.meshgrid(np.asarray(xs, np.float32), np.asarray(ys, np.float32), indexing="ij")
    return np.stack(pairs, axis=-1).reshape(-1, 2)


def grid2_square(lo: float, hi: float, n: int) -> Array:
    """The n x n points of a square.

    Shapes:
        float32 (n * n, 2)
    """
    points = linspace(lo, hi, n)
    return grid2(points, points)


def affine2(w1: float, w2: float, b: float) -> Callable[[float, float], float]:
    """The function w1 x1 + w2 x2 + b.

    Example:
        >>> affine2(2, -1, 0.5)(1, 3)
        -0.5
    """
    return lambda x1, x2: w1 * x1 + w2 * x2 + b


def regression(points: ArrayLike, f: Callable[..., float]) -> Dataset:
    """Points, and what a function of their coordinates gives.

    Shapes:
        x float32 (n, k), y float32 (n, 1)

    Raises:
        DataError: The points have no rows of coordinates.

    Example:
        >>> regression(grid2_square(0, 1, 2), affine2(1, 2, 0)).y.ravel().tolist()
        [0.0, 2.0, 1.0, 3.0]
    """
    x = np.asarray(points, np.float32)
    if x.ndim != 2:
        raise DataError(f"regression takes points (n, coordinates), got {x.shape}.")
    return Dataset(x, np.array([[f(*row)] for row in x.tolist()], np.float32).reshape(len(x), 1))


def one_hot(classes: ArrayLike, num_classes: int) -> Array:
    """A 1 in the place of each class.

    Shapes:
        (*n,) -> float32 (*n, num_classes)

    Raises:
        DataError: A class is out of range, or no integer.

    Example:
        >>> one_hot([1, 0], 3).tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    numbers = np.asarray(classes)
    if numbers.dtype.kind not in "iu" or ((numbers < 0) | (numbers >= num_classes)).any():
        raise DataError(
            f"one_hot takes classes from 0 to {num_classes - 1}, got {np.ravel(numbers).tolist()}."
        )
    found: Array = np.eye(num_classes, dtype=np.float32)[numbers]
    return found


def band(height: int, width: int, axis: Axis, offset: int, thickness: int = 2) -> Array:
    """An image of 0 with a band of 1 that begins at a column or a row; it ends at the edge.

    Shapes:
        float32 (1, height, width)

    Raises:
        ArgumentError: A size or the offset is out of range, or there is no such axis.

    Example:
        >>> band(2, 4, "vertical", 1)[0].tolist()
        [[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]]
    """
    with named("band"):
        among("axis", axis, AXES)
        size = integer("height", height, 1), integer("width", width, 1)
        integer("offset", offset, 0)
        integer("thickness", thickness, 1)
    image = np.zeros((1, *size), np.float32)
    place = slice(offset, offset + thickness)
    image[(0, slice(None), place) if axis == "vertical" else (0, place)] = 1
    return image


def bands(
    height: int = 4, width: int = 4, offsets: tuple[int, ...] = (0, 1, 2), thickness: int = 2
) -> Dataset:
    """A vertical band, class 0, and a horizontal one, class 1, at each offset.

    Shapes:
        x float32 (n, 1, height, width), y int32 (n,)

    Raises:
        ArgumentError: There is no offset, or a size is out of range.

    Example:
        >>> bands()
        Dataset of 6: x float32 (6, 1, 4, 4), y int32 (6,)
    """
    if not offsets:
        raise ArgumentError("bands takes at least one offset, got none.")
    kinds: list[tuple[Axis, int]] = [(axis, offset) for offset in offsets for axis in AXES]
    x = np.stack([band(height, width, axis, offset, thickness) for axis, offset in kinds])
    return Dataset(x, np.array([AXES.index(axis) for axis, _ in kinds], np.int32))


def band_probes(
    height: int = 4, width: int = 4, offsets: tuple[int, ...] = (1, 2), thickness: int = 2
) -> dict[str, Array]:
    """Images of `bands` by a name that says their axis and offset.

    Example:
        >>> list(band_probes())
        ['vertical 1', 'horizontal 1', 'vertical 2', 'horizontal 2']
    """
    return {
        f"{axis} {offset}": band(height, width, axis, offset, thickness)
        for offset in offsets
        for axis in AXES
    }
