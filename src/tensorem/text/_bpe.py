"""Byte pairs: the tokenizers of GPT-2 and its like, through the package `tokenizers`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tensorem.calls import integer, named
from tensorem.disk import path_of, read_whole, write_whole
from tensorem.errors import ArgumentError, FileError

from ._tokenizer import Tokens, check_tokens, utf8

SAMPLE = "To be, or not:\n\n  l'été\t№ 42 – 文字 👩‍🚀 \x00 a\u0301.  "
"""What a tokenizer must give back: spaces, lines, marks, and characters of four bytes."""


@dataclass(frozen=True, eq=False, repr=False)
class BPETokenizer:
    """Pieces of text that a vocabulary knows, merged from bytes: GPT-2's form.

    It takes `pip install "tensorem[text]"`. A text is encoded as it stands: no token is put before
    or behind it.

    Args:
        inner: A `tokenizers.Tokenizer`.

    Example:
        >>> tokens = BPETokenizer.train(["to be or not to be"] * 9, vocab_size=260)
        >>> tokens.decode(tokens.encode("to see"))
        'to see'
    """

    inner: Any

    @classmethod
    def from_files(cls, vocab: str | Path, merges: str | Path) -> BPETokenizer:
        """Of GPT-2's two files, `vocab.json` and `merges.txt`.

        Raises:
            FileError: A file is missing or malformed, or `tokenizers` is not installed.
        """
        package, files = _package(), [path_of(vocab), path_of(merges)]
        for file in files:
            read_whole(file)
        model = _read(package.models.BPE.from_file, files[0], *map(str, files))
        return _that_gives_back(cls(_byte_level(model)), files[0])

    @classmethod
    def from_file(cls, path: str | Path) -> BPETokenizer:
        """Of a `tokenizer.json`, whatever is in it; a warning says if texts do not come back.

        Padding and truncation that the file asks for are left out: `padded` makes batches.

        Raises:
            FileError: The file is missing or malformed, or `tokenizers` is not installed.
        """
        package, file = _package(), path_of(path)
        content = read_whole(file)
        inner = _read(package.Tokenizer.from_buffer, file, content)
        inner.no_padding()
        inner.no_truncation()
        return _that_gives_back(cls(inner), file)

    @classmethod
    def train(
        cls, texts: Iterable[str], vocab_size: int, special: Iterable[str] = ()
    ) -> BPETokenizer:
        """The pairs that come most often in some texts.

        Args:
            texts: The texts; an iterator that reads them one by one will do.
            vocab_size: How many tokens there are at most, 256 bytes among them.
            special: Tokens that stand for no text, such as "<|endoftext|>".

        Raises:
            ArgumentError: vocab_size is below 256 and the number of special tokens.
            FileError: `tokenizers` is not installed.
        """
        special, package = list(special), _package()
        with named("BPETokenizer.train"):
            integer("vocab_size", vocab_size, 256 + len(special))
        inner = _byte_level(package.models.BPE())
        trainer = package.trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=special,
            initial_alphabet=package.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        inner.train_from_iterator(texts, trainer)
        return cls(inner)

    def save(self, path: str | Path) -> None:
        """Write a `tokenizer.json`.

        Raises:
            FileError: It cannot be written.
        """
        write_whole(path_of(path), self.inner.to_str(pretty=True).encode())

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, special ones among them."""
        return int(self.inner.get_vocab_size())

    def token_id(self, token: str) -> int:
        """The number of a token, such as "<|endoftext|>".

        Raises:
            ArgumentError: There is none.
        """
        found = self.inner.token_to_id(token)
        if found is None:
            raise ArgumentError(f"BPETokenizer takes a token of its vocabulary, got {token!r}.")
        return int(found)

    def encode(self, text: str) -> Tokens:
        """The tokens of a text.

        Raises:
            DataError: It holds half of a surrogate pair.
        """
        utf8(text)
        return np.array(self.inner.encode(text, add_special_tokens=False).ids, np.int32)

    def decode(self, ids: ArrayLike) -> str:
        """The text of tokens, U+FFFD for bytes that are no UTF-8.

        Raises:
            DataError: One is outside of the vocabulary.
        """
        found = check_tokens(ids, self.vocab_size)
        return str(self.inner.decode(found.tolist(), skip_special_tokens=False))

    def __repr__(self) -> str:
        return f"BPETokenizer of {self.vocab_size} tokens"


def _package() -> Any:
    try:
        return import_module("tokenizers")
    except ImportError as error:
        raise FileError(
            "BPETokenizer takes the package tokenizers, which is not installed.",
            help='pip install "tensorem[text]"',
        ) from error


def _byte_level(model: Any) -> Any:
    """Words as GPT-2 cuts them, spaces with the word behind, and bytes as characters."""
    package = _package()
    inner = package.Tokenizer(model)
    inner.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = package.decoders.ByteLevel()
    return inner


def _read(read: Callable[..., Any], file: Path, *content: Any) -> Any:
    try:
        return read(*content)
    except Exception as error:  # the package raises bare exceptions
        raise FileError(
            "BPETokenizer takes the files of a tokenizer, got others.",
            where=str(file),
            because=str(error),
        ) from error


def _that_gives_back(tokenizer: BPETokenizer, file: Path) -> BPETokenizer:
    if tokenizer.decode(tokenizer.encode(SAMPLE)) != SAMPLE:
        warnings.warn(
            f"{file}: texts do not come back: decode(encode(text)) is another text.", stacklevel=3
        )
    return tokenizer
