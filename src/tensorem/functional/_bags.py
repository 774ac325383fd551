"""Rows of a table read in bags."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import DTypeLike

from tensorem import dtypes, rules
from tensorem.calls import among
from tensorem.errors import ArgumentError, DataError, DTypeError
from tensorem.shapes import format_shape, require_equal

from ._arithmetic import div
from ._contract import embedding, matmul
from ._move import reshape
from ._reduce import amax
from ._select import where
from ._shape import checked, shape

Array = jax.Array
MODES = ("sum", "mean", "max")


@checked
def embedding_bag(
    index: Array,
    weight: Array,
    offsets: Array | None = None,
    *,
    mode: str = "mean",
    per_sample_weights: Array | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Array:
    """The sum, mean or maximum of the rows of a table, for each bag of indices.

    A bag is a row of a matrix, or what stands in a list from its offset to that of the next one. A
    bag without indices gives 0.

    Shapes:
        index (B, L), or index (L) with offsets (B); weight (rows, dim)  ->  (B, dim)

    Args:
        mode: "sum", "mean" or "max".
        per_sample_weights: What each row is multiplied by, in mode "sum"; like index.
        include_last_offset: Whether a last offset, the length of the list, ends the last bag.
        padding_idx: A row that no bag holds; negative ones are counted from the last.

    Raises:
        ShapeError: The shapes do not fit, or offsets are missing or one too many.
        ArgumentError: There is no such mode or row, or another mode has per_sample_weights.
        DTypeError: The index or the offsets are of floats.
        DataError: An index is out of range, or the offsets do not rise from 0.

    Example:
        >>> table = jnp.array([[1.0], [2.0], [4.0]])
        >>> embedding_bag(jnp.array([0, 1, 2]), table, jnp.array([0, 2]), mode="sum").tolist()
        [[3.0], [4.0]]
    """
    last = None if offsets is None else shape(offsets)
    rules.embedding_bag(shape(index), last, weight.shape[-1], include_last_offset)
    _check_options(index, mode, per_sample_weights)
    rows = embedding(index, weight, padding_idx)
    if offsets is None:
        held = jnp.ones(index.shape, bool)
    else:
        held = _between(offsets, index.shape[0], include_last_offset)
    if padding_idx is not None:
        rules.check_row(padding_idx, weight.shape[0])
        held = jnp.logical_and(held, index != padding_idx % weight.shape[0])
    if mode == "max":
        return _greatest(rows, held)
    one = jnp.ones_like(rows[..., 0]) if per_sample_weights is None else per_sample_weights
    factors = where(held, one, 0.0)
    total = _summed(factors, rows)
    if mode == "sum":
        return total
    return div(total, jnp.maximum(_count(held, rows.dtype), 1))


def _between(offsets: Array, length: int, include_last_offset: bool) -> Array:
    """Which place of a list (L) each bag (B) holds."""
    _check_offsets(offsets, length)
    places, n = jnp.arange(length), offsets.shape[0]
    started = offsets[:, None] <= places
    if include_last_offset:
        return jnp.logical_and(started[: n - 1], ~started[1:])
    ended = jnp.concatenate([started[1:], jnp.zeros((1, length), bool)])
    return jnp.logical_and(started, ~ended)


def _summed(factors: Array, rows: Array) -> Array:
    """Σ over L of (B, L) times (L, dim) or (B, L, dim)."""
    if rows.ndim == 2:
        total: Array = matmul(factors, rows)
        return total
    (bags, length), dim = factors.shape, rows.shape[-1]
    return reshape(matmul(reshape(factors, (bags, 1, length)), rows), (bags, dim))


def _greatest(rows: Array, held: Array) -> Array:
    lowest = float(jnp.finfo(rows.dtype).min)  # type: ignore[no-untyped-call]
    found = amax(where(held[..., None], rows, lowest), dim=1)
    return where(_count(held, rows.dtype) > 0, found, 0.0)


def _count(held: Array, dtype: DTypeLike) -> Array:
    """How many indices each bag has, (B, 1)."""
    return jnp.sum(held, axis=1, keepdims=True, dtype=dtype)


def _check_options(index: Array, mode: str, per_sample_weights: Array | None) -> None:
    among("mode", mode, MODES)
    if per_sample_weights is None:
        return
    if mode != "sum":
        raise ArgumentError(f"takes per_sample_weights in mode 'sum', got mode {mode!r}.")
    got, wanted = shape(per_sample_weights), shape(index)
    what = f"takes per_sample_weights {format_shape(wanted)}, got {format_shape(got)}."
    require_equal(got, wanted, what)


def _check_offsets(offsets: Array, length: int) -> None:
    if offsets.dtype.name not in dtypes.INTEGER:
        raise DTypeError(f"takes offsets of integers (int32, ...), got {offsets.dtype}.")
    if isinstance(offsets, Tracer):
        return
    values = np.asarray(offsets)
    if values.size and (values[0] != 0 or (np.diff(values) < 0).any() or values[-1] > length):
        raise DataError(
            f"takes offsets that rise from 0 to at most {length}, got {values.tolist()}."
        )
