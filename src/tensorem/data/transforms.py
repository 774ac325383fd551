"""What becomes of a batch on its way: pure functions of (x, y, keys), a key for each row.

Images are float arrays (n, channels, height, width). A row's draws follow from its key, which is
one of (seed, epoch, row): so neither the batch around it nor the number of workers matters.
`MixUp` and `CutMix` mix a batch with itself, and so depend on which rows it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tensorem import rand
from tensorem.calls import AT_LEAST_0, FROM_0_TO_1, each, integer, named, number
from tensorem.errors import ArgumentError, DataError

from ._source import Array

Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]


class Transform(Protocol):
    """(x, y, keys) -> (x, y), the same rows."""

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """The batch after it."""
        ...


def row_keys(seed: int, epoch: int, rows: NDArray[np.int64]) -> Keys:
    """A key for each row of an epoch; a row that comes again has another each time.

    Example:
        >>> keys = row_keys(0, 0, np.array([3, 5, 3]))
        >>> len(set(keys.tolist())), keys[1] == row_keys(0, 0, np.array([5]))[0]
        (3, np.True_)
    """
    start = np.uint64(rand.fold(seed, "transform", epoch))
    times = np.uint64(2**40) * _times_before(rows).astype(np.uint64)
    return rand.splitmix64_array(start + rows.astype(np.uint64) + times)


def _times_before(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each entry occurs before its place."""
    order = np.argsort(rows, kind="stable")
    ordered, places = rows[order], np.arange(len(rows))
    first = np.r_[True, ordered[1:] != ordered[:-1]][: len(rows)]
    times = np.empty(len(rows), np.int64)
    times[order] = places - np.maximum.accumulate(np.where(first, places, 0))
    return times


def draws(keys: Keys, shape: tuple[int, ...] = ()) -> Floats:
    """Uniform numbers in [0, 1) for each key.

    Shapes:
        float64 (keys, *shape)

    Example:
        >>> draws(np.array([1, 2], np.uint64), (3,)).shape
        (2, 3)
    """
    places = np.arange(math.prod(shape), dtype=np.uint64)
    words = rand.splitmix64_array(keys[:, np.newaxis] + places)
    fractions = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return fractions.reshape(len(keys), *shape)


@dataclass(frozen=True, init=False)
class Compose:
    """Transforms from left to right, each with keys of its own.

    Example:
        >>> both = Compose(RandomHorizontalFlip(), Normalize(0.5, 0.5))
        >>> x, y = both(np.zeros((2, 1, 4, 4)), np.arange(2), row_keys(0, 0, np.arange(2)))
        >>> float(x[0, 0, 0, 0])
        -1.0
    """

    transforms: tuple[Transform, ...]

    def __init__(self, *transforms: Transform) -> None:
        object.__setattr__(self, "transforms", transforms)

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """The batch after all of them."""
        for place, transform in enumerate(self.transforms):
            own = rand.splitmix64_array(keys ^ np.uint64(rand.fold(0, "compose", place)))
            x, y = transform(x, y, own)
        return x, y


@dataclass(frozen=True)
class Lambda:
    """A function of the inputs alone, such as `Lambda(lambda x: x / 255)`."""

    function: Callable[[Array], Array]

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """f(x), and the targets."""
        return self.function(x), y


@dataclass(frozen=True)
class ToFloat:
    """Pixels of 0 to 255 as float32 in [0, 1].

    Raises:
        DataError: The inputs are no uint8.
    """

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """The pixels over 255."""
        if x.dtype != np.uint8:
            raise DataError(f"ToFloat takes pixels of uint8, got {x.dtype}.")
        return np.divide(x, 255, dtype=np.float32), y


