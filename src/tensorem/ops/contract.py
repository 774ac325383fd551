"""Products summed over axes: dot, linear, matmul, convolution and its transposes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from tensorem import rules

from . import _convolution
from ._convolution import Slide
from ._derive import Product, biased, bilinear

Dims = tuple[int, ...]
Two = tuple[int, int]
Padding = tuple[Two, Two]
Pairs = tuple[Dims, Dims]
Grid = NDArray[Any]
Tap = tuple[int, int, tuple[slice, ...]]


# --- runs


def _dot(x: Array, y: Array, *, contract: Pairs, batch: Pairs) -> Array:
    return lax.dot_general(x, y, (contract, batch))


def _linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    y = lax.dot_general(x, weight, (((x.ndim - 1,), (1,)), ((), ())))
    return y if bias is None else y + bias.reshape((1,) * (y.ndim - 1) + (-1,))


def _matmul(x: Array, y: Array) -> Array:
    batch = tuple(range(x.ndim - 2))
    return _dot(x, y, contract=((x.ndim - 1,), (x.ndim - 2,)), batch=(batch, batch))


def _nhwc(x: Array) -> Array:
    return jnp.transpose(x, (0, 2, 3, 1))


def _nchw(x: Array) -> Array:
    return jnp.transpose(x, (0, 3, 1, 2))


def _hwio(k: Array) -> Array:
    return jnp.transpose(k, (2, 3, 1, 0))


def _oihw(k: Array) -> Array:
    return jnp.transpose(k, (3, 2, 0, 1))


def _conv2d(x: Array, weight: Array, bias: Array | None = None, **attrs: Unpack[Slide]) -> Array:
    y = _convolution.conv(_nhwc(x), _hwio(weight), **attrs)
    return _nchw(y if bias is None else _biased(y, bias))


def _biased(y: Array, bias: Array) -> Array:
    """A bias for the last axis, written as a product of matrices; XLA makes it a sum again.

    So its gradient is a product too: for a sum, XLA would compute what flows back a second time, in
    the other layout (measured: a third of a small network's step). Where sizes have names nothing
    is computed, and JAX cannot tell that a product of H - 2 and W - 2 is a number of rows.
    """
    if not all(isinstance(n, int) for n in y.shape[1:]):
        return y + bias.reshape((1, 1, 1, -1))
    rows = y.reshape(-1, y.shape[-1])
    return (rows + jnp.ones((rows.shape[0], 1), y.dtype) @ bias[None]).reshape(y.shape)


def _conv2d_dx(g: Array, weight: Array, *, size: Two, **attrs: Unpack[Slide]) -> Array:
    kernel = weight.shape[2:]
    dx = _convolution.conv_dx_p.bind(_nhwc(g), _hwio(weight), size=size, kernel=kernel, **attrs)
    return _nchw(dx)


def _conv2d_dk(x: Array, g: Array, *, size: Two, **attrs: Unpack[Slide]) -> Array:
    image = x.shape[2:]
    dk = _convolution.conv_dk_p.bind(_nhwc(x), _nhwc(g), size=image, kernel=size, **attrs)
    return _oihw(dk)


# --- twins in NumPy, for float64 and for Python integers


def _dot_twin(x: Grid, y: Grid, *, contract: Pairs, batch: Pairs) -> Grid:
    """Axes in the order batch, free, contracted, then one product of matrices."""
    a, free_x = _matrix(x, contract[0], batch[0])
    b, free_y = _matrix(y, contract[1], batch[1])
    kept = tuple(x.shape[i] for i in batch[0])
    product: Grid = np.matmul(a, np.swapaxes(b, -1, -2))
    return product.reshape(kept + free_x + free_y)


def _matrix(x: Grid, contract: Dims, batch: Dims) -> tuple[Grid, Dims]:
    free = tuple(i for i in range(x.ndim) if i not in contract + batch)
    sizes = tuple(x.shape[i] for i in free)
    terms = math.prod(x.shape[i] for i in contract)
    flat = (*(x.shape[i] for i in batch), math.prod(sizes), terms)
    return np.transpose(x, batch + free + contract).reshape(flat), sizes


def _linear_twin(x: Grid, weight: Grid) -> Grid:
    product: Grid = np.matmul(x, weight.T)
    return product


def _framed(x: Grid, padding: Padding) -> Grid:
    ((top, bottom), (left, right)), (n, c, h, w) = padding, x.shape
    y = np.zeros((n, c, top + h + bottom, left + w + right), x.dtype)
    y[:, :, top : top + h, left : left + w] = x
    return y


def _taps(kernel: Dims, out: Dims, stride: Two, dilation: Two) -> Iterator[Tap]:
    """For each entry (i, j) of a kernel, the places of a padded image that it meets."""
    for i, j in np.ndindex(*kernel):
        corner = (i * dilation[0], j * dilation[1])
        rows, cols = (
            slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(corner, out, stride, strict=True)
        )
        yield i, j, (slice(None), slice(None), rows, cols)


def _grouped(x: Grid, axis: int, groups: int) -> list[Grid]:
    return np.split(x, groups, axis=axis)


def _conv2d_twin(
    x: Grid,
    weight: Grid,
    *,
    stride: Two,
    padding: Padding,
    dilation: Two,
    groups: int,
) -> Grid:
    """Each group: all windows of the padded image against all kernels."""
    parts = zip(_grouped(_framed(x, padding), 1, groups), _grouped(weight, 0, groups), strict=True)
    return np.concatenate([_conv_group(a, k, stride, dilation) for a, k in parts], axis=1)


def _conv_group(x: Grid, k: Grid, stride: Two, dilation: Two) -> Grid:
    reach = tuple(d * (n - 1) + 1 for d, n in zip(dilation, k.shape[2:], strict=True))
    cut = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    cut = cut[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    return np.moveaxis(np.tensordot(cut, k, axes=((1, 4, 5), (1, 2, 3))), -1, 1)


def _conv2d_dx_twin(
    g: Grid, weight: Grid, *, size: Two, stride: Two, padding: Padding, dilation: Two,
    groups: int,
) -> Grid:  # fmt: skip
    """Each entry of the kernel spreads the result over the places of the image that it met."""
    channels = weight.shape[1] * groups
    image = _framed(np.zeros((g.shape[0], channels, *size), g.dtype), padding)
    parts = list(zip(_grouped(g, 1, groups), _grouped(weight, 0, groups), strict=True))
    for i, j, places in _taps(weight.shape[2:], g.shape[2:], stride, dilation):
        shares = [np.tensordot(k[:, :, i, j], a, axes=((0,), (1,))) for a, k in parts]
        image[places] += np.concatenate([np.moveaxis(s, 1, 0) for s in shares], axis=1)
    ((top, _), (left, _)), (h, w) = padding, size
    return image[:, :, top : top + h, left : left + w]


def _conv2d_dk_twin(
    x: Grid,
    g: Grid,
    *,
    size: Two,
    stride: Two,
    padding: Padding,
    dilation: Two,
    groups: int,
) -> Grid:
    """Each entry of the kernel gathers the image where it meets the result."""
    image = _framed(x, padding)
    kernel = np.zeros((g.shape[1], x.shape[1] // groups, *size), x.dtype)
    for i, j, places in _taps(size, g.shape[2:], stride, dilation):
        parts = zip(_grouped(g, 1, groups), _grouped(image[places], 1, groups), strict=True)
        sums = [np.tensordot(a, b, axes=((0, 2, 3), (0, 2, 3))) for a, b in parts]
        kernel[:, :, i, j] = np.concatenate(sums, axis=0)
    return kernel


def _per_channel(bias: Array, rank: int) -> Array:
    return bias.reshape((1, -1, 1, 1))


# --- rows


def _dot_terms(x: Dims, y: Dims, *, contract: Pairs, batch: Pairs) -> int:
    return math.prod(x[i] for i in contract[0])


_CONV = Product(_conv2d, _conv2d_twin, terms=lambda x, weight, **attrs: math.prod(weight[1:]))
_CONV_DX = Product(
    _conv2d_dx,
    _conv2d_dx_twin,
    terms=lambda g, weight, **attrs: weight[0] // attrs["groups"] * math.prod(weight[2:]),
)
_CONV_DK = Product(_conv2d_dk, _conv2d_dk_twin, terms=lambda x, g, **attrs: g[0] * math.prod(g[2:]))

dot = bilinear("dot", rules.dot, Product(_dot, _dot_twin, _dot_terms))
linear = biased(
    "linear",
    rules.linear,
    _linear,
    Product(_linear, _linear_twin, terms=lambda x, weight: x[-1]),
    spread=lambda bias, rank: bias.reshape((1,) * (rank - 1) + (-1,)),
)
matmul = bilinear("matmul", rules.matmul, Product(_matmul, np.matmul, terms=lambda x, y: x[-1]))
conv2d = biased("conv2d", rules.of_batches(rules.conv2d), _conv2d, _CONV, spread=_per_channel)
conv2d_dx = bilinear("conv2d_dx", rules.conv2d_dx, _CONV_DX)
conv2d_dk = bilinear("conv2d_dk", rules.conv2d_dk, _CONV_DK)
