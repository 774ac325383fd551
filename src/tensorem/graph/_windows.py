"""Gathers and scatters of every form as entries of one long row, at places that may be computed.

XLA takes and adds windows: where a window begins is computed, where its entries lie within is not.
So the place of an entry in the flat operand is a start times the strides, plus a known number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode

from tensorem import ops
from tensorem.graph._rule import Builder, ints
from tensorem.shapes import Size, is_negative, numel, size_of

Sizes = tuple[int, ...]
_DROPS = GatherScatterMode.FILL_OR_DROP


@dataclass(frozen=True)
class _Windows:
    """Windows of an operand.

    Args:
        operand: Its sizes.
        batch: The sizes that count the windows.
        window: The size of a window along each axis of the operand.
        moved: The axes along which its start is computed.
        paired: Axis of the operand -> axis of the batch, where a window stands at its own number.
        drops: A window that does not lie inside is left out; else it is moved inside.
    """

    operand: Sizes
    batch: Sizes
    window: Sizes
    moved: Sizes
    paired: Mapping[int, int]
    drops: bool

    @property
    def strides(self) -> Sizes:
        """How far apart neighbours lie in the flat operand, along each axis."""
        return tuple(math.prod(self.operand[axis + 1 :]) for axis in range(len(self.operand)))

    @property
    def shape(self) -> Sizes:
        """The sizes of all windows together: of the batch, then of the operand's axes."""
        return (*self.batch, *self.window)

    def inside(self) -> np.ndarray[Any, Any]:
        """The place of every entry where each window begins at 0."""
        axes = np.indices(self.shape, dtype=np.int32, sparse=True)
        own = axes[len(self.batch) :]
        steps = [own[i] * stride for i, stride in enumerate(self.strides)]
        steps += [axes[b] * self.strides[axis] for axis, b in self.paired.items()]
        return np.broadcast_to(np.asarray(sum(steps), np.int32), self.shape)

    def last(self) -> np.ndarray[Any, Any]:
        """The greatest start along each of the moved axes."""
        return np.array([self.operand[a] - self.window[a] for a in self.moved], np.int32)


def gather(b: Builder, xs: list[str], p: dict[str, Any]) -> str | None:
    """Windows of an operand, in the order of the result's axes."""
    d, sizes = p["dimension_numbers"], p["slice_sizes"]
    batch = b.spec(xs[1]).shape[:-1]
    pairs = dict(zip(d.operand_batching_dims, d.start_indices_batching_dims, strict=True))
    given = (b.spec(xs[0]).shape, batch, sizes, d.start_index_map, pairs, p["mode"] == _DROPS)
    if not _are_numbers(given[0], batch, sizes):
        return None
    windows = _Windows(*given)
    places = _places(b, windows, xs[1])
    if places is None:
        return None
    found = b.node(ops.gather, _flat(b, xs[0]), places, dim=0)
    gone = {*d.collapsed_slice_dims, *d.operand_batching_dims}
    kept = tuple(n for axis, n in enumerate(sizes) if axis not in gone)
    y = b.node(ops.reshape, found, shape=ints((*batch, *kept)))
    return b.node(ops.permute, y, dims=_order(len(batch), d.offset_dims))


def scatter_add(b: Builder, xs: list[str], p: dict[str, Any]) -> str | None:
    """Windows added to an operand."""
    known = _known_window(b, xs, p)
    if known is not None:
        zero = b.constant(np.zeros((), b.spec(xs[0]).dtype))
        zeros = b.node(ops.broadcast, zero, shape=ints(b.spec(xs[0]).shape), dims=())
        return b.node(ops.add, xs[0], _put(b, zeros, known, xs[2]))
    found = _updates(b, xs, p)
    if found is None:
        return None
    _, places, updates = found
    y = b.node(ops.scatter_add, _flat(b, xs[0]), places, updates, dim=0)
    return b.node(ops.reshape, y, shape=ints(b.spec(xs[0]).shape))


def scatter(b: Builder, xs: list[str], p: dict[str, Any]) -> str | None:
    """Windows put in place of an operand's entries, each entry at most once."""
    known = _known_window(b, xs, p)
    if known is not None:
        return _put(b, xs[0], known, xs[2])
    found = _updates(b, xs, p)
    if found is None:
        return None
    windows, places, updates = found
    fixed = b.known(places)
    once = fixed is not None and len(np.unique(fixed)) == fixed.size
    if not (once or p["unique_indices"] or math.prod(windows.batch) == 1):
        return None
    return _set(b, xs[0], places, updates)