@dataclass(frozen=True)
class Normalize:
    """(x - mean) / std, of one number or of one for each channel (axis 1).

    Raises:
        ArgumentError: A number is not finite, or std is 0.

    Example:
        >>> Normalize((1, 2), (1, 4))(np.ones((1, 2)), np.zeros(1), row_keys(0, 0, np.arange(1)))[0]
        array([[ 0.  , -0.25]])
    """

    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]

    def __post_init__(self) -> None:
        mean, std = np.asarray(self.mean, float), np.asarray(self.std, float)
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            raise ArgumentError(
                f"Normalize takes a finite mean and std above 0, got {self.mean}, {self.std}."
            )

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """The scaled inputs in their dtype."""
        mean, std = (_per_channel(v, x.ndim, x.dtype) for v in (self.mean, self.std))
        return (x - mean) / std, y


def _per_channel(values: float | tuple[float, ...], rank: int, dtype: np.dtype[Any]) -> Array:
    array = np.asarray(values, dtype)
    return array.reshape(array.shape + (1,) * (rank - 2)) if array.ndim else array


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Left and right change places with probability p."""

    p: float = 0.5

    def __post_init__(self) -> None:
        with named("RandomHorizontalFlip"):
            number("p", self.p, FROM_0_TO_1)

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """Some images turned."""
        return _where(draws(keys) < self.p, x[..., ::-1], x), y


@dataclass(frozen=True)
class RandomVerticalFlip:
    """Above and below change places with probability p."""

    p: float = 0.5

    def __post_init__(self) -> None:
        with named("RandomVerticalFlip"):
            number("p", self.p, FROM_0_TO_1)

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """Some images turned."""
        return _where(draws(keys) < self.p, x[..., ::-1, :], x), y


def _where(chosen: NDArray[np.bool_], a: Array, b: Array) -> Array:
    return np.where(chosen.reshape(-1, *(1,) * (b.ndim - 1)), a, b)


@dataclass(frozen=True)
class CenterCrop:
    """The middle of an image.

    Args:
        size: Height and width; one number for both.

    Raises:
        DataError: The image is smaller.
    """

    size: int | tuple[int, int]

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """Images of that size."""
        height, width = each("size", self.size, 2, 1)
        top, left = _room(x, height, width)
        return x[..., top // 2 : top // 2 + height, left // 2 : left // 2 + width], y


@dataclass(frozen=True)
class RandomCrop:
    """A random part of an image, of which zeros may be put around it first.

    Args:
        size: Height and width; one number for both.
        padding: Zeros on each side.

    Raises:
        ArgumentError: A size is below 1, or the padding below 0.
        DataError: The image is smaller.

    Example:
        >>> x, y = RandomCrop(4, 1)(np.ones((2, 3, 4, 4)), np.arange(2), np.arange(2, dtype="u8"))
        >>> x.shape
        (2, 3, 4, 4)
    """

    size: int | tuple[int, int]
    padding: int = 0

    def __post_init__(self) -> None:
        with named("RandomCrop"):
            each("size", self.size, 2, 1)
            integer("padding", self.padding, 0)

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """Images of that size."""
        height, width = each("size", self.size, 2, 1)
        p = self.padding
        x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        room = np.array(_room(x, height, width)) + 1
        corners = np.floor(draws(keys, (2,)) * room).astype(np.int64)
        ys = corners[:, :1] + np.arange(height)
        xs = corners[:, 1:] + np.arange(width)
        return _at(x, ys[:, :, np.newaxis], xs[:, np.newaxis, :]), y


def _room(x: Array, height: int, width: int) -> tuple[int, int]:
    """How far a part of that size can move."""
    top, left = x.shape[-2] - height, x.shape[-1] - width
    if min(top, left) < 0:
        raise DataError(
            f"A crop of {height}x{width} takes images at least as large, got "
            f"{x.shape[-2]}x{x.shape[-1]}."
        )
    return top, left


def _at(x: Array, ys: NDArray[np.int64], xs: NDArray[np.int64]) -> Array:
    """The pixels of each image at places (n, height, width)."""
    moved = np.moveaxis(x, 1, -1)
    return np.moveaxis(moved[np.arange(len(x))[:, np.newaxis, np.newaxis], ys, xs], -1, 1)


@dataclass(frozen=True)
class Resize:
    """An image at another size, bilinear between the middles of pixels.

    Args:
        size: Height and width; one number for both.

    Raises:
        ArgumentError: A size is below 1.

    Source:
        `torch.nn.functional.interpolate(mode="bilinear")`, without smoothing first.
    """

    size: int | tuple[int, int]

    def __post_init__(self) -> None:
        with named("Resize"):
            each("size", self.size, 2, 1)

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """Images of that size."""
        height, width = each("size", self.size, 2, 1)
        box = np.array([[0.0, 0.0, x.shape[-2], x.shape[-1]]] * len(x))
        return _resized(x, box, height, width), y


@dataclass(frozen=True)
class RandomResizedCrop:
    """A random part of an image at a size of its own.

    Args:
        size: Height and width; one number for both.
        scale: The least and greatest share of the area.
        ratio: The least and greatest width over height.

    Raises:
        ArgumentError: A size is below 1, or a range is none.
    """

    size: int | tuple[int, int]
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        with named("RandomResizedCrop"):
            each("size", self.size, 2, 1)
            _check_range("scale", self.scale, 1.0)
            _check_range("ratio", self.ratio)

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """Images of that size."""
        height, width = each("size", self.size, 2, 1)
        box = _boxes(draws(keys, (4,)), x.shape[-2:], self.scale, self.ratio)
        return _resized(x, box, height, width), y


def _check_range(name: str, ends: tuple[float, float], most: float = math.inf) -> None:
    if len(ends) != 2 or not 0 < ends[0] <= ends[1] <= most:
        beyond = "" if most == math.inf else f" up to {most:g}"
        raise ArgumentError(f"takes {name} as two ends above 0{beyond}, in order, got {ends!r}.")


def _boxes(
    u: Floats, size: tuple[int, ...], scale: tuple[float, float], ratio: tuple[float, float]
) -> Floats:
    """Boxes (top, left, height, width) of random area, form and place within an image."""
    area = (scale[0] + u[:, 0] * (scale[1] - scale[0])) * size[0] * size[1]
    low, high = math.log(ratio[0]), math.log(ratio[1])
    form = np.exp(low + u[:, 1] * (high - low))
    height = np.minimum(np.sqrt(area / form), size[0])
    width = np.minimum(np.sqrt(area * form), size[1])
    return np.stack([u[:, 2] * (size[0] - height), u[:, 3] * (size[1] - width), height, width], 1)


def _resized(x: Array, box: Floats, height: int, width: int) -> Array:
    """Each image within its box, at another size; beyond its edge is the edge."""
    top, left, tall, wide = (v[:, np.newaxis] for v in box.T)
    ys = np.clip(top + (np.arange(height) + 0.5) * tall / height - 0.5, 0, x.shape[-2] - 1)
    xs = np.clip(left + (np.arange(width) + 0.5) * wide / width - 0.5, 0, x.shape[-1] - 1)
    return _sampled(x, *np.broadcast_arrays(ys[:, :, np.newaxis], xs[:, np.newaxis, :]))


def _sampled(x: Array, ys: Floats, xs: Floats) -> Array:
    """Each image at places (n, height, width) between pixels; outside it is 0."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    ys, xs = (np.clip(v + 1, 0, size + 1) for v, size in ((ys, x.shape[-2]), (xs, x.shape[-1])))
    top = np.minimum(ys.astype(np.int64), x.shape[-2])
    left = np.minimum(xs.astype(np.int64), x.shape[-1])
    down, right = ((v - i)[:, np.newaxis].astype(x.dtype) for v, i in ((ys, top), (xs, left)))
    above = (1 - right) * _at(padded, top, left) + right * _at(padded, top, left + 1)
    below = (1 - right) * _at(padded, top + 1, left) + right * _at(padded, top + 1, left + 1)
    between: Array = (1 - down) * above + down * below
    return between


