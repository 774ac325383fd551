"""Text as numbers and back: bytes and characters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorem.calls import among, integer, named
from tensorem.errors import ArgumentError, DataError, DTypeError

Tokens = NDArray[np.int32]


class Tokenizer(Protocol):
    """Text to tokens, which are numbers from 0 to vocab_size - 1, and back."""

    @property
    def vocab_size(self) -> int:
        """How many tokens there are."""
        ...

    def encode(self, text: str) -> Tokens:
        """The tokens of a text."""
        ...

    def decode(self, ids: ArrayLike) -> str:
        """The text of tokens."""
        ...


@dataclass(frozen=True)
class ByteTokenizer:
    """The 256 bytes of UTF-8.

    Example:
        >>> ByteTokenizer().encode("né")
        array([110, 195, 169], dtype=int32)
        >>> ByteTokenizer().decode([110, 195, 169])
        'né'
    """

    @property
    def vocab_size(self) -> int:
        """256."""
        return 256

    def encode(self, text: str) -> Tokens:
        """The bytes of a text.

        Raises:
            DataError: It holds half of a surrogate pair, which UTF-8 cannot write.
        """
        return np.frombuffer(utf8(text), np.uint8).astype(np.int32)

    def decode(self, ids: ArrayLike, errors: str = "replace") -> str:
        """The text of bytes.

        Args:
            errors: What becomes of bytes that are no UTF-8, such as one cut off: "replace" makes
                U+FFFD of them, "strict" refuses them.

        Raises:
            DataError: An id is no byte; or the bytes are no UTF-8, where errors is "strict".
            ArgumentError: errors is neither.
        """
        with named("ByteTokenizer"):
            among("errors", errors, ("replace", "strict"))
        content = check_tokens(ids, 256).astype(np.uint8).tobytes()
        return decoded(content, "ByteTokenizer takes") if errors == "strict" else shown(content)


@dataclass(frozen=True)
class CharTokenizer:
    """The characters of an alphabet: token i is its character i.

    Args:
        alphabet: Each character once.
        unknown_id: The token of every other character, and what decode takes for it writes
            `unknown`; None: other characters, and tokens that are none, are errors.
        unknown: What is written for a token outside of the alphabet.

    Raises:
        ArgumentError: The alphabet is empty or repeats a character, or unknown_id is below 0.

    Example:
        >>> tokens = CharTokenizer.of("to be or not")
        >>> tokens.alphabet, tokens.decode(tokens.encode("no tree"))
        (' benort', 'no tree')
    """

    alphabet: str
    unknown_id: int | None = None
    unknown: str = "?"

    def __post_init__(self) -> None:
        twice = [c for c, again in zip(self._sorted, self._sorted[1:], strict=False) if c == again]
        if not self.alphabet or twice:
            got = f"{twice[0]!r} twice" if twice else "none"
            raise ArgumentError(f"CharTokenizer takes an alphabet of characters, got {got}.")
        if self.unknown_id is not None:
            with named("CharTokenizer"):
                integer("unknown_id", self.unknown_id, 0)

    @classmethod
    def of(cls, text: str) -> CharTokenizer:
        """Of all characters of a text, in the order of Unicode.

        Raises:
            ArgumentError: There are none.
        """
        return cls("".join(sorted(set(text))))

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.alphabet)

    @cached_property
    def _points(self) -> tuple[NDArray[np.uint32], Tokens]:
        """The code points of the alphabet in order, and their tokens."""
        points = _code_points(self.alphabet)
        order = np.argsort(points).astype(np.int32)
        return points[order], order

    @property
    def vocab_size(self) -> int:
        """The number of characters."""
        return len(self.alphabet)

    def encode(self, text: str) -> Tokens:
        """The tokens of a text.

        Raises:
            DataError: A character is not in the alphabet, and there is no unknown_id.
        """
        points, ids = self._points
        found = _code_points(text)
        place = np.minimum(np.searchsorted(points, found), len(points) - 1)
        known = points[place] == found
        if self.unknown_id is not None:
            return np.where(known, ids[place], min(self.unknown_id, self.vocab_size - 1))
        if not known.all():
            at = int(np.argmin(known))
            raise DataError(
                f"CharTokenizer takes characters of its alphabet, got {text[at]!r}.",
                where=f"character {at}",
                help="CharTokenizer.of(a text with all of them), or unknown_id=...",
            )
        return ids[place]

    def decode(self, ids: ArrayLike) -> str:
        """The text of tokens.

        Raises:
            DataError: One is outside of the alphabet, and there is no unknown_id.
        """
        if self.unknown_id is None:
            return "".join(map(self.alphabet.__getitem__, check_tokens(ids, self.vocab_size)))
        known = range(self.vocab_size)
        return "".join(self.alphabet[i] if i in known else self.unknown for i in whole(ids))


def utf8(text: str) -> bytes:
    """The bytes of a text.

    Raises:
        DataError: It holds half of a surrogate pair.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        got = text[error.start]
        raise DataError(
            f"A tokenizer takes text that UTF-8 can write, got {got!r}.",
            where=f"character {error.start}",
            because="it is half of a surrogate pair.",
        ) from None


def decoded(content: bytes, takes: str, where: str = "") -> str:
    """The text of bytes.

    Args:
        takes: The beginning of the error, such as "read_utf8 takes".

    Raises:
        DataError: They are no UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        place = f"byte {error.start}"
        raise DataError(
            f"{takes} text in UTF-8, got {content[error.start : error.start + 1]!r}.",
            where=f"{where}, {place}" if where else place,
            because=f"{error.reason}.",
        ) from None


def shown(content: bytes) -> str:
    """The text of bytes, U+FFFD for what is none."""
    return content.decode(errors="replace")


def whole(ids: ArrayLike) -> NDArray[np.int64]:
    """Integers as an array.

    Raises:
        DTypeError: They are no integers.
        DataError: They are no sequence.
    """
    found: NDArray[Any] = np.asarray(ids)
    if found.ndim != 1:
        raise DataError(f"Tokens are a sequence of integers, got {found.ndim} axes.")
    if found.size and found.dtype.kind not in "iu":
        raise DTypeError(f"Tokens are integers, got {found.dtype}.")
    return found.astype(np.int64)


def check_tokens(ids: ArrayLike, vocab_size: int) -> Tokens:
    """Tokens as an array, each from 0 to vocab_size - 1.

    Raises:
        DTypeError: They are no integers.
        DataError: They are no sequence, or one is outside of the vocabulary.
    """
    found = whole(ids)
    wrong = np.flatnonzero((found < 0) | (found >= vocab_size))
    if len(wrong):
        raise DataError(
            f"A vocabulary of {vocab_size} takes tokens from 0 to {vocab_size - 1}, got "
            f"{found[wrong[0]]}.",
            where=f"token {wrong[0]}",
        )
    return found.astype(np.int32)


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
