"""Operators that move, repeat, choose and cast entries, and those that speak of shapes."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from tensorem import functional as F
from tensorem.errors import CaptureError

from ._call import Call, bounded
from ._entries import Operator

_FAR = 10**9
DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int32",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 16: "bfloat16",
}  # fmt: skip
"""The element types that we compute with; int64 in 32 bits, as JAX does."""


def dtype_of(code: int) -> str:
    """Our name of an element type.

    Raises:
        CaptureError: We have none.
    """
    if code not in DTYPES:
        raise CaptureError(f"takes a tensor of floats, integers or truth values, got type {code}.")
    return DTYPES[code]


def _shape(call: Call) -> np.ndarray:
    """Sizes as numbers, or as objects where one has a name."""
    sizes = call.shape()[call.attrs.get("start", 0) : call.attrs.get("end")]
    return np.array(sizes, np.int64 if all(isinstance(n, int) for n in sizes) else object)


def _constant(call: Call) -> Any:
    [(kind, value)] = call.attrs.items()
    if kind not in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        raise CaptureError(f"takes a dense constant of numbers, got {kind}.")
    return np.asarray(value, {"f": np.float32, "i": np.int64}.get(kind[6:7]))


def _constant_of_shape(call: Call) -> Any:
    value = np.asarray(call.attrs.get("value", np.zeros(1, np.float32))).reshape(())
    return jnp.broadcast_to(value, bounded(_sizes(call.known(0))))


def _sizes(known: np.ndarray) -> tuple[Any, ...]:
    return tuple(n if known.dtype == object and not isinstance(n, int) else int(n) for n in known)


def _reshape(call: Call) -> Any:
    """0 keeps a size, unless allowzero; -1 is what is left."""
    wanted = call.attrs.get("shape")
    sizes = tuple(wanted) if wanted is not None else _sizes(call.known(1))
    if not call.attrs.get("allowzero"):
        own = call.shape()
        sizes = tuple(own[i] if _is(n, 0) else n for i, n in enumerate(sizes))
    return call.x(0).reshape(sizes)


def _is(size: Any, number: int) -> bool:
    return isinstance(size, int) and size == number


def _flatten(call: Call) -> Any:
    shape, axis = call.shape(), call.attrs.get("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    return call.x(0).reshape(math.prod(shape[:axis]), math.prod(shape[axis:]))


def _squeeze(call: Call) -> Any:
    axes = call.setting("axes", 1)
    if axes is None:
        axes = [i for i, n in enumerate(call.shape()) if _is(n, 1)]
    return jnp.squeeze(call.x(0), tuple(axes))


def _unsqueeze(call: Call) -> Any:
    return jnp.expand_dims(call.x(0), tuple(np.atleast_1d(call.setting("axes", 1)).tolist()))


def _transpose(call: Call) -> Any:
    return F.permute(call.x(0), tuple(call.attrs.get("perm", range(call.rank())[::-1])))


def _slice(call: Call) -> Any:
    """Starts and ends beyond the array stand for its ends."""
    starts, ends = call.setting("starts", 1), call.setting("ends", 2)
    axes = call.setting("axes", 3) or range(len(starts))
    steps = call.setting("steps", 4) or [1] * len(starts)
    parts: list[Any] = [slice(None)] * call.rank()
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        parts[axis] = slice(_near(start), _near(end), step)
    return call.x(0)[tuple(parts)]


def _near(place: Any) -> Any:
    """None where a place is far outside every array."""
    return None if isinstance(place, int) and abs(place) >= _FAR else place


def _split(call: Call) -> Any:
    x, axis = call.x(0), call.attrs.get("axis", 0)
    sizes = call.setting("split", 1)
    if sizes is None:
        parts = call.attrs.get("num_outputs", call.results)
        each = -(-x.shape[axis] // parts)
        sizes = [each] * (parts - 1) + [x.shape[axis] - each * (parts - 1)]
    return tuple(jnp.split(x, np.cumsum(sizes)[:-1].tolist(), axis))


def _gather(call: Call) -> Any:
    """Entries along an axis by index; one below 0 counts from the end."""
    x, axis = call.x(0), call.attrs.get("axis", 0) % call.rank()
    value = call.inputs[1]
    if value is not None and value.known is not None:
        index = value.known % x.shape[axis] if value.known.size else value.known
        return _picked(x, index.astype(np.int64), axis)
    index = call.x(1)
    index = _from_start(call, index)
    if axis == 0 and x.ndim == 2:
        return F.embedding(index, x)
    return jnp.take(x, index, axis, mode="clip")


def _picked(x: Any, index: np.ndarray, axis: int) -> Any:
    if index.ndim == 0:
        return x[(slice(None),) * axis + (int(index),)]
    return jnp.take(x, index, axis, mode="clip")


def _concat(call: Call) -> Any:
    return jnp.concatenate(call.xs(), call.attrs.get("axis", 1))


def _expand(call: Call) -> Any:
    """Both sides stretch: a size 1 of the wanted shape takes the array's own."""
    x, wanted = call.x(0), _sizes(call.known(1))
    own = (1,) * (len(wanted) - x.ndim) + tuple(x.shape)
    wanted = (1,) * (len(own) - len(wanted)) + wanted
    sizes = bounded(o if _is(w, 1) else w for o, w in zip(own, wanted, strict=True))
    return jnp.broadcast_to(x, sizes)


