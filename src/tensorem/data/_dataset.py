"""Examples in memory: inputs and targets side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem import dtypes, rand
from tensorem.calls import FROM_0_TO_1, integer, named, number
from tensorem.errors import DataError, DTypeError
from tensorem.shapes import Spec, format_shape

from ._source import Array


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A finite sequence of examples: row i of x with row i of y.

    The arrays are read-only views of what was given.

    Args:
        x: Inputs, one per row.
        y: Targets, one per row.

    Raises:
        DataError: The lengths differ, or an array has no rows to count.
        DTypeError: An array holds Python objects or text.

    Example:
        >>> Dataset(np.zeros((6, 2), np.float32), np.arange(6, dtype=np.int32))
        Dataset of 6: x float32 (6, 2), y int32 (6,)
    """

    x: Array
    y: Array

    def __post_init__(self) -> None:
        x, y = _frozen("x", self.x), _frozen("y", self.y)
        if len(x) != len(y):
            raise DataError(
                f"A Dataset takes as many targets as inputs, got x {format_shape(x.shape)} and y "
                f"{format_shape(y.shape)}."
            )
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """The example at an index, as (input, target)."""
        return self.x[index], self.y[index]

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        return zip(self.x, self.y, strict=True)

    def __repr__(self) -> str:
        x, y = (f"{a.dtype} {format_shape(a.shape)}" for a in (self.x, self.y))
        return f"Dataset of {len(self)}: x {x}, y {y}"

    @property
    def input(self) -> Spec:
        """The spec of a batch of inputs, for `nn.build`."""
        return Spec(("N", *self.x.shape[1:]), str(self.x.dtype))

    def select(self, rows: Any) -> Dataset:
        """The examples at a slice or at an array of row numbers, in that order."""
        return Dataset(self.x[rows], self.y[rows])

    def take(self, n: int) -> Dataset:
        """The first n examples.

        Raises:
            ArgumentError: There are fewer than n.
        """
        return self.split(n)[0]

    def split(self, at: int | float) -> tuple[Dataset, Dataset]:
        """The examples before a row and those from it on, in order.

        Args:
            at: A number of rows, or a float fraction of all rows, rounded down.

        Raises:
            ArgumentError: The row or the fraction lies outside.

        Example:
            >>> data = Dataset(np.arange(10.0), np.arange(10))
            >>> [len(part) for part in data.split(0.8)]
            [8, 2]
        """
        row = row_at(len(self), at)
        return self.select(slice(row)), self.select(slice(row, None))

    def shuffle(self, seed: int) -> Dataset:
        """The examples in a random order that depends on the seed and their number alone."""
        return self.select(rand.permutation(seed, len(self)))

    def map(self, f: Callable[[Array, Array], tuple[Array, Array]]) -> Dataset:
        """The data set of f(x, y): f takes and returns whole arrays, first axis the rows.

        Example:
            >>> data = Dataset(np.ones((3, 2), np.float32), np.zeros(3, np.int32))
            >>> data.map(lambda x, y: (x.sum(axis=1), y))
            Dataset of 3: x float32 (3,), y int32 (3,)
        """
        return Dataset(*f(self.x, self.y))

    def filter(self, keep: Callable[[Array, Array], Array]) -> Dataset:
        """The examples for which keep(x, y) is True: it takes whole arrays, and gives one of bool.

        Raises:
            DataError: It gives something else.

        Example:
            >>> data = Dataset(np.arange(4.0), np.array([0, 1, 0, 1]))
            >>> data.filter(lambda x, y: y == 1).x.tolist()
            [1.0, 3.0]
        """
        found = np.asarray(keep(self.x, self.y))
        if found.shape != (len(self),) or found.dtype != bool:
            raise DataError(
                f"filter takes a function that gives bool ({len(self)},), got {found.dtype} "
                f"{format_shape(found.shape)}."
            )
        return self.select(found)

    def append(self, other: Dataset) -> Dataset:
        """The examples of this data set, then those of another.

        Raises:
            DataError: Their shapes or dtypes differ.
        """
        return concat((self, other))

    def class_counts(self) -> NDArray[np.int64]:
        """How many examples there are of class 0, of class 1, ...

        Raises:
            DataError: The targets are no numbers of classes.

        Example:
            >>> Dataset(np.zeros(3), np.array([2, 0, 2])).class_counts()
            array([1, 0, 2])
        """
        if self.y.ndim != 1 or self.y.dtype.kind not in "iu" or (self.y < 0).any():
            raise DataError(
                f"class_counts takes targets of classes 0, 1, ..., got {self.y.dtype} "
                f"{format_shape(self.y.shape)}" + (f" with {self.y.min()}." if self.y.size else ".")
            )
        return np.bincount(self.y)

    @property
    def parts(self) -> tuple[int, ...]:
        """All of it lies in memory."""
        return (len(self),)

    def batch(self, rows: Array) -> tuple[Array, Array]:
        """The inputs and targets of some rows."""
        return self.x[rows], self.y[rows]  # `take` would first copy all of a view, such as windows


