"""A graph as a JAX function: the inverse of capture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax import lax

from tensorem.errors import ShapeError
from tensorem.graph._graph import Graph, Node, flatten, unflatten
from tensorem.graph._read import read, require_bound


def to_jax(graph: Graph) -> Callable[..., Any]:
    """The function that a graph describes, of the same trees of arrays as the captured one.

    It can be compiled, differentiated and captured again. `function.program(arrays, *xs)` is the same with the
    weights as an argument.

    Raises:
        GraphError: The graph has symbolic sizes; bind them first.
        ShapeError: An argument does not have the captured shape (when called).

    Example:
        >>> import jax.numpy as jnp
        >>> from tensorem.graph import capture
        >>> to_jax(capture(lambda x: x * 2.0, (3,)))(jnp.ones(3)).tolist()
        [2.0, 2.0, 2.0]
    """
    require_bound(graph)

    def program(arrays: Mapping[str, Any], *xs: Any) -> Any:
        results = read(graph, _apply, _flat_arguments(graph, xs), arrays)
        return unflatten(graph.gives, dict(zip(graph.outputs, results, strict=True)))

    compiled = jax.jit(program)

    def function(*xs: Any) -> Any:
        return compiled(graph.arrays, *xs)

    function.program = program  # type: ignore[attr-defined]
    return function


def _flat_arguments(graph: Graph, xs: tuple[Any, ...]) -> list[Any]:
    if len(xs) != len(graph.takes):
        raise ShapeError(f"The graph takes {len(graph.takes)} arguments, got {len(xs)}.")
    values = list(flatten(list(xs)))
    for name, value in zip(graph.inputs, values, strict=True):
        if tuple(value.shape) != graph.specs[name].shape:
            raise ShapeError(
                f"The graph takes {graph.specs[name].shape}, got {tuple(value.shape)}.", where=name
            )
    return values


def _apply(node: Node, operands: list[Any]) -> list[Any]:
    if node.body is not None:
        return _scan(node, node.body, operands)
    return [node.row(*operands, **node.attrs)]


def _scan(node: Node, body: Graph, operands: list[Any]) -> list[Any]:
    fixed, carried = int(node.attrs["fixed"]), int(node.attrs["carried"])  # type: ignore[arg-type]
    constants, state = operands[:fixed], operands[fixed : fixed + carried]

    def step(state: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        results = read(body, _apply, [*constants, *state, *slices], {})
        return results[:carried], results[carried:]

    last, stacked = lax.scan(
        step, state, operands[fixed + carried :], length=int(node.attrs["length"]),  # type: ignore[arg-type]
        reverse=bool(node.attrs["reverse"]),
    )  # fmt: skip
    return [*last, *stacked]