def dynamic_slice(b: Builder, xs: list[str], p: dict[str, Any]) -> str | None:
    """One window that is moved inside."""
    windows = _one_window(b, xs[0], p["slice_sizes"])
    places = windows and _places(b, windows, _starts(b, xs[1:]))
    if not places:
        return None
    found = b.node(ops.gather, _flat(b, xs[0]), places, dim=0)
    return b.node(ops.reshape, found, shape=ints(p["slice_sizes"]))


def dynamic_update_slice(b: Builder, xs: list[str], p: dict[str, Any]) -> str | None:
    """One window that is moved inside, put in place of what was there."""
    starts = [b.known(x) for x in xs[2:]]
    known = [size_of(start.item()) for start in starts if start is not None]
    place = list(zip(known, b.spec(xs[1]).shape, strict=False))
    if len(known) == len(starts) and _fits(b, xs[0], place):
        return _put(b, xs[0], place, xs[1])
    windows = _one_window(b, xs[0], b.spec(xs[1]).shape)
    places = windows and _places(b, windows, _starts(b, xs[2:]))
    return _set(b, xs[0], places, _flat(b, xs[1])) if places else None


def _are_numbers(*shapes: tuple[Size, ...]) -> bool:
    return all(isinstance(n, int) for shape in shapes for n in shape)


def _one_window(b: Builder, x: str, sizes: tuple[Size, ...]) -> _Windows | None:
    shape = b.spec(x).shape
    if not _are_numbers(shape, sizes):
        return None
    return _Windows(shape, (), sizes, tuple(range(len(shape))), {}, False)  # type: ignore[arg-type]


def _starts(b: Builder, starts: list[str]) -> str:
    """Where one window begins, as one array."""
    return b.node(ops.concat, *(b.node(ops.reshape, s, shape=(1,)) for s in starts), dim=0)


def _flat(b: Builder, x: str) -> str:
    return b.node(ops.reshape, x, shape=ints((numel(b.spec(x).shape),)))


def _order(batch: int, own: Sizes) -> Sizes:
    """The permutation from (batch, window) to a result with the window's axes at `own`."""
    rank = batch + len(own)
    rest = iter(range(batch))
    return tuple(batch + own.index(axis) if axis in own else next(rest) for axis in range(rank))


def _updates(b: Builder, xs: list[str], p: dict[str, Any]) -> tuple[_Windows, str, str] | None:
    """Windows, the places of their entries, and what is put or added there, in one row."""
    d, shapes = p["dimension_numbers"], [b.spec(x).shape for x in xs]
    if not _are_numbers(*shapes):
        return None
    gone = {*d.inserted_window_dims, *d.operand_batching_dims}
    own = iter(d.update_window_dims)
    sizes = tuple(1 if axis in gone else shapes[2][next(own)] for axis in range(len(shapes[0])))
    pairs = dict(zip(d.operand_batching_dims, d.scatter_indices_batching_dims, strict=True))
    batch, moved = shapes[1][:-1], d.scatter_dims_to_operand_dims
    windows = _Windows(shapes[0], batch, sizes, moved, pairs, p["mode"] == _DROPS)
    places = _places(b, windows, xs[1])
    if places is None:
        return None
    back = np.argsort(_order(len(batch), d.update_window_dims))
    return windows, places, _flat(b, b.node(ops.permute, xs[2], dims=ints(back)))


def _places(b: Builder, windows: _Windows, index: str) -> str | None:
    """The place of every entry of every window, in one row; -1 where one is left out.

    None where a window that is known lies outside, which no other meaning than a run would take.
    """
    known, last = b.known(index), windows.last()
    if known is None:
        return _computed_places(b, windows, index)
    if known.dtype == object and not all(isinstance(n, int) for n in known.ravel()):
        return None
    starts = known.astype(np.int64)
    if windows.drops and np.any((starts < 0) | (starts > last)):
        return None
    starts = np.clip(starts, 0, last) @ np.array([windows.strides[a] for a in windows.moved], int)
    wide = np.reshape(starts, (*windows.batch, *(1 for _ in windows.window)))
    return b.constant((wide + windows.inside()).astype(np.int32).ravel())


