"""How the original's builders start a model: which draws they take, in which order, for what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tensorem import rand
from tensorem.errors import LayerError
from tensorem.layer import (
    Declared,
    Initialiser,
    Layer,
    Parameter,
    Scheme,
    declarations,
    join,
    parts,
)

from ._attention import MultiheadAttention
from ._conv import Conv2d
from ._dropout import Dropout
from ._embedding import Embedding, OneHotEmbedding
from ._init import Floats, Shape, constant, original_uniform, original_xavier_uniform, zeros
from ._linear import Linear
from ._norm import BatchNorm2d, LayerNorm
from ._position import LearnedPositionalEmbedding
from ._recurrent import GRU, LSTM, RNN
from ._residual import BasicBlock
from ._seeded import Seeded
from ._ssm import GatedDiagonalSSM
from ._transformer import TransformerEncoder, TransformerEncoderLayer

Starts = Mapping[str, tuple[Initialiser, int]]


@dataclass(frozen=True)
class Origin:
    """What the original draws for a layer.

    Args:
        draws: Its seeds in order, by the array whose explicit seed stands for each.
        starts: (layer, *seeds) -> initialiser and seed by path, where they are not constant.
    """

    draws: tuple[str, ...]
    starts: Callable[..., Starts] = lambda layer, *seeds: {}


@dataclass(frozen=True)
class _Gates:
    """Rows of the original's matrices (hidden, inputs + hidden), one drawn for each gate.

    Args:
        order: Which of the original's gates stands where in PyTorch's order.
        other: The length of the part that is left out.
        first: Whether the part that meets the input is kept, or the one that meets the state.
    """

    order: tuple[int, ...]
    other: int
    first: bool

    def __call__(self, shape: Shape, seed: int) -> Floats:
        rows, kept = shape[0] // len(self.order), shape[1]
        whole = (rows, kept + self.other)
        gates = [original_xavier_uniform()(whole, _plus(seed, k)) for k in self.order]
        return np.concatenate([g[:, :kept] if self.first else g[:, -kept:] for g in gates])


@dataclass(frozen=True)
class _Transposed:
    """The original's matrices (in, out), each drawn for itself, turned to (out, in)."""

    count: int

    def __call__(self, shape: Shape, seed: int) -> Floats:
        whole = (shape[1], shape[0] // self.count)
        drawn = [original_xavier_uniform()(whole, _plus(seed, k)).T for k in range(self.count)]
        return np.concatenate(drawn)


def _linear(layer: Linear, weight: int, bias: int) -> Starts:
    return {"weight": (original_xavier_uniform(), weight), **_zero(layer, "bias")}


def _conv2d(layer: Conv2d, weight: int, bias: int) -> Starts:
    return {"weight": (original_uniform(-0.1, 0.1), weight), **_zero(layer, "bias")}


def _table(layer: Layer, weight: int) -> Starts:
    return {"weight": (original_uniform(-0.02, 0.02), weight)}


def _basic_block(layer: BasicBlock, base: int) -> Starts:
    """Its norms take four of the numbers after the base, though they start constant."""
    skip: Any = layer.downsample
    projected = [("downsample.0", skip[0], 12)] if skip else []
    convolutions = [("conv1", layer.conv1, 0), ("conv2", layer.conv2, 6), *projected]
    return _below({path: _conv2d(conv, _plus(base, k), 0) for path, conv, k in convolutions})


def _attention(layer: MultiheadAttention, base: int) -> Starts:
    """Query, key and value have the numbers from the base on, the output the one after."""
    return {
        "in_proj_weight": (_Transposed(3), base),
        "out_proj.weight": (_Transposed(1), _plus(base, 3)),
    }


def _encoder_layer(layer: TransformerEncoderLayer, base: int) -> Starts:
    """The output of attention and the first affine map share a number, as there."""
    return _below(
        {
            "self_attn": _attention(layer.self_attn, base),
            "linear1": _linear(layer.linear1, _plus(base, 3), 0),
            "linear2": _linear(layer.linear2, _plus(base, 5), 0),
        }
    )


def _encoder(layer: TransformerEncoder, base: int) -> Starts:
    layers: Any = layer.layers
    starts = (_encoder_layer(part, _plus(base, 100 * i)) for i, part in enumerate(layers))
    return _below({f"layers.{i}": s for i, s in enumerate(starts)})


def _below(parts: Mapping[str, Starts]) -> Starts:
    """The starts of parts, by path from the whole."""
    return {join(path, n): s for path, starts in parts.items() for n, s in starts.items()}


def _recurrent(*order: int) -> Callable[..., Starts]:
    def starts(layer: RNN | GRU | LSTM, weight: int, bias: int) -> Starts:
        inputs, hidden = layer.input_size, layer.hidden_size
        return {
            "weight_ih_l0": (_Gates(order, hidden, first=True), weight),
            "weight_hh_l0": (_Gates(order, inputs, first=False), weight),
            **_zero(layer, "bias_ih_l0", "bias_hh_l0"),
        }

    return starts


def _gated_diagonal(layer: GatedDiagonalSSM, weight: int, bias: int) -> Starts:
    names = ("weight_u", "weight_delta", "weight_z")
    return {n: (original_xavier_uniform(), _plus(weight, k)) for k, n in enumerate(names)}


def _zero(layer: Layer, *names: str) -> Starts:
    return {n: (zeros(), 0) for n in names if layer.parameters()[n] is not None}


_RECURRENT = ("weight_ih_l0", "bias_ih_l0")
ORIGINS: Mapping[type[Layer], Origin] = {
    Linear: Origin(("weight", "bias"), _linear),
    Conv2d: Origin(("weight", "bias"), _conv2d),
    Embedding: Origin(("weight",), _table),
    OneHotEmbedding: Origin(("weight",), _table),
    LearnedPositionalEmbedding: Origin(("weight",), _table),
    LayerNorm: Origin(("weight", "bias")),
    BatchNorm2d: Origin(("weight", "bias")),
    Dropout: Origin(("",)),
    BasicBlock: Origin(("conv1.weight",), _basic_block),
    MultiheadAttention: Origin(("in_proj_weight",), _attention),
    TransformerEncoderLayer: Origin(("self_attn.in_proj_weight",), _encoder_layer),
    TransformerEncoder: Origin(("layers.0.self_attn.in_proj_weight",), _encoder),
    GatedDiagonalSSM: Origin(("weight_u", "bias_u"), _gated_diagonal),
    RNN: Origin(_RECURRENT, _recurrent(0)),
    GRU: Origin(_RECURRENT, _recurrent(0, 1, 2)),  # r, z, n in both
    LSTM: Origin(_RECURRENT, _recurrent(1, 0, 2, 3)),  # i, f, g, o of f, i, g, o
}
"""The layers that the original has."""


def _declared(layer: Layer, seed: int) -> Declared:
    stream, starts = rand.SeedStream.original(seed), dict[str, tuple[Initialiser, int]]()
    for path, part, given in _drawing(layer, "", None):
        origin = ORIGINS[type(part)]
        if given is None:
            seeds, stream = stream.take(len(origin.draws))
        else:
            seeds = tuple(given.get(join(path, name), 0) for name in origin.draws)
        starts |= {join(path, name): s for name, s in origin.starts(part, *seeds).items()}
    return {path: _started(path, d, starts) for path, d in declarations(layer).items()}


Given = Mapping[str, int] | None


def _drawing(layer: Any, path: str, given: Given) -> Iterator[tuple[str, Layer, Given]]:
    """The layers that draw, in order; below explicit seeds, with these by path from the root."""
    if isinstance(layer, Seeded):
        given = {**{join(path, name): s for name, s in layer.given.items()}, **(given or {})}
    if type(layer) in ORIGINS:
        yield path, layer, given
        return
    for name, part in parts(layer):
        yield from _drawing(part, join(path, name), given)


def _started(path: str, declared: Any, starts: Starts) -> Any:
    if path in starts:
        init, seed = starts[path]
        return replace(declared, init=init, seed=seed)
    if isinstance(declared, Parameter) and not isinstance(declared.init, constant):
        raise LayerError(
            f"nn.original knows the layers of the original, got {path}, which is of none.",
            help="build without it, and give initialisers by path: init={...}.",
        )
    return declared


def _plus(seed: int, offset: int) -> int:
    return (seed + offset) % rand.WORD


original = Scheme(_declared)
"""The original's initial values: its schemes, and its stream of seeds in the order of its builders.

Explicit seeds (`nn.Seeded`) are taken as its `pure` layers take theirs, 0 where none is given; two
that are equal are not refused, since the original's own are in places.
"""
