"""Tokenizers: text comes back, whatever is in it; what cannot be is one error."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorem import text
from tensorem.errors import ArgumentError, DataError, DTypeError, FileError
from tensorem.text._bpe import SAMPLE

BYTES = text.ByteTokenizer()
POEM = "the cat sat on the mat, the cat's hat sat flat:\n\n  that's that, 42 times 1984. " * 8
BPE = text.BPETokenizer.train([POEM], vocab_size=300, special=["<|endoftext|>"])
ANY_TEXT = st.text() | st.sampled_from([SAMPLE, "\x00", "a\u0301\u0323", "👩‍🚀 𝔘", "\r\n\t ", ""])


@settings(max_examples=150, deadline=None)
@given(ANY_TEXT)
def test_every_text_comes_back(written: str) -> None:
    ids = BYTES.encode(written)
    assert bytes(ids.tolist()) == written.encode()
    assert BYTES.decode(ids, errors="strict") == written
    assert BPE.decode(BPE.encode(written)) == written
    letters = text.CharTokenizer.of(written + "a")
    ids = letters.encode(written)
    assert [letters.alphabet[i] for i in ids] == list(written)
    assert letters.decode(ids) == written


@settings(deadline=None)
@given(st.binary())
def test_bytes_decode_as_python_does(content: bytes) -> None:
    assert BYTES.decode(list(content)) == content.decode(errors="replace")


def test_characters_outside_of_the_alphabet_are_unknown_or_an_error() -> None:
    known = text.CharTokenizer("ab?", unknown_id=7)
    assert known.encode("abc").tolist() == [0, 1, 2]  # the last token stands for 7
    assert known.decode([0, 1, 99, -1]) == "ab??"
    with pytest.raises(DataError, match=r"characters of its alphabet, got 'c'.\n *where: *charac"):
        text.CharTokenizer("ab").encode("abc")


# --- byte pairs, against a plain writing of them


def plain_bpe(folder: Path) -> Callable[[str], list[int]]:
    """GPT-2's encoder for words of ASCII letters behind single spaces, from its two files."""
    vocab = json.loads((folder / "vocab.json").read_text())
    pairs = [tuple(x.split()) for x in (folder / "merges.txt").read_text().splitlines()[1:]]
    rank = {pair: i for i, pair in enumerate(pairs)}

    def word(letters: list[str]) -> list[str]:
        while found := [p for p in pairwise(letters) if p in rank]:
            best, merged = min(found, key=rank.__getitem__), list[str]()
            while letters:
                both = tuple(letters[:2]) == best
                merged.append("".join(letters[: 1 + both]))
                letters = letters[1 + both :]
            letters = merged
        return letters

    def encode(written: str) -> list[int]:
        first, *rest = written.split(" ")
        words = [list(first), *(["Ġ", *w] for w in rest)]
        return [vocab[piece] for w in words for piece in word(w)]

    return encode


def test_byte_pairs_of_two_files_are_those_of_a_plain_writing(tmp_path: Path) -> None:
    BPE.inner.model.save(str(tmp_path))
    read = text.BPETokenizer.from_files(tmp_path / "vocab.json", tmp_path / "merges.txt")
    plain, written = plain_bpe(tmp_path), "the cat sat that hats mathematical tt"
    assert read.encode(written).tolist() == plain(written) == BPE.encode(written).tolist()
    assert Counter(len(read.decode([i])) > 1 for i in plain(written))[True] >= 7
    BPE.save(tmp_path / "tokenizer.json")
    again = text.BPETokenizer.from_file(tmp_path / "tokenizer.json")
    assert again.encode(POEM).tolist() == BPE.encode(POEM).tolist()
    assert again.token_id("<|endoftext|>") == 0 and again.encode("<|endoftext|>a").tolist()[0] == 0


