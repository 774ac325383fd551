"""Rewrites that fold, share and fuse: each states its identity, and how far it moves a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem.domains import Rational
from tensorem.domains import _exact as exact
from tensorem.dtypes import INTEGER
from tensorem.errors import DataError, MeaningError
from tensorem.graph._graph import Graph, Node
from tensorem.graph._rewrite import needed, only
from tensorem.graph._tree import unflatten
from tensorem.ops import Unsupported
from tensorem.shapes import Spec

Array = NDArray[Any]
Arrays = Mapping[str, Array]
ROUNDED = ("float32", "float64", "float16")
"""Floats to which a rational is rounded once."""
SMALL = 1024
"""Entries that a folded constant may have, even where its operands have fewer."""


@dataclass(frozen=True)
class Rewrite:
    """A graph -> one that means the same.

    Args:
        apply: What it does.
        identity: Why it may, in real arithmetic.
        changes: How far a folded number lies from the exact one; "" where nothing is rounded, so
            that every meaning stays what it is.

    Example:
        >>> from tensorem.graph import capture
        >>> print(share_equal(capture(lambda x: (x * x) + (x * x), (3,))))
        graph(x0: float32(3,)):
          mul_0: float32(3,) = mul(x0, x0)
          add_2: float32(3,) = add(mul_0, mul_0)
          return add_2
    """

    apply: Callable[[Graph], Graph]
    identity: str
    changes: str

    def __call__(self, graph: Graph) -> Graph:
        return self.apply(graph)


# --- common subexpressions


def _share_equal(graph: Graph) -> Graph:
    seen: dict[tuple[Any, ...], Node] = {}
    alias: dict[str, str] = {}
    kept: list[Node] = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(alias.get(i, i) for i in node.inputs))
        key = (node.op, node.inputs, repr(sorted(node.attrs.items())))
        if node.body is None and key in seen:
            alias |= zip(node.outputs, seen[key].outputs, strict=True)
        else:
            seen[key] = node
            kept.append(node)
    return _rebuilt(graph, kept, {}, alias)


# --- constants


def _fold_constants(graph: Graph) -> Graph:
    arrays, kept = dict(graph.arrays), []
    for node in graph.nodes:
        operands = [arrays[name] for name in node.inputs if name in arrays]
        folded = None
        if len(operands) == len(node.inputs):
            folded = _folded(node, operands, [graph.specs[name] for name in node.outputs])
        if folded is None:
            kept.append(node)
        else:
            arrays[node.outputs[0]] = folded
    return _rebuilt(graph, kept, arrays, {})


def _folded(node: Node, operands: list[Array], specs: list[Spec]) -> Array | None:
    """What a node makes of constants: a move as it is, else rationals, rounded once."""
    size = _size(specs)
    if node.body is not None or size is None or size > max(SMALL, sum(a.size for a in operands)):
        return None
    if node.row.moves != "no" and node.row.sizes is not None:
        return np.ascontiguousarray(node.row.sizes(*operands, **node.attrs))
    rule = node.row.exact
    if isinstance(rule, Unsupported):
        return None
    try:
        return nearest(rule(*map(Rational.of, operands), **node.attrs), specs[0].dtype)
    except (DataError, MeaningError):  # an infinity, a root that is irrational
        return None


def _size(specs: list[Spec]) -> int | None:
    """How many entries the one result has; None where there are several, or names in its shape."""
    sizes = specs[0].shape
    if len(specs) != 1 or not all(isinstance(n, int) for n in sizes):
        return None
    return int(np.prod([int(n) for n in sizes], dtype=np.int64))


def nearest(x: Rational, dtype: str) -> Array | None:
    """The nearest numbers of a dtype; None where it does not reach so far, or is not known."""
    if dtype not in ROUNDED:
        return _integers(x, dtype)
    wide = x.to_float() if dtype == "float64" else np.vectorize(_odd, [float])(x.fractions())
    with np.errstate(over="ignore"):
        rounded: Array = np.asarray(wide, np.float64).reshape(x.shape).astype(dtype)
    return rounded if np.isfinite(rounded).all() else None


def _integers(x: Rational, dtype: str) -> Array | None:
    if dtype not in (*INTEGER, "bool") or x.den != 1:
        return None
    least, most = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    fits = np.all((x.num >= least) & (x.num <= most))
    return x.num.astype(dtype) if fits else None


def _odd(q: Fraction) -> float:
    """A float64 beside a number, whose last bit is odd unless it is the number itself.

    What is rounded from it to fewer bits is rounded as from the number (Boldo and Melquiond 2008).
    """
    near = q.numerator / q.denominator
    if Fraction(near) == q or int(np.float64(near).view(np.int64)) % 2:
        return near
    return float(np.nextafter(near, np.inf if q > Fraction(near) else -np.inf))


# --- what follows a linear layer


def _fold_batch_norm(graph: Graph) -> Graph:
    return _joined(graph, ("batch_norm",), _scaled)


def _fuse_linear(graph: Graph) -> Graph:
    return _joined(graph, ("linear",), _chained)


Joined = Callable[[Graph, Node, Node, Arrays], tuple[Array, Array] | None]


def _joined(graph: Graph, ops: tuple[str, ...], join: Joined) -> Graph:
    """Two nodes that follow each other as one: the first, with other weights."""
    uses = Counter(name for node in graph.nodes for name in node.inputs) + Counter(graph.outputs)
    arrays, made = dict(graph.arrays), dict[str, Node]()
    for node in graph.nodes:
        before = made.get(node.inputs[0]) if node.inputs and node.op in ops else None
        pair = None
        if before is not None and uses[before.outputs[0]] == 1 and _is_fixed(before, node, arrays):
            pair = join(graph, before, node, arrays)
        if before is not None and pair is not None:
            names = _names(node.outputs[0], {*graph.specs, *arrays})
            arrays |= zip(names, pair, strict=True)
            del made[before.outputs[0]]
            node = replace(before, inputs=(before.inputs[0], *names), outputs=node.outputs)
        made[node.outputs[0]] = node
    return _rebuilt(graph, list(made.values()), arrays, {})


def _is_fixed(before: Node, node: Node, arrays: Arrays) -> bool:
    """Whether the weights of both are arrays of floats to which rationals are rounded."""
    weights = [*before.inputs[1:], *node.inputs[1:]]
    return before.op in ("linear", "conv2d") and all(
        name in arrays and arrays[name].dtype.name in ROUNDED for name in weights
    )


def _names(value: str, taken: set[str]) -> tuple[str, str]:
    while {f"{value}.weight", f"{value}.bias"} & taken:
        value += "_"
    return f"{value}.weight", f"{value}.bias"


def _scaled(graph: Graph, before: Node, node: Node, arrays: Arrays) -> tuple[Array, Array] | None:
    """s W and s (b - mean) + shift, s = scale / sqrt(var + eps): along axis 1, as the channels."""
    if before.op == "linear" and len(graph.specs[before.outputs[0]].shape) != 2:
        return None
    scale, shift, mean, var = (arrays[name] for name in node.inputs[1:])
    with np.errstate(all="ignore"):
        root = np.sqrt(var.astype(np.float64) + node.attrs["eps"])
        s64 = scale.astype(np.float64) / root
    if not np.isfinite(s64).all():
        return None
    weight, bias = _weights(before, arrays)
    s = Rational.of(s64)
    spread = Rational(s.num.reshape((-1,) + (1,) * (weight.ndim - 1)), s.den)
    return _pair(
        spread * weight, s * (bias - Rational.of(mean)) + Rational.of(shift), before, arrays
    )


def _chained(graph: Graph, before: Node, node: Node, arrays: Arrays) -> tuple[Array, Array] | None:
    """B A and B a + b, where that is not more work."""
    if before.op != "linear":
        return None
    (inner, a), (outer, b) = _weights(before, arrays), _weights(node, arrays)
    (hidden, into), out = inner.shape, outer.shape[0]
    if out * into > hidden * (into + out):
        return None
    product = partial(exact.product, np.matmul)
    return _pair(product(outer, inner), product(outer, a) + b, before, arrays)


def _weights(node: Node, arrays: Arrays) -> tuple[Rational, Rational]:
    weight = arrays[node.inputs[1]]
    bias = arrays[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(weight.shape[0])
    return Rational.of(weight), Rational.of(bias)


def _pair(
    weight: Rational, bias: Rational, like: Node, arrays: Arrays
) -> tuple[Array, Array] | None:
    dtype = arrays[like.inputs[1]].dtype.name
    w, b = nearest(weight, dtype), nearest(bias, dtype)
    return None if w is None or b is None else (w, b)


# --- the graph again


def _rebuilt(graph: Graph, nodes: list[Node], arrays: Arrays, alias: Mapping[str, str]) -> Graph:
    """The graph with these nodes, more arrays, and outputs under other names."""
    outputs = {name: alias.get(name, name) for name in graph.outputs}
    given = tuple(outputs[name] for name in graph.outputs)
    kept, live = needed(nodes, given)
    arrays = only({**graph.arrays, **arrays}, live)
    specs = {**only(graph.specs, {*live, *graph.inputs})}
    specs |= {name: Spec(a.shape, a.dtype.name) for name, a in arrays.items()}
    return replace(
        graph,
        nodes=kept,
        outputs=given,
        gives=unflatten(graph.gives, outputs),
        specs=specs,
        arrays=arrays,
    )


_ONCE = "each is the exact one rounded once: half a unit in its last place"

share_equal = Rewrite(_share_equal, "equal ops of equal values give equal values", "")
fold_constants = Rewrite(_fold_constants, "an op of constants is a constant", _ONCE)
fold_batch_norm = Rewrite(
    _fold_batch_norm,
    "s (W x + b - mean) + shift = (s W) x + (s (b - mean) + shift), s = scale / sqrt(var + eps)",
    f"with s in float64, off by 2 units of 2^-53 |s|; of that s {_ONCE}",
)
fuse_linear = Rewrite(_fuse_linear, "B (A x + a) + b = (B A) x + (B a + b)", _ONCE)
REWRITES: Mapping[str, Rewrite] = {
    "share_equal": share_equal,
    "fold_constants": fold_constants,
    "fold_batch_norm": fold_batch_norm,
    "fuse_linear": fuse_linear,
}
"""By name. `simplify`, `drop_dead` and `unroll` change no number either."""
