"""The greatest of each window and its derivative, on images with the channels last (N, H, W, C).

XLA:CPU is slow at a reduction over a short axis (3 times the whole of a small network's step) and
at the derivative of one, so a window is read entry by entry, and the derivative goes to the entry
found first. The transposes around it meet those of the convolution, and XLA drops both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from typing import TypedDict, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from ._convolution import Padding, Sizes, Two, output_size, places
from ._op import Attr

_UNPADDED: Padding = ((0, 0), (0, 0))


class Window(TypedDict):
    """Windows without holes."""

    kernel_size: Two
    stride: Two
    padding: Padding


class Dilated(Window):
    """Windows of the greatest entry."""

    dilation: Two


class Divided(Window):
    """Windows of a sum over one number."""

    divisor: int


FEW = 16
"""Entries of a window up to which it is read entry by entry; programs grow with their number."""


def max_pool(x: Array, **window: Unpack[Dilated]) -> Array:
    """(N, H, W, C) -> (N, H', W', C)."""
    among = _entries(x, -jnp.inf, **window)
    return reduce(jnp.maximum, among) if len(among) <= FEW else jnp.max(jnp.stack(among), axis=0)


def max_pool_tangent(x: Array, y: Array, t: Array, **window: Unpack[Dilated]) -> Array:
    """The entry of t where x first has the value y of its window, row-major."""
    first = _first(y, _entries(x, -jnp.inf, **window))
    if are_tiles(x.shape[1:3], **window):
        return _picked_of_tiles(first, t, window["kernel_size"])
    entries = _entries(t, 0.0, **window)
    hits = (jnp.where(first == k, entry, 0) for k, entry in enumerate(entries))
    return sum(hits, jnp.zeros((), t.dtype))


def _entries(
    x: Array, fill: float, *, kernel_size: Two, stride: Two, padding: Padding, dilation: Two
) -> list[Array]:
    """The entries of the windows one by one, row-major: images (N, H', W', C)."""
    if padding != _UNPADDED:
        ends = [(0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)]
        x = lax.pad(x, jnp.asarray(fill, x.dtype), ends)
    return [x[:, *cut] for cut in places(x.shape[1:3], kernel_size, stride, dilation)]


def _first(y: Array, among: list[Array]) -> Array:
    """The number of the first array that equals y, entry by entry."""
    if len(among) > FEW:
        return jnp.argmax(jnp.stack(among), axis=0)
    found = jnp.full(y.shape, len(among) - 1, jnp.int32)
    for k in reversed(range(len(among) - 1)):
        found = jnp.where(among[k] == y, k, found)
    return found


def are_tiles(
    size: tuple[int, ...], *, kernel_size: Two, stride: Two, padding: Padding, dilation: Two
) -> bool:
    """Every entry of the image lies in one window."""
    whole = all(n % k == 0 for n, k in zip(size, kernel_size, strict=True))
    return kernel_size == stride and padding == _UNPADDED and dilation == (1, 1) and whole


def _picked_of_tiles(first: Array, t: Array, kernel: Two) -> Array:
    """A sum over tiles, whose transpose is one pass over the image."""
    (n, h, w, c), (kh, kw) = first.shape, kernel
    shape = (n, h, kh, w, kw, c)
    place = np.arange(kh * kw, dtype=np.int32).reshape(1, 1, kh, 1, kw, 1)
    hit = first[:, :, None, :, None] == place
    return jnp.sum(jnp.where(hit, t.reshape(shape), 0), axis=(2, 4))


def over_names(name: str, run: Callable[..., Array]) -> Callable[..., Array]:
    """A pooling (N, C, H, W) -> (N, C, H', W'), one primitive where H or W is a name.

    JAX cannot tell that a slice of H - 2 rows is one, and asks; a primitive states its own shape.
    """
    p = Primitive(name)
    p.def_abstract_eval(lambda x, **attrs: ShapedArray(_shape(x, **attrs), x.dtype))
    mlir.register_lowering(p, mlir.lower_fun(run, multiple_results=False))
    ad.primitive_jvps[p] = lambda xs, ts, **attrs: jax.jvp(partial(run, **attrs), xs, ts)
    batching.primitive_batchers[p] = lambda xs, dims, **attrs: (
        jax.vmap(partial(run, **attrs), in_axes=dims)(*xs), 0
    )  # fmt: skip

    def pooled(x: Array, **attrs: Attr) -> Array:
        known = all(isinstance(n, int) for n in x.shape[2:])
        return run(x, **attrs) if known else p.bind(x, **attrs)

    return pooled


def _shape(
    x: ShapedArray,
    *,
    kernel_size: Two,
    stride: Two,
    padding: Padding,
    dilation: Two = (1, 1),
    **_: Attr,
) -> Sizes:
    return (*x.shape[:2], *output_size(x.shape[2:], kernel_size, stride, padding, dilation))
