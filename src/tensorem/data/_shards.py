"""Data in parts, of which few lie in memory at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem.errors import DataError
from tensorem.shapes import Spec, format_shape

from ._dataset import Dataset
from ._source import Array

_HELD = 2
"""Parts in memory: a batch may begin in one and end in the next."""


@dataclass(frozen=True, eq=False, repr=False)
class Shards:
    """Examples in parts, of which two at most lie in memory.

    A `Loader` that shuffles visits the parts in a random order, and the rows of each in another.

    Args:
        sizes: The number of examples in each part.
        read: The examples of a part, by its number.

    Raises:
        DataError: There is no example.

    Example:
        >>> parts = [Dataset(np.arange(3.0) + 3 * i, np.arange(3)) for i in range(2)]
        >>> Shards((3, 3), parts.__getitem__).batch(np.array([4, 0]))
        (array([4., 0.]), array([1, 0]))
    """

    sizes: tuple[int, ...]
    read: Callable[[int], Dataset]
    held: OrderedDict[int, Dataset] = field(default_factory=OrderedDict, init=False)
    lock: Any = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(int(size) for size in self.sizes))
        if not len(self):
            raise DataError("Shards take at least one example, got none.")

    def __len__(self) -> int:
        return sum(self.sizes)

    def __repr__(self) -> str:
        return f"Shards of {len(self)} in {len(self.sizes)} parts"

    @property
    def parts(self) -> tuple[int, ...]:
        """The sizes of the parts."""
        return self.sizes

    @property
    def input(self) -> Spec:
        """The spec of a batch of inputs, for `nn.build`."""
        return self.part(int(np.argmax(self.sizes))).input

    def part(self, number: int) -> Dataset:
        """The examples of a part.

        Raises:
            DataError: There are more or fewer than were said, or of another shape than others.
        """
        with self.lock:
            if number not in self.held:
                self.held[number] = self._checked(number, self.read(number))
            self.held.move_to_end(number)
            while len(self.held) > _HELD:
                self.held.popitem(last=False)
            return self.held[number]

    def _checked(self, number: int, found: Dataset) -> Dataset:
        if len(found) != self.sizes[number]:
            raise DataError(
                f"Part {number} takes {self.sizes[number]} examples, got {len(found)}.",
                because="it was changed after it was counted.",
            )
        for other in self.held.values():
            for name, a, b in (("x", other.x, found.x), ("y", other.y, found.y)):
                if (a.dtype, a.shape[1:]) != (b.dtype, b.shape[1:]):
                    raise DataError(
                        f"Part {number} takes {name} of {a.dtype} "
                        f"{format_shape(('N', *a.shape[1:]))} as the others, got {b.dtype} "
                        f"{format_shape(b.shape)}."
                    )
        return found

    def batch(self, rows: NDArray[Any]) -> tuple[Array, Array]:
        """The inputs and targets of some rows."""
        starts = np.cumsum((0, *self.sizes))
        part = np.searchsorted(starts, rows, side="right") - 1
        numbers = dict.fromkeys(part.tolist())  # each once, in order: none is read twice
        found = [self.part(i).batch(rows[part == i] - starts[i]) for i in numbers]
        if len(found) == 1:
            return found[0]
        back = np.argsort(np.concatenate([np.flatnonzero(part == i) for i in numbers]))
        x, y = (np.concatenate([pair[side] for pair in found])[back] for side in (0, 1))
        return x, y


def cut(size: int, most: int) -> list[tuple[int, int]]:
    """(first row, number of rows) of parts of at most so many.

    Example:
        >>> cut(5, 2)
        [(0, 2), (2, 2), (4, 1)]
    """
    return [(start, min(most, size - start)) for start in range(0, size, most)]


def in_parts(places: Sequence[tuple[int, int]], read: Callable[[int, int], Dataset]) -> Shards:
    """Parts that are told by their first row and their number of rows."""
    return Shards(tuple(size for _, size in places), lambda i: read(*places[i]))