def test_padding_and_truncation_of_a_file_are_left_out(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    inner = tokenizers.Tokenizer.from_str(BPE.inner.to_str())
    inner.enable_padding(length=500)
    inner.enable_truncation(3)
    inner.save(str(tmp_path / "tokenizer.json"))
    again = text.BPETokenizer.from_file(tmp_path / "tokenizer.json")
    assert again.encode(POEM).tolist() == BPE.encode(POEM).tolist()


def test_a_tokenizer_that_loses_text_says_so_when_it_is_read(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    inner.save(str(tmp_path / "tokenizer.json"))
    with pytest.warns(UserWarning, match=r"texts do not come back: decode\(encode\(text\)\)"):
        text.BPETokenizer.from_file(tmp_path / "tokenizer.json")


def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    no_package(monkeypatch)
    with pytest.raises(FileError, match=r"not installed.\n *help: *pip install \"tensorem\[text\]"):
        text.BPETokenizer.train(["a"], 256)


def written(folder: Path, content: bytes) -> Path:
    (folder / "file").write_bytes(content)
    return folder / "file"


WRONG: list[tuple[Callable[[Path], Any], type[Exception], str]] = [
    (lambda f: BYTES.encode("a\ud800"), DataError, r"UTF-8 can write, got '\\ud800'"),
    (lambda f: BPE.encode("\udfff"), DataError, "half of a surrogate pair"),
    (lambda f: BYTES.decode([256]), DataError, "takes tokens from 0 to 255, got 256"),
    (lambda f: BYTES.decode([0, -1]), DataError, r"got -1.\n *where: token 1"),
    (lambda f: BYTES.decode([0.5]), DTypeError, "integers, got float64"),
    (lambda f: BYTES.decode([[1]]), DataError, "a sequence of integers, got 2 axes"),
    (
        lambda f: BYTES.decode([97, 255], errors="strict"),
        DataError,
        r"UTF-8, got b'\\xff'.\n.*te 1",
    ),
    (lambda f: BYTES.decode([1], errors="ignore"), ArgumentError, "errors as one of replace, str"),
    (lambda f: BPE.decode([300]), DataError, "takes tokens from 0 to 289, got 300"),
    (lambda f: BPE.token_id("nothing"), ArgumentError, "a token of its vocabulary, got 'nothing'"),
    (lambda f: text.CharTokenizer("aba"), ArgumentError, "of characters, got 'a' twice"),
    (lambda f: text.CharTokenizer.of(""), ArgumentError, "alphabet of characters, got none"),
    (lambda f: text.CharTokenizer("a", -1), ArgumentError, "unknown_id as an integer of at least"),
    (lambda f: text.CharTokenizer("ab").decode([2]), DataError, "tokens from 0 to 1, got 2"),
    (lambda f: text.BPETokenizer.train([], 9), ArgumentError, "vocab_size as an integer of at le"),
    (lambda f: text.BPETokenizer.from_file(f / "no"), FileError, "cannot be read: No such file"),
    (lambda f: text.BPETokenizer.from_files(f / "no", f), FileError, "cannot be read"),
    (
        lambda f: text.BPETokenizer.from_file(written(f, b"{]")),
        FileError,
        "takes the files of a tokenizer, got others",
    ),
    (
        lambda f: text.BPETokenizer.from_files(*[written(f, b"{]")] * 2),
        FileError,
        "takes the files of a tokenizer, got others",
    ),
    (lambda f: BPE.save(f), FileError, "it is a folder, not a file"),
]


@pytest.mark.parametrize(("call", "kind", "words"), WRONG)
def test_what_no_tokenizer_takes_is_one_error(
    call: Callable[[Path], Any], kind: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words):
        call(tmp_path)


def test_tokens_are_int32_everywhere() -> None:
    found = [t.encode("hat") for t in (BYTES, BPE, text.CharTokenizer("aht"))]
    assert {a.dtype for a in found} == {np.dtype("int32")}
    assert {t.encode("").size for t in (BYTES, BPE, text.CharTokenizer("a"))} == {0}
