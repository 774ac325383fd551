"""Examples on the device, and the order in which each epoch visits them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from tensorem import rand
from tensorem.calls import integer, named
from tensorem.data import Dataset, array_of
from tensorem.disk import raw
from tensorem.errors import ArgumentError, DataError

Inputs = tuple[Array, ...]
Targets = Any
"""An array, or a tuple or dict of arrays: what a loss and the metrics get."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of inputs beside rows of targets, in host memory.

    Args:
        inputs: One array for each input of the model.
        targets: One row for each example.
        names: The arguments of forward that the inputs are for; none where they are in order.
    """

    inputs: tuple[NDArray[Any], ...]
    targets: Targets
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs[0])

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """The inputs, and then the arrays of the targets."""
        return (*self.inputs, *jax.tree.leaves(self.targets))

    def part(self, start: int, stop: int) -> Examples:
        """The examples from start to stop."""
        inputs = tuple(x[start:stop] for x in self.inputs)
        targets = jax.tree.map(lambda y: y[start:stop], self.targets)
        return Examples(inputs, targets, self.names)

    def sha256(self) -> str:
        """The hash of every shape, dtype and value."""
        digest = hashlib.sha256()
        for array in self.arrays:
            digest.update(f"{array.dtype.str} {array.shape} ".encode())
            digest.update(raw(array))
        return digest.hexdigest()


Data = Dataset | Examples | tuple[Any, Any]
"""What is trained on; of a pair (x, y) x is a tuple where the model takes several inputs, or a dict
by the arguments of its forward; y is a tuple or dict of arrays where a loss takes several."""


def examples(data: object) -> Examples:
    """The examples of a `Dataset`, or of a pair (x, y); x is a tuple or dict for several inputs.

    Raises:
        DataError: It is neither, or the lengths differ, or it is empty.
    """
    if isinstance(data, Examples):
        return data
    x, y = _pair(data)
    names = tuple(x) if isinstance(x, dict) else ()
    several = isinstance(x, tuple) or _holds_arrays(x)
    inputs = tuple(map(_array, x.values() if isinstance(x, dict) and x else x if several else (x,)))
    found = Examples(inputs, _targets(y), names)
    _check_lengths(found)
    return found


_array = partial(array_of, "Training takes")


def _holds_arrays(x: object) -> bool:
    """A list of arrays is several inputs; one of numbers is an array."""
    return isinstance(x, list) and len(x) > 0 and all(hasattr(v, "shape") for v in x)


def _pair(data: object) -> tuple[Any, Any]:
    if isinstance(data, Dataset):
        return data.x, data.y
    if isinstance(data, tuple) and len(data) == 2:
        return data
    raise DataError(
        f"Training takes a Dataset or a pair (x, y), got {type(data).__name__}.",
        help=_LOADER if _is_of_a_loader(data) else _PAIR,
    )


_PAIR = "data.Dataset(x, y); of a split such as data.digits() take .train."
_LOADER = (
    "a loader of PyTorch gives lists of tensors; write "
    "train.Stream(lambda k: ((x.numpy(), y.numpy()) for x, y in loader), len(loader))."
)


def _is_of_a_loader(data: object) -> bool:
    """A loader that gives batches, or a batch of it: a list, where a pair is a tuple."""
    is_batch = isinstance(data, list) and len(data) == 2 and _holds_arrays(data)
    return is_batch or (hasattr(data, "__iter__") and hasattr(data, "batch_size"))


def _narrowed(targets: NDArray[Any]) -> NDArray[Any]:
    """Class numbers as int32, which is what the device computes with."""
    if targets.dtype.kind in "iu" and targets.dtype != np.int32:
        if targets.size and (targets.max() >= 2**31 or targets.min() < -(2**31)):
            raise DataError("Integer targets take values below 2**31, got larger ones.")
        return targets.astype(np.int32)
    return targets


def taken(arrays: Any, rows: Any) -> Any:
    """The same tree with some rows of each array."""
    return jax.tree.map(lambda a: a[rows], arrays)


def _targets(y: object) -> Targets:
    if isinstance(y, dict):
        return {str(name): _narrowed(_array(v)) for name, v in y.items()}
    if _holds_arrays(list(y) if isinstance(y, tuple) else y):
        return tuple(_narrowed(_array(v)) for v in cast("list[Any]", y))
    return _narrowed(_array(y))


def _check_lengths(found: Examples) -> None:
    for name, array in (("x", found.inputs), ("y", jax.tree.leaves(found.targets))):
        for single in (a for a in array if a.ndim == 0):
            got = type(single.item()).__name__ if single.dtype == object else "a scalar"
            raise DataError(f"Training takes {name} with examples along axis 0, got {got}.")
    lengths = {len(a) for a in found.arrays}
    if len(lengths) > 1:
        shown = ", ".join(str(a.shape) for a in found.arrays)
        raise DataError(f"Training takes as many targets as inputs, got shapes {shown}.")
    if lengths == {0}:
        raise DataError("Training takes at least one example, got none.")


@dataclass(frozen=True, eq=False)
class Piece:
    """Some consecutive steps of an epoch, all of one batch size.

    Args:
        begin: The number of the first of these steps within the epoch.
        end: The number after that of the last step.
        inputs: Rows of inputs, on the device.
        targets: Rows of targets, on the device.
        order: The rows that each step takes, of shape (steps, batch); it may have more steps.
    """

    begin: int
    end: int
    inputs: Inputs
    targets: Targets
    order: NDArray[np.int32]


class Batches(Protocol):
    """What a runner trains on."""

    def __len__(self) -> int:
        """The number of steps in an epoch."""
        ...

    def pieces(self, epoch: int, done: int) -> Iterator[Piece]:
        """The pieces of an epoch that hold the steps after those that are done."""
        ...

    def rows(self, epoch: int, step: int) -> tuple[int, ...]:
        """The rows of the data in the batch of a step, as far as they are known."""
        ...

    def inputs_of(self, epoch: int, step: int) -> Inputs | None:
        """The inputs of a step, where they are still at hand."""
        ...

    def position(self, step: int) -> Any:
        """What a checkpoint must say of the data to go on after a step, beside the step."""
        ...

    def restore(self, position: Any, step: int) -> None:
        """Go on after a step of which `position` said this."""
        ...


@dataclass(frozen=True, eq=False)
class Feed:
    """Batches of examples that lie on the device; the order follows from (seed, epoch) alone.

    Made by `feed`. The last batch of an epoch has its true, smaller size.
    """

    inputs: Inputs
    targets: Targets
    batch_size: int
    seed: int
    drop_last: bool

    def __len__(self) -> int:
        """The number of steps in an epoch."""
        whole, rest = divmod(self.size, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    @property
    def size(self) -> int:
        """The number of examples."""
        return int(self.inputs[0].shape[0])

    def order(self, epoch: int) -> NDArray[np.int32]:
        """The rows of an epoch as they are visited: what `data.Loader(shuffle=True)` gives."""
        return rand.epoch_order(self.seed, epoch, self.size).astype(np.int32)

    def blocks(self, epoch: int) -> tuple[NDArray[np.int32], ...]:
        """The rows of an epoch as (steps, batch): the full batches, and the smaller last one."""
        order, cut = self.order(epoch), self.size - self.size % self.batch_size
        full = (order[:cut].reshape(-1, self.batch_size),) if cut else ()
        tail = (order[np.newaxis, cut:],) if cut < self.size and not self.drop_last else ()
        return full + tail

    def pieces(self, epoch: int, done: int) -> Iterator[Piece]:
        """The full batches, then the smaller one."""
        begin = 0
        for block in self.blocks(epoch):
            piece = Piece(begin, begin + len(block), self.inputs, self.targets, block)
            if done < piece.end:
                yield piece
            begin = piece.end

    def rows(self, epoch: int, step: int) -> tuple[int, ...]:
        """The rows in the batch of a step of an epoch."""
        first = step * self.batch_size
        return tuple(self.order(epoch)[first : first + self.batch_size].tolist())

    def inputs_of(self, epoch: int, step: int) -> Inputs | None:
        """The inputs in the batch of a step of an epoch."""
        rows = np.asarray(self.rows(epoch, step))
        return tuple(x[rows] for x in self.inputs)

    def position(self, step: int) -> None:
        """Nothing: the order follows from the step."""

    def restore(self, position: Any, step: int) -> None:
        """Nothing is to be done."""


def feed(data: Data, batch_size: int = 32, seed: int = 0, drop_last: bool = False) -> Feed:
    """Put examples on the device, to be visited in batches.

    Args:
        data: A `Dataset`, or a pair (x, y); x is a tuple of arrays for several inputs.
        batch_size: Examples in a step.
        seed: Where the order of each epoch comes from.
        drop_last: Whether a smaller last batch is left out.

    Raises:
        ArgumentError: batch_size is no positive integer, or there would be no batch at all.
        DataError: The data is empty or ragged.

    Example:
        >>> import numpy as np
        >>> batches = feed((np.zeros((5, 2), np.float32), np.arange(5)), batch_size=2)
        >>> len(batches), [block.shape for block in batches.blocks(epoch=0)]
        (3, [(2, 2), (1, 1)])
    """
    found = examples(data)
    with named("Training"):
        batch_size = integer("batch_size", batch_size, 1)
    if drop_last and batch_size > len(found):
        raise ArgumentError(
            f"drop_last takes a batch_size up to the {len(found)} examples, got {batch_size}.",
            because="every batch would be dropped.",
        )
    inputs = tuple(jnp.asarray(x) for x in found.inputs)
    targets = jax.tree.map(jnp.asarray, found.targets)
    return Feed(inputs, targets, batch_size, rand.check_seed(seed), drop_last)
