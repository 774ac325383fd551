"""The seven steps to which every graph is lowered, and what each does to bounds.

A value is a flat vector. `forward` maps bounds of the operands to bounds of the result; `backward`
maps coefficients on the result to coefficients on the operands. With both goes the *noise*, a bound
per entry of how far the step may be from what float64 makes of it; docs/checker.md proves each one.
A noise is itself computed in float64, hence used doubled (lemma 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._numbers import Arithmetic, Array, Bounds, Constant, bounds

Index = Array | slice


@dataclass(frozen=True)
class Input:
    """The graph's input: a box that the claim gives."""

    size: int


@dataclass(frozen=True)
class Known:
    """A constant used as a value."""

    bounds: Bounds


@dataclass(frozen=True)
class Gather:
    """y[i] = x[index[i]], x the sources laid end to end: reshapes, cuts, joins, windows."""

    sources: tuple[int, ...]
    index: Array
    splits: Array
    order: Array
    starts: Array
    hit: Array
    repeats: int


@dataclass(frozen=True)
class Affine:
    """y = x @ weight + bias, for x of shape (B, P, K) and weight of shape (B, K, O)."""

    sources: tuple[int, ...]
    places: int
    weight: Array
    size: Array
    slack: Array
    bias: Array
    bias_slack: Array


@dataclass(frozen=True)
class Scale:
    """y[i] = factor[i] * x[i]."""

    sources: tuple[int, ...]
    factor: Array
    slack: Array


@dataclass(frozen=True)
class Sum:
    """y = the sum of sign * x over the sources; the signs are 1 and -1."""

    sources: tuple[int, ...]
    signs: tuple[int, ...]


@dataclass(frozen=True)
class Relu:
    """y = max(x, leak * x), with 0 <= leak <= 1; the plain relu has no leak."""

    sources: tuple[int, ...]
    leak: Any
    name: str


@dataclass(frozen=True)
class Max:
    """y[j] = the maximum of row j of x, of shape (n, window); cells not `inside` are padding."""

    sources: tuple[int, ...]
    inside: Array
    name: str


Bend = Relu | Max
Step = Input | Known | Gather | Affine | Scale | Sum | Relu | Max


@dataclass(frozen=True)
class Lines:
    """lower_slope * x[lower_cell] <= y <= upper_slope * x[upper_cell] + offset, entry by entry."""

    lower_cell: Index
    lower_slope: Array
    upper_cell: Index
    upper_slope: Array
    offset: Array
    noise: Array


# --- making steps


def known(c: Constant, a: Arithmetic) -> Known:
    middle, radius = a.enclose(Constant(c.lower.ravel(), c.upper.ravel()))
    exact = radius == 0
    lower = np.where(exact, middle, -a.up(radius - middle))
    return Known(bounds(lower, np.where(exact, middle, a.up(middle + radius)), a))


def gather(sources: tuple[int, ...], sizes: Sequence[int], index: Array) -> Gather:
    order = np.argsort(index, kind="stable")
    hit, starts, counts = np.unique(index[order], return_index=True, return_counts=True)
    splits = np.concatenate([[0], np.cumsum(sizes)])
    return Gather(sources, index, splits, order, starts, hit, int(counts.max()))


def affine(
    sources: tuple[int, ...], places: int, weight: Constant, bias: Constant, a: Arithmetic
) -> Affine:
    """The slacks bound, per unit of |x| and per entry: rounding, and the constants' own radii."""
    w, w_radius = a.enclose(weight)
    batch, k, o = weight.shape
    slack = a.gamma(max(k, o)) * np.abs(w) + w_radius + a.tiny
    b, b_radius = (np.broadcast_to(p, (batch, places, o)).ravel() for p in a.enclose(bias))
    return Affine(sources, places, w, np.abs(w), slack, b, a.gamma(b.size) * np.abs(b) + b_radius)


def scale(sources: tuple[int, ...], factor: Constant, index: Index, a: Arithmetic) -> Scale:
    """By the entries of the factor at these positions."""
    middle, radius = (part.ravel()[index] for part in a.enclose(factor))
    return Scale(sources, middle, a.gamma(1) * np.abs(middle) + radius + a.tiny)


