"""The steps to which every graph is lowered, and what each does to bounds.

All entries of all steps stand in one long vector; a step reads entries at earlier positions and
makes new ones. `forward` maps bounds of what is read to bounds of what is made; `backward` maps
rows of coefficients on what is made to rows on what is read. With both goes the *noise*, a bound
per entry of how far the step may be from what float64 makes of it; docs/checker.md proves each one.
A noise is itself computed in float64, hence used doubled (lemma 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ._curves import enclosed_values, least, pieces, steepness
from ._errors import RejectedError
from ._numbers import Arithmetic, Array, Enclosure, Number, floats, product

Index = Array | slice


@dataclass(frozen=True)
class Read:
    """The positions of the entries that are read, and how coefficients on them are added up.

    Args:
        count: How many entries.
        at: Their positions, in the order of reading.
        hit: The distinct positions.
        last: The last of these.
        repeats: How often a position occurs at most.
        groups: What sorts the positions, and where each distinct one starts then; None where each
            occurs once.
    """

    count: int
    at: Index
    hit: Index
    last: int
    repeats: int = 1
    groups: tuple[Array, Array] | None = None


def read(positions: Array) -> Read:
    at = positions.flatten()  # a copy: a small part must not keep a large whole
    count, first = at.size, int(at[0])
    if np.array_equal(at, np.arange(first, first + count)):
        return Read(count, slice(first, first + count), slice(first, first + count), int(at[-1]))
    order = np.argsort(at, kind="stable")
    hit, starts, counts = np.unique(at[order], return_index=True, return_counts=True)
    if hit.size == count:
        return Read(count, at, at, int(hit[-1]))
    return Read(count, at, hit, int(hit[-1]), int(counts.max()), (order, starts))


def collected(source: Read, rows: Array) -> Array:
    """Rows on what is read, added up to rows on the distinct positions."""
    if source.groups is None:
        return rows
    order, starts = source.groups
    return np.add.reduceat(rows[:, order], starts, axis=1)


@dataclass(frozen=True)
class Box:
    """Entries that lie in given bounds: constants, or the input where none are given."""

    count: int
    bounds: Enclosure | None = None


@dataclass(frozen=True)
class Affine:
    """y = x @ weight + bias, for x of shape (B, P, K) and weight of shape (B, K, O)."""

    read: Read
    places: int
    weight: Array
    slack: Array
    bias: Array
    bias_slack: Array

    @property
    def count(self) -> int:
        return self.bias.size


@dataclass(frozen=True)
class Relu:
    """y = max(x, leak * x), with 0 <= leak <= 1; the plain relu has no leak."""

    read: Read
    leak: Number
    name: str

    @property
    def count(self) -> int:
        return self.read.count


@dataclass(frozen=True)
class Max:
    """y[j] = the maximum of row j of x, of shape (n, window); cells not `inside` are padding."""

    read: Read
    inside: Array
    name: str

    @property
    def count(self) -> int:
        return len(self.inside)


@dataclass(frozen=True)
class Smooth:
    """y = f(x), for a function of `_curves`."""

    read: Read
    kind: str

    @property
    def count(self) -> int:
        return self.read.count


@dataclass(frozen=True)
class Product:
    """y = u * v, where the u of all entries are read first, then the v."""

    read: Read

    @property
    def count(self) -> int:
        return self.read.count // 2


Bend = Relu | Max | Smooth | Product
EVIDENCE: Mapping[type, Mapping[str, str]] = {
    Relu: {"slope": "float32"},
    Max: {"pick_lower": "int32", "pick_upper": "int32"},
}
"""The tensors that a certificate holds for the bends of a kind, and their dtypes."""
Stage = Box | Affine | Bend


def affine(read: Read, places: int, weight: Enclosure, bias: Enclosure, a: Arithmetic) -> Affine:
    """The slacks bound, per unit of |x| and per entry: rounding, and the constants' own radii."""
    batch, k, o = weight.shape
    w, b = weight.middle, bias.map(lambda v: np.broadcast_to(v, (batch, places, o)).ravel())
    slack = a.gamma(max(k, o)) * np.abs(w) + weight.radius + a.tiny
    bias_slack = a.gamma(b.middle.size) * np.abs(b.middle) + b.radius
    return Affine(read, places, w, slack, b.middle, bias_slack)


