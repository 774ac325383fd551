"""Normalisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from jax import Array

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import AT_LEAST_0, FROM_0_TO_1, flag, integer, integers, number
from tensorem.errors import ArgumentError, ShapeError
from tensorem.layer import Buffer, Layer, Parameter
from tensorem.shapes import OpenShape, Shape, Spec, format_shape

from ._init import ones, zeros


class BatchNorm(Layer):
    """What batch norms of all ranks have in common; use `BatchNorm1d`, `2d` or `3d`.

    In training mean and variance are those of the batch, and the running ones follow them; in
    evaluation they are the running ones.

    Args:
        num_features: The number of channels.
        eps: Added to the variance.
        momentum: The weight of the batch in the running statistics; None for their plain mean.
        affine: Whether weight and bias are trained.
        track_running_stats: Whether there are running statistics; without them evaluation uses the
            batch as well.
    """

    forms: ClassVar[Mapping[int, str]] = {}
    """The ranks that are taken, and what stands after the channels."""

    takes = "float"
    num_features: int
    eps: float = 1e-5
    momentum: float | None = 0.1
    affine: bool = True
    track_running_stats: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("num_features", self.num_features, 1)
        number("eps", self.eps, AT_LEAST_0)
        if self.momentum is not None:
            number("momentum", self.momentum, FROM_0_TO_1, "None")
        flag("affine", self.affine)
        flag("track_running_stats", self.track_running_stats)

    def parameters(self) -> Mapping[str, Parameter | None]:
        shape = (self.num_features,)
        if not self.affine:
            return {"weight": None, "bias": None}
        return {"weight": Parameter(shape, ones()), "bias": Parameter(shape, zeros())}

    def buffers(self) -> Mapping[str, Buffer | None]:
        shape = (self.num_features,)
        if not self.track_running_stats:
            return {"running_mean": None, "running_var": None, "num_batches_tracked": None}
        return {
            "running_mean": Buffer(shape, zeros()),
            "running_var": Buffer(shape, ones()),
            "num_batches_tracked": Buffer((), zeros(), "int32"),
        }

    def output_shape(self, x: Shape) -> Shape:
        ranked = {rules.of_rank(x, rank) for rank in self.forms} - {None}
        if not ranked:
            forms = [f"(N, {self.num_features}{rest})" for rest in self.forms.values()]
            raise ShapeError(f"takes {' or '.join(forms)}, got {format_shape(x)}.")
        if isinstance(x, OpenShape) and len(self.forms) > 1:
            return x
        per_channel = [Spec((self.num_features,))] * 4
        y: Shape = rules.batch_norm(Spec(ranked.pop()), *per_channel, eps=self.eps).shape
        return y

    def forward(self, x: Array) -> Array:
        if self.track_running_stats and not self.training:
            mean, var = self.running_mean, self.running_var
        else:
            mean, var = self._moments(x)
        if self.track_running_stats and self.training:
            self._follow(x, mean, var)
        return F.batch_norm(x, mean, var, self.weight, self.bias, eps=self.eps)

    def _moments(self, x: Array) -> tuple[Array, Array]:
        """Mean and variance of a batch."""
        if _per_channel(x) == 1:
            raise ShapeError(
                f"{type(self).__name__} takes more than one value per channel to normalise by the "
                f"batch, got {format_shape(F.shape(x))}.",
                because="one value has no variance.",
                help="a larger batch or image.",
            )
        return F.batch_moments(x)

    def _follow(self, x: Array, mean: Array, var: Array) -> None:
        """Move the running statistics towards those of a batch."""
        n = _per_channel(x)
        count = self.num_batches_tracked + 1
        m = 1.0 / count.astype(mean.dtype) if self.momentum is None else self.momentum
        unbiased = var * (n / (n - 1))
        self.update(
            running_mean=_towards(self.running_mean, mean, m),
            running_var=_towards(self.running_var, unbiased, m),
            num_batches_tracked=count,
        )


class BatchNorm1d(BatchNorm):
    """Each channel less its mean, over its standard deviation, times weight, plus bias.

    In training mean and variance are those of the batch, and the running ones follow them; in
    evaluation they are the running ones.

    Shapes:
        (N, num_features) or (N, num_features, L)  ->  the same

    Args:
        num_features: The number of channels.
        eps: Added to the variance.
        momentum: The weight of the batch in the running statistics; None for their plain mean.
        affine: Whether weight and bias are trained.
        track_running_stats: Whether there are running statistics; without them evaluation uses the
            batch as well.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: x is no batch of rows or series of num_features channels, or has one value
            per channel where the statistics are those of the batch.

    Source:
        Ioffe and Szegedy 2015, algorithms 1 and 2. The running variance is the unbiased one, as in
        torch.nn.BatchNorm1d.
    """

    forms: ClassVar[Mapping[int, str]] = {2: "", 3: ", L"}


class BatchNorm2d(BatchNorm):
    """Each channel less its mean, over its standard deviation, times weight, plus bias.

    In training mean and variance are those of the batch, and the running ones follow them; in
    evaluation they are the running ones.

    Shapes:
        (N, num_features, H, W)  ->  the same

    Args:
        num_features: The number of channels.
        eps: Added to the variance.
        momentum: The weight of the batch in the running statistics; None for their plain mean.
        affine: Whether weight and bias are trained.
        track_running_stats: Whether there are running statistics; without them evaluation uses the
            batch as well.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: x is no batch of images of num_features channels, or has one value
            per channel where the statistics are those of the batch.

    Source:
        Ioffe and Szegedy 2015, algorithms 1 and 2. The running variance is the unbiased one, as in
        torch.nn.BatchNorm2d.
    """

    forms: ClassVar[Mapping[int, str]] = {4: ", H, W"}


class BatchNorm3d(BatchNorm):
    """Each channel less its mean, over its standard deviation, times weight, plus bias.

    In training mean and variance are those of the batch, and the running ones follow them; in
    evaluation they are the running ones.

    Shapes:
        (N, num_features, D, H, W)  ->  the same

    Args:
        num_features: The number of channels.
        eps: Added to the variance.
        momentum: The weight of the batch in the running statistics; None for their plain mean.
        affine: Whether weight and bias are trained.
        track_running_stats: Whether there are running statistics; without them evaluation uses the
            batch as well.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: x is no batch of volumes of num_features channels, or has one value
            per channel where the statistics are those of the batch.

    Source:
        Ioffe and Szegedy 2015, algorithms 1 and 2. The running variance is the unbiased one, as in
        torch.nn.BatchNorm3d.
    """

    forms: ClassVar[Mapping[int, str]] = {5: ", D, H, W"}


class LayerNorm(Layer):
    """The last axes less their mean, over their standard deviation, times weight, plus bias.

    Shapes:
        (*batch, *normalized_shape)  ->  the same

    Args:
        normalized_shape: The sizes of the last axes; a number for one axis.
        eps: Added to the variance.
        elementwise_affine: Whether a weight (and a bias) is trained.
        bias: Whether there is a bias.

    Raises:
        ArgumentError: A number is out of range.
        ShapeError: The last axes of x are not normalized_shape.

    Source:
        Ba, Kiros and Hinton 2016, equation 4.
    """

    takes = "float"
    normalized_shape: int | tuple[int, ...]
    eps: float = 1e-5
    elementwise_affine: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not integers("normalized_shape", self._last(), 1):
            raise ArgumentError("takes normalized_shape of at least one axis, got ().")
        number("eps", self.eps, AT_LEAST_0)
        flag("elementwise_affine", self.elementwise_affine)
        flag("bias", self.bias)

    def parameters(self) -> Mapping[str, Parameter | None]:
        weight = Parameter(self._last(), ones()) if self.elementwise_affine else None
        biased = self.elementwise_affine and self.bias
        return {"weight": weight, "bias": Parameter(self._last(), zeros()) if biased else None}

    def output_shape(self, x: Shape) -> Shape:
        last = Spec(self._last())
        y: Shape = rules.layer_norm(Spec(x), last, last, ndim=len(last.shape), eps=self.eps).shape
        return y

    def forward(self, x: Array) -> Array:
        bias: Any = self.bias  # in forward the array, or None
        return F.layer_norm(x, self._last(), self.weight, bias, self.eps)

    def _last(self) -> tuple[int, ...]:
        shape = self.normalized_shape
        return shape if isinstance(shape, tuple) else (shape,)


def _per_channel(x: Array) -> int:
    """How many values of a batch one channel has."""
    return math.prod(x.shape[2:], start=x.shape[0])


def _towards(old: Array, new: Array, weight: Array | float) -> Array:
    """Computed in the dtype of the new: a variance of float16 overflows before it is weighted."""
    return ((1 - weight) * old.astype(new.dtype) + weight * new).astype(old.dtype)