def _tile(call: Call) -> Any:
    if call.opset < 6:
        times = [1] * call.rank()
        times[int(call.known(2))] = int(call.known(1))
    else:
        times = call.known(1).tolist()
    bounded(times)
    bounded(n * k for n, k in zip(call.shape(), times, strict=True))
    return jnp.tile(call.x(0), times)


def _pad(call: Call) -> Any:
    """Values before and after each axis; a negative count cuts off."""
    x, mode = call.x(0), call.attrs.get("mode", "constant")
    pads = call.attrs.get("paddings", None) or call.setting("pads", 1)
    value = call.setting("value", 2, 0.0)
    axes = call.known(3).tolist() if call.has(3) else range(len(pads) // 2)
    both = [(0, 0)] * x.ndim
    for axis, before, after in zip(
        axes, pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True
    ):
        both[axis] = before, after
    x = x[tuple(slice(max(0, -b), n - max(0, -a)) for n, (b, a) in zip(x.shape, both, strict=True))]
    both = [(max(0, b), max(0, a)) for b, a in both]
    bounded(n + b + a for n, (b, a) in zip(x.shape, both, strict=True))
    if mode != "constant":
        return jnp.pad(x, both, {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}[mode])
    return jnp.pad(x, both, constant_values=np.asarray(value).reshape(()).astype(x.dtype))


def _cast(call: Call) -> Any:
    return call.x(0).astype(dtype_of(call.attrs["to"]))


def _one_hot(call: Call) -> Any:
    index, depth = call.x(0), int(call.known(1).reshape(()))
    off, on = call.known(2)
    axis = call.attrs.get("axis", -1)
    index = jnp.where(index < 0, index + depth, index).astype(jnp.int32)
    bounded((*index.shape, depth))
    places = np.arange(depth, dtype=np.int32)
    at = jnp.expand_dims(index, axis)
    shape = [1] * at.ndim
    shape[axis] = depth
    return jnp.where(at == places.reshape(shape), jnp.asarray(on), jnp.asarray(off))


def _range(call: Call) -> Any:
    start, stop, step = (call.known(i).reshape(()).item() for i in range(3))
    if not all(isinstance(n, int | float) for n in (start, stop, step)):
        return jnp.arange(start, stop, step)
    bounded(
        [math.ceil((stop - start) / step)] if stop != start and (stop > start) == (step > 0) else []
    )
    return np.arange(start, stop, step, dtype=call.known(0).dtype)


def _trilu(call: Call) -> Any:
    k = int(call.known(1)) if call.has(1) else 0
    return (jnp.triu if call.attrs.get("upper", 1) else jnp.tril)(call.x(0), k)


def _depth_to_space(call: Call) -> Any:
    x, b = call.x(0), call.attrs["blocksize"]
    if call.attrs.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, b)
    n, c, h, w = x.shape
    parts = x.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, c // b**2, h * b, w * b)


def _space_to_depth(call: Call) -> Any:
    x, b = call.x(0), call.attrs["blocksize"]
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * b**2, h // b, w // b)


def _dropout(call: Call) -> Any:
    x = call.x(0)
    return (x, jnp.ones(x.shape, bool)) if call.results > 1 else x


def _top_k(call: Call) -> Any:
    k = int(call.attrs["k"] if "k" in call.attrs else call.known(1).reshape(()))
    axis, largest = call.attrs.get("axis", -1), bool(call.attrs.get("largest", 1))
    return tuple(F.topk(call.x(0), k, axis, largest))


def _scatter(call: Call) -> Any:
    if call.attrs.get("reduction", "none") != "add":
        raise CaptureError('takes reduction="add", got another.')
    x, index, source = call.xs()
    return F.scatter_add(x, call.attrs.get("axis", 0), _from_start(call, index), source)


def _from_start(call: Call, index: Any) -> Any:
    """Indices below 0 count from the end."""
    return jnp.where(index < 0, index + call.shape()[call.attrs.get("axis", 0)], index)


MOVES: dict[str, Operator] = {
    "Cast": _cast,
    "CastLike": lambda call: call.x(0).astype(call.x(1).dtype),
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": lambda call: F.gather(
        call.x(0), call.attrs.get("axis", 0), _from_start(call, call.x(1))
    ),
    "Identity": lambda call: call.x(0),
    "OneHot": _one_hot,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "ScatterElements": _scatter,
    "Shape": _shape,
    "Size": lambda call: np.asarray(np.prod(_shape(call), initial=1)),
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
}


def _sliced(call: Call) -> Any:
    [start], [stop] = call.setting("starts", 1), call.setting("ends", 2)
    [step] = call.setting("steps", 4) or [1]
    return call.known(0)[_near(start) : _near(stop) : step]


SIZES: dict[str, Operator] = {
    "Add": lambda call: call.known(0) + call.known(1),
    "Cast": lambda call: call.known(0),
    "Concat": lambda call: np.concatenate([call.known(i) for i in range(len(call.inputs))]),
    "Div": lambda call: call.known(0) // call.known(1),
    "Gather": lambda call: call.known(0)[call.known(1).astype(int)],
    "Identity": lambda call: call.known(0),
    "Mul": lambda call: call.known(0) * call.known(1),
    "Reshape": lambda call: call.known(0).reshape(call.known(1).astype(int)),
    "Slice": _sliced,
    "Squeeze": lambda call: call.known(0).reshape(()),
    "Sub": lambda call: call.known(0) - call.known(1),
    "Unsqueeze": lambda call: call.known(0).reshape(-1),
}
"""Operators over sizes that have names: what programs do to a shape before they use it."""
