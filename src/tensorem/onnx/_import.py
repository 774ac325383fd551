"""A file as a graph: its nodes are run as a JAX function, and that is captured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from tensorem import runtime
from tensorem.calls import called
from tensorem.errors import ArgumentError, CaptureError, FileError, TensoremError
from tensorem.graph import Graph, capture, simplify
from tensorem.ops import translated
from tensorem.shapes import Spec

from ._call import LARGEST, Call, Value
from ._graphs import GRAPHS
from ._moves import SIZES, dtype_of
from ._operators import OPERATORS, require_known
from ._read import DOMAINS, array_of, attribute_value, describe, model_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

Env = dict[str, Value]


@called
def load(
    path: str | Path,
    *,
    sizes: Mapping[str, int | str] | None = None,
    constants: Mapping[str, ArrayLike] | None = None,
) -> Graph:
    """The graph of an ONNX file: it runs, is differentiated, evaluated and proved about as any.

    Sizes that the file names, such as a batch, keep their names; int64 becomes int32. Arrays keep
    the names of the file's initializers.

    Args:
        sizes: Numbers, or other names, for sizes that have names.
        constants: Values for inputs that are no inputs of the graph, such as a shape.

    Raises:
        FileError: The file cannot be read, or is no well-formed ONNX.
        CaptureError: It has an operator, or a form of one, that we do not read.
        ShapeError: Its shapes do not fit; often because a size is named that must be a number.
        ArgumentError: The onnx package is not installed, or sizes names what is not there.

    Example:
        >>> import pathlib, tempfile
        >>> from onnx import helper, save_model
        >>> x, y = (helper.make_tensor_value_info(n, 1, ["N", 3]) for n in "xy")
        >>> graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "", [x], [y])
        >>> path = pathlib.Path(tempfile.mkdtemp(), "relu.onnx")
        >>> save_model(helper.make_model(graph), path)
        >>> print(load(path))
        graph(x0: float32(N, 3)):
          relu_0: float32(N, 3) = relu(x0)
          return relu_0

    Source:
        Open Neural Network Exchange, operator schemas of opsets 1 to 25.
    """
    model = model_of(path)
    try:
        return _graph(model, dict(sizes or {}), constants or {})
    except TensoremError as error:
        raise error.with_notes(where=str(path)) from error.__cause__


def _graph(
    model: ModelProto, sizes: dict[str, int | str], constants: Mapping[str, ArrayLike]
) -> Graph:
    proto = model.graph
    require_known(_operators_of(proto))
    opset = max((o.version for o in model.opset_import if o.domain in DOMAINS), default=1)
    arrays = {t.name: array_of(t) for t in proto.initializer}
    weights = {n: a for n, a in arrays.items() if a.ndim and a.dtype.kind == "f"}
    _require_text(proto)
    _require_inputs(constants, proto)
    arrays |= {name: np.asarray(value) for name, value in constants.items()}
    given = [i for i in proto.input if i.name not in arrays]
    specs = [_spec(info, sizes) for info in given]
    _require_used(sizes, given)

    def f(weights: Mapping[str, Any], *xs: Any) -> Any:
        env: Env = {"": Value(None)}
        env |= {n: Value(weights.get(n, a), a) for n, a in arrays.items()}
        env |= {i.name: Value(x) for i, x in zip(given, xs, strict=True)}
        found = tuple(value.array for value in _outputs(proto, env, opset))
        results = jax.tree.map(jnp.asarray, found)
        return results[0] if len(results) == 1 else results

    with runtime.precision(s.dtype for s in specs):
        return simplify(capture(f, *specs, weights=weights))


def _require_text(proto: GraphProto) -> None:
    """Names are text; what is no UTF-8 comes as bytes."""
    named = [*proto.initializer, *proto.input, *proto.output]
    names = [part.name for part in named]
    names += [name for node in proto.node for name in (*node.input, *node.output)]
    if any(not isinstance(name, str) for name in names):
        raise FileError("An ONNX file takes names that are text, got bytes.")


def _operators_of(proto: GraphProto) -> set[str]:
    found = set()
    for node in proto.node:
        plain = node.domain in DOMAINS
        # Names that are no UTF-8 come as bytes.
        found.add(f"{node.op_type}" if plain else f"{node.domain}.{node.op_type}")
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                found |= _operators_of(inner)
    return found


def _spec(info: ValueInfoProto, sizes: dict[str, int | str]) -> Spec:
    if not info.type.HasField("tensor_type"):
        raise CaptureError(f"onnx.load takes inputs that are tensors, got {info.name}.")
    tensor = info.type.tensor_type
    dims: list[int | str] = [int(dim.dim_value) for dim in tensor.shape.dim]
    for axis, (theirs, ours) in _named(info).items():
        dims[axis] = sizes.get(theirs, sizes.get(ours, ours))
    return Spec(tuple(dims), dtype_of(tensor.elem_type))


def _named(info: ValueInfoProto) -> dict[int, tuple[str, str]]:
    """The axes whose sizes are names: the file's, and ours; without a word after its place."""
    dims = enumerate(info.type.tensor_type.shape.dim)
    # Some exporters write -1 for any size.
    open_dims = {i: d for i, d in dims if not d.HasField("dim_value") or d.dim_value < 0}
    return {
        i: (
            d.dim_param,
            _word(d.dim_param if re.search(r"\w", d.dim_param) else f"{info.name}_{i}"),
        )
        for i, d in open_dims.items()
    }


