"""A file as a graph: its nodes are run as a JAX function, and that is captured."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from tensorem import runtime
from tensorem.calls import called
from tensorem.errors import ArgumentError, CaptureError, FileError, TensoremError
from tensorem.graph import Graph, capture, simplify
from tensorem.ops import translated
from tensorem.shapes import Spec

from ._call import Call, Value
from ._moves import SIZES, dtype_of
from ._operators import OPERATORS, require_known
from ._read import DOMAINS, array_of, attribute_value, describe, model_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

Env = dict[str, Value]
_LARGEST = 2**28
"""Entries of an array that is computed while a file is read."""


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
    _require_inputs(constants, proto)
    arrays |= {name: np.asarray(value) for name, value in constants.items()}
    given = [i for i in proto.input if i.name not in arrays]
    specs = [_spec(info, sizes) for info in given]
    _require_used(sizes, given)

    def f(weights: Mapping[str, Any], *xs: Any) -> Any:
        env: Env = {"": Value(None)}
        env |= {n: Value(weights.get(n, a), a) for n, a in arrays.items()}
        env |= {i.name: Value(x) for i, x in zip(given, xs, strict=True)}
        return _results(proto, env, opset)

    with runtime.precision(s.dtype for s in specs):
        return simplify(capture(f, *specs, weights=weights))


def _operators_of(proto: GraphProto) -> set[str]:
    found = set()
    for node in proto.node:
        plain = node.domain in DOMAINS
        found.add(node.op_type if plain else f"{node.domain}.{node.op_type}")
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                found |= _operators_of(inner)
    return found


def _spec(info: ValueInfoProto, sizes: dict[str, int | str]) -> Spec:
    if not info.type.HasField("tensor_type"):
        raise CaptureError(f"onnx.load takes inputs that are tensors, got {info.name}.")
    tensor = info.type.tensor_type
    dims = [_size(info.name, i, d, sizes) for i, d in enumerate(tensor.shape.dim)]
    return Spec(tuple(dims), dtype_of(tensor.elem_type))


def _size(name: str, axis: int, dim: Any, sizes: dict[str, int | str]) -> int | str:
    """A number, or a name in our spelling; an axis without either is named after its place."""
    if dim.HasField("dim_value") and dim.dim_value >= 0:  # some exporters write -1 for any size
        return int(dim.dim_value)
    word = _word(dim.dim_param or f"{name}_{axis}")
    return sizes.get(dim.dim_param, sizes.get(word, word))


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
    names = {}
    for info in given:
        for axis, dim in enumerate(info.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") or dim.dim_value < 0:
                names[dim.dim_param] = names[_word(dim.dim_param or f"{info.name}_{axis}")] = 1
    if unknown := sorted(set(sizes) - set(names)):
        raise ArgumentError(
            f"onnx.load takes sizes for {', '.join(filter(None, names)) or 'no names'}, got "
            f"{', '.join(unknown)}."
        )


def _results(proto: GraphProto, env: Env, opset: int) -> Any:
    for node in proto.node:
        _run(node, env, opset)
    found = tuple(_value(env, o.name).array for o in proto.output)
    results = jax.tree.map(lambda a: a if isinstance(a, jax.Array) else jax.numpy.asarray(a), found)
    return results[0] if len(results) == 1 else results


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
    call = Call(node.op_type, opset, attrs, inputs, len(outputs))
    try:
        with translated(node.op_type, CaptureError):
            made = _WITH_GRAPHS.get(node.op_type, _made)(call, env)
    except TensoremError as error:
        raise error.with_notes(owner=describe(node)) from error.__cause__
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise FileError(
            f"{describe(node)} takes other operands or attributes: {error!r}."
        ) from error
    results = made if isinstance(made, tuple) else (made,)
    env |= dict(zip(outputs, results, strict=False))


def _made(call: Call, env: Env) -> Value | tuple[Value, ...]:
    """Its results; at once where no input of the graph decides an operand."""
    if not _decided(call):
        return _each(OPERATORS[call.op](call), folded=call.op in ("Shape", "Size"))
    if any(v.known.dtype == object for v in call.inputs if v and v.known is not None):
        if call.op in SIZES:
            return _each(SIZES[call.op](call), folded=True)
        return _each(OPERATORS[call.op](call), folded=False)
    with jax.ensure_compile_time_eval(), runtime.float64():
        plain = Call(
            call.op, call.opset, call.attrs, tuple(map(_as_known, call.inputs)), call.results
        )
        return _each(OPERATORS[call.op](plain), folded=True)


def _decided(call: Call) -> bool:
    return all(v is None or v.known is not None for v in call.inputs)


def _as_known(value: Value | None) -> Value | None:
    return None if value is None else Value(value.known, value.known)


def _each(made: Any, folded: bool) -> Value | tuple[Value, ...]:
    if isinstance(made, tuple):
        return tuple(_one(m, folded) for m in made)
    return _one(made, folded)


def _one(made: Any, folded: bool) -> Value:
    if isinstance(made, list) or not (folded or isinstance(made, np.ndarray)):
        return Value(made)
    known = np.asarray(made)
    if known.size > _LARGEST:
        raise CaptureError(f"takes constants of at most {_LARGEST} entries, got {known.size}.")
    return Value(known, known)


def _branch(call: Call, env: Env) -> tuple[Value, ...]:
    """The case of an `If` whose condition the file decides."""
    chosen = call.attrs["then_branch" if call.known(0).item() else "else_branch"]
    return _inner(chosen, dict(env), call.opset)


def _inner(proto: GraphProto, env: Env, opset: int) -> tuple[Value, ...]:
    """The results of a graph inside a node, which sees all that is around it."""
    for tensor in proto.initializer:
        array = array_of(tensor)
        env[tensor.name] = Value(array, array)
    for node in proto.node:
        _run(node, env, opset)
    return tuple(_value(env, o.name) for o in proto.output)


def _scan(call: Call, env: Env) -> tuple[Value, ...]:
    """A loop over the first axis of stacks, all in one direction."""
    body, stacks = call.attrs["body"], call.attrs["num_scan_inputs"]
    names = [info.name for info in body.input]
    carried = len(names) - stacks
    if call.opset < 9 or any(
        any(call.attrs.get(f"scan_{s}_axes", ())) for s in ("input", "output")
    ):
        raise CaptureError("takes stacks along their first axis (opset 9 and later).")
    given = [d for s in ("input", "output") for d in call.attrs.get(f"scan_{s}_directions", ())]
    if len({*given}) > 1:
        raise CaptureError("takes stacks that are all read in one direction, got both.")

    def step(state: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        inside = dict(zip(names, map(Value, [*state, *slices]), strict=True))
        results = [v.array for v in _inner(body, env | inside, call.opset)]
        return results[:carried], results[carried:]

    operands = [jax.numpy.asarray(x) for x in call.xs()]
    reverse = bool(given and given[0])
    state, made = jax.lax.scan(step, operands[:carried], operands[carried:], reverse=reverse)
    return tuple(map(Value, (*state, *made)))


_WITH_GRAPHS: Mapping[str, Callable[[Call, Env], Value | tuple[Value, ...]]] = {
    "If": _branch,
    "Scan": _scan,
}
