"""What can be said of the numbers in an array in one line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Numbers:
    """Statistics of an array, in float64; of its finite entries but for the counts.

    Args:
        size: How many entries there are.
        least: The least; NaN where no entry is finite, as the next three.
        greatest: The greatest.
        mean: The mean.
        std: The standard deviation, around the mean and divided by the count.
        zeros: How many are 0.
        infinite: How many are infinite.
        nan: How many are not a number.

    Example:
        >>> Numbers.of(np.array([0.0, 3.0, np.inf]))
        Numbers(size=3, least=0.0, greatest=3.0, mean=1.5, std=1.5, zeros=1, infinite=1, nan=0)
    """

    size: int
    least: float
    greatest: float
    mean: float
    std: float
    zeros: int
    infinite: int
    nan: int

    @staticmethod
    def of(array: Any) -> Numbers:
        """The statistics of an array of any dtype with an order."""
        wide = np.asarray(array).astype(np.float64)
        infinite, nan = int(np.isinf(wide).sum()), int(np.isnan(wide).sum())
        finite = wide[np.isfinite(wide)]
        zeros = int((wide == 0).sum())
        return Numbers(wide.size, *_moments(finite), zeros, infinite, nan)

    @property
    def is_finite(self) -> bool:
        """Whether every entry is a finite number."""
        return self.infinite == self.nan == 0

    @property
    def told(self) -> str:
        """The range and what is not finite, in words."""
        span = f"from {self.least:.6g} to {self.greatest:.6g}"
        counts = ((self.infinite, "infinite"), (self.nan, "NaN"))
        bad = [f"{count} of {self.size} {word}" for count, word in counts if count]
        return ", ".join(([] if math.isnan(self.least) else [span]) + bad) or "empty"


def _moments(finite: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Least, greatest, mean and deviation. Scaled first: sums of large numbers overflow."""
    if not finite.size:
        return math.nan, math.nan, math.nan, math.nan
    scale = float(abs(finite).max()) or 1.0
    part = finite / scale
    return (
        float(finite.min()),
        float(finite.max()),
        float(part.mean()) * scale,
        float(part.std()) * scale,
    )
