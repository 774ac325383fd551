"""Recurrent networks that read or write a sequence of tokens."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from tensorem import nn
from tensorem.calls import among

Array = jax.Array
KINDS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentClassifier(nn.Layer):
    """A recurrent layer whose last output is read by a linear one; padding changes nothing.

    Shapes:
        x (N, T, features), lengths (N), integers  ->  (N, classes)
    """

    body: nn.Layer
    head: nn.Linear

    def forward(self, x: Array, lengths: Array | None = None) -> Array:
        y: Array = self.head(self.body(x, lengths=lengths))
        return y


def recurrent_classifier(
    kind: str, features: int, hidden: int, classes: int, num_layers: int = 1
) -> RecurrentClassifier:
    """Classes of sequences, which may be of unequal length.

    Shapes:
        as of `RecurrentClassifier`

    Args:
        kind: "rnn", "gru" or "lstm".

    Raises:
        ArgumentError: There is no such kind, or a number is below 1.

    Example:
        >>> nn.build(recurrent_classifier("gru", 4, 8, 3), ("N", 5, 4)).output
        float32 (N, 3)
    """
    among("kind", kind, tuple(KINDS))
    body = KINDS[kind](features, hidden, num_layers, returns="last")
    return RecurrentClassifier(body, nn.Linear(hidden, classes))


class RecurrentLM(nn.Layer):
    """A language model of recurrent layers; `text.generate` writes with it.

    Shapes:
        (N, T), integers  ->  (N, T, vocabulary); then the state if a cache is given
    """

    embed: nn.Embedding
    body: Any
    head: nn.Linear

    def init_cache(self, batch: int, max_length: int) -> Any:
        """The state before a text, the batch first; there is no greatest length."""
        zero = jnp.zeros((batch, self.body.num_layers, self.body.hidden_size))
        return (zero, zero) if isinstance(self.body, nn.LSTM) else zero

    def forward(self, tokens: Array, cache: Any = None) -> Any:
        y, state = self.body(self.embed(tokens), _turned(cache))
        logits = self.head(y)
        return logits if cache is None else (logits, _turned(state))


def _turned(state: Any) -> Any:
    """A state whose first two axes, batch and layers, change places."""
    return jax.tree.map(lambda s: jnp.swapaxes(s, 0, 1), state)


def recurrent_lm(
    kind: str, vocabulary: int, dim: int, hidden: int, num_layers: int = 1
) -> RecurrentLM:
    """A language model: vectors of tokens, a recurrent layer, logits of the next token.

    Shapes:
        (N, T), integers  ->  (N, T, vocabulary)

    Args:
        kind: "rnn", "gru" or "lstm".

    Raises:
        ArgumentError: There is no such kind, or a number is below 1.

    Example:
        >>> from tensorem import Spec
        >>> nn.build(recurrent_lm("lstm", 11, 4, 8), Spec(("N", 5), "int32")).output
        float32 (N, 5, 11)
    """
    among("kind", kind, tuple(KINDS))
    body = KINDS[kind](dim, hidden, num_layers)
    return RecurrentLM(nn.Embedding(vocabulary, dim), body, nn.Linear(hidden, vocabulary))
