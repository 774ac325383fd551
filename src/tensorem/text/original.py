"""TorchLean's rules for text by name, number for number.

What writes and trains here is `text.generate`, `text.windows` and the like; these are for parity.
Tokens are sequences of integers; what is drawn is SplitMix64 of (seed, counter).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorem import rand
from tensorem.calls import ABOVE_0, ANY, integer, named, number

from ._tokenizer import Tokenizer, Tokens, whole

OUT = -1e30
"""The score of a token that is out: at or below it none is chosen."""

Scores = NDArray[np.float64]


# --- text as numbers


def decode_bytes(ids: ArrayLike) -> str:
    """The text of ids modulo 256, or where they are no UTF-8 a character for each byte.

    Example:
        >>> decode_bytes([195, 169]), decode_bytes([195 + 256, 40])
        ('é', 'Ã(')
    """
    content = (whole(ids) % 256).astype(np.uint8).tobytes()
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def encode_fixed(tokenizer: Tokenizer, text: str, length: int, pad_id: int = 0) -> Tokens:
    """The first tokens of a text, and pad_id behind it where it has fewer.

    Raises:
        ArgumentError: length is below 0.

    Example:
        >>> from tensorem.text import ByteTokenizer
        >>> encode_fixed(ByteTokenizer(), "to", 4)
        array([116, 111,   0,   0], dtype=int32)
    """
    with named("encode_fixed"):
        integer("length", length, 0)
    ids = tokenizer.encode(text)[:length]
    return np.pad(ids, (0, length - len(ids)), constant_values=pad_id)


def one_hot(ids: ArrayLike, vocab_size: int) -> NDArray[np.float32]:
    """A 1 at each token; zeros for one outside of the vocabulary.

    Shapes:
        ids (*batch)  ->  (*batch, vocab_size)

    Example:
        >>> one_hot([1, 7], 3).tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    found: NDArray[np.bool_] = np.asarray(ids)[..., None] == np.arange(vocab_size)
    return found.astype(np.float32)


def causal_lm(tokens: ArrayLike) -> tuple[Tokens, Tokens]:
    """The tokens of a window but the last, and but the first: what comes next.

    Shapes:
        tokens (*batch, T + 1)  ->  x, y (*batch, T)

    Example:
        >>> x, y = causal_lm([3, 1, 4])
        >>> x.tolist(), y.tolist()
        ([3, 1], [1, 4])
    """
    found = np.asarray(tokens, np.int32)
    return found[..., :-1], found[..., 1:]


