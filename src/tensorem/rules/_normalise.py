"""Softmax and normalisations."""

from __future__ import annotations

from dataclasses import replace

from tensorem.dtypes import HALF
from tensorem.errors import ShapeError
from tensorem.shapes import OpenShape, Shape, Size, Spec, differ, format_shape, require_equal

from ._elementwise import floating, floats
from ._known import end, ended, known, require, sizes_of, with_end
from ._reduce import one_of


def softmax(x: Spec, *, dim: int) -> Spec:
    """The operand's own, once it has the axis.

    Raises:
        ShapeError: There is no axis dim, or nothing along it.
        DTypeError: x holds no floats.
    """
    one_of(x, dim)
    return floats(x)


def batch_norm(x: Spec, weight: Spec, bias: Spec, mean: Spec, var: Spec, *, eps: float) -> Spec:
    """Each channel normalised by a mean and a variance.

    Shapes:
        x (N, C, ...), weight, bias, mean, var (C,)  ->  like x

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes do not: of 16-bit floats mean and var may be in float32.

    Example:
        >>> batch_norm(Spec(("N", None, 8, 8)), *[Spec((16,))] * 4, eps=0.0)
        float32 (N, 16, 8, 8)
    """
    if isinstance(x.shape, tuple):
        x = _with_channels(x, x.shape, mean)
    for name, p in (("weight", weight), ("bias", bias), ("var", var)):
        _of_shape(name, p, mean)
    if x.dtype in HALF and mean.dtype == "float32":  # 16 bits do not hold the variance of a batch
        floating(mean, var)
        return floating(x, weight, bias)
    return floating(x, weight, bias, mean, var)


def _with_channels(x: Spec, shape: tuple[Size, ...], mean: Spec) -> Spec:
    if len(shape) < 2:
        raise ShapeError(f"takes (N, C, ...), got {format_shape(shape)}.")
    (channels,) = sizes_of(mean, 1)
    form = "H, W" if len(shape) == 4 else "..."
    what = f"takes (N, {channels}, {form}), got {format_shape(shape)}."
    require(shape[1:2], (channels,), what, f"{channels} is set by the mean")
    return replace(x, shape=(shape[0], known(shape[1], channels), *shape[2:]))


def layer_norm(x: Spec, weight: Spec, bias: Spec, *, ndim: int, eps: float) -> Spec:
    """The last axes normalised together.

    Shapes:
        x (*batch, *last), weight and bias (*last)  ->  like x

    Args:
        ndim: How many the last axes are.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have no common dtype of floats.

    Example:
        >>> layer_norm(Spec((5, None, 3)), *[Spec((7, 3))] * 2, ndim=2, eps=0.0)
        float32 (5, 7, 3)
    """
    last = sizes_of(weight, ndim)
    _of_shape("bias", bias, weight)
    form = f"(*batch, {', '.join(map(str, last))})"
    return floating(replace(x, shape=ended(x.shape, last, form)), weight, bias)


def with_channels(
    x: Shape, channels: Size | None = None, least: int = 2, most: int | None = None
) -> Shape:
    """A batch of examples, whose channels stand on axis 1.

    Shapes:
        (N, channels, ...)  ->  the same

    Args:
        channels: How many there are; None for any number.
        least: The least number of axes.
        most: The greatest; None for any.

    Raises:
        ShapeError: x has another number of axes, or other channels.

    Example:
        >>> with_channels((2, 3, 8, 8), 3, 4, 4)
        (2, 3, 8, 8)
    """
    if isinstance(x, OpenShape):
        return x
    fits = least <= len(x) and (most is None or len(x) <= most)
    if not fits or (channels is not None and differ(x[1], channels)):
        image = _IMAGES[least] if least == most else "..."
        form = f"(N, {'C' if channels is None else channels}, {image})"
        raise ShapeError(f"takes {form}, got {format_shape(x)}.")
    return x


_IMAGES = {3: "L", 4: "H, W", 5: "D, H, W"}


def columns(x: Spec, count: int) -> Spec:
    """Each column of a table by itself.

    Shapes:
        (*batch, count)  ->  (*batch, count)

    Raises:
        ShapeError: The last axis is another.

    Example:
        >>> columns(Spec((5, None)), 3)
        float32 (5, 3)
    """
    got = end(x.shape, 1)
    what = f"takes (*batch, {count}), got {format_shape(x.shape)}."
    if got is None:
        raise ShapeError(what)
    help = f"give one mean and one std for each of the {got[0]} columns."
    require_equal(got, (count,), what, help)
    return replace(x, shape=with_end(x.shape, 1, (count,)))


def rms_norm(x: Spec, weight: Spec, *, ndim: int, eps: float) -> Spec:
    """The last axes over their root mean square.

    Shapes:
        x (*batch, *last), weight (*last)  ->  like x

    Args:
        ndim: How many the last axes are.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have no common dtype of floats.

    Example:
        >>> rms_norm(Spec((5, None, 3)), Spec((7, 3)), ndim=2, eps=0.0)
        float32 (5, 7, 3)
    """
    return layer_norm(x, weight, weight, ndim=ndim, eps=eps)


def _of_shape(name: str, p: Spec, other: Spec) -> None:
    what = f"takes {name} {format_shape(other.shape)}, got {format_shape(p.shape)}."
    require_equal(p.shape, other.shape, what)
