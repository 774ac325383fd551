"""Capture: a pure JAX function as a graph. The only file that reads jaxprs.

A named call proposes one of our ops (`jit[name=softmax(dim=-1)]`); it is taken for that op only if
its inner jaxpr equals the op's own. That is for tightness: whatever is not recognised is read
primitive by primitive.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from tensorem.errors import ArgumentError, CaptureError
from tensorem.graph._graph import Graph, Node, flatten
from tensorem.graph._primitives import PRIMITIVES, ints, plain
from tensorem.graph._rewrite import drop_dead, simplify
from tensorem.ops._op import CALLS, Attr
from tensorem.shapes import Spec, named, spec_of

INLINED = {
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "jit": "jaxpr",
    "checkpoint": "jaxpr",
    "remat2": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
}
REMEDIES = {
    "random": "read the model in evaluation, or take the random draw as an argument",
    "threefry2x32": "read the model in evaluation, or take the random draw as an argument",
    "while": "use a loop with a fixed length (jax.lax.scan)",
    "dim_as_value": "a named size is no number here: give an integer in place of the name",
    "cond": "use jnp.where, so that both cases are part of the graph",
}


def capture(f: Any, *specs: Any, weights: Mapping[str, Any] | None = None) -> Graph:
    """The graph of a pure function of arrays.

    Args:
        f: A function of trees of JAX arrays; with weights, of the weights first.
        specs: One tree of shapes or Specs for each argument; sizes may be names such as "N".
        weights: Arrays by name, which the graph keeps under these names.

    Raises:
        CaptureError: The function does something that has no row in the op table.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> print(capture(lambda x: jnp.tanh(x) * x, (3,)))
        graph(x0: float32(3,)):
          tanh_0: float32(3,) = tanh(x0)
          mul_1: float32(3,) = mul(tanh_0, x0)
          return mul_1
    """
    arrays = {name: np.asarray(a) for name, a in (weights or {}).items()}
    trees = [spec_of(spec) for spec in specs]
    args = _abstract(trees)
    lead = [{k: jax.ShapeDtypeStruct(a.shape, a.dtype) for k, a in arrays.items()}]
    closed, out = _trace(f, *(lead if weights is not None else []), *args)
    builder = _Builder(arrays)
    takes = tuple(_named(tree, f"x{i}") for i, tree in enumerate(trees))
    names = [*sorted(arrays), *(leaf for tree in takes for leaf in flatten(tree))]
    for name, leaf in zip(flatten(list(takes)), flatten(trees), strict=True):
        builder.specs[name] = leaf
    results = builder.read(closed.jaxpr, closed.consts, names)
    gives = jax.tree.unflatten(out, results)
    graph = Graph(
        tuple(flatten(list(takes))), tuple(results), tuple(builder.nodes), builder.specs,
        builder.arrays, takes, gives,
    )  # fmt: skip
    return drop_dead(graph)


def _trace(f: Any, *args: Any) -> tuple[Any, Any]:
    _require_count(f, args)
    try:
        closed, out = jax.make_jaxpr(f, return_shape=True)(*args)
    except jax.errors.JAXTypeError as error:
        raise CaptureError(
            "A graph takes a function of shapes, got one that asks for the values of an array.",
            because=str(error).splitlines()[0],
            help="compute with jax.numpy, and jnp.where in place of if; float(), int() and NumPy "
            "need values.",
        ) from error
    except TypeError as error:
        if "not a valid JAX type" not in str(error):
            raise
        raise CaptureError(
            f"A graph takes a function that gives arrays: {str(error).splitlines()[0]}."
        ) from error
    return closed, jax.tree.structure(out)


def _require_count(f: Any, args: tuple[Any, ...]) -> None:
    try:
        inspect.signature(f).bind(*args)
    except TypeError as error:
        raise CaptureError(
            f"Capture takes a shape for each argument of the function: {error}.",
            help="for example tm.capture(f, (3,), (3,)).",
        ) from None
    except ValueError:
        return  # a function that does not say what it takes


def _abstract(trees: list[Any]) -> list[Any]:
    """Arguments without values; all names live in one scope, so that they may meet."""
    scope = export.SymbolicScope()

    def leaf(spec: Spec) -> Any:
        text = ", ".join(str(n) for n in spec.shape)
        shape = export.symbolic_shape(f"({text},)" if text else "()", scope=scope)
        return jax.ShapeDtypeStruct(shape, spec.dtype)

    return [jax.tree.map(leaf, t, is_leaf=lambda s: isinstance(s, Spec)) for t in trees]


def _named(tree: Any, name: str) -> Any:
    """The tree of names of an argument: x0, or x0.key and x0.0 for its leaves."""
    if isinstance(tree, dict):
        return {key: _named(item, f"{name}.{key}") for key, item in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(_named(item, f"{name}.{i}") for i, item in enumerate(tree))
    return name


class _Builder:
    """Nodes, specs and arrays of a graph in the making."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.nodes: list[Node] = []
        self.arrays: dict[str, np.ndarray] = dict(arrays)
        self.specs: dict[str, Spec] = {k: Spec(a.shape, a.dtype.name) for k, a in arrays.items()}
        self._constants: dict[tuple[Any, ...], str] = {}

    def spec(self, name: str) -> Spec:
        return self.specs[name]

    def constant(self, array: np.ndarray) -> str:
        """The name of a constant; equal constants share one."""
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"const.{len(self._constants)}"
            self._constants[key] = name
            self.arrays[name] = array
            self.specs[name] = Spec(array.shape, array.dtype.name)
        return self._constants[key]

    def known(self, name: str) -> np.ndarray | None:
        """The value of a name where no input decides it."""
        if name in self._constants.values():
            return self.arrays[name]
        node = next((n for n in self.nodes if name in n.outputs), None)
        if (
            node is None
            or node.body is not None
            or not all(isinstance(n, int) for n in self.specs[name].shape)
        ):
            return None
        operands = [self.known(i) for i in node.inputs]
        if any(value is None for value in operands):
            return None
        return np.asarray(node.row.run(*map(jnp.asarray, operands), **node.attrs))

    def node(self, op: str, *inputs: str, **attrs: Attr) -> str:
        node = Node(op, inputs, (f"{op}_{len(self.nodes)}",), attrs)
        with named(f"`{op}`"):
            spec = node.row.shape(*(self.specs[i] for i in inputs), **attrs)
        if op == "reshape":  # a size left open (-1) is written out: a graph has one spelling
            node = replace(node, attrs={"shape": ints(spec.shape)})
        self.specs[node.outputs[0]] = spec
        self.nodes.append(node)
        return node.outputs[0]

    def read(self, jaxpr: Any, consts: Any, names: list[str]) -> list[str]:
        """Read the equations with the inputs bound to names; returns the names of the outputs."""
        env: dict[Any, str] = dict(zip(jaxpr.invars, names, strict=True))
        for var, value in zip(jaxpr.constvars, consts, strict=True):
            env[var] = self.constant(np.asarray(value))
        for eqn in jaxpr.eqns:
            if all(getattr(v.aval, "dtype", None) == jax.dtypes.float0 for v in eqn.outvars):
                continue  # the tangent of an integer: nothing depends on it
            operands = [self._name(env, v) for v in eqn.invars]
            env.update(zip(eqn.outvars, self._equation(eqn, operands), strict=True))
        return [self._name(env, v) for v in jaxpr.outvars]

    def _name(self, env: dict[Any, str], var: Any) -> str:
        if hasattr(var, "val"):
            return self.constant(np.asarray(var.val, var.aval.dtype))
        return env[var]

    def _equation(self, eqn: Any, operands: list[str]) -> list[str]:
        name = eqn.primitive.name
        if name == "jit" and (call := _recognised(eqn)) is not None:
            attrs = {name: plain(value) for name, value in call[1]}
            return [self.node(call[0].name, *operands, **attrs)]
        if name == "scan":
            return self._loop(eqn, operands)
        if name in INLINED:
            inner = eqn.params[INLINED[name]]
            jaxpr, consts = getattr(inner, "jaxpr", inner), getattr(inner, "consts", ())
            return self.read(jaxpr, consts, operands)
        if name not in PRIMITIVES:
            raise _no_row(eqn)
        result = PRIMITIVES[name](self, operands, eqn.params)
        if result is None:
            raise _no_row(eqn)
        return result if isinstance(result, list) else [result]

    def _loop(self, eqn: Any, operands: list[str]) -> list[str]:
        """A scan: its body as a graph of its own, whose constants become operands of the loop."""
        p = eqn.params
        inner = _Builder({})
        names = [f"in_{i}" for i in range(len(operands))]
        for name, operand, var in zip(names, operands, p["jaxpr"].jaxpr.invars, strict=True):
            spec = self.specs[operand]
            stacked = len(spec.shape) > len(var.aval.shape)
            inner.specs[name] = Spec(spec.shape[1:], spec.dtype) if stacked else spec
        results = inner.read(p["jaxpr"].jaxpr, p["jaxpr"].consts, names)
        constants = list(inner.arrays)
        fixed = p["num_consts"]
        formals = (*constants, *names)
        body = drop_dead(
            Graph(formals, tuple(results), tuple(inner.nodes), inner.specs, {}, formals, results)
        )
        attrs: dict[str, Attr] = {
            "length": int(p["length"]), "fixed": fixed + len(constants),
            "carried": p["num_carry"], "reverse": bool(p["reverse"]),
        }  # fmt: skip
        own = [self.constant(inner.arrays[name]) for name in constants]
        return self._loop_node((*own, *operands), attrs, body)

    def _loop_node(self, inputs: tuple[str, ...], attrs: Any, body: Graph) -> list[str]:
        outputs = tuple(f"loop_{len(self.nodes)}.{i}" for i in range(len(body.outputs)))
        for i, (name, result) in enumerate(zip(outputs, body.outputs, strict=True)):
            spec = body.specs[result]
            stacked = i >= attrs["carried"]
            shape = (attrs["length"], *spec.shape) if stacked else spec.shape
            self.specs[name] = Spec(shape, spec.dtype)
        self.nodes.append(Node("loop", inputs, outputs, attrs, body))
        return list(outputs)