def concat(datasets: Sequence[Dataset]) -> Dataset:
    """The examples of several data sets, one after another.

    Raises:
        DataError: Their shapes or dtypes differ, or there are none.

    Example:
        >>> len(concat([Dataset(np.zeros(2), np.zeros(2))] * 3))
        6
    """
    if not datasets:
        raise DataError("concat takes at least one data set, got none.")
    for other in datasets[1:]:
        _require_same(datasets[0], other)
    x, y = ([getattr(d, name) for d in datasets] for name in ("x", "y"))
    return Dataset(np.concatenate(x), np.concatenate(y))


def _require_same(first: Dataset, other: Dataset) -> None:
    for name, a, b in (("x", first.x, other.x), ("y", first.y, other.y)):
        if a.shape[1:] != b.shape[1:] or a.dtype != b.dtype:
            raise DataError(
                f"concat takes {name} of {a.dtype} {format_shape(('N', *a.shape[1:]))}, got "
                f"{b.dtype} {format_shape(b.shape)}."
            )


def row_at(n: int, at: int | float) -> int:
    """The row of a place that is a number of rows, or a float fraction of n.

    Raises:
        ArgumentError: It lies outside.

    Example:
        >>> row_at(100, 0.29)
        29
    """
    with named(f"A split of {n} rows"):
        if isinstance(at, float):  # 0.29 * 100 is 28.999999999999996, and means 29
            return math.floor(round(number("at", at, FROM_0_TO_1) * n, 6))
        return integer("at", at, 0, n)


@dataclass(frozen=True)
class Splits:
    """A data set in two parts, and the names of its classes in the order of their numbers.

    Args:
        train: The examples to fit.
        test: The examples never to look at while fitting.
        classes: Name of class 0, of class 1, ...
    """

    train: Dataset
    test: Dataset
    classes: tuple[str, ...]


def array_of(takes: str, value: object) -> Array:
    """The array that a value is.

    Args:
        takes: The beginning of the error, such as "Training takes".

    Raises:
        DataError: It is ragged, or has a mask, which an array would lose.

    Example:
        >>> array_of("Training takes", [1, 2])
        array([1, 2])
    """
    if np.ma.isMaskedArray(value):
        raise DataError(
            f"{takes} an array, got one with a mask.", help="x.filled(0), or drop rows."
        )
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        kind = type(value).__name__
        raise DataError(
            f"{takes} an array, got {kind}.", because=_uneven(value) or str(error)
        ) from None


def _uneven(rows: Any) -> str:
    """Which row differs from the first, in words; nothing where that is not what is wrong."""
    shapes: list[tuple[int, ...]] = []
    for i, row in enumerate(rows if isinstance(rows, Sequence | np.ndarray) else ()):
        try:
            shapes.append(np.shape(row))
        except ValueError:
            return f"row {i} is ragged itself: {_uneven(row)}"
        if shapes[i] != shapes[0]:
            return f"row {i} holds {_held(shapes[i])}, row 0 holds {_held(shapes[0])}."
    return ""


def _held(shape: tuple[int, ...]) -> str:
    if len(shape) > 1:
        return f"an array of shape {format_shape(shape)}"
    return f"{shape[0]} value{'s'[: shape[0] != 1]}" if shape else "a single value"


def _frozen(name: str, value: object) -> Array:
    array = array_of(f"A Dataset takes {name} as", value).view()
    if array.ndim == 0:
        raise DataError(f"A Dataset takes {name} with rows along its first axis, got a scalar.")
    if str(array.dtype) not in dtypes.EXECUTABLE:
        raise DTypeError(
            f"A Dataset takes {name} of {', '.join(dtypes.EXECUTABLE)}, got {array.dtype}."
        )
    array.flags.writeable = False
    return array
