"""Batches of examples, in an order that is a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
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

    def epoch(self, k: int, start: int = 0, together: int = 1) -> Iterator[tuple[Array, Array]]:
        """The batches (x, y) of epoch k.

        Args:
            start: The number of the first one.
            together: How many full batches are given at a time, one below the other: reading many
                rows at once costs less. A smaller last one comes alone.

        Raises:
            ArgumentError: k or start is not an integer of at least 0, or together not of 1.
            DataError: The transform changes the number of examples.

        Example:
            >>> from tensorem.data import Dataset
            >>> loader = Loader(Dataset(np.arange(5.0), np.arange(5)), batch_size=1)
            >>> [y.tolist() for x, y in loader.epoch(0, together=2)]
            [[0, 1], [2, 3], [4]]
        """
        with named("A Loader"):
            k, start = integer("the epoch", k, 0), integer("start", start, 0)
            together = integer("together", together, 1)
        full = self._sampler.size(len(self.dataset)) // self.batch_size
        edges = [*range(start, full, together), max(start, full), len(self)]
        return self._batches(k, [range(a, b) for a, b in pairwise(edges) if a < b])

    def _batches(self, k: int, groups: Sequence[range]) -> Iterator[tuple[Array, Array]]:
        order, size = self.order(k), self.batch_size
        keys = None if self.transform is None else row_keys(self.seed, k, order)

        def made(group: range) -> tuple[Array, Array]:
            begin, end = group.start * size, group.stop * size
            x, y = self.dataset.batch(order[begin:end])
            if keys is None:
                return x, y
            cuts = [slice(i, i + size) for i in range(0, len(x), size)]
            return _joined([self._transformed((x[c], y[c]), keys[begin:end][c]) for c in cuts])

        return ahead(made, groups, self.workers)

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


def _joined(batches: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """The rows of batches, one below the other."""
    if len(batches) == 1:
        return batches[0]
    xs, ys = zip(*batches, strict=True)
    return np.concatenate(xs), np.concatenate(ys)
