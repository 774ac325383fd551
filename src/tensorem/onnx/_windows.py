"""Convolution, pooling and resizing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from tensorem import functional as F
from tensorem.errors import CaptureError

from ._call import Call, bounded
from ._entries import Operator

Both = list[tuple[int, int]]


def _settings(call: Call, kernel: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...], Both]:
    """Strides, dilations, and what is added before and after each axis."""
    rank = len(kernel)
    strides = tuple(call.attrs.get("strides", (1,) * rank))
    dilations = tuple(call.attrs.get("dilations", (1,) * rank))
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    return strides, dilations, _padding(call, reach, strides)


def _padding(call: Call, reach: Sequence[int], strides: Sequence[int]) -> Both:
    auto = call.attrs.get("auto_pad", "NOTSET")
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        pads = call.attrs.get("pads", (0,) * 2 * len(reach))
        return list(zip(pads[: len(reach)], pads[len(reach) :], strict=True))
    both = []
    for size, k, s in zip(call.shape()[2:], reach, strides, strict=True):
        total = max(0, (-(-size // s) - 1) * s + k - size)
        less, more = total // 2, total - total // 2
        both.append((less, more) if auto == "SAME_UPPER" else (more, less))
    return both


def _framed(x: Any, both: Both, value: float) -> tuple[Any, tuple[int, ...]]:
    """x and its symmetric padding; padding of two kinds is written out with a value."""
    if all(before == after for before, after in both):
        return x, tuple(before for before, _ in both)
    frame = [(0, 0)] * (x.ndim - len(both)) + both
    bounded(n + b + a for n, (b, a) in zip(x.shape, frame, strict=True))
    return jnp.pad(x, frame, constant_values=np.asarray(value, x.dtype)), (0,) * len(both)


_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_MEAN = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def _of_rank(forms: dict[int, Callable[..., Any]], rank: int) -> Callable[..., Any]:
    if rank not in forms:
        raise CaptureError(f"takes images of 1, 2 or 3 axes, got {rank}.")
    return forms[rank]


def _conv(call: Call) -> Any:
    kernel = call.shape(1)[2:]
    strides, dilations, both = _settings(call, kernel)
    x, padding = _framed(call.x(0), both, 0.0)
    conv = _of_rank(_CONV, len(kernel))
    group = call.attrs.get("group", 1)
    return conv(x, call.x(1), call.maybe(2), strides, padding, dilations, group)


def _conv_transpose(call: Call) -> Any:
    """The transpose without padding, and then what the padding cuts off."""
    kernel = call.shape(1)[2:]
    strides, dilations, both = _settings(call, kernel)
    extra = list(call.attrs.get("output_padding", (0,) * len(kernel)))
    x = call.x(0)
    sizes = [
        (n - 1) * s + d * (k - 1) + 1
        for n, s, d, k in zip(x.shape[2:], strides, dilations, kernel, strict=True)
    ]
    if (wanted := call.attrs.get("output_shape")) is not None:
        both, extra = _reaching(call, sizes, wanted[-len(kernel) :], extra)
    transposed = _of_rank(_TRANSPOSED, len(kernel))
    group = call.attrs.get("group", 1)
    same = all(before == after for before, after in both)
    padding = tuple(before for before, _ in both) if same else (0,) * len(kernel)
    y = transposed(x, call.x(1), call.maybe(2), strides, padding, tuple(extra), group, dilations)
    if same:
        return y
    cut = [slice(b, n - a) for (b, a), n in zip(both, y.shape[2:], strict=True)]
    return y[(slice(None), slice(None), *cut)]


def _reaching(
    call: Call, sizes: list[int], wanted: Sequence[int], extra: list[int]
) -> tuple[Both, list[int]]:
    both, more = [], list(extra)
    for i, (size, target) in enumerate(zip(sizes, wanted, strict=True)):
        total = size + extra[i] - target
        more[i] += max(0, -total)
        half = max(0, total) // 2
        upper = call.attrs.get("auto_pad") == "SAME_UPPER"
        rest = max(0, total) - half
        both.append((half, rest) if upper else (rest, half))
    return both, more


def _max_pool(call: Call) -> Any:
    if call.results > 1:
        raise CaptureError("takes one result, the maxima, got a second one: their places.")
    kernel = tuple(call.attrs["kernel_shape"])
    strides, dilations, both = _settings(call, kernel)
    x, padding = _framed(call.x(0), both, -math.inf)
    pool = _of_rank(_MAX, len(kernel))
    return pool(x, kernel, strides, padding, dilations, bool(call.attrs.get("ceil_mode", 0)))


def _average_pool(call: Call) -> Any:
    kernel = tuple(call.attrs["kernel_shape"])
    strides, dilations, both = _settings(call, kernel)
    if set(dilations) != {1}:
        raise CaptureError(f"takes windows without gaps, got dilations {dilations}.")
    pool, ceil = _of_rank(_MEAN, len(kernel)), bool(call.attrs.get("ceil_mode", 0))
    x, padding = _framed(call.x(0), both, 0.0)
    inside = not call.attrs.get("count_include_pad", 0)
    mean = pool(x, kernel, strides, padding, ceil, not inside or x is not call.x(0))
    if x is call.x(0) or not inside:
        return mean
    ones, _ = _framed(jnp.ones((1, 1, *call.shape()[2:]), x.dtype), both, 0.0)
    return mean / pool(ones, kernel, strides, 0, ceil, True)


def _lp_pool(call: Call) -> Any:
    kernel, p = tuple(call.attrs["kernel_shape"]), call.attrs.get("p", 2)
    strides, _, both = _settings(call, kernel)
    x, _ = _framed(call.x(0), [(0, 0)] * len(both) if not any(map(any, both)) else both, 0.0)
    powers = F.abs(x) if p == 1 else x**p if p % 2 == 0 else F.abs(x) ** p
    total = _of_rank(_MEAN, len(kernel))(powers, kernel, strides) * math.prod(kernel)
    return total if p == 1 else F.sqrt(total) if p == 2 else F.exp(F.log(total) / p)


def _everywhere(f: Callable[..., Any]) -> Operator:
    return lambda call: f(call.x(0), dim=tuple(range(2, call.rank())), keepdim=True)


def _resize(call: Call) -> Any:
    """Each axis by a matrix of weights, or by places for "nearest"."""
    x, mode = call.x(0), call.attrs.get("mode", "nearest")
    if mode not in ("nearest", "linear"):
        raise CaptureError(f'takes the modes "nearest" and "linear", got "{mode}".')
    for axis, (size, scale) in _targets(call).items():
        if size != x.shape[axis] or scale != 1:
            places = _sources(call, x.shape[axis], size, scale)
            x = _nearest(call, x, axis, places) if mode == "nearest" else _linear(x, axis, places)
    return x


def _targets(call: Call) -> dict[int, tuple[int, float]]:
    """The new size and the scale of each axis."""
    own = call.shape()
    if not all(isinstance(n, int) for n in own):
        raise CaptureError(
            f"takes an image whose sizes are numbers, got {own}.",
            help='give them: onnx.load(path, sizes={"height": 64, ...}).',
        )
    scales = call.setting("scales", 1 if _old_resize(call) else 2)
    sizes = call.known(3).tolist() if call.op == "Resize" and call.has(3) else None
    axes = call.attrs.get("axes", range(len(sizes or scales or ())))
    if sizes:
        return {a: (int(n), n / own[a]) for a, n in zip(axes, sizes, strict=True)}
    return {a: (math.floor(own[a] * s), s) for a, s in zip(axes, scales or (), strict=True)}


def _old_resize(call: Call) -> bool:
    """Upsample, and the first form of Resize, which knew one rule for places."""
    return call.op == "Upsample" or call.opset < 11


def _sources(call: Call, old: int, new: int, scale: float) -> np.ndarray:
    """Where each entry of the new axis stands on the old one."""
    kind = call.attrs.get("coordinate_transformation_mode", "half_pixel")
    bounded((old, new))
    i = np.arange(new, dtype=np.float64)
    if _old_resize(call) or kind == "asymmetric":
        return i / scale
    if kind == "align_corners":
        return i * (old - 1) / (new - 1) if new > 1 else 0 * i
    if kind == "half_pixel" or (kind == "pytorch_half_pixel" and new > 1):
        return (i + 0.5) / scale - 0.5
    if kind == "pytorch_half_pixel":
        return 0 * i
    if kind == "half_pixel_symmetric":
        return old / 2 * (1 - new / (scale * old)) + (i + 0.5) / scale - 0.5
    raise CaptureError(f"takes another coordinate_transformation_mode, got {kind}.")


_ROUND: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda p: np.ceil(p - 0.5),
    "round_prefer_ceil": lambda p: np.floor(p + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _nearest(call: Call, x: Any, axis: int, places: np.ndarray) -> Any:
    rule = "floor" if _old_resize(call) else call.attrs.get("nearest_mode", "round_prefer_floor")
    index = np.clip(_ROUND[rule](places), 0, x.shape[axis] - 1).astype(np.int32)
    return jnp.take(x, index, axis, mode="clip")


def _linear(x: Any, axis: int, places: np.ndarray) -> Any:
    old = x.shape[axis]
    places = np.clip(places, 0, old - 1)
    low = np.minimum(np.floor(places).astype(int), max(old - 2, 0))
    part = places - low
    weights = np.zeros((len(places), old), x.dtype)
    weights[np.arange(len(places)), low] += 1 - part
    weights[np.arange(len(places)), np.minimum(low + 1, old - 1)] += part
    return jnp.moveaxis(F.linear(jnp.moveaxis(x, axis, -1), jnp.asarray(weights)), -1, axis)


WINDOWS: dict[str, Operator] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _everywhere(F.mean),
    "GlobalMaxPool": _everywhere(F.amax),
    "LpPool": _lp_pool,
    "MaxPool": _max_pool,
    "Resize": _resize,
    "Upsample": _resize,
}
