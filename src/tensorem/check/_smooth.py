"""Ops of smooth functions, by the steps that do the same: curves, products, sums."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from ._call import Applied, Value
from ._curves import FUNCTIONS
from ._numbers import Array, Enclosure, bounds, exactly, inverse
from ._ops import Rule, affine_of, constant, product_of, scaled, smooth


def _curve(kind: str, c: Applied) -> Value:
    return smooth(c, c.xs[0], kind)


def _gelu(c: Applied) -> Value:
    if c.node.attrs["approximate"] != "none":
        raise c.unsupported("it is known as x Phi(x) alone")
    return smooth(c, c.xs[0], "gelu")


def _pow_int(c: Applied) -> Value:
    exponent = c.node.attrs["exponent"]
    c.require(type(exponent) is int, "an integer as `exponent`")
    kind = {1: "", 2: "square", -1: "reciprocal"}.get(exponent)
    if kind is None:
        raise c.unsupported("its exponent is not -1, 1 or 2")
    return smooth(c, c.xs[0], kind) if kind else c.xs[0]


# --- softmax


def _softmax(c: Applied) -> Value:
    """1 / s, for s = 1 + the sum of exp(x_j - x_i) over all j other than i."""
    return _shares(c, "reciprocal", 1)


def _log_softmax(c: Applied) -> Value:
    """-log s."""
    return _shares(c, "log", -1)


def _shares(c: Applied, kind: str, sign: int) -> Value:
    x, rank = c.xs[0], len(c.xs[0].shape)
    (dim,) = c.axes([c.node.attrs["dim"]], "dim", rank)
    count, places = x.shape[dim], math.prod(x.shape)
    if count == 1:
        return constant(c, x.shape, 1 if sign > 0 else 0)
    c.draft.spend(3 * places * (count - 1))
    others = np.array([[j for j in range(count) if j != i] for i in range(count)])
    own = np.repeat(np.arange(count)[:, None], count - 1, axis=1)

    def pairs(v: Array) -> Array:
        last = np.moveaxis(v, dim, -1)
        return np.stack([last[..., others], last[..., own]], axis=-1).reshape(1, -1, 2)

    apart = affine_of(c, c.move(pairs, x), constant(c, (1, 2, 1), [[[1], [-1]]]))
    powers = c.move(lambda v: v.reshape(1, places, -1), smooth(c, apart, "exp"))
    ones = constant(c, (1, count - 1, 1), 1)
    y = smooth(c, affine_of(c, powers, ones, constant(c, (1, 1, 1), 1)), kind)
    y = y if sign > 0 else scaled(c, y, constant(c, y.shape, sign))
    shape = (*x.shape[:dim], *x.shape[dim + 1 :], count)
    return c.move(lambda v: np.moveaxis(v.reshape(shape), -1, dim), y)


# --- norms


def _layer_norm(c: Applied) -> Value:
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last axes."""
    size, bias = _normed_size(c), c.constant(2)
    share = inverse(constant(c, (1, size, size), size), c.arithmetic)
    own, a = c.arithmetic.numbers(np.eye(size)), c.arithmetic
    off_mean = bounds(-a.up(share.upper - own), a.up(own - share.lower), a)
    rows = c.move(lambda v: v.reshape(1, -1, size), c.xs[0])
    return _rooted(c, affine_of(c, rows, off_mean), bias)


def _rms_norm(c: Applied) -> Value:
    """x / sqrt(mean of squares + eps) * weight, over the last axes."""
    size = _normed_size(c)
    rows = c.move(lambda v: v.reshape(1, -1, size), c.xs[0])
    return _rooted(c, rows, constant(c, (size,), 0))


def _normed_size(c: Applied) -> int:
    x, count = c.xs[0], c.node.attrs["ndim"]
    c.require(type(count) is int and 1 <= count <= len(x.shape), "axes to norm as `ndim`")
    rest = [c.constant(i).shape for i in range(1, len(c.xs))]
    c.require(all(shape == x.shape[-count:] for shape in rest), "parameters of the normed axes")
    return math.prod(x.shape[-count:])


def _rooted(c: Applied, x: Value, bias: Enclosure) -> Value:
    """Rows (1, places, size) over the roots of their mean squares, scaled and moved."""
    _, places, size = shape = x.shape
    eps = exactly(np.full((1, 1, 1), float(c.number("eps"))), c.arithmetic)
    share = inverse(constant(c, (1, size, 1), size), c.arithmetic)
    root = smooth(c, affine_of(c, smooth(c, x, "square"), share, eps), "rsqrt")
    wide = c.move(lambda v: np.broadcast_to(v.reshape(1, places, 1), shape), root)
    flat = c.move(lambda v: v.reshape(-1, 1, 1), product_of(c, x, wide))
    factor, offset = (
        p.map(lambda v: np.broadcast_to(v.ravel(), (places, size)).reshape(-1, 1, 1))
        for p in (c.constant(1), bias)
    )
    return c.move(lambda v: v.reshape(c.xs[0].shape), affine_of(c, flat, factor, offset))


OPS: dict[str, Rule] = {
    **{
        kind: (partial(_curve, kind), (1,), set())
        for kind in FUNCTIONS.keys() - {"gelu", "reciprocal"}
    },
    "gelu": (_gelu, (1,), {"approximate"}),
    "layer_norm": (_layer_norm, (3,), {"ndim", "eps"}),
    "log_softmax": (_log_softmax, (1,), {"dim"}),
    "pow_int": (_pow_int, (1,), {"exponent"}),
    "rms_norm": (_rms_norm, (2,), {"ndim", "eps"}),
    "softmax": (_softmax, (1,), {"dim"}),
}
"""As the OPS of `_ops`."""