@dataclass(frozen=True)
class RandomRotation:
    """An image turned about its middle, bilinear; what comes in from outside is 0.

    Args:
        degrees: The greatest angle, either way.

    Raises:
        ArgumentError: The angle is negative or not finite.
    """

    degrees: float

    def __post_init__(self) -> None:
        with named("RandomRotation"):
            number("degrees", self.degrees, AT_LEAST_0)

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """Turned images, counter-clockwise for a draw above 1/2."""
        angle = np.deg2rad(self.degrees * (2 * draws(keys) - 1))
        return rotated(x, angle), y


def rotated(x: Array, angle: Floats) -> Array:
    """Images turned counter-clockwise by angles in radians."""
    height, width = x.shape[-2:]
    down = np.arange(height)[:, np.newaxis] - (height - 1) / 2
    right = np.arange(width) - (width - 1) / 2
    c, s = np.cos(angle)[:, np.newaxis, np.newaxis], np.sin(angle)[:, np.newaxis, np.newaxis]
    ys = c * down + s * right + (height - 1) / 2
    return _sampled(x, ys, c * right - s * down + (width - 1) / 2)


@dataclass(frozen=True)
class RandomErasing:
    """A random box of an image made 0, with probability p.

    Args:
        p: How often.
        scale: The least and greatest share of the area.
        ratio: The least and greatest width over height.

    Raises:
        ArgumentError: p is no probability, or a range is none.
    """

    p: float = 0.5
    scale: tuple[float, float] = (0.02, 0.33)
    ratio: tuple[float, float] = (0.3, 3.3)

    def __post_init__(self) -> None:
        with named("RandomErasing"):
            number("p", self.p, FROM_0_TO_1)
            _check_range("scale", self.scale, 1.0)
            _check_range("ratio", self.ratio)

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """Images with holes."""
        u = draws(keys, (5,))
        hole = _inside(_boxes(u[:, 1:], x.shape[-2:], self.scale, self.ratio), x.shape[-2:])
        hole &= (u[:, 0] < self.p)[:, np.newaxis, np.newaxis]
        return np.where(hole[:, np.newaxis], x.dtype.type(0), x), y


