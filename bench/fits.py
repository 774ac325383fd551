"""`fit` beside the loop that it stands for, and beside itself with more asked of it."""

from __future__ import annotations

from collections.abc import Iterator

FIT, LOOP, LOOP_IN_PARTS = "fit", "a loop by hand", "a loop by hand, in two parts"
WAYS = (
    FIT, LOOP, "fit, a stream", "fit, a step callback", "fit, a log of each step",
    "fit, a checkpoint each epoch", "fit, accumulate=2", LOOP_IN_PARTS, "fit, groups", "fit, EMA",
)  # fmt: skip
"""All ways to train: `bench.loops` has them."""
AGAINST = {FIT: LOOP, "fit, accumulate=2": LOOP_IN_PARTS}
"""What a way to call `fit` is held against, where that is not `fit` alone."""
LOOPS = ("mlp64", "cnn32", "color32", "gpt16", "lstm32")
"""The workloads on which `fit` is held against a loop."""
LONG = "mnist64"
"""The one on which all ways are measured."""


def asked() -> Iterator[tuple[str, tuple[str, ...]]]:
    """(workload, the ways to be compared on it)."""
    for work in LOOPS:
        yield work, (FIT, LOOP)
    yield LONG, WAYS
