"""What every op means: shapes recomputed and compared, then the steps that do the same.

An op that only moves entries is performed on the array of their positions, so that NumPy's own
reshape, transpose and slicing state its meaning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ._build import Value
from ._call import Call
from ._errors import UnsupportedError
from ._graph import Shape, sizes
from ._numbers import Arithmetic, Array, Constant, square_root, to_exact
from ._steps import Max, Relu, Step, Sum, affine, scale


def _positions(shape: Shape) -> Array:
    return np.arange(math.prod(shape)).reshape(shape)


# --- ops that move entries


def _reshape(c: Call) -> Value:
    c.expect(sizes(c.node.attrs["shape"]))
    c.require(math.prod(c.shape) == math.prod(c.xs[0].shape), "a shape of as many entries")
    return c.builder.gather(c.xs, _positions(c.shape))


def _same(c: Call) -> Value:
    c.expect(c.xs[0].shape)
    return c.xs[0]


def _cast(c: Call) -> Value:
    if c.node.attrs["dtype"] != "float32":
        raise UnsupportedError(f"a cast to {str(c.node.attrs['dtype'])[:40]}")
    return _same(c)


def _permute(c: Call) -> Value:
    old = c.xs[0].shape
    dims = c.axes("dims", len(old))
    c.require(len(dims) == len(old), "every axis as `dims`")
    c.expect([old[d] for d in dims])
    return c.builder.gather(c.xs, _positions(old).transpose(dims))


def _broadcast(c: Call) -> Value:
    old, new = c.xs[0].shape, c.expect(sizes(c.node.attrs["shape"]))
    dims = c.axes("dims", len(new))
    c.require(len(dims) == len(old) and list(dims) == sorted(dims), "one rising axis per axis")
    c.require(all(n in (1, new[d]) for n, d in zip(old, dims, strict=True)), "sizes that fit")
    spread = [1] * len(new)
    for n, d in zip(old, dims, strict=True):
        spread[d] = n
    return c.builder.gather(c.xs, np.broadcast_to(_positions(old).reshape(spread), new))


def _concat(c: Call) -> Value:
    first = c.xs[0].shape
    (d,) = c.distinct_axes([c.node.attrs["dim"]], "dim", len(first))
    for x in c.xs:
        c.require(len(x.shape) == len(first), "operands of one rank")
        c.require(x.shape[:d] + x.shape[d + 1 :] == first[:d] + first[d + 1 :], "sizes that fit")
    c.expect([*first[:d], sum(x.shape[d] for x in c.xs), *first[d + 1 :]])
    starts = np.cumsum([0, *(math.prod(x.shape) for x in c.xs)])
    parts = [_positions(x.shape) + s for x, s in zip(c.xs, starts[:-1], strict=True)]
    return c.builder.gather(c.xs, np.concatenate(parts, axis=d))


def _slice(c: Call) -> Value:
    old, rank = c.xs[0].shape, len(c.xs[0].shape)
    start, stop = sizes(c.node.attrs["start"]), sizes(c.node.attrs["stop"])
    step = c.integers("step", rank, 1)
    c.require(len(start) == len(stop) == rank, "one `start` and one `stop` per axis")
    c.require(all(0 <= a < b <= n for a, b, n in zip(start, stop, old, strict=True)), "a part of x")
    cut = tuple(slice(a, b, s) for a, b, s in zip(start, stop, step, strict=True))
    c.builder.spend(math.prod(old))
    index = _positions(old)[cut]
    c.expect(index.shape)
    return c.builder.gather(c.xs, index)


def _pad(c: Call) -> Value:
    old, rank = c.xs[0].shape, len(c.xs[0].shape)
    low, high, interior = (c.integers(name, rank) for name in ("low", "high", "interior"))
    c.require(c.xs[1].shape == (), "one number to pad with")
    sides = list(zip(old, low, high, interior, strict=True))
    index = np.full(c.expect([n + (n - 1) * i + a + b for n, a, b, i in sides]), math.prod(old))
    inner = tuple(slice(a, a + (n - 1) * (i + 1) + 1, i + 1) for n, a, _, i in sides)
    index[inner] = _positions(old)
    return c.builder.gather(c.xs, index)


def _flip(c: Call) -> Value:
    old = c.expect(c.xs[0].shape)
    return c.builder.gather(c.xs, np.flip(_positions(old), c.axes("dims", len(old))))


# --- ops that add and scale entries


def _sum_of(c: Call, signs: tuple[int, ...]) -> Value:
    for x in c.xs:
        c.expect(x.shape)
    return c.builder.apply(lambda _, read: Sum(read, signs), c.xs, c.shape)


def _product(c: Call, x: Value, factor: Constant) -> Value:
    c.expect(x.shape)
    c.expect(factor.shape)
    return c.builder.apply(lambda a, read: scale(read, factor, slice(None), a), [x], c.shape)


def _mul(c: Call) -> Value:
    if isinstance(c.xs[0], Constant):
        return _product(c, c.xs[1], c.xs[0])
    return _product(c, c.xs[0], c.constant(1))


def _div(c: Call) -> Value:
    return _product(c, c.xs[0], _reciprocal(c.constant(1), c))


def _reciprocal(x: Constant, c: Call) -> Constant:
    c.builder.spend_exact(x.lower.size)
    low, high = to_exact(x.lower.ravel()), to_exact(x.upper.ravel())
    if not bool(np.all((low > 0) | (high < 0))):
        raise UnsupportedError(f"op `{c.node.op}` of `{c.node.output}`: a divisor may be zero")
    return Constant((1 / high).reshape(x.shape), (1 / low).reshape(x.shape))


# --- ops that contract axes


def _affine(
    c: Call, x: Value, index: Array, weight: Constant, bias: Constant | None = None
) -> Value:
    """x[index] @ weight + bias over the last axis; index of shape (B, P, K), weight (B, K, O)."""
    batch, places = index.shape[:2]
    shape = (batch, places, weight.shape[2])
    if places * weight.lower.size > c.builder.arithmetic.work_limit:
        raise UnsupportedError(
            f"op `{c.node.op}` of `{c.node.output}` takes too many multiplications"
        )
    zero = Constant(np.zeros(1), np.zeros(1))
    size = math.prod(x.shape)
    sources = [x] if int(index.max()) < size else [x, zero]
    rows = c.builder.gather(sources, index)
    offset = bias or zero
    work = places * weight.lower.size
    return c.builder.apply(
        lambda a, read: affine(read, places, weight, offset, a), [rows], shape, work
    )


def _moved(x: Constant, change: Callable[[Array], Array]) -> Constant:
    return Constant(change(x.lower), change(x.upper))


def _linear(c: Call) -> Value:
    x, weight = c.xs[0], c.constant(1)
    c.require(len(weight.shape) == 2 and x.shape[-1:] == weight.shape[1:], "matching features")
    bias = c.constant(2) if len(c.xs) == 3 else None
    c.require(bias is None or bias.shape == weight.shape[:1], "one bias per output feature")
    c.expect((*x.shape[:-1], weight.shape[0]))
    index = _positions(x.shape).reshape(1, -1, x.shape[-1])
    return _to(c, _affine(c, x, index, _moved(weight, lambda w: w.T[None]), bias))


def _to(c: Call, value: Value, shape: Shape | None = None, dims: Sequence[int] = ()) -> Value:
    """A value read in another shape, its axes then permuted, as the result."""
    index = _positions(shape or c.shape)
    index = index.transpose(dims) if dims else index
    return c.builder.gather([value], index.reshape(c.shape))


def _dot(c: Call) -> Value:
    contract, batch = c.node.attrs["contract"], c.node.attrs["batch"]
    pairs = [isinstance(p, list) and len(p) == 2 for p in (contract, batch)]
    c.require(all(pairs), "pairs as `contract` and `batch`")
    return _contract(c, contract, batch)


def _matmul(c: Call) -> Value:
    rank = len(c.xs[0].shape)
    c.require(rank >= 2 and len(c.xs[1].shape) == rank, "operands of one rank, at least 2")
    lead = list(range(rank - 2))
    return _contract(c, [[rank - 1], [rank - 2]], [lead, lead])


def _contract(c: Call, contract: Any, batch: Any) -> Value:
    """dot_general with one constant side: result axes are batch, free of x, free of y."""
    plans = [_plan(c, i, contract[i], batch[i]) for i in (0, 1)]
    (x, x_free, x_sizes), (y, y_free, y_sizes) = plans
    c.require(x_sizes == y_sizes, "equal sizes on contracted and batch axes")
    lead = tuple(x_sizes[: len(batch[0])])
    c.expect(lead + x_free + y_free)
    if isinstance(c.xs[1], Constant):
        weight = _moved(c.xs[1], lambda w: w.ravel()[y].transpose(0, 2, 1))
        return _to(c, _affine(c, c.xs[0], x, weight))
    weight = _moved(c.constant(0), lambda w: w.ravel()[x].transpose(0, 2, 1))
    value = _affine(c, c.xs[1], y, weight)
    return _to(c, value, (len(x), math.prod(y_free), math.prod(x_free)), (0, 2, 1))


def _plan(c: Call, i: int, contract: Any, batch: Any) -> tuple[Array, Shape, list[int]]:
    """Positions as (batch, free, contracted); the free sizes; the batch and contracted sizes."""
    shape = c.xs[i].shape
    used = (
        c.distinct_axes(batch, "batch", len(shape)),
        c.distinct_axes(contract, "contract", len(shape)),
    )
    c.require(not set(used[0]) & set(used[1]), "an axis only once")
    free = tuple(d for d in range(len(shape)) if d not in used[0] + used[1])
    index = _positions(shape).transpose(used[0] + free + used[1])
    lead = math.prod(shape[d] for d in used[0])
    last = math.prod(shape[d] for d in used[1])
    matched = [shape[d] for d in used[0] + used[1]]
    return index.reshape(lead, -1, last), tuple(shape[d] for d in free), matched


def _mean(c: Call) -> Value:
    dims = c.axes("dims", len(c.xs[0].shape))
    return _reduce(c, dims, Fraction(1, math.prod(c.xs[0].shape[d] for d in dims)))


def _sum(c: Call) -> Value:
    return _reduce(c, c.axes("dims", len(c.xs[0].shape)), Fraction(1))


def _reduce(c: Call, dims: Shape, factor: Fraction) -> Value:
    old = c.xs[0].shape
    kept = tuple(d for d in range(len(old)) if d not in dims)
    c.expect([old[d] for d in kept])
    count = math.prod(old[d] for d in dims)
    index = _positions(old).transpose(kept + dims).reshape(1, -1, count)
    return _to(c, _affine(c, c.xs[0], index, _repeated(c, factor, count)))


def _repeated(c: Call, factor: Fraction, count: int) -> Constant:
    if factor == 1:
        return Constant(np.ones((1, count, 1)), np.ones((1, count, 1)))
    c.builder.spend_exact(count)
    weight = np.full((1, count, 1), factor, object)
    return Constant(weight, weight)


# --- windows of an image


def _windows(c: Call, shape: Shape, kernel: Shape, dilation: Shape, outside: int) -> Array:
    """Positions as (N, C, H', W', kh, kw); a padded cell has the position `outside`."""
    stride, (ph, pw) = c.integers("stride", 2, 1), c.integers("padding", 2)
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    padded = [n + 2 * p for n, p in zip(shape[2:], (ph, pw), strict=True)]
    c.require(all(s <= n for s, n in zip(span, padded, strict=True)), "a kernel inside the image")
    out = [(n - s) // t + 1 for n, s, t in zip(padded, span, stride, strict=True)]
    c.builder.spend(math.prod(shape[:2]) * (math.prod(padded) + math.prod(out) * math.prod(kernel)))
    image = np.full((*shape[:2], *padded), outside)
    image[:, :, ph : ph + shape[2], pw : pw + shape[3]] = _positions(shape)
    views = np.lib.stride_tricks.sliding_window_view(image, span, (2, 3))
    (sh, sw), (dh, dw) = stride, dilation
    return views[:, :, ::sh, ::sw, ::dh, ::dw]


def _conv2d(c: Call) -> Value:
    x, weight = c.xs[0], c.constant(1)
    c.require(len(x.shape) == 4 and len(weight.shape) == 4, "an image and a kernel of 4 axes")
    out, per_group, *kernel = weight.shape
    groups = c.node.attrs["groups"]
    c.require(type(groups) is int and groups >= 1 and out % groups == 0, "groups that divide")
    c.require(x.shape[1] == per_group * groups, "as many channels as the kernel reads")
    bias = c.constant(2) if len(c.xs) == 3 else None
    c.require(bias is None or bias.shape == (out,), "one bias per output channel")
    dilation = c.integers("dilation", 2, 1)
    index = _windows(c, x.shape, tuple(kernel), dilation, math.prod(x.shape))
    n, _, h, w = index.shape[:4]
    c.expect((n, out, h, w))
    rows = index.reshape(n, groups, per_group, h, w, -1).transpose(1, 0, 3, 4, 2, 5)
    flat = rows.reshape(groups, n * h * w, -1)
    columns = _moved(weight, lambda k: k.reshape(groups, out // groups, -1).transpose(0, 2, 1))
    offset = None if bias is None else _moved(bias, lambda b: b.reshape(groups, 1, -1))
    value = _affine(c, x, flat, columns, offset)
    return _to(c, value, (groups, n, h, w, out // groups), (1, 0, 4, 2, 3))


def _pool(c: Call, outside: int) -> Array:
    """Positions as (entries of the result, cells of its window)."""
    x = c.xs[0]
    c.require(len(x.shape) == 4, "an image of 4 axes")
    kernel = c.integers("kernel_size", 2, 1)
    padding = c.integers("padding", 2)
    c.require(all(2 * p <= k for p, k in zip(padding, kernel, strict=True)), "padding <= kernel/2")
    index = _windows(c, x.shape, kernel, (1, 1), outside)
    c.expect(index.shape[:4])
    return index.reshape(math.prod(c.shape), -1)


def _avg_pool2d(c: Call) -> Value:
    index = _pool(c, math.prod(c.xs[0].shape))
    count = index.shape[1]
    return _to(c, _affine(c, c.xs[0], index[None], _repeated(c, Fraction(1, count), count)))


def _max_pool2d(c: Call) -> Value:
    """A padded cell, which can never be the maximum, reads a cell of its window once more."""
    index = _pool(c, -1)
    inside = index >= 0
    windows = np.where(inside, index, index.max(axis=1, keepdims=True))
    cells = c.builder.gather(c.xs, windows)
    name = c.node.output
    return c.builder.apply(lambda _, read: Max(read, inside, name), [cells], c.shape)


# --- bends and normalisation


def _relu(c: Call) -> Value:
    return _leaky(c, Fraction(0))


def _leaky_relu(c: Call) -> Value:
    leak = c.number("negative_slope")
    if not 0 <= leak <= 1:
        raise UnsupportedError("a leaky_relu whose slope is not between 0 and 1")
    return _leaky(c, leak)


def _leaky(c: Call, leak: Fraction) -> Value:
    c.expect(c.xs[0].shape)

    def make(a: Arithmetic, read: tuple[int, ...]) -> Step:
        return Relu(read, a.numbers(np.asarray(float(leak)))[()], c.node.output)

    return c.builder.apply(make, c.xs, c.shape)


def _batch_norm(c: Call) -> Value:
    """(x - mean) * (weight / sqrt(var + eps)) + bias, the root enclosed by rationals."""
    shape = c.expect(c.xs[0].shape)
    weight, bias, mean, var = (c.constant(i) for i in range(1, 5))
    fits = all(p.shape == shape[1:2] for p in (weight, bias, mean, var))
    c.require(len(shape) >= 2 and fits, "one parameter per channel")
    per_channel = np.arange(mean.lower.size).reshape(1, -1, *[1] * (len(shape) - 2))
    channels = np.broadcast_to(per_channel, shape)
    factor = _normaliser(c, weight, var)
    apply, spread = c.builder.apply, [c.builder.gather([p], channels) for p in (mean, bias)]
    centred = apply(lambda _, r: Sum(r, (1, -1)), [c.xs[0], spread[0]], shape)
    scaled = apply(lambda a, r: scale(r, factor, channels.ravel(), a), [centred], shape)
    return apply(lambda _, r: Sum(r, (1, 1)), [scaled, spread[1]], shape)


def _normaliser(c: Call, weight: Constant, var: Constant) -> Constant:
    eps = c.number("eps")
    c.builder.spend_exact(var.lower.size)
    lows, highs = to_exact(var.lower) + eps, to_exact(var.upper) + eps
    if not bool(np.all(lows > 0)):
        raise UnsupportedError(f"op `batch_norm` of `{c.node.output}`: var + eps is not positive")
    roots = [_inverse_roots(highs, 0), _inverse_roots(lows, 1)]
    sides = [to_exact(weight.lower), to_exact(weight.upper)]
    ends = [side * root for side in sides for root in roots]
    return Constant(np.minimum.reduce(ends), np.maximum.reduce(ends))


def _inverse_roots(values: Array, end: int) -> Array:
    return np.array([square_root(1 / v)[end] for v in values])


Rule = Callable[[Call], Value]

_POOL = {"kernel_size", "stride", "padding"}

OPS: dict[str, tuple[Rule, tuple[int, ...], set[str]]] = {
    "add": (lambda c: _sum_of(c, (1, 1)), (2,), set()),
    "avg_pool2d": (_avg_pool2d, (1,), _POOL),
    "batch_norm": (_batch_norm, (5,), {"eps"}),
    "broadcast": (_broadcast, (1,), {"shape", "dims"}),
    "cast": (_cast, (1,), {"dtype"}),
    "concat": (_concat, (), {"dim"}),
    "conv2d": (_conv2d, (2, 3), {"stride", "padding", "dilation", "groups"}),
    "div": (_div, (2,), set()),
    "dot": (_dot, (2,), {"contract", "batch"}),
    "flip": (_flip, (1,), {"dims"}),
    "leaky_relu": (_leaky_relu, (1,), {"negative_slope"}),
    "linear": (_linear, (2, 3), set()),
    "matmul": (_matmul, (2,), set()),
    "max_pool2d": (_max_pool2d, (1,), _POOL),
    "mean": (_mean, (1,), {"dims"}),
    "mul": (_mul, (2,), set()),
    "neg": (lambda c: _sum_of(c, (-1,)), (1,), set()),
    "pad": (_pad, (2,), {"low", "high", "interior"}),
    "permute": (_permute, (1,), {"dims"}),
    "relu": (_relu, (1,), set()),
    "reshape": (_reshape, (1,), {"shape"}),
    "slice": (_slice, (1,), {"start", "stop", "step"}),
    "stop_gradient": (_same, (1,), set()),
    "sub": (lambda c: _sum_of(c, (1, -1)), (2,), set()),
    "sum": (_sum, (1,), {"dims"}),
}
"""Op -> its rule, the numbers of operands (none: any from 1), and the attributes that it takes."""
