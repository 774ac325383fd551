"""Generation as it is called: texts or tokens, at once or as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast, overload

import numpy as np
from numpy.typing import NDArray

from tensorem import rand
from tensorem.errors import ArgumentError
from tensorem.layer import Model

from ._generate import Prompt, Writer, prompt_tokens, require_room, tokens_of
from ._options import GenerationOptions
from ._tokenizer import Tokenizer, Tokens

DEFAULT = GenerationOptions()


@overload
def generate(
    model: Model,
    prompt: str,
    tokenizer: Tokenizer,
    options: GenerationOptions = ...,
    seed: int = ...,
) -> str: ...
@overload
def generate(
    model: Model,
    prompt: list[str] | tuple[str, ...],
    tokenizer: Tokenizer,
    options: GenerationOptions = ...,
    seed: int | Sequence[int] = ...,
) -> list[str]: ...
@overload
def generate(
    model: Model,
    prompt: Sequence[int] | NDArray[Any],
    tokenizer: Tokenizer | None = ...,
    options: GenerationOptions = ...,
    seed: int = ...,
) -> Tokens: ...
@overload
def generate(
    model: Model,
    prompt: Sequence[NDArray[Any]] | Sequence[Sequence[int]],
    tokenizer: Tokenizer | None = ...,
    options: GenerationOptions = ...,
    seed: int | Sequence[int] = ...,
) -> list[Tokens]: ...
def generate(
    model: Model,
    prompt: Any,
    tokenizer: Tokenizer | None = None,
    options: GenerationOptions = DEFAULT,
    seed: int | Sequence[int] = 0,
) -> Any:
    """What a language model writes behind a prompt, or behind each of several.

    A text depends on its prompt, the options and its seed, and not on what else is in the batch.
    The model's layer has `init_cache(batch, max_length)`, and a forward that takes tokens (N, T)
    and `cache=`, and gives scores (N, T, vocabulary) and another cache.

    Args:
        model: The language model.
        prompt: A text or its tokens; or a list of them, of any lengths.
        tokenizer: For prompts that are texts, and strings that end one.
        options: How tokens are chosen, and when it ends.
        seed: Where the draws come from; one for all prompts, or one for each.

    Returns:
        What is new: a text for a text, tokens for tokens, a list for a list.

    Raises:
        LayerError: The model has no cache, or one that grows.
        ArgumentError: A prompt is longer than the cache leaves room, there is no tokenizer for a
            text, top_k is above the vocabulary, or seeds are not one for each prompt.
        DataError: A prompt is empty, a token is outside of the vocabulary, or the model gives NaN.

    Example:
        >>> from tensorem import Spec, nn
        >>> class Words(nn.Layer):
        ...     embed: nn.Embedding
        ...     blocks: nn.TransformerEncoder
        ...     head: nn.Linear
        ...     def init_cache(self, batch, max_length):
        ...         return self.blocks.init_cache(batch, max_length)
        ...     def forward(self, tokens, cache=None):
        ...         y = self.blocks(self.embed(tokens), is_causal=True, cache=cache)
        ...         return self.head(y) if cache is None else (self.head(y[0]), y[1])
        >>> block = nn.TransformerEncoderLayer(8, 2, 16)
        >>> layer = Words(nn.Embedding(5, 8), nn.TransformerEncoder(block, 1), nn.Linear(8, 5))
        >>> model = nn.build(layer, Spec(("N", "T"), "int32"))
        >>> len(generate(model, [3, 1, 4], options=GenerationOptions(max_new_tokens=6)))
        6
    """
    writer, several = Writer(model), _is_several(prompt)
    prompts = list(prompt) if several else [prompt]
    ids = _begun(writer, prompts, tokenizer, options)
    ended = _ending(options, tokenizer)
    new: list[list[int]] = [[] for _ in ids]
    for row, token in tokens_of(writer, ids, options, _seeds(seed, len(ids)), ended):
        new[row].append(token)
    found = [_result(p, n, tokenizer, options) for p, n in zip(prompts, new, strict=True)]
    return found if several else found[0]


@overload
def stream(
    model: Model,
    prompt: str,
    tokenizer: Tokenizer,
    options: GenerationOptions = ...,
    seed: int = ...,
) -> Iterator[str]: ...
@overload
def stream(
    model: Model,
    prompt: Sequence[int] | NDArray[Any],
    tokenizer: Tokenizer | None = ...,
    options: GenerationOptions = ...,
    seed: int = ...,
) -> Iterator[int]: ...
def stream(
    model: Model,
    prompt: Prompt,
    tokenizer: Tokenizer | None = None,
    options: GenerationOptions = DEFAULT,
    seed: int = 0,
) -> Iterator[Any]:
    """What `generate` writes behind one prompt, piece by piece as it comes: eight tokens a call.

    Pieces of text are whole characters, and no part of what ends it:
    `for piece in text.stream(...): print(piece, end="", flush=True)`.

    Raises:
        LayerError: As `generate`.
        ArgumentError: As `generate`.
        DataError: As `generate`.
    """
    writer, ended = Writer(model), _ending(options, tokenizer)
    ids = _begun(writer, [prompt], tokenizer, options)
    pairs = tokens_of(writer, ids, options, _seeds(seed, 1), ended)
    tokens = (token for _, token in pairs)
    if isinstance(prompt, str):
        return _pieces(tokens, cast(Tokenizer, tokenizer), options)
    return (token for token in tokens if token not in options.stop)


def _is_several(prompt: Any) -> bool:
    if isinstance(prompt, str):
        return False
    if isinstance(prompt, np.ndarray) and prompt.ndim < 2:
        return False
    return len(prompt) > 0 and not isinstance(prompt[0], int | np.integer)


def _begun(
    writer: Writer, prompts: list[Any], tokenizer: Tokenizer | None, options: GenerationOptions
) -> list[Tokens]:
    """The tokens of prompts, where all fits together."""
    if options.top_k is not None and options.top_k > writer.vocab_size:
        raise ArgumentError(
            f"Generation takes top_k of at most {writer.vocab_size}, the number of tokens, got "
            f"{options.top_k}."
        )
    ids = [prompt_tokens(prompt, tokenizer, writer.vocab_size) for prompt in prompts]
    require_room(ids, options)
    return ids


def _seeds(seed: int | Sequence[int], count: int) -> list[int]:
    seeds = [seed] * count if isinstance(seed, int) else list(seed)
    if len(seeds) != count:
        raise ArgumentError(f"Generation takes a seed, or {count} of them, got {len(seeds)}.")
    return [rand.check_seed(s) for s in seeds]


def _ending(options: GenerationOptions, tokenizer: Tokenizer | None) -> Callable[[list[int]], bool]:
    """Whether a text ends with its last token."""
    strings = [s for s in options.stop if isinstance(s, str)]
    if strings and tokenizer is None:
        raise ArgumentError(f"A stop of text takes a tokenizer, got none for {strings[0]!r}.")

    def ended(new: list[int]) -> bool:
        if new[-1] in options.stop:
            return True
        text = tokenizer.decode(new) if strings and tokenizer else ""
        return any(s in text for s in strings)

    return ended


def _result(
    prompt: Any, new: list[int], tokenizer: Tokenizer | None, options: GenerationOptions
) -> str | Tokens:
    """What is new in the form of the prompt."""
    kept = new[:-1] if new[-1] in options.stop else new
    if isinstance(prompt, str) and tokenizer is not None:
        return _cut(tokenizer.decode(kept), options)
    return np.array(kept, np.int32)


def _cut(text: str, options: GenerationOptions) -> str:
    """A text up to the first string that ends it."""
    found = [text.find(s) for s in options.stop if isinstance(s, str) and s in text]
    return text[: min(found)] if found else text


def _pieces(
    tokens: Iterator[int], tokenizer: Tokenizer, options: GenerationOptions
) -> Iterator[str]:
    new: list[int] = []
    done = 0
    for token in tokens:
        new += [] if token in options.stop else [token]
        text = _cut(tokenizer.decode(new), options)
        sure = len(text) - _open(text, options)
        if sure > done:
            yield text[done:sure]
            done = sure
    rest = _cut(tokenizer.decode(new), options)[done:]
    if rest:
        yield rest


def _open(text: str, options: GenerationOptions) -> int:
    """How many of the last characters may still change, or begin what ends the text."""
    unfinished = len(text) - len(text.rstrip("\ufffd"))
    begun = (
        n for s in options.stop if isinstance(s, str) for n in range(len(s)) if text.endswith(s[:n])
    )
    return max(unfinished, *begun, 0)
