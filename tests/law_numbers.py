"""Floats of every binade."""

from __future__ import annotations

from typing import Any

import numpy as np


def every_size(count: int, seed: int, low: int = -1074, high: int = 1000) -> Any:
    """Floats with random exponents, signs and full mantissas; some zeros."""
    rng = np.random.default_rng(seed)
    mantissa = 1 + rng.integers(0, 2**52, count) / 2.0**52
    values = np.ldexp(mantissa * rng.choice([-1.0, 1.0], count), rng.integers(low, high, count))
    return np.where(rng.random(count) < 0.05, 0.0, values)