def _inside(box: Floats, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which pixels (n, height, width) have their middle in a box."""
    top, left, tall, wide = (v[:, np.newaxis] for v in box.T)
    ys, xs = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    rows = (ys >= top) & (ys < top + tall)
    inside: NDArray[np.bool_] = (
        rows[:, :, np.newaxis] & ((xs >= left) & (xs < left + wide))[:, np.newaxis]
    )
    return inside


@dataclass(frozen=True)
class ColorJitter:
    """Brightness, contrast, saturation and hue of RGB images in [0, 1] changed at random.

    In this order, each by a factor from 1 - v to 1 + v (the hue: a turn from -v to v).

    Raises:
        ArgumentError: A number is negative, or hue above 1/2.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        with named("ColorJitter"):
            for name in ("brightness", "contrast", "saturation"):
                number(name, getattr(self, name), AT_LEAST_0)
            if not 0 <= number("hue", self.hue) <= 0.5:
                raise ArgumentError(f"takes hue as a number in [0, 0.5], got {self.hue}.")

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """Images of other colours, in [0, 1]."""
        if x.ndim != 4 or x.shape[1] != 3:
            raise DataError(f"ColorJitter takes images (n, 3, height, width), got {x.shape}.")
        amounts = (self.brightness, self.contrast, self.saturation)
        u = 2 * draws(keys, (4,))[:, :, np.newaxis, np.newaxis, np.newaxis].astype(x.dtype) - 1
        light, contrast, colour = (np.maximum(1 + v * u[:, i], 0) for i, v in enumerate(amounts))
        x = np.clip(x * light, 0, 1)
        x = _blended(x, _grey(x).mean(axis=(1, 2, 3), keepdims=True), contrast)
        x = _blended(x, _grey(x), colour)
        return (_turned(x, self.hue * u[:, 3, 0]) if self.hue else x), y


def _grey(x: Array) -> Array:
    """Luma of BT.601, as in torchvision."""
    weights = np.array([0.299, 0.587, 0.114], x.dtype).reshape(1, 3, 1, 1)
    luma: Array = (x * weights).sum(axis=1, keepdims=True)
    return luma


def _blended(x: Array, other: Array, factor: Array) -> Array:
    blend: Array = np.clip(factor * x + (1 - factor) * other, 0, 1)
    return blend


def _turned(x: Array, turn: Array) -> Array:
    """The hue moved on the circle, with value and saturation as they are."""
    value, chroma = x.max(axis=1), np.ptp(x, axis=1)
    r, g, b = np.moveaxis(x, 1, 0)
    safe = np.where(chroma == 0, 1, chroma)
    hue = np.where(
        value == r, (g - b) / safe, np.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe)
    )
    hue = hue + 6 * turn
    k = (np.array([5, 3, 1], x.dtype).reshape(1, 3, 1, 1) + hue[:, np.newaxis]) % 6
    part = np.clip(np.minimum(k, 4 - k), 0, 1)
    turned: Array = value[:, np.newaxis] - chroma[:, np.newaxis] * part
    return turned


