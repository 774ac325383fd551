"""Corpora as data sets: windows, documents side by side, files of any size."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorem as tm
from close import assert_close
from tensorem import data, losses, metrics, nn, optim, text, train
from tensorem.errors import ArgumentError, DataError, DTypeError, FileError
from tensorem.text import _files

BYTES = text.ByteTokenizer()


@settings(deadline=None)
@given(st.integers(2, 60), st.integers(1, 9), st.integers(1, 9))
def test_windows_are_the_slices_of_the_text(n: int, length: int, stride: int) -> None:
    if n <= length:
        return
    tokens = np.arange(n)
    found = text.windows(tokens, length, stride)
    starts = range(0, n - length, stride)
    assert found.x.tolist() == [list(range(s, s + length)) for s in starts]
    assert np.array_equal(found.y, found.x + 1)
    whole = text.windows(tokens, length)
    assert whole.x.ravel().tolist() == list(range(len(whole) * length))
    assert np.shares_memory(whole.x, tokens)


def test_random_windows_follow_the_seed_and_reach_every_place() -> None:
    every = text.windows(np.arange(11), 4, stride=1)
    sampler = text.RandomWindows(7000)
    rows = sampler.rows(3, 0, every.parts)
    assert np.array_equal(rows, sampler.rows(3, 0, every.parts))
    assert not np.array_equal(rows, sampler.rows(3, 1, every.parts))
    counts = np.bincount(rows, minlength=7)
    assert len(counts) == 7 and np.abs(counts - 1000).max() < 150  # 5 deviations


def test_validation_is_the_rest_of_the_text() -> None:
    tokens = np.arange(100)
    head, tail = text.split(tokens, 0.29)
    assert len(head) == 29 and np.array_equal(np.concatenate([head, tail]), tokens)
    assert [len(part) for part in text.split(tokens, 90)] == [90, 10]


# --- documents side by side

DOCUMENTS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=12), min_size=1, max_size=6)


def test_texts_of_unequal_length_are_one_batch() -> None:
    tokens, mask = text.padded([[3, 1, 4, 1], [5]], 3, pad=9)
    assert tokens.tolist() == [[3, 1, 4], [5, 9, 9]] and tokens.dtype == np.int32
    assert mask.tolist() == [[True, True, True], [True, False, False]]


@settings(deadline=None)
@given(DOCUMENTS, st.integers(1, 7))
def test_every_pair_of_neighbours_in_a_document_is_packed_once(
    documents: list[list[int]], length: int
) -> None:
    if max(map(len, documents)) < 2:
        return
    rows = text.pack(documents, length)
    flat = zip(*(a.ravel().tolist() for a in (rows.x, rows.y, rows.segments)), strict=True)
    pairs = [(a, b) for a, b, segment in flat if segment]
    assert pairs == [p for d in documents for p in pairwise(d)]
    assert ((rows.segments == 0) == (rows.y == -100)).all()
    assert (rows.x[rows.segments == 0] == 0).all()
    for segments, positions in zip(rows.segments, rows.positions, strict=True):
        for s in set(segments[segments > 0].tolist()):
            places = np.flatnonzero(segments == s)
            assert positions[places].tolist() == list(range(len(places)))
            assert np.array_equal(places, np.arange(places[0], places[-1] + 1))


class Packed(nn.Layer):
    embed: nn.Embedding
    attend: nn.MultiheadAttention

    def forward(self, tokens: Any, segments: Any) -> Any:
        mask = text.may_attend(segments)
        return self.attend(self.embed(tokens), may_attend=mask)


def test_no_document_sees_another_one() -> None:
    documents = [[5, 6, 7, 8], [1, 2, 3], [4, 4, 4, 4, 4]]
    rows = text.pack(documents, 9)
    layer = Packed(nn.Embedding(10, 8), nn.MultiheadAttention(8, 2))
    form = tm.Spec(("N", "T"), "int32")
    model = nn.build(layer, (form, form))
    whole = model(rows.x, rows.segments)
    alone = [model(np.array([d[:-1]]), np.ones((1, len(d) - 1), np.int32))[0] for d in documents]
    assert_close(whole[0], np.concatenate(alone), 1e-5, 1e-6)
    changed = model(np.where(rows.segments == 1, 9, rows.x), rows.segments)
    assert np.array_equal(changed[0, 3:], whole[0, 3:])


# --- files


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab\n é🚀\t", max_size=60), st.integers(1, 7))
def test_a_file_in_pieces_has_the_tokens_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, written: str, size: int
) -> None:
    if not written:
        return
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "a.txt").write_bytes(written.encode())
    words = text.BPETokenizer.train([written], 270)
    for tokenizer in (BYTES, text.CharTokenizer.of(written), words):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_files, "_PIECE", size)
            count = text.write_tokens(folder / "a.npy", tokenizer, folder / "a.txt")
        found = data.open_npy(folder / "a.npy")
        assert found.tolist() == tokenizer.encode(written).tolist() and count == len(found)
    assert sorted(p.name for p in folder.iterdir()) == ["a.npy", "a.txt"]


class Bigram(nn.Layer):
    embed: nn.Embedding
    head: nn.Linear

    def forward(self, tokens: Any) -> Any:
        return self.head(self.embed(tokens))


def test_a_model_learns_from_a_file_that_is_never_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ab" * 400)
    tokens = text.open_bytes(tmp_path / "a.txt", least=800)
    assert isinstance(tokens, np.memmap) and tokens.dtype == np.uint8
    every = text.windows(tokens, 8, stride=1)
    loader = data.Loader(every, 16, sampler=text.RandomWindows(320), drop_last=True)
    model = nn.build(Bigram(nn.Embedding(256, 4), nn.Linear(4, 256)), tm.Spec(("N", "T"), "int32"))
    run = train.fit(
        model, loader, optimizer=optim.adam(0.3), epochs=1, batch_size=16, progress="none"
    )
    x, y = every.batch(np.arange(32))
    pair = losses.cross_entropy(run.model(x), y)
    assert metrics.bits_per_byte(pair, y.size) < 0.1


def test_a_batch_of_windows_copies_no_others() -> None:
    every = text.windows(np.arange(200_000, dtype=np.int32), 128, stride=1)  # 100 MB if written out
    tracemalloc.start()
    x, _ = every.batch(np.array([3, 7]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert x.shape == (2, 128) and peak < 1_000_000


def test_bits_per_byte_of_even_guesses_are_eight() -> None:
    pair = losses.cross_entropy(jnp.zeros((5, 256)), jnp.arange(5))
    assert_close(metrics.bits_per_byte(pair, 5), 8.0, 1e-6)
    assert_close(metrics.bits_per_byte(pair, 10), 4.0, 1e-6)  # tokens of two bytes each


def file(folder: Path, content: bytes) -> Path:
    (folder / "a.txt").write_bytes(content)
    return folder / "a.txt"


LATE = b"a" * 50 + b"\n\xc3\xa9\xc3" + b"(" + b"b" * 50
WRONG: list[tuple[Callable[[Path], Any], type[Exception], str]] = [
    (lambda f: text.windows([], 3), DataError, "corpus takes a sequence of tokens, got none"),
    (lambda f: text.windows([[1]], 3), DataError, "a sequence of tokens, got 2 axes"),
    (lambda f: text.windows([0.5], 3), DTypeError, "corpus takes tokens, got float64"),
    (lambda f: text.windows([1, 2], 0), ArgumentError, "windows takes length as an integer of at"),
    (lambda f: text.windows([1, 2], 1, 0), ArgumentError, "windows takes stride as an integer of"),
    (lambda f: text.windows([1, 2, 3], 3), DataError, "Windows of 3 take a text of at least 4 to"),
    (lambda f: text.RandomWindows(0), ArgumentError, "RandomWindows takes num_samples as an int"),
    (lambda f: text.split([1, 2], 1.5), ArgumentError, r"split takes at as a number in \[0, 1\]"),
    (lambda f: text.split([1, 2], 3), ArgumentError, "split takes at as an integer of at most 2"),
    (lambda f: text.split([], 0.5), DataError, "a sequence of tokens, got none"),
    (lambda f: text.pack([[1], [2]], 4), DataError, "documents of at least two tokens, got none"),
    (lambda f: text.pack([[1, 2], []], 4), DataError, "a sequence of tokens, got none"),
    (lambda f: text.pack([["a"]], 4), DTypeError, "corpus takes tokens, got <U1"),
    (lambda f: text.padded([]), DataError, "padded takes a text or more, got none"),
    (lambda f: text.padded([[1], []]), DataError, "a sequence of tokens, got none"),
    (lambda f: text.padded([["a"]]), DTypeError, "corpus takes tokens, got <U1"),
    (lambda f: text.padded([[1]], 0), ArgumentError, "padded takes length as an integer of at l"),
    (lambda f: text.pack([[1, 2]], 0), ArgumentError, "pack takes length as an integer of at lea"),
    (lambda f: metrics.bits_per_byte((jnp.ones(()), jnp.ones(())), 0), ArgumentError, "size as"),
    (lambda f: text.read_utf8(f / "no"), FileError, "cannot be read: No such file"),
    (
        lambda f: text.read_utf8(file(f, LATE)),
        DataError,
        r"read_utf8 takes text in UTF-8.*\n.*te 53",
    ),
    (lambda f: text.open_bytes(f / "no"), FileError, "cannot be read"),
    (lambda f: text.open_bytes(f), FileError, "cannot be read"),
    (lambda f: text.open_bytes(f, 0), ArgumentError, "open_bytes takes least as an integer of at"),
    (lambda f: text.open_bytes(file(f, b"")), DataError, "A corpus takes 1 bytes, got 0"),
    (lambda f: text.open_bytes(file(f, b"abc"), 4), DataError, "A corpus takes 4 bytes, got 3"),
    (
        lambda f: text.write_tokens(f / "a.npy", BYTES, file(f, LATE)),
        DataError,
        r"A corpus takes text in UTF-8, got other bytes.\n.*byte 53",
    ),
    (lambda f: text.write_tokens(f / "a.npy", BYTES, file(f, b"")), DataError, "got an empty one"),
    (lambda f: text.write_tokens(f / "a.npy", BYTES, f / "no"), FileError, "cannot be read"),
    (
        lambda f: text.write_tokens(f / "no" / "a.npy", BYTES, file(f, b"a")),
        FileError,
        "a.npy cannot be written: No such file",
    ),
    (
        lambda f: text.write_tokens(f / "a.npy", text.CharTokenizer("b"), file(f, b"a")),
        DataError,
        "characters of its alphabet, got 'a'",
    ),
]


@pytest.mark.parametrize("piece", [4, 1 << 20])
@pytest.mark.parametrize(("call", "kind", "words"), WRONG)
def test_what_is_no_corpus_is_one_error(
    call: Callable[[Path], Any],
    kind: type[Exception],
    words: str,
    piece: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_files, "_PIECE", piece)
    with pytest.raises(kind, match=words):
        call(tmp_path)
    assert not list(tmp_path.glob("*.npy")) and not list(tmp_path.glob(".*"))
