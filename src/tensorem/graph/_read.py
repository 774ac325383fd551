"""Reading a graph: one loop over its nodes, in any meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorem import ops
from tensorem.errors import GraphError, MeaningError
from tensorem.graph._graph import Graph, Node, size_attr
from tensorem.ops._op import results

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
            return repeat(node, node.body, apply, operands)
        try:
            return results(node.row.meaning(meaning)(*operands, **node.attrs))
        except MeaningError as error:
            raise error.with_notes(where=", ".join(node.outputs)) from None

    return apply


def repeat(node: Node, body: Graph, apply: Apply, operands: list[Any]) -> list[Any]:
    """A loop in any meaning: its body read turn by turn; stacks are cut and joined by rows too.

    Raises:
        GraphError: Its length is still a name.
    """
    loop = node.loop
    constants, rest = operands[: loop.fixed], operands[loop.fixed :]
    state, stacks = rest[: loop.carried], rest[loop.carried :]
    formals, stacked = body.inputs[len(operands) - len(stacks) :], body.outputs[loop.carried :]
    made: list[list[Any]] = []
    for i in loop.turns:
        cut = [_cut(apply, s, i, _shape(body, n)) for s, n in zip(stacks, formals, strict=True)]
        given = read(body, apply, [*constants, *state, *cut], {})
        state = given[: loop.carried]
        made.append(given[loop.carried :])
    columns = list(zip(*(made[::-1] if loop.reverse else made), strict=True))
    pairs = zip(columns, stacked, strict=True)
    return [*state, *(_joined(apply, column, _shape(body, name)) for column, name in pairs)]


def sizes(graph: Graph, name: str) -> tuple[int, ...]:
    """The shape of a value whose sizes are all numbers."""
    return tuple(int(n) for n in graph.specs[name].shape)


def _shape(graph: Graph, name: str) -> tuple[int | str, ...]:
    return tuple(map(size_attr, graph.specs[name].shape))


def _cut(apply: Apply, stacked: Any, i: int, shape: tuple[int | str, ...]) -> Any:
    attrs = {"start": (i, *(0 for _ in shape)), "stop": (i + 1, *shape)}
    row = _one(apply, ops.slice, [stacked], **attrs, step=(1,) * (len(shape) + 1))
    return _one(apply, ops.reshape, [row], shape=shape)


def _joined(apply: Apply, values: Sequence[Any], shape: tuple[int | str, ...]) -> Any:
    rows = [_one(apply, ops.reshape, [value], shape=(1, *shape)) for value in values]
    return _one(apply, ops.concat, rows, dim=0)


def _one(apply: Apply, row: ops.Op, operands: list[Any], **attrs: Any) -> Any:
    """The result of one more op."""
    names = tuple(map(str, range(len(operands))))
    [result] = apply(Node(row.name, names, (f"loop.{row.name}",), attrs), operands)
    return result


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
