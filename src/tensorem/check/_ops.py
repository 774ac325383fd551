"""What every op means: shapes recomputed and compared, then the steps that do the same.

An op that only moves entries is performed on the array of their positions, so that NumPy's own
reshape, transpose and slicing state its meaning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._call import Applied, Value
from ._curves import PIECES
from ._graph import Shape, sizes
from ._numbers import Array, Enclosure, above, bounds, exactly, inverse, inverse_root, product
from ._steps import Max, Product, Relu, Smooth, affine

# --- ops that move entries


def _reshape(c: Applied) -> Value:
    shape = c.expect(sizes(c.node.attrs["shape"]))
    c.require(math.prod(shape) == math.prod(c.xs[0].shape), "a shape of as many entries")
    return c.move(lambda x: x.reshape(shape))


def _cast(c: Applied) -> Value:
    if c.node.attrs["dtype"] != "float32":
        raise c.unsupported(f"a cast to {str(c.node.attrs['dtype'])[:40]}")
    return c.xs[0]


def _permute(c: Applied) -> Value:
    dims = c.dims()
    c.require(len(dims) == len(c.xs[0].shape), "every axis as `dims`")
    return c.move(lambda x: x.transpose(dims))


def _broadcast(c: Applied) -> Value:
    old, new = c.xs[0].shape, c.expect(sizes(c.node.attrs["shape"]))
    dims = c.axes(c.node.attrs["dims"], "dims", len(new))
    c.require(len(dims) == len(old) and list(dims) == sorted(dims), "one rising axis per axis")
    c.require(all(n in (1, new[d]) for n, d in zip(old, dims, strict=True)), "sizes that fit")
    spread = [1] * len(new)
    for n, d in zip(old, dims, strict=True):
        spread[d] = n
    return c.move(lambda x: np.broadcast_to(x.reshape(spread), new))


def _concat(c: Applied) -> Value:
    first = c.xs[0].shape
    (d,) = c.axes([c.node.attrs["dim"]], "dim", len(first))
    rest = [(len(x.shape), x.shape[:d], x.shape[d + 1 :]) for x in c.xs]
    c.require(all(r == rest[0] for r in rest), "sizes that fit")
    return c.move(lambda *xs: np.concatenate(xs, axis=d))


def _slice(c: Applied) -> Value:
    old, rank = c.xs[0].shape, len(c.xs[0].shape)
    start, stop = sizes(c.node.attrs["start"]), sizes(c.node.attrs["stop"])
    step = c.integers("step", rank, 1)
    c.require(len(start) == len(stop) == rank, "one `start` and one `stop` per axis")
    c.require(all(0 <= a < b <= n for a, b, n in zip(start, stop, old, strict=True)), "a part of x")
    return c.move(lambda x: x[tuple(map(slice, start, stop, step))])


def _pad(c: Applied) -> Value:
    old, rank = c.xs[0].shape, len(c.xs[0].shape)
    low, high, interior = (c.integers(name, rank) for name in ("low", "high", "interior"))
    c.require(c.xs[1].shape == (), "one number to pad with")
    sides = list(zip(old, low, high, interior, strict=True))
    c.expect([n + (n - 1) * i + a + b for n, a, b, i in sides])
    inner = tuple(slice(a, a + (n - 1) * (i + 1) + 1, i + 1) for n, a, _, i in sides)
    return c.move(lambda x, fill: _framed(x, fill, c.shape, inner))


def _framed(x: Array, fill: object, shape: Shape, inner: tuple[slice, ...]) -> Array:
    whole = np.full(shape, fill, x.dtype)
    whole[inner] = x
    return whole


# --- ops that add and scale entries


def affine_of(c: Applied, x: Value, weight: Enclosure, bias: Enclosure | None = None) -> Value:
    """x @ weight + bias over the last axis, for x of shape (B, P, K) and weight (B, K, O)."""
    (batch, places, k), out = x.shape, weight.shape[2]
    c.draft.spend_work(places * weight.lower.size)
    c.draft.spend(batch * places * (k + out))
    offset = bias or exactly(np.zeros((1, 1, 1)), c.arithmetic)
    shape = (batch, places, out)
    return c.draft.apply(lambda r: affine(r, places, weight, offset, c.arithmetic), x, shape)


def constant(c: Applied, shape: Shape, values: ArrayLike) -> Enclosure:
    return exactly(np.broadcast_to(np.asarray(values, np.float64), shape), c.arithmetic)


def _sum_of(c: Applied, signs: tuple[int, ...]) -> Value:
    """The sum of signed operands; a constant beside one that depends on the input is a bias."""
    shape = c.xs[0].shape
    c.require(all(x.shape == shape for x in c.xs), "operands of one shape")
    terms = sorted(zip(c.xs, signs, strict=True), key=lambda term: isinstance(term[0], Enclosure))
    bias = terms.pop() if len(terms) > 1 and isinstance(terms[-1][0], Enclosure) else None
    x = c.move(lambda *xs: np.stack([x.ravel() for x in xs], axis=1)[None], *(x for x, _ in terms))
    weight = constant(c, (1, len(terms), 1), [[[sign] for _, sign in terms]])
    return c.move(lambda y: y.reshape(shape), affine_of(c, x, weight, bias and _signed(c, *bias)))


def _signed(c: Applied, x: Value, sign: int) -> Enclosure:
    assert isinstance(x, Enclosure)
    lower, upper = (x.lower, x.upper) if sign > 0 else (-x.upper, -x.lower)
    return bounds(lower.reshape(1, -1, 1), upper.reshape(1, -1, 1), c.arithmetic)


def scaled(c: Applied, x: Value, factor: Enclosure) -> Value:
    c.require(x.shape == factor.shape, "operands of one shape")
    rows = c.move(lambda v: v.reshape(-1, 1, 1), x)
    y = affine_of(c, rows, factor.map(lambda f: f.reshape(-1, 1, 1)))
    return c.move(lambda v: v.reshape(x.shape), y)


def product_of(c: Applied, x: Value, y: Value) -> Value:
    """x * y, entry by entry; a bend where both depend on the input."""
    if isinstance(y, Enclosure):
        return scaled(c, x, y)
    if isinstance(x, Enclosure):
        return scaled(c, y, x)
    c.require(x.shape == y.shape, "operands of one shape")
    if np.array_equal(x, y):
        return smooth(c, x, "square")
    both = c.move(lambda *factors: np.stack(factors), x, y)
    return c.draft.apply(Product, both, x.shape)


def smooth(c: Applied, x: Value, kind: str) -> Value:
    """A function of `_curves`, entry by entry."""
    c.draft.spend(PIECES * math.prod(x.shape))
    return c.draft.apply(lambda r: Smooth(r, kind), x, x.shape)


def _div(c: Applied) -> Value:
    x, y = c.xs
    if not isinstance(y, Enclosure):
        return product_of(c, x, smooth(c, y, "reciprocal"))
    if not bool(np.all((y.lower > 0) | (y.upper < 0))):
        raise c.unsupported("a divisor may be zero")
    return scaled(c, x, inverse(y, c.arithmetic))


def _batch_norm(c: Applied) -> Value:
    """x * factor + (bias - mean * factor), where the factor is weight / sqrt(var + eps)."""
    c.require(len(c.xs[0].shape) >= 2, "channels on axis 1")
    (n, channels, *places), a = c.xs[0].shape, c.arithmetic
    weight, bias, mean, var = (c.constant(i) for i in range(1, 5))
    fits = all(p.shape == (channels,) for p in (weight, bias, mean, var))
    c.require(fits, "one parameter per channel")
    eps = c.number("eps")
    shifted = bounds(-a.up(above(-eps, a) - var.lower), a.up(var.upper + above(eps, a)), a)
    if not bool(np.all(shifted.lower > 0)):
        raise c.unsupported("var + eps is not positive")
    factor = product(weight, inverse_root(shifted, a), a)
    moved = product(mean, factor, a)
    offset = bounds(-a.up(moved.upper - bias.lower), a.up(bias.upper - moved.lower), a)
    rows = c.move(lambda x: x.swapaxes(0, 1).reshape(channels, -1, 1), c.xs[0])
    y = affine_of(c, rows, *(p.map(lambda v: v.reshape(-1, 1, 1)) for p in (factor, offset)))
    return c.move(lambda y: y.reshape(channels, n, *places).swapaxes(0, 1), y)


# --- ops that contract axes


def _linear(c: Applied) -> Value:
    x, weight = c.xs[0], c.constant(1)
    c.require(len(weight.shape) == 2 and x.shape[-1:] == weight.shape[1:], "matching features")
    bias = c.constant(2) if len(c.xs) == 3 else None
    c.require(bias is None or bias.shape == weight.shape[:1], "one bias per output feature")
    rows = c.move(lambda v: v.reshape(1, -1, v.shape[-1]), x)
    y = affine_of(c, rows, weight.map(lambda w: w.T[None]), bias)
    return c.move(lambda v: v.reshape(*x.shape[:-1], -1), y)


def _dot(c: Applied) -> Value:
    contract, batch = c.node.attrs["contract"], c.node.attrs["batch"]
    pairs = [isinstance(p, list) and len(p) == 2 for p in (contract, batch)]
    c.require(all(pairs), "pairs as `contract` and `batch`")
    return _contract(c, contract, batch)


def _matmul(c: Applied) -> Value:
    rank = len(c.xs[0].shape)
    c.require(rank >= 2 and len(c.xs[1].shape) == rank, "operands of one rank, at least 2")
    lead = list(range(rank - 2))
    return _contract(c, [[rank - 1], [rank - 2]], [lead, lead])


Pair = Sequence[object]
"""Axes of the first and of the second operand, as JSON has them."""


def _contract(c: Applied, contract: Pair, batch: Pair) -> Value:
    """dot_general: result axes are batch, free of x, free of y."""
    (x, x_free, lead, x_last), (y, y_free, y_lead, y_last) = (
        _matrix(c, i, contract[i], batch[i]) for i in (0, 1)
    )
    matching = lead == y_lead and x_last == y_last
    c.require(matching, "equal sizes on contracted and batch axes")
    if isinstance(y, Enclosure):
        z = affine_of(c, x, y.map(lambda w: w.swapaxes(1, 2)))
    elif isinstance(x, Enclosure):
        z = c.move(lambda v: v.swapaxes(1, 2), affine_of(c, y, x.map(lambda w: w.swapaxes(1, 2))))
    else:
        z = _products_summed(c, x, y)
    return c.move(lambda v: v.reshape(lead + x_free + y_free), z)


def _products_summed(c: Applied, x: Array, y: Array) -> Value:
    """x @ y.T for matrices (batch, free, contracted) that both depend on the input."""
    shape = (len(x), x.shape[1], y.shape[1], x.shape[2])
    c.draft.spend(2 * math.prod(shape))
    pairs = (np.broadcast_to(v, shape) for v in (x[:, :, None], y[:, None]))
    terms = product_of(c, *pairs)
    z = summed(c, c.move(lambda v: v.reshape(1, -1, shape[3]), terms), 1)
    return c.move(lambda v: v.reshape(shape[:3]), z)


def _matrix(c: Applied, i: int, contract: object, batch: object) -> tuple[Any, Shape, Shape, Shape]:
    """Operand i as (batch, free, contracted); its free, its batch and its contracted sizes."""
    shape = c.xs[i].shape
    lead, last = c.axes(batch, "batch", len(shape)), c.axes(contract, "contract", len(shape))
    c.require(not set(lead) & set(last), "an axis only once")
    free = tuple(d for d in range(len(shape)) if d not in lead + last)
    rest, batches, summed = (tuple(shape[d] for d in axes) for axes in (free, lead, last))
    whole = (math.prod(batches), -1, math.prod(summed))
    matrix = c.move(lambda x: x.transpose(lead + free + last).reshape(whole), c.xs[i])
    return matrix, rest, batches, summed


def _reduce(c: Applied, divided: bool) -> Value:
    old, dims = c.xs[0].shape, c.dims()
    kept = tuple(d for d in range(len(old)) if d not in dims)
    count = math.prod(old[d] for d in dims)
    rows = c.move(lambda x: x.transpose(kept + dims).reshape(1, -1, count))
    y = summed(c, rows, count if divided else 1)
    return c.move(lambda v: v.reshape([old[d] for d in kept]), y)


def summed(c: Applied, rows: Value, divisor: int) -> Value:
    """The sums over the last axis, divided."""
    weight = constant(c, (1, rows.shape[-1], 1), divisor)
    return affine_of(c, rows, inverse(weight, c.arithmetic) if divisor > 1 else weight)


# --- windows of an image


def _windows(c: Applied, kernel: Shape, dilation: Shape, image: Value, fill: Value) -> Value:
    """The windows of an image as (N, C, H', W', kh, kw); a padded cell reads the fill."""
    n, channels, *size = image.shape
    stride, padding = c.integers("stride", 2, 1), c.pairs("padding", 2)
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    padded = [a + n + b for n, (a, b) in zip(size, padding, strict=True)]
    c.require(all(s <= n for s, n in zip(span, padded, strict=True)), "a kernel inside the image")
    out = [(n - s) // t + 1 for n, s, t in zip(padded, span, stride, strict=True)]
    c.draft.spend(n * channels * (math.prod(padded) + math.prod(out) * math.prod(kernel)))
    inner = (
        slice(None),
        slice(None),
        *(slice(a, a + s) for (a, _), s in zip(padding, size, strict=True)),
    )
    (sh, sw), (dh, dw) = stride, dilation

    def cut(x: Array, fill: object) -> Array:
        whole = _framed(x, fill, (n, channels, *padded), inner)
        views = np.lib.stride_tricks.sliding_window_view(whole, span, (2, 3))
        return views[:, :, ::sh, ::sw, ::dh, ::dw]

    return c.move(cut, image, fill)


def _conv2d(c: Applied) -> Value:
    x, weight = c.xs[0], c.constant(1)
    c.require(len(x.shape) == 4 and len(weight.shape) == 4, "an image and a kernel of 4 axes")
    out, per_group, *kernel = weight.shape
    groups = c.node.attrs["groups"]
    c.require(type(groups) is int and groups >= 1 and out % groups == 0, "groups that divide")
    c.require(x.shape[1] == per_group * groups, "as many channels as the kernel reads")
    bias = c.constant(2) if len(c.xs) == 3 else None
    c.require(bias is None or bias.shape == (out,), "one bias per output channel")
    windows = _windows(c, tuple(kernel), c.integers("dilation", 2, 1), x, constant(c, (), 0))
    n, _, h, w = windows.shape[:4]
    split = (n, groups, per_group, h, w, -1)
    order, rows = (1, 0, 3, 4, 2, 5), (groups, n * h * w, -1)
    columns = weight.map(lambda k: k.reshape(groups, out // groups, -1).transpose(0, 2, 1))
    offset = bias and bias.map(lambda b: b.reshape(groups, 1, -1))
    x = c.move(lambda x: x.reshape(split).transpose(order).reshape(rows), windows)
    y = affine_of(c, x, columns, offset)
    back = (groups, n, h, w, -1)
    return c.move(lambda y: y.reshape(back).transpose(1, 0, 4, 2, 3).reshape(n, out, h, w), y)


def _pool(c: Applied, dilation: Shape, image: Value, fill: Value) -> Value:
    """The windows of an image as (N, C, H', W', cells)."""
    c.require(len(image.shape) == 4, "an image of 4 axes")
    windows = _windows(c, c.integers("kernel_size", 2, 1), dilation, image, fill)
    return c.move(lambda v: v.reshape(*v.shape[:4], -1), windows)


def _avg_pool2d(c: Applied) -> Value:
    divisor = c.node.attrs["divisor"]
    c.require(type(divisor) is int and 1 <= divisor < 2**31, "an integer from 1 on as `divisor`")
    windows = _pool(c, (1, 1), c.xs[0], constant(c, (), 0))
    *shape, count = windows.shape
    y = summed(c, c.move(lambda v: v.reshape(1, -1, count), windows), divisor)
    return c.move(lambda v: v.reshape(shape), y)


def _max_pool2d(c: Applied) -> Value:
    """A padded cell, which can never be the maximum, reads a cell of its window once more."""
    shape, dilation = c.xs[0].shape, c.integers("dilation", 2, 1)
    places = _pool(c, dilation, np.arange(math.prod(shape)).reshape(shape), np.array(-1))
    assert not isinstance(places, Enclosure)
    last = places.max(axis=-1, keepdims=True)
    c.require(bool(np.all(last >= 0)), "windows that meet the image")
    cells = np.where(places >= 0, places, last)
    inside = places.reshape(-1, places.shape[-1]) >= 0
    windows = c.move(lambda x: x.ravel()[cells])
    return c.draft.apply(lambda r: Max(r, inside, c.node.output), windows, places.shape[:-1])


# --- bends


def _leaky_relu(c: Applied) -> Value:
    leak = c.number("negative_slope")
    if not 0 <= leak <= 1:
        raise c.unsupported("its slope is not between 0 and 1")
    return _bend(c, float(leak))


def _bend(c: Applied, leak: float) -> Value:
    number = c.arithmetic.numbers(np.array([leak]))[0]
    return c.draft.apply(lambda r: Relu(r, number, c.node.output), c.xs[0], c.xs[0].shape)


Lowering = Callable[[Applied], Value]

_POOL = {"kernel_size", "stride", "padding"}

Rule = tuple[Lowering, tuple[int, ...], set[str]]

OPS: dict[str, Rule] = {
    "add": (lambda c: _sum_of(c, (1, 1)), (2,), set()),
    "avg_pool2d": (_avg_pool2d, (1,), {*_POOL, "divisor"}),
    "batch_norm": (_batch_norm, (5,), {"eps"}),
    "broadcast": (_broadcast, (1,), {"shape", "dims"}),
    "cast": (_cast, (1,), {"dtype"}),
    "concat": (_concat, (), {"dim"}),
    "conv2d": (_conv2d, (2, 3), {"stride", "padding", "dilation", "groups"}),
    "div": (_div, (2,), set()),
    "dot": (_dot, (2,), {"contract", "batch"}),
    "flip": (lambda c: c.move(lambda x: np.flip(x, c.dims())), (1,), {"dims"}),
    "leaky_relu": (_leaky_relu, (1,), {"negative_slope"}),
    "linear": (_linear, (2, 3), set()),
    "matmul": (_matmul, (2,), set()),
    "max_pool2d": (_max_pool2d, (1,), {*_POOL, "dilation"}),
    "mean": (lambda c: _reduce(c, True), (1,), {"dims"}),
    "mul": (lambda c: product_of(c, *c.xs), (2,), set()),
    "neg": (lambda c: _sum_of(c, (-1,)), (1,), set()),
    "pad": (_pad, (2,), {"low", "high", "interior"}),
    "permute": (_permute, (1,), {"dims"}),
    "relu": (lambda c: _bend(c, 0.0), (1,), set()),
    "reshape": (_reshape, (1,), {"shape"}),
    "slice": (_slice, (1,), {"start", "stop", "step"}),
    "stop_gradient": (lambda c: c.xs[0], (1,), set()),
    "sub": (lambda c: _sum_of(c, (1, -1)), (2,), set()),
    "sum": (lambda c: _reduce(c, False), (1,), {"dims"}),
}
"""Op -> its rule, the numbers of operands (none: any from 1), and the attributes that it takes."""