@dataclass(frozen=True)
class MixUp:
    """Each example mixed with its neighbour in the batch, and so its class.

    The targets become a probability for each class, which cross entropy takes.

    Args:
        num_classes: How many classes there are.
        alpha: Of the Beta distribution from which the share of a batch is drawn.

    Raises:
        ArgumentError: num_classes is below 1, or alpha is no number above 0.
        DataError: A target is no class.

    Source:
        Zhang et al. 2018, mixup: Beyond empirical risk minimization.
    """

    num_classes: int
    alpha: float = 1.0

    def __post_init__(self) -> None:
        with named("MixUp"):
            _check_mixing(self.num_classes, self.alpha)

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """Mixed inputs and their probabilities."""
        share = x.dtype.type(_share(keys, self.alpha))
        mixed = share * x + (1 - share) * np.roll(x, 1, axis=0)
        return mixed, _mixed_classes(y, self.num_classes, float(share))


@dataclass(frozen=True)
class CutMix:
    """A random box of each image taken from its neighbour in the batch, and its class in share.

    Args:
        num_classes: How many classes there are.
        alpha: Of the Beta distribution from which the share that stays is drawn.

    Raises:
        ArgumentError: num_classes is below 1, or alpha is no number above 0.
        DataError: A target is no class.

    Source:
        Yun et al. 2019, CutMix: Regularization strategy to train strong classifiers.
    """

    num_classes: int
    alpha: float = 1.0

    def __post_init__(self) -> None:
        with named("CutMix"):
            _check_mixing(self.num_classes, self.alpha)

    def __call__(self, x: Array, y: Array, keys: Keys, /) -> tuple[Array, Array]:
        """Images with a part of another, and their probabilities."""
        cut, u = 1 - _share(keys, self.alpha), draws(keys[:1], (3,))[:, [0, 0, 1, 2]]
        hole = _inside(_boxes(u, x.shape[-2:], (cut, cut), (1.0, 1.0)), x.shape[-2:])
        mixed = np.where(hole[:, np.newaxis], np.roll(x, 1, axis=0), x)
        return mixed, _mixed_classes(y, self.num_classes, 1 - float(hole.mean()))


def _check_mixing(num_classes: int, alpha: float) -> None:
    integer("num_classes", num_classes, 1)
    if not number("alpha", alpha) > 0:
        raise ArgumentError(f"takes alpha as a number above 0, got {alpha}.")


def _share(keys: Keys, alpha: float) -> float:
    """One draw of Beta(alpha, alpha) for the batch, from the key of its first row."""
    return float(np.random.Generator(np.random.PCG64(int(keys[0]))).beta(alpha, alpha))


def _mixed_classes(y: Array, classes: int, share: float) -> Array:
    if y.ndim != 1 or y.dtype.kind not in "iu" or ((y < 0) | (y >= classes)).any():
        raise DataError(
            f"Mixing takes targets of classes 0 to {classes - 1}, got {y.dtype} {y.shape}"
            + (f" from {y.min()} to {y.max()}." if y.size else ".")
        )
    one_hot = np.eye(classes, dtype=np.float32)[y]
    return np.float32(share) * one_hot + np.float32(1 - share) * np.roll(one_hot, 1, axis=0)
