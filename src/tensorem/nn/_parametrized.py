"""Layers whose weight is a function of what is trained: weight and spectral normalisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from tensorem import functional as F
from tensorem.calls import AT_LEAST_0, integer, number
from tensorem.errors import ArgumentError
from tensorem.layer import Around, Buffer, Derived, Parameter, Tree, supply

from ._init import normal

Array = jax.Array
Floats = NDArray[Any]


class Parametrized(Around):
    """What such layers have in common; use `WeightNorm` or `SpectralNorm`."""

    name: str = "weight"

    def _own(self) -> Parameter:
        """The weight as the layer itself declares it.

        Raises:
            ArgumentError: It declares none.
        """
        declared = self.layer.parameters()
        own = declared.get(self.name)
        if own is None:
            raise ArgumentError(
                f"takes the name of a parameter of {self.layer.label()}, got {self.name!r}.",
                help=f"it has {', '.join(declared) or 'none'}.",
            )
        return own

    def _path(self, name: str) -> str:
        """PyTorch's name of an array of a parametrization."""
        return f"parametrizations.{self.name}.{name}"

    def _array(self, name: str) -> Array:
        array: Array = getattr(self, self._path(name))
        return array

    def supplies(self) -> tuple[str, ...]:
        return (self.name,)

    def weight(self) -> Array:
        """The weight, of the arrays that are trained."""
        raise NotImplementedError

    def forward(self, *xs: Tree, **kw: Tree) -> Tree:
        supply(self.layer, **{self.name: self.weight()})
        return super().forward(*xs, **kw)


class WeightNorm(Parametrized):
    """A layer whose weight is g v / ‖v‖, with g and v trained: its length apart from its direction.

    The names are those of PyTorch's `parametrizations.weight_norm`, whose state dicts load:
    `parametrizations.weight.original0` is g, `original1` is v. It starts as the layer itself does.

    Shapes:
        those of the layer

    Args:
        layer: A layer that has the weight itself, such as a Linear or a convolution.
        name: The weight.
        dim: The axis whose entries each have a length; None for one of all.

    Raises:
        ArgumentError: The layer has no such parameter, or this no such axis.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.WeightNorm(nn.Linear(3, 2)), input=("N", 3))
        >>> {name: p.shape for name, p in model.params.items()}
        {'parametrizations.weight.original0': (2, 1), 'parametrizations.weight.original1': (2, 3), \
'bias': (2,)}

    Source:
        Salimans and Kingma 2016, equation 2.
    """

    dim: int | None = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        rank = len(self._own().shape)
        if self.dim is not None and not -rank <= integer("dim", self.dim) < rank:
            raise ArgumentError(f"takes dim from {-rank} to {rank - 1}, got {self.dim}.")

    def parameters(self) -> Mapping[str, Parameter | None]:
        own = self._own()
        rest = _rest(len(own.shape), self.dim)
        lengths = tuple(1 if i in rest else n for i, n in enumerate(own.shape))
        start = Derived(self._path("original1"), _lengths(rest))
        g = Parameter(lengths if self.dim is not None else (), start)
        return {self._path("original0"): g, self._path("original1"): own}

    def weight(self) -> Array:
        g, v = self._array("original0"), self._array("original1")
        rest = _rest(v.ndim, self.dim)
        return g * (v / (F.sqrt(F.sum(v * v, rest, keepdim=True)) if rest else F.abs(v)))


def _rest(rank: int, dim: int | None) -> tuple[int, ...]:
    """The axes over which a length is taken."""
    return tuple(i for i in range(rank) if dim is None or i != dim % rank)


def _lengths(axes: tuple[int, ...]) -> Any:
    def of(v: Floats, shape: tuple[int, ...], seed: int) -> Floats:
        lengths: Floats = np.sqrt((v * v).sum(axes)).reshape(shape)
        return lengths

    return of


class SpectralNorm(Parametrized):
    """A layer whose weight is divided by its largest singular value.

    The value is followed by power iteration: in training each call takes n_power_iterations steps
    from the vectors of the last one, which are buffers; in evaluation they stay. The names are
    those of PyTorch's `parametrizations.spectral_norm`, whose state dicts load.

    Shapes:
        those of the layer

    Args:
        layer: A layer that has the weight itself, such as a Linear or a convolution.
        name: The weight.
        n_power_iterations: Steps of a call in training.
        eps: The least length by which a vector is divided.
        dim: The axis of the rows of the matrix, whose other axes are its columns.

    Raises:
        ArgumentError: The layer has no such parameter, or a number is out of its range.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.SpectralNorm(nn.Linear(3, 2)), input=("N", 3))
        >>> list(model.buffers)
        ['parametrizations.weight.0._u', 'parametrizations.weight.0._v']

    Source:
        Miyato et al. 2018, algorithm 1.
    """

    n_power_iterations: int = 1
    eps: float = 1e-12
    dim: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("n_power_iterations", self.n_power_iterations, 1)
        number("eps", self.eps, AT_LEAST_0)
        rank = len(self._own().shape)
        if rank < 2 or not -rank <= integer("dim", self.dim) < rank:
            raise ArgumentError(
                f"takes a weight of two axes or more and dim from {-rank} to {rank - 1}, got "
                f"{rank} axes and {self.dim}."
            )

    def parameters(self) -> Mapping[str, Parameter | None]:
        return {self._path("original"): self._own()}

    def buffers(self) -> Mapping[str, Buffer | None]:
        shape = self._own().shape
        rows = shape[self.dim]
        columns = math.prod(shape) // rows
        return {
            self._path(f"0.{name}"): Buffer((n,), Derived(self._path("original"), self._started(i)))
            for i, (name, n) in enumerate((("_u", rows), ("_v", columns)))
        }

    def _started(self, i: int) -> Any:
        """A vector after 15 steps from a draw, as PyTorch starts them."""

        def of(weight: Floats, shape: tuple[int, ...], seed: int) -> Floats:
            w = np.moveaxis(weight, self.dim, 0).reshape(weight.shape[self.dim], -1)
            v = normal()((w.shape[1],), 0)  # one draw for both: each vector follows from the other
            u = _unit(w @ v, self.eps)
            for _ in range(14):
                v = _unit(w.T @ u, self.eps)
                u = _unit(w @ v, self.eps)
            return (u, _unit(w.T @ u, self.eps))[i]

        return of

    def weight(self) -> Array:
        w = self._array("original")
        matrix = jnp.moveaxis(w, self.dim, 0).reshape(w.shape[self.dim], -1)
        u, v = (jax.lax.stop_gradient(self._array(f"0.{name}")) for name in ("_u", "_v"))
        if self.training:
            held = jax.lax.stop_gradient(matrix)
            for _ in range(self.n_power_iterations):
                u = F.normalize(held @ v, dim=0, eps=self.eps)
                v = F.normalize(u @ held, dim=0, eps=self.eps)
            self.update(**{self._path("0._u"): u, self._path("0._v"): v})
        return w / (u @ (matrix @ v))


def _unit(x: Floats, eps: float) -> Floats:
    return x / max(float(np.sqrt((x * x).sum())), eps)
