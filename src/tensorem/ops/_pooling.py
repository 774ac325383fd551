"""The greatest or the sum of each window and its derivative, on images (N, H, W, C).

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
from numpy.typing import NDArray

from ._convolution import Padding, Sizes, Two, output_size, places
from ._kept import kept_if_large
from ._op import Attr

_UNPADDED: Padding = ((0, 0), (0, 0))
Tile = NDArray[np.int64]


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
    met = _met(**window)
    first = first if met == (1, 1) else kept_if_large(first)

    def hit(tile: Two, numbers: Tile) -> Array:
        ends = [(i, m - 1 - i, 0) for i, m in zip(tile, met, strict=True)]
        wanted = lax.pad(first, jnp.full((), -1, first.dtype), [(0, 0, 0), *ends, (0, 0, 0)])
        return wanted[:, :, None, :, None] == numbers.astype(first.dtype)

    return _over_tiles(t, hit, **window)


def sums(x: Array, **window: Unpack[Dilated]) -> Array:
    """(N, H, W, C) -> (N, H', W', C): the sum of each window, of few entries."""
    return reduce(jnp.add, _entries(x, 0.0, **window))


def sums_tangent(t: Array, **window: Unpack[Dilated]) -> Array:
    """The same sums, over tiles."""
    return _over_tiles(t, lambda tile, numbers: jnp.asarray(numbers >= 0), **window)


def _over_tiles(
    t: Array, hit: Callable[[Two, Tile], Array], **window: Unpack[Dilated]
) -> Array:  # fmt: skip
    """The entries of each window that are hit, added up tile by tile of the stride.

    A window meets few tiles, so the transpose is one pass over the image; that of entries one by
    one would be a pass for each.

    Args:
        hit: (a tile of a window, the numbers of its entries) -> which of them count.
    """
    h, w = output_size(
        t.shape[1:3], window["kernel_size"], window["stride"], window["padding"], window["dilation"]
    )
    met, entries = _met(**window), jnp.zeros((), t.dtype)
    tiles = _tiles(t, (h + met[0] - 1, w + met[1] - 1), window["stride"], window["padding"])
    for i, j in np.ndindex(*met):
        counts = hit((i, j), _numbers((i, j), **window))
        share = jnp.sum(jnp.where(counts, tiles, 0), axis=(2, 4))
        entries = entries + share[:, i : i + h, j : j + w]
    return entries


def _met(*, kernel_size: Two, stride: Two, padding: Padding, dilation: Two) -> Two:
    """How many tiles of the stride a window meets along each axis."""
    axes = zip(kernel_size, stride, dilation, strict=True)
    rows, cols = (-(-(d * (k - 1) + 1) // s) for k, s, d in axes)
    return rows, cols


def _tiles(t: Array, count: Two, stride: Two, padding: Padding) -> Array:
    """An image cut into tiles of the stride: (N, H, W, C) -> (N, count, sh, count, sw, C)."""
    axes = zip(count, stride, padding, t.shape[1:3], strict=True)
    frame = [(low, n * s - size - low, 0) for n, s, (low, _), size in axes]
    framed = lax.pad(t, jnp.zeros((), t.dtype), [(0, 0, 0), *frame, (0, 0, 0)])
    (rows, cols), (sh, sw) = count, stride
    return framed.reshape(t.shape[0], rows, sh, cols, sw, t.shape[3])


def _numbers(
    tile: Two, *, kernel_size: Two, stride: Two, padding: Padding, dilation: Two
) -> Tile:  # fmt: skip
    """The numbers in a window of what one of its tiles holds, -1 between them and beyond."""
    axes = zip(tile, kernel_size, stride, dilation, strict=True)
    rows, cols = (_of_axis(i * s + np.arange(s), k, d) for i, k, s, d in axes)
    both = (rows[:, None] >= 0) & (cols >= 0)
    numbers = np.where(both, rows[:, None] * kernel_size[1] + cols, -1)
    return numbers.reshape(1, 1, stride[0], 1, stride[1], 1)


def _of_axis(at: Tile, kernel: int, dilation: int) -> Tile:
    inside = (at % dilation == 0) & (at // dilation < kernel)
    return np.where(inside, at // dilation, -1)


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
    found = jnp.full(y.shape, len(among) - 1, jnp.int8)
    for k in reversed(range(len(among) - 1)):
        found = jnp.where(among[k] == y, k, found)
    return found


def are_tiles(
    size: tuple[int, ...], *, kernel_size: Two, stride: Two, padding: Padding, dilation: Two
) -> bool:
    """Every entry of the image lies in one window."""
    whole = all(n % k == 0 for n, k in zip(size, kernel_size, strict=True))
    return kernel_size == stride and padding == _UNPADDED and dilation == (1, 1) and whole


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
