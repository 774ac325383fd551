"""Functions of one number by mpmath: what their rows are held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
from mpmath import mpf

mpmath.mp.prec = 300


@dataclass(frozen=True)
class CurveCase:
    """One function of one number, or several that differ by attributes.

    Args:
        exact: (x, attrs) -> the value, in mpmath numbers.
        attrs: Attributes of the calls that are tried.
        kind: Of its operand, as in `law_cases.KINDS`.
        low: The least binary exponent of operands whose values tell something ...
        high: ... and the greatest.
        turns: Near every turning point (of a function without a period), and the attributes.
    """

    exact: Callable[..., Any]
    attrs: tuple[dict[str, Any], ...] = ({},)
    kind: str = "real"
    low: int = -1074
    high: int = 10
    turns: tuple[float, ...] = ()


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def _gelu(x: Any, *, approximate: str) -> Any:
    if approximate == "none":
        return x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2 if x > -1000 else mpf(0)
    return x * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpf("0.044715") * x**3))) / 2


def _elu(x: Any, *, alpha: float) -> Any:
    return x if x > 0 else alpha * mpmath.expm1(x)


def _celu(x: Any, *, alpha: float) -> Any:
    return x if x > 0 else alpha * mpmath.expm1(x / alpha)


_SCALE = mpf("1.0507009873554804934193349852946")
_ALPHA = mpf("1.6732632423543772848170429916717")
_FORMS = ({"approximate": "none"}, {"approximate": "tanh"})

CURVES: dict[str, CurveCase] = {
    "sqrt": CurveCase(mpmath.sqrt, kind="positive", high=1000),
    "rsqrt": CurveCase(lambda x: 1 / mpmath.sqrt(x), kind="positive", high=1000),
    "exp": CurveCase(mpmath.exp, low=-60),
    "log": CurveCase(mpmath.log, kind="positive", high=1000),
    "log1p": CurveCase(mpmath.log1p, kind="above", high=1000),
    "expm1": CurveCase(mpmath.expm1),
    "tanh": CurveCase(mpmath.tanh, high=6),
    "sigmoid": CurveCase(_sigmoid, low=-60),
    "erf": CurveCase(mpmath.erf, high=4),
    "atan": CurveCase(mpmath.atan, high=1000),
    "sin": CurveCase(mpmath.sin, low=-300, high=19),
    "cos": CurveCase(mpmath.cos, low=-300, high=19),
    "softplus": CurveCase(lambda x: mpmath.log1p(mpmath.exp(x)), low=-60),
    "logsigmoid": CurveCase(lambda x: -mpmath.log1p(mpmath.exp(-x)), low=-60),
    "gelu": CurveCase(_gelu, _FORMS, high=5, turns=(-0.75,)),
    "silu": CurveCase(lambda x: x * _sigmoid(x), turns=(-1.28,)),
    "mish": CurveCase(lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))), turns=(-1.19,)),
    "elu": CurveCase(_elu, ({"alpha": 2.5}, {"alpha": -0.5})),
    "celu": CurveCase(_celu, ({"alpha": 0.3},)),
    "selu": CurveCase(lambda x: _SCALE * _elu(x, alpha=_ALPHA)),
    "softsign": CurveCase(lambda x: x / (1 + abs(x)), high=1000),
    "hardswish": CurveCase(lambda x: x * min(max(x + 3, 0), 6) / 6, high=1000, turns=(-1.5,)),
    "hardtanh": CurveCase(
        lambda x, *, min_val, max_val: min(max(x, min_val), max_val),
        ({"min_val": -1.0, "max_val": 2.0},),
    ),
}
