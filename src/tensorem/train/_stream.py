"""Data that does not fit in memory: batches made one after another, the next one in advance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np

from tensorem.calls import integer, named
from tensorem.errors import ArgumentError, DataError

from ._feed import Examples, Inputs, Piece, examples

T = TypeVar("T")
_END: Any = object()


@dataclass(frozen=True, eq=False)
class Stream:
    """Batches as a function of the epoch.

    To be resumed bit for bit, `epoch(k)` must give the same batches whenever it is called.

    Args:
        epoch: k -> the batches (x, y) of epoch k, in order; each of the same size, but the last
            one may be smaller.
        steps: How many batches an epoch has.

    Raises:
        ArgumentError: epoch is no function, or steps no positive integer.

    Example:
        >>> batches = Stream(lambda k: iter([(np.zeros((8, 4)), np.full(8, k))]), steps=1)
        >>> [y.tolist() for x, y in batches.epoch(3)]
        [[3, 3, 3, 3, 3, 3, 3, 3]]
    """

    epoch: Callable[[int], Iterable[tuple[Any, Any]]]
    steps: int

    def __post_init__(self) -> None:
        if not callable(self.epoch):
            raise ArgumentError(
                f"A Stream takes a function of the epoch, got {type(self.epoch).__name__}.",
                help="lambda k: the batches of epoch k.",
            )
        with named("A Stream"):
            object.__setattr__(self, "steps", integer("steps", self.steps, 1))

    def batches(self, epoch: int) -> Iterable[tuple[Any, Any]]:
        """The batches of an epoch.

        Raises:
            DataError: The function of the user gives no batches.
        """
        found = self.epoch(epoch)
        if not isinstance(found, Iterable):
            raise DataError(
                f"A Stream takes a function that gives batches, got {type(found).__name__} from it."
            )
        return found

    def first(self) -> Examples:
        """The first batch of the first epoch: what is checked before training, and hashed."""
        for batch in self.batches(0):
            return examples(batch)
        raise DataError("A Stream takes at least one batch in an epoch, got none.")


@dataclass(frozen=True, eq=False)
class StreamFeed:
    """The batches of a stream, each checked and put on the device while the one before it runs."""

    stream: Stream
    batch_size: int
    check: Callable[[Examples, str], Examples]
    precision: Callable[[], AbstractContextManager[None]] = nullcontext

    def __len__(self) -> int:
        """The number of steps in an epoch."""
        return self.stream.steps

    def pieces(self, epoch: int, done: int) -> Iterator[Piece]:
        """The batches of an epoch after those that are done.

        Raises:
            DataError: A batch is wrong, or there are more or fewer than the stream says.
        """
        return ahead(self._placed(epoch, done))

    def rows(self, epoch: int, step: int) -> tuple[int, ...]:
        """The rows in a batch are known to the stream alone."""
        return ()

    def inputs_of(self, epoch: int, step: int) -> Inputs | None:
        """A batch is let go of once it was used."""
        return None

    def _placed(self, epoch: int, done: int) -> Iterator[Piece]:
        count = 0
        for count, batch in enumerate(self.stream.batches(epoch), 1):
            if count > len(self):
                raise DataError(f"The stream takes {len(self)} batches an epoch, got more.")
            if count > done:
                where = f"epoch {epoch + 1}, batch {count}"
                yield self._piece(count - 1, _examples(batch, where), where)
        if count < len(self):
            raise DataError(f"The stream takes {len(self)} batches an epoch, got {count}.")

    def _piece(self, number: int, batch: Examples, where: str) -> Piece:
        size = len(batch)
        if size != self.batch_size and not (size < self.batch_size and number + 1 == len(self)):
            raise DataError(
                f"The stream takes batches of batch_size {self.batch_size}, got {size} examples.",
                where=where,
                because="only the last batch of an epoch may be smaller.",
            )
        with self.precision():  # a thread has its own
            found = self.check(batch, where)
            order = np.arange(size, dtype=np.int32)[np.newaxis]
            inputs = tuple(jnp.asarray(x) for x in found.inputs)
            return Piece(number, inputs, jnp.asarray(found.targets), order)


def _examples(batch: object, where: str) -> Examples:
    try:
        return examples(batch)
    except DataError as error:
        raise error.with_notes(where=where) from None


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each one begun in a thread while the one before it is used."""
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(next, items, _END)
        while (item := future.result()) is not _END:
            future = thread.submit(next, items, _END)
            yield item
