"""What layers remember of the tokens so far, while they write one after another.

A cache is a dict of arrays. That of attention: "key" and "value" (*batch, heads, max_length,
head_dim), and "position" (*batch), the place of the next token in each row. That of a state space:
"conv" (*batch, steps, channels), the inputs that the next convolution sees, and "state".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import dtypes, ops
from tensorem import functional as F
from tensorem.calls import integer, named
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError
from tensorem.shapes import format_shape, require_equal

from ._mask import known

Array = jax.Array
Cache = dict[str, Array]
ATTENTION = ("key", "value", "position")
STATE_SPACE = ("conv", "state")


def empty(
    batch: int | tuple[int, ...], heads: int, max_length: int, head: int, dtype: str
) -> Cache:
    """A cache without tokens."""
    lead = batch_axes(batch)
    with named("A cache"):
        length = integer("max_length", max_length, 1)
    tokens = jnp.zeros((*lead, heads, length, head), dtype)
    return {"key": tokens, "value": tokens, "position": jnp.zeros(lead, "int32")}


def batch_axes(batch: int | tuple[int, ...]) -> tuple[int, ...]:
    """The batch axes of a cache."""
    axes = batch if isinstance(batch, tuple) else (batch,)
    with named("A cache"):
        return tuple(integer("batch", n, 1) for n in axes)


def position(cache: Cache, query: Array, key: Array | None) -> Array:
    """The place of the next token in each row; a cache holds keys of the queries' own sequence."""
    require_cache(cache, ATTENTION)
    require_like("position", cache["position"], F.shape(query)[:-2], jnp.dtype("int32"))
    if key is not None:
        raise ArgumentError(
            "takes a cache of its own keys, got a key besides.",
            help="leave key and value out, or the cache.",
        )
    return cache["position"]


def remembered(cache: Cache, key: Array, value: Array) -> Cache:
    """The cache with more tokens, written from its positions on.

    Args:
        key: (*batch, num_heads, T, head_dim).
        value: Likewise.
    """
    _check(cache, key)
    length, tokens = cache["key"].shape[-2], key.shape[-2]
    # Slot s holds token s - position, if there is one: a product with 0 and 1 picks it.
    number = jnp.arange(length) - cache["position"][..., None]
    fresh = jnp.logical_and(number >= 0, number < tokens)[..., None, :, None]
    pick = number[..., None, :, None] == jnp.arange(tokens)
    every = tuple(range(key.ndim))
    pick = F.broadcast(pick.astype(key.dtype), (*key.shape[:-2], length, tokens), every)
    fresh = F.broadcast(fresh, cache["key"].shape, every)
    written = {
        name: ops.where(fresh, F.matmul(pick, x), cache[name])
        for name, x in (("key", key), ("value", value))
    }
    return {**written, "position": cache["position"] + tokens}


def nan_beyond(cache: Cache, dtype: Any) -> Array:
    """0 for each row (*batch, 1), NaN where its last token was written beyond the cache."""
    zeros = jnp.zeros((cache["key"].shape[-2], 1), dtype)
    row: Array = F.embedding(cache["position"] - 1, zeros)
    return row


def rewind(cache: Any, position: Array | int) -> Any:
    """The same cache, or tree of caches, from other positions on.

    What was written from there on is written over. After a batch of prompts that are filled up to
    one length, their true lengths go here.

    Args:
        position: The place of the next token; one for all rows, or an array for each.

    Raises:
        ArgumentError: It is no cache, or that of a state space, which holds no earlier state.
        ShapeError: position is not of the shape of those of the cache.
        DTypeError: position holds no integers.
        DataError: It lies outside of the cache.

    Example:
        >>> from tensorem import nn
        >>> cache = nn.MultiheadAttention(8, 2).init_cache(2, max_length=5)
        >>> rewind(cache, jnp.array([3, 1]))["position"].tolist()
        [3, 1]
    """
    with named("rewind"):
        return jax.tree.map(lambda c: _rewound(c, position), cache, is_leaf=_is_cache)


def _rewound(cache: Any, position: Array | int) -> Cache:
    if isinstance(cache, Mapping) and set(cache) == set(STATE_SPACE):
        raise ArgumentError(
            "takes caches of attention, got that of a state space.",
            because="it holds the last state, and none before.",
            help="say how long the prompts are: layer(x, lengths, cache=cache).",
        )
    require_cache(cache, ATTENTION)
    moved = jnp.asarray(position)
    if moved.dtype.name not in dtypes.INTEGER:
        raise DTypeError(f"takes a position of integers (int32, ...), got {moved.dtype}.")
    wanted = F.shape(cache["position"])
    if moved.ndim:
        what = f"takes a position {format_shape(wanted)}, got {format_shape(F.shape(moved))}."
        require_equal(F.shape(moved), wanted, what)
    length = cache["key"].shape[-2]
    if known(moved) and not bool(((moved >= 0) & (moved <= length)).all()):
        raise DataError(f"takes positions from 0 to {length}, got {np.asarray(moved).tolist()}.")
    return {**cache, "position": jnp.broadcast_to(moved.astype("int32"), wanted)}


def _is_cache(value: Any) -> bool:
    return isinstance(value, Mapping)


def require_cache(cache: Any, names: tuple[str, ...]) -> None:
    """Refuse what is no cache of these arrays."""
    if not isinstance(cache, Mapping) or set(cache) != set(names):
        got = sorted(cache) if isinstance(cache, Mapping) else type(cache).__name__
        form = f"{', '.join(names[:-1])} and {names[-1]}"
        raise ArgumentError(
            f"takes a cache of {form}, got {got}.",
            help="make one with the layer's init_cache.",
        )


def _check(cache: Any, key: Array) -> None:
    """Refuse a cache of another batch, layer or dtype, and one that is full."""
    *lead, heads, tokens, head = F.shape(key)
    length = F.shape(cache["key"])[-2] if cache["key"].ndim > 1 else "max_length"
    for name in ("key", "value"):
        require_like(name, cache[name], (*lead, heads, length, head), key.dtype)
    if isinstance(tokens, int) and isinstance(length, int) and tokens > length:
        raise ShapeError(f"takes up to {length} tokens, the length of the cache, got {tokens}.")
    if known(cache["position"]):
        last = np.asarray(cache["position"]) + tokens
        if last.size and last.max() > length:
            raise DataError(
                f"takes positions below {length}, the length of the cache, got {last.max() - 1}.",
                help="init_cache with a greater max_length, or rewind.",
            )


def require_like(name: str, x: Array, wanted: Any, dtype: Any) -> None:
    """Refuse an array of a cache that is of another batch, layer or dtype."""
    what = f"takes a cache with {name} {format_shape(wanted)}, got {format_shape(F.shape(x))}."
    if x.ndim != len(wanted):
        raise ShapeError(what)
    require_equal(F.shape(x), wanted, what)
    if x.dtype != dtype:
        raise DTypeError(f"takes a cache with {name} of {jnp.dtype(dtype)}, got {x.dtype}.")