def cost(step: Step) -> int:
    """The multiplications of one pass with one row."""
    match step:
        case Affine():
            return step.places * step.weight.size
        case Gather():
            return step.index.size + int(step.splits[-1])
        case _:
            return 0


# --- forward: bounds of the operands -> lower, upper, noise


def forward(step: Step, xs: Sequence[Bounds], a: Arithmetic) -> tuple[Array, Array, Array]:
    """Bounds of a step that is not the input, and its noise."""
    match step:
        case Known():
            return step.bounds.lower, step.bounds.upper, 0 * step.bounds.size
        case Gather():
            return _gather_forward(step, xs, a)
        case Affine():
            return _affine_forward(step, xs[0], a)
        case Scale():
            x, f = xs[0], step.factor
            noise = step.slack * x.size + a.tiny
            ends = (f * x.lower, f * x.upper)
            return np.minimum(*ends) - 2 * noise, np.maximum(*ends) + 2 * noise, noise
        case Sum():
            return _sum_forward(step, xs, a)
        case Relu():
            return _relu_forward(step, xs[0], a)
        case Max():
            shape = step.inside.shape
            lower, upper = xs[0].lower.reshape(shape), xs[0].upper.reshape(shape)
            return lower.max(axis=1), upper.max(axis=1), 0 * lower[:, 0]
        case Input():
            raise TypeError("the input's bounds are the claim's box")


def _gather_forward(
    step: Gather, xs: Sequence[Bounds], a: Arithmetic
) -> tuple[Array, Array, Array]:
    lower = _join([x.lower for x in xs])[step.index]
    upper = _join([x.upper for x in xs])[step.index]
    size = _join([x.size for x in xs])[step.index]
    return lower, upper, a.gamma(step.repeats) * size + a.tiny


