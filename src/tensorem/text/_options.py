"""How the next token is chosen from scores."""

from __future__ import annotations

from dataclasses import dataclass, fields
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
            None for all.
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
        """Those that are in use; none but repetition_penalty where nothing is drawn."""
        said = {f.name: getattr(self, f.name) for f in fields(self)}
        names = ("repetition_penalty",) if self.top_k == 1 else _RULES
        return {name: said[name] for name in names if said[name] is not None}


_OPTIONAL = {"top_p": ABOVE_0_TO_1, "min_p": FROM_0_TO_1, "repetition_penalty": ABOVE_0}
_RULES = ("repetition_penalty", "temperature", "top_k", "top_p", "min_p")


def adjusted(scores: Array, rules: Rules, seen: Array | None = None) -> Array:
    """The scores under the rules, -inf for tokens that are out.

    Shapes:
        scores, seen (*batch, vocabulary)  ->  (*batch, vocabulary)

    Args:
        scores: The logits of a model.
        rules: `GenerationOptions.rules`, or some of them.
        seen: Which tokens the text has already, for repetition_penalty.

    Example:
        >>> adjusted(jnp.array([1.0, 3.0, 2.0]), {"temperature": 0.5, "top_k": 2})
        Array([-inf,   6.,   4.], dtype=float32)
    """
    if "repetition_penalty" in rules and seen is not None:
        penalty = rules["repetition_penalty"]
        repeated = jnp.where(scores > 0, scores / penalty, scores * penalty)
        scores = jnp.where(seen, repeated, scores)
    scores = scores / rules.get("temperature", 1.0)
    if "top_k" in rules:
        scores = jnp.where(_rank(scores) < rules["top_k"], scores, -jnp.inf)
    if "top_p" in rules:
        scores = jnp.where(_ahead(scores) < rules["top_p"], scores, -jnp.inf)
    if "min_p" in rules:
        least = jnp.log(rules["min_p"]) + scores.max(-1, keepdims=True)
        scores = jnp.where(scores >= least, scores, -jnp.inf)
    return scores


def _rank(scores: Array) -> Array:
    """How many scores are ahead of each: greater, or equal and before it."""
    return jnp.argsort(jnp.argsort(-scores, axis=-1, stable=True), axis=-1)


def _ahead(scores: Array) -> Array:
    """The probability of all that are ahead of each."""
    order = jnp.argsort(-scores, axis=-1, stable=True)
    p = jnp.take_along_axis(jax.nn.softmax(scores, axis=-1), order, -1)
    before = jnp.cumsum(p, axis=-1) - p
    return jnp.take_along_axis(before, jnp.argsort(order, axis=-1), -1)


@jax.jit
def chosen(scores: Array, rules: Rules, seen: Array | None, keys: Array, number: Array) -> Array:
    """The next token of each row; -1 where a score is NaN.

    Args:
        scores: (N, vocabulary).
        seen: (N, vocabulary), where a penalty is asked for.
        keys: One for each row.
        number: (N), the place of the token behind the prompt: its draw depends on nothing else.
    """
    left = adjusted(scores.astype(jnp.float32), rules, seen)
    if "temperature" in rules:
        own = jax.vmap(jax.random.fold_in)(keys, number.astype(jnp.uint32))
        token = jax.vmap(jax.random.categorical)(own, left)
    else:
        token = jnp.argmax(left, -1)
    return jnp.where(jnp.isnan(scores).any(-1), -1, token)
