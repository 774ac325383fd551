"""Reading a graph: one loop over its nodes, in any meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorem.errors import GraphError, MeaningError
from tensorem.graph._graph import Graph, Node

Apply = Callable[[Node, list[Any]], list[Any]]


def read(graph: Graph, apply: Apply, inputs: Sequence[Any], arrays: Mapping[str, Any]) -> list[Any]:
    """Every node applied in order; returns the outputs.

    Args:
        graph: What is read.
        apply: The meaning: a node and the values of its operands -> the values of its results.
        inputs: One value for each input.
        arrays: One value for each weight and constant.

    Example:
        >>> from tensorem.domains import Rational
        >>> from tensorem.graph import capture
        >>> total = capture(lambda x: x.sum(0), (2,))
        >>> read(total, by_rows("exact"), [Rational.of([0.5, 0.25])], {})
        [Rational([3/4])]
    """
    values = {**arrays, **dict(zip(graph.inputs, inputs, strict=True))}
    for node in graph.nodes:
        results = apply(node, [values[name] for name in node.inputs])
        values.update(zip(node.outputs, results, strict=True))
    return [values[name] for name in graph.outputs]


def by_rows(meaning: str) -> Apply:
    """The meaning that the rows of the op table state; a loop reads its body again and again.

    Raises:
        MeaningError: An op has no such meaning; the error names the value in the graph.
    """

    def apply(node: Node, operands: list[Any]) -> list[Any]:
        if node.body is not None:
            return _repeat(node, node.body, apply, operands)
        try:
            return [node.row.meaning(meaning)(*operands, **node.attrs)]
        except MeaningError as error:
            raise error.with_notes(where=node.outputs[0]) from None

    return apply


def _repeat(node: Node, body: Graph, apply: Apply, operands: list[Any]) -> list[Any]:
    """The body read `length` times; stacks are cut and joined by rows too."""
    loop = node.loop
    constants, rest = operands[: loop.fixed], operands[loop.fixed :]
    state, stacks = rest[: loop.carried], rest[loop.carried :]
    formals, stacked = body.inputs[len(operands) - len(stacks) :], body.outputs[loop.carried :]
    made: list[list[Any]] = []
    for i in range(loop.length)[:: -1 if loop.reverse else 1]:
        cut = [
            _cut(apply, stack, i, sizes(body, name))
            for stack, name in zip(stacks, formals, strict=True)
        ]
        results = read(body, apply, [*constants, *state, *cut], {})
        state = results[: loop.carried]
        made.append(results[loop.carried :])
    columns = list(zip(*(made[::-1] if loop.reverse else made), strict=True))
    pairs = zip(columns, stacked, strict=True)
    return [*state, *(_joined(apply, column, sizes(body, name)) for column, name in pairs)]


def sizes(graph: Graph, name: str) -> tuple[int, ...]:
    """The shape of a value whose sizes are all numbers."""
    return tuple(int(n) for n in graph.specs[name].shape)


def _cut(apply: Apply, stacked: Any, i: int, shape: tuple[int, ...]) -> Any:
    attrs = {"start": (i, *(0 for _ in shape)), "stop": (i + 1, *shape)}
    step = (1,) * (len(shape) + 1)
    [row] = apply(Node("slice", (), (f"slice {i}",), {**attrs, "step": step}), [stacked])
    return apply(Node("reshape", (), (f"slice {i}",), {"shape": shape}), [row])[0]


def _joined(apply: Apply, values: Sequence[Any], shape: tuple[int, ...]) -> Any:
    reshape = Node("reshape", (), ("stack",), {"shape": (1, *shape)})
    rows = [apply(reshape, [value])[0] for value in values]
    return apply(Node("concat", (), ("stack",), {"dim": 0}), rows)[0]


def require_bound(graph: Graph) -> None:
    """Every meaning but shapes needs all sizes to be numbers.

    Raises:
        GraphError: Names are left; the error lists them.
    """
    if graph.names:
        free = ", ".join(f"{name}=1" for name in sorted(graph.names))
        raise GraphError(
            f"Reading a graph takes numbers for its sizes, got {', '.join(sorted(graph.names))}.",
            help=f"write graph.bind({free})",
        )
