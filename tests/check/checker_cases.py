"""Graphs and certificates built by hand, and a naive evaluator of its own."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Document = dict[str, Any]


@dataclass
class Net:
    """graph.json and its arrays in the making; every op adds one node and returns its value."""

    shape: tuple[int, ...]
    document: Document = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.document = {"format": "tensorem.graph", "version": 1, "inputs": ["x"]}
        self.document |= {"outputs": [], "arrays": [], "specs": {}, "nodes": []}
        self._spec("x", self.shape)

    def _spec(self, name: str, shape: Iterable[int]) -> None:
        self.document["specs"][name] = {"shape": list(shape), "dtype": "float32"}

    def shape_of(self, name: str) -> tuple[int, ...]:
        return tuple(self.document["specs"][name]["shape"])

    def array(self, name: str, values: Any) -> str:
        self.arrays[name] = np.asarray(values, np.float32)
        self.document["arrays"] = sorted(self.arrays)
        self._spec(name, self.arrays[name].shape)
        return name

    def op(self, op: str, *inputs: str, **attrs: Any) -> str:
        """A node whose recorded shape is the one that the naive evaluator gives."""
        name = f"v{len(self.document['nodes'])}"
        attrs = json.loads(json.dumps(attrs))
        zeros = [np.ones(self.shape_of(i)) for i in inputs]
        with np.errstate(all="ignore"):
            self._spec(name, MEANINGS[op](*zeros, **attrs).shape)
        node = {"op": op, "inputs": list(inputs), "outputs": [name], "attrs": attrs}
        self.document["nodes"].append(node)
        self.document["outputs"] = [name]
        return name

    def conv(self, x: str, out: int, rng: Any, kernel: int = 3, **attrs: Any) -> str:
        given = {"stride": [1, 1], "padding": [[1, 1], [1, 1]], "dilation": [1, 1]}
        given |= {"groups": 1} | attrs
        shape = (out, self.shape_of(x)[1] // given["groups"], kernel, kernel)
        tag = len(self.arrays)
        weight = self.array(f"{tag}.weight", rng.normal(size=shape) / np.sqrt(np.prod(shape[1:])))
        bias = self.array(f"{tag}.bias", 0.1 * rng.normal(size=out))
        return self.op("conv2d", x, weight, bias, **given)

    def linear(self, x: str, out: int, rng: Any) -> str:
        size, tag = self.shape_of(x)[-1], len(self.arrays)
        weight = self.array(f"{tag}.weight", rng.normal(size=(out, size)) / np.sqrt(size))
        bias = self.array(f"{tag}.bias", 0.1 * rng.normal(size=out))
        return self.op("linear", x, weight, bias)

    def flatten(self, x: str) -> str:
        return self.op("reshape", x, shape=[1, int(np.prod(self.shape_of(x)))])

    def norm(self, x: str, rng: Any) -> str:
        count, tag = self.shape_of(x)[1], len(self.arrays)
        parts = {"weight": rng.normal(size=count), "bias": rng.normal(size=count)}
        parts |= {"mean": rng.normal(size=count), "var": rng.uniform(0.1, 2, size=count)}
        names = [self.array(f"{tag}.{k}", v) for k, v in parts.items()]
        return self.op("batch_norm", x, *names, eps=1e-5)


# --- the naive evaluator: NumPy over float32, float64 or fractions alike


def evaluate(document: Document, arrays: Mapping[str, Array], x: Array) -> dict[str, Array]:
    """Every value of the graph at x, in the number system of x."""
    values = {document["inputs"][0]: x}
    values |= {name: _like(array, x) for name, array in arrays.items()}
    for node in document["nodes"]:
        operands = [values[i] for i in node["inputs"]]
        values[node["outputs"][0]] = MEANINGS[node["op"]](*operands, **node["attrs"])
    return values


def _like(array: Array, x: Array) -> Array:
    return fractions(array) if x.dtype == object else array.astype(x.dtype)


def fractions(x: Any) -> Array:
    """The exact values of floats, or of numbers already exact."""
    array = np.asarray(x)
    flat = [Fraction(v if isinstance(v, Fraction | int) else float(v)) for v in array.ravel()]
    result = np.empty(len(flat), object)
    result[:] = flat
    return result.reshape(array.shape)


def _conv(x: Array, w: Array, b: Array | None = None, **a: Any) -> Array:
    (sh, sw), (dh, dw), image = a["stride"], a["dilation"], _framed(x, 0, a["padding"])
    n, out, (_, per, kh, kw) = len(x), len(w), w.shape
    rows = (image.shape[2] - (kh - 1) * dh - 1) // sh + 1
    cols = (image.shape[3] - (kw - 1) * dw - 1) // sw + 1
    y = np.zeros((n, out, rows, cols), x.dtype)
    for o, i, j in itertools.product(range(out), range(kh), range(kw)):
        first = o // (out // a["groups"]) * per
        for k in range(per):
            part = image[:, first + k, i * dh :, j * dw :][:, ::sh, ::sw][:, :rows, :cols]
            y[:, o] = y[:, o] + w[o, k, i, j] * part
    return y if b is None else y + b.reshape(1, -1, 1, 1)


def _framed(x: Array, fill: float, padding: Any) -> Array:
    ((top, bottom), (left, right)), (n, c, h, w) = padding, x.shape
    image = np.full((n, c, top + h + bottom, left + w + right), fill, x.dtype)
    image[:, :, top : top + h, left : left + w] = x
    return image


def _pooled(
    x: Array, reduce: Callable[[list[Any]], Any], *, dilation: Any = (1, 1), **a: Any
) -> Array:
    (kh, kw), (sh, sw), (dh, dw) = a["kernel_size"], a["stride"], dilation
    ((top, bottom), (left, right)), (n, c, h, w) = a["padding"], x.shape
    rows = range(-top, h + bottom - dh * (kh - 1), sh)
    cols = range(-left, w + right - dw * (kw - 1), sw)
    y = np.zeros((n, c, len(rows), len(cols)), x.dtype)
    for index in np.ndindex(*y.shape):
        i, j = rows[index[2]], cols[index[3]]
        cells = itertools.product(range(i, i + kh * dh, dh), range(j, j + kw * dw, dw))
        inside = [(i, j) for i, j in cells if 0 <= i < h and 0 <= j < w]
        y[index] = reduce([x[index[0], index[1], i, j] for i, j in inside])
    return y


def _averaged(x: Array, *, divisor: int, **a: Any) -> Array:
    number = Fraction(divisor) if x.dtype == object else x.dtype.type(divisor)
    return _pooled(x, lambda v: sum(v) / number, **a)


def _norm(x: Array, weight: Array, bias: Array, mean: Array, var: Array, *, eps: float) -> Array:
    shape = (1, -1) + (1,) * (x.ndim - 2)
    if x.dtype == object:
        roots = [Fraction(naive_root(v + Fraction(eps))) for v in var]
        root = fractions(np.array(roots, object))
    else:
        root = np.sqrt(var + x.dtype.type(eps))
    return (x - mean.reshape(shape)) * (weight / root).reshape(shape) + bias.reshape(shape)


def naive_root(q: Fraction) -> Fraction:
    """A rational within 2^-200 of the square root, by Newton's method."""
    guess = Fraction(float(q) ** 0.5)
    for _ in range(4):
        guess = (guess + q / guess) / 2
        guess = Fraction(round(guess * 2**240), 2**240)
    return guess


