"""Indexing in JAX's primitives: gathers at known places, stacks and tiles as moves."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tensorem.errors import CaptureError
from tensorem.ops._op import Attr
from tensorem.shapes import Spec, shape_of

Sizes = tuple[Any, ...]
LONGEST = 256
"""Rows taken one by one."""


class Builder(Protocol):
    """What a rule may do: add nodes, ask for specs, and for values that depend on no input."""

    def node(self, op: str, *inputs: str, **attrs: Attr) -> str: ...
    def spec(self, name: str) -> Spec: ...
    def known(self, name: str) -> np.ndarray[Any, Any] | None: ...


def stack(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    """Each operand with a new axis, then joined along it."""
    axis = int(p["axis"])
    shape = _written(b.spec(xs[0]).shape)
    wide = (*shape[:axis], 1, *shape[axis:])
    return b.node("concat", *(b.node("reshape", x, shape=wide) for x in xs), dim=axis)


def tile(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    """Copies joined along each axis."""
    y = xs[0]
    for axis, copies in enumerate(p["reps"]):
        if not isinstance(copies, int) or copies < 1 or copies > LONGEST:
            raise CaptureError(f"A captured tile takes 1 to {LONGEST} copies, got {copies}.")
        y = b.node("concat", *[y] * copies, dim=axis) if copies > 1 else y
    return y


def gather(b: Builder, xs: list[str], p: dict[str, Any]) -> str | None:
    """x[:, 2], x[1:], x[:, ::2], x[:, [0, 3]] as slices; None where this is not one of these."""
    index, d = b.known(xs[1]), p["dimension_numbers"]
    if index is None or d.operand_batching_dims:
        return None
    sizes = shape_of(tuple(_written(p["slice_sizes"])))
    if index.ndim == 1:
        return _window(
            b, xs[0], dict(zip(d.start_index_map, index.tolist(), strict=True)), sizes, d
        )
    if index.ndim == 2 and d.start_index_map == d.collapsed_slice_dims and index.shape[1] == 1:
        return _rows(b, xs[0], index[:, 0].tolist(), d)
    return None


def _window(b: Builder, x: str, starts: dict[int, int], sizes: Any, d: Any) -> str | None:
    """One window: a slice, without the axes that collapse."""
    shape = b.spec(x).shape
    begin = [starts.get(axis, 0) for axis in range(len(shape))]
    end = [start + size for start, size in zip(begin, sizes, strict=True)]
    if not all(_fits(s, e, n) for s, e, n in zip(begin, end, shape, strict=True)):
        return None
    y = _slice(b, x, begin, end)
    kept = [size for axis, size in enumerate(sizes) if axis not in d.collapsed_slice_dims]
    return b.node("reshape", y, shape=_written(kept))


def _rows(b: Builder, x: str, rows: list[int], d: Any) -> str | None:
    """Rows along one axis, one by one."""
    shape, axis = b.spec(x).shape, int(d.start_index_map[0])
    size = shape[axis]
    if not isinstance(size, int) or not rows or len(rows) > LONGEST:
        return None
    if min(rows) < 0 or max(rows) >= size:
        return None
    y = b.node("concat", *(_row(b, x, axis, row) for row in rows), dim=axis)
    new = next(i for i in range(len(shape)) if i not in d.offset_dims)
    order = [i for i in range(len(shape)) if i != axis]
    return b.node("permute", y, dims=(*order[:new], axis, *order[new:]))


def _row(b: Builder, x: str, axis: int, row: int) -> str:
    shape = b.spec(x).shape
    begin = [row if i == axis else 0 for i in range(len(shape))]
    end = [row + 1 if i == axis else n for i, n in enumerate(shape)]
    return _slice(b, x, begin, end)


def _slice(b: Builder, x: str, begin: list[Any], end: list[Any]) -> str:
    step = (1,) * len(begin)
    return b.node("slice", x, start=_written(begin), stop=_written(end), step=step)


def _fits(start: int, end: Any, size: Any) -> bool:
    """Whether a window lies inside an axis for certain."""
    inside = end <= size if isinstance(end, int) and isinstance(size, int) else end == size
    return start >= 0 and bool(inside)


def _written(sizes: Any) -> Sizes:
    """Sizes as attributes: integers, or names as text."""
    return tuple(int(n) if isinstance(n, int | np.integer) else str(n) for n in sizes)
