"""What a row computes in real arithmetic: exactly where it can, else with 300 bits by mpmath."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import mpmath
import numpy as np

from law_curves import CURVES
from tensorem import ops
from tensorem.domains import Rational
from tensorem.ops import move

Array = Any


def _each(f: Callable[[Any], Any]) -> Callable[[Array], Array]:
    return np.frompyfunc(f, 1, 1)


NUMBERS: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "minimum": np.minimum,
    "square": lambda x: x * x,
    "sum": lambda x, *, dims: x.sum(axis=dims),
    "mean": lambda x, *, dims: x.sum(axis=dims) / math.prod(x.shape[d] for d in dims),
    "amax": lambda x, *, dims: x.max(axis=dims),
    "broadcast": move._broadcast_twin,
    "slice": move._slice_twin,
    "reshape": lambda x, *, shape: x.reshape(shape),
    "permute": lambda x, *, dims: x.transpose(dims),
    "concat": lambda *xs, dim: np.concatenate(xs, axis=dim),
    "less": np.less,
    "where": lambda mask, x, y: np.where(mask.astype(bool), x, y),
    "floor": _each(mpmath.floor),
    "ceil": _each(mpmath.ceil),
    **{name: _each(case.exact) for name, case in CURVES.items()},
}
"""The rows that definitions are written in, on arrays of mpmath numbers."""


class MpReader:
    """Reads a definition in numbers of 300 bits."""

    def __call__(self, op: ops.Op, *operands: Array, **attrs: Any) -> Array:
        return np.asarray(NUMBERS[op.name](*operands, **attrs), object)

    def like(self, x: Array, number: float) -> Array:
        return np.full(x.shape, mpmath.mpf(number), object)


def truth(op: ops.Op, values: list[Array], attrs: dict[str, Any]) -> Array:
    """The result at float operands: an array of Fractions, or of mpmath numbers."""
    if op.definition is not None:
        return np.asarray(op.definition(MpReader(), *map(_mp, values), **attrs), object)
    if op.name in CURVES:
        return np.asarray(_each(partial(CURVES[op.name].exact, **attrs))(_mp(values[0])), object)
    result: Rational = op.meaning("exact")(*map(Rational.of, values), **attrs)
    return result.fractions()


def _mp(values: Array) -> Array:
    return np.asarray(_each(lambda v: mpmath.mpf(float(v)))(values), object)


def to_float(values: Array) -> Array:
    """The nearest floats."""
    flat = [float(v) for v in values.ravel()]
    return np.array(flat, np.float64).reshape(values.shape)


def within(value: Any, lower: float, upper: float) -> bool:
    """lower <= value <= upper, decided exactly."""
    if isinstance(value, Fraction):
        low = lower == -np.inf or Fraction(lower) <= value
        return low and (upper == np.inf or value <= Fraction(upper))
    return bool(mpmath.mpf(lower) <= value <= mpmath.mpf(upper))


def held(value: Any, lower: Any, upper: Any) -> bool:
    """lower <= value <= upper, for ends in Arb: exactly, or up to the 300 bits of the value."""
    if isinstance(value, Fraction):
        return bool(_fraction(lower, -1) <= value <= _fraction(upper, 1))
    slack = mpmath.mpf(2) ** -250 * (1 + abs(value))
    return bool(_number(lower) - slack <= value <= _number(upper) + slack)


def _fraction(end: Any, side: int) -> Any:
    if not end.is_finite():
        return math.inf * side
    mantissa, exponent = end.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _number(end: Any) -> Any:
    if not end.is_finite():
        return mpmath.inf if end > 0 else -mpmath.inf
    mantissa, exponent = end.man_exp()
    return mpmath.ldexp(mpmath.mpf(int(mantissa)), int(exponent))
