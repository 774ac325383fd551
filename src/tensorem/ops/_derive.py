"""Rows from facts: what a rule is, once it is known what kind of function the op is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeGuard, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import DTypeLike
from numpy.typing import NDArray

from tensorem.domains import (
    Ball,
    Diagonal,
    End,
    Interval,
    Linear,
    Lines,
    Map,
    Rational,
    equation,
    flat,
)
from tensorem.domains import _ball as balls
from tensorem.domains import _exact as exact
from tensorem.domains import _interval as intervals
from tensorem.dtypes import HALF

from ._op import Attr, Cited, Op, Rule, Unsupported

Box = Interval | End
"""An operand in `lines`: an interval where it varies, its value else."""
Value = TypeVar("Value", Array, Ball, Interval, Rational)
"""Of the meanings that a definition is read in."""

IRRATIONAL = Unsupported(
    "its values at rational numbers are irrational", help="read it as an interval"
)


# --- floats of 16 bits


def rounded_once(rule: Rule) -> Callable[..., Array]:
    """The rule, which for floats of 16 bits computes in float32 and rounds its result, as PyTorch.

    Every other dtype runs the very program of the rule. A row that stands for a primitive of JAX is
    not wrapped, or a captured program would not give the bits of its original.

    Example:
        >>> bool(jnp.isinf(jnp.square(jnp.float16(300)) / 300))
        True
        >>> rounded_once(lambda x: jnp.square(x) / 300)(jnp.float16(300)).item()
        300.0
    """

    def run(*arrays: Array, **attrs: Attr) -> Array:
        dtype = jax.tree.leaves(arrays)[0].dtype
        if dtype.name not in HALF:
            plain: Array = rule(*arrays, **attrs)
            return plain
        wide = jax.tree.map(lambda x: x.astype(jnp.float32), arrays)
        return rounded(rule(*wide, **attrs), dtype)

    return run


def rounded(x: Array, dtype: DTypeLike) -> Array:
    """A cast. XLA skips one to bfloat16 that is followed by one back, unless told to round."""
    if dtype == jnp.bfloat16 and x.dtype in (jnp.float32, jnp.float64):
        x = lax.reduce_precision(x, exponent_bits=8, mantissa_bits=7)
    return lax.convert_element_type(x, jnp.dtype(dtype))


# --- sizes with names


def of_sizes(exact: Rule) -> Rule:
    """What an exact meaning of sums, products and choices makes of polynomials in names."""

    def rule(*xs: NDArray[Any], **attrs: Attr) -> NDArray[Any]:
        return np.asarray(exact(*(Rational(x.astype(object)) for x in xs), **attrs).num)

    return rule


# --- constants among the operands


def varies(box: Box) -> TypeGuard[Interval]:
    """The operand depends on the input; weights and constants do not."""
    return isinstance(box, Interval) and not box.is_point


def value(box: Box) -> End:
    """The one value of an operand that does not vary."""
    return box.lower if isinstance(box, Interval) else jnp.asarray(box)


def boxed(box: Box) -> Interval:
    """An operand as an interval."""
    return box if isinstance(box, Interval) else Interval.point(jnp.asarray(box))


# --- any op: the ends of its enclosure, whatever the operands are


def enclosed(interval: Rule) -> Cited[Lines]:
    """Lines that do not look at the operands: sound for every op that has an interval."""

    def lines(*boxes: Box, **attrs: Attr) -> Lines:
        return flat(interval(*map(boxed, boxes), **attrs), len(boxes))

    return Cited(lines, "flat: the ends of its interval meaning")


def weighted(
    boxes: tuple[Box, ...],
    lower: tuple[End, ...],
    upper: tuple[End, ...],
    low: End,
    high: End,
) -> Lines:
    """Lines Σ c x + offset with one coefficient per entry; constant operands join the offsets."""
    floor, low = _split(boxes, lower, low)
    roof, high = _split(boxes, upper, high)
    return Lines(floor, roof, low, high)


def _split(
    boxes: tuple[Box, ...], coefficients: tuple[End, ...], offset: End
) -> tuple[tuple[Map, ...], End]:
    pairs = list(zip(boxes, coefficients, strict=True))
    maps = tuple(Diagonal(c) if varies(b) else None for b, c in pairs)
    return maps, offset + sum(c * value(b) for b, c in pairs if not varies(b))


def combination(*signs: float) -> Cited[Lines]:
    """Lines of Σ sign x, entry by entry."""

    def lines(*boxes: Box) -> Lines:
        like = jnp.asarray(value(boxes[0]))
        coefficients = tuple(jnp.full_like(like, s) for s in signs)
        floor, offset = _split(boxes, coefficients, jnp.zeros_like(like))
        return equation(floor, offset)

    return Cited(lines, "affine: the op itself, below and above")


def entrywise(lines: Lines) -> Lines:
    """The same lines with diagonal maps, for functions that work entry by entry."""
    floor = tuple(_diagonal(m) for m in lines.lower)
    if lines.is_equation:
        return equation(floor, lines.lower_offset)
    return replace(lines, lower=floor, upper=tuple(_diagonal(m) for m in lines.upper))


def _diagonal(m: Map) -> Map:
    return Diagonal(m(jnp.ones(m.shape))) if isinstance(m, Linear) else m


def opposite(lines: Lines) -> Lines:
    """Lines of -f(-x) on a box, from lines of f on the box -x."""
    return Lines(lines.upper, lines.lower, -lines.upper_offset, -lines.lower_offset)


# --- moves: entries change place and are not changed


def move(name: str, arity: int | None, shape: Rule, run: Rule, twin: Rule, **rest: Any) -> Op:
    """A row of a function that places entries and computes nothing.

    Args:
        name: The op's name.
        arity: The number of operands that move; None for any number.
        shape: The shape rule.
        run: The function in JAX.
        twin: The same in NumPy, for arrays of any kind.
        rest: Further columns of the row.
    """

    columns = {"moves": "once", "sizes": twin, **rest}

    def interval(*xs: Interval, **attrs: Attr) -> Interval:
        return intervals.joined(partial(twin if xs[0].is_rigorous else run, **attrs), *xs)

    return Op(
        name,
        arity,
        shape,
        run,
        exact=lambda *xs, **attrs: exact.joined(partial(twin, **attrs), *xs),
        ball=Cited(
            lambda *xs, **attrs: balls.computed(partial(twin, **attrs), *xs), "a move: of balls"
        ),
        interval=Cited(interval, "a move: the ends change place, nothing is rounded"),
        lines=additive(run),
        **columns,
    )


def additive(run: Rule) -> Cited[Lines]:
    """Lines of a function that is linear in all its operands together."""

    def lines(*boxes: Box, **attrs: Attr) -> Lines:
        f = partial(run, **attrs)
        rest = [jnp.zeros_like(value(b)) if varies(b) else value(b) for b in map(_jax_box, boxes)]
        return equation(tuple(partials(f, boxes)), f(*rest))

    return Cited(lines, "linear: the op itself, and its transpose")


def partials(f: Callable[..., Array], boxes: tuple[Box, ...]) -> list[Map]:
    """The linear map of each varying operand, all others zero."""
    zeros = [jnp.zeros_like(value(b)) for b in map(_jax_box, boxes)]

    def alone(i: int) -> Linear:
        return Linear(lambda x: f(*zeros[:i], x, *zeros[i + 1 :]), zeros[i].shape)

    return [alone(i) if varies(b) else None for i, b in enumerate(boxes)]


def _jax_box(box: Box) -> Interval | Array:
    return box if isinstance(box, Interval) else jnp.asarray(box)


# --- sums: linear functions with coefficients 0 and 1, times one number


@dataclass(frozen=True)
class Total:
    """Sums of entries: the fact behind sum, mean, cumsum and average pooling.

    Args:
        sums: (array, attrs) -> sums of its entries, for NumPy and JAX arrays.
        terms: (shape of the operand, attrs) -> how many entries a sum has at most.
        share: (shape of the operand, attrs) -> what a sum is divided by.
    """

    sums: Rule
    terms: Rule
    share: Rule = lambda shape, **attrs: 1


def affine(name: str, shape: Rule, run: Rule, total: Total, **rest: Any) -> Op:
    """A row of sums of entries, from the sums alone."""

    def exactly(x: Rational, **attrs: Attr) -> Rational:
        y = x.map(partial(total.sums, **attrs))
        return Rational(y.num, y.den * total.share(x.shape, **attrs)).reduced()

    def ball(x: Ball, **attrs: Attr) -> Ball:
        share = total.share(x.shape, **attrs)
        return balls.computed(lambda values: total.sums(values, **attrs) / share, x)

    def interval(x: Interval, **attrs: Attr) -> Interval:
        y = x.sums(partial(total.sums, **attrs), total.terms(x.shape, **attrs))
        share = total.share(x.shape, **attrs)
        return y if share == 1 else y / y.like(share)

    bounds = Cited(ball, _OF_BALLS), Cited(interval, _SUMS), additive(run)
    return Op(name, 1, shape, run, exactly, *bounds, **rest)


_OF_BALLS = "sums and products of balls: Johansson 2017 (Arb)"
_SUMS = "sums of its ends; rounding: Higham 2002, 4.2"


# --- products summed over axes


@dataclass(frozen=True)
class Product:
    """A bilinear function with coefficients 0 and 1: dots, convolutions.

    Args:
        run: (x, y, attrs) in JAX.
        twin: The same in NumPy, for float64 and for arrays of Python integers.
        terms: (shape of x, shape of y, attrs) -> how many products a sum has at most.
    """

    run: Rule
    twin: Rule
    terms: Rule

    def exact(self, x: Rational, y: Rational, **attrs: Attr) -> Rational:
        """Products of numerators over the product of denominators."""
        return exact.product(partial(self.twin, **attrs), x, y)

    def ball(self, x: Ball, y: Ball, **attrs: Attr) -> Ball:
        """Sums of products of balls."""
        return balls.computed(partial(self.twin, **attrs), x, y)

    def interval(self, x: Interval, y: Interval, **attrs: Attr) -> Interval:
        """Midpoint and radius, with a bound on the rounding of any order of summation."""
        f = partial(self.twin if x.is_rigorous else self.run, **attrs)
        return x.products(y, f, self.terms(x.shape, y.shape, **attrs))

    def lines(self, x: Box, y: Box, **attrs: Attr) -> Lines:
        """Linear in one operand where the other is constant; else McCormick's planes."""
        return product_lines(partial(self.run, **attrs), x, y)