def _computed_places(b: Builder, windows: _Windows, index: str) -> str:
    shape = ints(b.spec(index).shape)
    start = b.node(ops.cast, index, dtype="int32") if b.spec(index).dtype != "int32" else index
    zero, last = (b.constant(_wide(n, shape)) for n in (0, windows.last()))
    within = b.node(ops.minimum, b.node(ops.maximum, start, zero), last)
    strides = [windows.strides[axis] for axis in windows.moved]
    scaled = b.node(ops.mul, within, b.constant(_wide(strides, shape)))
    begins = b.node(ops.sum, scaled, dims=(len(shape) - 1,))
    wide = b.node(
        ops.broadcast, begins, shape=ints(windows.shape), dims=tuple(range(len(windows.batch)))
    )
    places = b.node(ops.add, wide, b.constant(windows.inside().copy()))
    if windows.drops:
        places = _dropped(b, windows, places, start, within)
    return _flat(b, places)


def _dropped(b: Builder, windows: _Windows, places: str, start: str, within: str) -> str:
    """The places, but -1 in windows that had to be moved to lie inside."""
    shape = b.spec(start).shape
    moved = b.node(ops.cast, b.node(ops.not_equal, start, within), dtype="int32")
    count = b.node(ops.sum, moved, dims=(len(shape) - 1,))
    wide = b.node(
        ops.broadcast, count, shape=ints(windows.shape), dims=tuple(range(len(windows.batch)))
    )
    outside = b.node(ops.greater, wide, b.constant(_wide(0, windows.shape)))
    return b.node(ops.where, outside, b.constant(_wide(-1, windows.shape)), places)


def _wide(value: object, shape: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    return np.broadcast_to(np.asarray(value, np.int32), shape).copy()


def _set(b: Builder, x: str, places: str, updates: str) -> str:
    """An operand with other entries at places that differ."""
    spec = b.spec(x)
    flat, dtype = _flat(b, x), np.dtype(spec.dtype)
    zeros = b.constant(np.zeros(b.spec(flat).shape, dtype))
    ones = b.constant(np.ones(b.spec(updates).shape, dtype))
    hit = b.node(ops.greater, b.node(ops.scatter_add, zeros, places, ones, dim=0), zeros)
    put = b.node(ops.scatter_add, zeros, places, updates, dim=0)
    return b.node(ops.reshape, b.node(ops.where, hit, put, flat), shape=ints(spec.shape))


# --- one window at a known place, also where sizes have names


Place = list[tuple[Size, Size]]
"""Where a window begins along each axis, and its width."""


def _known_window(b: Builder, xs: list[str], p: dict[str, Any]) -> Place | None:
    """The window of a scatter of one; None where it is not one, or lies outside."""
    index, d = b.known(xs[1]), p["dimension_numbers"]
    if index is None or index.ndim != 1 or d.operand_batching_dims:
        return None
    starts = dict(zip(d.scatter_dims_to_operand_dims, index.tolist(), strict=True))
    own, rank = iter(b.spec(xs[2]).shape), len(b.spec(xs[0]).shape)
    widths = [1 if axis in d.inserted_window_dims else next(own) for axis in range(rank)]
    place = [(size_of(starts.get(axis, 0)), widths[axis]) for axis in range(rank)]
    return place if _fits(b, xs[0], place) else None


def _fits(b: Builder, x: str, place: Place) -> bool:
    """No end lies outside, whatever the names are."""
    ends = [n - a - w for n, (a, w) in zip(b.spec(x).shape, place, strict=True)]
    return not any(map(is_negative, [*(a for a, _ in place), *ends]))


def _put(b: Builder, x: str, place: Place, update: str) -> str:
    """An operand with one window in place of its own: joined to what stands before and after it."""
    shape = b.spec(x).shape
    cut = [axis for axis, (_, width) in enumerate(place) if width != shape[axis]]
    if not cut:
        return b.node(ops.reshape, update, shape=ints(shape))
    axis = cut[0]
    begin, width = place[axis]
    inner = _slab(b, x, axis, begin, begin + width)
    window = [*place[:axis], (0, width), *place[axis + 1 :]]
    middle = _put(b, inner, window, update)
    parts = [
        _slab(b, x, axis, 0, begin) if begin != 0 else None,
        middle,
        _slab(b, x, axis, begin + width, shape[axis]) if begin + width != shape[axis] else None,
    ]
    return b.node(ops.concat, *(part for part in parts if part is not None), dim=axis)


def _slab(b: Builder, x: str, axis: int, start: Size, stop: Size) -> str:
    """What lies between two places of an axis."""
    shape = b.spec(x).shape
    ends = [(start, stop) if i == axis else (0, n) for i, n in enumerate(shape)]
    low, high = (ints(end) for end in zip(*ends, strict=True))
    return b.node(ops.slice, x, start=low, stop=high, step=(1,) * len(shape))
