"""Entries change place and are not changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tensorem import ops, rules
from tensorem.calls import among, integer, integers
from tensorem.errors import ArgumentError, ShapeError
from tensorem.rules import PADDING_MODES, check_padding
from tensorem.shapes import format_shape, sizes

from ._shape import axes, checked, shape, spec, static

Array = jax.Array


@checked
def reshape(x: Array, target: tuple[int, ...]) -> Array:
    """The same entries, in row-major order, in another shape.

    Shapes:
        (...)  ->  target, where one size may be -1

    Raises:
        ShapeError: The target has another number of entries.
        ArgumentError: The target is no tuple.

    Example:
        >>> reshape(jnp.zeros((2, 3)), (3, -1)).shape
        (3, 2)
    """
    if not isinstance(target, (tuple, list)):
        raise ArgumentError(f"takes a tuple of sizes, got {target!r}.")
    if static(target):
        return ops.reshape(x, shape=tuple(target))
    rules.reshape(spec(x), shape=rules.Whole(sizes(target)))
    named = [i for i, n in enumerate(target) if not isinstance(n, int)]
    if len(named) > 1 or -1 in target:
        return jnp.reshape(x, target)  # attributes of an op are plain integers
    return ops.reshape(x, shape=tuple(-1 if i in named else n for i, n in enumerate(target)))


@checked
def flatten(x: Array, start_dim: int = 0, end_dim: int = -1) -> Array:
    """Several axes as one.

    Shapes:
        (a, ..., c)  ->  (a, product of ..., c)

    Raises:
        ShapeError: There is no such axis.

    Example:
        >>> flatten(jnp.zeros((2, 3, 4)), start_dim=1).shape
        (2, 12)
    """
    rules.flatten(spec(x), start_dim=start_dim, end_dim=end_dim)
    first = start_dim % max(x.ndim, 1)
    last = end_dim % max(x.ndim, 1)
    size = 1
    for n in x.shape[first : last + 1]:
        size = size * n
    return reshape(x, (*x.shape[:first], size, *x.shape[last + 1 :]))


@checked
def permute(x: Array, dims: tuple[int, ...]) -> Array:
    """The axes in another order.

    Shapes:
        (n0, n1, ...)  ->  (n of dims[0], n of dims[1], ...)

    Raises:
        ArgumentError: dims does not name every axis once.

    Example:
        >>> permute(jnp.zeros((2, 3, 4)), (2, 0, 1)).shape
        (4, 2, 3)
    """
    return ops.permute(x, dims=integers("dims", dims))


@checked
def cat(xs: Sequence[Array], dim: int = 0) -> Array:
    """Arrays one after another along an axis.

    Shapes:
        (..., a, ...), (..., b, ...)  ->  (..., a + b, ...)

    Raises:
        ArgumentError: There are no arrays, or dim is no integer.
        ShapeError: The other axes differ, or there is no such axis.
        DTypeError: The arrays have several dtypes.

    Example:
        >>> cat([jnp.array([1.0, 2.0]), jnp.array([3.0])]).tolist()
        [1.0, 2.0, 3.0]
    """
    if not isinstance(xs, (tuple, list)) or not xs:
        raise ArgumentError(f"takes a list of at least one array, got {type(xs).__name__}.")
    return ops.concat(*xs, dim=rules.axis(shape(xs[0]), dim))


@checked
def narrow(x: Array, dim: int, start: int, length: int) -> Array:
    """The part of an axis from start on; start may count from the end.

    Shapes:
        (..., n, ...)  ->  (..., length, ...)

    Raises:
        ArgumentError: An argument is no integer.
        ShapeError: There is no such axis, or the part reaches beyond it.

    Example:
        >>> narrow(jnp.array([1.0, 2.0, 3.0, 4.0]), dim=0, start=1, length=2).tolist()
        [2.0, 3.0]
    """
    axis, start = rules.axis(shape(x), dim), integer("start", start)
    length = integer("length", length)
    first = start if start >= 0 else x.shape[axis] + start
    if static(x.shape) and not 0 <= first <= first + length <= x.shape[axis]:
        raise ShapeError(
            f"takes a part of the axis of {x.shape[axis]}, got start {start} and length {length}."
        )
    begin = tuple(first if d == axis else 0 for d in range(x.ndim))
    end = tuple(first + length if d == axis else n for d, n in enumerate(x.shape))
    if static((*begin, *end)):
        return ops.slice(x, start=begin, stop=end, step=(1,) * x.ndim)
    return lax.slice(x, begin, end)  # attributes of an op are plain integers


@checked
def flip(x: Array, dims: int | tuple[int, ...]) -> Array:
    """The array with some axes the other way round.

    Shapes:
        (...)  ->  the same

    Raises:
        ArgumentError: dims is neither an integer nor a tuple of them.
        ShapeError: There is no such axis, or it is named twice.

    Example:
        >>> flip(jnp.array([1.0, 2.0, 3.0]), 0).tolist()
        [3.0, 2.0, 1.0]
    """
    return ops.flip(x, dims=axes(x, dims))


@checked
def roll(
    x: Array, shifts: int | tuple[int, ...], dims: int | tuple[int, ...] | None = None
) -> Array:
    """The array, its entries moved on along axes; what leaves at the end comes in at the start.

    Shapes:
        (...)  ->  the same

    Args:
        shifts: By how many places, one number for each axis.
        dims: The axes; None moves the entries of the whole array in row-major order.

    Raises:
        ArgumentError: There is not one shift for each axis, or one is no integer.
        ShapeError: There is no such axis, or its size is a name.

    Example:
        >>> roll(jnp.array([1.0, 2.0, 3.0]), 1).tolist()
        [3.0, 1.0, 2.0]
    """
    if dims is None:
        return reshape(roll(flatten(x), shifts, 0), x.shape)
    steps, along = (
        integers(k, v if isinstance(v, tuple | list) else (v,))
        for k, v in (("shifts", shifts), ("dims", dims))
    )
    if len(steps) != len(along):
        raise ArgumentError(f"takes a shift for each of {len(along)} axes, got {shifts}.")
    for step, dim in zip(steps, along, strict=True):
        x = _rolled(x, step, rules.axis(shape(x), dim))
    return x


def _rolled(x: Array, step: int, axis: int) -> Array:
    size = x.shape[axis]
    if not static((size,)):
        raise ShapeError(
            f"takes an axis whose size is a number, got {format_shape(shape(x))}.",
            help="give an integer in place of the name in the input's shape.",
        )
    head = size - step % size if size != 0 else 0
    return cat([narrow(x, axis, head, size - head), narrow(x, axis, 0, head)], axis)


@checked
def pad(x: Array, pad: tuple[int, ...], mode: str = "constant", value: float = 0.0) -> Array:
    """The array in a frame: of one value, or of entries of its own.

    Shapes:
        (..., n)  ->  (..., before + n + after)

    Args:
        pad: (before, after) of the last axis, then of the one before it, and so on; negative
            numbers cut, in mode "constant".
        mode: "constant"; "reflect": the entries mirrored at the outermost ones; "replicate": the
            outermost ones again; "circular": the entries of the other end.
        value: What the frame of mode "constant" holds.

    Raises:
        ArgumentError: pad is not such a tuple, or cuts away more than there is, or there is no such
            mode.
        ShapeError: An axis is too short to fill its frame.

    Example:
        >>> pad(jnp.array([[1.0, 2.0]]), (1, 0, 0, 1)).tolist()
        [[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
        >>> pad(jnp.array([1.0, 2.0, 3.0]), (2, 1), "reflect").tolist()
        [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]
    """
    frame = integers("pad", pad)
    if len(frame) % 2 or len(frame) > 2 * x.ndim:
        raise ArgumentError(f"takes pad as up to {x.ndim} pairs of integers, got {pad}.")
    among("mode", mode, tuple(PADDING_MODES))
    ends = [(0, 0)] * (x.ndim - len(frame) // 2)
    ends += [(frame[i], frame[i + 1]) for i in range(len(frame) - 2, -1, -2)]
    if mode != "constant":
        return _filled(x, ends, mode)
    low, high = zip(*ends, strict=True) if ends else ((), ())
    filler, none = jnp.asarray(value, x.dtype), (0,) * x.ndim
    return ops.pad(x, filler, low=low, high=high, interior=none)


def _filled(x: Array, ends: list[tuple[int, int]], mode: str) -> Array:
    """The array framed by entries of its own, one axis after another."""
    for dim, (before, after) in enumerate(ends):
        if min(before, after) < 0:
            raise ArgumentError(
                f"takes pad of at least 0 in mode {mode!r}, got {(before, after)}.",
                help="cut with F.narrow, before or after as is meant.",
            )
        check_padding(shape(x)[dim], (before, after), mode)
        start, end = _FILLERS[mode]
        first = start(x, dim, before) if before else []
        last = end(x, dim, after) if after else []
        x = cat([*first, x, *last], dim) if first or last else x
    return x


Filler = Callable[[Array, int, int], list[Array]]


def _mirror(x: Array, dim: int, start: int, count: int) -> list[Array]:
    return [ops.flip(narrow(x, dim, start, count), dims=(dim,))]


def _again(x: Array, dim: int, place: int, count: int) -> list[Array]:
    return [narrow(x, dim, place, 1)] * count


def _part(x: Array, dim: int, start: int, count: int) -> list[Array]:
    return [narrow(x, dim, start, count)]


_FILLERS: Mapping[str, tuple[Filler, Filler]] = {
    "reflect": (
        lambda x, dim, n: _mirror(x, dim, 1, n),
        lambda x, dim, n: _mirror(x, dim, -n - 1, n),
    ),
    "replicate": (lambda x, dim, n: _again(x, dim, 0, n), lambda x, dim, n: _again(x, dim, -1, n)),
    "circular": (lambda x, dim, n: _part(x, dim, -n, n), lambda x, dim, n: _part(x, dim, 0, n)),
}
"""Mode -> what stands before an axis, and what stands after it, so many places of it."""


@checked
def broadcast(x: Array, target: tuple[Any, ...], dims: tuple[int, ...]) -> Array:
    """The array repeated along new axes.

    Args:
        target: The shape of the result.
        dims: Where each axis of x stands in the result.

    Raises:
        ShapeError: A size is neither 1 nor that of the target.
        ArgumentError: dims do not rise, or are not as many as x has.

    Example:
        >>> broadcast(jnp.array([1.0, 2.0]), (2, 3), (0,)).tolist()
        [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
    """
    if static(target):
        return ops.broadcast(x, shape=tuple(target), dims=dims)
    rules.broadcast(spec(x), shape=rules.Whole(sizes(target)), dims=dims)
    return lax.broadcast_in_dim(x, target, dims)  # attributes of an op are plain integers


@checked
def repeat_interleave(x: Array, repeats: int, dim: int | None = None) -> Array:
    """Each slice of an axis several times, one after another.

    Shapes:
        (..., n, ...)  ->  (..., n * repeats, ...)

    Args:
        dim: The axis; None for the entries of the whole array in row-major order.

    Raises:
        ArgumentError: repeats is no integer of at least 0.
        ShapeError: There is no such axis.

    Example:
        >>> repeat_interleave(jnp.array([1.0, 2.0]), 2).tolist()
        [1.0, 1.0, 2.0, 2.0]
    """
    times = integer("repeats", repeats, 0)
    if dim is None:
        return repeat_interleave(flatten(x), times, 0)
    axis = rules.axis(shape(x), dim)
    if times == 1:
        return x
    first, last = x.shape[: axis + 1], x.shape[axis + 1 :]
    kept = tuple(d for d in range(x.ndim + 1) if d != axis + 1)
    wide = broadcast(x, (*first, times, *last), kept)
    return reshape(wide, (*first[:-1], first[-1] * times, *last))


def batched(x: Array, axes: int, f: Callable[[Array], Array]) -> Array:
    """A function of a batch of images with so many axes, on one image too."""
    if x.ndim == axes + 2:
        return f(x)
    y = f(reshape(x, (1, *x.shape)))
    return reshape(y, y.shape[1:])


def as_row(x: Array) -> Array:
    """A series (..., L) as an image (..., 1, L)."""
    return reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def of_row(x: Array) -> Array:
    """The series of an image that is one row high."""
    return reshape(x, (*x.shape[:-2], x.shape[-1]))
