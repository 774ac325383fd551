"""What a model writes is what its full forward says, alone or in a batch, whatever its cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache as once
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorem as tm
from close import assert_close
from tensorem import functional as F
from tensorem import nn, text
from tensorem.errors import ArgumentError, DataError, LayerError
from tensorem.text import GenerationOptions
from tensorem.text._generate import Writer, _reader
from tensorem.text._options import chosen

VOCABULARY, LONGEST = 7, 220
LETTERS = text.CharTokenizer("abcdefg")


class GPT(nn.Layer):
    embed: nn.Embedding
    places: nn.LearnedPositionalEmbedding
    blocks: nn.TransformerEncoder

    def init_cache(self, batch: int, max_length: int) -> Any:
        return self.blocks.init_cache(batch, max_length)

    def forward(self, tokens: Any, cache: Any = None) -> Any:
        start = 0 if cache is None else cache[0]["position"]
        y = self.blocks(self.places(self.embed(tokens), start), is_causal=True, cache=cache)
        y, cache = (y, None) if cache is None else y
        scores = F.linear(y, self.embed.weight)
        return scores if cache is None else (scores, cache)


class StateSpace(nn.Layer):
    embed: nn.Embedding
    mamba: nn.Mamba

    def init_cache(self, batch: int, max_length: int) -> Any:
        return self.mamba.init_cache(batch)

    def forward(self, tokens: Any, cache: Any = None) -> Any:
        y = self.mamba(self.embed(tokens), cache=cache)
        y, cache = (y, None) if cache is None else y
        scores = F.linear(y, self.embed.weight)
        return scores if cache is None else (scores, cache)


class Recurrent(nn.Layer):
    embed: nn.Embedding
    gru: nn.GRU

    def init_cache(self, batch: int, max_length: int) -> Any:
        return jnp.zeros((batch, 8))

    def forward(self, tokens: Any, cache: Any = None) -> Any:
        y, h = self.gru(self.embed(tokens), None if cache is None else cache[None])
        scores = F.linear(y, self.embed.weight)
        return scores if cache is None else (scores, h[0])


def layers() -> dict[str, nn.Layer]:
    embed = nn.Embedding(VOCABULARY, 8)
    block = nn.TransformerEncoderLayer(8, 2, 12, 0.1, "gelu", norm_first=True)
    blocks = nn.TransformerEncoder(block, 2, nn.LayerNorm(8))
    places = nn.LearnedPositionalEmbedding(LONGEST, 8)
    return {
        "gpt": GPT(embed, places, blocks),
        "mamba": StateSpace(embed, nn.Mamba(8, 4)),
        "gru": Recurrent(embed, nn.GRU(8, 8)),
    }


@once
def model(kind: str = "gpt") -> nn.Model:
    return nn.build(layers()[kind], tm.Spec(("N", "T"), "int32"), seed=3)


def prompts(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, VOCABULARY, n).astype(np.int32) for n in lengths]


KINDS = ("gpt", "mamba", "gru")
SHORT = GenerationOptions(max_new_tokens=5, max_length=LONGEST)


@pytest.mark.parametrize("kind", KINDS)
def test_behind_a_cache_are_the_scores_of_the_whole_with_two_programs(kind: str) -> None:
    writer = Writer(model(kind))
    (tokens,) = prompts(135)
    whole = model(kind)(tokens[None])[0]
    for length in (1, 2, 64, 66, 130):
        scores, cache = writer.begin(tokens[None, :length], LONGEST)
        assert_close(scores[0], whole[length - 1], 1e-5, 1e-5)
    for t in range(130, 135):
        scores, cache = writer.read(tokens[None, t : t + 1], cache)
        assert_close(scores[0], whole[t], 1e-5, 1e-5)
    assert _reader(model(kind).built)._cache_size() == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS)
def test_the_likeliest_tokens_are_those_of_the_whole(kind: str) -> None:
    greedy, start = replace(SHORT, top_k=1, max_new_tokens=200), prompts(3, 7, 12)
    for prompt, new in zip(start, text.generate(model(kind), start, None, greedy), strict=True):
        scores = model(kind)(np.concatenate([prompt, new])[None])[0]
        assert new.tolist() == scores[len(prompt) - 1 : -1].argmax(-1).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_depends_on_its_prompt_and_seed_and_not_on_the_batch(kind: str) -> None:
    options = replace(SHORT, temperature=6.0, repetition_penalty=1.2, top_p=0.9)
    start = prompts(2, 70, 4)
    together = text.generate(model(kind), start, None, options, seed=[1, 2, 1])
    for prompt, seed, new in zip(start, (1, 2, 1), together, strict=True):
        assert len(new) == 5
        assert new.tolist() == text.generate(model(kind), prompt, None, options, seed).tolist()
    others = [text.generate(model(kind), start[0], None, options, s).tolist() for s in range(2, 8)]
    assert any(new != together[0].tolist() for new in others)
    shorter = replace(options, max_new_tokens=2)
    assert (
        text.generate(model(kind), start[0], None, shorter, 1).tolist() == together[0][:2].tolist()
    )


# --- the rules, against plain writings of them

SCORES = st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.25, 1.0, 3.0]), min_size=6, max_size=6)


def plain(scores: list[float], o: GenerationOptions, seen: list[bool]) -> list[float]:
    """The probabilities of the tokens that are left, by the definitions."""
    if r := o.repetition_penalty:
        pairs = zip(scores, seen, strict=True)
        scores = [(s / r if s > 0 else s * r) if was else s for s, was in pairs]
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    weight = {i: np.exp(scores[i] / o.temperature) for i in order}
    order = order[: o.top_k]
    kept, total = [], sum(weight[i] for i in order)
    for i in order:
        if o.top_p is None or sum(weight[j] for j in kept) < o.top_p * total:
            kept.append(i)
    kept = [i for i in kept if weight[i] >= (o.min_p or 0) * weight[order[0]]]
    total = sum(weight[i] for i in kept)
    return [weight[i] / total if i in kept else 0.0 for i in range(len(scores))]


@settings(deadline=None)
@given(
    SCORES,
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.fixed_dictionaries(
        {
            "temperature": st.sampled_from([0.3, 1.0, 2.5]),
            "top_k": st.sampled_from([None, 2, 3, 6]),
            "top_p": st.sampled_from([None, 0.35, 0.77, 1.0]),
            "min_p": st.sampled_from([None, 0.07, 0.6]),
            "repetition_penalty": st.sampled_from([None, 0.5, 1.7]),
        }
    ),
)
def test_the_rules_leave_what_their_definitions_say(
    scores: list[float], seen: list[bool], numbers: dict[str, Any]
) -> None:
    options = GenerationOptions(**numbers)
    left, tokens = text.candidates(jnp.array(scores), options.rules, options.top_k, jnp.array(seen))
    found = np.zeros(len(scores))
    found[np.asarray(tokens)] = jax.nn.softmax(left)
    assert_close(found, plain(scores, options, seen), 1e-5, 1e-6)


def test_draws_have_the_probabilities_of_the_scores() -> None:
    scores, count = np.float32([0.3, -1.0, 2.0, 1.0]), 6000
    options = GenerationOptions(temperature=0.8, top_k=3)
    keys = jnp.broadcast_to(tm.rand.jax_key(0), (count,))
    every = jnp.tile(scores, (count, 1))
    drawn = chosen(every, options.rules, options.top_k, None, (keys, jnp.arange(count)))
    expected = np.array(plain(scores.tolist(), options, [False] * 4))
    counts = np.bincount(np.asarray(drawn), minlength=4)
    deviation = np.sqrt(count * expected * (1 - expected))
    assert (np.abs(counts - count * expected) <= 4 * deviation).all()


# --- texts, and where they end


def test_text_comes_in_pieces_that_are_the_whole() -> None:
    options = replace(SHORT, max_new_tokens=20, temperature=2.0)
    whole = text.generate(model(), "abc", LETTERS, options, seed=4)
    pieces = list(text.stream(model(), "abc", LETTERS, options, seed=4))
    assert "".join(pieces) == whole and len(pieces) == len(whole) == 20
    ids = LETTERS.encode("abc")
    assert list(text.stream(model(), ids, None, options, 4)) == LETTERS.encode(whole).tolist()
    stop = whole[7:9]
    cut = whole[: whole.index(stop)]
    ending = replace(options, stop=(stop, "zzz"))
    assert text.generate(model(), "abc", LETTERS, ending, seed=4) == cut
    assert "".join(text.stream(model(), "abc", LETTERS, ending, seed=4)) == cut
    both = text.generate(model(), ["abc", "abc"], LETTERS, ending, seed=4)
    assert both == [cut, cut]
    last = int(LETTERS.encode(whole[5])[0])
    until = LETTERS.encode(whole[: whole.index(whole[5])]).tolist()
    numbered = replace(options, stop=(last,))
    assert text.generate(model(), ids, None, numbered, 4).tolist() == until
    assert list(text.stream(model(), ids, None, numbered, 4)) == until


class Echo(nn.Layer):
    """Token i is followed by i + 1, modulo the vocabulary; its cache is empty."""

    scale: float = 9.0

    def init_cache(self, batch: int, max_length: int) -> Any:
        return jnp.zeros((batch,))

    def forward(self, tokens: Any, cache: Any = None) -> Any:
        following = jnp.asarray(FOLLOWING, "int32")[tokens]
        scores = jnp.where(jnp.arange(256) == following[..., None], self.scale, 0.0)
        return scores if cache is None else (scores, cache)


WORDS = "\n→é🚀."
FOLLOWING = [*range(256)]
for a, b in zip(WORDS.encode(), WORDS.encode()[1:], strict=False):
    FOLLOWING[a] = b


def test_no_piece_ends_within_a_character() -> None:
    echo = nn.build(Echo(), tm.Spec(("N", "T"), "int32"))
    greedy = GenerationOptions(max_new_tokens=len(WORDS.encode()) - 1, top_k=1)
    pieces = list(text.stream(echo, "\n", text.ByteTokenizer(), greedy))
    assert pieces == list("→é🚀.")
    cut = replace(greedy, max_new_tokens=4)
    assert list(text.stream(echo, "\n", text.ByteTokenizer(), cut)) == ["→", "\ufffd"]


# --- log-probabilities and beams


def logs(tokens: tuple[int, ...], kind: str = "gpt") -> np.ndarray:
    scores = np.asarray(jax.nn.log_softmax(model(kind)(np.array([tokens]))[0], axis=-1))
    return scores[np.arange(len(tokens) - 1), tokens[1:]]


def test_the_probabilities_of_a_text_are_those_of_its_tokens() -> None:
    said = text.log_probabilities(model(), "abcag", LETTERS)
    assert_close(said, logs((0, 1, 2, 0, 6)), 1e-5)
    every = [text.log_probabilities(model(), [3, 1, i])[-1] for i in range(VOCABULARY)]
    assert_close(np.exp(every).sum(), 1.0, 1e-5)


@pytest.mark.parametrize(("stop", "penalty"), [((), 0.0), ((2,), 0.0), ((2,), 0.7)])
def test_enough_beams_find_the_likeliest_text_of_all(stop: tuple[int, ...], penalty: float) -> None:
    prompt, length = (4, 0), 3
    every: dict[tuple[int, ...], float] = {}
    for new in product(range(VOCABULARY), repeat=length):
        ends = [i for i, token in enumerate(new) if token in stop]
        kept = new[: ends[0] + 1] if ends else new
        every[kept] = (
            float(logs(prompt + kept)[len(prompt) - 1 :].sum())
            if kept not in every
            else every[kept]
        )
    ranked = sorted(every, key=lambda new: -every[new] / len(new) ** penalty)[:3]
    options = GenerationOptions(max_new_tokens=length, stop=stop, max_length=16)
    found = text.beam_search(
        model(), prompt, LETTERS, options, beams=VOCABULARY**2, length_penalty=penalty
    )
    for beam, new in zip(found, ranked, strict=False):
        bare = new[:-1] if new[-1] in stop else new
        assert tuple(beam.tokens) == bare and beam.text == LETTERS.decode(bare)
        assert_close(beam.log_probability, every[new], 1e-5)


def test_one_beam_is_greedy() -> None:
    (beam,) = text.beam_search(model(), "abc", LETTERS, SHORT, beams=1)
    assert beam.text == text.generate(model(), "abc", LETTERS, replace(SHORT, top_k=1))


# --- bad input

BIGRAM = nn.build(
    nn.Sequential(nn.Embedding(VOCABULARY, 4), nn.Linear(4, VOCABULARY)),
    tm.Spec(("N", "T"), "int32"),
)


def options(**numbers: Any) -> Callable[[], Any]:
    return lambda: GenerationOptions(**numbers)


def written(prompt: Any, tokenizer: Any = None, seed: Any = 0, **numbers: Any) -> Callable[[], Any]:
    return lambda: text.generate(model(), prompt, tokenizer, GenerationOptions(**numbers), seed)


def searched(**numbers: Any) -> Callable[[], Any]:
    most = {n: numbers.pop(n) for n in ("beams", "length_penalty") if n in numbers}
    return lambda: text.beam_search(model(), [1], None, GenerationOptions(**numbers), **most)


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (options(temperature=0), ArgumentError, r"temperature as a finite .* above 0, got 0.\n.*top_k"),
    (options(temperature=-1.0), ArgumentError, "temperature as a finite number above 0, got -1.0"),
    (options(top_k=0), ArgumentError, "top_k as an integer of at least 1, got 0"),
    (options(top_p=0), ArgumentError, r"top_p as a number in \(0, 1\] or None, got 0"),
    (options(min_p=2), ArgumentError, r"min_p as a number in \[0, 1\] or None, got 2"),
    (options(repetition_penalty=0), ArgumentError, "repetition_penalty as a finite number above 0"),
    (options(max_new_tokens=0), ArgumentError, "max_new_tokens as an integer of at least 1, got 0"),
    (options(max_length=0), ArgumentError, "max_length as an integer of at least 1, got 0"),
    (options(stop=("",)), ArgumentError, r"stop as strings or tokens, got \(''"),
    (written([1] * 10, max_length=70), ArgumentError, r"prompt of up to 6 and 64 new ones, got 10"),
    (written([]), DataError, "A prompt takes at least one token, got none"),
    (written([1, 7]), DataError, r"vocabulary of 7 takes tokens from 0 to 6, got 7.\n *where: tok"),
    (written("abc"), ArgumentError, "A prompt of text takes a tokenizer, got none"),
    (written("xyz", LETTERS), DataError, "characters of its alphabet, got 'x'"),
    (
        written([1], stop=("a",)),
        ArgumentError,
        "A stop of text takes a tokenizer, got none for 'a'",
    ),
    (written([1], top_k=8), ArgumentError, "top_k of at most 7, the number of tokens, got 8"),
    (written([[1], [2]], seed=[1]), ArgumentError, r"takes a seed, or 2 of them, got 1"),
    (written([1], seed=-1), ArgumentError, "A seed takes an integer from 0"),
    (
        written([1] * LONGEST, max_new_tokens=3, max_length=300),
        DataError,
        f"NaN for token {LONGEST + 1}.*\n.*no position that far",
    ),
    (lambda: text.generate(BIGRAM, [1]), LayerError, "takes a layer with init_cache, got Sequent"),
    (lambda: text.generate(GROWS, [1]), LayerError, "a cache that keeps its shapes and dtypes"),
    (lambda: text.stream(layers()["gpt"], [1]), LayerError, "a model of nn.build, got GPT"),  # type: ignore[call-overload]
    (lambda: text.log_probabilities(model(), [1]), DataError, "at least two tokens, got 1"),
    (lambda: text.log_probabilities(model(), [1, 9]), DataError, "tokens from 0 to 6, got 9"),
    (lambda: text.log_probabilities(model(), "ab"), ArgumentError, "takes a tokenizer, got none"),
    (
        lambda: text.log_probabilities(SICK, [1, 2, 3]),
        DataError,
        "The model gives NaN for token 1",
    ),
    (searched(beams=0), ArgumentError, "beam_search takes beams as an integer of at least 1"),
    (searched(length_penalty=-1), ArgumentError, "length_penalty as a finite number of at least 0"),
    (searched(top_p=0.5), ArgumentError, "options that draw and scale nothing, got top_p=0.5"),
    (searched(temperature=2), ArgumentError, "draw and scale nothing, got temperature=2"),
    (searched(top_k=1), ArgumentError, "draw and scale nothing, got top_k=1"),
    (searched(stop=("a",)), ArgumentError, "beam_search takes stop as tokens, got 'a'"),
    (searched(max_length=9), ArgumentError, "A cache of 9 tokens"),
]


class Growing(Recurrent):
    def forward(self, tokens: Any, cache: Any = None) -> Any:
        if cache is None:
            return super().forward(tokens)
        scores, after = super().forward(tokens, cache[:, -8:])
        return scores, jnp.concatenate([cache, after], 1)


GROWS = nn.build(Growing(nn.Embedding(VOCABULARY, 8), nn.GRU(8, 8)), tm.Spec(("N", "T"), "int32"))
SICK = model("gru").replace(
    params={name: array * np.nan for name, array in model("gru").params.items()}
)


@pytest.mark.parametrize(("call", "kind", "words"), WRONG)
def test_what_cannot_be_written_is_one_error(
    call: Callable[[], Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        call()
