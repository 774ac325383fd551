"""What a model says of texts: their log-probabilities, and the likeliest ones it finds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from tensorem.calls import AT_LEAST_0, integer, named, number
from tensorem.errors import ArgumentError, DataError
from tensorem.layer import Model

from ._generate import Prompt, Writer, checked, prompt_tokens, require_room
from ._options import GenerationOptions
from ._tokenizer import Tokenizer, Tokens

Array = jax.Array
_SEARCHED = GenerationOptions(max_new_tokens=32)


def log_probabilities(
    model: Model, text: Prompt, tokenizer: Tokenizer | None = None
) -> NDArray[np.float32]:
    """The log-probability of each token of a text given those before it, from the second one on.

    Their sum is that of the text; minus it, over `log(2)` and the bytes, are its bits per byte.

    Shapes:
        text (T)  ->  (T - 1)

    Args:
        text: A text or its tokens.
        tokenizer: For a text.

    Raises:
        ArgumentError: There is no tokenizer for a text.
        DataError: There are fewer than two tokens, one is outside of the vocabulary, or the model
            gives NaN.
    """
    vocab_size = int(model.output.shape[-1])
    ids = prompt_tokens(text, tokenizer, vocab_size)
    if len(ids) < 2:
        raise DataError(f"log_probabilities takes at least two tokens, got {len(ids)}.")
    scores = jax.nn.log_softmax(jnp.asarray(model(ids[None, :-1]), jnp.float32), axis=-1)
    found = np.asarray(scores[0, np.arange(len(ids) - 1), ids[1:]])
    if np.isnan(found).any():
        checked(-1, int(np.argmax(np.isnan(found))) + 1)
    return found


@dataclass(frozen=True, eq=False)
class Beam:
    """A text that beam search found.

    Args:
        tokens: What is new, without what ended it.
        text: It as a text; empty without a tokenizer.
        log_probability: The sum over its tokens, what ended it among them.
    """

    tokens: Tokens
    text: str
    log_probability: float


def beam_search(
    model: Model,
    prompt: Prompt,
    tokenizer: Tokenizer | None = None,
    options: GenerationOptions = _SEARCHED,
    *,
    beams: int = 4,
    length_penalty: float = 0.0,
) -> list[Beam]:
    """The likeliest texts behind a prompt among those that stay among the first at every token.

    Nothing is drawn, so of the options max_new_tokens, max_length and stop count, and stop holds
    tokens. With as many beams as there are texts one token shorter, the first is the likeliest of
    all.

    Args:
        beams: How many texts go on at every token, and how many are given at most.
        length_penalty: Texts are compared by log_probability / length^length_penalty.

    Raises:
        LayerError: The model has no cache.
        ArgumentError: beams is below 1, length_penalty below 0, an option draws or scales scores,
            stop holds a string, or the prompt is longer than the cache leaves room.
        DataError: The prompt is empty, a token is outside of the vocabulary, or the model gives
            NaN.

    Source:
        Graves 2012, Sequence transduction with recurrent neural networks, section 2.5; the penalty:
        Wu et al. 2016, equation 14, with its constant 0 in place of 5.
    """
    writer = Writer(model)
    ids = prompt_tokens(prompt, tokenizer, writer.vocab_size)
    _check_search(options, beams, length_penalty)
    require_room([ids], options)
    live, done = [_Text(0.0, ())], list[_Text]()
    scores, cache = writer.begin(np.repeat(ids[None], beams, axis=0), options.max_length)
    for count in range(options.max_new_tokens):
        grown = _grown(live, _logs(scores, len(ids) + count), beams * (1 + len(options.stop)))
        done += [text for _, text in grown if text.new[-1] in options.stop]
        on = [(parent, text) for parent, text in grown if text.new[-1] not in options.stop][:beams]
        live = [text for _, text in on]
        done = sorted(done, key=lambda text: -text.score(length_penalty))[:beams]
        if _is_settled(live, done, options.max_new_tokens, length_penalty, beams):
            break
        if count + 1 < options.max_new_tokens:
            rows = np.resize([parent for parent, _ in on], beams)
            last = np.resize([text.new[-1] for text in live], beams)[:, None]
            scores, cache = writer.read(last.astype(np.int32), _ordered(cache, rows))
    ranked = sorted([*done, *live], key=lambda text: -text.score(length_penalty))[:beams]
    return [_beam(text, tokenizer, options) for text in ranked]


@dataclass(frozen=True)
class _Text:
    """What is written of a text, and its log-probability."""

    log: float
    new: tuple[int, ...]

    def score(self, length_penalty: float, length: int = 0) -> float:
        """The log-probability under the penalty of this length, or of its own."""
        return self.log / math.pow(length or len(self.new), length_penalty)


def _grown(live: list[_Text], logs: NDArray[Any], count: int) -> list[tuple[int, _Text]]:
    """The likeliest texts of one token more, each with the row of the text it comes from."""
    totals = np.array([[text.log] for text in live]) + logs[: len(live)]
    order = np.argsort(-totals, axis=None, kind="stable")[:count]
    rows, tokens = np.unravel_index(order, totals.shape)
    return [
        (int(row), _Text(float(totals[row, token]), (*live[row].new, int(token))))
        for row, token in zip(rows, tokens, strict=True)
    ]


def _is_settled(
    live: list[_Text], done: list[_Text], longest: int, length_penalty: float, beams: int
) -> bool:
    """Whether no text that goes on can become one of the first: logs only fall."""
    if not live:
        return True
    best = live[0].score(length_penalty, longest)
    return len(done) == beams and done[-1].score(length_penalty) >= best


def _logs(scores: Array, place: int) -> NDArray[np.float64]:
    """The log-probabilities of the next token."""
    found = np.asarray(jax.nn.log_softmax(scores.astype(jnp.float32), axis=-1), np.float64)
    if np.isnan(found).any():
        checked(-1, place)
    return found


@jax.jit
def _ordered(cache: Any, rows: Array) -> Any:
    return jax.tree.map(lambda array: array[rows], cache)


def _beam(text: _Text, tokenizer: Tokenizer | None, options: GenerationOptions) -> Beam:
    new = text.new[:-1] if text.new[-1] in options.stop else text.new
    tokens = np.array(new, np.int32)
    return Beam(tokens, tokenizer.decode(tokens) if tokenizer else "", text.log)


def _check_search(options: GenerationOptions, beams: int, length_penalty: float) -> None:
    with named("beam_search"):
        integer("beams", beams, 1)
        number("length_penalty", length_penalty, AT_LEAST_0)
        used = {k: v for k, v in options.rules.items() if (k, v) != ("temperature", 1)}
        if used or options.top_k is not None:
            name = next(iter(used), "top_k")
            raise ArgumentError(
                f"takes options that draw and scale nothing, got {name}={getattr(options, name)!r}."
            )
        strings = [s for s in options.stop if isinstance(s, str)]
        if strings:
            raise ArgumentError(f"takes stop as tokens, got {strings[0]!r}.")
