"""Products summed over axes: dot, linear, matmul, convolution and its transposes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tensorem.errors import ArgumentError, ShapeError
from tensorem.rules import conv_size
from tensorem.shapes import format_shape, require_equal

from . import _convolution, _specs
from ._derive import Product, biased, bilinear

Array = Any
Dims = tuple[int, ...]
Pair = tuple[int, int]
Frame = tuple[Pair, Pair]
Pairs = tuple[Dims, Dims]


# --- shapes


def _dot_shape(x: Any, y: Any, *, contract: Pairs, batch: Pairs) -> Any:
    _specs.one_dtype(x, y)
    got = f"got {format_shape(x.shape)} and {format_shape(y.shape)}."
    for i, j in (*zip(*contract, strict=True), *zip(*batch, strict=True)):
        what = f"takes equal sizes on axes {i} and {j}, {got}"
        require_equal((x.shape[i],), (y.shape[j],), what)
    kept = tuple(x.shape[i] for i in batch[0])
    free = (_free(x.shape, contract[0] + batch[0]), _free(y.shape, contract[1] + batch[1]))
    return replace(x, shape=kept + free[0] + free[1])


def _free(shape: tuple[Any, ...], used: Dims) -> tuple[Any, ...]:
    return tuple(n for i, n in enumerate(shape) if i not in used)


def _linear_shape(x: Any, weight: Any, bias: Any = None) -> Any:
    _specs.rank(weight, 2)
    takes = format_shape(("*batch", weight.shape[1]))
    require_equal(x.shape[-1:], weight.shape[1:], f"takes {takes}, got {format_shape(x.shape)}.")
    _bias(bias, weight)
    return replace(_specs.one_dtype(x, weight), shape=(*x.shape[:-1], weight.shape[0]))


def _bias(bias: Any, weight: Any) -> None:
    if bias is not None:
        _specs.equal(bias.shape, weight.shape[:1])
        _specs.one_dtype(weight, bias)


def _matmul_shape(x: Any, y: Any) -> Any:
    rank = len(x.shape)
    if rank < 2 or len(y.shape) != rank:
        raise ShapeError(
            f"takes operands of one rank, two axes at least, got {format_shape(x.shape)} and "
            f"{format_shape(y.shape)}."
        )
    return _dot_shape(x, y, **_as_dot(rank))


def _as_dot(rank: int) -> dict[str, Any]:
    batch = tuple(range(rank - 2))
    return {"contract": ((rank - 1,), (rank - 2,)), "batch": (batch, batch)}


def _conv2d_shape(
    x: Any, weight: Any, bias: Any = None, *, stride: Pair, padding: Frame, dilation: Pair,
    groups: int,
) -> Any:  # fmt: skip
    _specs.rank(x, 4)
    _specs.rank(weight, 4)
    out, per_group, *kernel = weight.shape
    _groups(out, groups)
    channels = per_group * groups
    if channels == 0 or out == 0:
        raise ShapeError(f"takes at least 1 channel in and out, got {channels} and {out}.")
    takes = format_shape(("N", channels, "H", "W"))
    require_equal(x.shape[1:2], (channels,), f"takes {takes}, got {format_shape(x.shape)}.")
    _bias(bias, weight)
    sizes = [
        conv_size(n, k, s, p, d)
        for n, k, s, p, d in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)
    ]
    return replace(_specs.one_dtype(x, weight), shape=(x.shape[0], out, *sizes))


def _groups(out: int, groups: int) -> None:
    if groups < 1 or out % groups:
        raise ArgumentError(f"takes groups that divide {out} output channels, got {groups}.")


def _conv2d_dx_shape(
    g: Any, weight: Any, *, size: Pair, stride: Pair, padding: Frame, dilation: Pair, groups: int
) -> Any:
    image = replace(g, shape=(g.shape[0], weight.shape[1] * groups, *size))
    attrs: dict[str, Any] = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    _specs.equal(_conv2d_shape(image, weight, **attrs).shape, g.shape)
    return image


def _conv2d_dk_shape(
    x: Any, g: Any, *, size: Pair, stride: Pair, padding: Frame, dilation: Pair, groups: int
) -> Any:
    weight = replace(x, shape=(g.shape[1], x.shape[1] // groups, *size))
    attrs: dict[str, Any] = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    _specs.equal(_conv2d_shape(x, weight, **attrs).shape, g.shape)
    return weight


# --- runs


def _dot(x: Array, y: Array, *, contract: Pairs, batch: Pairs) -> Array:
    return lax.dot_general(x, y, (contract, batch))


def _linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    y = lax.dot_general(x, weight, (((x.ndim - 1,), (1,)), ((), ())))
    return y if bias is None else y + bias.reshape((1,) * (y.ndim - 1) + (-1,))


def _matmul(x: Array, y: Array) -> Array:
    return _dot(x, y, **_as_dot(x.ndim))


def _nhwc(x: Array) -> Array:
    return jnp.transpose(x, (0, 2, 3, 1))


def _nchw(x: Array) -> Array:
    return jnp.transpose(x, (0, 3, 1, 2))


def _hwio(k: Array) -> Array:
    return jnp.transpose(k, (2, 3, 1, 0))


def _oihw(k: Array) -> Array:
    return jnp.transpose(k, (3, 2, 0, 1))


def _conv2d(x: Array, weight: Array, bias: Array | None = None, **attrs: Any) -> Array:
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


def _conv2d_dx(g: Array, weight: Array, *, size: Pair, **attrs: Any) -> Array:
    kernel = weight.shape[2:]
    dx = _convolution.conv_dx_p.bind(_nhwc(g), _hwio(weight), size=size, kernel=kernel, **attrs)
    return _nchw(dx)


def _conv2d_dk(x: Array, g: Array, *, size: Pair, **attrs: Any) -> Array:
    image = x.shape[2:]
    dk = _convolution.conv_dk_p.bind(_nhwc(x), _nhwc(g), size=image, kernel=size, **attrs)
    return _oihw(dk)


# --- twins in NumPy, for float64 and for Python integers


def _dot_twin(x: Array, y: Array, *, contract: Pairs, batch: Pairs) -> Array:
    """Axes in the order batch, free, contracted, then one product of matrices."""
    a, free_x = _matrix(x, contract[0], batch[0])
    b, free_y = _matrix(y, contract[1], batch[1])
    kept = tuple(x.shape[i] for i in batch[0])
    return np.matmul(a, np.swapaxes(b, -1, -2)).reshape(kept + free_x + free_y)


def _matrix(x: Array, contract: Dims, batch: Dims) -> tuple[Array, Dims]:
    free = tuple(i for i in range(x.ndim) if i not in contract + batch)
    sizes = tuple(x.shape[i] for i in free)
    terms = math.prod(x.shape[i] for i in contract)
    flat = (*(x.shape[i] for i in batch), math.prod(sizes), terms)
    return np.transpose(x, batch + free + contract).reshape(flat), sizes


def _linear_twin(x: Array, weight: Array) -> Array:
    return np.matmul(x, weight.T)


def _framed(x: Array, padding: Frame) -> Array:
    ((top, bottom), (left, right)), (n, c, h, w) = padding, x.shape
    y = np.zeros((n, c, top + h + bottom, left + w + right), x.dtype)
    y[:, :, top : top + h, left : left + w] = x
    return y


def _taps(kernel: Dims, out: Dims, stride: Pair, dilation: Pair) -> Iterator[tuple[int, int, Any]]:
    """For each entry (i, j) of a kernel, the places of a padded image that it meets."""
    for i, j in np.ndindex(*kernel):
        corner = (i * dilation[0], j * dilation[1])
        rows, cols = (
            slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(corner, out, stride, strict=True)
        )
        yield i, j, (slice(None), slice(None), rows, cols)


def _grouped(x: Array, axis: int, groups: int) -> list[Array]:
    return np.split(x, groups, axis=axis)


def _conv2d_twin(
    x: Array, weight: Array, *, stride: Pair, padding: Frame, dilation: Pair, groups: int
) -> Array:
    """Each group: all windows of the padded image against all kernels."""
    parts = zip(_grouped(_framed(x, padding), 1, groups), _grouped(weight, 0, groups), strict=True)
    return np.concatenate([_conv_group(a, k, stride, dilation) for a, k in parts], axis=1)


def _conv_group(x: Array, k: Array, stride: Pair, dilation: Pair) -> Array:
    reach = tuple(d * (n - 1) + 1 for d, n in zip(dilation, k.shape[2:], strict=True))
    cut = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    cut = cut[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    return np.moveaxis(np.tensordot(cut, k, axes=((1, 4, 5), (1, 2, 3))), -1, 1)


def _conv2d_dx_twin(
    g: Array, weight: Array, *, size: Pair, stride: Pair, padding: Frame, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
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
    x: Array, g: Array, *, size: Pair, stride: Pair, padding: Frame, dilation: Pair, groups: int
) -> Array:
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

dot = bilinear("dot", _dot_shape, Product(_dot, _dot_twin, _dot_terms))
linear = biased(
    "linear",
    _linear_shape,
    _linear,
    Product(_linear, _linear_twin, terms=lambda x, weight: x[-1]),
    spread=lambda bias, rank: bias.reshape((1,) * (rank - 1) + (-1,)),
)
matmul = bilinear("matmul", _matmul_shape, Product(_matmul, np.matmul, terms=lambda x, y: x[-1]))
conv2d = biased("conv2d", _conv2d_shape, _conv2d, _CONV, spread=_per_channel)
conv2d_dx = bilinear("conv2d_dx", _conv2d_dx_shape, _CONV_DX)
conv2d_dk = bilinear("conv2d_dk", _conv2d_dk_shape, _CONV_DK)