# --- forward: bounds of what is read -> lower, upper, noise


def forward(step: Affine | Bend, x: Enclosure, a: Arithmetic) -> tuple[Array, Array, Array]:
    match step:
        case Affine():
            return _affine_forward(step, x, a)
        case Relu():
            noise = a.gamma(1) * step.leak * x.size + a.tiny * (step.leak > 0)
            low = np.maximum(x.lower, step.leak * x.lower - 2 * noise)
            return low, np.maximum(x.upper, step.leak * x.upper + 2 * noise), noise
        case Max():
            lower, upper = (v.reshape(step.inside.shape).max(axis=1) for v in (x.lower, x.upper))
            return lower, upper, 0 * lower
        case Smooth():
            lower, upper = _outward(*enclosed_values(step.kind, *floats(x)), a)
            return lower, upper, 0 * lower
        case Product():
            y = product(*_factors(x), a)
            return y.lower, y.upper, 0 * y.lower


def _outward(lower: Array, upper: Array, a: Arithmetic) -> tuple[Array, Array]:
    """Finite floats as numbers."""
    if not np.all(np.isfinite([lower, upper])):
        raise RejectedError("a bound of a curve is not finite")
    return a.numbers(lower), a.numbers(upper)


def _factors(x: Enclosure) -> tuple[Enclosure, Enclosure]:
    half = x.lower.size // 2
    return x.map(lambda v: v[:half]), x.map(lambda v: v[half:])


def _affine_forward(step: Affine, x: Enclosure, a: Arithmetic) -> tuple[Array, Array, Array]:
    shape = (len(step.weight), step.places, step.weight.shape[1])
    middle, radius, size = (v.reshape(shape) for v in (x.middle, x.radius, x.size))
    centre = _product(middle, step.weight, a) + step.bias
    spread = _product(radius, np.abs(step.weight), a)
    noise = _product(size, step.slack, a) + step.bias_slack + a.tiny
    return centre - spread - 2 * noise, centre + spread + 2 * noise, noise


def _product(x: Array, weight: Array, a: Arithmetic) -> Array:
    """Numbers one by one are not brought to one common denominator, as matrices are."""
    one_by_one = weight.shape[1:] == (1, 1)
    return (x * weight if one_by_one else a.matmul(x, weight)).ravel()


# --- slopes: the certificate's and the chords', chosen on the float64 bounds of what is read


Slopes = tuple[Array, Array]
"""The slopes of the lower and of the upper lines of a bend."""


def slopes(step: Bend, x: Enclosure, tensors: Mapping[str, Array]) -> Slopes:
    """Slopes for lines that lie close to a bend; any are sound (lemma 7)."""
    match step:
        case Relu():
            return relu_slopes(step, x, tensors[f"slope.{step.name}"].ravel())
        case Max():
            return max_slopes(step, x, tensors[f"pick_upper.{step.name}"].ravel())
        case Smooth():
            return steepness(pieces(step.kind, *floats(x)))
        case Product():
            u, v = _factors(x)
            return np.r_[v.lower, u.lower], np.r_[v.lower, u.upper]


def opens(step: Bend, x: Enclosure) -> Array:
    """Which cells tighter bounds would give tighter lines; any choice is sound."""
    if isinstance(step, Relu):
        open_: Array = (x.lower < 0) & (x.upper > 0)
        return open_
    if not isinstance(step, Max):
        apart: Array = x.lower < x.upper
        return apart
    upper = np.where(step.inside, x.upper.reshape(step.inside.shape), -np.inf)
    low, _, rest = _picked(step, x, upper.argmax(axis=1))
    least = x.lower.reshape(step.inside.shape).max(axis=1)
    able: Array = (upper >= least[:, None]) & (rest > low)[:, None]
    return able.ravel()