def causal_lm_one_hot(
    tokens: ArrayLike, vocab_size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`causal_lm`, each token as a row of `one_hot`.

    Shapes:
        tokens (*batch, T + 1)  ->  x, y (*batch, T, vocab_size)
    """
    x, y = causal_lm(tokens)
    return one_hot(x, vocab_size), one_hot(y, vocab_size)


def causal_mask(length: int) -> NDArray[np.bool_]:
    """True where place j is not behind place i.

    Example:
        >>> causal_mask(2).tolist()
        [[True, False], [True, True]]
    """
    return np.tri(length, dtype=bool)


def escape(text: str) -> str:
    r"""A text on one line: what cannot be printed as Python writes it.

    Example:
        >>> escape("to\nbe")
        'to\\nbe'
    """
    return "".join(c if c.isprintable() and c != "\\" else repr(c)[1:-1] for c in text)


def argmax_tokens(logits: ArrayLike) -> NDArray[np.int64]:
    """The likeliest token at every place, the first of equals.

    Shapes:
        logits (*batch, T, vocabulary)  ->  (*batch, T)
    """
    found: NDArray[np.int64] = np.argmax(np.asarray(logits), axis=-1)
    return found


def decode_argmax(tokenizer: Tokenizer, logits: ArrayLike) -> str:
    """The text of the likeliest tokens."""
    return tokenizer.decode(argmax_tokens(logits))


# --- windows of a corpus


def usable_starts(size: int, length: int) -> int:
    """How many windows a corpus is taken to have: size - length - 1, and at least 1."""
    return max(size - length - 1, 1)


def window_offset(size: int, length: int, i: int) -> int:
    """Where window i begins: i * length, from the beginning again at the end.

    Example:
        >>> [window_offset(100, 30, i) for i in range(4)]
        [0, 30, 60, 21]
    """
    return i * length % usable_starts(size, length)


def random_offsets(size: int, length: int, batch: int, seed: int, step: int) -> list[int]:
    """Where the windows of a step begin.

    Example:
        >>> random_offsets(1000, 64, 4, seed=0, step=0)
        [15, 265, 190, 150]
    """
    key, usable = rand.key_of(seed, step), usable_starts(size, length)
    return [rand.splitmix64((key + row) % rand.WORD) % usable for row in range(batch)]


def token_window(tokens: ArrayLike, offset: int, length: int) -> Tokens:
    """The length + 1 tokens from a place on, 0 behind the end: inputs and their targets.

    Example:
        >>> token_window([3, 1, 4], 1, 3)
        array([1, 4, 0, 0], dtype=int32)
    """
    found = np.asarray(tokens)[offset : offset + length + 1].astype(np.int32)
    return np.pad(found, (0, length + 1 - len(found)))


def random_windows(tokens: ArrayLike, length: int, batch: int, seed: int, step: int) -> Tokens:
    """The windows at the `random_offsets` of a step.

    Shapes:
        tokens (n)  ->  (batch, length + 1)
    """
    found = np.asarray(tokens)
    offsets = random_offsets(len(found), length, batch, seed, step)
    return np.stack([token_window(found, offset, length) for offset in offsets])


def find_window(tokens: ArrayLike, part: ArrayLike) -> int | None:
    """Where some tokens stand first in a text; None where they do not.

    Example:
        >>> find_window([3, 1, 4, 1, 5], [1, 5])
        3
    """
    text, wanted = np.asarray(tokens), np.asarray(part)
    if not 0 < len(wanted) <= len(text):
        return None
    every = np.lib.stride_tricks.sliding_window_view(text, len(wanted))
    hits = np.flatnonzero((every == wanted).all(axis=1))
    return int(hits[0]) if len(hits) else None


def prompt_offsets(tokens: ArrayLike, length: int, windows: int, prompt: ArrayLike) -> list[int]:
    """Windows around the place of a prompt, a quarter of them before it; else `window_offset`.

    Example:
        >>> prompt_offsets(range(100), length=10, windows=8, prompt=[50, 51])
        [48, 49, 50, 51, 52, 53, 54, 55]
    """
    size, hit = len(np.asarray(tokens)), find_window(tokens, prompt)
    if hit is None:
        return [window_offset(size, length, i) for i in range(windows)]
    start = max(hit - windows // 4, 0)
    return [(start + i) % usable_starts(size, length) for i in range(windows)]


# --- the next token


def greedy_index(scores: ArrayLike) -> int:
    """The place of the greatest score, the first of equals; 0 where all are out."""
    found = np.asarray(scores, np.float64)
    return int(np.argmax(np.where(found > OUT, found, OUT)))


def top_k_indices(scores: ArrayLike, k: int) -> list[int]:
    """The places of the k greatest scores, greatest first, of equals the first.

    Where fewer than k are not out, place 0 comes in their stead.

    Example:
        >>> top_k_indices([1, 3, 3, -1e30], 4)
        [1, 2, 0, 0]
    """
    found = np.asarray(scores, np.float64)
    left = [int(i) for i in np.argsort(-found, kind="stable") if found[i] > OUT]
    return (left + [0] * k)[:k]


def penalize_repeats(scores: ArrayLike, recent: ArrayLike, penalty: float) -> Scores:
    """The scores less the penalty for every time that a token is among the recent ones.

    Nothing changes with a penalty of 0 or below.

    Example:
        >>> penalize_repeats([1, 2, 3], [2, 2, 0], 0.5).tolist()
        [0.5, 2.0, 2.0]
    """
    found = np.array(scores, np.float64)
    ids = whole(recent)
    ids = ids[(ids >= 0) & (ids < len(found))]
    return found - max(penalty, 0.0) * np.bincount(ids, minlength=len(found))


def restrict_scores(scores: ArrayLike, allowed: Callable[[int], bool]) -> Scores:
    """The scores, those of other tokens out."""
    found = np.asarray(scores, np.float64)
    return np.where([allowed(i) for i in range(len(found))], found, OUT)


def is_printable_ascii(byte: int) -> bool:
    """Whether a byte is a new line, or one of 32 to 126."""
    return byte == 10 or 32 <= byte <= 126


def prepare_scores(
    scores: ArrayLike,
    recent: ArrayLike,
    penalty: float = 1.25,
    allowed: Callable[[int], bool] | None = None,
) -> Scores:
    """`penalize_repeats`, then `restrict_scores` where some tokens alone are allowed."""
    found = penalize_repeats(scores, recent, penalty)
    return found if allowed is None else restrict_scores(found, allowed)


def sample_top_k_index(
    scores: ArrayLike, temperature: float, k: int, seed: int, counter: int
) -> int:
    """One of the k likeliest tokens, by the number that belongs to (seed, counter); 0 for all.

    Raises:
        ArgumentError: temperature is not above 0, or k below 0.

    Example:
        >>> [sample_top_k_index([1, 2, 3], 1, 0, seed=0, counter=i) for i in range(12)]
        [1, 2, 0, 2, 0, 2, 1, 2, 2, 2, 2, 2]
    """
    with named("sample_top_k_index"):
        number("temperature", temperature, ABOVE_0)
        k = integer("k", k, 0)
    found = np.asarray(scores, np.float64)
    places = top_k_indices(found, k) if k else list(range(len(found)))
    if k == 1:
        return places[0]
    logits = found[places] / temperature
    weights = np.exp(logits - logits.max())
    before = np.concatenate([[0.0], np.cumsum(weights)[:-1]])
    u = float(rand.uniform(rand.key_of(seed, counter), 1, "float64")[0])
    total = float(weights.sum())
    if not total > 0:
        return places[0]
    return places[int(np.flatnonzero(before <= u * total)[-1])]


def choose_next_token(
    scores: ArrayLike,
    recent: Sequence[int],
    seed: int,
    counter: int,
    *,
    temperature: float = 0.85,
    top_k: int = 12,
    penalty: float = 1.25,
    window: int = 24,
    ascii_only: bool = False,
) -> int:
    """The token behind a text by the original's rules, with its defaults.

    Args:
        scores: The logits of the next token.
        recent: The tokens of the text so far, of which the last `window` count.
        seed: That of the text.
        counter: How many tokens were written before.

    Raises:
        ArgumentError: temperature is not above 0, or top_k below 0.
    """
    with named("choose_next_token"):
        number("penalty", penalty, ANY)
        last = list(recent)[-integer("window", window, 1) :]
    allowed = is_printable_ascii if ascii_only else None
    prepared = prepare_scores(scores, last, penalty, allowed)
    return sample_top_k_index(prepared, temperature, top_k, seed, counter)


__all__ = [
    "OUT",
    "argmax_tokens",
    "causal_lm",
    "causal_lm_one_hot",
    "causal_mask",
    "choose_next_token",
    "decode_argmax",
    "decode_bytes",
    "encode_fixed",
    "escape",
    "find_window",
    "greedy_index",
    "is_printable_ascii",
    "one_hot",
    "penalize_repeats",
    "prepare_scores",
    "prompt_offsets",
    "random_offsets",
    "random_windows",
    "restrict_scores",
    "sample_top_k_index",
    "token_window",
    "top_k_indices",
    "usable_starts",
    "window_offset",
]
