"""Normalisation of an example by itself: root mean square, groups, channels, neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar

from jax import Array

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import ABOVE_0, AT_LEAST_0, flag, integer, integers, number
from tensorem.errors import ArgumentError
from tensorem.layer import Layer, Parameter
from tensorem.shapes import Shape, Spec

from ._init import ones, zeros


class RMSNorm(Layer):
    """The last axes over the root of their mean square, times weight.

    Shapes:
        (*batch, *normalized_shape)  ->  the same

    Args:
        normalized_shape: The sizes of the last axes; a number for one axis.
        eps: Added to the mean square; None for the distance from 1 to the next float of the dtype.
        elementwise_affine: Whether a weight is trained.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: The last axes of x are not normalized_shape.

    Source:
        Zhang and Sennrich 2019, equation 4.
    """

    takes = "float"
    normalized_shape: int | tuple[int, ...]
    eps: float | None = None
    elementwise_affine: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        integers("normalized_shape", self._last(), 1)
        if self.eps is not None:
            number("eps", self.eps, AT_LEAST_0, "None")
        flag("elementwise_affine", self.elementwise_affine)

    def parameters(self) -> Mapping[str, Parameter | None]:
        return {"weight": Parameter(self._last(), ones()) if self.elementwise_affine else None}

    def output_shape(self, x: Shape) -> Shape:
        last = Spec(self._last())
        y: Shape = rules.layer_norm(Spec(x), last, last, ndim=len(self._last()), eps=0.0).shape
        return y

    def forward(self, x: Array) -> Array:
        return F.rms_norm(x, self._last(), self.weight, self.eps)

    def _last(self) -> tuple[int, ...]:
        shape = self.normalized_shape
        return shape if isinstance(shape, tuple) else (shape,)


class GroupNorm(Layer):
    """Groups of channels less their mean, over their standard deviation, times weight, plus bias.

    Shapes:
        (N, num_channels, ...)  ->  the same

    Args:
        num_groups: Into how many groups the channels fall.
        num_channels: The number of channels.
        eps: Added to the variance.
        affine: Whether weight and bias are trained, one of each per channel.

    Raises:
        ArgumentError: A number is out of range, or the groups do not divide the channels.
        ShapeError: x has other channels, or a size other than N is a name.

    Source:
        Wu and He 2018, equations 1 to 7.
    """

    takes = "float"
    num_groups: int
    num_channels: int
    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("num_groups", self.num_groups, 1)
        integer("num_channels", self.num_channels, 1)
        number("eps", self.eps, AT_LEAST_0)
        flag("affine", self.affine)
        if self.num_channels % self.num_groups:
            raise ArgumentError(
                f"takes groups that divide {self.num_channels} channels, got {self.num_groups}."
            )

    def parameters(self) -> Mapping[str, Parameter | None]:
        return _affine(self.num_channels, self.affine)

    def output_shape(self, x: Shape) -> Shape:
        return rules.with_channels(x, self.num_channels)

    def forward(self, x: Array) -> Array:
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class InstanceNorm(Layer):
    """What such layers of all ranks have in common; use `InstanceNorm1d`, `2d` or `3d`."""

    axes: ClassVar[int] = 0
    """How many axes an image has."""

    takes = "float"
    num_features: int
    eps: float = 1e-5
    affine: bool = field(default=False, kw_only=True)  # PyTorch has momentum before it

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("num_features", self.num_features, 1)
        number("eps", self.eps, AT_LEAST_0)
        flag("affine", self.affine)

    def parameters(self) -> Mapping[str, Parameter | None]:
        return _affine(self.num_features, self.affine)

    def output_shape(self, x: Shape) -> Shape:
        rank = 2 + self.axes
        return rules.with_channels(x, self.num_features, rank, rank)

    def forward(self, x: Array) -> Array:
        return F.instance_norm(x, self.weight, self.bias, self.eps)


class InstanceNorm1d(InstanceNorm):
    """Each channel of an example less its mean, over its standard deviation.

    Shapes:
        (N, num_features, L)  ->  the same

    Args:
        num_features: The number of channels.
        eps: Added to the variance.
        affine: By name: whether weight and bias are trained, one of each per channel.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: x has another rank or other channels, or one value per channel.

    Source:
        Ulyanov, Vedaldi and Lempitsky 2016, equation 4; without running statistics.
    """

    axes: ClassVar[int] = 1


class InstanceNorm2d(InstanceNorm):
    """Each channel of an image less its mean, over its standard deviation.

    Shapes:
        (N, num_features, H, W)  ->  the same

    Args:
        num_features: The number of channels.
        eps: Added to the variance.
        affine: By name: whether weight and bias are trained, one of each per channel.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: x has another rank or other channels, or one value per channel.

    Source:
        Ulyanov, Vedaldi and Lempitsky 2016, equation 4; without running statistics.
    """

    axes: ClassVar[int] = 2


class InstanceNorm3d(InstanceNorm):
    """Each channel of a volume less its mean, over its standard deviation.

    Shapes:
        (N, num_features, D, H, W)  ->  the same

    Args:
        num_features: The number of channels.
        eps: Added to the variance.
        affine: By name: whether weight and bias are trained, one of each per channel.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: x has another rank or other channels, or one value per channel.

    Source:
        Ulyanov, Vedaldi and Lempitsky 2016, equation 4; without running statistics.
    """

    axes: ClassVar[int] = 3


class LocalResponseNorm(Layer):
    """x / (k + alpha · mean of squares of neighbouring channels)^beta.

    Shapes:
        (N, C, ...)  ->  the same

    Args:
        size: How many channels are neighbours, the own one included; missing ones count as 0.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: x has fewer than two axes.

    Source:
        Krizhevsky, Sutskever and Hinton 2012, section 3.3; the mean as in torch.nn.
    """

    takes = "float"
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("size", self.size, 1)
        number("alpha", self.alpha, AT_LEAST_0)
        number("beta", self.beta)
        number("k", self.k, ABOVE_0)

    def output_shape(self, x: Shape) -> Shape:
        return rules.with_channels(x)

    def forward(self, x: Array) -> Array:
        return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)


def _affine(channels: int, trained: bool) -> Mapping[str, Parameter | None]:
    """A weight and a bias for each channel, or none."""
    if not trained:
        return {"weight": None, "bias": None}
    return {"weight": Parameter((channels,), ones()), "bias": Parameter((channels,), zeros())}
