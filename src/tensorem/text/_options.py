"""How the next token is chosen from scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp

from tensorem.calls import ABOVE_0, FROM_0_TO_1, Range, integer, named, number
from tensorem.errors import ArgumentError

Array = jax.Array
Rules: TypeAlias = dict[str, float]
"""The rules in use by name: numbers, so that other numbers are no other program."""

ABOVE_0_TO_1 = Range("a number in (0, 1]", lambda v: 0 < v <= 1)


@dataclass(frozen=True)
class GenerationOptions:
    """What is written: how tokens are chosen, and when it ends.

    Rules apply in this order: repetition_penalty, temperature, top_k, top_p, min_p.

    Args:
        max_new_tokens: The most tokens behind a prompt.
        temperature: What scores are divided by.
        top_k: How many of the likeliest tokens are left, of equals the first; None for all. With 1,
            the likeliest is written, and nothing is drawn.
        top_p: The fewest of the likeliest tokens that have this probability together are left;
            None for all. It sorts the vocabulary, or what top_k leaves, which is much faster.
        min_p: The tokens are left that have this part of the likeliest one's probability; None for
            all.
        repetition_penalty: The score of a token that the text has already is divided by it where it
            is above 0, multiplied elsewhere; None for no penalty.
        stop: What ends a text and is not part of it: strings, or numbers of tokens.
        max_length: The tokens that the cache holds. Each one is another program; the length of a
            prompt is none.

    Raises:
        ArgumentError: A number is out of its range: a temperature of 0 or below, for example.

    Example:
        >>> GenerationOptions(temperature=0)
        Traceback (most recent call last):
        tensorem.errors.ArgumentError: GenerationOptions takes temperature as a finite number \
above 0, got 0.
          help: top_k=1 writes the likeliest token.

    Source:
        top_p: Holtzman et al. 2020; min_p: Nguyen et al. 2024; repetition_penalty: Keskar et al.
        2019, section 4.1.
    """

    max_new_tokens: int = 64
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    stop: tuple[str | int, ...] = ()
    max_length: int = 512

    def __post_init__(self) -> None:
        with named("GenerationOptions"):
            integer("max_new_tokens", self.max_new_tokens, 1)
            integer("max_length", self.max_length, 1)
            self._check_rules()
            self._check_stop()

    def _check_rules(self) -> None:
        try:
            number("temperature", self.temperature, ABOVE_0)
        except ArgumentError as error:
            raise error.with_notes(help="top_k=1 writes the likeliest token.") from None
        if self.top_k is not None:
            integer("top_k", self.top_k, 1)
        for name, allowed in _OPTIONAL.items():
            if (value := getattr(self, name)) is not None:
                number(name, value, allowed, "None")

    def _check_stop(self) -> None:
        given = (self.stop,) if isinstance(self.stop, str | int) else tuple(self.stop)
        object.__setattr__(self, "stop", given)
        if not all(isinstance(s, str | int) and s != "" for s in given):
            raise ArgumentError(f"takes stop as strings or tokens, got {self.stop!r}.")

    @property
    def rules(self) -> Rules:
        """Those that are in use by name, but for top_k, which is a size."""
        said = {name: getattr(self, name) for name in _RULES}
        return {name: value for name, value in said.items() if value is not None}


_OPTIONAL = {"top_p": ABOVE_0_TO_1, "min_p": FROM_0_TO_1, "repetition_penalty": ABOVE_0}
_RULES = ("repetition_penalty", "temperature", "top_p", "min_p")


def candidates(
    scores: Array, rules: Rules, top_k: int | None = None, seen: Array | None = None
) -> tuple[Array, Array]:
    """The tokens that the rules leave, with their scores; -inf for one that is out.

    They are in the order of their scores, of equals the first, where top_k or top_p asks for it.

    Shapes:
        scores, seen (*batch, vocabulary)  ->  scores, tokens (*batch, K), K top_k or vocabulary

    Args:
        scores: The logits of a model.
        rules: `GenerationOptions.rules`, or some of them.
        top_k: How many are left; None for all.
        seen: Which tokens the text has already, for repetition_penalty.

    Example:
        >>> candidates(jnp.array([1.0, 3.0, 2.0]), {"temperature": 0.5}, top_k=2)
        (Array([6., 4.], dtype=float32), Array([1, 2], dtype=int32))
    """
    if "repetition_penalty" in rules and seen is not None:
        penalty = rules["repetition_penalty"]
        repeated = jnp.where(scores > 0, scores / penalty, scores * penalty)
        scores = jnp.where(seen, repeated, scores)
    scores = scores / rules.get("temperature", 1.0)
    tokens = jnp.broadcast_to(jnp.arange(scores.shape[-1]), scores.shape)
    if top_k is not None or "top_p" in rules:
        scores, tokens = jax.lax.top_k(scores, top_k or scores.shape[-1])
    if "top_p" in rules:
        p = jax.nn.softmax(scores, axis=-1)
        before = jnp.cumsum(p, axis=-1) - p
        scores = jnp.where(before < rules["top_p"], scores, -jnp.inf)
    if "min_p" in rules:
        least = jnp.log(rules["min_p"]) + scores.max(-1, keepdims=True)
        scores = jnp.where(scores >= least, scores, -jnp.inf)
    return scores, tokens


@partial(jax.jit, static_argnames="top_k")
def chosen(
    scores: Array,
    rules: Rules,
    top_k: int | None,
    seen: Array | None,
    draws: tuple[Array, Array],
) -> Array:
    """The next token of each row; -1 where a score is NaN.

    Args:
        scores: (N, vocabulary).
        seen: (N, vocabulary), where a penalty is asked for.
        draws: A key for each row, and the place of the token behind the prompt: its draw depends on
            nothing else.
    """
    left, tokens = candidates(scores.astype(jnp.float32), rules, top_k, seen)
    if top_k == 1:
        place = jnp.zeros(left.shape[:-1], "int32")
    else:
        keys, number = draws
        own = jax.vmap(jax.random.fold_in)(keys, number.astype(jnp.uint32))
        place = jax.vmap(jax.random.categorical)(own, left)
    token = jnp.take_along_axis(tokens, place[:, None], -1)[:, 0]
    return jnp.where(jnp.isnan(scores).any(-1), -1, token)
