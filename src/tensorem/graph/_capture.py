"""Capture: a pure JAX function as a graph. Jaxprs are walked here alone.

A named call proposes one of our ops (`jit[name=softmax(dim=-1)]`); it is taken for that op only if
its inner jaxpr equals the op's own. That is for tightness: whatever is not recognised is read
primitive by primitive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Jaxpr, JaxprEqn, Literal, Var
from numpy.typing import ArrayLike

from tensorem import ops, runtime
from tensorem.calls import named
from tensorem.errors import CaptureError, ShapeError
from tensorem.graph._graph import LOOP, Graph, Node, constant_name, size_attr
from tensorem.graph._known import computed, size_value
from tensorem.graph._primitives import PRIMITIVES
from tensorem.graph._recognise import recognised
from tensorem.graph._rewrite import needed, only
from tensorem.graph._rule import Known, ints, plain
from tensorem.graph._trace import abstract, form, trace
from tensorem.graph._tree import Tree, flatten
from tensorem.ops import Attr, Op
from tensorem.ops._op import results
from tensorem.rules._kinds import SHAPE
from tensorem.shapes import Size, Spec, parse_size, spec_of

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
    "cond": "use jnp.where, so that both cases are part of the graph",
    "erfc": "write 1 - jax.scipy.special.erf(x); of a GELU, F.gelu(x)",
    "tan": "write jnp.sin(x) / jnp.cos(x)",
    "asin": "write 2 * jnp.arctan(x / (1 + jnp.sqrt(1 - x * x)))",
    "acos": "write 2 * jnp.arctan(jnp.sqrt(1 - x * x) / (1 + x))",
    "atan2": "write 2 * jnp.arctan(y / (jnp.sqrt(x * x + y * y) + x))",
    "sinh": "write (jnp.exp(x) - jnp.exp(-x)) / 2",
    "cosh": "write (jnp.exp(x) + jnp.exp(-x)) / 2",
    "asinh": "write jnp.sign(x) * jnp.log(jnp.abs(x) + jnp.sqrt(x * x + 1))",
    "acosh": "write jnp.log(x + jnp.sqrt(x * x - 1))",
    "atanh": "write (jnp.log1p(x) - jnp.log1p(-x)) / 2",
    "cbrt": "write jnp.sign(x) * jnp.abs(x) ** (1 / 3)",
    "cummax": "write jax.lax.associative_scan(jnp.maximum, x)",
    "cummin": "write jax.lax.associative_scan(jnp.minimum, x)",
    "cumlogsumexp": "write jnp.log(jnp.cumsum(jnp.exp(x - x.max()), 0)) + x.max()",
    "scatter": "write jnp.where, or x.at[i].set and x.at[i].add",
    **dict.fromkeys(
        ("lu", "cholesky", "svd", "eigh", "eig", "geqrf", "qr", "triangular_solve"),
        "compute it before, and take the result as an argument: no rule bounds a factorisation",
    ),
    **dict.fromkeys(
        ("conv_general_dilated", "reduce_window"),
        "write F.conv1d, F.conv2d, F.max_pool2d, ... of tensorem.functional",
    ),
    "fft": "write a product with the waves, as models.fno does: a graph holds real numbers",
}
Names = tuple[str, ...]
NUMBERS = "give integers in place of the names in the input's shape"
MULTIPLE = ", or a multiple: 2*H in place of H"


def capture(f: Callable[..., Any], *specs: Tree, weights: Mapping[str, Any] | None = None) -> Graph:
    """The graph of a pure function of arrays.

    Args:
        f: A function of trees of JAX arrays; with weights, of the weights first.
        specs: One tree of shapes or Specs for each argument; sizes may be names such as "N".
        weights: Arrays by name, which the graph keeps under these names.

    Raises:
        CaptureError: The function does something that has no row in the op table.
        ShapeError: It does not fit the shapes, for some value of a name.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> print(capture(lambda x: jnp.tanh(x) * x, (3,)))
        graph(x0: float32(3,)):
          tanh_0: float32(3,) = tanh(x0)
          mul_1: float32(3,) = mul(tanh_0, x0)
          return mul_1
    """
    trees = [spec_of(spec) for spec in specs]
    builder = _Builder({name: np.asarray(a) for name, a in (weights or {}).items()})
    takes = tuple(builder.argument(tree, f"x{i}") for i, tree in enumerate(trees))
    inputs = tuple(flatten(list(takes)))
    lead = {k: jax.ShapeDtypeStruct(a.shape, a.dtype) for k, a in builder.arrays.items()}
    # A user may have switched compilation off; the names of our ops stand on compiled calls.
    with jax.disable_jit(False), runtime.precision(s.dtype for s in builder.specs.values()):
        closed, out = trace(f, *([lead] if weights is not None else []), *abstract(trees))
        outputs = builder.read(closed.jaxpr, closed.consts, [*sorted(lead), *inputs])
    gives = jax.tree.unflatten(out, outputs)
    return builder.graph(inputs, tuple(outputs), takes, gives)


class _Builder:
    """Nodes, specs and arrays of a graph in the making."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays: dict[str, np.ndarray] = dict(arrays)
        self.specs: dict[str, Spec] = {k: Spec(a.shape, a.dtype.name) for k, a in arrays.items()}
        self._nodes: dict[str, Node] = {}
        """By the name of their first output."""
        self._known: dict[str, Known | None] = {}
        self._constants: dict[tuple[Any, ...], str] = {}
        self._place = ""
        """The path of the layer whose equations are being read."""

    def argument(self, tree: Tree, name: str) -> Tree:
        """The tree of names of an argument: x0, or x0.key and x0.0 for its leaves."""
        if isinstance(tree, dict):
            return {key: self.argument(item, f"{name}.{key}") for key, item in tree.items()}
        if isinstance(tree, tuple | list):
            return type(tree)(self.argument(t, f"{name}.{i}") for i, t in enumerate(tree))
        name = self._fresh(name)
        self.specs[name] = tree
        return name

    def _fresh(self, name: str) -> str:
        """A name that no value has yet, such as a weight that a layer calls x0."""
        while name in self.specs:
            name += "_"
        return name

    def graph(self, inputs: Names, outputs: Names, takes: Tree, gives: Tree) -> Graph:
        """What was built, without the values that no output needs."""
        nodes, live = needed(self._nodes.values(), outputs)
        specs, arrays = only(self.specs, {*live, *inputs}), only(self.arrays, live)
        return Graph(inputs, outputs, nodes, specs, arrays, takes, gives)

    def spec(self, name: str) -> Spec:
        """The shape and dtype of a value."""
        return self.specs[name]

    def maker(self, name: str) -> Node | None:
        """The node that makes a value; none for inputs and arrays."""
        return self._nodes.get(name)

    def constant(self, array: np.ndarray) -> str:
        """The name of a constant; equal constants share one."""
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            name = self._fresh(constant_name(len(self._constants)))
            self._constants[key] = name
            self.arrays[name] = self._known[name] = array
            self.specs[name] = Spec(array.shape, array.dtype.name)
        return self._constants[key]

    def size(self, size: Size, dtype: str) -> str:
        """A size with a name as a number: as many ones, added up."""
        one = self.constant(np.ones((), dtype))
        ones = self.node(ops.broadcast, one, shape=ints([size]), dims=())
        name = self.node(ops.sum, ones, dims=(0,))
        self._known[name] = size_value(size)
        return name

    def known(self, name: str) -> Known | None:
        """The value of a name where no input decides it."""
        if name not in self._known:
            self._known[name] = self._known_result(name)
        return self._known[name]

    def _known_result(self, name: str) -> Known | None:
        node = self._nodes.get(name)
        sizes = self.specs[name].shape
        if node is None or node.body is not None or len(node.outputs) > 1:
            return None
        if not all(isinstance(n, int) for n in sizes):
            return None
        operands = [self.known(i) for i in node.inputs]
        numbers = [x for x in operands if x is not None]
        return computed(node, numbers) if len(numbers) == len(operands) else None

    def node(self, row: Op, *inputs: str, **attrs: Attr) -> str:
        """A new node of an op with one result; returns its name."""
        [name] = self.nodes(row, inputs, attrs)
        return name

    def nodes(self, row: Op, inputs: Sequence[str], attrs: Mapping[str, Attr]) -> list[str]:
        """A new node; returns the names of its results."""
        with named(f"`{row.name}`"):
            specs = results(row.shape(*(self.specs[i] for i in inputs), **attrs))
        # A size left open (-1) is written out: a graph has one spelling.
        written = {k: ints(specs[0].shape) for k, kind in row.attrs.items() if kind is SHAPE}
        return self._add(Node(row.name, tuple(inputs), (), {**attrs, **written}), specs)

    def _add(self, node: Node, specs: list[Spec]) -> list[str]:
        """Name the results of a node after its op and number, and keep it."""
        name = f"{node.op}_{len(self._nodes)}"
        several = node.body is not None or len(specs) > 1
        names = [f"{name}.{i}" for i in range(len(specs))] if several else [name]
        outputs = tuple(map(self._fresh, names))
        self._nodes[outputs[0]] = replace(node, outputs=outputs, place=self._place)
        self.specs |= zip(outputs, specs, strict=True)
        return list(outputs)

    def read(self, jaxpr: Jaxpr, consts: Sequence[ArrayLike], names: list[str]) -> list[str]:
        """Read the equations with the inputs bound to names; returns the names of the outputs."""
        env: dict[Var, str] = dict(zip(jaxpr.invars, names, strict=True))
        for var, value in zip(jaxpr.constvars, consts, strict=True):
            env[var] = self.constant(np.asarray(value))
        outer = self._place
        for eqn in jaxpr.eqns:
            said = runtime.scope_of(eqn)
            self._place = outer if said is None else said
            if all(getattr(v.aval, "dtype", None) == jax.dtypes.float0 for v in eqn.outvars):
                continue  # the tangent of an integer: nothing depends on it
            shapes = [_shape(eqn, form(v)) for v in eqn.outvars]
            results = self._equation(eqn, [self._name(env, v) for v in eqn.invars])
            for var, shape, name in zip(eqn.outvars, shapes, results, strict=True):
                _require_same(eqn, Spec(shape, form(var).dtype.name), self.specs[name])
            env.update(zip(eqn.outvars, results, strict=True))
        self._place = outer
        return [self._name(env, v) for v in jaxpr.outvars]

    def _name(self, env: dict[Var, str], var: Var | Literal) -> str:
        if isinstance(var, Literal):
            return self.constant(np.asarray(var.val, form(var).dtype))
        return env[var]

    def _equation(self, eqn: JaxprEqn, operands: list[str]) -> list[str]:
        name, params = eqn.primitive.name, eqn.params
        if name == "jit" and (call := recognised(eqn)) is not None:
            op, attrs = call
            return self.nodes(op, operands, {k: plain(value) for k, value in attrs})
        if name == "scan":
            return self._loop(params, operands)
        if name == "dim_as_value":
            return [self.size(_size(params["dim"], name), form(eqn.outvars[0]).dtype.name)]
        if name in INLINED:
            inner = params[INLINED[name]]
            jaxpr, consts = getattr(inner, "jaxpr", inner), getattr(inner, "consts", ())
            return self.read(jaxpr, consts, operands)
        result = PRIMITIVES[name](self, operands, params) if name in PRIMITIVES else None
        if result is None:
            raise _no_row(eqn)
        return result if isinstance(result, list) else [result]

    def _loop(self, p: dict[str, Any], operands: list[str]) -> list[str]:
        """A scan: its body as a graph of its own, whose constants become operands of the loop."""
        inner = _Builder({})
        inner._place = self._place
        names = tuple(f"in_{i}" for i in range(len(operands)))
        for name, operand, var in zip(names, operands, p["jaxpr"].jaxpr.invars, strict=True):
            spec = self.specs[operand]
            stacked = len(spec.shape) > len(var.aval.shape)
            inner.specs[name] = Spec(spec.shape[1:], spec.dtype) if stacked else spec
        outputs = tuple(inner.read(p["jaxpr"].jaxpr, p["jaxpr"].consts, list(names)))
        if p["length"] == 0:
            return self._no_turns(p, operands, [inner.specs[name] for name in outputs])
        constants, inner.arrays = inner.arrays, {}
        formals = (*constants, *names)
        body = inner.graph(formals, outputs, formals, list(outputs))
        attrs: dict[str, Attr] = {
            "length": size_attr(_size(p["length"], "scan")),
            "fixed": p["num_consts"] + len(constants),
            "carried": p["num_carry"],
            "reverse": bool(p["reverse"]),
        }
        own = [self.constant(array) for array in constants.values()]
        node = Node(LOOP, (*own, *operands), (), attrs, body)
        return self._add(node, node.loop.results(body))

    def _no_turns(self, p: dict[str, Any], operands: list[str], specs: list[Spec]) -> list[str]:
        """What a loop of length 0 gives: its first state, and empty stacks."""
        first, carried = p["num_consts"], p["num_carry"]
        stacks = [np.zeros((0, *s.shape), s.dtype) for s in specs[carried:]]
        return [*operands[first : first + carried], *map(self.constant, stacks)]


