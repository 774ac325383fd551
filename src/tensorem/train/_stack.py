"""Batches that came one by one, stacked so that one call of a program takes several."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from ._feed import Examples

MOST, BYTES, SECONDS = 128, 2**22, 0.5


def places(batch: Examples, most: int) -> int:
    """How many batches of this form one call takes.

    It follows from the form alone, so every step of a form goes through one program, and how a
    stream is cut changes no bit.

    Example:
        >>> places(Examples((np.zeros((64, 784), np.float32),), np.zeros(64, np.int32)), most=100)
        20
    """
    size = sum(array.nbytes for array in batch.arrays)
    return max(1, min(MOST, most, BYTES // max(size, 1)))


def form(batch: Examples) -> object:
    """What batches that are stacked have in common."""
    return (
        [(a.shape, a.dtype) for a in batch.arrays],
        jax.tree.structure(batch.targets),
        batch.names,
    )


def stacks(batches: Iterable[Examples], most: int) -> Iterator[list[Examples]]:
    """Consecutive batches of one form: as many as one call takes, fewer where they come slowly.

    What was made before an error is given first.

    Example:
        >>> batches = [Examples((np.zeros(n),), np.zeros(n)) for n in (2, 2, 2, 1)]
        >>> [len(stack) for stack in stacks(batches, most=2)]
        [2, 1, 1]
    """
    stack: list[Examples] = []
    begun, like, full = time.perf_counter(), object(), 0
    try:
        for batch in batches:
            if (now := form(batch)) != like:
                if stack:
                    yield stack
                    stack, begun = [], time.perf_counter()
                like, full = now, places(batch, most)
            stack.append(batch)
            late = time.perf_counter() - begun > SECONDS
            if late or len(stack) == full:
                yield stack
                stack, begun = [], time.perf_counter()
    except Exception:
        if stack:
            yield stack
        raise
    if stack:
        yield stack


def joined(stack: Sequence[Examples]) -> Examples:
    """The rows of batches, one after another."""
    if len(stack) == 1:
        return stack[0]
    inputs = tuple(map(np.concatenate, zip(*(batch.inputs for batch in stack), strict=True)))
    targets = jax.tree.map(lambda *ys: np.concatenate(ys), *(batch.targets for batch in stack))
    return Examples(inputs, targets, stack[0].names)


def padded(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """An array with so many rows; no step reads those that are added."""
    if len(array) == rows:
        return array
    return np.concatenate([array, np.zeros((rows - len(array), *array.shape[1:]), array.dtype)])
