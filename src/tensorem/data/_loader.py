"""Batches of a data set, in an order that is a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tensorem import rand
from tensorem.calls import integer, named
from tensorem.errors import ArgumentError

from ._dataset import Array, Dataset


@dataclass(frozen=True)
class Loader:
    """Batches of a data set. The order of an epoch depends on (seed, epoch) and nothing else.

    Args:
        dataset: The examples.
        batch_size: Examples in a batch; the last batch may be smaller.
        shuffle: Whether each epoch has its own random order.
        seed: The seed of these orders.
        drop_last: Whether a smaller last batch is left out.

    Raises:
        ArgumentError: batch_size is below 1, or the seed is none.

    Example:
        >>> loader = Loader(Dataset(np.arange(5.0), np.arange(5)), batch_size=2)
        >>> [y.tolist() for x, y in loader.epoch(0)]
        [[0, 1], [2, 3], [4]]
    """

    dataset: Dataset
    batch_size: int
    shuffle: bool = False
    seed: int = 0
    drop_last: bool = False

    def __post_init__(self) -> None:
        with named("A Loader"):
            object.__setattr__(self, "batch_size", integer("batch_size", self.batch_size, 1))
        rand.check_seed(self.seed)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> NoReturn:
        # Iterating silently in the same order every time is the mistake this prevents.
        raise ArgumentError(
            "A Loader takes the number of an epoch to give batches, got none.",
            help="write `for x, y in loader.epoch(k)`.",
        )

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows of an epoch in the order of its batches."""
        n = len(self.dataset)
        if not self.shuffle:
            return np.arange(n, dtype=np.int64)
        return rand.epoch_order(self.seed, epoch, n)

    def epoch(self, k: int) -> Iterator[tuple[Array, Array]]:
        """The batches (x, y) of epoch k.

        Raises:
            ArgumentError: k is not an integer of at least 0.
        """
        with named("A Loader"):
            k = integer("the epoch", k, 0)
        return self._batches(self.order(k))

    def _batches(self, order: NDArray[Any]) -> Iterator[tuple[Array, Array]]:
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            rows = order[start : start + self.batch_size]
            yield self.dataset.x[rows], self.dataset.y[rows]