def relu_slopes(step: Relu, x: Enclosure, given: Array) -> Slopes:
    """Where the sign is open: the given one, and the chord's; elsewhere that of y itself."""
    leak, low, high = float(step.leak), x.lower, x.upper
    open_ = (low < 0) & (high > 0)
    itself = np.where(low >= 0, 1, leak)
    chord = _between(leak, np.where(open_, (high - leak * low), 1) / np.where(open_, high - low, 1))
    lower = np.maximum(given.astype(np.float64), leak)
    return np.where(open_, lower, itself), np.where(open_, chord, itself)


def max_slopes(step: Max, x: Enclosure, upper_pick: Array) -> Slopes:
    """One for the lower pick; for the upper one, the chord's of max(it, the others' bound)."""
    low, high, rest = _picked(step, x, upper_pick)
    open_ = (rest > low) & (rest < high)
    chord = _between(0, np.where(open_, high - rest, 1) / np.where(open_, high - low, 1))
    upper = np.where(open_, chord, np.where(rest > low, 0, 1))
    return np.ones_like(upper), upper


def _between(least: float, slope: Array) -> Array:
    """The slope within [least, 1]; least where it is no number, the quotient of overflows."""
    return np.fmin(np.fmax(slope, least), 1)


def _picked(step: Max, x: Enclosure, pick: Array) -> tuple[Array, Array, Array]:
    """The bounds of the picked cell, and the largest of its lower and the others' upper bounds."""
    count, window = step.inside.shape
    cell = np.arange(count) * window + pick
    low, high = x.lower[cell], x.upper[cell]
    other = step.inside & (np.arange(window) != pick[:, None])
    return low, high, np.where(other, x.upper.reshape(count, window), low[:, None]).max(axis=1)


# --- lines: slopes completed to lines that hold on the bounds of what is read


@dataclass(frozen=True)
class Lines:
    """lower_slope * x[lower] + lower_offset <= y <= upper_slope * x[upper] + offset.

    So entry by entry; where a bend reads twice as many entries as it makes, the sum of two. A lower
    offset of None is zero.
    """

    lower: Read
    lower_slope: Array
    upper: Read
    upper_slope: Array
    offset: Array
    noise: Array
    lower_offset: Array | None = None

    @property
    def slopes(self) -> Slopes:
        return self.lower_slope, self.upper_slope


def lines(
    step: Bend, x: Enclosure, slopes: Slopes, tensors: Mapping[str, Array], a: Arithmetic
) -> Lines:
    """Lines around a bend, of slopes that are taken as given; their offsets are not."""
    if isinstance(step, Smooth):
        return smooth_lines(step, x, slopes, a)
    lower, upper = map(a.numbers, slopes)
    if isinstance(step, Relu):
        return relu_lines(step, x, (lower, upper), a)
    if isinstance(step, Product):
        return product_lines(step, x, (lower, upper), a)
    picks = [tensors[f"pick_{side}.{step.name}"].ravel() for side in ("lower", "upper")]
    return max_lines(step, x, picks[0], picks[1], (lower, upper), a)


def relu_lines(step: Relu, x: Enclosure, slopes: Slopes, a: Arithmetic) -> Lines:
    """For slopes in [leak, 1], whatever the signs: y - upper * x is largest at an end."""
    lower, upper = slopes
    rise = np.maximum((upper - step.leak) * -x.lower, (1 - upper) * x.upper)
    offset = rise + 2 * (a.gamma(4) * rise + a.tiny)
    noise = a.gamma(1) * x.size + a.gamma(offset.size) * offset + a.tiny
    return Lines(step.read, lower, step.read, upper, offset, noise)


def max_lines(
    step: Max, x: Enclosure, lower_pick: Array, upper_pick: Array, slopes: Slopes, a: Arithmetic
) -> Lines:
    """y >= x[lower pick]; and y <= max(x[upper pick], rest), for a slope in [0, 1]."""
    count, window = step.inside.shape
    lower_cell, upper_cell = (np.arange(count) * window + pick for pick in (lower_pick, upper_pick))
    low, high, rest = _picked(step, x, upper_pick)
    lower_slope, slope = slopes
    rise = np.maximum(rest - slope * low, np.maximum(high, rest) - slope * high)
    slop = a.gamma(4) * (np.abs(rest) + np.abs(low) + np.abs(high)) + a.tiny
    itself = (rest <= low) & (slope == 1)
    offset = np.where(itself, 0, rise + 2 * slop)
    size = x.size[lower_cell] + x.size[upper_cell]
    noise = a.gamma(1) * size + a.gamma(count) * np.abs(offset) + a.tiny
    cells = np.r_[step.read.at]
    return Lines(
        read(cells[lower_cell]), lower_slope, read(cells[upper_cell]), slope, offset, noise
    )