def _word(text: str) -> str:
    word = re.sub(r"\W", "_", text, flags=re.ASCII)
    return word if word[:1].isalpha() else f"n{word}"


def _require_inputs(constants: Mapping[str, ArrayLike], proto: GraphProto) -> None:
    names = [info.name for info in proto.input]
    if unknown := sorted(set(constants) - set(names)):
        raise ArgumentError(
            f"onnx.load takes constants for the inputs {', '.join(names)}, got "
            f"{', '.join(unknown)}."
        )


def _require_used(sizes: Mapping[str, int | str], given: list[ValueInfoProto]) -> None:
    pairs = (pair for info in given for pair in _named(info).values())
    names = dict.fromkeys(name for pair in pairs for name in pair)
    if unknown := sorted(set(sizes) - set(names)):
        raise ArgumentError(
            f"onnx.load takes sizes for {', '.join(filter(None, names)) or 'no names'}, got "
            f"{', '.join(unknown)}."
        )


def _outputs(proto: GraphProto, env: Env, opset: int) -> tuple[Value, ...]:
    """What the nodes of a graph make of its environment."""
    for node in proto.node:
        _run(node, env, opset)
    return tuple(_value(env, o.name) for o in proto.output)


def _inner(proto: GraphProto, env: Env, opset: int) -> tuple[Value, ...]:
    """The results of a graph inside a node, which sees all that is around it."""
    arrays = {tensor.name: array_of(tensor) for tensor in proto.initializer}
    return _outputs(proto, env | {name: Value(a, a) for name, a in arrays.items()}, opset)


def _value(env: Env, name: str) -> Value:
    if name not in env:
        raise FileError(f"A node takes {name!r}, got a name that nothing before it makes.")
    return env[name]


def _run(node: NodeProto, env: Env, opset: int) -> None:
    """Put the results of a node into the environment."""
    inputs = tuple(_value(env, n) if n else None for n in node.input)
    attrs = {a.name: attribute_value(a) for a in node.attribute}
    outputs = list(node.output)
    while outputs and not outputs[-1]:
        outputs.pop()

    def inner(proto: GraphProto, more: Mapping[str, Value]) -> tuple[Value, ...]:
        return _inner(proto, {**env, **more}, opset)

    call = Call(node.op_type, opset, attrs, inputs, len(outputs), inner)
    try:
        with translated(node.op_type, CaptureError):
            made = _made(call)
    except TensoremError as error:
        raise error.with_notes(owner=describe(node)) from error.__cause__
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise FileError(
            f"{describe(node)} takes other operands or attributes: {error!r}."
        ) from error
    results = made if isinstance(made, tuple) else (made,)
    env |= dict(zip(outputs, results, strict=False))


def _made(call: Call) -> Value | tuple[Value, ...]:
    """Its results; at once where no input of the graph decides an operand."""
    operator = OPERATORS[call.op]
    known = [None if v is None else v.known for v in call.inputs]
    if call.op in GRAPHS or any(v and k is None for v, k in zip(call.inputs, known, strict=True)):
        return _each(operator(call))
    if any(k is not None and k.dtype == object for k in known):
        return _each(np.asarray(SIZES[call.op](call)) if call.op in SIZES else operator(call))
    inputs = tuple(None if k is None else Value(k, k) for k in known)
    with jax.ensure_compile_time_eval(), runtime.float64():
        return _each(jax.tree.map(np.asarray, operator(replace(call, inputs=inputs))))


def _each(made: Any) -> Value | tuple[Value, ...]:
    return tuple(map(_one, made)) if isinstance(made, tuple) else _one(made)


def _one(made: Any) -> Value:
    """A result that is an array of NumPy is known."""
    if isinstance(made, Value):
        return made
    if not isinstance(made, np.ndarray):
        return Value(made)
    if made.size > LARGEST:
        raise CaptureError(f"takes constants of at most {LARGEST} entries, got {made.size}.")
    return Value(made, made)
