"""Corpora as data sets: windows of one text, and several documents side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from tensorem import rand
from tensorem.calls import FROM_0_TO_1, integer, named, number
from tensorem.data import Dataset
from tensorem.errors import DataError, DTypeError

from ._tokenizer import Tokens

IGNORED = -100
"""The target of a place that counts for nothing, for `ignore_index` of a loss."""


def corpus(tokens: Any) -> NDArray[Any]:
    """A text as an array of tokens, as it is: one on the disk stays there.

    Raises:
        DTypeError: It holds no integers.
        DataError: It is empty, or has several axes.
    """
    found: NDArray[Any] = np.asanyarray(tokens)
    if found.ndim != 1 or not len(found):
        got = "none" if found.ndim == 1 else f"{found.ndim} axes"
        raise DataError(f"A corpus takes a sequence of tokens, got {got}.")
    if found.dtype.kind not in "iu":
        raise DTypeError(
            f"A corpus takes tokens, got {found.dtype}.", help="tokenizer.encode(text)."
        )
    return found


def windows(tokens: ArrayLike, length: int, stride: int | None = None) -> Dataset:
    """Pieces of a text, each with the same piece one token later: what comes next at every place.

    Nothing is copied: windows of a corpus on the disk are read as they are asked for.

    Shapes:
        tokens (n)  ->  x, y ((n - length - 1) // stride + 1, length)

    Args:
        tokens: The corpus, an array or one that `open_bytes` or `data.open_npy` gives.
        length: The tokens of a window.
        stride: How far the next window begins behind the last; None for length, so that no token
            comes twice. With 1, `RandomWindows` draws from all there are.

    Raises:
        ArgumentError: A number is below 1.
        DTypeError: The tokens are no integers.
        DataError: The corpus is empty, or has no window of this length.

    Example:
        >>> data = windows([3, 1, 4, 1, 5, 9, 2], length=3)
        >>> data.x.tolist(), data.y.tolist()
        ([[3, 1, 4], [1, 5, 9]], [[1, 4, 1], [5, 9, 2]])
    """
    found = corpus(tokens)
    with named("windows"):
        length = integer("length", length, 1)
        step = length if stride is None else integer("stride", stride, 1)
    if len(found) <= length:
        raise DataError(
            f"Windows of {length} take a text of at least {length + 1} tokens, got {len(found)}.",
            because="the target of a token is the next one.",
        )
    both = sliding_window_view(found, length + 1)[::step]
    return Dataset(both[:, :-1], both[:, 1:])


@dataclass(frozen=True)
class RandomWindows:
    """A sampler of windows anywhere: an epoch draws so many, each as likely as any other.

    Args:
        num_samples: Windows in an epoch.

    Raises:
        ArgumentError: num_samples is below 1.

    Example:
        >>> from tensorem.data import Loader
        >>> every = windows(np.arange(100), length=4, stride=1)
        >>> loader = Loader(every, batch_size=2, sampler=RandomWindows(6))
        >>> [x[:, 0].tolist() for x, y in loader.epoch(0)]
        [[44, 76], [60, 32], [75, 14]]
    """

    num_samples: int

    def __post_init__(self) -> None:
        with named("RandomWindows"):
            integer("num_samples", self.num_samples, 1)

    def size(self, n: int) -> int:
        """num_samples."""
        return self.num_samples

    def rows(self, seed: int, epoch: int, parts: tuple[int, ...]) -> NDArray[np.int64]:
        """The rows that are drawn, a function of (seed, epoch)."""
        key = np.uint64(rand.fold(seed, "windows", epoch))
        words = rand.splitmix64_array(key + np.arange(self.num_samples, dtype=np.uint64))
        return (words % np.uint64(sum(parts))).astype(np.int64)


def split(tokens: ArrayLike, at: int | float) -> tuple[NDArray[Any], NDArray[Any]]:
    """The text before a place, to train on, and from it on, to validate: no token is in both.

    Args:
        at: A number of tokens, or a float fraction of all, rounded down.

    Raises:
        ArgumentError: The place lies outside.
        DataError: The corpus is empty.

    Example:
        >>> [part.tolist() for part in split([3, 1, 4, 1, 5], 0.8)]
        [[3, 1, 4, 1], [5]]
    """
    found = corpus(tokens)
    with named("split"):
        if isinstance(at, float):
            place = int(round(number("at", at, FROM_0_TO_1) * len(found), 6))
        else:
            place = integer("at", at, 0, len(found))
    return found[:place], found[place:]


@dataclass(frozen=True, eq=False)
class Packed:
    """Documents side by side in rows of one length.

    Args:
        x: Tokens; 0 where no document is.
        y: The next token of the same document; -100 where there is none, for `ignore_index`.
        segments: The number of the document in its row, from 1; 0 where there is none.
        positions: The place of each token in its document, from where it begins in the row.
    """

    x: Tokens
    y: Tokens
    segments: Tokens
    positions: Tokens


def pack(documents: Iterable[ArrayLike], length: int) -> Packed:
    """Several documents in rows of one length, without a gap; one that does not fit goes on.

    Every token with a next one in its document is an input once. With `may_attend(segments)` as the
    mask, no token sees another document.

    Shapes:
        documents (n_i)  ->  x, y, segments, positions (rows, length)

    Args:
        documents: The tokens of each; one of fewer than two has no next token, and is left out.
        length: The tokens of a row.

    Raises:
        ArgumentError: length is below 1.
        DTypeError: A document holds no integers.
        DataError: A document is empty, or there is none of two tokens.

    Example:
        >>> rows = pack([[5, 6, 7], [8, 9, 8, 9]], length=4)
        >>> rows.x.tolist(), rows.y.tolist()
        ([[5, 6, 8, 9], [8, 0, 0, 0]], [[6, 7, 9, 8], [9, -100, -100, -100]])
        >>> rows.segments.tolist(), rows.positions.tolist()
        ([[1, 1, 2, 2], [1, 0, 0, 0]], [[0, 1, 0, 1], [0, 0, 0, 0]])
    """
    with named("pack"):
        length = integer("length", length, 1)
    found = [d for d in map(corpus, documents) if len(d) > 1]
    if not found:
        raise DataError("pack takes documents of at least two tokens, got none.")
    x, y = (np.concatenate([d[part] for d in found]) for part in (slice(-1), slice(1, None)))
    document = np.repeat(np.arange(len(found)), [len(d) - 1 for d in found])
    begins = np.flatnonzero(np.diff(document, prepend=-1) | (np.arange(len(x)) % length == 0))
    run = np.searchsorted(begins, np.arange(len(x)), side="right") - 1
    first = np.searchsorted(begins, np.arange(len(x)) // length * length)
    segments, positions = run - first + 1, np.arange(len(x)) - begins[run]
    filled = ((x, 0), (y, IGNORED), (segments, 0), (positions, 0))
    return Packed(*(_rows(array, length, fill) for array, fill in filled))


def _rows(array: NDArray[Any], length: int, fill: int) -> Tokens:
    rest = -len(array) % length
    return np.pad(array.astype(np.int32), (0, rest), constant_values=fill).reshape(-1, length)


def padded(
    texts: Iterable[ArrayLike], length: int | None = None, pad: int = 0
) -> tuple[Tokens, NDArray[np.bool_]]:
    """Texts of unequal length as one batch, and where it holds tokens.

    Shapes:
        sequences of tokens  ->  (N, length), (N, length)

    Args:
        texts: The tokens of each.
        length: That of a row: what is longer is cut off. None for that of the longest text.
        pad: What stands behind a text.

    Raises:
        ArgumentError: length is below 1.
        DataError: There is no text, or one is empty.
        DTypeError: A text holds no integers.

    Example:
        >>> tokens, mask = padded([[3, 1, 4], [1]])
        >>> tokens.tolist(), mask.tolist()
        ([[3, 1, 4], [1, 0, 0]], [[True, True, True], [True, False, False]])
    """
    rows = [corpus(tokens) for tokens in texts]
    if not rows:
        raise DataError("padded takes a text or more, got none.")
    with named("padded"):
        length = max(map(len, rows)) if length is None else integer("length", length, 1)
    mask = np.arange(length) < np.array([[len(row)] for row in rows])
    tokens = np.full(mask.shape, pad, np.int32)
    tokens[mask] = np.concatenate([row[:length] for row in rows])
    return tokens, mask


def may_attend(segments: ArrayLike) -> jax.Array:
    """The mask of packed documents: a token sees those before it in its own one, and itself.

    Shapes:
        segments (*batch, T)  ->  (*batch, T, T), True allows

    Example:
        >>> may_attend(np.array([1, 1, 2, 0])).astype(int).tolist()
        [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    """
    own = jnp.asarray(segments)
    place = jnp.arange(own.shape[-1])
    same = (own[..., :, None] == own[..., None, :]) & (own[..., :, None] > 0)
    return same & (place[:, None] >= place)
