"""Lines of softmax and its logarithm are planes, and no farther apart than its interval."""

from __future__ import annotations

import numpy as np
import pytest

from tensorem import ops
from tensorem.domains import Interval

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("op", [ops.softmax, ops.log_softmax])
def test_planes_are_far_closer_than_the_interval_on_small_boxes(op: ops.Op) -> None:
    x = RNG.normal(size=(2, 5)).astype(np.float32)
    box = Interval(x - 0.05, x + 0.05)
    lines, y = op.meaning("lines")(box, dim=1), op.meaning("interval")(box, dim=1)
    low, high = (
        np.asarray(m(x)) + offset
        for (m,), offset in ((lines.lower, lines.lower_offset), (lines.upper, lines.upper_offset))
    )
    true = np.asarray(op(x, dim=1))
    assert np.all(low <= true + 1e-6) and np.all(true <= high + 1e-6)
    assert np.all(high - low < 0.1 * np.asarray(y.upper - y.lower))


@pytest.mark.parametrize("op", [ops.softmax, ops.log_softmax])
def test_on_huge_boxes_they_are_its_ends(op: ops.Op) -> None:
    """exp overflows there."""
    box = Interval(np.full((1, 3), -500, np.float32), np.full((1, 3), 500, np.float32))
    lines, y = op.meaning("lines")(box, dim=-1), op.meaning("interval")(box, dim=-1)
    x = np.ones((1, 3), np.float32)
    for (m,), offset, end in (
        (lines.lower, lines.lower_offset, y.lower),
        (lines.upper, lines.upper_offset, y.upper),
    ):
        assert np.array_equal(np.asarray(m(x)), 0 * x) and np.allclose(offset, end)
