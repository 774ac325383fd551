"""Is a graph well formed, and are its shapes those that the rows of the op table give?"""

from __future__ import annotations

from collections.abc import Iterable

from tensorem.calls import named
from tensorem.errors import GraphError, TensoremError
from tensorem.graph._graph import Graph, Loop, Node, flatten
from tensorem.shapes import Spec


def check(graph: Graph) -> None:
    """Raise unless the graph is well formed and well shaped.

    Raises:
        GraphError: A value is used before it is made, made twice, missing, or of another shape or
            dtype than its op gives; the error names it.
    """
    known = _check_given(graph)
    _check_arrays(graph)
    for node in graph.nodes:
        _check_node(graph, node, known)
        known |= set(node.outputs)
    for name in (*graph.outputs, *flatten(graph.gives)):
        if name not in known:
            raise GraphError(f"An output is a value of the graph, got `{name}`.")
    if list(flatten(graph.gives)) != list(graph.outputs):
        raise GraphError("`gives` holds the outputs in their order.")
    if list(flatten(list(graph.takes))) != list(graph.inputs):
        raise GraphError("`takes` holds the inputs in their order.")


def _check_given(graph: Graph) -> set[str]:
    """The names of the inputs and arrays, which are no others' names."""
    known: set[str] = set()
    for name in (*graph.inputs, *graph.arrays):
        if name in known:
            raise GraphError("An input or array has a name of its own.", where=name)
        known.add(name)
    return known


def _check_arrays(graph: Graph) -> None:
    for name in graph.inputs:
        if name not in graph.specs:
            raise GraphError(f"Every value has a spec, `{name}` has none.")
    for name, array in graph.arrays.items():
        spec = graph.specs.get(name)
        if spec is None or spec.shape != array.shape or spec.dtype != array.dtype.name:
            raise GraphError(
                f"The array `{name}` is {array.dtype.name}{array.shape}, the graph takes {spec}."
            )


def _check_node(graph: Graph, node: Node, known: set[str]) -> None:
    for name in node.inputs:
        if name not in known:
            raise GraphError(f"`{name}` is used before it is made.", where=", ".join(node.outputs))
    for name in node.outputs:
        if name in known:
            raise GraphError(f"`{name}` is made twice.", where=node.op)
        if name not in graph.specs:
            raise GraphError(f"Every value has a spec, `{name}` has none.")
    if node.body is not None:
        return _check_loop(graph, node, node.body)
    if len(node.outputs) != 1:
        raise GraphError(f"`{node.op}` gives one value, got {len(node.outputs)}.")
    _check_shape(graph, node)


def _check_loop(graph: Graph, node: Node, body: Graph) -> None:
    check(body)
    try:
        _check_state(node.loop, body)
        _require("takes", node.loop.operands(body), _specs(graph, node.inputs))
        _require("gives", node.loop.results(body), _specs(graph, node.outputs))
    except GraphError as error:
        raise error.with_notes(where=", ".join(node.outputs)) from None


def _check_state(loop: Loop, body: Graph) -> None:
    """What a reading passes on is what the next one takes."""
    if body.arrays:
        raise GraphError("The arrays of a loop are its operands, its body holds some.")
    end = loop.fixed + loop.carried
    if end > len(body.inputs) or loop.carried > len(body.outputs):
        raise GraphError(
            f"A loop takes {end} operands or more and gives {loop.carried} or more, its body takes "
            f"{len(body.inputs)} and gives {len(body.outputs)}."
        )
    state = _specs(body, body.inputs[loop.fixed : end])
    _require("passes on", state, _specs(body, body.outputs[: loop.carried]))


def _require(verb: str, specs: list[Spec], stated: list[Spec]) -> None:
    if stated != specs:
        raise GraphError(f"The loop {verb} {_listed(specs)}, the graph says {_listed(stated)}.")


def _specs(graph: Graph, names: Iterable[str]) -> list[Spec]:
    return [graph.specs[name] for name in names]


def _listed(specs: Iterable[Spec]) -> str:
    return ", ".join(map(str, specs)) or "nothing"


def _check_shape(graph: Graph, node: Node) -> None:
    row, stated = node.row, graph.specs[node.outputs[0]]
    try:
        row.check_arity(len(node.inputs))
        with named(f"`{node.op}`"):
            given = row.shape(*(graph.specs[name] for name in node.inputs), **node.attrs)
    except TensoremError as error:
        raise GraphError(
            error.what, where=node.outputs[0], because=error.because, help=error.help
        ) from None
    except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise GraphError(
            f"`{node.op}` cannot take these operands and attributes.", where=node.outputs[0],
            because=str(error),
        ) from None  # fmt: skip
    if given != stated:
        raise GraphError(
            f"`{node.op}` gives {given}, the graph says {stated}.", where=node.outputs[0]
        )
