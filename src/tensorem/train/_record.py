"""What the steps of an epoch measured: sums and counts, of which a mean is taken once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Record:
    """Sums and counts, a row per step.

    Args:
        names: "loss", then the metrics.
        rows: Of shape (steps, 2 len(names)): sum, count, sum, count, ...
    """

    names: tuple[str, ...]
    rows: NDArray[Any]

    @classmethod
    def empty(cls, names: tuple[str, ...]) -> Record:
        """The record before the first step."""
        return cls(names, np.zeros((0, 2 * len(names)), np.float32))

    def __len__(self) -> int:
        return len(self.rows)

    def followed_by(self, rows: ArrayLike) -> Record:
        """The record after more steps."""
        more = np.asarray(rows)
        return replace(self, rows=np.concatenate([self.rows.astype(more.dtype), more]))

    def means(self, start: int = 0, stop: int | None = None) -> dict[str, float]:
        """The mean of each name over all examples of the steps from start to stop.

        Example:
            >>> record = Record(("loss",), np.array([[6.0, 4.0], [1.0, 1.0]]))
            >>> record.means()
            {'loss': 1.4}
        """
        rows = self.rows[start:stop].tolist()
        totals = [_total(column) for column in zip(*rows, strict=True)]
        pairs = zip(totals[::2], totals[1::2], strict=True)
        return {
            name: s / n if n else math.nan for name, (s, n) in zip(self.names, pairs, strict=False)
        }

    def steps(self, start: int = 0) -> list[dict[str, float]]:
        """The means of each step from start on.

        Example:
            >>> Record(("loss",), np.array([[6.0, 4.0], [1.0, 2.0]])).steps()
            [{'loss': 1.5}, {'loss': 0.5}]
        """
        return self._named(self.rows[start:])

    def windows(self, spans: Sequence[tuple[int, int]]) -> list[dict[str, float]]:
        """The means over the steps of each span (start, stop), as many at once as there are.

        Example:
            >>> Record(("loss",), np.array([[6.0, 4.0], [1.0, 2.0]])).windows([(0, 1), (0, 2)])
            [{'loss': 1.5}, {'loss': 1.1666666666666667}]
        """
        rows = np.pad(self.rows.astype(np.float64), ((0, 1), (0, 0)))  # the last span ends there
        with np.errstate(invalid="ignore"):
            sums = np.add.reduceat(rows, np.array(spans, np.intp).ravel(), axis=0)[::2]
        return self._named(sums)

    def _named(self, rows: NDArray[Any]) -> list[dict[str, float]]:
        with np.errstate(all="ignore"):
            means: list[list[float]] = (rows[:, ::2] / rows[:, 1::2]).tolist()
        return [dict(zip(self.names, row, strict=True)) for row in means]

    def loss_so_far(self) -> float:
        """The mean loss, for display: fast, and rounded along the way."""
        total, count = self.rows[:, :2].sum(axis=0, dtype=np.float64)
        return float(total / count)

    def losses(self) -> NDArray[Any]:
        """The mean loss of each step; not a number where a loss counted nothing."""
        with np.errstate(all="ignore"):
            means: NDArray[Any] = self.rows[:, 0] / self.rows[:, 1]
        return means

    def first_nonfinite(self, start: int = 0) -> int | None:
        """The first step from start on whose loss is not a finite number."""
        bad = np.flatnonzero(~np.isfinite(self.losses()[start:]))
        return start + int(bad[0]) if bad.size else None


def _total(column: tuple[float, ...]) -> float:
    """The sum, rounded once; `fsum` refuses inf beside -inf, whose sum is not a number."""
    return math.fsum(column) if all(map(math.isfinite, column)) else sum(column)
