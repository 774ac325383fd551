"""Layers with explicit seeds, as in the original's `nn.pure`.

Each is an ordinary layer in `nn.Seeded`, which says where its parameters start and nothing else. A
seed that is not given is left to `build` (in the original it is 0, so that layers start alike).
"""

from __future__ import annotations

from tensorem.layer import Layer, Parameter, declarations
from tensorem.rules import Numbers

from ._activation import Flatten
from ._combine import Sequential
from ._conv import Conv2d
from ._embedding import Embedding
from ._linear import Linear
from ._recurrent import GRU, LSTM, RNN
from ._seeded import Seeded
from ._ssm import original_mamba

Seed = int | None


def numbered(layer: Layer, seed_base: int = 0) -> Seeded:
    """Any layer, with the seeds seed_base, seed_base + 1, ... for its parameters in order.

    Example:
        >>> from tensorem import nn
        >>> dict(numbered(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), 10).given)
        {'0.weight': 10, '0.bias': 11, '1.weight': 12, '1.bias': 13}
    """
    paths = [path for path, d in declarations(layer).items() if isinstance(d, Parameter)]
    return Seeded(layer, {path: seed_base + k for k, path in enumerate(paths)})


def linear(
    in_features: int, out_features: int, *, seed_w: Seed = None, seed_b: Seed = None
) -> Seeded:
    """`nn.Linear` with seeds for weight and bias.

    Example:
        >>> linear(3, 2, seed_w=1, seed_b=2)
        Seeded(Linear(3, 2), {'weight': 1, 'bias': 2})
    """
    return _seeded(Linear(in_features, out_features), weight=seed_w, bias=seed_b)


def flatten_linear(
    in_features: int, out_features: int, *, seed_w: Seed = None, seed_b: Seed = None
) -> Sequential:
    """`nn.Flatten()` and `linear`."""
    return Sequential(Flatten(), linear(in_features, out_features, seed_w=seed_w, seed_b=seed_b))


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel_size: Numbers,
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    *,
    seed_k: Seed = None,
    seed_b: Seed = None,
) -> Seeded:
    """`nn.Conv2d` with seeds for kernel and bias."""
    layer = Conv2d(in_channels, out_channels, kernel_size, stride, padding)
    return _seeded(layer, weight=seed_k, bias=seed_b)


def embedding(num_embeddings: int, embedding_dim: int, *, seed_w: Seed = None) -> Seeded:
    """`nn.Embedding` with a seed for its rows."""
    return _seeded(Embedding(num_embeddings, embedding_dim), weight=seed_w)


def rnn(input_size: int, hidden_size: int, *, seed_w: Seed = None, seed_b: Seed = None) -> Seeded:
    """`nn.RNN` as the original has it: one bias, every h. The second matrix has seed_w + 1."""
    layer = RNN(input_size, hidden_size, recurrent_bias=False, returns="output")
    return _recurrent(layer, 1, seed_w, seed_b)


def gru(input_size: int, hidden_size: int, *, seed_w: Seed = None, seed_b: Seed = None) -> Seeded:
    """`nn.GRU` as the original has it: one bias, reset before the product, every h.

    The second matrix has seed_w + 3: the original takes the seeds between for the gates.
    """
    layer = GRU(input_size, hidden_size, recurrent_bias=False, reset_after=False, returns="output")
    return _recurrent(layer, 3, seed_w, seed_b)


def lstm(input_size: int, hidden_size: int, *, seed_w: Seed = None, seed_b: Seed = None) -> Seeded:
    """`nn.LSTM` as the original has it: one bias, every h. The second matrix has seed_w + 4."""
    layer = LSTM(input_size, hidden_size, recurrent_bias=False, returns="output")
    return _recurrent(layer, 4, seed_w, seed_b)


def mamba(input_size: int, hidden_size: int, *, seed_w: Seed = None) -> Seeded:
    """`nn.original_mamba`; its three matrices have seed_w, seed_w + 1 and seed_w + 2."""
    seeds = [None if seed_w is None else seed_w + k for k in range(3)]
    layer = original_mamba(input_size, hidden_size)
    return _seeded(layer, weight_u=seeds[0], weight_delta=seeds[1], weight_z=seeds[2])


def _recurrent(layer: Layer, gates: int, seed_w: Seed, seed_b: Seed) -> Seeded:
    second = None if seed_w is None else seed_w + gates
    return _seeded(layer, weight_ih_l0=seed_w, weight_hh_l0=second, bias_ih_l0=seed_b)


def _seeded(layer: Layer, **seeds: Seed) -> Seeded:
    return Seeded(layer, {name: seed for name, seed in seeds.items() if seed is not None})


__all__ = [
    "conv2d",
    "embedding",
    "flatten_linear",
    "gru",
    "linear",
    "lstm",
    "mamba",
    "numbered",
    "rnn",
]