def product_lines(f: Callable[..., Array], x: Box, y: Box) -> Lines:
    """Lines of a bilinear function with coefficients 0 and 1.

    Source:
        McCormick 1976: Σ (x - l)(y - m) >= 0 and Σ (x - u)(y - m) <= 0 on a box.
    """
    if varies(x) and varies(y):
        return _mccormick(f, boxed(x), boxed(y))
    if varies(x):
        k = value(y)
        return equation((Linear(lambda a: f(a, k), x.shape), None), _zero(f, x.lower, k))
    k = value(x)
    return equation((None, Linear(lambda a: f(k, a), boxed(y).shape)), _zero(f, k, boxed(y).lower))


def _mccormick(f: Callable[..., Array], x: Interval, y: Interval) -> Lines:
    low, high, m = x.lower, x.upper, y.lower
    along_x = Linear(lambda a: f(a, m), x.shape)
    return Lines(
        (along_x, Linear(lambda a: f(low, a), y.shape)),
        (along_x, Linear(lambda a: f(high, a), y.shape)),
        -f(low, m),
        -f(high, m),
    )


def _zero(f: Callable[..., Array], x: End, y: End) -> Array:
    result = jax.eval_shape(f, x, y)
    return jnp.zeros(result.shape, result.dtype)


_PRODUCTS = "Rump 1999: midpoint and radius; rounding: Higham 2002, 3.1"
_PLANES = "linear over a constant operand; else McCormick 1976"


