"""Fourier neural operators: maps of functions on a grid, the same on a finer one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from tensorem import functional as F
from tensorem import nn
from tensorem.calls import called, integer, integers
from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import format_shape

Array = jax.Array
Complex = tuple[Array, Array]
"""A real and an imaginary part."""
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class SpectralConv(nn.Layer):
    """A linear map of the channels at each of the lowest frequencies of a grid; the others are 0.

    The Fourier transforms are products with the waves of the frequencies that are kept: few, and
    read by every meaning of a model (exact, intervals, ONNX), which an FFT is not.

    Shapes:
        (N, in_channels, *grid)  ->  (N, out_channels, *grid)

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        modes: How many frequencies are kept on each axis of the grid, from 0 up; on all axes but
            the last as many below 0 too.

    Raises:
        ArgumentError: A number is below 1, or there are modes of no axis, or of more than 3.
        ShapeError: The input has another number of axes, or an axis of less than 2 · modes points.

    Example:
        >>> nn.build(SpectralConv(2, 3, (4,)), ("N", 2, "T")).output
        float32 (N, 3, T)

    Source:
        Li et al. 2021, section 4. The weight is that of the authors' code, with real and imaginary
        part on its last axis; it begins as there, uniform on [0, 1/(in_channels · out_channels)].
    """

    in_channels: int
    out_channels: int
    modes: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("in_channels", self.in_channels, 1)
        integer("out_channels", self.out_channels, 1)
        if not 1 <= len(integers("modes", self.modes, 1)) <= 3:
            raise ArgumentError(f"SpectralConv takes modes of 1 to 3 axes, got {self.modes}.")

    @property
    def rank(self) -> int:
        """How many axes a grid has."""
        return len(self.modes)

    def parameters(self) -> Mapping[str, nn.Parameter | None]:
        *first, last = self.modes
        shape = (self.in_channels, self.out_channels, *(2 * m for m in first), last, 2)
        start = nn.init.uniform(0.0, 1 / (self.in_channels * self.out_channels))
        return {"weight": nn.Parameter(shape, start)}

    def forward(self, x: Array) -> Array:
        self._check(x)
        last = self.rank - 1
        waves = [_waves(self._kept(i), size, x.dtype) for i, size in enumerate(x.shape[2:])]
        z = _along(x, waves[last][0], last), F.neg(_along(x, waves[last][1], last))
        for axis, (cos, sin) in enumerate(waves[:last]):
            z = _turned(z, (cos, -sin), axis)
        z = _times(_channels, z, (self.weight[..., 0], self.weight[..., 1]))
        for axis, (cos, sin) in enumerate(waves[:last]):
            z = _turned(z, (cos.T / x.shape[2 + axis], sin.T / x.shape[2 + axis]), axis)
        return _real(z, waves[last], x.shape[-1], last)

    def _kept(self, axis: int) -> NDArray[np.int64]:
        """The frequencies that are kept: those below 0 follow of the others on the last axis."""
        m = self.modes[axis]
        return np.arange(m) if axis == self.rank - 1 else np.r_[:m, -m:0]

    def _check(self, x: Array) -> None:
        grid = F.shape(x)[2:]
        few = any(isinstance(n, int) and n < 2 * m for n, m in zip(grid, self.modes, strict=False))
        if len(grid) != self.rank or few or F.shape(x)[1] != self.in_channels:
            form = ", ".join(f"{2 * m} or more" for m in self.modes)
            raise ShapeError(
                f"takes (N, {self.in_channels}, {form}), got {format_shape(F.shape(x))}."
            )


def _waves(frequencies: NDArray[np.int64], size: Any, dtype: Any) -> Complex:
    """Cosines and sines (points, frequencies); numbers, and no ops, where the size is one."""
    xp: Any = np if isinstance(size, int) else jnp
    angle = 2 * np.pi * (xp.outer(xp.arange(size), frequencies) / size)
    return jnp.asarray(xp.cos(angle), dtype), jnp.asarray(xp.sin(angle), dtype)


def _along(x: Array, matrix: Array, axis: int) -> Array:
    """x (N, C, *grid) times a matrix on an axis of the grid."""
    at = "xyz"[: x.ndim - 2]
    y: Array = F.einsum(f"nc{at},{at[axis]}k->nc{at.replace(at[axis], 'k')}", x, matrix)
    return y


def _channels(x: Array, weight: Array) -> Array:
    at = "xyz"[: x.ndim - 2]
    y: Array = F.einsum(f"ni{at},io{at}->no{at}", x, weight)
    return y


def _times(product: Callable[[Array, Array], Array], a: Complex, b: Complex) -> Complex:
    """A bilinear product of complex numbers."""
    real = F.sub(product(a[0], b[0]), product(a[1], b[1]))
    return real, F.add(product(a[0], b[1]), product(a[1], b[0]))


def _turned(z: Complex, wave: Complex, axis: int) -> Complex:
    return _times(lambda a, b: _along(a, b, axis), z, wave)


def _real(z: Complex, wave: Complex, size: Any, axis: int) -> Array:
    """The real function of frequencies from 0: those below 0 have the conjugates."""
    twice = np.r_[1.0, np.full(wave[0].shape[1] - 1, 2.0)] / size
    cos, sin = (jnp.asarray(w.T * twice[:, None], w.dtype) for w in wave)
    return F.sub(_along(z[0], cos, axis), _along(z[1], sin, axis))


class FNOBlock(nn.Layer):
    """A map of frequencies and one of each point, added."""

    spectral: SpectralConv
    pointwise: nn.Layer

    def forward(self, x: Array) -> Array:
        return F.add(self.spectral(x), self.pointwise(x))


@called
def fno(
    in_channels: int, out_channels: int, modes: tuple[int, ...], width: int = 32, depth: int = 4
) -> nn.Sequential:
    """A Fourier neural operator on grids of as many axes as it has modes for: FNO-1d, FNO-2d.

    It may be trained on one grid and used on a finer one. What depends on the place takes the
    coordinates as further channels.

    Shapes:
        (N, in_channels, *grid)  ->  (N, out_channels, *grid)

    Args:
        modes: How many frequencies are kept on each axis, half of the points of a grid at most.
        width: The channels of each block.
        depth: How many blocks there are.

    Raises:
        ArgumentError: A number is below 1, or there are modes of no axis, or of more than 3.

    Example:
        >>> nn.build(fno(1, 1, (4, 4), 8, 2), ("N", 1, "H", "W")).output
        float32 (N, 1, H, W)

    Source:
        Li et al. 2021, section 4 and figure 2, with gelu as in the authors' code.
    """
    integer("depth", depth, 1)
    conv = CONVOLUTIONS[SpectralConv(width, width, modes).rank - 1]
    blocks: list[nn.Layer] = []
    for _ in range(depth):
        inner = SpectralConv(width, width, modes), conv(width, width, 1)
        blocks += [FNOBlock(*inner), nn.GELU()]
    lift = conv(in_channels, width, 1)
    project = conv(width, 4 * width, 1), nn.GELU(), conv(4 * width, out_channels, 1)
    return nn.Sequential(
        {"lift": lift, "blocks": nn.Sequential(*blocks[:-1]), "project": nn.Sequential(*project)}
    )
