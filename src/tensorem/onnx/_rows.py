"""Each row of the op table as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorem.graph import Node
from tensorem.shapes import size_of

from ._writer import TYPES, Writer

Row = Callable[[Writer, Node], None]
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _one(op: str, **names: str) -> Row:
    """An operator of the same meaning; our attributes under its names."""

    def row(w: Writer, node: Node) -> None:
        attrs = {theirs: node.attrs[ours] for theirs, ours in names.items()}
        w.node(op, node.inputs, node.outputs, **attrs)

    return row


def _reduced(op: str) -> Row:
    """A reduction; since opset 18 its axes are an operand."""

    def row(w: Writer, node: Node) -> None:
        axes = w.constant(np.asarray(node.attrs["dims"], np.int64).reshape(-1))
        w.node(op, [*node.inputs, axes], node.outputs, keepdims=0, noop_with_empty_axes=1)

    return row


def _square(w: Writer, node: Node) -> None:
    w.node("Mul", [node.inputs[0]] * 2, node.outputs)


def _after(op: str, inner: str) -> Row:
    return lambda w, node: _out(w, node, op, w.node(inner, node.inputs))


def _out(w: Writer, node: Node, op: str, *inputs: str, **attrs: Any) -> None:
    w.node(op, inputs, node.outputs, **attrs)


def _silu(w: Writer, node: Node) -> None:
    _out(w, node, "Mul", node.inputs[0], w.node("Sigmoid", node.inputs))


def _logsigmoid(w: Writer, node: Node) -> None:
    """-softplus(-x)."""
    _out(w, node, "Neg", w.node("Softplus", [w.node("Neg", node.inputs)]))


def _hardtanh(w: Writer, node: Node) -> None:
    x = node.inputs[0]
    ends = (w.like(node.attrs[name], x) for name in ("min_val", "max_val"))
    _out(w, node, "Clip", x, *ends)


def _expm1(w: Writer, node: Node) -> None:
    """tanh(x / 2) (exp(x) + 1), which is exact to the last digits near 0."""
    x = node.inputs[0]
    half = w.node("Tanh", [w.node("Mul", [x, w.like(0.5, x)])])
    _out(w, node, "Mul", half, w.node("Add", [w.node("Exp", [x]), w.like(1, x)]))


def _log1p(w: Writer, node: Node) -> None:
    """2 artanh(x / (2 + x)) for small x has no operator: log(1 + x) corrected by what 1 + x lost.

    Source: Goldberg 1991, theorem 4: x log(1 + x) / ((1 + x) - 1).
    """
    x = node.inputs[0]
    one = w.like(1, x)
    wide = w.node("Add", [x, one])
    kept = w.node("Sub", [wide, one])
    none = w.node("Equal", [kept, w.like(0, x)])
    whole = w.node("Where", [none, one, kept])
    factor = w.node("Where", [none, one, w.node("Div", [w.node("Log", [wide]), whole])])
    infinite = w.node("IsInf", [wide])
    _out(w, node, "Where", infinite, wide, w.node("Mul", [x, factor]))


def _rem(w: Writer, node: Node) -> None:
    _out(w, node, "Mod", *node.inputs, fmod=1)


def _pow(w: Writer, node: Node) -> None:
    x = node.inputs[0]
    _out(w, node, "Pow", x, w.like(node.attrs["exponent"], x))


def _linear(w: Writer, node: Node) -> None:
    """Gemm of two axes; of more, a product of matrices and a sum."""
    x, weight, *bias = node.inputs
    if len(w.spec(x).shape) == 2:
        return _out(w, node, "Gemm", x, weight, *bias, transB=1)
    turned = w.node("Transpose", [weight], perm=[1, 0])
    if not bias:
        return _out(w, node, "MatMul", x, turned)
    return _out(w, node, "Add", w.node("MatMul", [x, turned]), bias[0])


def _dot(w: Writer, node: Node) -> None:
    """Batch axes, then the free ones of both, as an Einstein sum."""
    (cx, cy), (bx, by) = node.attrs["contract"], node.attrs["batch"]
    ranks = [len(w.spec(name).shape) for name in node.inputs]
    left = _LETTERS[: ranks[0]]
    right = list(_LETTERS[ranks[0] : sum(ranks)])
    for i, j in zip((*cx, *bx), (*cy, *by), strict=True):
        right[j] = left[i]
    batch = [left[i] for i in bx]
    free = [a for i, a in enumerate(left) if i not in (*cx, *bx)]
    free += [b for j, b in enumerate(right) if j not in (*cy, *by)]
    equation = f"{left},{''.join(right)}->{''.join([*batch, *free])}"
    w.node("Einsum", node.inputs, node.outputs, equation=equation)


def _conv(w: Writer, node: Node) -> None:
    a = node.attrs
    w.node("Conv", node.inputs, node.outputs, **_window(a), group=a["groups"])


def _window(a: Any) -> dict[str, Any]:
    padding = [side for sides in zip(*a["padding"], strict=True) for side in sides]
    found = {"strides": list(a["stride"]), "pads": padding}
    return found | ({"dilations": list(a["dilation"])} if "dilation" in a else {})


def _conv_dx(w: Writer, node: Node) -> None:
    """The transpose of a convolution; what the strides left over is added at the end."""
    a, (y, kernel) = node.attrs, node.inputs
    images, kernels = w.spec(y).shape[2:], w.spec(kernel).shape[2:]
    extra = [
        size_of(n) - ((size_of(m) - 1) * s + d * (size_of(k) - 1) + 1 - sum(p))
        for n, m, s, d, k, p in zip(
            a["size"], images, a["stride"], a["dilation"], kernels, a["padding"], strict=True
        )
    ]
    attrs = _window(a) | {"group": a["groups"], "output_padding": extra}
    w.node("ConvTranspose", node.inputs, node.outputs, **attrs)


def _max_pool(w: Writer, node: Node) -> None:
    """Readers refuse padding as wide as a kernel, which gaps in it allow: it is written out."""
    a, x = node.attrs, node.inputs[0]
    kernel, attrs = list(a["kernel_size"]), _window(node.attrs)
    if any(max(sides) >= k for sides, k in zip(a["padding"], kernel, strict=True)):
        pads = attrs.pop("pads")
        low, high = pads[: len(kernel)], pads[len(kernel) :]
        least = w.like(-np.inf, x)
        x = w.node("Pad", [x, w.constant([0, 0, *low, 0, 0, *high]), least])
    _out(w, node, "MaxPool", x, kernel_shape=kernel, **attrs)


def _avg_pool(w: Writer, node: Node) -> None:
    """Means over full windows, scaled where the divisor is another."""
    a, x = node.attrs, node.inputs[0]
    kernel = list(a["kernel_size"])
    attrs = {"kernel_shape": kernel, "count_include_pad": 1, **_window(a)}
    if a["divisor"] == np.prod(kernel):
        return _out(w, node, "AveragePool", x, **attrs)
    scale = w.like(np.prod(kernel) / a["divisor"], x)
    return _out(w, node, "Mul", w.node("AveragePool", [x], **attrs), scale)


def _broadcast(w: Writer, node: Node) -> None:
    """The axes that are new are set in with size 1, then all are stretched."""
    shape, dims, x = node.attrs["shape"], node.attrs["dims"], node.inputs[0]
    new = [i for i in range(len(shape)) if i not in dims]
    wide = w.node("Unsqueeze", [x, w.constant(new)]) if new else x
    _out(w, node, "Expand", wide, w.shape(shape))


def _reshape(w: Writer, node: Node) -> None:
    _out(w, node, "Reshape", node.inputs[0], w.shape(node.attrs["shape"]), allowzero=1)


def _slice(w: Writer, node: Node) -> None:
    a = node.attrs
    axes = w.constant(list(range(len(a["start"]))))
    if not a["start"]:
        return _out(w, node, "Identity", node.inputs[0])
    ends = (w.shape(a[name]) for name in ("start", "stop"))
    return _out(w, node, "Slice", node.inputs[0], *ends, axes, w.shape(a["step"]))


def _flip(w: Writer, node: Node) -> None:
    dims = list(node.attrs["dims"])
    if not dims:
        return _out(w, node, "Identity", node.inputs[0])
    starts, ends = w.constant([-1] * len(dims)), w.constant([-(2**62)] * len(dims))
    steps = w.constant([-1] * len(dims))
    return _out(w, node, "Slice", node.inputs[0], starts, ends, w.constant(dims), steps)


def _pad(w: Writer, node: Node) -> None:
    """Entries between entries first, then those around; a negative count cuts off."""
    (x, value), a = node.inputs, node.attrs
    sizes = list(w.spec(x).shape)
    for axis, gap in enumerate(a["interior"]):
        if gap:
            x, sizes[axis] = _spread(w, x, value, sizes, axis, gap)
    low, high = ([size_of(n) for n in a[name]] for name in ("low", "high"))
    _out(w, node, "Pad", x, w.shape([*low, *high]), value)


def _spread(
    w: Writer, x: str, value: str, sizes: list[Any], axis: int, gap: int
) -> tuple[str, Any]:
    """Put a gap of values after each entry of an axis, but for the last."""
    after = axis + 1
    wide = w.node("Unsqueeze", [x, w.constant([after])])
    pads = [0] * (2 * (len(sizes) + 1))
    pads[len(sizes) + 1 + after] = gap
    padded = w.node("Pad", [wide, w.constant(pads), value])
    full = [*sizes[:axis], sizes[axis] * (gap + 1), *sizes[after:]]
    flat = w.node("Reshape", [padded, w.shape(full)], allowzero=1)
    new = full[axis] - gap
    cut = [w.constant([0]), w.shape([new]), w.constant([axis])]
    return w.node("Slice", [flat, *cut]), new


def _cast(w: Writer, node: Node) -> None:
    _out(w, node, "Cast", node.inputs[0], to=TYPES[node.attrs["dtype"]])


def _embedding(w: Writer, node: Node) -> None:
    index, table = node.inputs
    _out(w, node, "Gather", table, index, axis=0)


def _batch_norm(w: Writer, node: Node) -> None:
    w.node("BatchNormalization", node.inputs, node.outputs, epsilon=node.attrs["eps"])


def _layer_norm(w: Writer, node: Node) -> None:
    x, *affine = node.inputs
    ndim = node.attrs["ndim"]
    weight = affine[0] if affine else w.constant(np.ones(w.spec(x).shape[-ndim:]), w.spec(x).dtype)
    attrs = {"axis": -ndim, "epsilon": node.attrs["eps"]}
    _out(w, node, "LayerNormalization", x, weight, *affine[1:], **attrs)


def _rms_norm(w: Writer, node: Node) -> None:
    """x / sqrt(mean(x^2) + eps); the operator of this name is younger than most readers."""
    x, *weight = node.inputs
    axes = w.constant(list(range(-node.attrs["ndim"], 0)))
    mean = w.node("ReduceMean", [w.node("Mul", [x, x]), axes], keepdims=1)
    root = w.node("Sqrt", [w.node("Add", [mean, w.like(node.attrs["eps"], x)])])
    if not weight:
        return _out(w, node, "Div", x, root)
    return _out(w, node, "Mul", w.node("Div", [x, root]), weight[0])


def _argmax(w: Writer, node: Node) -> None:
    x = node.inputs[0]
    if w.spec(x).dtype == "bool":  # ArgMax takes numbers
        x = w.node("Cast", [x], to=TYPES["int32"])
    found = w.node("ArgMax", [x], axis=node.attrs["dim"], keepdims=0)
    _out(w, node, "Cast", found, to=6)


def _cumsum(w: Writer, node: Node) -> None:
    _out(w, node, "CumSum", node.inputs[0], w.constant(node.attrs["dim"]))


def _sorted(w: Writer, node: Node, values: str, places: str) -> None:
    """The first few in order, and where they stood."""
    a, x = node.attrs, node.inputs[0]
    count = w.size(w.spec(x).shape[a["dim"]] if a["count"] < 0 else a["count"])
    w.node("TopK", [x, count], [values, places], axis=a["dim"], largest=int(a["descending"]))


def _sort(w: Writer, node: Node) -> None:
    _sorted(w, node, node.outputs[0], w.fresh("places"))


def _argsort(w: Writer, node: Node) -> None:
    places = w.fresh("places")
    _sorted(w, node, w.fresh("values"), places)
    _out(w, node, "Cast", places, to=TYPES["int32"])


def _scatter_add(w: Writer, node: Node) -> None:
    w.node("ScatterElements", node.inputs, node.outputs, axis=node.attrs["dim"], reduction="add")


def _not_equal(w: Writer, node: Node) -> None:
    _out(w, node, "Not", w.node("Equal", node.inputs))


ROWS: dict[str, Row] = {
    "abs": _one("Abs"),
    "add": _one("Add"),
    "amax": _reduced("ReduceMax"),
    "amin": _reduced("ReduceMin"),
    "argmax": _argmax,
    "argsort": _argsort,
    "atan": _one("Atan"),
    "avg_pool2d": _avg_pool,
    "batch_norm": _batch_norm,
    "broadcast": _broadcast,
    "cast": _cast,
    "ceil": _one("Ceil"),
    "celu": _one("Celu", alpha="alpha"),
    "concat": _one("Concat", axis="dim"),
    "conv2d": _conv,
    "conv2d_dx": _conv_dx,
    "cos": _one("Cos"),
    "cumsum": _cumsum,
    "div": _one("Div"),
    "dot": _dot,
    "elu": _one("Elu", alpha="alpha"),
    "embedding": _embedding,
    "equal": _one("Equal"),
    "erf": _one("Erf"),
    "exp": _one("Exp"),
    "expm1": _expm1,
    "flip": _flip,
    "floor": _one("Floor"),
    "gelu": _one("Gelu", approximate="approximate"),
    "gather": _one("GatherElements", axis="dim"),
    "greater": _one("Greater"),
    "greater_equal": _one("GreaterOrEqual"),
    "hardswish": _one("HardSwish"),
    "hardtanh": _hardtanh,
    "layer_norm": _layer_norm,
    "leaky_relu": _one("LeakyRelu", alpha="negative_slope"),
    "less": _one("Less"),
    "less_equal": _one("LessOrEqual"),
    "linear": _linear,
    "log": _one("Log"),
    "log1p": _log1p,
    "log_softmax": _one("LogSoftmax", axis="dim"),
    "logical_and": _one("And"),
    "logical_not": _one("Not"),
    "logical_or": _one("Or"),
    "logsigmoid": _logsigmoid,
    "matmul": _one("MatMul"),
    "max_pool2d": _max_pool,
    "maximum": _one("Max"),
    "mean": _reduced("ReduceMean"),
    "minimum": _one("Min"),
    "mish": _one("Mish"),
    "mul": _one("Mul"),
    "neg": _one("Neg"),
    "not_equal": _not_equal,
    "pad": _pad,
    "permute": _one("Transpose", perm="dims"),
    "pow": _one("Pow"),
    "pow_int": _pow,
    "prod": _reduced("ReduceProd"),
    "relu": _one("Relu"),
    "rem": _rem,
    "reshape": _reshape,
    "rms_norm": _rms_norm,
    "round": _one("Round"),
    "rsqrt": _after("Reciprocal", "Sqrt"),
    "scatter_add": _scatter_add,
    "selu": _one("Selu"),
    "sigmoid": _one("Sigmoid"),
    "sign": _one("Sign"),
    "silu": _silu,
    "sin": _one("Sin"),
    "slice": _slice,
    "softmax": _one("Softmax", axis="dim"),
    "softplus": _one("Softplus"),
    "softsign": _one("Softsign"),
    "sort": _sort,
    "sqrt": _one("Sqrt"),
    "square": _square,
    "stop_gradient": _one("Identity"),
    "sub": _one("Sub"),
    "sum": _reduced("ReduceSum"),
    "tanh": _one("Tanh"),
    "where": _one("Where"),
}
