"""A model that writes: one token after another, with a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeAlias, cast

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from tensorem import rand
from tensorem.errors import ArgumentError, DataError, LayerError
from tensorem.layer import Model

from ._options import GenerationOptions, Rules, chosen
from ._tokenizer import Tokenizer, Tokens, check_tokens

Array = jax.Array
Prompt: TypeAlias = str | Sequence[int] | NDArray[Any]
BLOCK = 64
"""The tokens of a prompt that are read at once; what is left of it is read one by one."""
TURNS = 8
"""The tokens that are written by one call: a text that ends may do without seven of them."""


class Turn(NamedTuple):
    """What tokens are read and chosen by, some turns on.

    Args:
        token: The token of each row (N,) that is read first.
        place: Where it stands.
        lengths: Those of the prompts (N,): up to there a row takes what is given.
        given: Tokens behind that place (N, TURNS).
        seen: Which tokens are in each text before it (N, vocabulary), where a penalty is asked for.
        keys: Where the draws of each row come from.
        rules: Those in use.
    """

    token: Array | NDArray[np.int32]
    place: int
    lengths: NDArray[np.int32]
    given: NDArray[np.int32]
    seen: NDArray[np.bool_] | None
    keys: Array
    rules: Rules


@dataclass(frozen=True, eq=False)
class Writer:
    """A model with a program that reads tokens behind a cache, whatever is in it.

    Args:
        model: Its layer has `init_cache(batch, max_length)`, and its forward takes (tokens, cache=)
            and gives (scores, another cache). Every array of a cache begins with the batch.
    """

    model: Model

    def __post_init__(self) -> None:
        if not isinstance(self.model, Model):
            got = type(self.model).__name__
            raise LayerError(f"Generation takes a model of nn.build, got {got}.")
        if not hasattr(self.model.layer, "init_cache"):
            raise LayerError(
                f"Generation takes a layer with init_cache, got {self.model.layer.label()}.",
                help="def init_cache(self, batch, max_length), and forward(self, tokens, "
                "cache=None), which gives (scores, cache); docs/guide/text.md has one.",
            )

    @cached_property
    def _programs(self) -> tuple[Callable[..., tuple[Array, Any]], Callable[..., Any], Any]:
        """Looked up once: a layer is compared part by part."""
        arrays = dict(self.model.params), dict(self.model.buffers)
        return _reader(self.model.built), _author(self.model.built), arrays

    @property
    def vocab_size(self) -> int:
        """How many tokens there are."""
        return int(self.model.output.shape[-1])

    def cache(self, batch: int, max_length: int) -> Any:
        """A cache without tokens."""
        return cast(Any, self.model.layer).init_cache(batch, max_length)

    def read(self, tokens: NDArray[np.int32], cache: Any) -> tuple[Array, Any]:
        """The scores behind the last of some more tokens (N, T), and the cache there."""
        program, _, arrays = self._programs
        with self.model.precision():
            return program(arrays, tokens, cache)

    def write(
        self, turn: Turn, count: int, top_k: int | None, cache: Any
    ) -> tuple[NDArray[np.int32], Any]:
        """The tokens (count, N) that are chosen behind those that are read, and the cache there."""
        _, program, arrays = self._programs
        with self.model.precision():
            tokens, cache = program(arrays, turn, count, cache, top_k=top_k)
        return np.asarray(tokens)[:count], cache

    def begin(self, prompts: NDArray[np.int32], max_length: int) -> tuple[Array, Any]:
        """The scores behind prompts of one length, and the cache there."""
        length, cache = prompts.shape[1], self.cache(len(prompts), max_length)
        whole = length - length % BLOCK
        scores: Any = None
        for start in (*range(0, whole, BLOCK), *range(whole, length)):
            size = BLOCK if start < whole else 1
            scores, cache = self.read(prompts[:, start : start + size], cache)
        return scores, cache


@lru_cache(maxsize=32)
def _reader(built: Any) -> Callable[..., tuple[Array, Any]]:
    def read(arrays: Any, tokens: Array, cache: Any) -> tuple[Array, Any]:
        built.require_unchanged()  # while it is traced
        (scores, after), _ = built.layer.call(arrays, tokens, cache=cache)
        return scores[:, -1], after

    return jax.jit(read)


@lru_cache(maxsize=32)
def _author(built: Any) -> Callable[..., tuple[Array, Any]]:
    read = _reader(built)

    def write(
        arrays: Any, first: Turn, count: Array, cache: Any, top_k: int | None
    ) -> tuple[Array, Any]:
        rows = jnp.arange(len(first.lengths))

        def turn(i: Array, state: Any) -> Any:
            token, seen, cache, written = state
            scores, after = read(arrays, token[:, None], cache)
            _require_steady(cache, after)
            seen = None if seen is None else seen.at[rows, token].set(True)
            number = first.place + 1 + i - first.lengths
            new = chosen(scores, first.rules, top_k, seen, (first.keys, number))
            token = jnp.where(number < 0, first.given[:, i], new)
            return token, seen, after, written.at[i].set(new)

        written = jnp.zeros((TURNS, len(rows)), "int32")
        start = jnp.asarray(first.token), first.seen, cache, written
        _, _, cache, written = jax.lax.fori_loop(0, count, turn, start)
        return written, cache

    return jax.jit(write, static_argnames="top_k")


def _require_steady(before: Any, after: Any) -> None:
    """Refuse a cache that grows, as a loop cannot carry it.

    Raises:
        LayerError: The cache behind a token has other shapes or dtypes than that before it.
    """
    if _form(before) != _form(after):
        raise LayerError(
            "Generation takes a cache that keeps its shapes and dtypes, got one that does not.",
            help="init_cache makes room for max_length tokens.",
        )


def _form(cache: Any) -> tuple[object, list[tuple[tuple[int, ...], str]]]:
    leaves, tree = jax.tree.flatten(cache)
    return tree, [(jnp.shape(x), jnp.result_type(x).name) for x in leaves]


def prompt_tokens(prompt: Prompt, tokenizer: Tokenizer | None, vocab_size: int) -> Tokens:
    """The tokens of a prompt.

    Raises:
        ArgumentError: It is a text, and there is no tokenizer.
        DataError: It is empty, or a token is outside of the vocabulary of the model.
    """
    if isinstance(prompt, str) and tokenizer is None:
        raise ArgumentError("A prompt of text takes a tokenizer, got none.")
    ids = tokenizer.encode(prompt) if isinstance(prompt, str) and tokenizer else prompt
    found = check_tokens(cast(Any, ids), vocab_size)
    if not len(found):
        raise DataError("A prompt takes at least one token, got none.")
    return found


@dataclass
class _Rows:
    """Texts that are being written: prompts, and behind each of them its new tokens.

    Args:
        lengths: Those of the prompts.
        seen: Which tokens are in each text; None where nobody asks.
        active: The rows that go on.
    """

    text: Tokens
    lengths: NDArray[np.int64]
    seen: NDArray[np.bool_] | None
    active: set[int]

    @classmethod
    def of(cls, prompts: Sequence[Tokens], most: int, vocab_size: int | None) -> _Rows:
        lengths = np.array([len(p) for p in prompts])
        text = np.zeros((len(prompts), int(lengths.max()) + most + TURNS), np.int32)
        seen = None if vocab_size is None else np.zeros((len(prompts), vocab_size), bool)
        for row, prompt in enumerate(prompts):
            text[row, : len(prompt)] = prompt
            if seen is not None:
                seen[row, prompt] = True
        return cls(text, lengths, seen, set(range(len(prompts))))

    def writing(self, place: int) -> list[int]:
        """The rows of which a new token stands at a place."""
        return [row for row in sorted(self.active) if self.lengths[row] <= place]

    def write(self, row: int, place: int, token: int) -> list[int]:
        """The new tokens of a row with one more."""
        self.text[row, place] = checked(token, place)
        if self.seen is not None:
            self.seen[row, token] = True
        written: list[int] = self.text[row, self.lengths[row] : place + 1].tolist()
        return written


def tokens_of(
    writer: Writer,
    prompts: Sequence[Tokens],
    options: GenerationOptions,
    seeds: Sequence[int],
    ended: Callable[[list[int]], bool],
) -> Iterator[tuple[int, int]]:
    """(row, token) as they are written.

    All rows stand at one place: where a prompt goes on, its token is read in place of the one that
    was chosen. So prompts of any lengths are one batch, without padding, for any kind of cache.

    Args:
        ended: The new tokens of a row -> whether it ends there.
    """
    rules, most = options.rules, options.max_new_tokens
    asked = writer.vocab_size if "repetition_penalty" in rules else None
    rows = _Rows.of(prompts, most, asked)
    keys = jnp.stack([rand.jax_key(seed) for seed in seeds])
    lengths, end = rows.lengths.astype(np.int32), int(rows.lengths.max()) + most
    place = int(lengths.min())
    scores, cache = writer.begin(rows.text[:, :place], options.max_length)
    draws = keys, place - lengths
    written = np.asarray(chosen(scores, rules, options.top_k, rows.seen, draws))[None]
    while True:
        for tokens in written:
            for row in rows.writing(place):
                new = rows.write(row, place, int(tokens[row]))
                if ended(new) or len(new) == most:
                    rows.active.discard(row)
                yield row, new[-1]
            if not rows.active:
                return
            place += 1
        read, count = rows.text[:, place - 1], min(TURNS, end - place)
        given = rows.text[:, place : place + TURNS]
        turn = Turn(read, place - 1, lengths, given, rows.seen, keys, rules)
        written, cache = writer.write(turn, count, options.top_k, cache)


def checked(token: int, place: int) -> int:
    """A token, unless it stands for scores that are NaN.

    Raises:
        DataError: It does.
    """
    if token < 0:
        raise DataError(
            f"The model gives NaN for token {place}.",
            because="it has no position that far, or holds NaN.",
            help="a smaller max_new_tokens, or more positions in the model.",
        )
    return token


def require_room(prompts: Sequence[Tokens], options: GenerationOptions) -> None:
    """Refuse prompts that do not fit into the cache with what is written behind them.

    Raises:
        ArgumentError: They do not.
    """
    longest = max(map(len, prompts))
    if longest + options.max_new_tokens > options.max_length:
        raise ArgumentError(
            f"A cache of {options.max_length} tokens takes a prompt of up to "
            f"{options.max_length - options.max_new_tokens} and {options.max_new_tokens} new ones, "
            f"got {longest}.",
            help="GenerationOptions(max_length=...) is the length of the cache.",
        )