def smooth_lines(step: Smooth, x: Enclosure, slopes: Slopes, a: Arithmetic) -> Lines:
    """Of floats in both modes, rounded outward."""
    cut = pieces(step.kind, *floats(x))
    ends = _outward(least(cut, slopes[0]), -least(cut.negative, -slopes[1]), a)
    return _pair_of_lines(step, x, (a.numbers(slopes[0]), a.numbers(slopes[1])), ends, a)


def product_lines(step: Product, x: Enclosure, slopes: Slopes, a: Arithmetic) -> Lines:
    """u v less a line is least, and greatest, at a corner."""
    u, v = _factors(x)
    corners = [(p, q) for p in (u.lower, u.upper) for q in (v.lower, v.upper)]

    def rest(slope: Array) -> tuple[list[Array], Array]:
        """It at the corners, and how far off that may be."""
        along_u, along_v = slope.reshape(2, -1)
        size = u.size * v.size + np.abs(along_u) * u.size + np.abs(along_v) * v.size
        heights = [p * q - along_u * p - along_v * q for p, q in corners]
        return heights, 2 * (a.gamma(4) * size + a.tiny)

    (low, low_slop), (high, high_slop) = map(rest, slopes)
    ends = np.minimum.reduce(low) - low_slop, np.maximum.reduce(high) + high_slop
    return _pair_of_lines(step, x, slopes, ends, a)


def _pair_of_lines(
    step: Bend, x: Enclosure, slopes: Slopes, offsets: tuple[Array, Array], a: Arithmetic
) -> Lines:
    """Lines that read all that a step reads."""
    (lower, upper), (below, above) = slopes, offsets
    size = ((np.abs(lower) + np.abs(upper)) * x.size).reshape(-1, step.count).sum(axis=0)
    rest = np.abs(below) + np.abs(above)
    noise = a.gamma(1) * size + a.gamma(step.count) * rest + a.tiny
    return Lines(step.read, lower, step.read, upper, above, noise, below)


# --- backward: rows of coefficients on what is made -> a constant, and rows on what is read


Parts = list[tuple[Read, Array]]


def affine_backward(step: Affine, rows: Array, a: Arithmetic) -> tuple[Array, Parts]:
    batch, k, o = step.weight.shape
    count = len(rows)
    stacked = rows.reshape(count, batch, step.places, o).transpose(1, 0, 2, 3)
    product = _product(stacked.reshape(batch, -1, o), step.weight.transpose(0, 2, 1), a)
    parts = product.reshape(batch, count, step.places, k).transpose(1, 0, 2, 3)
    return a.matmul(rows, step.bias), [(step.read, parts.reshape(count, -1))]


def bend_backward(line: Lines, rows: Array, a: Arithmetic) -> tuple[Array, Parts]:
    """A coefficient that is positive takes the lower line, one that is negative the upper."""
    positive, negative = np.maximum(rows, 0), np.minimum(rows, 0)
    term = a.matmul(negative, line.offset)
    if line.lower_offset is not None:
        term = term + a.matmul(positive, line.lower_offset)
    parts = [
        (line.lower, _spread(positive, line.lower_slope)),
        (line.upper, _spread(negative, line.upper_slope)),
    ]
    if line.lower is line.upper:
        parts = [(line.lower, parts[0][1] + parts[1][1])]  # one of them is zero
    return term, parts


def _spread(rows: Array, slope: Array) -> Array:
    """The rows on what is made, times the slopes of all that is read."""
    count = rows.shape[1]
    return (rows[:, None] * slope.reshape(-1, count)).reshape(len(rows), -1)
