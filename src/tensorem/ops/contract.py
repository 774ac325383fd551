"""Products summed over axes: dot, linear, matmul, convolution and its transposes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
from jax import lax

from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import conv_size, format_shape, same_size

from . import _convolution, _specs
from ._derive import row

Array = Any
Dims = tuple[int, ...]
Pair = tuple[int, int]
Pairs = tuple[Dims, Dims]


# --- shapes


def _dot_shape(x: Any, y: Any, *, contract: Pairs, batch: Pairs) -> Any:
    for i, j in (*zip(*contract, strict=True), *zip(*batch, strict=True)):
        if same_size(x.shape[i], y.shape[j]) is False:
            raise ShapeError(
                f"takes equal sizes on axes {i} and {j}, got {format_shape(x.shape)} and "
                f"{format_shape(y.shape)}."
            )
    kept = tuple(x.shape[i] for i in batch[0])
    free = (_free(x.shape, contract[0] + batch[0]), _free(y.shape, contract[1] + batch[1]))
    return replace(x, shape=kept + free[0] + free[1])


def _free(shape: tuple[Any, ...], used: Dims) -> tuple[Any, ...]:
    return tuple(n for i, n in enumerate(shape) if i not in used)


def _linear_shape(x: Any, weight: Any, bias: Any = None) -> Any:
    _specs.rank(weight, 2)
    if not x.shape or same_size(x.shape[-1], weight.shape[1]) is False:
        takes = format_shape(("*batch", weight.shape[1]))
        raise ShapeError(f"takes {takes}, got {format_shape(x.shape)}.")
    _bias(bias, weight.shape[0])
    return replace(x, shape=(*x.shape[:-1], weight.shape[0]))


def _bias(bias: Any, size: Any) -> None:
    if bias is not None:
        _specs.require_equal(bias.shape, (size,))


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
    x: Any, weight: Any, bias: Any = None, *, stride: Pair, padding: Pair, dilation: Pair,
    groups: int,
) -> Any:  # fmt: skip
    _specs.rank(x, 4)
    _specs.rank(weight, 4)
    out, per_group, *kernel = weight.shape
    _groups(out, groups)
    if same_size(x.shape[1], per_group * groups) is False:
        takes = format_shape(("N", per_group * groups, "H", "W"))
        raise ShapeError(f"takes {takes}, got {format_shape(x.shape)}.")
    _bias(bias, out)
    sizes = [
        conv_size(n, k, s, p, d)
        for n, k, s, p, d in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)
    ]
    return replace(x, shape=(x.shape[0], out, *sizes))


def _groups(out: int, groups: int) -> None:
    if groups < 1 or out % groups:
        raise ArgumentError(f"takes groups that divide {out} output channels, got {groups}.")


def _conv2d_dx_shape(
    g: Any, weight: Any, *, size: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    image = replace(g, shape=(g.shape[0], weight.shape[1] * groups, *size))
    attrs: dict[str, Any] = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    _specs.require_equal(_conv2d_shape(image, weight, **attrs).shape, g.shape)
    return image


def _conv2d_dk_shape(
    x: Any, g: Any, *, size: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    weight = replace(x, shape=(g.shape[1], x.shape[1] // groups, *size))
    attrs: dict[str, Any] = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    _specs.require_equal(_conv2d_shape(x, weight, **attrs).shape, g.shape)
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
    y = _nchw(_convolution.conv(_nhwc(x), _hwio(weight), **attrs))
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


def _conv2d_dx(g: Array, weight: Array, *, size: Pair, **attrs: Any) -> Array:
    kernel = weight.shape[2:]
    dx = _convolution.conv_dx_p.bind(_nhwc(g), _hwio(weight), size=size, kernel=kernel, **attrs)
    return _nchw(dx)


def _conv2d_dk(x: Array, g: Array, *, size: Pair, **attrs: Any) -> Array:
    image = x.shape[2:]
    dk = _convolution.conv_dk_p.bind(_nhwc(x), _nhwc(g), size=image, kernel=size, **attrs)
    return _oihw(dk)


dot = row("dot", 2, _dot_shape, _dot)
linear = row("linear", (2, 3), _linear_shape, _linear)
matmul = row("matmul", 2, _matmul_shape, _matmul)
conv2d = row("conv2d", (2, 3), _conv2d_shape, _conv2d)
conv2d_dx = row("conv2d_dx", 2, _conv2d_dx_shape, _conv2d_dx)
conv2d_dk = row("conv2d_dk", 2, _conv2d_dk_shape, _conv2d_dk)