def _dot(x: Array, y: Array, *, contract: Any, batch: Any) -> Array:
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    xs, ys = [next(letters) for _ in x.shape], [next(letters) for _ in y.shape]
    for i, j in [*zip(*contract, strict=True), *zip(*batch, strict=True)]:
        ys[j] = xs[i]
    lead = [xs[i] for i in batch[0]]
    used = {xs[i] for i in [*contract[0], *batch[0]]}
    free = [k for k in xs if k not in used] + [k for k in ys if k not in used]
    return np.einsum(f"{''.join(xs)},{''.join(ys)}->{''.join(lead + free)}", x, y)


def _padded(x: Array, value: Array, *, low: Any, high: Any, interior: Any) -> Array:
    sides = list(zip(x.shape, low, high, interior, strict=True))
    y = np.full([n + (n - 1) * i + a + b for n, a, b, i in sides], value[()], x.dtype)
    y[tuple(slice(a, a + (n - 1) * (i + 1) + 1, i + 1) for n, a, _, i in sides)] = x
    return y


def _spread(x: Array, *, shape: Any, dims: Any) -> Array:
    sizes = [1] * len(shape)
    for n, d in zip(x.shape, dims, strict=True):
        sizes[d] = n
    return np.broadcast_to(x.reshape(sizes), shape)


def _cut(x: Array, *, start: Any, stop: Any, step: Any) -> Array:
    return x[tuple(slice(a, b, s) for a, b, s in zip(start, stop, step, strict=True))]


