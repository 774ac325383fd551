"""The shape rules of attention and of tables of vectors read in bags."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tensorem.dtypes import FLOATING
from tensorem.errors import ArgumentError, DTypeError, ShapeError
from tensorem.shapes import (
    UNKNOWN,
    OpenShape,
    Shape,
    Size,
    differ,
    format_shape,
    require_equal,
)

from ._known import Sizes, end, with_end

ROTARY_STYLES = ("interleaved", "half")
"""Which entries of a vector are turned together: 2i with 2i + 1, or i with i + d/2."""
WEIGHTINGS = ("softmax", "linear")
"""How scores become weights."""


def vectors(x: Shape, features: Size, form: str = "(*batch, T, {})") -> Shape:
    """A sequence of vectors of one length to itself.

    Shapes:
        (*batch, T, features)  ->  (*batch, T, features)

    Raises:
        ShapeError: There is no axis T, or the last axis is not features.

    Example:
        >>> vectors((2, 5, 8), 8)
        (2, 5, 8)
    """
    what = f"takes {form.format(features)}, got {format_shape(x)}."
    got = end(x, 2)
    if got is None:
        raise ShapeError(what)
    require_equal(got[1:], (features,), what)
    return with_end(x, 1, (features,))


def attention(
    query: Shape, key: Shape, value: Shape, embed_dim: Size, kdim: Size, vdim: Size
) -> Shape:
    """For each query a sum of values, projected; batch axes are those of all three.

    Shapes:
        (*batch, L, embed_dim), (*batch, S, kdim), (*batch, S, vdim)  ->  (*batch, L, embed_dim)

    Raises:
        ShapeError: One of them has other sizes.

    Example:
        >>> attention((2, 5, 8), (2, 7, 8), (2, 7, 8), 8, 8, 8)
        (2, 5, 8)
    """
    vectors(query, embed_dim, "query (*batch, L, {})")
    vectors(key, kdim, "key (*batch, S, {})")
    vectors(value, vdim, "value (*batch, S, {})")
    _one_batch("query", query, "key", key)
    if isinstance(key, tuple) and isinstance(value, tuple):
        _require_same(key[:-1], value[:-1], key, value)
    return with_end(query, 1, (embed_dim,))


def attention_scores(query: Sizes, key: Sizes) -> Sizes:
    """One score for each query and key.

    Shapes:
        query (*batch, L, d), key (*batch, S, d)  ->  (*batch, L, S)

    Raises:
        ShapeError: The shapes do not fit.

    Example:
        >>> attention_scores((2, 5, 8), (2, 7, 8))
        (2, 5, 7)
    """
    what = (
        f"takes query (*batch, L, d) and key (*batch, S, d), got {format_shape(query)} and "
        f"{format_shape(key)}."
    )
    if min(len(query), len(key)) < 2:
        raise ShapeError(what)
    help = "enable_gqa=True, where heads of the key serve several of the query."
    grouped = len(query) == len(key) > 2 and differ(query[-3], key[-3])
    require_equal((*query[:-2], query[-1]), (*key[:-2], key[-1]), what, help if grouped else "")
    return (*query[:-1], key[-2])


def attention_values(key: Sizes, value: Sizes) -> None:
    """Refuse values that are not one for each key.

    Raises:
        ShapeError: The axes before the last differ.
    """
    _require_same(key[:-1], value[:-1], key, value)


def grouped_heads(query: Sizes, key: Sizes) -> int:
    """How many heads of a query each head of a key serves.

    Raises:
        ShapeError: There is no axis of heads, or the numbers do not divide.

    Example:
        >>> grouped_heads((2, 6, 5, 8), (2, 3, 5, 8))
        2
    """
    if min(len(query), len(key)) >= 3:
        heads, few = query[-3], key[-3]
        if isinstance(heads, int) and isinstance(few, int) and few > 0 and heads % few == 0:
            return heads // few
    raise ShapeError(
        "takes a number of heads in query that is a multiple of that in key and value, got "
        f"{format_shape(query)} and {format_shape(key)}."
    )


def check_mask(name: str, mask: Sizes, dtype: str, target: Sizes, scores: str) -> None:
    """Refuse a mask that is not one truth value, or one number to add, for each query and key.

    Raises:
        ShapeError: It does not broadcast to them.
        DTypeError: It holds neither truth values nor what the scores hold.

    Example:
        >>> check_mask("attn_mask", (5, 7), "bool", (2, 4, 5, 7), "float32")
    """
    what = f"takes {name} that broadcasts to {format_shape(target)}, got {format_shape(mask)}."
    if len(mask) > len(target):
        raise ShapeError(what)
    wide = zip(mask, target[len(target) - len(mask) :], strict=True)
    require_equal(
        tuple(b if a == 1 else a for a, b in wide), target[len(target) - len(mask) :], what
    )
    if dtype not in ("bool", scores):
        raise DTypeError(
            f"takes {name} of truth values, or of {scores} to be added, got {dtype}.",
            help=_mask_in(name, dtype, scores),
        )


def _mask_in(name: str, dtype: str, scores: str) -> str:
    """Numbers are added; what 0 and 1 mean is not guessed."""
    if dtype in FLOATING:
        return f'convert: {name}.astype("{scores}").'
    return f'convert: {name}.astype("bool"), once 1 means in it what True means here.'


def check_direction(name: str, allowed: NDArray[np.bool_], help: str, true: str = "allow") -> None:
    """Refuse a mask that allows each query all later keys and no earlier one.

    Raises:
        ArgumentError: It does: a causal mask was turned around.

    Example:
        >>> check_direction("attn_mask", np.tril(np.ones((3, 3), bool)), "write ~attn_mask.")
    """
    square = allowed.ndim >= 2 and allowed.shape[-1] == allowed.shape[-2] > 2
    earlier = np.tri(allowed.shape[-1], k=-1, dtype=bool) if square else None
    if earlier is not None and allowed[..., earlier.T].all() and not allowed[..., earlier].any():
        raise ArgumentError(
            f"takes {name} in which True {true}s, got one that {true}s "
            f"{'later' if true == 'allow' else 'earlier'} keys only.",
            because="every query would see the future and not the past: a causal mask, inverted.",
            help=f"{help} Where that is meant, say it by floats, 0 and -inf.",
        )


def embedding_bag(
    x: Shape, offsets: Shape | None, embedding_dim: int, include_last_offset: bool = False
) -> Shape:
    """One vector for each bag of indices.

    Shapes:
        (B, L), or (L) with offsets (B)  ->  (B, embedding_dim)

    Raises:
        ShapeError: The indices are neither, or offsets are missing or one too many.

    Example:
        >>> embedding_bag((5, 7), None, 4)
        (5, 4)
    """
    if isinstance(x, OpenShape) or isinstance(offsets, OpenShape):
        return (UNKNOWN, embedding_dim)
    if len(x) == 2 and offsets is None:
        return (x[0], embedding_dim)
    if len(x) == 1 and offsets is not None and len(offsets) == 1:
        return (offsets[0] - 1 if include_last_offset else offsets[0], embedding_dim)
    given = "" if offsets is None else f" with offsets {format_shape(offsets)}"
    raise ShapeError(f"takes (B, L), or (L) with offsets (B), got {format_shape(x)}{given}.")


def _one_batch(name: str, x: Shape, other: str, y: Shape) -> None:
    if isinstance(x, tuple) and isinstance(y, tuple):
        what = (
            f"takes {name} and {other} with the same batch axes, got {format_shape(x)} and "
            f"{format_shape(y)}."
        )
        require_equal(x[:-2], y[:-2], what)


def _require_same(a: Sizes, b: Sizes, key: Sizes, value: Sizes) -> None:
    what = (
        f"takes key (*batch, S, ...) and value (*batch, S, ...), got {format_shape(key)} and "
        f"{format_shape(value)}."
    )
    require_equal(a, b, what)
