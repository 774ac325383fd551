"""What the laws are tried on: operands and attributes for every row of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from law_curves import CURVES

Array = Any
Ends = tuple[Array, Array]


@dataclass(frozen=True)
class Case:
    """One call of an op.

    Args:
        shapes: One for each operand.
        attrs: Attributes.
        kinds: One for each operand, or one for all: see `KINDS`.
        constant: Operands that are weights: a bound engine never lets them vary.
    """

    shapes: tuple[tuple[int, ...], ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("real",)
    constant: tuple[int, ...] = ()

    def kind(self, i: int) -> str:
        return self.kinds[i % len(self.kinds)]

    @property
    def is_float(self) -> bool:
        return all(self.kind(i) not in ("mask", "index") for i in range(len(self.shapes)))


def floats(rng: Any, shape: tuple[int, ...], low: int, high: int, zeros: float = 0.1) -> Array:
    """Floats by exponent and mantissa: sums of numbers drawn from a uniform grid never round."""
    mantissa = rng.integers(2**23, 2**24, shape) / 2.0**23
    signs = rng.choice([-1.0, 1.0], shape)
    values = signs * np.ldexp(mantissa, rng.integers(low, high + 1, shape))
    return np.asarray(np.where(rng.random(shape) < zeros, 0.0, values))


Draw = Callable[[Any, tuple[int, ...]], Array]

KINDS: dict[str, Draw] = {
    "real": lambda rng, shape: floats(rng, shape, -6, 3),
    "positive": lambda rng, shape: np.abs(floats(rng, shape, -6, 3, zeros=0)),
    "nonzero": lambda rng, shape: floats(rng, shape, -6, 3, zeros=0),
    "above": lambda rng, shape: np.abs(floats(rng, shape, -6, 3)) - 0.75,
    "mask": lambda rng, shape: rng.integers(0, 2, shape).astype(np.float64),
    "index": lambda rng, shape: rng.integers(0, 4, shape).astype(np.float64),
}

LEAST = {"positive": 2.0**-8, "above": -0.875}
"""Below this an operand of the kind leaves the op's domain."""

WIDE: Draw = lambda rng, shape: floats(rng, shape, -1074, 900)  # noqa: E731
"""Every binade, subnormal numbers included."""

_PAIR = ((2, 3), (2, 3))
_IMAGE = (1, 2, 4, 4)
_WINDOW = {"kernel_size": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0))}
_OVERLAP = {"kernel_size": (3, 2), "stride": (2, 1), "padding": ((1, 1), (1, 1))}
_UNEVEN = {"kernel_size": (2, 2), "stride": (2, 3), "padding": ((0, 1), (1, 0))}
_CONV = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
_ODD = {"stride": (2, 1), "padding": ((1, 1), (0, 0)), "dilation": (1, 2), "groups": 2}
_LOPSIDED = {"stride": (1, 2), "padding": ((0, 2), (1, 0)), "dilation": (2, 1), "groups": 1}


def _binary(*kinds: str) -> list[Case]:
    return [Case(_PAIR, kinds=kinds or ("real",))]


def _unary(kind: str = "real", **attrs: Any) -> list[Case]:
    return [Case(((2, 5),), attrs, (kind,))]


_NORM = (("real", "nonzero", "real", "real", "positive"), (1, 2, 3, 4))

