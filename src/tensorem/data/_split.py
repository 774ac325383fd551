"""Data sets in parts: at random, in proportion, or by groups that stay whole."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorem import rand
from tensorem.calls import integer, named
from tensorem.errors import ArgumentError

from ._dataset import Dataset, row_at

Rows = NDArray[np.int64]


def random_split(
    dataset: Dataset,
    at: int | float,
    seed: int = 0,
    *,
    stratify: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> tuple[Dataset, Dataset]:
    """A data set in two parts, at random; which row comes where depends on the seed alone.

    Args:
        at: Rows in the first part, or a float fraction of all.
        stratify: A value for each row, such as its class: both parts hold each value in
            proportion, to within one row.
        groups: A value for each row, such as a person: rows of one value stay together, and the
            first part is the smallest number of groups that has `at` rows.

    Raises:
        ArgumentError: The place lies outside, there is not one value for each row, or both are
            given.

    Example:
        >>> flowers = Dataset(np.zeros((9, 1)), np.array([0, 0, 0, 0, 0, 0, 1, 1, 1]))
        >>> train, test = random_split(flowers, 6, stratify=flowers.y)
        >>> train.class_counts().tolist(), test.class_counts().tolist()
        ([4, 2], [2, 1])
    """
    order, ends = _order(dataset, seed, stratify, groups)
    row = row_at(len(dataset), at)
    cut = int(ends[np.searchsorted(ends, row)])
    return dataset.select(order[:cut]), dataset.select(order[cut:])


def k_fold(
    dataset: Dataset,
    k: int,
    seed: int = 0,
    *,
    stratify: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> tuple[tuple[Dataset, Dataset], ...]:
    """k pairs (train, test): each row is in one test part.

    Args:
        k: How many, from 2 to the number of rows, or of groups.
        stratify: As in `random_split`.
        groups: As in `random_split`; the parts then differ by the sizes of groups.

    Raises:
        ArgumentError: k is out of range, there is not one value for each row, or both are given.

    Example:
        >>> [len(test) for train, test in k_fold(Dataset(np.zeros(7), np.zeros(7)), 3)]
        [2, 2, 3]
    """
    order, ends = _order(dataset, seed, stratify, groups)
    with named("k_fold"):
        k = integer("k", k, 2, max(2, len(ends) - 1))
    places = np.searchsorted(ends, [len(dataset) * i // k for i in range(k + 1)])
    # A large group may pass several places; each part then still has a group of its own.
    for i in range(1, k):
        places[i] = min(max(places[i], places[i - 1] + 1), len(ends) - 1 - (k - i))
    cuts = ends[places].tolist()
    return tuple(
        (dataset.select(np.r_[order[:a], order[b:]]), dataset.select(order[a:b]))
        for a, b in pairwise(cuts)
    )


def _order(
    dataset: Dataset, seed: int, stratify: ArrayLike | None, groups: ArrayLike | None
) -> tuple[Rows, Rows]:
    """An order of the rows, and the places where it may be cut."""
    n = len(dataset)
    if stratify is not None and groups is not None:
        raise ArgumentError("A split takes stratify or groups, got both.")
    if groups is not None:
        return _grouped(seed, _values("groups", groups, n))
    ends = np.arange(n + 1)
    if stratify is not None:
        return _stratified(seed, _values("stratify", stratify, n)), ends
    return rand.permutation(seed, n), ends


def _values(name: str, values: ArrayLike, n: int) -> NDArray[Any]:
    """The number of the value of each row."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise ArgumentError(f"A split takes {name} of shape ({n},), got {array.shape}.")
    return np.unique(array, return_inverse=True)[1]


def _stratified(seed: int, values: NDArray[Any]) -> Rows:
    """An order of which each beginning holds the values in proportion: each is spread evenly."""
    order = rand.permutation(seed, len(values))
    places = np.empty(len(values))
    for value in range(int(values.max(initial=-1)) + 1):
        rows = order[values[order] == value]
        places[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return order[np.argsort(places[order], kind="stable")]


def _grouped(seed: int, values: NDArray[Any]) -> tuple[Rows, Rows]:
    """Group after group in a random order."""
    sizes = np.bincount(values)
    groups = rand.permutation(seed, len(sizes))
    rank = np.empty(len(sizes), np.int64)
    rank[groups] = np.arange(len(sizes))
    order = np.argsort(rank[values], kind="stable")
    return order, np.cumsum(np.r_[0, sizes[groups]])
