"""Recurrent networks that read or write a sequence of tokens."""

from __future__ import annotations

from tensorem import nn
from tensorem.calls import among

KINDS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def recurrent_classifier(
    kind: str, features: int, hidden: int, classes: int, num_layers: int = 1
) -> nn.Sequential:
    """A recurrent layer whose last output is read by a linear one.

    Shapes:
        (N, T, features)  ->  (N, classes)

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
    return nn.Sequential({"body": body, "head": nn.Linear(hidden, classes)})


def recurrent_lm(
    kind: str, vocabulary: int, dim: int, hidden: int, num_layers: int = 1
) -> nn.Sequential:
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
    body = KINDS[kind](dim, hidden, num_layers, returns="output")
    embed, head = nn.Embedding(vocabulary, dim), nn.Linear(hidden, vocabulary)
    return nn.Sequential({"embed": embed, "body": body, "head": head})
