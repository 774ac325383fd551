"""JAX's primitives as rows of the op table: what makes capture complete.

Named calls of our own ops are recognised before these rules are reached (`_capture`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from jax import lax

from tensorem import ops
from tensorem.dtypes import HALF
from tensorem.errors import CaptureError
from tensorem.graph import _indexing, _windows
from tensorem.graph._rule import Builder, Translation, ints, plain
from tensorem.ops import Op
from tensorem.shapes import broadcast_shapes, numel


def _entrywise(row: Op) -> Translation:
    """An op that is a primitive, entry by entry."""
    return lambda b, xs, p: b.node(row, *_equal_shapes(b, xs))


def _equal_shapes(b: Builder, xs: list[str]) -> list[str]:
    """JAX stretches scalars and axes of size one by itself; a row takes equal shapes."""
    shapes = [b.spec(x).shape for x in xs]
    wide: Any = ()
    for shape in shapes:
        wide = broadcast_shapes(wide, shape)
    return [
        _stretch(b, x, ints(wide), range(len(wide) - len(shape), len(wide)))
        for x, shape in zip(xs, shapes, strict=True)
    ]


def _stretch(b: Builder, x: str, shape: tuple[Any, ...], dims: Iterable[int]) -> str:
    """Axes of size one that grow are dropped first: a row's broadcast only adds axes."""
    own = ints(b.spec(x).shape)
    if own == shape:
        return x
    kept = [(n, d) for n, d in zip(own, dims, strict=True) if n == shape[d]]
    if len(kept) < len(own):
        x = b.node(ops.reshape, x, shape=tuple(n for n, _ in kept))
    return b.node(ops.broadcast, x, shape=shape, dims=tuple(d for _, d in kept))


def _attrs(row: Op, **names: str) -> Translation:
    """An op whose attributes are parameters of the equation under other names."""
    return lambda b, xs, p: b.node(row, *xs, **{ours: plain(p[jax]) for ours, jax in names.items()})


