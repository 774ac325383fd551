"""Metrics of a whole data set: no mean over examples, so they see all of them at once."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorem.calls import among, called
from tensorem.errors import DataError, ShapeError
from tensorem.losses import check_classes

Average = Literal["macro", "micro", "none"]
"""The mean over classes, the score of all decisions together, or one score per class."""


Shares = float | NDArray[np.float64]
"""One share, or one for each class."""


@called
def confusion_matrix(output: ArrayLike, target: ArrayLike) -> NDArray[np.int64]:
    """How many examples of each class (rows) were said to be of each class (columns).

    Shapes:
        output (N, classes), target (N)  ->  (classes, classes)

    Args:
        output: Scores; the largest, the first of equals, is what is said.
        target: Class indices.

    Raises:
        ShapeError: The shapes do not fit.
        DataError: A class is out of range.

    Example:
        >>> confusion_matrix(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1])).tolist()
        [[0, 0], [1, 1]]
    """
    return _counts(output, target)


@called
def precision(output: ArrayLike, target: ArrayLike, *, average: Average = "macro") -> Shares:
    """Of what was said to be of a class, the share that is; 0 where nothing was said.

    Shapes:
        output (N, classes), target (N)  ->  one number, or (classes) for "none"

    Raises:
        ShapeError: The shapes do not fit.
        DataError: A class is out of range.
        ArgumentError: There is no such average.

    Example:
        >>> precision(np.eye(2)[[0, 0, 1]], [0, 1, 1], average="none").tolist()
        [0.5, 1.0]
    """
    counts = _counts(output, target)
    return _averaged(counts.diagonal(), counts.sum(0), average)


@called
def recall(output: ArrayLike, target: ArrayLike, *, average: Average = "macro") -> Shares:
    """Of what is of a class, the share that was said to be; 0 where nothing is.

    Shapes:
        output (N, classes), target (N)  ->  one number, or (classes) for "none"

    Raises:
        ShapeError: The shapes do not fit.
        DataError: A class is out of range.
        ArgumentError: There is no such average.

    Example:
        >>> recall(np.eye(2)[[0, 0, 1]], [0, 1, 1], average="none").tolist()
        [1.0, 0.5]
    """
    counts = _counts(output, target)
    return _averaged(counts.diagonal(), counts.sum(1), average)


@called
def f1(output: ArrayLike, target: ArrayLike, *, average: Average = "macro") -> Shares:
    """The harmonic mean of precision and recall; 0 where both are 0.

    Shapes:
        output (N, classes), target (N)  ->  one number, or (classes) for "none"

    Raises:
        ShapeError: The shapes do not fit.
        DataError: A class is out of range.
        ArgumentError: There is no such average.

    Example:
        >>> round(f1(np.eye(2)[[0, 0, 1]], [0, 1, 1]), 4)
        0.6667
    """
    counts = _counts(output, target)
    return _averaged(2 * counts.diagonal(), counts.sum(0) + counts.sum(1), average)


@called
def r2(output: ArrayLike, target: ArrayLike) -> float:
    """1 - Σ (output - target)² / Σ (target - mean target)²; each output counts alike.

    Shapes:
        output, target (N, ...), equal  ->  one number

    Raises:
        ShapeError: The shapes differ, or there are fewer than two examples.
        DataError: A target is the same everywhere.

    Example:
        >>> r2(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
        0.5
    """
    y, t = np.asarray(output, np.float64), np.asarray(target, np.float64)
    if y.shape != t.shape or not y.shape or len(y) < 2:
        raise ShapeError(
            f"takes two or more outputs and targets of equal shapes, got {y.shape} and {t.shape}."
        )
    spread = ((t - t.mean(0)) ** 2).sum(0)
    if np.any(spread == 0):
        raise DataError("takes targets that differ, got one that is the same everywhere.")
    return float(np.mean(1 - ((y - t) ** 2).sum(0) / spread))


@called
def auroc(output: ArrayLike, target: ArrayLike) -> float:
    """The probability that an example of class 1 has a larger score than one of class 0.

    Equal scores count half: the area under the curve of true over false positives.

    Shapes:
        output, target (N)  ->  one number

    Args:
        output: Scores.
        target: 0 or 1.

    Raises:
        ShapeError: They are no two rows of equal length.
        DataError: A target is neither 0 nor 1, or all are equal.

    Example:
        >>> auroc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
        0.75

    Source:
        Hanley and McNeil 1982, by the sum of ranks of Mann and Whitney 1947.
    """
    scores, bits = np.asarray(output), np.asarray(target)
    if scores.ndim != 1 or bits.shape != scores.shape:
        raise ShapeError(f"takes scores (N,) and targets (N,), got {scores.shape}, {bits.shape}.")
    if not np.isin(bits, (0, 1)).all() or len(np.unique(bits)) < 2:
        raise DataError("takes targets 0 and 1, both of them, and nothing else.")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # equal scores share their mean rank
    ones = int(bits.sum())
    above = ranks[bits == 1].sum() - ones * (ones + 1) / 2
    return float(above / (ones * (len(bits) - ones)))


def _counts(output: ArrayLike, target: ArrayLike) -> NDArray[np.int64]:
    scores, classes = np.asarray(output), np.asarray(target)
    if scores.ndim != 2 or classes.shape != scores.shape[:1] or classes.dtype.kind not in "iu":
        raise ShapeError(
            "takes an output (N, classes) and integer classes (N,), got "
            f"{scores.shape} and {classes.dtype} {classes.shape}."
        )
    size = scores.shape[1]
    check_classes(classes, size)
    pairs = classes.astype(np.int64) * size + scores.argmax(1)
    return np.bincount(pairs, minlength=size * size).reshape(size, size)


def _averaged(hits: NDArray[np.int64], of: NDArray[np.int64], average: Average) -> Shares:
    each = np.divide(hits, of, out=np.zeros(len(of)), where=of > 0)
    among("average", average, ("macro", "micro", "none"))
    if average == "none":
        return each
    return float(each.mean() if average == "macro" else hits.sum() / of.sum())
