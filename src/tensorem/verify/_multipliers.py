"""Which inequalities of a set to add up, and how often: where the sum is positive, not all hold.

Source: Farkas' lemma, for the linear lower bounds on a box; the program is solved by scipy (HiGHS).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class Planes:
    """Linear functions on boxes, below what each inequality is missed by.

    Args:
        least: The least value of each (boxes, inequalities).
        slopes: Its slopes (boxes, inequalities, inputs).
        lower: Least inputs (boxes, inputs).
        upper: Greatest inputs.
        of: Of which set each inequality is.
    """

    least: Numbers
    slopes: Numbers
    lower: Numbers
    upper: Numbers
    of: NDArray[np.int32]

    @property
    def sets(self) -> int:
        return int(self.of.max()) + 1

    def multipliers(self, enough: float) -> Numbers:
        """Of each box and set: the best inequality alone; a sum where that is not enough.

        Args:
            enough: What the best one alone must exceed.

        Returns:
            (boxes, sets, inequalities); those of other sets are 0.
        """
        best = self._best()
        able = (np.bincount(self.of) > 1) & np.isfinite(self.least).all(axis=1, keepdims=True)
        missing = able & ~((best * self.least[:, None]).sum(axis=2) > enough)
        for box, group in zip(*np.nonzero(missing), strict=True):
            own = self.of == group
            best[box, group, own] = self._sum(int(box), own)
        return best

    def _best(self) -> Numbers:
        best = np.zeros((len(self.least), self.sets, len(self.of)), np.float32)
        for i in range(self.sets):
            at = np.where(self.of == i, self.least, -np.inf).argmax(axis=1)
            best[np.arange(len(best)), i, at] = 1
        return best

    def _sum(self, box: int, own: NDArray[np.bool_]) -> Numbers:
        """Multipliers of sum 1 that make the least value of the sum greatest.

        On the box it is h·t - Σ r |s·t|, for values h at the middle, slopes s and half widths r.
        """
        from scipy.optimize import linprog  # it takes a third of a second to import

        half = (self.upper[box] - self.lower[box]).astype(float) / 2
        slopes = self.slopes[box][own][:, half > 0].astype(float)
        half, count = half[half > 0], int(own.sum())
        heights = self.least[box][own] + np.abs(slopes) @ half
        sides = np.concatenate([np.c_[s * slopes.T, -np.eye(len(half))] for s in (1, -1)])
        found = linprog(
            np.r_[-heights, half],
            sides,
            np.zeros(len(sides)),
            np.r_[np.ones(count), np.zeros(len(half))][None],
            [1.0],
        )
        if found.x is None:
            return np.full(count, 1 / count, np.float32)
        shares: Numbers = np.maximum(found.x[:count], 0).astype(np.float32)
        return shares
