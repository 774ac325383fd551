"""Operators that make one entry of many, products, and what is normalised by a mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from tensorem import functional as F
from tensorem.errors import CaptureError

from ._call import Call
from ._entries import Operator


def _reduced(f: Callable[..., Any]) -> Operator:
    """A reduction; no axes are all of them, unless the file says that they are none."""

    def operator(call: Call) -> Any:
        axes = call.setting("axes", 1)
        if not axes and call.attrs.get("noop_with_empty_axes"):
            return call.x(0)
        dims = tuple(axes) if axes else tuple(range(call.rank()))
        return f(call.x(0), dim=dims, keepdim=bool(call.attrs.get("keepdims", 1)))

    return operator


def _log_sum_exp(x: Any, dim: Any, keepdim: bool) -> Any:
    top = F.amax(x, dim, True)
    total = F.log(F.sum(F.exp(x - top), dim, keepdim))
    return total + (top if keepdim else top.reshape(total.shape))


def _arg(sign: int) -> Operator:
    def operator(call: Call) -> Any:
        if call.attrs.get("select_last_index"):
            raise CaptureError("takes the first of equal entries, got select_last_index=1.")
        axis = call.attrs.get("axis", 0)
        found = jnp.argmax(sign * call.x(0), axis, keepdims=bool(call.attrs.get("keepdims", 1)))
        return found.astype(jnp.int32)

    return operator


def _softmax(f: Callable[..., Any]) -> Operator:
    """Over an axis; before opset 13 over all axes from one on."""

    def operator(call: Call) -> Any:
        x = call.x(0)
        if call.opset >= 13:
            return f(x, dim=call.attrs.get("axis", -1))
        axis = call.attrs.get("axis", 1) % x.ndim
        if axis == x.ndim - 1:
            return f(x, dim=axis)
        return f(x.reshape(*x.shape[:axis], -1), dim=-1).reshape(x.shape)

    return operator


def _matmul(call: Call) -> Any:
    """Matrices, or stacks of them; NumPy's rule where the two differ in axes."""
    x, y = call.xs()
    return F.matmul(x, y) if x.ndim == y.ndim > 1 and x.shape[:-2] == y.shape[:-2] else x @ y


def _gemm(call: Call) -> Any:
    """alpha A B + beta C; with weights of PyTorch's form it is a linear layer."""
    a, b, attrs = call.x(0), call.x(1), call.attrs
    alpha, beta = attrs.get("alpha", 1.0), attrs.get("beta", 1.0)
    a = a.T if attrs.get("transA") else a
    c = call.maybe(2)
    if attrs.get("transB") and alpha == beta == 1 and c is not None and c.shape == b.shape[:1]:
        return F.linear(a, b, c)
    product = F.matmul(a, b.T if attrs.get("transB") else b)
    product = product if alpha == 1 else alpha * product
    return product if c is None else product + (c if beta == 1 else beta * c)


def _batch_norm(call: Call) -> Any:
    if call.attrs.get("training_mode"):
        raise CaptureError("takes training_mode=0: a graph holds a model in evaluation.")
    x, weight, bias, mean, var = (call.x(i) for i in range(5))
    return F.batch_norm(x, mean, var, weight, bias, eps=call.attrs.get("epsilon", 1e-5))


def _instance_norm(call: Call) -> Any:
    return F.instance_norm(call.x(0), call.x(1), call.x(2), eps=call.attrs.get("epsilon", 1e-5))


def _layer_norm(call: Call) -> Any:
    x, axis = call.x(0), call.attrs.get("axis", -1)
    over = tuple(x.shape[axis % x.ndim :])
    weight, bias = (None if w is None else w.reshape(over) for w in (call.x(1), call.maybe(2)))
    return F.layer_norm(x, over, weight, bias, eps=call.attrs.get("epsilon", 1e-5))


def _rms_norm(call: Call) -> Any:
    x, axis = call.x(0), call.attrs.get("axis", -1)
    over = tuple(x.shape[axis % x.ndim :])
    return F.rms_norm(x, over, call.x(1).reshape(over), eps=call.attrs.get("epsilon", 1e-5))


def _group_norm(call: Call) -> Any:
    """Before opset 21 a scale and a shift for each group, since then for each channel."""
    x, weight, bias = call.xs()
    groups = call.attrs["num_groups"]
    if call.opset < 21:
        weight, bias = (jnp.repeat(w, x.shape[1] // groups) for w in (weight, bias))
    return F.group_norm(x, groups, weight, bias, eps=call.attrs.get("epsilon", 1e-5))


def _local_response_norm(call: Call) -> Any:
    attrs = call.attrs
    return F.local_response_norm(
        call.x(0), attrs["size"], attrs.get("alpha", 1e-4), attrs.get("beta", 0.75),
        attrs.get("bias", 1.0),
    )  # fmt: skip


def _lp_normalization(call: Call) -> Any:
    x, axis = call.x(0), call.attrs.get("axis", -1)
    return x / F.norm(x, call.attrs.get("p", 2), axis, True)


def _mean_variance(call: Call) -> Any:
    x, dims = call.x(0), tuple(call.attrs.get("axes", (0, 2, 3)))
    shifted = x - F.mean(x, dims, True)
    return shifted / (F.sqrt(F.mean(shifted * shifted, dims, True)) + 1e-9)


def _cumsum(call: Call) -> Any:
    x, axis = call.x(0), int(call.known(1)) % call.rank()
    x = jnp.flip(x, axis) if call.attrs.get("reverse") else x
    total = F.cumsum(x, axis)
    total = total - x if call.attrs.get("exclusive") else total
    return jnp.flip(total, axis) if call.attrs.get("reverse") else total


REDUCTIONS: dict[str, Operator] = {
    "ArgMax": _arg(1),
    "ArgMin": _arg(-1),
    "BatchNormalization": _batch_norm,
    "CumSum": _cumsum,
    "Einsum": lambda call: F.einsum(call.attrs["equation"], *call.xs()),
    "Gemm": _gemm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LRN": _local_response_norm,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": _softmax(F.log_softmax),
    "LpNormalization": _lp_normalization,
    "MatMul": _matmul,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _rms_norm,
    "ReduceL1": _reduced(lambda x, **over: F.sum(F.abs(x), **over)),
    "ReduceL2": _reduced(lambda x, **over: F.sqrt(F.sum(x * x, **over))),
    "ReduceLogSum": _reduced(lambda x, **over: F.log(F.sum(x, **over))),
    "ReduceLogSumExp": _reduced(_log_sum_exp),
    "ReduceMax": _reduced(F.amax),
    "ReduceMean": _reduced(F.mean),
    "ReduceMin": _reduced(F.amin),
    "ReduceSum": _reduced(F.sum),
    "ReduceSumSquare": _reduced(lambda x, **over: F.sum(x * x, **over)),
    "Softmax": _softmax(F.softmax),
}