def _join(parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _affine_forward(step: Affine, x: Bounds, a: Arithmetic) -> tuple[Array, Array, Array]:
    shape = (step.weight.shape[0], step.places, step.weight.shape[1])
    centre = a.matmul(x.middle.reshape(shape), step.weight).ravel() + step.bias
    radius = a.matmul(x.radius.reshape(shape), step.size).ravel()
    noise = a.matmul(x.size.reshape(shape), step.slack).ravel() + step.bias_slack + a.tiny
    return centre - radius - 2 * noise, centre + radius + 2 * noise, noise


def _sum_forward(step: Sum, xs: Sequence[Bounds], a: Arithmetic) -> tuple[Array, Array, Array]:
    lows = [x.lower if s > 0 else -x.upper for x, s in zip(xs, step.signs, strict=True)]
    highs = [x.upper if s > 0 else -x.lower for x, s in zip(xs, step.signs, strict=True)]
    noise = a.gamma(len(xs)) * sum(x.size for x in xs) + a.tiny
    return sum(lows) - 2 * noise, sum(highs) + 2 * noise, noise


def _relu_forward(step: Relu, x: Bounds, a: Arithmetic) -> tuple[Array, Array, Array]:
    if step.leak == 0:
        return np.maximum(x.lower, 0), np.maximum(x.upper, 0), 0 * x.size
    noise = a.gamma(1) * step.leak * x.size + a.tiny
    low = np.maximum(x.lower, step.leak * x.lower - 2 * noise)
    return low, np.maximum(x.upper, step.leak * x.upper + 2 * noise), noise


# --- lines: the certificate's numbers, completed to lines that hold on the bounds of the operand


def lines(step: Bend, x: Bounds, tensors: Mapping[str, Array], a: Arithmetic) -> Lines:
    """Lines around a bend; their slopes are taken from the certificate, their offsets are not."""
    if isinstance(step, Relu):
        return relu_lines(step, x, tensors[f"slope.{step.name}"].ravel(), a)
    lower, upper = (tensors[f"pick_{side}.{step.name}"].ravel() for side in ("lower", "upper"))
    return max_lines(step, x, lower, upper, a)


def relu_lines(step: Relu, x: Bounds, slopes: Array, a: Arithmetic) -> Lines:
    """Where the sign is open: y >= slope * x, and the chord; elsewhere y is x or leak * x."""
    leak, low, high = step.leak, x.lower, x.upper
    open_ = (low < 0) & (high > 0)
    settled = np.where(low >= 0, 1, leak)
    chord = a.ratio(np.where(open_, high - leak * low, 1), np.where(open_, high - low, 1))
    chord = np.minimum(np.maximum(chord, leak), 1)
    rise = np.maximum((chord - leak) * -low, (1 - chord) * high)
    offset = np.where(open_, rise + 2 * (a.gamma(4) * rise + a.tiny), 0)
    lower = np.where(open_, np.maximum(a.numbers(slopes), leak), settled)
    every = slice(None)
    noise = a.gamma(1) * x.size + a.gamma(offset.size) * offset + a.tiny
    return Lines(every, lower, every, np.where(open_, chord, settled), offset, noise)


def max_lines(step: Max, x: Bounds, lower_pick: Array, upper_pick: Array, a: Arithmetic) -> Lines:
    """y >= x[lower cell]; y <= max(x[upper cell], the others' upper bounds), and its chord."""
    count, window = step.inside.shape
    first = np.arange(count) * window
    lower_cell, upper_cell = first + lower_pick, first + upper_pick
    low, high = x.lower[upper_cell], x.upper[upper_cell]
    other = step.inside & (np.arange(window) != upper_pick[:, None])
    rest = np.where(other, x.upper.reshape(count, window), low[:, None]).max(axis=1)
    top = np.maximum(high, rest)
    open_ = (rest > low) & (rest < high)
    chord = a.ratio(np.where(open_, high - rest, 1), np.where(open_, high - low, 1))
    chord = np.where(open_, np.minimum(np.maximum(chord, 0), 1), np.where(rest > low, 0, 1))
    rise = np.maximum(rest - chord * low, top - chord * high)
    slop = a.gamma(4) * (np.abs(rest) + np.abs(low) + np.abs(high)) + a.tiny
    offset = np.where(rest > low, rise + 2 * slop, 0)
    size = x.size[lower_cell] + x.size[upper_cell]
    noise = a.gamma(1) * size + a.gamma(count) * np.abs(offset) + a.tiny
    return Lines(lower_cell, 0 * chord + 1, upper_cell, chord, offset, noise)


# --- backward: rows of coefficients on the result -> rows on the operands, and a constant


def backward(
    step: Gather | Affine | Scale | Sum, rows: Array, a: Arithmetic
) -> tuple[list[Array], Array | int]:
    """rows @ y = the sum of parts @ operands, and a constant, up to the step's noise."""
    match step:
        case Gather():
            return _gather_backward(step, rows), 0
        case Affine():
            return [_affine_backward(step, rows, a)], a.matmul(rows, step.bias)
        case Scale():
            return [rows * step.factor], 0
        case Sum():
            return [rows if sign > 0 else -rows for sign in step.signs], 0


def _gather_backward(step: Gather, rows: Array) -> list[Array]:
    """Each source entry collects the coefficients of all results that read it."""
    whole = np.zeros((len(rows), step.splits[-1]), rows.dtype)
    whole[:, step.hit] = np.add.reduceat(rows[:, step.order], step.starts, axis=1)
    return np.split(whole, step.splits[1:-1], axis=1)


def _affine_backward(step: Affine, rows: Array, a: Arithmetic) -> Array:
    batch, k, o = step.weight.shape
    count = len(rows)
    stacked = rows.reshape(count, batch, step.places, o).transpose(1, 0, 2, 3)
    product = a.matmul(stacked.reshape(batch, -1, o), step.weight.transpose(0, 2, 1))
    parts = product.reshape(batch, count, step.places, k).transpose(1, 0, 2, 3)
    return parts.reshape(count, -1)


def bend_backward(line: Lines, rows: Array, width: int, a: Arithmetic) -> tuple[Array, Array]:
    """A coefficient that is positive takes the lower line, one that is negative the upper."""
    positive, negative = np.maximum(rows, 0), np.minimum(rows, 0)
    part = np.zeros((len(rows), width), rows.dtype)
    part[:, line.lower_cell] = positive * line.lower_slope
    part[:, line.upper_cell] += negative * line.upper_slope
    return part, a.matmul(negative, line.offset)
