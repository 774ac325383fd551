"""Axes joined."""

from __future__ import annotations

from typing import Any

from tensorem import ops
from tensorem.shapes import rules

from ._shape import checked, shape

Array = Any


@checked
def flatten(x: Array, start_dim: int = 0, end_dim: int = -1) -> Array:
    """Several axes as one.

    Shapes:
        (a, ..., c)  ->  (a, product of ..., c)
    """
    rules.flatten(shape(x), start_dim, end_dim)
    first = start_dim % max(x.ndim, 1)
    last = end_dim % max(x.ndim, 1)
    size = 1
    for n in x.shape[first : last + 1]:
        size = size * n
    return ops.reshape(x, shape=(*x.shape[:first], size, *x.shape[last + 1 :]))
