"""Which rows an epoch visits, and in which order: functions of (seed, epoch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorem import rand
from tensorem.calls import flag, integer, named
from tensorem.errors import ArgumentError

Rows = NDArray[np.int64]


class Sampler(Protocol):
    """The rows of an epoch as a function of (seed, epoch) and of the parts of the data."""

    def size(self, n: int) -> int:
        """How many rows an epoch over n examples visits."""
        ...

    def rows(self, seed: int, epoch: int, parts: tuple[int, ...]) -> Rows:
        """These rows, in order."""
        ...


@dataclass(frozen=True)
class SequentialSampler:
    """All rows in their own order.

    Example:
        >>> SequentialSampler().rows(seed=0, epoch=0, parts=(3,))
        array([0, 1, 2])
    """

    def size(self, n: int) -> int:
        """All."""
        return n

    def rows(self, seed: int, epoch: int, parts: tuple[int, ...]) -> Rows:
        """0, 1, ..., n - 1."""
        return np.arange(sum(parts), dtype=np.int64)


@dataclass(frozen=True)
class RandomSampler:
    """All rows in a random order: part after part in a random order, shuffled within.

    Data in memory are one part. Of several only one at a time needs to be in memory.

    Example:
        >>> RandomSampler().rows(seed=0, epoch=0, parts=(4,))
        array([1, 0, 3, 2])
        >>> RandomSampler().rows(seed=0, epoch=1, parts=(2, 2, 2))
        array([1, 0, 5, 4, 3, 2])
    """

    def size(self, n: int) -> int:
        """All."""
        return n

    def rows(self, seed: int, epoch: int, parts: tuple[int, ...]) -> Rows:
        """The order of `rand.epoch_order` where there is one part."""
        if len(parts) == 1:
            return rand.epoch_order(seed, epoch, parts[0])
        starts, key = np.cumsum((0, *parts)), rand.fold(seed, "epoch", epoch, "parts")
        order = rand.permutation(key, len(parts)).tolist()
        within = [starts[i] + rand.permutation(rand.fold(key, i), parts[i]) for i in order]
        return np.concatenate([np.zeros(0, np.int64), *within])


@dataclass(frozen=True, eq=False)
class WeightedRandomSampler:
    """Rows drawn with probabilities in proportion to weights.

    Args:
        weights: One for each example, at least 0.
        num_samples: Rows in an epoch; as many as there are examples if not given.
        replacement: Whether a row may come again.

    Raises:
        ArgumentError: A weight is negative or not finite, their number is not that of the
            examples, or there are too few to draw that many without replacement.

    Example:
        >>> WeightedRandomSampler([0, 1, 3]).rows(seed=0, epoch=0, parts=(3,))
        array([2, 2, 2])
    """

    weights: ArrayLike
    num_samples: int | None = None
    replacement: bool = True

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights, np.float64)
        if weights.ndim != 1 or not np.isfinite(weights).all() or not (weights >= 0).all():
            raise ArgumentError(
                "WeightedRandomSampler takes weights of at least 0, one for each example, got "
                f"{_shown(weights)}."
            )
        with named("WeightedRandomSampler"):
            flag("replacement", self.replacement)
            if self.num_samples is not None:
                integer("num_samples", self.num_samples, 1)
        object.__setattr__(self, "weights", weights)
        self._require_enough(weights)

    def _require_enough(self, weights: NDArray[np.float64]) -> None:
        able, wanted = int((weights > 0).sum()), self.size(len(weights))
        if able < (1 if self.replacement else wanted):
            raise ArgumentError(
                f"WeightedRandomSampler takes weights to draw {wanted} rows, got {able} above 0."
            )

    def size(self, n: int) -> int:
        """num_samples, or all."""
        return n if self.num_samples is None else self.num_samples

    def rows(self, seed: int, epoch: int, parts: tuple[int, ...]) -> Rows:
        """The rows that are drawn.

        Raises:
            ArgumentError: There are more or fewer weights than examples.

        Source:
            Without replacement: Efraimidis and Spirakis 2006, the greatest u^(1/w).
        """
        weights, n = np.asarray(self.weights, np.float64), sum(parts)
        if len(weights) != n:
            raise ArgumentError(
                f"WeightedRandomSampler takes {n} weights, one for each example, got "
                f"{len(weights)}."
            )
        key = rand.fold(seed, "weighted", epoch)
        if self.replacement:
            ends = np.cumsum(weights)
            draws = rand.uniform(key, self.size(n), "float64") * ends[-1]
            places: Rows = np.searchsorted(ends, draws, side="right")
            return places
        u = (rand.uniform(key, n, "float64") * 2.0**32 + 0.5) / 2.0**32
        with np.errstate(divide="ignore"):
            order = np.argsort(-np.log(u) / weights, kind="stable")
        drawn: Rows = order[: self.size(n)].astype(np.int64, copy=False)
        return drawn


@dataclass(frozen=True, eq=False)
class BalancedSampler:
    """As many rows of each class, to within one; rows of a rare class come again.

    Args:
        labels: The class of each example.
        num_samples: Rows in an epoch; as many as there are examples if not given.

    Raises:
        ArgumentError: There are no labels, or not one for each example.

    Example:
        >>> rows = BalancedSampler([0, 0, 0, 1]).rows(seed=0, epoch=0, parts=(4,))
        >>> int((rows == 3).sum())
        2
    """

    labels: ArrayLike
    num_samples: int | None = None

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if labels.ndim != 1 or not len(labels):
            raise ArgumentError(
                f"BalancedSampler takes labels, one for each example, got {_shown(labels)}."
            )
        with named("BalancedSampler"):
            if self.num_samples is not None:
                integer("num_samples", self.num_samples, 1)
        object.__setattr__(self, "labels", labels)

    def size(self, n: int) -> int:
        """num_samples, or all."""
        return n if self.num_samples is None else self.num_samples

    def rows(self, seed: int, epoch: int, parts: tuple[int, ...]) -> Rows:
        """The rows, class by class, then mixed.

        Raises:
            ArgumentError: There are more or fewer labels than examples.
        """
        labels, n = np.asarray(self.labels), sum(parts)
        if len(labels) != n:
            raise ArgumentError(
                f"BalancedSampler takes {n} labels, one for each example, got {len(labels)}."
            )
        key, classes = rand.fold(seed, "balanced", epoch), np.unique(labels)
        # The classes that get one row more differ from epoch to epoch.
        first = rand.permutation(rand.fold(key, "first"), len(classes))
        counts = np.array([self.size(n) // len(classes)] * len(classes))
        counts[first[: self.size(n) % len(classes)]] += 1
        drawn = [
            _repeated(rand.fold(key, i), np.flatnonzero(labels == value), int(count))
            for i, (value, count) in enumerate(zip(classes, counts, strict=True))
        ]
        return np.concatenate(drawn)[rand.permutation(key, self.size(n))]


def _repeated(key: int, rows: NDArray[Any], count: int) -> Rows:
    """So many of some rows: all of them in one order after another."""
    times = -(-count // len(rows))
    orders = [rows[rand.permutation(rand.fold(key, i), len(rows))] for i in range(times)]
    return np.concatenate([np.zeros(0, np.int64), *orders])[:count]


@dataclass(frozen=True)
class DistributedSampler:
    """The part of an epoch that one of several processes visits: every num_replicas-th row.

    All processes take equally many rows: the last ones are filled up from the first rows, or cut.

    Args:
        num_replicas: How many processes there are.
        rank: The number of this one, from 0.
        sampler: The order that is shared out.
        drop_last: Whether rows that do not go round are left out.

    Raises:
        ArgumentError: num_replicas is below 1, or rank none of 0 to num_replicas - 1.

    Example:
        >>> DistributedSampler(2, 1, SequentialSampler()).rows(seed=0, epoch=0, parts=(5,))
        array([1, 3, 0])
    """

    num_replicas: int
    rank: int
    sampler: Sampler = RandomSampler()
    drop_last: bool = False

    def __post_init__(self) -> None:
        with named("DistributedSampler"):
            integer("num_replicas", self.num_replicas, 1)
            integer("rank", self.rank, 0, self.num_replicas - 1)

    def size(self, n: int) -> int:
        """A share of what the order visits."""
        whole, rest = divmod(self.sampler.size(n), self.num_replicas)
        return whole + (rest > 0 and not self.drop_last)

    def rows(self, seed: int, epoch: int, parts: tuple[int, ...]) -> Rows:
        """Every num_replicas-th row of the order, from that of the rank on."""
        order = self.sampler.rows(seed, epoch, parts)
        return np.resize(order, self.size(sum(parts)) * self.num_replicas)[
            self.rank :: self.num_replicas
        ]


def _shown(array: NDArray[Any]) -> str:
    return f"an array of shape {array.shape}" if array.size > 6 else str(array.tolist())