def _mean(x: Array, *, dims: Any) -> Array:
    count = int(np.prod([x.shape[d] for d in dims]))
    return x.sum(axis=tuple(dims)) / (Fraction(count) if x.dtype == object else x.dtype.type(count))


def _linear(x: Array, w: Array, b: Array | None = None) -> Array:
    return x @ w.T if b is None else x @ w.T + b


def _softmax(x: Array, *, dim: int) -> Array:
    powers = np.exp(x - x.max(axis=dim, keepdims=True))
    return np.asarray(powers / powers.sum(axis=dim, keepdims=True))


def _layer_norm(x: Array, w: Array, b: Array, *, ndim: int, eps: float) -> Array:
    dims = tuple(range(x.ndim - ndim, x.ndim))
    return _rms_norm(x - x.mean(axis=dims, keepdims=True), w, ndim=ndim, eps=eps) + b


def _rms_norm(x: Array, w: Array, *, ndim: int, eps: float) -> Array:
    dims = tuple(range(x.ndim - ndim, x.ndim))
    return np.asarray(x / np.sqrt((x * x).mean(axis=dims, keepdims=True) + eps) * w)


_phi = np.vectorize(lambda v: (1 + math.erf(v / math.sqrt(2))) / 2)

SMOOTH: dict[str, Callable[..., Array]] = {
    "cos": np.cos,
    "erf": np.vectorize(math.erf),
    "exp": np.exp,
    "gelu": lambda x, approximate: x * _phi(x),
    "layer_norm": _layer_norm,
    "log": np.log,
    "log_softmax": lambda x, dim: np.log(_softmax(x, dim=dim)),
    "pow_int": lambda x, exponent: np.power(x, float(exponent)),
    "rms_norm": _rms_norm,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "sin": np.sin,
    "softmax": _softmax,
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "sqrt": np.sqrt,
    "square": np.square,
    "tanh": np.tanh,
}
"""In floats alone."""
MEANINGS: dict[str, Callable[..., Array]] = {
    **SMOOTH,
    "add": lambda x, y: x + y,
    "avg_pool2d": _averaged,
    "batch_norm": _norm,
    "broadcast": _spread,
    "cast": lambda x, dtype: x,
    "concat": lambda *xs, dim: np.concatenate(xs, axis=dim),
    "conv2d": _conv,
    "div": lambda x, y: x / y,
    "dot": _dot,
    "flip": lambda x, dims: np.flip(x, dims),
    "leaky_relu": lambda x, negative_slope: np.where(
        x > 0, x, x * (Fraction(negative_slope) if x.dtype == object else negative_slope)
    ),
    "linear": _linear,
    "matmul": lambda x, y: x @ y,
    "max_pool2d": lambda x, **a: _pooled(x, max, **a),
    "mean": _mean,
    "mul": lambda x, y: x * y,
    "neg": lambda x: -x,
    "pad": _padded,
    "permute": lambda x, dims: x.transpose(dims),
    "relu": lambda x: np.maximum(x, 0),
    "reshape": lambda x, shape: x.reshape(shape),
    "slice": _cut,
    "sub": lambda x, y: x - y,
    "sum": lambda x, dims: x.sum(axis=tuple(dims)),
}


# --- certificates


@dataclass
class Case:
    """A graph, its arrays, and a certificate about them."""

    document: Document
    arrays: dict[str, Array]
    claim: Document
    tensors: dict[str, Array]

    def copy(self) -> Case:
        return copy.deepcopy(self)

    def rehash(self) -> Case:
        """The same case with hashes that fit again."""
        self.claim["graph"] = graph_hash(self.document)
        self.claim["weights"] = weights_hash(self.arrays, self.document["arrays"])
        return self

    def record(self) -> Case:
        """The same case with the outputs that its graph gives at its centre."""
        y = evaluate(self.document, self.arrays, self.tensors["center"].astype(np.float64))
        self.tensors["outputs"] = y[self.document["outputs"][0]].astype(np.float32)
        return self


def graph_hash(document: Document) -> str:
    return hashlib.sha256(
        json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    ).hexdigest()