def _no_row(eqn: Any) -> CaptureError:
    name = eqn.primitive.name
    remedy = next((text for key, text in REMEDIES.items() if name.startswith(key)), "")
    sizes = ", ".join(str(v.aval) for v in eqn.invars)
    return CaptureError(
        f"A graph takes programs of the op table, got the JAX primitive `{name}`.",
        where=f"{name}({sizes})",
        help=remedy or "write that step with tensorem.functional or plain jax.numpy arithmetic",
    )


def _recognised(eqn: Any) -> tuple[Any, Any] | None:
    """The op that a named call is, if its inner jaxpr is that op's own."""
    call = CALLS.get(eqn.params["name"])
    if call is None:
        return None
    op, attrs = call
    operands = [
        jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype, weak_type=v.aval.weak_type)
        for v in eqn.params["jaxpr"].jaxpr.invars
    ]
    try:
        own = jax.make_jaxpr(partial(op.run, **dict(attrs)))(*operands)
    except Exception:
        # Batched operands need not be legal operands of the op itself: then it is not that op.
        return None
    return call if equal(own, eqn.params["jaxpr"]) else None


def equal(a: Any, b: Any) -> bool:
    """Two closed jaxprs are the same program up to the names of their variables."""
    if len(a.consts) != len(b.consts):
        return False
    same = all(map(_same_bytes, a.consts, b.consts))
    return same and bool(_equal(a.jaxpr, b.jaxpr))


