"""Every law catches rows that are wrong on purpose: a law is trusted after it has found a fault."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax.numpy as jnp
import law_cases
import numpy as np
import pytest
from jax.interpreters import batching
from jax.lax import stop_gradient
from law_cases import CASES

import laws
from tensorem import ops, rules
from tensorem.domains import Ball, Diagonal, Interval, Linear, Lines, Rational
from tensorem.domains import _interval as intervals
from tensorem.ops import _convolution, _curve, activations, curves
from tensorem.ops._curve import Bends, Turn
from tensorem.ops.pool import windows
from tensorem.shapes import Spec

Array = Any


def _nearest(f: Callable[..., Array]) -> Callable[..., Interval]:
    """An interval rule that reads a rising function at both ends and rounds nothing outward."""
    return lambda *xs, **attrs: Interval(
        f(*(x.lower for x in xs), **attrs), f(*(x.upper for x in xs), **attrs)
    )


def _loose(rule: Any) -> Any:
    return lambda *xs, **attrs: rule(*xs, **attrs).hull(rule(*xs, **attrs).like(9.0))


def _shifted(rule: Any, low: float, high: float) -> Any:
    """Lines moved by two numbers."""

    def lines(*boxes: Any, **attrs: Any) -> Lines:
        y = rule(*boxes, **attrs)
        return Lines(y.lower, y.upper, y.lower_offset + low, y.upper_offset + high)

    return lines


def _chord_below(box: Interval) -> Lines:
    upper = ops.exp.meaning("lines")(box)
    return Lines(upper.upper, upper.upper, upper.upper_offset, upper.upper_offset)


def _without_offset(box: Interval) -> Lines:
    y = ops.relu.meaning("lines")(box)
    return Lines(y.lower, y.upper, y.lower_offset, jnp.zeros_like(y.upper_offset))


def _tanh_chord(box: Interval) -> Lines:
    """The chord on both sides, also across the inflection."""
    slope = (jnp.tanh(box.upper) - jnp.tanh(box.lower)) / (box.upper - box.lower + 1e-9)
    offset = jnp.tanh(box.lower) - slope * box.lower
    return Lines((Diagonal(slope),), (Diagonal(slope),), offset, offset)


def _always_first(box: Interval, *, dims: Any) -> Lines:
    """The greatest entry is bounded by the first one, whichever is greatest."""
    y = ops.amax.meaning("lines")(box, dims=dims)
    return Lines(y.lower, y.lower, y.lower_offset, y.lower_offset)


@dataclass(frozen=True)
class _Crooked:
    """A linear map with a transpose that is not its own."""

    function: Any
    shape: tuple[int, ...]

    def __call__(self, x: Array) -> Array:
        return self.function(x)

    def transpose(self, a: Array) -> Array:
        return 2 * Linear(self.function, self.shape).transpose(a)


def _crooked(box: Interval, *, dims: Any) -> Lines:
    y = ops.sum.meaning("lines")(box, dims=dims)
    maps = (_Crooked(y.lower[0].function, y.lower[0].shape),)
    return Lines(maps, maps, y.lower_offset, y.lower_offset)  # type: ignore[arg-type]


def _no_mask(mask: Interval, x: Interval, y: Interval) -> Interval:
    return x


def _peaks_only(x: Interval) -> Interval:
    """The cosine without its troughs."""
    ends = [Interval.point(end).values(np.cos, 4) for end in (x.lower, x.upper)]
    return Interval(ends[0].hull(ends[1]).lower, ops.cos.meaning("interval")(x).upper)


def _row_of_the_lower_end(index: Interval, weight: Interval) -> Interval:
    rows = index.lower.astype(int)
    return Interval(weight.lower[rows], weight.upper[rows])


def _greatest_of_the_ends(x: Interval, *, dim: int) -> Interval:
    return x.map(lambda end: np.argmax(end, axis=dim).astype(float))


def _towards_minus_infinity(x: Interval, *, dtype: str) -> Interval:
    y: Interval = ops.cast.meaning("interval")(x, dtype=dtype)
    return x.map(np.floor) if dtype == "int32" else y


def _fast_forgets(x: Interval, **attrs: Any) -> Interval:
    """Right for NumPy; the fast reading takes the middle alone."""
    y: Interval = ops.mean.meaning("interval")(x, **attrs)
    return y if y.is_rigorous else Interval(y.lower, y.lower)


def _flipped_conv(x: Rational, w: Rational, b: Any = None, **attrs: Any) -> Rational:
    flipped = w.map(lambda num: num[:, :, ::-1, ::-1])
    result: Rational = ops.conv2d.meaning("exact")(x, flipped, b, **attrs)
    return result


def _zero_padding(x: Rational, **attrs: Any) -> Rational:
    """Maxima over windows padded with 0 in place of -inf."""
    return x.map(lambda num: windows(num, 0, **attrs).max(axis=-1))


ENCLOSURE = [
    ("abs", _nearest(np.abs), "abs rises everywhere"),
    ("where", _no_mask, "an undecided mask chooses x"),
    ("sub", _nearest(np.subtract), "sub rises in both operands"),
    ("exp", _nearest(np.exp), "exp is not moved outward"),
    ("add", _nearest(np.add), "add is not rounded outward"),
    ("sum", _nearest(lambda x, *, dims: x.sum(axis=dims)), "sums do not round"),
    ("matmul", _nearest(np.matmul), "products rise"),
    ("sin", _nearest(np.sin), "sin is read at its ends"),
    ("less", lambda x, y: intervals.claim(x.lower >= y.upper, x.lower < y.lower, x), "one end"),
    ("amax", lambda x, *, dims: x.map(lambda a: a.min(axis=dims)), "the least is the greatest"),
    ("less", lambda x, y: intervals.claim(x.lower > y.upper, x.upper <= y.lower, x), "equal ends"),
    ("less_equal", lambda x, y: intervals.claim(x.lower >= y.upper, x.upper <= y.lower, x), "ends"),
    ("cos", _peaks_only, "troughs are forgotten"),
    ("embedding", _row_of_the_lower_end, "an index does not vary"),
    ("argmax", _greatest_of_the_ends, "the greatest is one of the ends'"),
    ("cast", _towards_minus_infinity, "casts round down"),
    ("cumsum", _nearest(lambda x, *, dim: x.cumsum(axis=dim)), "running sums do not round"),
    ("pow_int", _nearest(lambda x, *, exponent: x**exponent), "even powers rise"),
]


def _caught(law: Any, name: str, **columns: Any) -> None:
    """The law holds for the true row on some case and seed, and breaks for the faulty one."""
    row = ops.TABLE[name]
    faulty = replace(row, **columns)
    for case in CASES[name]:
        for seed in range(4):
            law(row, case, seed)
            try:
                law(faulty, case, seed)
            except AssertionError:
                return
    raise AssertionError(f"{law} accepts a wrong {name}")


@pytest.mark.parametrize(("name", "rule", "fault"), ENCLOSURE, ids=[e[2] for e in ENCLOSURE])
def test_enclosure_catches(name: str, rule: Any, fault: str) -> None:
    _caught(laws.enclosure, name, interval=rule)


def _curved(name: str, facts: Any, **wrong: Any) -> ops.Op:
    """The row of a curve with other facts than its own."""
    return _curve.family(name, lambda **attrs: replace(facts, **wrong))


TURNS = [
    ("gelu", activations._GELU, (), "no turning point"),
    ("gelu", activations._GELU, (Turn(-0.9, -0.9, -0.17),), "too far left"),
    ("gelu", activations._GELU, (Turn(-0.7, -0.7, -0.17),), "too far right"),
    ("silu", activations._SILU, (Turn(-1.3, -1.2, -0.2784),), "a value that is too high"),
    ("hardswish", activations._HARDSWISH, (Turn(-1.5, -1.5, 0.375),), "another sign"),
]


@pytest.mark.parametrize(("name", "facts", "turns", "fault"), TURNS, ids=[t[3] for t in TURNS])
def test_enclosure_catches_a_wrong_turning_point(
    name: str, facts: Any, turns: Any, fault: str
) -> None:
    faulty = _curved(name, facts, turns=turns)
    _caught(partial(laws.enclosure, tries=100), name, interval=faulty.interval)


_HILL = ("concave", "convex", "concave")
BENDS = [
    ("gelu", activations._GELU, Bends(_HILL, (-1.0, 1.0)), "inflections too near"),
    ("mish", activations._MISH, Bends(_HILL, (-2.26, 2.26)), "inflections of another curve"),
    ("tanh", curves._TANH, Bends(("convex", "concave"), (0.5,)), "an inflection beside its own"),
    ("sin", curves._SINE, replace(curves._SINE.bends, joints=(0.5, 3.6)), "a phase"),
]


@pytest.mark.parametrize(("name", "facts", "bends", "fault"), BENDS, ids=[b[3] for b in BENDS])
def test_lines_catches_a_wrong_bend(name: str, facts: Any, bends: Any, fault: str) -> None:
    _caught(partial(laws.lines, tries=20), name, lines=_curved(name, facts, bends=bends).lines)


def test_enclosure_catches_a_wrong_exact_rule() -> None:
    _caught(
        laws.enclosure, "avg_pool2d", exact=lambda x, **attrs: x.map(lambda n: n[:, :, ::2, ::2])
    )


@pytest.mark.parametrize(
    ("name", "rule"),
    [("mul", _nearest(np.multiply)), ("relu", _nearest(np.tanh)), ("sigmoid", _nearest(np.tanh))],
)
def test_enclosure_at_every_size_catches(name: str, rule: Any) -> None:
    _caught(laws.enclosure_wide, name, interval=rule)


@pytest.mark.parametrize(("constant", "value"), [("_TINY", 0.0), ("_unit", lambda terms: 0.0)])
def test_enclosure_at_every_size_catches_a_missing_term(
    monkeypatch: pytest.MonkeyPatch, constant: str, value: Any
) -> None:
    """Without the term for underflow, or without γ_n, a dot of small numbers escapes."""
    case = CASES["dot"][0]
    rng = np.random.default_rng(0)
    small = [np.ldexp(rng.integers(1, 2**20, (2, 3)), -1060 if constant == "_TINY" else -20)]
    point = [small[0], np.ldexp(rng.integers(1, 2**52, (3, 2)).astype(float), -52)]

    def check() -> None:
        laws._encloses(ops.dot, case, law_cases.at(point), [point])

    check()
    monkeypatch.setattr(intervals, constant, value)
    monkeypatch.setattr(intervals, "_down", lambda a: a)
    monkeypatch.setattr(intervals, "_up", lambda a: a)
    with pytest.raises(AssertionError):
        check()


def _by_middles(rule: Any) -> Any:
    """A rule of balls that forgets how far its operands reach."""
    return lambda *xs, **attrs: rule(*(x.each(lambda a: a.mid()) for x in xs), **attrs)


BALLS = [
    ("add", _by_middles(Ball.__add__), "a sum of middles"),
    ("maximum", lambda x, y: x, "the first is the greatest"),
    ("where", lambda mask, x, y: x, "a mask is not read"),
    ("less", _by_middles(ops.less.ball), "middles decide"),
    ("abs", lambda x: x.each(lambda a: a if a >= 0 else -a), "a ball around 0 is turned around"),
    ("leaky_relu", lambda x, *, negative_slope: x.each(lambda a: a.max(negative_slope * a)), "max"),
    ("exp", lambda x: x.each(lambda a: type(a)(float(a.exp()))), "a float64 of the value"),
    ("sort", lambda x, **attrs: ops.sort.ball(x[..., ::-1], **attrs).hull(x), "no order"),
    ("argmax", lambda x, **attrs: Ball.of(np.argmax(x.to_float(), axis=attrs["dim"])), "middles"),
    ("matmul", lambda x, y: ops.matmul.ball(x, y).each(lambda a: a + type(a)(0, 1e-9)), "wide"),
]


@pytest.mark.parametrize(("name", "rule", "fault"), BALLS, ids=[b[2] for b in BALLS])
def test_balls_catches(name: str, rule: Any, fault: str) -> None:
    pytest.importorskip("flint")
    _caught(laws.balls, name, ball=rule)


def test_tight_catches_a_loose_row() -> None:
    _caught(laws.tight, "add", interval=_loose(Interval.__add__))


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("conv2d", _flipped_conv),
        ("max_pool2d", _zero_padding),
        ("leaky_relu", lambda x, *, negative_slope: x.scaled(negative_slope)),
        ("argmax", lambda x, *, dim: Rational.of(np.argmin(x.num, axis=dim))),
    ],
)
def test_runs_catches(name: str, rule: Any) -> None:
    _caught(laws.runs, name, exact=rule)


def _shape_law(op: ops.Op, case: Any, seed: int) -> None:
    laws.shapes(op, case)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("permute", lambda x, *, dims: x),
        ("less", lambda x, y: x),
        ("mean", lambda x, *, dims: Spec((1,))),
    ],
)
def test_shapes_catches(name: str, rule: Any) -> None:
    _caught(_shape_law, name, shape=rule)


def _dtype_law(op: ops.Op, case: Any, seed: int) -> None:
    laws.dtypes(op, case)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("mean", lambda x, *, dims: rules.sums(x, dims=dims)),
        ("linear", lambda x, weight, bias=None: replace(x, shape=(*x.shape[:-1], weight.shape[0]))),
        ("embedding", lambda index, weight: Spec((*index.shape, weight.shape[1]))),
    ],
)
def test_dtypes_catches(name: str, rule: Any) -> None:
    _caught(_dtype_law, name, shape=rule)


def test_fast_catches_a_reading_that_differs() -> None:
    _caught(laws.fast, "mean", interval=_fast_forgets)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("exp", _chord_below),
        ("relu", _without_offset),
        ("tanh", _tanh_chord),
        ("amax", _always_first),
        ("sum", _crooked),
        ("mul", _shifted(ops.mul.lines, 1e-3, 0.0)),
        ("matmul", _shifted(ops.matmul.lines, 0.0, -1e-3)),
        ("reshape", _shifted(ops.reshape.lines, 1e-3, 1e-3)),
    ],
)
def test_lines_catches(name: str, rule: Any) -> None:
    _caught(laws.lines, name, lines=rule)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("relu", lambda y, xs, ts: ts[0]),
        ("leaky_relu", lambda y, xs, ts, *, negative_slope: (xs[0] > 0) * ts[0]),
        ("sign", lambda y, xs, ts: ts[0]),
        ("softmax", lambda y, xs, ts, *, dim: y * ts[0]),
        ("log_softmax", lambda y, xs, ts, *, dim: ts[0] - jnp.exp(y) * ts[0]),
        ("softplus", lambda y, xs, ts: math.nan * ts[0]),
        ("layer_norm", lambda y, xs, ts, **attrs: y * ts[0]),
    ],
)
def test_derivatives_catches(name: str, rule: Any) -> None:
    _caught(laws.derivatives, name, jvp=rule)


def test_derivatives_catches_a_second_derivative_that_is_lost() -> None:
    """The first derivative is right, but the coefficient is held constant."""

    def held(y: Array, xs: Any, ts: Any) -> Array:
        return ops.sigmoid(stop_gradient(xs[0])) * ts[0]

    _caught(laws.derivatives, "softplus", jvp=held)


def test_derivatives_catches_a_batch_that_is_mixed() -> None:
    """The batching rule of a convolution's transpose turns the batch around."""
    p, case = _convolution.conv_dx_p, CASES["conv2d"][0]
    true = partial(_convolution._batch, p, _convolution._conv_dx)

    def turned(xs: Any, dims: Any, **attrs: Any) -> Any:
        y, at = true(xs, dims, **attrs)
        return jnp.flip(y, at), at

    laws.derivatives(replace(ops.conv2d), case, 0)
    batching.primitive_batchers[p] = turned
    try:
        with pytest.raises(AssertionError):
            laws.derivatives(replace(ops.conv2d), case, 0)
    finally:
        batching.primitive_batchers[p] = true


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "layer_norm"])
def test_direct_within_derived_catches_a_looser_column(name: str) -> None:
    _caught(laws.direct_within_derived, name, interval=_loose(ops.TABLE[name].interval))