CASES: dict[str, list[Case]] = {
    **{name: _binary() for name in ("add", "sub", "mul", "maximum", "minimum")},
    "div": _binary("real", "nonzero"),
    **{name: _unary() for name in ("neg", "abs", "sign", "square", "stop_gradient")},
    "pow_int": [
        *(_unary("nonzero", exponent=n)[0] for n in (-3, -2, -1)),
        *(_unary(exponent=n)[0] for n in (0, 1, 2, 3, 4, 5)),
    ],
    "cast": [*_unary(dtype="float32"), *_unary(dtype="int32"), *_unary(dtype="bool")],
    **{
        name: [Case(((2, 5),), attrs, (curve.kind,)) for attrs in curve.attrs]
        for name, curve in CURVES.items()
    },
    **{name: _unary() for name in ("relu", "floor", "ceil", "round")},
    "rem": _binary("real", "nonzero"),
    "pow": _binary("positive", "real"),
    "leaky_relu": [*_unary(negative_slope=0.01), *_unary(negative_slope=1.5)],
    **{name: _binary() for name in ("equal", "not_equal", "less", "less_equal")},
    **{name: _binary() for name in ("greater", "greater_equal")},
    **{name: _binary("mask") for name in ("logical_and", "logical_or")},
    "logical_not": _unary("mask"),
    "where": [Case(((2, 3),) * 3, kinds=("mask", "real", "real"))],
    "reshape": [Case(((2, 3),), {"shape": (3, 2)}), Case(((2, 3),), {"shape": (6,)})],
    "permute": [Case(((2, 3, 2),), {"dims": (2, 0, 1)})],
    "broadcast": [
        Case(((3,),), {"shape": (2, 3), "dims": (1,)}),
        Case(((2, 1),), {"shape": (2, 2, 3), "dims": (0, 2)}),
    ],
    "concat": [Case(((2, 1), (2, 3)), {"dim": 1}), Case(((1, 2), (2, 2)), {"dim": -2})],
    "slice": [Case(((5, 4),), {"start": (1, 0), "stop": (5, 3), "step": (2, 1)})],
    "pad": [
        Case(((2, 3), ()), {"low": (1, 0), "high": (0, 2), "interior": (0, 1)}, constant=(1,)),
        Case(((3, 3), ()), {"low": (-1, 1), "high": (1, -2), "interior": (1, 0)}, constant=(1,)),
    ],
    "flip": [Case(((2, 3),), {"dims": (1,)}), Case(((2, 3),), {"dims": (0, -1)})],
    "embedding": [Case(((2, 2), (4, 3)), kinds=("index", "real"))],
    **{
        name: [Case(((2, 3, 2),), {"dims": (1,)}), Case(((2, 3, 2),), {"dims": (0, 2)})]
        for name in ("sum", "mean", "amax", "amin")
    },
    "prod": [Case(((2, 3, 2),), {"dims": (0, 2)}), Case(((2, 5),), {"dims": (1,)})],
    "cumprod": [Case(((5, 2),), {"dim": 0})],
    "argmax": [Case(((3, 4),), {"dim": 1}), Case(((3, 2),), {"dim": 0})],
    "cumsum": [Case(((3, 4),), {"dim": 1})],
    **{
        name: [
            Case(((3, 4),), {"dim": 1, "descending": False, "count": -1}),
            Case(((2, 4, 2),), {"dim": -2, "descending": True, "count": 3}),
        ]
        for name in ("sort", "argsort")
    },
    "gather": [
        Case(((4, 2), (3, 2)), {"dim": 0}, ("real", "index")),
        Case(((2, 5, 1), (2, 1, 1)), {"dim": -2}, ("real", "index")),
    ],
    "scatter_add": [Case(((2, 4), (2, 3), (2, 3)), {"dim": 1}, ("real", "index", "real"))],
    "dot": [
        Case(((2, 3), (3, 2)), {"contract": ((1,), (0,)), "batch": ((), ())}),
        Case(((2, 3, 2), (2, 3, 2)), {"contract": ((1,), (1,)), "batch": ((0,), (0,))}),
    ],
    "linear": [Case(((2, 3), (4, 3), (4,))), Case(((1, 2, 3), (2, 3)))],
    "matmul": [Case(((2, 2, 3), (2, 3, 2)))],
    "conv2d": [
        Case((_IMAGE, (2, 2, 3, 3), (2,)), _CONV),
        Case((_IMAGE, (2, 1, 2, 2)), _ODD),
        Case((_IMAGE, (1, 2, 2, 2)), _LOPSIDED),
    ],
    "conv2d_dx": [
        Case(((1, 2, 4, 4), (2, 2, 3, 3)), {**_CONV, "size": (4, 4)}),
        Case(((1, 2, 3, 2), (2, 1, 2, 2)), {**_ODD, "size": (4, 4)}),
        Case(((1, 1, 4, 2), (1, 2, 2, 2)), {**_LOPSIDED, "size": (4, 4)}),
    ],
    "conv2d_dk": [
        Case(((1, 2, 4, 4), (1, 2, 4, 4)), {**_CONV, "size": (3, 3)}),
        Case(((1, 2, 4, 4), (1, 2, 3, 2)), {**_ODD, "size": (2, 2)}),
        Case(((1, 2, 4, 4), (1, 1, 4, 2)), {**_LOPSIDED, "size": (2, 2)}),
    ],
    "max_pool2d": [
        Case((_IMAGE,), {**_WINDOW, "dilation": (1, 1)}),
        Case(((1, 1, 4, 3),), {**_OVERLAP, "dilation": (1, 1)}),
        Case(((1, 1, 5, 4),), {**_UNEVEN, "dilation": (2, 3)}),
    ],
    "avg_pool2d": [
        Case((_IMAGE,), {**_WINDOW, "divisor": 4}),
        Case(((1, 1, 4, 3),), {**_OVERLAP, "divisor": 6}),
        Case(((1, 1, 5, 4),), {**_UNEVEN, "divisor": 3}),
        Case((_IMAGE,), {**_WINDOW, "divisor": 1}),
    ],
    "softmax": [Case(((2, 4),), {"dim": -1}), Case(((3, 2),), {"dim": 0})],
    "log_softmax": [Case(((2, 4),), {"dim": -1})],
    "batch_norm": [Case(((2, 3, 2), (3,), (3,), (3,), (3,)), {"eps": 1e-5}, *_NORM)],
    "layer_norm": [
        Case(((2, 4), (4,), (4,)), {"ndim": 1, "eps": 1e-5}, constant=(1, 2)),
        Case(((2, 2, 3), (2, 3), (2, 3)), {"ndim": 2, "eps": 1e-3}, constant=(1, 2)),
    ],
    "rms_norm": [
        Case(((2, 4), (4,)), {"ndim": 1, "eps": 1e-5}, constant=(1,)),
        Case(((2, 2, 3), (2, 3)), {"ndim": 2, "eps": 1e-3}, constant=(1,)),
    ],
}