def _shape(eqn: JaxprEqn, aval: ShapedArray) -> tuple[Size, ...]:
    """Every size of a graph is an integer or a polynomial in names."""
    return tuple(_size(n, eqn.primitive.name) for n in aval.shape)


def _require_same(eqn: JaxprEqn, promised: Spec, got: Spec) -> None:
    """A row may leave out what a primitive was told; then the results differ."""
    if got != promised:
        raise CaptureError(
            f"A graph takes `{eqn.primitive.name}` as the op table has it, which gives {got} and "
            f"not {promised}.",
            where=_place(eqn),
            help=_ELSE,
        )


def _size(dim: object, primitive: str) -> Size:
    if isinstance(dim, int):
        return dim
    try:
        return parse_size(str(dim))
    except ShapeError:
        raise CaptureError(
            f"A graph takes sizes that are polynomials in names, got {dim}.",
            where=primitive,
            help=f"{NUMBERS}{MULTIPLE if 'floordiv' in str(dim) else ''}.",
        ) from None


def _no_row(eqn: JaxprEqn) -> CaptureError:
    name = eqn.primitive.name
    remedy = REMEDIES.get(max(filter(name.startswith, REMEDIES), key=len, default=""), "")
    if not remedy and any(not isinstance(n, int) for v in eqn.invars for n in form(v).shape):
        remedy = f"{NUMBERS}, or write that step with tensorem.functional"
    return CaptureError(
        f"A graph takes programs of the op table, got the JAX primitive `{name}`.",
        where=_place(eqn),
        help=remedy or _ELSE,
    )


def _place(eqn: JaxprEqn) -> str:
    return f"{eqn.primitive.name}({', '.join(str(v.aval) for v in eqn.invars)})"


_ELSE = "write that step with tensorem.functional or plain jax.numpy arithmetic"