def bilinear(name: str, shape: Rule, product: Product, **rest: Any) -> Op:
    """A row of products summed over axes, from the products alone."""
    interval, lines = Cited(product.interval, _PRODUCTS), Cited(product.lines, _PLANES)
    bounds = Cited(product.ball, _OF_BALLS), interval, lines
    return Op(name, 2, shape, product.run, product.exact, *bounds, **rest)


def biased(name: str, shape: Rule, run: Rule, product: Product, spread: Rule) -> Op:
    """A bilinear row with an optional bias, which `spread(bias, rank)` reshapes to broadcast."""

    def exactly(x: Rational, w: Rational, b: Rational | None = None, **attrs: Attr) -> Rational:
        y = product.exact(x, w, **attrs)
        return y if b is None else y + b.map(lambda num: spread(num, y.ndim))

    def ball(x: Ball, w: Ball, b: Ball | None = None, **attrs: Attr) -> Ball:
        y = product.ball(x, w, **attrs)
        return y if b is None else y + balls.computed(lambda num: spread(num, y.ndim), b)

    def interval(x: Interval, w: Interval, b: Interval | None = None, **attrs: Attr) -> Interval:
        y = product.interval(x, w, **attrs)
        return y if b is None else y + b.map(lambda end: spread(end, y.ndim))

    def lines(x: Box, w: Box, b: Box | None = None, **attrs: Attr) -> Lines:
        y = product.lines(x, w, **attrs)
        return y if b is None else _with_bias(y, b, spread)

    bounds = Cited(ball, _OF_BALLS), Cited(interval, _PRODUCTS), Cited(lines, _PLANES)
    return Op(name, (2, 3), shape, run, exactly, *bounds)