def weights_hash(arrays: Mapping[str, Array], names: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(names):
        a = arrays[name]
        head = name.encode() + b"\0F32\0" + ",".join(map(str, a.shape)).encode() + b"\0"
        digest.update(head + a.astype("<f4").tobytes())
    return digest.hexdigest()


def certify(net: Net, center: Array, eps: str, rng: Any, clip: Any = None) -> Case:
    """A certificate with slopes and picks fit for the centre, for the label that wins there."""
    center = np.asarray(center, np.float32)
    values = evaluate(net.document, net.arrays, center.astype(np.float64))
    tensors = {"center": center}
    for node in net.document["nodes"]:
        name, operand = node["outputs"][0], values[node["inputs"][0]]
        if node["op"] in ("relu", "leaky_relu"):
            free = rng.uniform(0, 1, operand.shape)
            tensors[f"slope.{name}"] = np.where(operand > 0, free, 0.5 * free).astype(np.float32)
        if node["op"] == "max_pool2d":
            picks = _best_picks(operand, **node["attrs"])
            tensors[f"pick_lower.{name}"], tensors[f"pick_upper.{name}"] = picks, picks.copy()
    label = int(np.argmax(values[net.document["outputs"][0]]))
    claim = {"format": "tensorem.certificate", "version": 1, "property": "robust"}
    claim |= {"semantics": "real", "eps": eps, "clip": clip, "label": label, "method": "crown"}
    return Case(net.document, net.arrays, claim, tensors).record().rehash()


def _best_picks(x: Array, **attrs: Any) -> Array:
    size = int(np.prod(attrs["kernel_size"]))
    padded = _framed(x.astype(np.float64), -1e9, attrs["padding"])
    whole = attrs | {"padding": [[0, 0], [0, 0]]}
    return _pooled(padded, lambda v: int(np.argmax(v)) % size, **whole).astype(np.int32)


def as_ibp(case: Case) -> Case:
    """The same claim by intervals alone."""
    case = case.copy()
    case.claim["method"] = "ibp"
    case.tensors = {name: case.tensors[name] for name in ("center", "outputs")}
    return case


# --- files


def safetensors(tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file, written by hand."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at, data = 0, b""
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        dtype = {"float32": "F32", "int32": "I32"}[array.dtype.name]
        header[name] = {"dtype": dtype, "shape": list(array.shape)}
        header[name]["data_offsets"] = [at, at + len(raw)]
        at, data = at + len(raw), data + raw
    return with_header(json.dumps(header).encode(), data)


def with_header(header: bytes, data: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + data


def write(case: Case, folder: Path) -> list[str]:
    """The three files of a case; their paths in the order of the command line."""
    files = {"graph.json": json.dumps(case.document, indent=1).encode()}
    files["model.safetensors"] = safetensors(case.arrays)
    claim = json.dumps(case.claim, sort_keys=True, separators=(",", ":"))
    files["proof.safetensors"] = safetensors(case.tensors, {"claim": claim})
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in files]


# --- the nets of the tests


TILES: Any = {"kernel_size": [2, 2], "stride": [2, 2], "padding": [[0, 0], [0, 0]]}


def mlp(seed: int = 0, eps: str = "0.01") -> Case:
    rng = np.random.default_rng(seed)
    net = Net((1, 5))
    h = net.op("relu", net.linear("x", 6, rng))
    h = net.op("relu", net.linear(h, 5, rng))
    net.linear(h, 3, rng)
    return certify(net, rng.uniform(0.2, 0.8, (1, 5)), eps, rng, ["0", "1"])


def cnn(seed: int = 0, eps: str = "0.01") -> Case:
    rng = np.random.default_rng(seed)
    net = Net((1, 1, 4, 4))
    h = net.op("relu", net.conv("x", 2, rng))
    h = net.op("max_pool2d", h, **TILES, dilation=[1, 1])
    net.linear(net.flatten(h), 3, rng)
    return certify(net, rng.uniform(0.2, 0.8, net.shape), eps, rng, ["0", "1"])


def odd_cnn(seed: int = 0, eps: str = "0.004") -> Case:
    """Strides, dilation, groups, padded and overlapping windows, average pooling, leaky relu."""
    rng = np.random.default_rng(seed)
    net = Net((1, 2, 6, 5))
    h = net.conv("x", 4, rng, stride=[2, 1], padding=[[2, 2], [1, 1]], dilation=[2, 1], groups=2)
    pool: Any = {"kernel_size": [3, 2], "stride": [1, 2], "padding": [[1, 0], [1, 1]]}
    h = net.op("max_pool2d", h, **pool, dilation=[1, 2])
    h = net.op("leaky_relu", net.conv(h, 3, rng, kernel=2), negative_slope=0.01)
    mean: Any = {"kernel_size": [2, 2], "stride": [2, 1], "padding": [[1, 1], [0, 1]]}
    h = net.op("avg_pool2d", h, **mean, divisor=5)
    h = net.op("mean", h, dims=[3])
    net.linear(net.flatten(h), 3, rng)
    return certify(net, rng.normal(size=net.shape), eps, rng)


def residual(seed: int = 0, eps: str = "0.01") -> Case:
    """A value used twice on either side of a bend, a batch norm, and every way to add."""
    rng = np.random.default_rng(seed)
    net = Net((1, 2, 3, 3))
    h = net.op("relu", net.norm(net.conv("x", 2, rng), rng))
    inner = net.op("relu", net.conv(h, 2, rng))
    h = net.op("relu", net.op("sub", net.op("add", h, net.conv(inner, 2, rng)), h))
    h = net.op("add", net.op("neg", h), net.op("add", h, "x"))
    net.linear(net.flatten(h), 3, rng)
    return certify(net, rng.normal(size=net.shape), eps, rng)


def moves(seed: int = 0, eps: str = "0.004") -> Case:
    """Every op that moves entries, dot and matmul from either side, constants folded on the way."""
    rng = np.random.default_rng(seed)
    net = Net((1, 2, 3))
    shift = net.op(
        "mul", net.array("c", rng.normal(size=(2, 3))), net.array("k", np.full((2, 3), 3))
    )
    h = net.op("reshape", "x", shape=[2, 3])
    h = net.op("div", net.op("sub", h, shift), net.array("d", rng.uniform(1, 3, (2, 3))))
    h = net.op("mul", net.op("permute", h, dims=[1, 0]), net.array("m", rng.normal(size=(3, 2))))
    h = net.op("concat", h, net.op("flip", h, dims=[0, 1]), net.op("relu", h), dim=0)
    h = net.op("pad", h, net.array("p", 0.5), low=[1, 0], high=[0, 2], interior=[1, 0])
    h = net.op("slice", h, start=[1, 0], stop=[18, 4], step=[3, 1])
    left = net.op("permute", net.array("left", rng.normal(size=(6, 5))), dims=[1, 0])
    h = net.op("relu", net.op("matmul", left, h))
    h = net.op("broadcast", h, shape=[2, 5, 4], dims=[1, 2])
    right = net.array("right", rng.normal(size=(4, 2, 3)))
    h = net.op("dot", h, right, contract=[[2], [0]], batch=[[0], [1]])
    h = net.op("relu", net.op("cast", net.op("sum", h, dims=[1]), dtype="float32"))
    h = net.op(
        "dot",
        net.array("w", rng.normal(size=(3, 3, 2))),
        h,
        contract=[[1, 2], [1, 0]],
        batch=[[], []],
    )
    net.op("reshape", h, shape=[1, 3])
    return certify(net, rng.normal(size=net.shape), eps, rng)


CASES = {"mlp": mlp, "cnn": cnn, "odd_cnn": odd_cnn, "residual": residual, "moves": moves}


# --- claims about unsafe sets

Unsafe = list[list[tuple[dict[int, str], str]]]
"""Sets of inequalities: coefficient by output, and the bound that their sum is at most."""


def avoiding(case: Case, unsafe: Unsafe, box: Any = None, cuts: Any = ((-1, 0.0),)) -> Case:
    """A case about unsafe sets on a box, by default that of the case, cut into parts."""
    case, leaves = case.copy(), len(cuts) // 2 + 1
    center, eps = fractions(case.tensors["center"]).ravel(), Fraction(case.claim["eps"])
    lower, upper = box or ([decimal(v - eps) for v in center], [decimal(v + eps) for v in center])
    case.claim = {k: v for k, v in case.claim.items() if k not in ("eps", "clip", "label")}
    sets = [[{"terms": [list(t) for t in one.items()], "bound": b} for one, b in s] for s in unsafe]
    case.claim |= {"version": 2, "property": "avoid", "lower": lower, "upper": upper}
    case.claim |= {"unsafe": sets}
    for name in [n for n in case.tensors if "." in n]:
        case.tensors[name] = np.stack([case.tensors[name]] * leaves)
    case.tensors["multipliers"] = np.ones((leaves, sum(map(len, unsafe))), np.float32)
    case.tensors["cut_axis"] = np.array([axis for axis, _ in cuts], np.int32)
    case.tensors["cut_at"] = np.array([at for _, at in cuts], np.float32)
    return case.rehash()


def decimal(q: Fraction) -> str:
    """The decimal that a fraction of powers of two and ten is, exactly."""
    sign, q = "-" * (q < 0), abs(q)
    assert 10**60 % q.denominator == 0
    digits = str(q.numerator * (10**60 // q.denominator)).rjust(61, "0")
    return f"{sign}{digits[:-60]}.{digits[-60:]}"
