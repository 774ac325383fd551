"""The kinds of adapters: layers that take a weight and give what is added to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import jax
import jax.numpy as jnp

from tensorem import functional as F
from tensorem import nn
from tensorem.calls import FROM_0_BELOW_1, integer, number
from tensorem.nn import init

Array = jax.Array


class Delta(nn.Layer):
    """What kinds of adapters have in common; use `LoRA`, `DoRA` or `IA3`.

    Each takes a weight (rows, ...) and gives what is added to it. Its field `shape` is that of the
    weight; `adapters.add` says it.
    """

    shape: tuple[int, ...] | None = field(default=None, kw_only=True)

    def output_shape(self, weight: Any) -> Any:
        return weight


class LoRA(Delta):
    """alpha / rank · B A, with A random and B zero at the start.

    A convolution's weight counts as the matrix (out_channels, all else), an embedding's as it is.

    Args:
        rank: The rows of A.
        alpha: The numerator of the scale, alpha / rank.
        dropout: The probability with which, in a training step, the adapter does not see an entry
            of what the layer takes: a column of A is 0, for the whole batch.
        shape: The weight's.

    Raises:
        ArgumentError: A number is out of range.

    Example:
        >>> LoRA(8, 16.0)
        LoRA(8, 16.0)

    Source:
        Hu et al. 2021, section 4.1; dropout: Lin et al. 2024, of columns.
    """

    rank: int
    alpha: float
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("rank", self.rank, 1)
        number("alpha", self.alpha)
        number("dropout", self.dropout, FROM_0_BELOW_1)

    def parameters(self) -> Mapping[str, nn.Parameter | None]:
        if self.shape is None:
            return {}
        rows, columns = self.shape[0], math.prod(self.shape[1:])
        a = nn.Parameter((self.rank, columns), init.kaiming_uniform(a=math.sqrt(5)))
        return {"A": a, "B": nn.Parameter((rows, self.rank), init.zeros())}

    def forward(self, weight: Array) -> Array:
        product = F.reshape(F.matmul(self.B, self._seen()), weight.shape)
        return F.mul(product, self.alpha / self.rank)

    def _seen(self) -> Array:
        """A without the columns that are dropped."""
        a: Array = self.A
        if not self.dropout or not self.training:
            return a
        kept = F.dropout(jnp.ones((1, a.shape[1]), a.dtype), self.dropout, key=self.key())
        return F.mul(a, kept)


class DoRA(LoRA):
    """A weight whose rows have a trained length and the direction of W + alpha / rank · B A.

    The length of a row is kept as its ratio to that of W, m, which starts at 1. Arguments as of
    `LoRA`.

    Raises:
        ArgumentError: A number is out of range.

    Example:
        >>> DoRA(8, 16.0)
        DoRA(8, 16.0)

    Source:
        Liu et al. 2024, equation 5.
    """

    def parameters(self) -> Mapping[str, nn.Parameter | None]:
        if self.shape is None:
            return {}
        return {**super().parameters(), "m": nn.Parameter((self.shape[0],), init.ones())}

    def forward(self, weight: Array) -> Array:
        turned = F.add(weight, super().forward(weight))
        ratio = F.div(_lengths(weight), _lengths(turned))
        return F.sub(F.mul(_by_row(self.m, weight), F.mul(ratio, turned)), weight)


class IA3(Delta):
    """(l - 1) W, so that the weight becomes l W, with l 1 at the start; a bias stays.

    Args:
        dim: What l scales: 0 for what comes out of the layer, as keys and values in the paper, 1
            for what goes in, as the inner activations of a feed-forward part.
        shape: The weight's.

    Raises:
        ArgumentError: dim is neither 0 nor 1.

    Example:
        >>> IA3(dim=1)
        IA3(dim=1)

    Source:
        Liu et al. 2022, section 3.3.
    """

    dim: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("dim", self.dim, 0, 1)

    def parameters(self) -> Mapping[str, nn.Parameter | None]:
        if self.shape is None:
            return {}
        return {"l": nn.Parameter((self.shape[self.dim],), init.ones())}

    def forward(self, weight: Array) -> Array:
        one = (1,) * self.dim + (-1,) + (1,) * (weight.ndim - self.dim - 1)
        return F.mul(F.sub(F.reshape(self.l, one), 1.0), weight)


class Prefix(nn.Layer):
    """Keys and values of an attention that stand in front of all others, to be trained.

    It is no change of a weight, so it is not merged, and it counts from the start. A factor scales
    its values; several stand side by side.

    Args:
        length: How many keys there are.
        shape: The width of keys and values, all heads together.

    Raises:
        ArgumentError: length is below 1.

    Example:
        >>> Prefix(10)
        Prefix(10)

    Source:
        Li and Liang 2021, section 4, without the perceptron that makes the prefix in training.
    """

    length: int
    shape: tuple[int, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("length", self.length, 1)

    def parameters(self) -> Mapping[str, nn.Parameter | None]:
        if self.shape is None:
            return {}
        start = nn.Parameter((self.length, *self.shape), init.normal(0, 0.02))
        return {"key": start, "value": start}

    def output_shape(self) -> Any:
        return ((self.length, *(self.shape or ())),) * 2

    def forward(self) -> tuple[Array, Array]:
        return self.__dict__["key"], self.__dict__["value"]  # `key` is a method of layers


Kind = Delta | Prefix


def _by_row(x: Array, weight: Array) -> Array:
    return F.reshape(x, (-1, *(1,) * (weight.ndim - 1)))


def _lengths(weight: Array) -> Array:
    """The length of each row, to be multiplied with it."""
    return F.sqrt(F.sum(F.mul(weight, weight), tuple(range(1, weight.ndim)), keepdim=True))
