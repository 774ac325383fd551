"""Indexing in JAX's primitives: gathers at known places, stacks and tiles as moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax.lax import GatherDimensionNumbers, ScatterDimensionNumbers

from tensorem import ops
from tensorem.errors import CaptureError
from tensorem.graph import _windows
from tensorem.graph._rule import Builder, ints
from tensorem.shapes import Size, is_negative, numel, size_of

LONGEST = 256
"""Rows taken one by one."""


def stack(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    """Each operand with a new axis, then joined along it."""
    axis = int(p["axis"])
    shape = ints(b.spec(xs[0]).shape)
    wide = (*shape[:axis], 1, *shape[axis:])
    return b.node(ops.concat, *(b.node(ops.reshape, x, shape=wide) for x in xs), dim=axis)


def unstack(b: Builder, xs: list[str], p: dict[str, Any]) -> list[str]:
    """One slice for each place on the axis, without the axis."""
    axis, shape = int(p["axis"]), ints(b.spec(xs[0]).shape)
    rest, step, parts = (*shape[:axis], *shape[axis + 1 :]), (1,) * len(shape), []
    for i in range(shape[axis]):
        start = tuple(i if d == axis else 0 for d in range(len(shape)))
        stop = tuple(i + 1 if d == axis else n for d, n in enumerate(shape))
        part = b.node(ops.slice, xs[0], start=start, stop=stop, step=step)
        parts.append(b.node(ops.reshape, part, shape=rest))
    return parts


def tile(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    """Copies joined along each axis."""
    y = xs[0]
    for axis, copies in enumerate(p["reps"]):
        if not isinstance(copies, int) or copies < 1 or copies > LONGEST:
            raise CaptureError(
                f"A captured tile takes 1 to {LONGEST} copies, got {copies}.",
                help="repeat by a broadcast: jnp.broadcast_to",
            )
        y = b.node(ops.concat, *[y] * copies, dim=axis) if copies > 1 else y
    return y


def dynamic_slice(b: Builder, xs: list[str], p: dict[str, Any]) -> str | None:
    """x[0], x[-1] of a named axis: a slice, where the start is known."""
    starts = [b.known(x) for x in xs[1:]]
    known = [start.item() for start in starts if start is not None]
    cut = _cut(b, xs[0], known, p["slice_sizes"]) if len(known) == len(starts) else None
    return cut or _windows.dynamic_slice(b, xs, p)


def gather(b: Builder, xs: list[str], p: dict[str, Any]) -> str | None:
    """x[:, 2], x[1:], x[:, ::2], x[:, [0, 3]] as slices; any other as entries of one long row."""
    return _known_rows(b, xs, p) or _windows.gather(b, xs, p)


def _known_rows(b: Builder, xs: list[str], p: dict[str, Any]) -> str | None:
    index, d = b.known(xs[1]), p["dimension_numbers"]
    if d.start_index_map == d.collapsed_slice_dims and _is_along(b, xs, d.start_index_map, d):
        return b.node(ops.gather, xs[0], _places(b, xs[1]), dim=int(d.start_index_map[0]))
    if index is None or d.operand_batching_dims:
        return None
    if index.ndim == 1:
        starts = dict(zip(d.start_index_map, index.tolist(), strict=True))
        return _window(b, xs[0], starts, p["slice_sizes"], d)
    if index.ndim == 2 and d.start_index_map == d.collapsed_slice_dims and index.shape[1] == 1:
        return _rows(b, xs[0], index[:, 0].tolist(), p["slice_sizes"], d)
    return None


def scatter_add(b: Builder, xs: list[str], p: dict[str, Any]) -> str | None:
    """Sums at places along an axis, or of whole rows; any other as entries of one long row."""
    d = p["dimension_numbers"]
    axes = d.scatter_dims_to_operand_dims
    if axes == d.inserted_window_dims and _is_along(b, xs, axes, d):
        return b.node(ops.scatter_add, xs[0], _places(b, xs[1]), xs[2], dim=int(axes[0]))
    table, rows = b.spec(xs[0]).shape, b.spec(xs[2]).shape
    of_rows = axes == d.inserted_window_dims == (0,) and d.update_window_dims == (len(rows) - 1,)
    if not of_rows or len(table) != 2 or rows[-1] != table[-1]:
        return _windows.scatter_add(b, xs, p)
    flat = ints((numel(rows[:-1]), rows[-1]))
    places = b.node(ops.reshape, xs[1], shape=flat[:1])
    wide = b.node(ops.broadcast, places, shape=flat, dims=(0,))
    return b.node(ops.scatter_add, xs[0], wide, b.node(ops.reshape, xs[2], shape=flat), dim=0)


def _is_along(
    b: Builder,
    xs: list[str],
    axes: tuple[int, ...],
    d: GatherDimensionNumbers | ScatterDimensionNumbers,
) -> bool:
    """One place for each entry along one axis, all others one by one: `take_along_axis`."""
    rank = len(b.spec(xs[0]).shape)
    others = tuple(i for i in range(rank) if i not in axes)
    batches = (others, others)
    if len(axes) != 1 or len(b.spec(xs[1]).shape) != rank + 1:
        return False
    if isinstance(d, GatherDimensionNumbers):
        return (d.operand_batching_dims, d.start_indices_batching_dims) == batches
    return (d.operand_batching_dims, d.scatter_indices_batching_dims) == batches


def _places(b: Builder, index: str) -> str:
    return b.node(ops.reshape, index, shape=ints(b.spec(index).shape[:-1]))


def sort(b: Builder, xs: list[str], p: dict[str, Any]) -> list[str] | None:
    """The first operand in order, the others moved with it; its places where one counts them."""
    if p["num_keys"] != 1:
        return None
    how = {"dim": int(p["dimension"]), "descending": False, "count": -1}
    order = b.node(ops.argsort, xs[0], **how)
    moved = [
        order if _counts(b, x, how["dim"]) else b.node(ops.gather, x, order, dim=how["dim"])
        for x in xs[1:]
    ]
    return [b.node(ops.sort, xs[0], **how), *moved]


def _counts(b: Builder, x: str, dim: int) -> bool:
    """0, 1, 2, ... along an axis."""
    known, spec = b.known(x), b.spec(x)
    if known is None or spec.dtype != "int32":
        return False
    steps = np.expand_dims(np.arange(known.shape[dim]), [d for d in range(known.ndim) if d != dim])
    return bool(np.all(known == steps))


def top_k(b: Builder, xs: list[str], p: dict[str, Any]) -> list[str]:
    """The greatest entries, and their places."""
    how = {"dim": int(p["axis"]), "descending": True, "count": int(p["k"])}
    return [b.node(ops.sort, xs[0], **how), b.node(ops.argsort, xs[0], **how)]


def _window(
    b: Builder,
    x: str,
    starts: dict[int, Size],
    sizes: tuple[object, ...],
    d: GatherDimensionNumbers,
) -> str | None:
    """One window: a slice, without the axes that collapse."""
    y = _cut(b, x, [starts.get(axis, 0) for axis in range(len(sizes))], sizes)
    kept = [size for axis, size in enumerate(sizes) if axis not in d.collapsed_slice_dims]
    return None if y is None else b.node(ops.reshape, y, shape=ints(kept))


def _rows(
    b: Builder, x: str, rows: list[Size], sizes: tuple[object, ...], d: GatherDimensionNumbers
) -> str | None:
    """Rows along one axis, one by one; of the other axes as much as the sizes say."""
    rank, axis = len(b.spec(x).shape), int(d.start_index_map[0])
    if not 0 < len(rows) <= LONGEST:
        return None
    cut = [_cut(b, x, [row if i == axis else 0 for i in range(rank)], sizes) for row in rows]
    found = [y for y in cut if y is not None]
    if len(found) < len(rows):
        return None
    new = next(i for i in range(rank) if i not in d.offset_dims)
    order = [i for i in range(rank) if i != axis]
    y = b.node(ops.concat, *found, dim=axis)
    return b.node(ops.permute, y, dims=(*order[:new], axis, *order[new:]))


def _cut(b: Builder, x: str, starts: list[Size], sizes: tuple[object, ...]) -> str | None:
    """The part of x that begins somewhere; None where it lies outside whatever the names are."""
    shape, widths = b.spec(x).shape, [size_of(n) for n in ints(sizes)]
    ends = [start + width for start, width in zip(starts, widths, strict=True)]
    places = [*starts, *(n - end for n, end in zip(shape, ends, strict=True))]
    if any(map(is_negative, places)):
        return None
    return b.node(ops.slice, x, start=ints(starts), stop=ints(ends), step=(1,) * len(starts))
