"""A graph as a JAX function: the inverse of capture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax import lax

from tensorem.dtypes import INTEGER
from tensorem.errors import ShapeError
from tensorem.graph._graph import Graph, Node, is_constant
from tensorem.graph._read import read, require_bound
from tensorem.graph._tree import Tree, flatten, unflatten
from tensorem.ops import watched
from tensorem.ops._op import results


def to_jax(graph: Graph) -> Callable[..., Any]:
    """The function that a graph describes, of the same trees of arrays as the captured one.

    It is compiled, and can be differentiated and captured again. It gives the same bits as the
    compiled original that takes its arrays as arguments. The compiler may round otherwise where the
    original closes over an array of NumPy, which is a constant to it, casts to bfloat16 and back in
    JAX's words, or sums up from the end, and in a gradient of a loop. Derivatives are those of the
    ops: a rule that the original brings along (`jax.custom_jvp`, `jax.nn.relu` at 0) is lost.

    Raises:
        GraphError: The graph has symbolic sizes; bind them first.
        ShapeError: An argument does not have the captured shape (when called).
        DataError: An index is out of range (when called, outside of any trace).

    Example:
        >>> import jax.numpy as jnp
        >>> from tensorem.graph import capture
        >>> to_jax(capture(lambda x: x * 2.0, (3,)))(jnp.ones(3)).tolist()
        [2.0, 2.0, 2.0]
    """
    program = to_program(graph)
    numbers = {k: a for k, a in graph.arrays.items() if is_constant(k) and a.ndim == 0}
    arrays = {k: a for k, a in graph.arrays.items() if k not in numbers}
    takes_indices = any(graph.specs[name].dtype in INTEGER for name in graph.inputs)

    def whole(arrays: Mapping[str, Any], *xs: Tree) -> Tree:
        # The compiler sees the number 3 of x * 3: as an argument it would be rounded otherwise.
        return program({**arrays, **numbers}, *xs)

    compiled = watched(whole) if takes_indices else jax.jit(whole)

    def run(*xs: Tree) -> Tree:
        with graph.precision():
            if not takes_indices:
                return compiled(arrays, *xs)
            y, is_wrong = compiled(arrays, *xs)
            if is_wrong:
                with jax.disable_jit():
                    program(graph.arrays, *xs)  # where an op sees values, a wrong index is an error
            return y

    return run


def to_program(graph: Graph) -> Callable[..., Any]:
    """`to_jax`, not compiled, as a function of the graph's arrays and then of its arguments.

    Raises:
        GraphError: The graph has symbolic sizes; bind them first.
    """
    require_bound(graph)

    def program(arrays: Mapping[str, Any], *xs: Tree) -> Tree:
        values = read(graph, _apply, _flat_arguments(graph, xs), arrays)
        return unflatten(graph.gives, dict(zip(graph.outputs, values, strict=True)))

    return program


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
    return results(node.row(*operands, **node.attrs))


def _scan(node: Node, body: Graph, operands: list[Any]) -> list[Any]:
    loop = node.loop
    constants, rest = operands[: loop.fixed], operands[loop.fixed :]

    def step(state: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        given = read(body, _apply, [*constants, *state, *slices], {})
        return given[: loop.carried], given[loop.carried :]

    state, stacks = rest[: loop.carried], rest[loop.carried :]
    last, stacked = lax.scan(step, state, stacks, length=loop.count, reverse=loop.reverse)
    return [*last, *stacked]
