"""Convolution of images, and its two gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import Size, Spec, differ, format_shape

from ._contract import biased, weight_of
from ._elementwise import one_dtype, one_shape
from ._known import sizes_of, with_end
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
    out, per_group, *kernel = kernel_of(weight)
    channels = per_group * groups
    check_groups(channels, out, groups)
    if channels == 0 or out == 0:
        raise ShapeError(f"takes at least 1 channel in and out, got {channels} and {out}.")
    parts = f" in {groups} groups" if groups > 1 else ""
    source = f"{channels} is set by the weight {format_shape(weight.shape)}{parts}"
    _, *image = image_of(x.shape, channels, source)
    window = (kernel, stride, padding, dilation)
    places = slide(x.shape, tuple(image), window, conv_size)
    channels_out = biased(out, weight, bias)
    return replace(one_dtype(x, weight), shape=with_end(x.shape, 3, (channels_out, *places)))


def kernel_of(weight: Spec) -> tuple[Size, ...]:
    """The sizes of a weight: channels out, channels in per group, height and width.

    Raises:
        ShapeError: It has other axes.
    """
    return weight_of(weight, "out", "in / groups", "kh", "kw")


def check_groups(inputs: Size, outputs: Size, groups: int) -> None:
    """Refuse groups that do not divide the channels.

    Raises:
        ArgumentError: They do not.
    """
    if groups < 1 or not _divides(groups, inputs) or not _divides(groups, outputs):
        raise ArgumentError(
            f"takes groups that divide the channels {inputs} and {outputs}, got {groups}."
        )


def _divides(groups: int, channels: Size) -> bool:
    return not differ(channels // groups * groups, channels)


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
