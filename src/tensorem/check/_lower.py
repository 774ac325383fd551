"""A graph lowered to steps: every op by its rule, and the plan of what to tighten."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ._call import Applied, Draft, Value
from ._errors import MalformedError, RejectedError, UnsupportedError
from ._graph import Graph, Node
from ._numbers import Arithmetic, Array, exactly, require_few
from ._ops import OPS as PLAIN
from ._program import Program
from ._smooth import OPS as SMOOTH
from ._steps import Affine, Box, Read, Smooth, Stage, read

OPS = PLAIN | SMOOTH
KNOWN = frozenset(OPS)
"""The names of the ops that are checked; a graph with another one is refused."""
OVERHEAD, PER_ENTRY, SEARCH = 2**18, 2**4, 2**13
"""The multiplications that take as long as starting one step, passing one entry, drawing a line."""


def lower(graph: Graph, arrays: Mapping[str, Array], a: Arithmetic) -> Program:
    """The steps of a graph, every shape recomputed."""
    draft = Draft(a)
    shape = graph.shapes[graph.input]
    values: dict[str, Value] = {graph.input: draft.push(Box(math.prod(shape)), shape)}
    for name in graph.arrays:
        draft.spend(math.prod(graph.shapes[name]))
        values[name] = exactly(arrays[name], a)
    for node in graph.nodes:
        values[node.output] = _lower_node(draft, node, values, graph)
    output = read(draft.entries(values[graph.output]))
    steps, starts = tuple(draft.steps), tuple(draft.starts)
    return Program(steps, starts, output, _tightened(steps, starts), draft.spent, draft.work)


def _lower_node(draft: Draft, node: Node, values: Mapping[str, Value], graph: Graph) -> Value:
    if node.op not in OPS:
        raise UnsupportedError(f"op `{node.op[:80]}` is not one that this checker knows")
    rule, counts, attrs = OPS[node.op]
    if len(node.inputs) not in (counts or range(1, 1000)):
        raise MalformedError(f"op `{node.op}` of `{node.output}` has {len(node.inputs)} operands")
    if node.attrs.keys() != attrs:
        raise MalformedError(f"op `{node.op}` of `{node.output}` takes attrs {sorted(attrs)}")
    draft.spend(math.prod(graph.shapes[node.output]))
    call = Applied(draft, node, [values[n] for n in node.inputs], graph.shapes[node.output])
    try:
        value = rule(call)
    except RejectedError as error:
        raise call.unsupported(str(error)) from None
    call.expect(value.shape)
    return value


def _tightened(steps: Sequence[Stage], starts: Sequence[int]) -> frozenset[int]:
    """The steps that a bend reads and whose interval bounds may be loose.

    Depth 0 are entries that do not depend on each other, where intervals are exact; depth 1 is one
    mixing of these, still exact; depth 2 the rest.
    """
    depth: list[int] = []
    wanted: set[int] = set()
    for step in steps:
        if isinstance(step, Box):
            depth.append(0)
            continue
        sources = _sources(step.read, starts)
        deepest = max(depth[s] for s in sources)
        if not isinstance(step, Affine):
            wanted |= sources
            depth.append(2)
        else:
            mixes = step.weight.shape[1] > 1
            depth.append(min(deepest + mixes, 2))
    return frozenset(i for i in wanted if depth[i] == 2)


def _sources(source: Read, starts: Sequence[int]) -> set[int]:
    """The steps whose entries are read."""
    hit: Array = np.r_[source.hit]
    return set((np.searchsorted(starts, hit, side="right") - 1).tolist())


def require_affordable(program: Program, a: Arithmetic, boxes: int = 1, forms: int = 0) -> None:
    """Refuse a graph of which one check, a backward pass from here and there, costs too much.

    Of several boxes each is one more, and of so many forms of the outputs each is one more row.

    The steps are the same in every arithmetic: those of float64 tell what exact ones will cost
    before a number of them is made.
    """
    require_few(program.spent, a)
    each, work, bits = 0, program.work, 0
    for i, step in enumerate(program.steps):
        each += _cost(step) + PER_ENTRY * step.count
        bits += _bits(step)
        work += SEARCH * step.count if isinstance(step, Smooth) else 0
        rows = 2 * step.count if i in program.tightened else 0
        rows += program.output.count if i == len(program.steps) - 1 else 0
        work += rows * each * a.cost(bits) + -(-rows // program.rows_at_once) * i * OVERHEAD
    work = boxes * (work + forms * (each + forms * program.output.count) * a.cost(bits))
    if work > a.work_limit:
        raise UnsupportedError(f"a check in {a.name} arithmetic would take {work} multiplications")


def _cost(step: Stage) -> int:
    """The multiplications of one pass with one row."""
    if isinstance(step, Box):
        return 0
    return step.read.count + (step.places * step.weight.size if isinstance(step, Affine) else 0)


def _bits(step: Stage) -> int:
    """About how many bits longer its constants make a number."""
    if not isinstance(step, Affine):
        return 0
    k: int = step.weight.shape[1]
    return _spread(step.weight) + _spread(step.bias) + k.bit_length()


def _spread(x: Array) -> int:
    """The bits of the integers that floats are over one common denominator, at most."""
    exponents = np.frexp(x[x != 0])[1]
    return int(np.ptp(exponents)) + 53 if exponents.size else 0
