"""The original's rules for text, against its vectors and plain writings of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorem import rand, text
from tensorem.errors import ArgumentError
from tensorem.text import original

BYTES = text.ByteTokenizer()


def test_the_vectors_of_its_sampling() -> None:
    drawn = [original.sample_top_k_index([1, 2, 3], 1, 0, 0, counter) for counter in range(12)]
    assert drawn == [1, 2, 0, 2, 0, 2, 1, 2, 2, 2, 2, 2]
    shifted = [original.sample_top_k_index([1, 2, 3], 1, 0, 1, counter) for counter in range(11)]
    assert shifted == drawn[1:]


def test_the_vectors_of_its_random_offsets() -> None:
    assert original.random_offsets(1000, 64, 4, seed=0, step=0) == [15, 265, 190, 150]
    assert original.random_offsets(1000, 64, 4, seed=0, step=1) == [128, 830, 77, 245]
    windows = original.random_windows(np.arange(1000), 64, 4, seed=0, step=0)
    assert windows[:, 0].tolist() == [15, 265, 190, 150] and windows.shape == (4, 65)


SCORES = st.lists(st.sampled_from([-2e30, -1e30, -3.0, 0.0, 0.5, 2.0]), min_size=1, max_size=7)


@settings(deadline=None)
@given(SCORES, st.integers(1, 9))
def test_the_first_k_are_those_of_k_passes(scores: list[float], k: int) -> None:
    left, passes = list(scores), []
    for _ in range(k):
        best = 0
        for i, score in enumerate(left):
            if score > max(left[best], -1e30):
                best = i
        passes.append(best if left[best] > -1e30 else 0)
        left[passes[-1]] = -1e30 if left[passes[-1]] > -1e30 else left[passes[-1]]
    assert original.top_k_indices(scores, k) == passes
    assert original.greedy_index(scores) == passes[0]


@settings(deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=1, max_size=7), st.integers(0, 8), st.integers(0, 99))
def test_a_draw_is_the_last_whose_weight_before_it_is_reached(
    scores: list[float], k: int, counter: int
) -> None:
    places = original.top_k_indices(scores, k) if k else range(len(scores))
    weights = [np.exp((scores[i] - max(scores)) / 0.7) for i in places]
    u = rand.splitmix64(rand.key_of(3, counter)) % 2**32 / 2**32
    reached = [
        i for n, i in enumerate(places) if sum(weights[:n]) <= u * sum(weights) * (1 + 1e-12)
    ]
    found = original.sample_top_k_index(scores, 0.7, k, seed=3, counter=counter)
    assert found == (places[0] if k == 1 else reached[-1])


@settings(deadline=None)
@given(st.lists(st.integers(-1, 6), max_size=9), st.sampled_from([-1.0, 0.0, 0.5]))
def test_a_penalty_counts_repeats(recent: list[int], penalty: float) -> None:
    scores, counts = [0.5, -1.0, 2.0, 0.0], Counter(recent)
    found = original.penalize_repeats(scores, recent, penalty)
    assert found.tolist() == [s - max(penalty, 0) * counts[i] for i, s in enumerate(scores)]


def test_a_next_token_follows_the_options() -> None:
    scores = np.zeros(256)
    scores[[200, 65, 66]] = 9, 3, 1
    choose = original.choose_next_token
    assert choose(scores, [], 0, 0, top_k=1) == 200
    assert choose(scores, [], 0, 0, top_k=1, ascii_only=True) == 65
    assert choose(scores, [65, 65], 0, 0, top_k=1, ascii_only=True) == 66
    assert choose(scores, [65, 65, *[1] * 24], 0, 0, top_k=1, ascii_only=True) == 65
    drawn = [choose(scores, [], 0, counter, temperature=4.0, top_k=3) for counter in range(40)]
    assert set(drawn) == {200, 65, 66}
    later = [choose(scores, [], 5, counter, temperature=4.0, top_k=3) for counter in range(35)]
    assert later == drawn[5:]  # seed and counter count as their sum


def test_windows_begin_where_it_says() -> None:
    assert [original.window_offset(100, 30, i) for i in range(5)] == [0, 30, 60, 21, 51]
    assert [original.window_offset(31, 30, i) for i in range(3)] == [0, 0, 0]
    assert original.usable_starts(5, 30) == 1
    tokens = list(range(100))
    assert original.prompt_offsets(tokens, 10, 8, [50, 51]) == list(range(48, 56))
    assert original.prompt_offsets(tokens, 10, 8, [1, 2]) == list(range(8))
    assert original.prompt_offsets(tokens, 30, 4, [7, 7]) == [0, 30, 60, 21]
    assert original.find_window(tokens, []) is None
    assert original.token_window([1, 2, 3], 2, 3).tolist() == [3, 0, 0, 0]


def test_text_becomes_rows_and_back() -> None:
    x, y = original.causal_lm_one_hot(BYTES.encode("abc"), 256)
    assert x.shape == y.shape == (2, 256) and np.array_equal(x[1], y[0])
    assert original.decode_argmax(BYTES, y) == "bc"
    assert original.one_hot([[-1, 256], [3, 0]], 4).sum(-1).tolist() == [[0, 0], [1, 1]]
    assert original.encode_fixed(BYTES, "abcdef", 3).tolist() == [97, 98, 99]
    assert original.decode_bytes([0xE2, 0x82, 0xAC]) == "€"
    assert original.decode_bytes([0xE2, 0x82]) == "â\x82"
    assert original.escape("é\t\\\x00") == "é\\t\\\\\\x00"
    assert np.array_equal(original.causal_mask(5), np.tril(np.ones((5, 5), bool)))
    printable = [b for b in range(256) if original.is_printable_ascii(b)]
    assert printable == [10, *range(32, 127)]


WRONG: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: original.sample_top_k_index([1], 0, 1, 0, 0),
        "temperature as a finite number above 0",
    ),
    (
        lambda: original.sample_top_k_index([1], 1, -1, 0, 0),
        "k as an integer of at least 0, got -1",
    ),
    (lambda: original.choose_next_token([1], [], 0, 0, temperature=-1), "temperature as a finite"),
    (lambda: original.encode_fixed(BYTES, "a", -1), "length as an integer of at least 0, got -1"),
]


@pytest.mark.parametrize(("call", "words"), WRONG)
def test_what_it_divides_by_is_above_0(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        call()
