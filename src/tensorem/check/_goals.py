"""A claim as goals: rows on the outputs of a program that must be positive on a box."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ._claim import Avoid, Robust, between, box, enclosed
from ._errors import RejectedError, UnsupportedError
from ._files import LARGEST_SIZE
from ._numbers import Arithmetic, Array, Enclosure, bounds
from ._program import Program
from ._steps import affine, read

Tensors = Mapping[str, Array]
Ends = tuple[Sequence[Fraction], Sequence[Fraction]]


@dataclass(frozen=True)
class Goal:
    """On a box, so many rows on the outputs of a program are positive.

    Args:
        box: The box, in either arithmetic.
        count: How many rows.
        rows: Some of them.
        tensors: The slopes and picks that are meant for this box.
    """

    box: Callable[[Arithmetic], Enclosure]
    count: int
    rows: Callable[[range], Array]
    tensors: Tensors


def against(claim: Robust, classes: int, tensors: Tensors) -> Goal:
    """The rows that give y[label] - y[j], for all j other than the label."""

    def rows(part: range) -> Array:
        made = np.zeros((len(part), classes))
        made[:, claim.label] = 1
        made[np.arange(len(part)), [j + (j >= claim.label) for j in part]] = -1
        return made

    return Goal(lambda a: box(claim, tensors["center"], a), classes - 1, rows, tensors)


# --- unsafe sets


def with_misses(program: Program, claim: Avoid, a: Arithmetic) -> Program:
    """The program with one more step: by how much y misses each inequality, in their order."""
    every = [one for unsafe in claim.unsafe for one in unsafe]
    shape, first = (1, program.output.count, len(every)), program.starts[-1]
    if len(every) * program.output.count > LARGEST_SIZE:
        raise UnsupportedError("the claim has too many inequalities for so many outputs")
    place, column, values = zip(
        *((i, j, c) for j, o in enumerate(every) for i, c in o.terms), strict=True
    )
    if not all(0 <= i < program.output.count for i in place):
        raise RejectedError("an inequality is about an output that the graph does not give")
    known, weight = enclosed(values, a), (a.zeros(*shape), a.zeros(*shape))
    weight[0][0, place, column], weight[1][0, place, column] = known.lower, known.upper
    bias = enclosed([-one.bound for one in every], a).map(lambda v: v.reshape(1, 1, -1))
    step = affine(program.output, 1, bounds(*weight, a), bias, a)
    output = read(np.arange(first, first + len(every)))
    steps, starts = (*program.steps, step), (*program.starts, first + len(every))
    return replace(program, steps=steps, starts=starts, output=output)


def parts(claim: Avoid, tensors: Tensors) -> Iterator[Goal]:
    """On each part of the box, a sum of what y misses is positive, for each unsafe set.

    Where y lies in one, it misses none of its inequalities, and no sum of them by multipliers that
    are not negative.
    """
    cut = _cut((claim.lower, claim.upper), tensors["cut_axis"], tensors["cut_at"])
    for i, ends in enumerate(cut):
        own = {name: values[i] for name, values in tensors.items() if "." in name}
        yield _part(claim, ends, tensors["multipliers"][i], own)


def _part(claim: Avoid, ends: Ends, multipliers: Array, own: Tensors) -> Goal:
    owner = np.repeat(np.arange(len(claim.unsafe)), list(map(len, claim.unsafe)))

    def rows(part: range) -> Array:
        """For each unsafe set a row on all inequalities: the multipliers of its own."""
        return np.where(owner == np.r_[part][:, None], multipliers.astype(np.float64), 0)

    return Goal(lambda a: between(*ends, a), len(claim.unsafe), rows, own)


def _cut(whole: Ends, axes: Array, places: Array) -> Iterator[Ends]:
    """The leaves of a tree of cuts, node by node, what lies below a cut first; -1 is no cut.

    Both parts hold the face of a cut, wherever that lies, so that together they hold the whole.
    """
    left = 1 + np.cumsum(np.where(axes < 0, -1, 1))
    if left[-1] != 0 or not np.all(left[:-1] > 0):
        raise RejectedError("the cuts are not one whole tree")
    if not np.all((axes >= -1) & (axes < len(whole[0]))):
        raise RejectedError("a cut is across an axis that there is not")
    waiting = [whole]
    for axis, place in zip(axes.tolist(), places.tolist(), strict=True):
        lower, upper = waiting.pop()
        if axis < 0:
            yield lower, upper
        else:
            face = Fraction(place)
            waiting += [(_with(lower, axis, face), upper), (lower, _with(upper, axis, face))]


def _with(ends: Sequence[Fraction], axis: int, face: Fraction) -> Sequence[Fraction]:
    return (*ends[:axis], face, *ends[axis + 1 :])
