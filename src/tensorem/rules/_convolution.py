"""Convolution of images, and its two gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import Size, Spec, format_shape, is_negative

from ._contract import biased, weight_of
from ._elementwise import one_dtype, one_shape
from ._known import divided, sizes_of, with_end
from ._window import Padding, Two, conv_size, image_of, slide


def conv2d(
    x: Spec,
    weight: Spec,
    bias: Spec | None = None,
    *,
    stride: Two,
    padding: Padding[int],
    dilation: Two,
    groups: int,
) -> Spec:
    """The convolution of an image or a batch of images.

    Shapes:
        x (N, C, H, W) or (C, H, W), weight (out, C / groups, kh, kw), bias (out,)
        ->  (N, out, H', W') or (out, H', W')

    Raises:
        ShapeError: The shapes do not fit, or the kernel reaches beyond the padded image.
        ArgumentError: Stride, dilation, padding or groups out of range.
        DTypeError: The operands have two dtypes.

    Example:
        >>> numbers = dict(stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1)
        >>> conv2d(Spec(("N", 1, 8, 8)), Spec((16, 1, 3, 3)), **numbers)
        float32 (N, 16, 8, 8)
    """
    return conv(x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def conv(
    x: Spec,
    weight: Spec,
    bias: Spec | None = None,
    *,
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Spec:
    """The convolution of images of as many axes as there are strides; as `conv2d`.

    Raises:
        ShapeError: The shapes do not fit, or the kernel reaches beyond the padded image.
        ArgumentError: Stride, dilation, padding or groups out of range.
        DTypeError: The operands have two dtypes.

    Example:
        >>> numbers = dict(stride=(1,), padding=((1, 1),), dilation=(1,), groups=1)
        >>> conv(Spec(("N", 1, 8)), Spec((16, 1, 3)), **numbers)
        float32 (N, 16, 8)
    """
    axes = len(stride)
    out, per_group, *kernel = kernel_of(weight, axes)
    channels = per_group * groups
    check_groups(channels, out, groups)
    if channels == 0 or out == 0:
        raise ShapeError(f"takes at least 1 channel in and out, got {channels} and {out}.")
    parts = f" in {groups} groups" if groups > 1 else ""
    source = f"{channels} is set by the weight {format_shape(weight.shape)}{parts}"
    _, *image = image_of(x.shape, channels, source, axes)
    window = (kernel, stride, padding, dilation)
    places = slide(x.shape, tuple(image), window, conv_size)
    channels_out = biased(out, weight, bias)
    return replace(one_dtype(x, weight), shape=with_end(x.shape, axes + 1, (channels_out, *places)))


def kernel_of(weight: Spec, axes: int = 2) -> tuple[Size, ...]:
    """The sizes of a weight: channels out, channels in per group, those of the kernel.

    Raises:
        ShapeError: It has other axes.
    """
    return weight_of(weight, "out", "in / groups", *_KERNEL[axes])


_KERNEL = {1: ("k",), 2: ("kh", "kw"), 3: ("kd", "kh", "kw")}


def conv_transpose(
    x: Spec,
    weight: Spec,
    bias: Spec | None = None,
    *,
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    output_padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Spec:
    """The transpose of a convolution: from its result to its image.

    Shapes:
        x (N, C, *image) or (C, *image), weight (C, out / groups, *kernel), bias (out,)
        ->  (N, out, *larger image) or without N

    Raises:
        ShapeError: The shapes do not fit, or nothing is left within the padding.
        ArgumentError: output_padding reaches the stride and the dilation, or groups do not divide.
        DTypeError: The operands have two dtypes.

    Example:
        >>> numbers = dict(stride=(2,), padding=((1, 1),), output_padding=(0,), dilation=(1,))
        >>> conv_transpose(Spec(("N", 4, 8)), Spec((4, 3, 4)), **numbers, groups=1)
        float32 (N, 3, 16)
    """
    axes = len(stride)
    channels, per_group, *kernel = kernel_of(weight, axes)
    out = per_group * groups
    check_groups(channels, out, groups)
    source = f"{channels} is set by the weight {format_shape(weight.shape)}"
    _, *image = image_of(x.shape, channels, source, axes)
    numbers = zip(image, kernel, stride, padding, output_padding, dilation, strict=True)
    sizes = tuple(_spread(*axis) for axis in numbers)
    channels_out = biased(out, weight, bias)
    return replace(one_dtype(x, weight), shape=with_end(x.shape, axes + 1, (channels_out, *sizes)))


def _spread(
    size: Size, kernel: Size, stride: int, padding: tuple[int, int], more: int, dilation: int
) -> Size:
    """The size of an axis on which a convolution gives `size` places, and `more` at the end."""
    if more >= max(stride, dilation):
        raise ArgumentError(
            f"takes output_padding below stride {stride} or dilation {dilation}, got {more}."
        )
    whole: Size = (size - 1) * stride + dilation * (kernel - 1) + more + 1
    left: Size = whole - padding[0] - padding[1]
    if is_negative(left - 1):
        raise ShapeError(f"takes padding that leaves something, got {padding} of {whole}.")
    return left


def check_groups(inputs: Size, outputs: Size, groups: int) -> None:
    """Refuse groups that do not divide the channels.

    Raises:
        ArgumentError: They do not.
    """
    if groups < 1 or None in (divided(inputs, groups), divided(outputs, groups)):
        raise ArgumentError(
            f"takes groups that divide the channels {inputs} and {outputs}, got {groups}."
        )


def conv2d_dx(
    g: Spec,
    weight: Spec,
    *,
    size: Two,
    stride: Two,
    padding: Padding[int],
    dilation: Two,
    groups: int,
) -> Spec:
    """The image of a convolution, from the gradient of its result and the weight.

    Raises:
        ShapeError: The convolution of such an image does not give a result like the gradient.
    """
    n, *_ = sizes_of(g, 4)
    _, per_group, *_ = sizes_of(weight, 4)
    image = replace(g, shape=(n, per_group * groups, *size))
    moves: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    one_shape(conv2d(image, weight, **moves, groups=groups).shape, g.shape)
    return image


def conv2d_dk(
    x: Spec,
    g: Spec,
    *,
    size: Two,
    stride: Two,
    padding: Padding[int],
    dilation: Two,
    groups: int,
) -> Spec:
    """The weight of a convolution, from its image and the gradient of its result.

    Raises:
        ShapeError: The convolution with such a weight does not give a result like the gradient.
    """
    _, channels, *_ = sizes_of(x, 4)
    _, out, *_ = sizes_of(g, 4)
    weight = replace(x, shape=(out, channels // groups, *size))
    moves: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    one_shape(conv2d(x, weight, **moves, groups=groups).shape, g.shape)
    return weight
