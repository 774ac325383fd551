"""Convolution and its two gradients: three primitives, each the transpose of the others.

All three work on the canonical layout: images NHWC, kernels HWIO. XLA:CPU is fast on no other, and
a gradient convolution that JAX derives keeps another order inside a loop and compiles to naive code
(20 times slower). Here explicit transposes make every order canonical, so loops cost nothing.

    conv(x, k)      y[n,i,j,o] = Σ x[n, i·s+a·d-p, j·s+b·d-p, c] k[a,b,c,o]  (as in PyTorch)
    conv_dx(g, k)   its transpose in x
    conv_dk(x, g)   its transpose in k

What goes in is `kept`: one array for forward and for both gradients. XLA:CPU would make it again in
each change of layout, from whatever stands before, and read that at the strides of another layout.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypedDict, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from tensorem.rules import positions

from ._kept import kept

Two = tuple[int, int]
Padding = tuple[Two, Two]
Sizes = tuple[int, ...]
Pair = tuple[Array, Array]
Dims = tuple[int | None, int | None]


class Slide(TypedDict):
    """How a kernel moves over an image."""

    stride: Two
    padding: Padding
    dilation: Two
    groups: int


class Geometry(Slide):
    """What the three primitives are told: the sizes of image and kernel too."""

    size: Two
    kernel: Two


_LAYOUT = ("NHWC", "HWIO", "NHWC")
_FEW = 32
"""Products in a sum up to which windows are written out."""
_FEW_SHIFTS = 64
"""Entries of a kernel up to which an image of which each channel is a group is shifted by each."""


def conv(x: Array, k: Array, *, stride: Two, padding: Padding, dilation: Two, groups: int) -> Array:
    """x (N,H,W,C), k (kh,kw,C/groups,O) -> (N,H',W',O); padding ((top, bottom), (left, right))."""
    size = (x.shape[1], x.shape[2])
    kernel = (k.shape[0], k.shape[1])
    result: Array = conv_p.bind(
        x, k, size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation,
        groups=groups,
    )  # fmt: skip
    return result


def output_size(size: Sizes, kernel: Two, stride: Two, padding: Padding, dilation: Two) -> Two:
    """The size of the image that a convolution gives."""
    axes = zip(size, kernel, stride, padding, dilation, strict=True)
    h, w = (positions(*axis) for axis in axes)
    return h, w


def places(size: Sizes, kernel: Two, stride: Two, dilation: Two) -> Iterator[tuple[slice, slice]]:
    """For each entry of a window, row-major, where it lies in a padded image, over all windows."""
    steps = zip(size, kernel, stride, dilation, strict=True)
    spans = [(n - d * (k - 1) - 1) // s * s + 1 for n, k, s, d in steps]
    for entry in np.ndindex(*kernel):
        starts = [i * d for i, d in zip(entry, dilation, strict=True)]
        rows, cols = (slice(a, a + n, s) for a, n, s in zip(starts, spans, stride, strict=True))
        yield rows, cols


def _conv(
    x: Array, k: Array, *, size: Two, kernel: Two, stride: Two, padding: Padding, dilation: Two,
    groups: int,
) -> Array:  # fmt: skip
    if _is_depthwise(k.shape, groups):
        return kept(_shifted_sum(_padded(kept(x), padding), k, stride, dilation))
    if _few_products(k.shape, groups):
        patches = _patches(x, kernel, stride, padding, dilation)
        y = lax.dot_general(patches, k.reshape(-1, k.shape[3]), (((0,), (0,)), ((), ())))
        out = output_size(size, kernel, stride, padding, dilation)
        return y.reshape(x.shape[0], *out, k.shape[3])
    return lax.conv_general_dilated(
        kept(x), k, stride, padding, rhs_dilation=dilation,
        dimension_numbers=_LAYOUT, feature_group_count=groups,
    )  # fmt: skip


def _few_products(k: tuple[int, ...], groups: int) -> bool:
    """An entry of the result is a short sum, as in the first layer of a network on grey images.

    XLA's convolution then takes 2 to 4 times as long as one product with all windows written out.
    """
    return groups == 1 and math.prod(k[:3]) <= _FEW


def _patches(x: Array, kernel: Two, stride: Two, padding: Padding, dilation: Two) -> Array:
    """The windows written out, one in a column: (N,H,W,C) -> (kh*kw*C, N*H'*W').

    First the columns of all windows one after the other, then their rows: fewer, longer pieces.
    The sum runs over the first axis: XLA gives such a product to Eigen, which takes a third to a
    half of YNNPACK's time where the sum is short.
    """
    reach = output_size(x.shape[1:3], kernel, stride, padding, dilation)
    x = jnp.pad(jnp.moveaxis(x, 3, 0), ((0, 0), (0, 0), *padding))
    for axis in (3, 2):
        k, s, d, n = (pair[axis - 2] for pair in (kernel, stride, dilation, reach))
        cuts = [lax.slice_in_dim(x, i * d, i * d + (n - 1) * s + 1, s, axis) for i in range(k)]
        x = jnp.concatenate(cuts, axis=0)
    return x.reshape(x.shape[0], -1)


def _conv_dx(
    g: Array, k: Array, *, size: Two, kernel: Two, stride: Two, padding: Padding, dilation: Two,
    groups: int,
) -> Array:  # fmt: skip
    """The gradient slid over the flipped kernel, with the stride as holes between its entries."""
    reach = [d * (n - 1) for d, n in zip(dilation, kernel, strict=True)]
    holes = [s * (n - 1) for s, n in zip(stride, g.shape[1:3], strict=True)]
    pads = [
        (r - p, n - 1 - h + p) for r, (p, _), n, h in zip(reach, padding, size, holes, strict=True)
    ]
    if _is_depthwise(k.shape, groups):
        return kept(_shifted_sum(_padded(kept(g), pads, stride), k[::-1, ::-1], (1, 1), dilation))
    if _few_products(k.shape, groups):
        return _added_up(g, k, pads, stride, dilation)
    return lax.conv_general_dilated(
        kept(g), _swapped(k[::-1, ::-1], groups), (1, 1), pads, lhs_dilation=stride,
        rhs_dilation=dilation, dimension_numbers=_LAYOUT, feature_group_count=groups,
    )  # fmt: skip


def _added_up(g: Array, k: Array, pads: Sequence[Two], stride: Two, dilation: Two) -> Array:
    """The products of a gradient with each entry of the kernel, shifted to their places, added up.

    A third of the time of XLA's convolution where an image has few channels.
    """
    *kernel, c, o = k.shape
    products = lax.dot_general(_wide(k.reshape(-1, o)), _wide(g), (((1,), (3,)), ((), ())))
    inner = [(low, high, n - 1) for (low, high), n in zip(pads, stride, strict=True)]
    framed = lax.pad(products, jnp.zeros((), products.dtype), [(0, 0, 0), (0, 0, 0), *inner])
    entries = framed.reshape(-1, c, *framed.shape[1:])[::-1]
    cuts = places(framed.shape[2:], (kernel[0], kernel[1]), (1, 1), dilation)
    sums = sum(entry[:, :, *cut] for entry, cut in zip(entries, cuts, strict=True))
    return jnp.moveaxis(jnp.asarray(sums, g.dtype), 0, 3)


def _swapped(k: Array, groups: int) -> Array:
    """(kh,kw,C/groups,O) -> (kh,kw,O/groups,C): inputs and outputs exchanged within each group."""
    kh, kw, c, o = k.shape
    parts = k.reshape(kh, kw, c, groups, o // groups)
    return parts.transpose(0, 1, 4, 3, 2).reshape(kh, kw, o // groups, groups * c)


def _conv_dk(
    x: Array, g: Array, *, size: Two, kernel: Two, stride: Two, padding: Padding, dilation: Two,
    groups: int,
) -> Array:  # fmt: skip
    """The image convolved with the gradient as its kernel: channels as batch, batch as channels."""
    shape = (*kernel, x.shape[3] // groups, g.shape[3])
    if _is_depthwise(shape, groups):
        sums = _kernel_sums(
            _wide(_padded(kept(x), padding)), _wide(kept(g)), kernel, stride, dilation
        )
        return sums.reshape(shape).astype(x.dtype)
    if _few_products(shape, groups):
        patches = _patches(x, kernel, stride, padding, dilation)
        return (patches @ g.reshape(-1, g.shape[3])).reshape(shape)
    reach = [d * (n - 1) for d, n in zip(dilation, kernel, strict=True)]
    holes = [s * (n - 1) for s, n in zip(stride, g.shape[1:3], strict=True)]
    pads = [
        (p, r + h - n + 1 - p) for r, (p, _), n, h in zip(reach, padding, size, holes, strict=True)
    ]
    dk = lax.conv_general_dilated(
        kept(x).transpose(3, 1, 2, 0), kept(g).transpose(1, 2, 0, 3), dilation, pads,
        rhs_dilation=stride, dimension_numbers=_LAYOUT, batch_group_count=groups,
    )  # fmt: skip
    return dk.transpose(1, 2, 0, 3)


def _is_depthwise(k: Sizes, groups: int) -> bool:
    """Each channel is a group, so sums run over the kernel alone.

    XLA:CPU goes from group to group: of 64 it takes 70 times as long as a sum of shifted images.
    """
    return 1 < groups == k[3] and k[2] == 1 and k[0] * k[1] <= _FEW_SHIFTS


def _padded(x: Array, padding: Sequence[Two], holes: Two = (1, 1)) -> Array:
    """Zeros around an image, and between its entries so that they stand `holes` apart."""
    inner = [(low, high, n - 1) for (low, high), n in zip(padding, holes, strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *inner, (0, 0, 0)])


def _shifted_sum(x: Array, k: Array, stride: Two, dilation: Two) -> Array:
    """Images shifted to each place of the kernel, times its entry there, added up."""
    cuts = places(x.shape[1:3], (k.shape[0], k.shape[1]), stride, dilation)
    entries = _wide(k).reshape(-1, k.shape[3])
    sums = sum(_wide(x)[:, *cut] * entry for cut, entry in zip(cuts, entries, strict=True))
    return jnp.asarray(sums, x.dtype)


def _kernel_sums(x: Array, g: Array, kernel: Two, stride: Two, dilation: Two) -> Array:
    """For each place of the kernel the products of shifted images and a gradient, added up.

    By a loop over rows, whose sums are vectors: a sum over leading axes is scalar in XLA:CPU, and
    takes ten times as long.
    """
    n, h, w, c = g.shape
    reach = dilation[0] * (kernel[0] - 1) + 1

    def turn(i: Array, sums: list[Array]) -> list[Array]:
        at = i // h, i % h
        rows = lax.dynamic_slice(x, (at[0], at[1] * stride[0], 0, 0), (1, reach, *x.shape[2:]))
        row = lax.dynamic_slice(g, (*at, 0, 0), (1, 1, w, c))
        cuts = places(rows.shape[1:3], kernel, (1, stride[1]), dilation)
        return [a + rows[:, *cut] * row for a, cut in zip(sums, cuts, strict=True)]

    zeros = [jnp.zeros((1, 1, w, c), x.dtype)] * math.prod(kernel)
    return jnp.stack(lax.fori_loop(0, n * h, turn, zeros)).sum((1, 2, 3))


def _wide(x: Array) -> Array:
    """A narrow float as float32, in which it is summed."""
    return x.astype("float32") if x.dtype.itemsize < 4 else x


def _conv_shape(x: ShapedArray, k: ShapedArray, **p: Unpack[Geometry]) -> Sizes:
    size = output_size(p["size"], p["kernel"], p["stride"], p["padding"], p["dilation"])
    return (x.shape[0], *size, k.shape[3])


def _conv_dx_shape(g: ShapedArray, k: ShapedArray, **p: Unpack[Geometry]) -> Sizes:
    return (g.shape[0], *p["size"], k.shape[2] * p["groups"])


def _conv_dk_shape(x: ShapedArray, g: ShapedArray, **p: Unpack[Geometry]) -> Sizes:
    return (*p["kernel"], x.shape[3] // p["groups"], g.shape[3])


def _primitive(name: str, run: Callable[..., Array], shape: Callable[..., Sizes]) -> Primitive:
    p = Primitive(name)
    p.def_impl(jax.jit(run, static_argnames=_STATIC))
    p.def_abstract_eval(lambda a, b, **kw: ShapedArray(shape(a, b, **kw), a.dtype))
    mlir.register_lowering(p, mlir.lower_fun(run, multiple_results=False))
    batching.primitive_batchers[p] = partial(_batch, p, run)
    return p


def _batch(
    p: Primitive, run: Callable[..., Array], xs: Pair, dims: Dims, **kw: Unpack[Geometry]
) -> tuple[Array, int]:
    """A batched image joins the batch axis; anything else is left to XLA's own rules."""
    (a, b), (axis, other) = xs, dims
    if p is not conv_dk_p and axis is not None and other is None:
        a = jnp.moveaxis(a, axis, 0)
        y = p.bind(a.reshape(-1, *a.shape[2:]), b, **kw)
        return y.reshape(*a.shape[:2], *y.shape[1:]), 0
    return jax.vmap(partial(run, **kw), in_axes=dims)(a, b), 0


_STATIC = ("size", "kernel", "stride", "padding", "dilation", "groups")
conv_p = _primitive("conv", _conv, _conv_shape)
conv_dx_p = _primitive("conv_dx", _conv_dx, _conv_dx_shape)
conv_dk_p = _primitive("conv_dk", _conv_dk, _conv_dk_shape)

ad.defbilinear(
    conv_p,
    lambda g, x, k, **kw: conv_dx_p.bind(g, k, **kw),
    lambda g, x, k, **kw: conv_dk_p.bind(x, g, **kw),
)
ad.defbilinear(
    conv_dx_p,
    lambda x, g, k, **kw: conv_p.bind(x, k, **kw),
    lambda x, g, k, **kw: conv_dk_p.bind(x, g, **kw),
)
ad.defbilinear(
    conv_dk_p,
    lambda k, x, g, **kw: conv_dx_p.bind(g, k, **kw),
    lambda k, x, g, **kw: conv_p.bind(x, k, **kw),
)