def operands(case: Case, rng: Any) -> list[Array]:
    """Operands of a case, as float64."""
    return [KINDS[case.kind(i)](rng, shape) for i, shape in enumerate(case.shapes)]


def typed(case: Case, values: list[Array], dtype: str = "float64") -> list[Array]:
    """Operands in the dtypes in which the op runs."""
    kinds = {"mask": np.dtype(bool), "index": np.dtype(np.int32)}
    names = [kinds.get(case.kind(i), np.dtype(dtype)) for i in range(len(values))]
    return [v.astype(n) for v, n in zip(values, names, strict=True)]


@dataclass(frozen=True)
class Box:
    """Lower and upper ends of every operand, and whether it holds whole numbers only."""

    lower: list[Array]
    upper: list[Array]
    whole: list[bool]

    def points(self, rng: Any, count: int) -> list[list[Array]]:
        """Corners, then points inside."""
        inside = [self._inside(rng) for _ in range(count)]
        return [self.lower, self.upper, self._corner(rng), *inside]

    def _corner(self, rng: Any) -> list[Array]:
        pairs = zip(self.lower, self.upper, strict=True)
        return [np.where(rng.random(a.shape) < 0.5, a, b) for a, b in pairs]

    def _inside(self, rng: Any) -> list[Array]:
        ends = zip(self.lower, self.upper, self.whole, strict=True)
        return [_between(rng, a, b, whole) for a, b, whole in ends]


def _between(rng: Any, a: Array, b: Array, whole: bool) -> Array:
    values = np.clip(a + rng.random(a.shape) * (b - a), a, b)
    return np.round(values) if whole else values


def at(values: list[Array]) -> Box:
    """The box of one point."""
    return Box(values, values, [False] * len(values))


def box(case: Case, rng: Any, fixed: tuple[int, ...] = ()) -> Box:
    """A box around drawn operands: some entries degenerate, some thin, some wide."""
    centres = operands(case, rng)
    ends = [_around(case, i, c, rng, i in fixed) for i, c in enumerate(centres)]
    for i in range(1, len(ends)):
        if ends[i][0].shape == ends[0][0].shape and case.kind(i) == case.kind(0) and not fixed:
            ends[i] = _touching(ends[0], ends[i], rng)
    whole = [case.kind(i) in ("mask", "index") for i in range(len(ends))]
    return Box([e[0] for e in ends], [e[1] for e in ends], whole)


def _touching(first: Ends, second: Ends, rng: Any) -> Ends:
    """The second box, which here and there begins where the first one ends, or ends there."""
    choice = rng.random(first[0].shape)
    after, before = choice < 0.15, choice > 0.85
    lower = np.where(after, first[1], second[0])
    upper = np.where(before, first[0], np.maximum(lower, second[1]))
    return np.minimum(lower, upper), upper


def _around(case: Case, i: int, centre: Array, rng: Any, fixed: bool) -> Ends:
    kind = case.kind(i)
    if fixed:
        return centre, centre
    if kind in ("mask", "index"):
        most = {"mask": 1, "index": 3}[kind]
        return centre, np.minimum(centre + rng.integers(0, 2, centre.shape), most)
    radius = np.ldexp(rng.random(centre.shape), rng.integers(-12, 2, centre.shape))
    radius = np.where(rng.random(centre.shape) < 0.2, 0.0, radius)
    if kind == "nonzero":
        radius = np.minimum(radius, np.abs(centre) / 2)
    least = LEAST.get(kind, -np.inf)
    return np.maximum(centre - radius, least), np.maximum(centre + radius, least)
