"""Examples by their numbers: what a loader reads, in memory or not."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]


class Source(Protocol):
    """Examples that are read by the numbers of their rows; a `Dataset` is one."""

    def __len__(self) -> int:
        """The number of examples."""
        ...

    @property
    def parts(self) -> tuple[int, ...]:
        """The sizes of what is read at once, in order: a shuffle stays within one after another."""
        ...

    def batch(self, rows: NDArray[Any]) -> tuple[Array, Array]:
        """The inputs and targets of some rows, in this order."""
        ...