def _reshape(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    if p.get("dimensions") is not None:
        raise CaptureError(
            f"A captured reshape keeps the order of the axes, got dimensions={p['dimensions']}.",
            help="transpose first: jnp.transpose(x, dimensions).reshape(shape)",
        )
    return b.node(ops.reshape, xs[0], shape=ints(p["new_sizes"]))


def _squeeze(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    shape = b.spec(xs[0]).shape
    gone = {d % len(shape) for d in p["dimensions"]}
    return b.node(ops.reshape, xs[0], shape=ints(n for i, n in enumerate(shape) if i not in gone))


def _reduce_precision(b: Builder, xs: list[str], p: dict[str, Any]) -> str | None:
    """Rounding to bfloat16 is a cast there and back; others flush small numbers, casts do not."""
    if (p["exponent_bits"], p["mantissa_bits"]) != (8, 7):
        return None
    return b.node(ops.cast, b.node(ops.cast, xs[0], dtype="bfloat16"), dtype=b.spec(xs[0]).dtype)


def _broadcast(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    return _stretch(b, xs[0], ints(p["shape"]), ints(p["broadcast_dimensions"]))


def _slice(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    start = ints(p["start_indices"])
    step = ints(p["strides"]) if p["strides"] is not None else (1,) * len(start)
    return b.node(ops.slice, xs[0], start=start, stop=ints(p["limit_indices"]), step=step)


def _pad(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    low, high, interior = (ints(v) for v in zip(*p["padding_config"], strict=True))
    return b.node(ops.pad, *xs, low=low, high=high, interior=interior)


def _dot(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    (contract, batch) = p["dimension_numbers"]
    pairs = [tuple(ints(side) for side in both) for both in (contract, batch)]
    return b.node(ops.dot, *xs, contract=pairs[0], batch=pairs[1])


def _select(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    """A truth value chooses between two, an integer between several.

    Of a choice that no input decides only what is chosen stays: its other case may be NaN.
    """
    which, *cases = xs
    if isinstance(known := b.known(which), np.ndarray) and known.ndim == 0:
        return cases[int(known)]
    if b.spec(which).dtype == "bool":
        return b.node(ops.where, *_equal_shapes(b, [which, *reversed(cases)]))
    y = cases[-1]
    for i, case in reversed(list(enumerate(cases[:-1]))):
        number = b.constant(np.asarray(i, b.spec(which).dtype))
        is_it = b.node(ops.equal, *_equal_shapes(b, [which, number]))
        y = b.node(ops.where, *_equal_shapes(b, [is_it, case, y]))
    return y


def _clamp(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    low, x, high = _equal_shapes(b, xs)
    return b.node(ops.minimum, b.node(ops.maximum, x, low), high)


def _cast(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    dtype = np.dtype(p["new_dtype"]).name
    return xs[0] if b.spec(xs[0]).dtype == dtype else b.node(ops.cast, xs[0], dtype=dtype)


def _div(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    mean = _mean(b, *xs) if b.spec(xs[1]).shape == () else None
    return mean if mean is not None else b.node(ops.div, *_equal_shapes(b, xs))


def _mean(b: Builder, total: str, count: str) -> str | None:
    """A sum that is divided by the number of its terms, before it is moved or after.

    Floats of 16 bits are left as they are: a mean adds them up in float32.
    """
    node = b.maker(total)
    if node is None or node.body is not None or b.spec(total).dtype in HALF:
        return None
    x = node.inputs[0]
    if node.row.moves != "no" and len(node.inputs) == 1:
        mean = _mean(b, x, count)
        return None if mean is None else b.node(node.row, mean, **node.attrs)
    if node.row is not ops.sum:
        return None
    dims, known = node.attrs["dims"], b.known(count)
    terms = numel(tuple(b.spec(x).shape[d] for d in dims))
    is_mean = known is not None and known.item() == terms != 0
    return b.node(ops.mean, x, dims=dims) if is_mean else None


def _iota(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    """0, 1, 2, ... along an axis: an array, or where sizes have names ones added up, less one."""
    shape, axis = p["shape"], p["dimension"]
    if not all(isinstance(n, int) for n in shape):
        one = b.constant(np.ones((), p["dtype"]))
        ones = b.node(ops.broadcast, one, shape=ints(shape), dims=())
        return b.node(ops.sub, b.node(ops.cumsum, ones, dim=axis), ones)
    steps = np.arange(shape[axis], dtype=p["dtype"])
    column = steps.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return b.constant(np.broadcast_to(column, shape).copy())


def _along(row: Op) -> Translation:
    """What runs along an axis; from its end, of the entries turned around."""

    def rule(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
        axis = p["axis"]
        if not p["reverse"]:
            return b.node(row, xs[0], dim=axis)
        turned = b.node(ops.flip, xs[0], dims=(axis,))
        return b.node(ops.flip, b.node(row, turned, dim=axis), dims=(axis,))

    return rule


def _argmax(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    return b.node(ops.argmax, xs[0], dim=int(p["axes"][0]))


def _argmin(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    return _argmax(b, [b.node(ops.neg, xs[0])], p)


def _truth(row: Op) -> Translation:
    """All of truth values, or any: the least or greatest of 0 and 1."""

    def rule(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
        found = b.node(row, b.node(ops.cast, xs[0], dtype="int32"), dims=ints(p["axes"]))
        return b.node(ops.cast, found, dtype="bool")

    return rule


def _is_finite(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    most = b.constant(np.asarray(np.finfo(b.spec(xs[0]).dtype).max))
    return b.node(ops.less_equal, *_equal_shapes(b, [b.node(ops.abs, xs[0]), most]))


def _exp2(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    """As JAX computes it."""
    log2 = b.constant(np.asarray(np.log(np.asarray(2, b.spec(xs[0]).dtype))))
    return b.node(ops.exp, b.node(ops.mul, *_equal_shapes(b, [xs[0], log2])))


def _round(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
    """To the nearest even number; or away from 0, which is another one where two are as near."""
    y = b.node(ops.round, xs[0])
    if p["rounding_method"] == lax.RoundingMethod.TO_NEAREST_EVEN:
        return y
    off = b.node(ops.abs, b.node(ops.sub, xs[0], y))
    _, half = _equal_shapes(b, [off, b.constant(np.asarray(0.5, b.spec(y).dtype))])
    away = b.node(ops.add, xs[0], b.node(ops.mul, b.node(ops.sign, xs[0]), half))
    return b.node(ops.where, b.node(ops.equal, off, half), away, y)


def _or_infinite(row: Op, beyond: Op) -> Translation:
    """A comparison; with an infinity, which has no exact meaning, with the greatest number."""

    def rule(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
        x, known = xs[0], b.known(xs[1])
        if not isinstance(known, np.ndarray) or known.shape != () or not np.isinf(known):
            return b.node(row, *_equal_shapes(b, xs))
        most = b.constant(np.asarray(np.finfo(known.dtype).max))
        risen = x if known > 0 else b.node(ops.neg, x)
        return b.node(beyond, *_equal_shapes(b, [risen, most]))

    return rule


def _split(b: Builder, xs: list[str], p: dict[str, Any]) -> list[str]:
    """One slice for each part."""
    shape, axis = ints(b.spec(xs[0]).shape), p["axis"]
    ends = np.cumsum(p["sizes"])
    parts = []
    for size, end in zip(p["sizes"], ends, strict=True):
        start = tuple(int(end - size) if i == axis else 0 for i in range(len(shape)))
        stop = tuple(int(end) if i == axis else n for i, n in enumerate(shape))
        parts.append(b.node(ops.slice, xs[0], start=start, stop=stop, step=(1,) * len(shape)))
    return parts


def _convolution(row: Op, layouts: tuple[str, str, str], **size: str) -> Translation:
    """Our primitives work on NHWC and HWIO; a graph shows the facade, NCHW and OIHW."""
    names = {k: k for k in ("stride", "padding", "dilation", "groups")} | size

    def rule(b: Builder, xs: list[str], p: dict[str, Any]) -> str:
        facade = [b.node(ops.permute, x, dims=_TO[k]) for x, k in zip(xs, layouts[:2], strict=True)]
        y = b.node(row, *facade, **{ours: plain(p[jax]) for ours, jax in names.items()})
        return b.node(ops.permute, y, dims=_FROM[layouts[2]])

    return rule


_TO = {"image": (0, 3, 1, 2), "kernel": (3, 2, 0, 1)}
_FROM = {"image": (0, 2, 3, 1), "kernel": (2, 3, 1, 0)}

PRIMITIVES: dict[str, Translation] = {
    **{row.primitive.name: _entrywise(row) for row in ops.TABLE.values() if row.primitive},
    "add_any": _entrywise(ops.add),
    "eq": _or_infinite(ops.equal, ops.greater),
    "div": _div,
    "integer_pow": _attrs(ops.pow_int, exponent="y"),
    "select_n": _select,
    "clamp": _clamp,
    "convert_element_type": _cast,
    "reduce_precision": _reduce_precision,
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "transpose": _attrs(ops.permute, dims="permutation"),
    "concatenate": _attrs(ops.concat, dim="dimension"),
    "slice": _slice,
    "dynamic_slice": _indexing.dynamic_slice,
    "split": _split,
    "stack": _indexing.stack,
    "unstack": _indexing.unstack,
    "tile": _indexing.tile,
    "gather": _indexing.gather,
    "scatter-add": _indexing.scatter_add,
    "scatter": _windows.scatter,
    "dynamic_update_slice": _windows.dynamic_update_slice,
    "sort": _indexing.sort,
    "top_k": _indexing.top_k,
    "pad": _pad,
    "rev": _attrs(ops.flip, dims="dimensions"),
    "iota": _iota,
    "reduce_sum": _attrs(ops.sum, dims="axes"),
    "reduce_max": _attrs(ops.amax, dims="axes"),
    "reduce_min": _attrs(ops.amin, dims="axes"),
    "reduce_prod": _attrs(ops.prod, dims="axes"),
    "reduce_and": _truth(ops.amin),
    "reduce_or": _truth(ops.amax),
    "argmax": _argmax,
    "argmin": _argmin,
    "cumsum": _along(ops.cumsum),
    "cumprod": _along(ops.cumprod),
    "exp2": _exp2,
    "is_finite": _is_finite,
    "round": _round,
    "xor": _entrywise(ops.not_equal),
    "dot_general": _dot,
    "copy": lambda b, xs, p: xs[0],
    "copy_p": lambda b, xs, p: xs[0],
    "kept": lambda b, xs, p: xs[0],
    "stop_gradient": lambda b, xs, p: b.node(ops.stop_gradient, xs[0]),
    "conv": _convolution(ops.conv2d, ("image", "kernel", "image")),
    "conv_dx": _convolution(ops.conv2d_dx, ("image", "kernel", "image"), size="size"),
    "conv_dk": _convolution(ops.conv2d_dk, ("image", "image", "kernel"), size="kernel"),
}
