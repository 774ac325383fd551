"""ATen's core operators as JAX functions, by name."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import functional as F
from tensorem.errors import CaptureError

Operator = Callable[..., Any]
_MANY = 2**31
"""An end that PyTorch writes where a slice has none."""
_DTYPES = {"int64": "int32", "uint64": "uint32"}


def dtype_of(theirs: object) -> str:
    """The name of a dtype of PyTorch; integers of 64 bits have 32 here."""
    name = str(theirs).removeprefix("torch.")
    return _DTYPES.get(name, name)


def operators() -> tuple[str, ...]:
    """The names of ATen's operators that `load` reads, overloads left out.

    Example:
        >>> "addmm" in operators()
        True
    """
    return tuple(sorted(OPERATORS))


# --- arithmetic


def _array(x: Any, like: Any = None) -> Any:
    """An operand: a number becomes one of the other's dtype, if that holds it."""
    if hasattr(x, "dtype"):
        return x
    is_real = isinstance(x, float) and not jnp.issubdtype(like.dtype, jnp.floating)
    return jnp.asarray(x, jnp.float32 if is_real else like.dtype)


def _pair(f: Operator) -> Operator:
    """A function of two operands, one of which may be a number."""

    def run(x: Any, y: Any, *, alpha: float = 1) -> Any:
        if not hasattr(x, "dtype") and not hasattr(y, "dtype"):
            return f(x, y)
        y = _array(y, x) if alpha == 1 else _array(y, x) * alpha
        return f(_array(x, y), y)

    return run


