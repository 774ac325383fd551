"""A recurrent encoder and decoder of sequences, with attention or without."""

from __future__ import annotations

from dataclasses import field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorem import functional as F
from tensorem import nn
from tensorem.calls import among, called, integer
from tensorem.errors import DataError, LayerError

Array = jax.Array
ATTENTIONS = ("none", "luong", "bahdanau")


class Encoder(nn.Layer):
    """What is remembered of each token of a source, and the state behind it.

    Shapes:
        (N, S), integers, lengths (N)  ->  (N, S, hidden), (1, N, hidden)
    """

    embed: nn.Embedding
    body: nn.GRU

    def forward(self, source: Array, lengths: Array | None = None) -> tuple[Array, Array]:
        memory, state = self.body(self.embed(source), lengths=lengths)
        return memory, state


class Plain(nn.Layer):
    """Steps of a decoder that knows no more of the source than the state."""

    gru: nn.GRU = field(metadata={"path": ""})

    def forward(self, y: Array, state: Array, memory: Array, allowed: Array) -> tuple[Array, Array]:
        h, state = self.gru(y, state)
        return h, state


class Luong(nn.Layer):
    """Steps of a decoder, each of which then attends to the source: "general" scores h W m.

    Source:
        Luong et al. 2015, equations 5, 7 and 8, without input feeding.
    """

    gru: nn.GRU
    score: nn.Linear
    join: nn.Linear

    def forward(self, y: Array, state: Array, memory: Array, allowed: Array) -> tuple[Array, Array]:
        h, state = self.gru(y, state)
        scores = F.matmul(self.score(h), F.permute(memory, (0, 2, 1)))
        context = F.matmul(_weights(scores, allowed[:, None]), memory)
        return F.tanh(self.join(F.cat([context, h], -1))), state


class BahdanauStep(nn.Layer):
    """Attention of the state before a step, which sees what it finds."""

    cell: nn.GRUCell
    query: nn.Linear
    score: nn.Linear

    def forward(
        self, y: Array, h: Array, keys: Array, memory: Array, allowed: Array
    ) -> tuple[Array, Array]:
        near = self.score(F.tanh(F.add(self.query(h)[:, None], keys)))[..., 0]
        context = F.sum(F.mul(_weights(near, allowed)[..., None], memory), 1)
        return self.cell(F.cat([y, context], -1), h), context


class Bahdanau(nn.Layer):
    """Steps of a decoder, each of which attends to the source first: scores v tanh(W h + U m).

    Source:
        Bahdanau et al. 2015, appendix A, with a linear layer and tanh for its maxout.
    """

    step: BahdanauStep
    keys: nn.Linear
    join: nn.Linear

    def forward(self, y: Array, state: Array, memory: Array, allowed: Array) -> tuple[Array, Array]:
        one, keys = nn.carry(self.step), self.keys(memory)

        def step(h: Array, y: Array) -> tuple[Array, Array]:
            (h, context), _ = one(one.params, one.buffers, y, h, keys, memory, allowed)
            return h, F.cat([context, h], -1)

        h, seen = jax.lax.scan(step, state[0], F.permute(y, (1, 0, 2)))
        return F.tanh(self.join(F.permute(seen, (1, 0, 2)))), h[None]


def _weights(scores: Array, allowed: Array) -> Array:
    """The softmax over what is allowed."""
    y: Array = F.softmax(F.where(allowed, scores, -1e30), -1)
    return y


class Decoder(nn.Layer):
    """Scores of the next token behind each token of a target, and the state behind them.

    Shapes:
        target (N, T), integers, state (1, N, hidden), memory (N, S, hidden),
        allowed (N, S), truth values  ->  (N, T, vocabulary), (1, N, hidden)
    """

    embed: nn.Embedding
    body: nn.Layer
    head: nn.Linear

    def forward(
        self, target: Array, state: Array, memory: Array, allowed: Array
    ) -> tuple[Array, Array]:
        y, state = self.body(self.embed(target), state, memory, allowed)
        return self.head(y), state


class Seq2Seq(nn.Layer):
    """An encoder and a decoder, which is told the target so far; `translate` writes with it.

    Shapes:
        source (N, S), target (N, T), integers, lengths (N) of the sources  ->  (N, T, vocabulary)

    The target that goes in begins with a token of the start, and that of the loss is one ahead.
    """

    encoder: Encoder
    decoder: Decoder

    def forward(self, source: Array, target: Array, lengths: Array | None = None) -> Array:
        memory, state = self.encoder(source, lengths)
        scores: Array = self.decoder(target, state, memory, _allowed(source, lengths))[0]
        return scores


def _allowed(source: Array, lengths: Array | None) -> Array:
    """Where a source has tokens."""
    if lengths is None:
        return jnp.ones(source.shape, bool)
    return jnp.arange(source.shape[1]) < lengths[:, None]


@called
def seq2seq(vocabularies: tuple[int, int], dim: int, hidden: int, attention: str) -> Seq2Seq:
    """GRUs that read a source and write a target.

    Shapes:
        as of `Seq2Seq`

    Args:
        vocabularies: How many tokens there are in sources and in targets.
        dim: The length of a vector of a token.
        hidden: That of a state.
        attention: "luong", "bahdanau" or "none".

    Raises:
        ArgumentError: There is no such attention, or a number is below 1.

    Example:
        >>> from tensorem import Spec
        >>> inputs = Spec(("N", "S"), "int32"), Spec(("N", "T"), "int32")
        >>> nn.build(seq2seq((11, 7), 4, 8, "luong"), inputs).output
        float32 (N, T, 7)

    Source:
        Cho et al. 2014; Bahdanau et al. 2015; Luong et al. 2015.
    """
    among("attention", attention, ATTENTIONS)
    source, target = vocabularies
    encoder = Encoder(nn.Embedding(source, dim), nn.GRU(dim, hidden))
    body = _decoder(attention, dim, hidden)
    return Seq2Seq(encoder, Decoder(nn.Embedding(target, dim), body, nn.Linear(hidden, target)))


