"""The one comparison of arrays in the tests: it raises, and says where the worst element is."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_close(actual: Any, expected: Any, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Raise unless |actual - expected| <= atol + rtol * |expected| everywhere, shapes equal."""
    a, e = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if a.shape != e.shape:
        raise AssertionError(f"shapes differ: got {a.shape}, expected {e.shape}")
    excess = np.abs(a - e) - (atol + rtol * np.abs(e))
    excess = np.where((a == e) | (np.isnan(a) & np.isnan(e)), -np.inf, excess)
    if excess.size and not (excess.max() <= 0):
        i = np.unravel_index(int(np.argmax(np.nan_to_num(excess, nan=np.inf))), a.shape)
        raise AssertionError(f"at {i}: got {a[i]!r}, expected {e[i]!r}, off by {a[i] - e[i]!r}")
