"""Operators that work entry by entry."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import functional as F
from tensorem.errors import CaptureError

from ._call import Call

Operator = Callable[[Call], Any]


def plain(f: Callable[..., Any], **names: str) -> Operator:
    """A function of the operands; attributes are arguments of it under other names."""
    return lambda call: f(
        *call.xs(), **{n: call.attrs[a] for n, a in names.items() if a in call.attrs}
    )


def pairwise(f: Callable[[Any, Any], Any]) -> Operator:
    """A function of two, of any number of operands; older files say where the second stands."""
    return lambda call: functools.reduce(f, _aligned(call))


def _aligned(call: Call) -> list[Any]:
    """Before opset 7 the second operand starts at an axis of the first."""
    if call.opset >= 7 or not call.attrs.get("broadcast"):
        return call.xs()
    x, y = call.xs()
    axis = call.attrs.get("axis", x.ndim - y.ndim) % max(x.ndim, 1)
    return [x, y.reshape(*y.shape, *(1,) * (x.ndim - axis - y.ndim))]


def _clip(call: Call) -> Any:
    """Between bounds that the file decides, or that are computed."""
    x = call.x(0)
    low, high = (call.attrs.get(n, call.maybe(i)) for n, i in (("min", 1), ("max", 2)))
    if jnp.issubdtype(x.dtype, jnp.floating) and all(isinstance(b, _NUMBER) for b in (low, high)):
        ends = (None if b is None else float(b) for b in (low, high))
        return x if low is None and high is None else F.clamp(x, *ends)
    x = x if low is None else jnp.maximum(x, low)
    return x if high is None else jnp.minimum(x, high)


_NUMBER = (int, float, np.ndarray, type(None))


def _pow(call: Call) -> Any:
    """Whole exponents multiply; others take a logarithm, which a negative base does not have."""
    x, exponents = call.x(0), np.unique(call.known(1))
    if exponents.size != 1:
        raise CaptureError("takes one exponent for all entries, got several.")
    p = float(exponents[0])
    if p == 0.5:
        return F.sqrt(x)
    return jax.lax.integer_pow(x, int(p)) if p.is_integer() else F.exp(p * F.log(x))


def _gelu(call: Call) -> Any:
    return F.gelu(call.x(0), approximate=call.attrs.get("approximate", "none"))


def _hard_sigmoid(call: Call) -> Any:
    alpha, beta = call.attrs.get("alpha", 0.2), call.attrs.get("beta", 0.5)
    return F.clamp(alpha * call.x(0) + beta, 0.0, 1.0)


def _selu(call: Call) -> Any:
    """PyTorch's constants, or those of the file; the first version had others as defaults."""
    alpha = call.attrs.get("alpha", 1.67326319217681884765625 if call.opset >= 6 else 1.6732)
    gamma = call.attrs.get("gamma", 1.05070102214813232421875 if call.opset >= 6 else 1.0507)
    if abs(alpha - 1.6732632421) < 1e-6 and abs(gamma - 1.0507010221) < 1e-6:
        return F.selu(call.x(0))
    return gamma * F.elu(call.x(0), alpha)


def _shrink(call: Call) -> Any:
    x, bias, bound = call.x(0), call.attrs.get("bias", 0.0), call.attrs.get("lambd", 0.5)
    return F.where(x < -bound, x + bias, F.where(x > bound, x - bias, jnp.zeros_like(x)))


def _thresholded(call: Call) -> Any:
    x = call.x(0)
    return F.where(x > call.attrs.get("alpha", 1.0), x, jnp.zeros_like(x))


def _prelu(call: Call) -> Any:
    """Slopes for channels, the second axis; older files have them in one row."""
    x, slope = call.xs()
    if call.opset < 7 and slope.ndim == 1 and x.ndim > 1:
        slope = slope.reshape(-1, *(1,) * (x.ndim - 2))
    return F.where(x >= 0, x, slope * x)


def _div(x: Any, y: Any) -> Any:
    """Whole numbers are divided to whole ones, towards zero."""
    if jnp.issubdtype(jnp.result_type(x, y), jnp.integer):
        return jax.lax.div(*jnp.broadcast_arrays(x, y))
    return x / y


def _swish(call: Call) -> Any:
    alpha = call.attrs.get("alpha", 1.0)
    return F.silu(call.x(0)) if alpha == 1 else call.x(0) * F.sigmoid(alpha * call.x(0))


ENTRIES: dict[str, Operator] = {
    "Abs": plain(F.abs),
    "Add": pairwise(jnp.add),
    "And": pairwise(jnp.logical_and),
    "Celu": plain(F.celu, alpha="alpha"),
    "Clip": _clip,
    "Cos": plain(jnp.cos),
    "Div": pairwise(_div),
    "Elu": plain(F.elu, alpha="alpha"),
    "Equal": pairwise(jnp.equal),
    "Erf": plain(jax.lax.erf),
    "Exp": plain(F.exp),
    "Gelu": _gelu,
    "Greater": pairwise(jnp.greater),
    "GreaterOrEqual": pairwise(jnp.greater_equal),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": plain(F.hardswish),
    "LeakyRelu": plain(F.leaky_relu, negative_slope="alpha"),
    "Less": pairwise(jnp.less),
    "LessOrEqual": pairwise(jnp.less_equal),
    "Log": plain(F.log),
    "Max": pairwise(jnp.maximum),
    "Mean": lambda call: functools.reduce(jnp.add, call.xs()) / len(call.inputs),
    "Min": pairwise(jnp.minimum),
    "Mish": plain(F.mish),
    "Mul": pairwise(jnp.multiply),
    "Neg": plain(jnp.negative),
    "Not": plain(jnp.logical_not),
    "Or": pairwise(jnp.logical_or),
    "PRelu": _prelu,
    "Pow": _pow,
    "Reciprocal": lambda call: 1 / call.x(0),
    "Relu": plain(F.relu),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": plain(F.sigmoid),
    "Sign": plain(jnp.sign),
    "Sin": plain(jnp.sin),
    "Softplus": plain(F.softplus),
    "Softsign": plain(F.softsign),
    "Sqrt": plain(F.sqrt),
    "Sub": pairwise(jnp.subtract),
    "Sum": pairwise(jnp.add),
    "Swish": _swish,
    "Tanh": plain(F.tanh),
    "ThresholdedRelu": _thresholded,
    "Where": plain(jnp.where),
    "Xor": pairwise(jnp.not_equal),
}