def _equal(a: Any, b: Any) -> bool:
    names: dict[Any, Any] = {}

    def bound(xs: Any, ys: Any) -> bool:
        names.update(zip(xs, ys, strict=False))
        return len(xs) == len(ys) and all(_same_aval(x, y) for x, y in zip(xs, ys, strict=True))

    def used(x: Any, y: Any) -> bool:
        if hasattr(x, "val") or hasattr(y, "val"):
            both = hasattr(x, "val") and hasattr(y, "val") and _same_aval(x, y)
            return bool(both and _same_bytes(x.val, y.val))
        return names.get(x) is y

    def step(p: Any, q: Any) -> bool:
        return (
            p.primitive is q.primitive
            and len(p.invars) == len(q.invars)
            and all(map(used, p.invars, q.invars))
            and _equal_params(p.params, q.params)
            and bound(p.outvars, q.outvars)
        )

    return (
        bound([*a.constvars, *a.invars], [*b.constvars, *b.invars])
        and len(a.eqns) == len(b.eqns)
        and all(map(step, a.eqns, b.eqns))
        and len(a.outvars) == len(b.outvars)
        and all(map(used, a.outvars, b.outvars))
    )


def _same_bytes(x: Any, y: Any) -> bool:
    """Equal values, of which NaN is one."""
    a, b = np.asarray(x), np.asarray(y)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _same_aval(x: Any, y: Any) -> bool:
    return bool(x.aval.shape == y.aval.shape and x.aval.dtype == y.aval.dtype)


