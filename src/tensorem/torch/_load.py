"""An exported program of PyTorch as a graph: its nodes are run as a JAX function and captured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from tensorem import runtime
from tensorem.calls import called
from tensorem.errors import ArgumentError, CaptureError, TensoremError
from tensorem.graph import Graph, capture, simplify
from tensorem.ops import translated
from tensorem.shapes import Spec

from ._aten import OPERATORS, dtype_of

Program = Any
"""A `torch.export.ExportedProgram`."""
Node = Any
"""A `torch.fx.Node`."""
_MATH = {"getitem", "add", "sub", "mul", "floordiv", "neg"}
"""What PyTorch does with sizes, and to take a result out of several."""


@called
def load(program: Program, *, sizes: Mapping[str, int | str] | None = None) -> Graph:
    """The graph of a `torch.export.ExportedProgram`, in evaluation as it was exported.

    It is decomposed to ATen's core operators first. Arrays keep the names of the module's state
    dict; sizes that are dynamic keep the names that PyTorch gives them; int64 becomes int32.

    Args:
        program: What `torch.export.export(module.eval(), inputs)` gives.
        sizes: Numbers, or other names, for sizes that have names.

    Raises:
        ArgumentError: It is no exported program, or sizes names what is not there.
        CaptureError: It has an operator, or a form of one, that we do not read; the node is named.
        ShapeError: Its shapes do not fit.

    Source:
        PyTorch, core ATen IR.
    """
    if not hasattr(program, "graph_signature") or not hasattr(program, "run_decompositions"):
        raise ArgumentError(
            f"takes what torch.export.export gives, got {type(program).__name__}.",
            help="torch.export.export(module.eval(), (x,)); of a module of layers that we have "
            "tm.torch.model makes an editable one.",
        )
    program = program.run_decompositions()
    nodes = list(program.graph.nodes)
    _require_known(nodes)
    values = {node.name: node.meta.get("val") for node in nodes if node.op == "placeholder"}
    arrays = _arrays(program)
    given = [s.arg.name for s in program.graph_signature.input_specs if s.kind.name == "USER_INPUT"]
    given = [name for name in given if hasattr(values[name], "shape")]
    specs = [_spec(values[name], sizes or {}) for name in given]
    _require_used(sizes or {}, [values[name] for name in given])
    weights = {path: a for path, a in arrays.values() if a.dtype.kind == "f" and a.ndim}

    def f(weights: Mapping[str, Any], *xs: Any) -> Any:
        env: dict[str, Any] = {n: weights.get(path, a) for n, (path, a) in arrays.items()}
        env |= dict(zip(given, xs, strict=True))
        for node in nodes:
            if node.op == "call_function":
                env[node.name] = _made(node, env)
        results = jax.tree.map(jnp.asarray, _outputs(program, nodes[-1], env))
        return results[0] if len(results) == 1 else results

    with runtime.precision(s.dtype for s in specs):
        return simplify(capture(f, *specs, weights=weights))


def _require_known(nodes: list[Node]) -> None:
    """Every operator is one of the table, or the error names all that are not."""
    lacking = {_key(n): n.name for n in nodes if n.op == "call_function" and not _is_known(n)}
    if lacking:
        told = ", ".join(f"{key} (node {name})" for key, name in sorted(lacking.items()))
        raise CaptureError(
            f"tm.torch.load reads {len(OPERATORS)} operators of ATen, got {told}.",
            help="write that step otherwise in the module, or export it without: "
            "tm.torch.operators() lists what is read.",
        )


def _key(node: Node) -> str:
    """The operator's name: that of ATen without its overload, or Python's."""
    packet = getattr(node.target, "overloadpacket", node.target)
    return str(getattr(packet, "__name__", packet)).removeprefix("aten.")


def _is_known(node: Node) -> bool:
    is_aten = hasattr(node.target, "overloadpacket")
    return _key(node) in (OPERATORS if is_aten else _MATH)


def _arrays(program: Program) -> dict[str, tuple[str, NDArray[Any]]]:
    """Parameters, buffers and constants by the names of their nodes: path and numbers."""
    held = {**program.constants, **program.state_dict}
    found = {}
    for spec in program.graph_signature.input_specs:
        if spec.target is not None and spec.target in held:
            array = np.asarray(held[spec.target].detach().cpu().numpy())
            found[spec.arg.name] = (spec.target, array.astype(dtype_of(array.dtype)))
    return found


def _spec(value: Any, sizes: Mapping[str, int | str]) -> Spec:
    return Spec(tuple(_size(n, sizes) for n in value.shape), dtype_of(value.dtype))


def _size(n: Any, sizes: Mapping[str, int | str]) -> int | str:
    """A size as it was exported: a number, or a name that another one may replace."""
    if isinstance(n, int):
        return n
    name = str(n)
    return sizes.get(name, name)


def _require_used(sizes: Mapping[str, int | str], values: list[Any]) -> None:
    names = {str(n): None for value in values for n in value.shape if not isinstance(n, int)}
    if unknown := sorted(set(sizes) - set(names)):
        told = ", ".join(names) or "no names"
        raise ArgumentError(f"takes sizes for {told}, got {', '.join(unknown)}.")


def _made(node: Node, env: Mapping[str, Any]) -> Any:
    """The result of a node."""
    args, how = (_filled(part, env) for part in (node.args, node.kwargs))
    run = OPERATORS[_key(node)] if hasattr(node.target, "overloadpacket") else node.target
    how = {k: v for k, v in how.items() if k not in ("device", "layout", "pin_memory")}
    try:
        with translated(_key(node), CaptureError):
            return run(*args, **how)
    except TensoremError as error:
        raise error.with_notes(owner=f"{_key(node)} (node {node.name})") from error.__cause__
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CaptureError(
            f"{_key(node)} (node {node.name}) has a form that is not read: {error}."
        ) from error


def _filled(part: Any, env: Mapping[str, Any]) -> Any:
    """Arguments with values in place of nodes."""
    if isinstance(part, Mapping):
        return {k: _filled(v, env) for k, v in part.items()}
    if isinstance(part, tuple | list):
        return [_filled(v, env) for v in part]
    return env[part.name] if hasattr(part, "op") and hasattr(part, "target") else part


def _outputs(program: Program, last: Node, env: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the user gets: no buffers that a program changes."""
    kinds = [spec.kind.name for spec in program.graph_signature.output_specs]
    made = _filled(last.args[0], env)
    return tuple(y for kind, y in zip(kinds, made, strict=True) if kind == "USER_OUTPUT")