def _with_bias(y: Lines, bias: Box, spread: Rule) -> Lines:
    shape = y.lower_offset.shape

    def wide(b: End) -> Array:
        return jnp.broadcast_to(spread(b, len(shape)), shape)

    if varies(bias):
        return joint(y, Linear(wide, bias.shape), jnp.zeros((), y.lower_offset.dtype))
    return joint(y, None, wide(value(bias)))


def joint(lines: Lines, extra: Map, offset: End) -> Lines:
    """Lines plus an affine term in one more operand."""
    if lines.is_equation:
        return equation((*lines.lower, extra), lines.lower_offset + offset)
    return Lines(
        (*lines.lower, extra),
        (*lines.upper, extra),
        lines.lower_offset + offset,
        lines.upper_offset + offset,
    )


# --- composites: every meaning read from one definition


@dataclass(frozen=True)
class Reader:
    """A meaning in which a definition is read: `read(op, x)` applies the op's rule of it."""

    meaning: str

    def __call__(self, op: Op, *operands: Value, **attrs: Attr) -> Value:
        result: Value = self._rule(op)(*operands, **attrs)
        return result

    def _rule(self, op: Op) -> Rule:
        return op if self.meaning == "call" else op.meaning(self.meaning)

    def like(self, x: Value, number: float) -> Value:
        """One number at every entry, in the shape of x."""
        if isinstance(x, Rational):
            return Rational.of(np.full(x.shape, number))
        return x.like(number) if isinstance(x, Ball | Interval) else jnp.full_like(x, number)


CALL = Reader("call")
"""Reads a definition as calls of the ops, so that a derivative shows them by name."""


def composite(
    name: str, arity: int, shape: Rule, definition: Rule, jvp: Rule | None = None, **direct: Any
) -> Op:
    """A row whose meanings are those of its definition, unless a direct one is given as tighter.

    It runs, and is differentiated, `rounded_once`.

    Args:
        name: The op's name.
        arity: The number of operands.
        shape: The shape rule.
        definition: (read, operands, attrs) -> result, in calls of `read(op, ...)`.
        jvp: The derivative, where it is not that of the definition.
        direct: Columns that replace the derived ones.
    """
    readings: dict[str, Rule] = {
        "run": rounded_once(partial(definition, Reader("run"))),
        **{m: partial(definition, Reader(m)) for m in ("exact", "ball", "interval")},
    }
    derived = {m: Cited(rule, "its definition, op by op") for m, rule in readings.items()}
    lines = enclosed(direct.get("interval", derived["interval"]))
    columns: dict[str, Any] = {**derived, "lines": lines, **direct}
    jvp = None if jvp is None else rounded_once(jvp)
    return Op(name, arity, shape, **columns, jvp=jvp, definition=definition)