def _decoder(attention: str, dim: int, hidden: int) -> nn.Layer:
    if attention == "none":
        return Plain(nn.GRU(dim, hidden))
    join = nn.Linear(2 * hidden, hidden)
    if attention == "luong":
        return Luong(nn.GRU(dim, hidden), nn.Linear(hidden, hidden, bias=False), join)
    query, keys = nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, hidden)
    step = BahdanauStep(nn.GRUCell(dim + hidden, hidden), query, nn.Linear(hidden, 1, bias=False))
    return Bahdanau(step, keys, join)


@called
def translate(
    model: nn.Model,
    source: ArrayLike,
    start: int,
    stop: int,
    *,
    lengths: ArrayLike | None = None,
    most: int = 100,
    beams: int = 1,
) -> list[list[int]]:
    """The likeliest target of each source, among those that stay among the first at every token.

    Args:
        model: A model of `Seq2Seq`.
        source: Tokens (N, S).
        start: The token with which a target begins.
        stop: That with which it ends; neither is in what is given.
        lengths: Those of the sources (N).
        most: The most tokens of a target.
        beams: How many targets go on at every token; with 1, each token is the likeliest behind
            those before it.

    Raises:
        LayerError: The model is no `Seq2Seq`.
        ArgumentError: A number is out of range.
        DataError: A token of the source is outside of the vocabulary.

    Example:
        >>> from tensorem import Spec
        >>> inputs = Spec(("N", "S"), "int32"), Spec(("N", "T"), "int32")
        >>> model = nn.build(seq2seq((11, 7), 4, 8, "luong"), inputs)
        >>> [len(target) <= 5 for target in translate(model, [[3, 1, 4], [1, 5, 9]], 0, 1, most=5)]
        [True, True]

    Source:
        Sutskever et al. 2014, section 3.2.
    """
    layer, tokens = model.layer, np.asarray(source, np.int32)
    if not isinstance(layer, Seq2Seq):
        raise LayerError(f"takes a model of models.Seq2Seq, got {layer.label()}.")
    for name, token in (("start", start), ("stop", stop)):
        integer(name, token, 0, layer.decoder.embed.num_embeddings - 1)
    _require_tokens(tokens, layer.encoder.embed.num_embeddings)
    sizes = None if lengths is None else jnp.asarray(lengths, jnp.int32)
    arrays = tuple((dict(p.params), dict(p.buffers)) for p in (model["encoder"], model["decoder"]))
    plan = _Plan(start, stop, integer("most", most, 1), integer("beams", beams, 1))
    written = np.asarray(_searched(model.built, plan, arrays, jnp.asarray(tokens), sizes))
    return [_until(row, stop) for row in written]


def _require_tokens(tokens: NDArray[np.int32], count: int) -> None:
    if tokens.ndim != 2 or not tokens.size or tokens.min() < 0 or tokens.max() >= count:
        raise DataError(
            f"takes sources (N, S) of tokens from 0 to {count - 1}, got an array {tokens.shape} "
            f"from {tokens.min(initial=0)} to {tokens.max(initial=0)}."
        )


class _Plan(NamedTuple):
    """How targets are searched."""

    start: int
    stop: int
    most: int
    beams: int


@partial(jax.jit, static_argnums=(0, 1))
def _searched(built: Any, plan: _Plan, arrays: Any, source: Array, lengths: Array | None) -> Array:
    """The likeliest target of each source (N, most); what has ended goes on with the stop."""
    built.require_unchanged()  # while it is traced
    encoder, decoder = built.layer.encoder, built.layer.decoder
    (memory, state), _ = encoder.call(arrays[0], source, lengths)
    count, vocabulary = source.shape[0], decoder.embed.num_embeddings
    texts = jnp.repeat(jnp.arange(count), plan.beams)  # the source of each text
    memory, allowed = memory[texts], _allowed(source, lengths)[texts]
    ended = jnp.where(jnp.arange(vocabulary) == plan.stop, 0.0, -jnp.inf)

    def step(carry: Any, place: Array) -> tuple[Any, None]:
        written, logs, done, state = carry
        last = jnp.where(place == 0, plan.start, written[:, place - 1])
        (scores, state), _ = decoder.call(arrays[1], last[:, None], state, memory, allowed)
        more = jnp.where(done[:, None], ended, F.log_softmax(scores[:, -1], dim=-1))
        totals = (logs[:, None] + more).reshape(count, plan.beams * vocabulary)
        logs, picks = (v.reshape(-1) for v in jax.lax.top_k(totals, plan.beams))
        parents, tokens = texts * plan.beams + picks // vocabulary, picks % vocabulary
        written = written[parents].at[:, place].set(tokens)
        return (written, logs, done[parents] | (tokens == plan.stop), state[:, parents]), None

    first = jnp.arange(count * plan.beams) % plan.beams == 0  # at the start all texts are one
    empty = jnp.zeros((count * plan.beams, plan.most), jnp.int32)
    begun = empty, jnp.where(first, 0.0, -jnp.inf), jnp.zeros(first.shape, bool), state[:, texts]
    written: Array = jax.lax.scan(step, begun, jnp.arange(plan.most))[0][0]
    return written[:: plan.beams]


def _until(row: NDArray[np.int32], stop: int) -> list[int]:
    ends = np.flatnonzero(row == stop)
    found: list[int] = row[: ends[0] if len(ends) else None].tolist()
    return found
