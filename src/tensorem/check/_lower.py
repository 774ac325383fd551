"""A graph lowered to steps: every op by its rule, and the plan of what to tighten."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ._bounds import CHUNK, Program, sources_of
from ._build import Builder, Value
from ._call import Call
from ._errors import MalformedError, RejectedError, UnsupportedError
from ._graph import Graph, Node
from ._numbers import Arithmetic, Array, Constant
from ._ops import OPS
from ._steps import Affine, Input, Max, Relu, Step, Sum, cost

OVERHEAD = 2**18
"""The multiplications that take as long as starting one step."""


def lower(graph: Graph, arrays: Mapping[str, Array], a: Arithmetic) -> Program:
    """The steps of a graph, every shape recomputed."""
    builder = Builder(a)
    shape = graph.shapes[graph.input]
    values: dict[str, Value] = {graph.input: builder.push(Input(math.prod(shape)), shape)}
    for name in graph.arrays:
        exact = np.asarray(arrays[name], np.float64)
        values[name] = Constant(exact, exact)
    for node in graph.nodes:
        values[node.output] = _lower_node(builder, node, values, graph)
    output = builder.step_of(values[graph.output])
    steps = tuple(builder.steps)
    tightened = _tightened(steps)
    _check_work(steps, tightened, builder.sizes, a)
    return Program(steps, output, tightened, max(builder.sizes))


def _lower_node(builder: Builder, node: Node, values: Mapping[str, Value], graph: Graph) -> Value:
    if node.op not in OPS:
        raise UnsupportedError(f"op `{node.op[:80]}` is not one that this checker knows")
    rule, counts, attrs = OPS[node.op]
    if len(node.inputs) not in (counts or range(1, 1000)):
        raise MalformedError(f"op `{node.op}` of `{node.output}` has {len(node.inputs)} operands")
    if node.attrs.keys() != attrs:
        raise MalformedError(f"op `{node.op}` of `{node.output}` takes attrs {sorted(attrs)}")
    builder.spend(math.prod(graph.shapes[node.output]))
    call = Call(builder, node, [values[n] for n in node.inputs], graph.shapes[node.output])
    try:
        return rule(call)
    except RejectedError as error:
        raise UnsupportedError(f"op `{node.op}` of `{node.output}`: {error}") from None


def _tightened(steps: Sequence[Step]) -> frozenset[int]:
    """The mixing steps that a bend reads through steps that lose nothing, but for first ones.

    On a first mixing step of a box the interval bounds are the exact range already.
    """
    moving = _moving(steps)
    deep: list[bool] = []
    for step in steps:
        above = any(deep[s] for s in sources_of(step))
        blurred = any(_mixes(steps[s], moving) or isinstance(steps[s], Relu | Max)
                      for s in sources_of(step))  # fmt: skip
        deep.append(above or blurred)
    wanted = {s for step in steps if isinstance(step, Relu | Max) for s in step.sources}
    for i in range(len(steps) - 1, -1, -1):
        if i in wanted and not _mixes(steps[i], moving) and not isinstance(steps[i], Relu | Max):
            wanted |= set(sources_of(steps[i]))
    return frozenset(i for i in wanted if deep[i] and _mixes(steps[i], moving))


def _moving(steps: Sequence[Step]) -> list[bool]:
    moving: list[bool] = []
    for step in steps:
        moving.append(isinstance(step, Input) or any(moving[s] for s in sources_of(step)))
    return moving


def _mixes(step: Step, moving: Sequence[bool]) -> bool:
    several = isinstance(step, Sum) and sum(moving[s] for s in step.sources) > 1
    return isinstance(step, Affine) or several


def _check_work(
    steps: Sequence[Step], tightened: frozenset[int], sizes: Sequence[int], a: Arithmetic
) -> None:
    so_far = work = 0
    for i, step in enumerate(steps):
        so_far += cost(step)
        work += cost(step) + OVERHEAD
        if i in tightened:
            work += 2 * (sizes[i] * so_far + (1 + sizes[i] * max(sizes) // CHUNK) * i * OVERHEAD)
    if work > a.work_limit:
        raise UnsupportedError(f"a check in {a.name} arithmetic would take {work} multiplications")