def _equal_params(p: Mapping[str, Any], q: Mapping[str, Any]) -> bool:
    return p.keys() == q.keys() and all(_equal_param(p[k], q[k]) for k in p)


def _equal_param(x: Any, y: Any) -> bool:
    if hasattr(x, "jaxpr") and hasattr(y, "jaxpr"):
        return equal(x, y)
    if hasattr(x, "eqns") and hasattr(y, "eqns"):
        return _equal(x, y)
    if callable(x) and callable(y):
        # Derivative rules of nested calls: the primal program, compared above, decides.
        return True
    return bool(x == y)


class Trained(Protocol):
    """A model as capture sees it: arrays by name, and a pure function of them."""

    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def buffers(self) -> Mapping[str, Any]: ...
    @property
    def input(self) -> Any: ...

    def replace(self, *, params: Any, buffers: Any) -> Trained: ...
    def apply(self, params: Any, *xs: Any) -> Any: ...


class Captured(Protocol):
    """A model that is a graph already, such as one that was loaded without its code."""

    @property
    def graph(self) -> Graph: ...


def graph_of(model: Trained | Captured | Graph) -> Graph:
    """The graph of a model: its own, or that of its evaluation, captured and simplified.

    Raises:
        ArgumentError: It is none of these.
        CaptureError: A layer does something that has no row in the op table.
    """
    if isinstance(model, Graph):
        return model
    captured = getattr(model, "graph", None)
    if isinstance(captured, Graph):
        return captured
    if not all(hasattr(model, name) for name in ("params", "buffers", "input", "apply")):
        raise ArgumentError(
            f"This takes a model or a graph, got {type(model).__name__}.",
            help="build a layer first: nn.build(layer, input=...); capture a function: "
            "tm.capture(f, (3,)).",
        )
    return simplify(capture_model(model))  # type: ignore[arg-type]


def capture_model(model: Trained) -> Graph:
    """The graph of a model in evaluation; weights keep their state-dict names.

    Raises:
        CaptureError: A layer does something that has no row in the op table.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), input=("N", 3))
        >>> print(capture_model(model))
        graph(x0: float32(N, 3)):
          linear_0: float32(N, 2) = linear(x0, 0.weight, 0.bias)
          relu_1: float32(N, 2) = relu(linear_0)
          return relu_1
    """

    def f(weights: Mapping[str, Any], *xs: Any) -> Any:
        params = {name: weights[name] for name in model.params}
        buffers = {name: weights[name] for name in model.buffers}
        return model.replace(params=params, buffers=buffers).apply(params, *xs)

    inputs = model.input if isinstance(model.input, tuple) else (model.input,)
    return capture(f, *inputs, weights={**model.params, **model.buffers})
