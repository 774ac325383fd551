"""Batches of examples, in an order that is a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from tensorem import rand
from tensorem.calls import flag, integer, named
from tensorem.errors import ArgumentError, DataError

from ._ahead import ahead
from ._samplers import RandomSampler, Sampler, SequentialSampler
from ._source import Array, Source
from .transforms import Transform, row_keys


@dataclass(frozen=True)
class Loader:
    """Batches of examples. An epoch depends on (seed, epoch) and nothing else.

    Args:
        dataset: The examples: a `Dataset`, or another source.
        batch_size: Examples in a batch; the last batch may be smaller.
        shuffle: Whether each epoch has its own random order.
        seed: The seed of these orders, and of the transform.
        drop_last: Whether a smaller last batch is left out.
        sampler: Which rows an epoch visits, in place of shuffle.
        transform: What becomes of a batch: (x, y, keys) -> (x, y), where keys are a word for each
            row, of (seed, epoch, row).
        workers: How many threads read and transform the next batches; they change no value.

    Raises:
        ArgumentError: batch_size is below 1, workers below 0, the seed is none, or there are
            shuffle and a sampler.

    Example:
        >>> from tensorem.data import Dataset
        >>> loader = Loader(Dataset(np.arange(5.0), np.arange(5)), batch_size=2)
        >>> [y.tolist() for x, y in loader.epoch(0)]
        [[0, 1], [2, 3], [4]]
    """

    dataset: Source
    batch_size: int
    shuffle: bool = False
    seed: int = 0
    drop_last: bool = False
    sampler: Sampler | None = None
    transform: Transform | None = None
    workers: int = 0

    def __post_init__(self) -> None:
        with named("A Loader"):
            object.__setattr__(self, "batch_size", integer("batch_size", self.batch_size, 1))
            integer("workers", self.workers, 0)
            if flag("shuffle", self.shuffle) and self.sampler is not None:
                raise ArgumentError("takes shuffle or a sampler, got both.")
        rand.check_seed(self.seed)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        whole, rest = divmod(self._sampler.size(len(self.dataset)), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> NoReturn:
        # Iterating silently in the same order every time is the mistake this prevents.
        raise ArgumentError(
            "A Loader takes the number of an epoch to give batches, got none.",
            help="write `for x, y in loader.epoch(k)`.",
        )

    @property
    def _sampler(self) -> Sampler:
        return self.sampler or (RandomSampler() if self.shuffle else SequentialSampler())

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows of an epoch in the order of its batches."""
        return self._sampler.rows(self.seed, epoch, self.dataset.parts)

    def epoch(self, k: int, start: int = 0) -> Iterator[tuple[Array, Array]]:
        """The batches (x, y) of epoch k.

        Args:
            start: The number of the first one.

        Raises:
            ArgumentError: k or start is not an integer of at least 0.
            DataError: The transform changes the number of examples.
        """
        with named("A Loader"):
            k, start = integer("the epoch", k, 0), integer("start", start, 0)
        return self._batches(k, start)

    def _batches(self, k: int, start: int) -> Iterator[tuple[Array, Array]]:
        order = self.order(k)
        keys = None if self.transform is None else row_keys(self.seed, k, order)

        def made(i: int) -> tuple[Array, Array]:
            place = slice(i * self.batch_size, (i + 1) * self.batch_size)
            batch = self.dataset.batch(order[place])
            return batch if keys is None else self._transformed(batch, keys[place])

        return ahead(made, range(start, len(self)), self.workers)

    def _transformed(
        self, batch: tuple[Array, Array], keys: NDArray[np.uint64]
    ) -> tuple[Array, Array]:
        assert self.transform is not None
        x, y = self.transform(*batch, keys)
        if not len(x) == len(y) == len(keys):
            raise DataError(
                f"A transform takes and gives batches of {len(keys)} examples, got {len(x)} inputs "
                f"and {len(y)} targets from it."
            )
        return x, y
