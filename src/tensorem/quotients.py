"""Gradients held against difference quotients, both read in an arithmetic that does not round."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path
from numpy.typing import NDArray

from tensorem import autograd
from tensorem.calls import among, called
from tensorem.domains import Rational
from tensorem.dtypes import as_numbers, is_floating
from tensorem.errors import ArgumentError, DataError, DTypeError, MeaningError
from tensorem.meanings import capture, evaluate
from tensorem.shapes import Spec

Array = NDArray[Any]


@dataclass(frozen=True)
class GradCheck:
    """What `gradcheck` compared.

    Args:
        entries: How many derivatives: outputs times inputs.
        largest: How far one of them lies outside of its two difference quotients at most.
        dtype: The arithmetic.
    """

    entries: int
    largest: Fraction | float
    dtype: str


@dataclass(frozen=True)
class Arithmetic:
    """A reading of `evaluate` in which quotients are taken.

    Args:
        of: An array of NumPy -> an argument of that reading.
        step: How far the points of a quotient lie apart, a power of 2.
        tolerance: What a derivative may lie outside of its quotients, relative to 1 and to itself.
    """

    of: Callable[[Array], Any]
    step: float
    tolerance: float


ARITHMETICS = {
    "rational": Arithmetic(Rational.of, 2.0**-60, 2.0**-30),
    "float64": Arithmetic(lambda x: x.astype(np.float64), 2.0**-17, 2.0**-20),
}
"""Where nothing is rounded a step may be as short as one likes, and a curve is straight there."""


@called
def gradcheck(f: Callable[..., Any], *xs: Any, dtype: str = "rational") -> GradCheck:
    """Hold the derivatives of f by reverse mode against difference quotients of its values.

    f is evaluated twice for each number in xs. At a kink every derivative between the two one-sided
    quotients is right.

    Args:
        f: A pure function of arrays, or of trees of them.
        xs: Where it is looked at; integers are held fixed.
        dtype: "rational" reads f and its gradient exactly; "float64" is for functions with
            irrational values, and rounds.

    Raises:
        ArgumentError: A derivative is wrong, or there is no such dtype.
        MeaningError: f or its gradient has no exact reading.
        CaptureError: f is no pure function of arrays.
        DataError: f is not finite around xs.
        DTypeError: xs hold no floats, or f gives something else.

    Example:
        >>> gradcheck(lambda x: x * x * x, np.array([1.0, -2.0], np.float32)).entries
        4
        >>> square = jax.custom_jvp(lambda x: x * x)
        >>> _ = square.defjvp(lambda x, v: (x[0] * x[0], x[0] * v[0]))
        >>> gradcheck(square, np.float32(3.0))
        Traceback (most recent call last):
        tensorem.errors.ArgumentError: gradcheck takes a function whose derivatives are those of \
its values, got 3.0 for output 0 and args[0], where the difference quotients are 6.0 and 6.0.
          help: look at its custom_jvp or custom_vjp.
    """
    among("dtype", dtype, tuple(ARITHMETICS))
    line, read = _Line(f, xs), ARITHMETICS[dtype]
    try:
        left, right = _quotients(line, read, dtype)
        found = _derivatives(line, read, dtype, outputs=len(left))
    except MeaningError as error:
        notes = {"where": error.where, "because": error.because}
        help = 'gradcheck(f, ..., dtype="float64") reads it, and rounds.'
        raise MeaningError(error.what, **notes, help=help) from None
    off = _beyond(line, left, right, found, read.tolerance)
    return GradCheck(off.size, max(off.ravel().tolist()), dtype)


def _beyond(line: _Line, left: Array, right: Array, found: Array, tolerance: float) -> Array:
    """How far each derivative lies outside of its two quotients; raise where that is too far."""
    for i, j in np.argwhere([[not math.isfinite(q) for q in row] for row in left + right]):
        raise DataError(
            f"takes a point around which f is finite; output {i} is not, near {line.labels[j]}."
        )
    low, high = np.minimum(left, right), np.maximum(left, right)
    off: Array = np.maximum(np.maximum(low - found, found - high), 0)
    for i, j in np.argwhere(~(off <= tolerance * (1 + abs(found)))):
        raise ArgumentError(
            f"takes a function whose derivatives are those of its values, got {float(found[i, j])} "
            f"for output {i} and {line.labels[j]}, where the difference quotients are "
            f"{float(left[i, j])} and {float(right[i, j])}.",
            help="look at its custom_jvp or custom_vjp.",
        )
    return off


class _Line:
    """A function of trees as one of a vector: its floats one after another, its outputs too."""

    def __init__(self, f: Callable[..., Any], xs: tuple[Any, ...]) -> None:
        self._f = autograd.to_floats("gradcheck", f)
        pairs, self._tree = tree_flatten_with_path(xs)
        self._arrays = [as_numbers(x) for _, x in pairs]
        floats = {i: x for i, x in enumerate(self._arrays) if is_floating(x.dtype)}
        if not any(x.size for x in floats.values()):
            raise DTypeError("takes floats, got none.", because="nothing else can move a little.")
        self.point = np.concatenate([x.ravel() for x in floats.values()])
        self.labels = [
            f"args{keystr(pairs[i][0])}" for i, x in floats.items() for _ in range(x.size)
        ]
        self._starts = dict(
            zip(floats, np.cumsum([0, *(x.size for x in floats.values())]), strict=False)
        )

    def __call__(self, vector: jax.Array) -> jax.Array:
        leaves = [self._leaf(i, x, vector) for i, x in enumerate(self._arrays)]
        value = self._f(*jax.tree.unflatten(self._tree, leaves))
        return jnp.concatenate([jnp.ravel(y) for y in jax.tree.leaves(value)])

    def _leaf(self, i: int, x: Array, vector: jax.Array) -> jax.Array | Array:
        if i not in self._starts:
            return x
        start = int(self._starts[i])
        return vector[start : start + x.size].reshape(x.shape).astype(x.dtype)

    def pulled(self, vector: jax.Array, cotangent: jax.Array) -> jax.Array:
        """The cotangent times the Jacobian."""
        gradient: jax.Array = autograd.vjp(self, vector)[1](cotangent)
        return gradient


def _quotients(line: _Line, read: Arithmetic, dtype: str) -> tuple[Array, Array]:
    """The quotients to the left and to the right of the point, each (outputs, inputs)."""
    graph, at = capture(line, _spec(line.point)), read.of(line.point)
    middle = _numbers(evaluate(graph, at, dtype=dtype))
    left, right, step = [], [], Fraction(read.step) if dtype == "rational" else read.step
    for unit in np.eye(line.point.size):
        before, after = (
            _numbers(evaluate(graph, at + read.of(sign * read.step * unit), dtype=dtype))
            for sign in (-1, 1)
        )
        with np.errstate(all="ignore"):
            left.append((middle - before) / step)
            right.append((after - middle) / step)
    return np.stack(left, axis=1), np.stack(right, axis=1)


def _derivatives(line: _Line, read: Arithmetic, dtype: str, outputs: int) -> Array:
    """The Jacobian (outputs, inputs), each row by a cotangent that is pulled back."""
    graph = capture(line.pulled, _spec(line.point), Spec((outputs,), line.point.dtype.name))
    at = read.of(line.point)
    rows = (evaluate(graph, at, read.of(unit), dtype=dtype) for unit in np.eye(outputs))
    return np.stack([_numbers(row) for row in rows])


def _numbers(value: Any) -> Array:
    """Fractions, or floats."""
    return value.fractions() if isinstance(value, Rational) else value


def _spec(x: Array) -> Spec:
    return Spec(x.shape, x.dtype.name)
