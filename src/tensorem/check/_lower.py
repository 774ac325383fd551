"""A graph lowered to steps: every op by its rule, and the plan of what to tighten."""

from __future__ import annotations

import itertools
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

OVERHEAD, PER_ENTRY = 2**18, 2**4
"""The multiplications that take as long as starting one step, and as passing one entry."""


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
    program = Program(steps, output, _tightened(steps), _widest(steps, builder.sizes))
    _check_work(program, builder.sizes, a)
    return program


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


def _widest(steps: Sequence[Step], sizes: Sequence[int]) -> int:
    """The most entries of values that are open at one time: from the last reader of each to it."""
    last = list(range(len(steps)))
    for i, step in enumerate(steps):
        for source in sources_of(step):
            last[source] = i
    change = [0] * (len(steps) + 1)
    for i, size in enumerate(sizes):
        change[i] += size
        change[last[i] + 1] -= size
    return max(itertools.accumulate(change))


def _check_work(program: Program, sizes: Sequence[int], a: Arithmetic) -> None:
    so_far = work = 0
    for i, step in enumerate(program.steps):
        so_far += cost(step) + PER_ENTRY * sizes[i]
        work += cost(step) + OVERHEAD
        if i in program.tightened or i == program.output:
            passes = 1 + sizes[i] * program.width // CHUNK
            work += 2 * (sizes[i] * so_far + passes * i * OVERHEAD)
    if work > a.work_limit:
        raise UnsupportedError(f"a check in {a.name} arithmetic would take {work} multiplications")