def _divided(x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode is not None:
        raise CaptureError(f"takes no rounding_mode, got {rounding_mode!r}.")
    return x / y


def _power(x: Any, p: Any) -> Any:
    if not isinstance(p, int | float):
        raise CaptureError("takes an exponent that is a number, got an array.")
    if p == 0.5:
        return jnp.sqrt(x)
    return jax.lax.integer_pow(x, int(p)) if float(p).is_integer() else jnp.exp(p * jnp.log(x))


def _clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    x = x if min is None else jnp.maximum(x, _array(min, x))
    return x if max is None else jnp.minimum(x, _array(max, x))


def _softplus(x: Any, beta: float = 1, threshold: float = 20) -> Any:
    return F.softplus(x * beta) / beta if beta != 1 else F.softplus(x)


def _elu(x: Any, alpha: float = 1.0, scale: float = 1, input_scale: float = 1) -> Any:
    if abs(alpha - 1.6732632423543772) < 1e-9 and abs(scale - 1.0507009873554805) < 1e-9:
        return F.selu(x)
    if input_scale != 1:
        return scale * alpha * jnp.where(x > 0, x / alpha, jnp.expm1(x * input_scale))
    return F.elu(x, float(alpha)) * scale if scale != 1 else F.elu(x, float(alpha))


def _where(mask: Any, x: Any, y: Any) -> Any:
    x, y = jnp.broadcast_arrays(_array(x, y), _array(y, x))
    return jnp.where(mask, x, y)


# --- products and windows


def _addmm(bias: Any, x: Any, w: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    y = jnp.matmul(x, w)
    if beta == alpha == 1 and bias.ndim == 1:
        return F.linear(x, w.T, bias)
    return bias * beta + y * alpha


def _convolution(
    x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, more: Any,
    groups: int,
) -> Any:  # fmt: skip
    how = [tuple(n) if len(n) > 1 else n[0] for n in (stride, padding, dilation, more)]
    stride, padding, dilation, more = how
    rank = w.ndim - 2
    if transposed:
        f = getattr(F, f"conv_transpose{rank}d")
        return f(x, w, b, stride, padding, more, groups, dilation)
    return getattr(F, f"conv{rank}d")(x, w, b, stride, padding, dilation, groups)


def _sized(n: Any) -> Any:
    return tuple(n) if len(n) > 1 else n[0]


def _max_pool(
    x: Any, size: Any, stride: Any = (), padding: Any = (0,), dilation: Any = (1,),
    ceil_mode: bool = False,
) -> Any:  # fmt: skip
    f = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(size)]
    step = _sized(stride or size)
    return f(x, _sized(size), step, _sized(padding), _sized(dilation), ceil_mode), None


def _avg_pool(
    x: Any, size: Any, stride: Any = (), padding: Any = (0,), ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Any:  # fmt: skip
    rank = len(size)
    f = getattr(F, f"avg_pool{rank}d")
    rest = () if rank == 1 else (divisor_override,)
    given = _sized(size), _sized(stride or size), _sized(padding), ceil_mode, count_include_pad
    return f(x, *given, *rest)


def _layer_norm(x: Any, shape: Any, w: Any, b: Any, eps: float) -> Any:
    return F.layer_norm(x, tuple(shape), w, b, eps), None, None


def _group_norm(x: Any, w: Any, b: Any, n: Any, c: Any, rest: Any, groups: int, eps: float) -> Any:
    return F.group_norm(x, groups, w, b, eps), None, None


def _batch_norm(x: Any, w: Any, b: Any, mean: Any, var: Any, momentum: float, eps: float) -> Any:
    return F.batch_norm(x, mean, var, w, b, eps=eps), None, None


def _upsampled(mode: Any, x: Any, size: Any, *rest: Any) -> Any:
    """`align_corners` where the mode has it, then the scales; the size alone decides."""
    align = bool(rest and rest[0] is True)
    if size is None:
        return F.interpolate(x, None, tuple(rest[-1]), mode, align)
    return F.interpolate(x, tuple(size), None, mode, align)


def _attention(
    q: Any, k: Any, v: Any, dropout: float = 0.0, is_causal: bool = False, *, attn_mask: Any = None,
    scale: float | None = None,
) -> Any:  # fmt: skip
    return F.scaled_dot_product_attention(q, k, v, attn_mask, 0.0, is_causal, scale), None


# --- moves


def _expand(x: Any, sizes: Sequence[Any]) -> Any:
    lead = len(sizes) - x.ndim
    own = [x.shape[i - lead] if _is_any(n) else n for i, n in enumerate(sizes)]
    return jnp.broadcast_to(x, tuple(own))


def _is_any(n: Any) -> bool:
    return isinstance(n, int) and n == -1


def _slice(x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    end = None if isinstance(end, int) and end >= _MANY else end
    cut = [slice(None)] * x.ndim
    cut[dim] = slice(start, end, step)
    return x[tuple(cut)]


def _select(x: Any, dim: int, index: int) -> Any:
    cut: list[Any] = [slice(None)] * x.ndim
    cut[dim] = index
    return x[tuple(cut)]


def _split(x: Any, sizes: Any, dim: int = 0) -> Any:
    if isinstance(sizes, int):
        sizes = [min(sizes, x.shape[dim] - i) for i in range(0, x.shape[dim], sizes)]
    ends = np.cumsum(sizes).tolist()
    return tuple(_slice(x, dim, e - n, e) for n, e in zip(sizes, ends, strict=True))


def _squeeze(x: Any, dims: Any = None) -> Any:
    given = range(x.ndim) if dims is None else (dims,) if isinstance(dims, int) else dims
    gone = tuple(d for d in given if isinstance(x.shape[d], int) and x.shape[d] == 1)
    return jnp.squeeze(x, gone)


def _transposed(x: Any, a: int = 0, b: int = 1) -> Any:
    return jnp.swapaxes(x, a, b) if x.ndim > 1 else x


def _padded(x: Any, pads: Sequence[int], value: float = 0.0) -> Any:
    pairs = [(pads[i], pads[i + 1], 0) for i in range(0, len(pads), 2)][::-1]
    return jax.lax.pad(x, _array(value, x), [*((0, 0, 0),) * (x.ndim - len(pairs)), *pairs])


def _indexed(x: Any, indices: Sequence[Any]) -> Any:
    return x[tuple(slice(None) if i is None else i for i in indices)]


def _embedded(weight: Any, index: Any, *rest: Any) -> Any:
    return F.embedding(index, weight)


# --- reductions


def _axes(x: Any, dims: Any) -> tuple[int, ...]:
    dims = (dims,) if isinstance(dims, int) else dims
    return tuple(d % x.ndim for d in dims) if dims else tuple(range(x.ndim))


def _reduced(f: Operator) -> Operator:
    def run(x: Any, dims: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
        x = x if dtype is None else x.astype(dtype_of(dtype))
        return f(x, axis=_axes(x, dims), keepdims=keepdim)

    return run


def _truths(f: Operator) -> Operator:
    """any, all: an extreme of 0 and 1."""
    return lambda x, dims=None, keepdim=False: (
        f((x != 0).astype("int32"), axis=_axes(x, dims), keepdims=keepdim) > 0
    )


def _var(x: Any, dims: Any = None, *, correction: float = 1, keepdim: bool = False) -> Any:
    axes = _axes(x, dims)
    count = math.prod(x.shape[d] for d in axes)
    centred = x - jnp.mean(x, axis=axes, keepdims=True)
    return jnp.sum(jnp.square(centred), axis=axes, keepdims=keepdim) / (count - correction)


def _var_mean(x: Any, dims: Any = None, **how: Any) -> Any:
    mean = jnp.mean(x, axis=_axes(x, dims), keepdims=how.get("keepdim", False))
    return _var(x, dims, **how), mean


def _argmax(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    flat = x.reshape(-1) if dim is None else x
    y = jnp.argmax(flat, axis=0 if dim is None else dim).astype("int32")
    return jnp.expand_dims(y, dim) if keepdim and dim is not None else y


def _max_along(x: Any, dim: int, keepdim: bool = False) -> Any:
    return jnp.max(x, axis=dim, keepdims=keepdim), _argmax(x, dim, keepdim)


# --- new arrays


def _full(shape: Any, value: Any, *, dtype: Any = None, **rest: Any) -> Any:
    return jnp.full(tuple(shape), value, "float32" if dtype is None else dtype_of(dtype))


def _full_like(x: Any, value: Any, *, dtype: Any = None, **rest: Any) -> Any:
    return jnp.full(x.shape, value, x.dtype if dtype is None else dtype_of(dtype))


def _arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, **rest: Any) -> Any:
    start, end = (0, start) if end is None else (start, end)
    kind = "int32" if dtype is None else dtype_of(dtype)
    if isinstance(start, int) and start == 0 and step == 1:
        return jnp.arange(end, dtype=kind)
    return start + step * jnp.arange((end - start + step - 1) // step, dtype=kind)


def _copied(x: Any, *, dtype: Any = None, **rest: Any) -> Any:
    return x if dtype is None else x.astype(dtype_of(dtype))


def _same(x: Any, *rest: Any, **how: Any) -> Any:
    return x


def _nothing(*xs: Any, **how: Any) -> None:
    """A check of PyTorch's, made when the program was exported."""


OPERATORS: dict[str, Operator] = {
    "add": _pair(operator.add),
    "sub": _pair(operator.sub),
    "rsub": _pair(lambda x, y: y - x),
    "mul": _pair(operator.mul),
    "div": lambda x, y, **how: _pair(partial(_divided, **how))(x, y),
    "pow": _power,
    "minimum": jnp.minimum,
    "maximum": jnp.maximum,
    **{n: _pair(getattr(operator, n)) for n in ("eq", "ne", "lt", "le", "gt", "ge")},
    "logical_not": jnp.logical_not,
    "logical_and": jnp.logical_and,
    "logical_or": jnp.logical_or,
    "bitwise_not": jnp.logical_not,
    "bitwise_and": jnp.logical_and,
    "bitwise_or": jnp.logical_or,
    "where": _where,
    "masked_fill": lambda x, mask, value: _where(mask, _array(value, x), x),
    "abs": jnp.abs,
    "neg": operator.neg,
    "sign": jnp.sign,
    "reciprocal": lambda x: 1 / x,
    **{n: getattr(jnp, n) for n in ("exp", "log", "sqrt", "sin", "cos", "tanh")},
    "sigmoid": jax.lax.logistic,
    "erf": jax.lax.erf,
    "rsqrt": jax.lax.rsqrt,
    "log1p": jnp.log1p,
    "expm1": jnp.expm1,
    "relu": F.relu,
    "gelu": lambda x, *, approximate="none": F.gelu(x, approximate),
    "leaky_relu": lambda x, slope=0.01: F.leaky_relu(x, float(slope)),
    "elu": _elu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": _softplus,
    "hardtanh": lambda x, low=-1.0, high=1.0: F.clamp(x, float(low), float(high)),
    "hardswish": F.hardswish,
    "hardsigmoid": lambda x: F.clamp(x / 6 + 0.5, 0.0, 1.0),
    "_prelu_kernel": lambda x, w: jnp.where(x > 0, x, w * x),
    "clamp": _clamp,
    "clamp_min": lambda x, low: _clamp(x, low),
    "clamp_max": lambda x, high: _clamp(x, None, high),
    "_softmax": lambda x, dim, half: F.softmax(x, dim),
    "_log_softmax": lambda x, dim, half: F.log_softmax(x, dim),
    "mm": jnp.matmul,
    "bmm": jnp.matmul,
    "addmm": _addmm,
    "convolution": _convolution,
    "max_pool2d_with_indices": _max_pool,
    "max_pool3d_with_indices": _max_pool,
    "avg_pool1d": _avg_pool,
    "avg_pool2d": _avg_pool,
    "avg_pool3d": _avg_pool,
    "_adaptive_avg_pool2d": lambda x, size: F.adaptive_avg_pool2d(x, tuple(size)),
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "upsample_nearest2d": partial(_upsampled, "nearest"),
    "upsample_bilinear2d": partial(_upsampled, "bilinear"),
    "pixel_shuffle": F.pixel_shuffle,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "embedding": _embedded,
    "gather": lambda x, dim, index, **how: jnp.take_along_axis(x, index, axis=dim),
    "index_select": lambda x, dim, index: jnp.take(x, index, axis=dim, mode="clip"),
    "index": _indexed,
    "view": lambda x, shape: jnp.reshape(x, tuple(shape)),
    "_unsafe_view": lambda x, shape: jnp.reshape(x, tuple(shape)),
    "reshape": lambda x, shape: jnp.reshape(x, tuple(shape)),
    "permute": lambda x, dims: jnp.transpose(x, tuple(dims)),
    "transpose": _transposed,
    "t": _transposed,
    "expand": _expand,
    "squeeze": _squeeze,
    "unsqueeze": lambda x, dim: jnp.expand_dims(x, dim),
    "slice": _slice,
    "select": _select,
    "split_with_sizes": _split,
    "split": _split,
    "cat": lambda xs, dim=0: jnp.concatenate(list(xs), axis=dim),
    "stack": lambda xs, dim=0: jnp.stack(list(xs), axis=dim),
    "flip": lambda x, dims: jnp.flip(x, tuple(dims)),
    "repeat": lambda x, counts: jnp.tile(x, tuple(counts)),
    "constant_pad_nd": _padded,
    "sum": _reduced(jnp.sum),
    "mean": _reduced(jnp.mean),
    "amax": _reduced(jnp.max),
    "amin": _reduced(jnp.min),
    "any": _truths(jnp.max),
    "all": _truths(jnp.min),
    "max": _max_along,
    "argmax": _argmax,
    "var": _var,
    "var_mean": _var_mean,
    "cumsum": lambda x, dim: jnp.cumsum(x, axis=dim),
    "full": _full,
    "zeros": lambda shape, **how: _full(shape, 0, **how),
    "ones": lambda shape, **how: _full(shape, 1, **how),
    "full_like": _full_like,
    "zeros_like": lambda x, **how: _full_like(x, 0, **how),
    "ones_like": lambda x, **how: _full_like(x, 1, **how),
    "scalar_tensor": lambda value, **how: _full((), value, **how),
    "arange": _arange,
    "_to_copy": _copied,
    **dict.fromkeys(("clone", "detach", "alias", "lift_fresh_copy", "contiguous"), _same),
    "sym_size": lambda x, dim: x.shape[dim],
    **dict.fromkeys(("_assert_scalar", "_assert_tensor_metadata"), _nothing),
}
