"""Data that does not fit in memory: batches made one after another, the next one in advance."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from tensorem.calls import integer, named
from tensorem.data import Loader
from tensorem.errors import ArgumentError, DataError, ResumeError, TensoremError

from ._feed import Examples, Inputs, Piece, examples
from ._stack import MOST, joined, padded, places, stacks

T = TypeVar("T")
_END: Any = object()


@dataclass(frozen=True, eq=False)
class Stream:
    """Batches that are made one after another.

    They are a function of the epoch, which must give the same batches whenever it is called, to be
    resumed bit for bit. Or an iterator that goes on through all epochs: it is resumed by
    `get_state()` and `set_state(state)`, or `state_dict()` and `load_state_dict(state)`, where the
    state is JSON. One without them trains, and cannot be resumed.

    Args:
        epoch: k -> the batches (x, y) of epoch k, in order; each of the same size, but the last
            one may be smaller. Or such an iterator.
        steps: How many batches an epoch has.

    Raises:
        ArgumentError: epoch is neither, or steps no positive integer.

    Example:
        >>> batches = Stream(lambda k: iter([(np.zeros((8, 4)), np.full(8, k))]), steps=1)
        >>> [y.tolist() for x, y in batches.batches(3)]
        [[3, 3, 3, 3, 3, 3, 3, 3]]
    """

    epoch: Callable[..., Iterable[tuple[Any, Any]]] | Iterator[tuple[Any, Any]]
    steps: int
    seen: deque[Any] = field(default_factory=deque, init=False, repr=False)

    def __post_init__(self) -> None:
        if not callable(self.epoch) and not isinstance(self.epoch, Iterator):
            raise ArgumentError(
                f"A Stream takes a function of the epoch, got {type(self.epoch).__name__}.",
                help="lambda k: the batches of epoch k; or an iterator over all epochs.",
            )
        with named("A Stream"):
            object.__setattr__(self, "steps", integer("steps", self.steps, 1))

    @property
    def resumable(self) -> bool:
        """Whether any of its batches can be reached again."""
        return not isinstance(self.epoch, Iterator) or _methods(self.epoch) is not None

    @property
    def loader(self) -> Loader | None:
        """The loader whose epochs these are, if they are."""
        found = getattr(self.epoch, "__self__", None)
        return found if isinstance(found, Loader) and self.epoch == found.epoch else None

    def batches(self, epoch: int, done: int = 0) -> Iterator[Any]:
        """The batches of an epoch after those that are done; an iterator stands there already.

        Raises:
            DataError: The function of the user gives no batches.
        """
        if isinstance(self.epoch, Iterator):
            return islice(self._going_on(self.epoch), self.steps - done)
        if self.loader is not None:
            return self.loader.epoch(epoch, done)  # it begins anywhere
        found = self.epoch(epoch)
        if not isinstance(found, Iterable):
            raise DataError(
                f"A Stream takes a function that gives batches, got {type(found).__name__} from it."
            )
        return self._after(iter(found), done)

    def _after(self, batches: Iterator[Any], done: int) -> Iterator[Any]:
        skipped = sum(1 for _ in islice(batches, done))
        if skipped < done:
            raise DataError(f"The stream takes {self.steps} batches an epoch, got {skipped}.")
        return batches

    def _going_on(self, iterator: Iterator[Any]) -> Iterator[Any]:
        """The batch that was looked at, then the others."""
        while self.seen:
            yield self.seen.popleft()
        for batch in iterator:  # noqa: UP028 - `yield from` would close it after an epoch
            yield batch

    def first(self) -> Examples:
        """The first batch: what is checked before training, and hashed. None is lost by it.

        Raises:
            DataError: There is none.
        """
        before = self.state()
        for batch in self.batches(0):
            if before is not None:
                self.restore(before)
            elif isinstance(self.epoch, Iterator):
                self.seen.append(batch)
            return examples(batch)
        raise DataError("A Stream takes at least one batch in an epoch, got none.")

    def state(self) -> Any:
        """Where an iterator stands; None for a function, and where it cannot say it."""
        methods = _methods(self.epoch)
        return None if methods is None else getattr(self.epoch, methods[0])()

    def restore(self, state: Any) -> None:
        """Put an iterator where it stood.

        Raises:
            ResumeError: It is an iterator that cannot say where it stands.
        """
        methods = _methods(self.epoch)
        if methods is not None:
            getattr(self.epoch, methods[1])(state)
        elif isinstance(self.epoch, Iterator):
            raise ResumeError(
                "A run takes batches that can be reached again to go on, got a bare iterator.",
                help=_RESUMABLE,
            )


_RESUMABLE = (
    "train.Stream(lambda k: the batches of epoch k, steps), or an iterator with get_state() and "
    "set_state(state)."
)


def _methods(source: object) -> tuple[str, str] | None:
    """The names under which an iterator gives and takes its state: grain's, or torchdata's."""
    pairs = (("get_state", "set_state"), ("state_dict", "load_state_dict"))
    return next((pair for pair in pairs if all(hasattr(source, name) for name in pair)), None)


def streamed(data: T) -> T | Stream:
    """A `Loader` as a stream, and a bare iterator refused; any other data as it is.

    Raises:
        DataError: It is an iterator, which does not say how many batches an epoch has.
    """
    if isinstance(data, Loader):
        return Stream(data.epoch, len(data))
    if isinstance(data, Iterator):
        raise DataError(
            f"Training takes an iterator with its number of batches, got {type(data).__name__}.",
            help="train.Stream(iterator, steps).",
        )
    return data


@dataclass(frozen=True, eq=False)
class StreamFeed:
    """The batches of a stream, stacked; checked and put on the device while those before run."""

    stream: Stream
    batch_size: int
    check: Callable[[Examples, str], Examples]
    precision: Callable[[], AbstractContextManager[None]] = nullcontext
    positions: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.stream.resumable:
            warnings.warn(
                "this run cannot be resumed: its data is a bare iterator. Give " + _RESUMABLE,
                stacklevel=6,
            )
        self._note(0)

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

    def position(self, step: int) -> Any:
        """Where an iterator stood after a step, though the next batches are made; else None."""
        return self.positions.get(step)

    def restore(self, position: Any, step: int) -> None:
        """Let an iterator go on after a step.

        Raises:
            ResumeError: It cannot.
        """
        self.stream.restore(position)
        self._note(step)

    def _note(self, step: int) -> None:
        """Remember where an iterator stands: as many places as are made in advance, and more."""
        self.positions[step] = self.stream.state()
        self.positions.pop(step - _PLACES, None)

    def _placed(self, epoch: int, done: int) -> Iterator[Piece]:
        for found in self._stacks(epoch, done):
            piece = self._piece(epoch, done, found)
            yield piece
            done = piece.end

    def _stacks(self, epoch: int, done: int) -> Iterator[Examples]:
        """Batches of one form, one below the other: as many as one call takes, or fewer."""
        loader = self.stream.loader
        if loader is None or (len(loader), loader.batch_size) != (len(self), self.batch_size):
            return map(joined, stacks(self._batches(epoch, done), len(self)))
        return map(examples, loader.epoch(epoch, done, self._together))

    @cached_property
    def _together(self) -> int:
        return places(self.stream.first(), len(self))

    def _batches(self, epoch: int, done: int) -> Iterator[Examples]:
        count = done
        for count, batch in enumerate(self.stream.batches(epoch, done), done + 1):
            if count > len(self):
                raise self._miscounted(epoch, "more")
            self._note(epoch * len(self) + count)
            found = _examples(batch, _place(epoch, count))
            self._require_size(len(found), epoch, count)
            yield found
        if count < len(self):
            raise self._miscounted(epoch, str(count))

    def _miscounted(self, epoch: int, count: str) -> DataError:
        return DataError(
            f"The stream takes {len(self)} batches an epoch, got {count}.",
            where=f"epoch {epoch + 1}",
            help="every epoch has as many batches as train.Stream(..., steps) says; what was saved "
            "before goes on with train.resume.",
        )

    def _require_size(self, size: int, epoch: int, count: int) -> None:
        if size != self.batch_size and not (size < self.batch_size and count == len(self)):
            raise DataError(
                f"The stream takes batches of batch_size {self.batch_size}, got {size} examples.",
                where=_place(epoch, count),
                because="only the last batch of an epoch may be smaller.",
                help="" if count > 1 else f"train.fit(..., batch_size={size}).",
            )

    def _piece(self, epoch: int, begin: int, rows: Examples) -> Piece:
        size = min(len(rows), self.batch_size)
        steps = places(rows.part(0, size), len(self)) if size == self.batch_size else 1
        order = np.arange(steps * size, dtype=np.int32).reshape(steps, size)

        def put(array: NDArray[Any]) -> Array:  # once copied: what the user gave may change
            found: Array = jax.device_put(padded(array, order.size), may_alias=False)
            return found

        with self.precision():  # a thread has its own
            found = self._checked(epoch, begin, rows, size)
            inputs, targets = jax.tree.map(put, (found.inputs, found.targets))
            return Piece(begin, begin + len(rows) // size, inputs, targets, order)

    def _checked(self, epoch: int, begin: int, rows: Examples, size: int) -> Examples:
        """Batches are looked at together; where that fails, one by one, to say which is wrong."""
        try:
            return self.check(rows, _place(epoch, begin + 1))
        except TensoremError:
            cuts = enumerate(range(0, len(rows), size), begin + 1)
            return joined([self.check(rows.part(c, c + size), _place(epoch, i)) for i, c in cuts])


_PLACES = 4 * MOST
"""Three stacks are made in advance at most: one used, one ready, one in the making."""


def _place(epoch: int, count: int) -> str:
    return f"epoch {epoch + 1}, batch {count}"


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
