"""The graph: a pure program as a list of nodes, each one row of the op table; valid once made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from tensorem import runtime
from tensorem.calls import named
from tensorem.errors import ArgumentError, GraphError, TensoremError
from tensorem.graph._tree import Tree, flatten
from tensorem.ops import TABLE, Attr, Op
from tensorem.ops._op import results
from tensorem.rules._kinds import COUNT, FLAG, LENGTH, SHAPE, SIZES, Kind
from tensorem.shapes import UNKNOWN, Size, Spec, bind_size, format_shape, parse_size, size_of
from tensorem.shapes import sizes as traced_sizes

MOST_WORK = 10**7
"""The most ops that a graph may apply, with its loops read turn by turn."""
LOOP = "loop"
_CONSTANT = "const."


@dataclass(frozen=True)
class Loop:
    """How the body of a loop is read.

    Args:
        length: How often.
        fixed: Number of operands that are the same every time; they come first.
        carried: Number of operands that a reading passes on to the next; they come second. All
            further ones are stacks, of which every reading takes one slice.
        reverse: From the last slice to the first.
    """

    length: Size
    fixed: int
    carried: int
    reverse: bool

    @property
    def count(self) -> int:
        """How often, as a number.

        Raises:
            GraphError: It is still a name.
        """
        if not isinstance(self.length, int):
            raise GraphError(
                f"Reading a loop takes a length that is a number, got {self.length}.",
                help="write graph.bind(...) for its names.",
            )
        return self.length

    @property
    def turns(self) -> range:
        """The numbers of the slices, in the order of reading."""
        return range(self.count)[:: -1 if self.reverse else 1]

    def operands(self, body: Graph) -> list[Spec]:
        """The specs of what a loop with this body takes."""
        return self._specs(body, body.inputs, self.fixed + self.carried)

    def results(self, body: Graph) -> list[Spec]:
        """The specs of what a loop with this body gives: the last state, then the stacks."""
        return self._specs(body, body.outputs, self.carried)

    def _specs(self, body: Graph, names: tuple[str, ...], first: int) -> list[Spec]:
        """Those of the body's values, but stacks of them after the first few."""
        specs = [body.specs[name] for name in names]
        stacks = [Spec((self.length, *spec.shape), spec.dtype) for spec in specs[first:]]
        return [*specs[:first], *stacks]


_LOOP: Mapping[str, Kind] = {"length": LENGTH, "fixed": COUNT, "carried": COUNT, "reverse": FLAG}


@dataclass(frozen=True)
class Node:
    """One application of an op: values in, values out.

    Args:
        op: The name of a row of the op table, or "loop".
        inputs: Names of the operands.
        outputs: Names of the results.
        attrs: The op's attributes.
        body: For a loop, the graph that is read `attrs["length"]` times.
        place: The path of the layer that it is of, where capture knows; no meaning depends on it,
            and graph.json does not hold it.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    body: Graph | None = None
    place: str = field(default="", compare=False)

    @property
    def row(self) -> Op:
        """The row of the op table that this node applies."""
        if self.op not in TABLE:
            raise GraphError(f"A graph takes the ops of the table, got `{self.op}`.")
        return TABLE[self.op]

    @property
    def loop(self) -> Loop:
        """How a loop is read."""
        attrs = dict(self.attrs)
        return Loop(size_of(attrs.pop("length")), **attrs)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """What each attribute is."""
        return _LOOP if self.body is not None else self.row.attrs

    def bind(self, sizes: Mapping[str, int]) -> Node:
        """The node with integers in place of names."""
        kinds = self.kinds
        attrs = {
            name: _bind_attr(value, sizes) if kinds[name] in (SIZES, SHAPE, LENGTH) else value
            for name, value in self.attrs.items()
        }
        return replace(self, attrs=attrs, body=self.body and self.body._bound(sizes))


@dataclass(frozen=True)
class Graph:
    """A pure program: what is serialised, read in other meanings, and proved about.

    Args:
        inputs: Names of the arguments, flat.
        outputs: Names of the results, flat.
        nodes: In topological order.
        specs: Shape and dtype of every value.
        arrays: Weights (under their state-dict names) and constants.
        takes: The arguments as one tree of names each.
        gives: The result as a tree of names.

    Raises:
        GraphError: A value is used before it is made, made twice, missing, or of another shape or
            dtype than its op gives; or the loops run too long. The error names the value.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    specs: Mapping[str, Spec]
    arrays: Mapping[str, np.ndarray]
    takes: tuple[Tree, ...]
    gives: Tree

    def __post_init__(self) -> None:
        _check(self)

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def __repr__(self) -> str:
        sizes = ", ".join(format_shape(self.specs[name].shape) for name in self.inputs)
        return f"Graph({sizes}; {len(self.nodes)} nodes)"

    def bind(self, **sizes: int) -> Graph:
        """The graph with names replaced by integers.

        Raises:
            ArgumentError: A size is no integer, no size has this name, or an op does not take what
                it would get: the column 2 of an axis that is bound to 1.
            ShapeError: A size, such as T-2, would be below 0.

        Example:
            >>> from tensorem.graph import capture
            >>> capture(lambda x: x.mean(1), ("N", "T")).bind(T=5)
            Graph((N, 5); 1 nodes)
        """
        for name, size in sizes.items():
            if name not in self.names:
                known = ", ".join(sorted(self.names)) or "none"
                raise ArgumentError(f"bind takes names of sizes ({known}), got {name!r}.")
            if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 0:
                raise ArgumentError(f"bind takes integers of at least 0, got {name}={size!r}.")
        try:
            return self._bound({name: int(size) for name, size in sizes.items()})
        except GraphError as error:
            got = ", ".join(f"{name}={size}" for name, size in sizes.items())
            raise ArgumentError(
                f"bind takes sizes at which every op has a meaning, got {got}.",
                where=error.where,
                because=error.what,
            ) from None

    def _bound(self, sizes: Mapping[str, int]) -> Graph:
        specs = {name: spec.bind(sizes) for name, spec in self.specs.items()}
        return replace(self, specs=specs, nodes=tuple(node.bind(sizes) for node in self.nodes))

    def precision(self) -> AbstractContextManager[None]:
        """A context in which JAX computes in 64 bits where a value of the graph has them."""
        return runtime.precision(spec.dtype for spec in self.specs.values())

    @property
    def names(self) -> frozenset[str]:
        """The symbolic sizes that are still unbound."""
        sizes = [n for spec in self.specs.values() for n in spec.shape]
        bodies = [(node.loop.length, node.body) for node in self.nodes if node.body is not None]
        sizes += [length for length, _ in bodies]
        own = frozenset(name for n in sizes for name in getattr(n, "names", ()))
        return own.union(*(body.names for _, body in bodies))

    @property
    def has_loops(self) -> bool:
        """Whether a node is a loop."""
        return any(node.body is not None for node in self.nodes)

    @cached_property
    def work(self) -> int:
        """How many ops are applied, loops turn by turn; one whose length has a name counts once."""
        return sum(_work(node) for node in self.nodes)


def _work(node: Node) -> int:
    if node.body is None:
        return 1
    length = node.loop.length
    return (length if isinstance(length, int) else 1) * (1 + node.body.work)


# --- attributes


def _bind_attr(value: Attr, sizes: Mapping[str, int]) -> Attr:
    if isinstance(value, tuple):
        return tuple(_bind_attr(v, sizes) for v in value)
    return size_attr(bind_size(parse_size(value), sizes)) if isinstance(value, str) else value


def size_attr(size: object) -> int | str:
    """A size as it stands in attributes and JSON: an integer, or a polynomial as text.

    Example:
        >>> size_attr("T + 3"), size_attr("3 + T")  # of JAX too, one size has one text
        ('T+3', 'T+3')
    """
    if isinstance(size, int | np.integer):
        return int(size)
    [ours] = traced_sizes([size])
    return str(size if ours is UNKNOWN else ours)


def constant_name(number: int) -> str:
    """The name of a constant: one that no layer gives to its arrays."""
    return f"{_CONSTANT}{number}"


def is_constant(name: str) -> bool:
    """Whether an array of a graph is a constant of the program, and no weight."""
    return name.startswith(_CONSTANT)


# --- text


def _lines(graph: Graph, indent: str = "") -> Iterator[str]:
    def typed(name: str) -> str:
        spec = graph.specs[name]
        return f"{name}: {spec.dtype}{format_shape(spec.shape)}"

    yield f"{indent}graph({', '.join(map(typed, graph.inputs))}):"
    for node in graph.nodes:
        attrs = "".join(f", {k}={v}" for k, v in node.attrs.items())
        call = f"{node.op}({', '.join(node.inputs)}{attrs})"
        yield f"{indent}  {', '.join(map(typed, node.outputs))} = {call}"
        if node.body is not None:
            yield from _lines(node.body, indent + "    ")
    yield f"{indent}  return {', '.join(graph.outputs)}"


# --- is it well formed, and are its shapes those that the rows give?


def _check(graph: Graph) -> None:
    known: set[str] = set()
    for name in (*graph.inputs, *graph.arrays):
        if name in known:
            raise GraphError("An input or array has a name of its own.", where=name)
        known.add(name)
    _check_arrays(graph)
    for node in graph.nodes:
        _check_names(graph, node, known)
        _check_node(graph, node)
    for name in (*graph.outputs, *flatten(graph.gives)):
        if name not in known:
            raise GraphError(f"An output is a value of the graph, got `{name}`.")
    if list(flatten(graph.gives)) != list(graph.outputs):
        raise GraphError("`gives` holds the outputs in their order.")
    if list(flatten(list(graph.takes))) != list(graph.inputs):
        raise GraphError("`takes` holds the inputs in their order.")
    if graph.work > MOST_WORK:
        raise GraphError(
            f"A graph takes loops of {MOST_WORK} steps in all, turns times ops, got more.",
            help="make the loops shorter, or write a step of many as one op on an axis.",
        )


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


def _check_names(graph: Graph, node: Node, known: set[str]) -> None:
    for name in node.inputs:
        if name not in known:
            raise GraphError(f"`{name}` is used before it is made.", where=", ".join(node.outputs))
    for name in node.outputs:
        if name in known:
            raise GraphError(f"`{name}` is made twice.", where=node.op)
        if name not in graph.specs:
            raise GraphError(f"Every value has a spec, `{name}` has none.")
        known.add(name)


def _check_node(graph: Graph, node: Node) -> None:
    if (node.op == LOOP) != (node.body is not None):
        raise GraphError(f"A loop has a body, and no other node has; got `{node.op}`.")
    try:
        _check_attrs(node)
        _check_call(graph, node) if node.body is None else _check_loop(graph, node, node.body)
    except TensoremError as error:
        raise GraphError(
            error.what, where=", ".join(node.outputs), because=error.because, help=error.help
        ) from None


def _check_attrs(node: Node) -> None:
    kinds = node.kinds
    if node.attrs.keys() != kinds.keys():
        takes, got = (", ".join(sorted(names)) or "none" for names in (kinds, node.attrs))
        raise GraphError(f"`{node.op}` takes the attributes {takes}, got {got}.")
    for name, kind in kinds.items():
        value = node.attrs[name]
        if not kind.fits(value):
            raise GraphError(
                f"The attribute `{name}` of `{node.op}` takes {kind.takes}, got {value!r:.40}."
            )


def _check_call(graph: Graph, node: Node) -> None:
    row = node.row
    row.check_arity(len(node.inputs))
    try:
        with named(f"`{node.op}`"):
            given = results(row.shape(*_specs(graph, node.inputs), **node.attrs))
    except TensoremError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise GraphError(
            f"`{node.op}` cannot take these operands and attributes.", because=str(error)
        ) from None
    _require(f"`{node.op}` gives", given, _specs(graph, node.outputs))


def _check_loop(graph: Graph, node: Node, body: Graph) -> None:
    loop = node.loop
    _check_state(loop, body)
    _require("The loop takes", loop.operands(body), _specs(graph, node.inputs))
    _require("The loop gives", loop.results(body), _specs(graph, node.outputs))


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
    _require("The loop passes on", state, _specs(body, body.outputs[: loop.carried]))


def _require(what: str, specs: list[Spec], stated: list[Spec]) -> None:
    if stated != specs:
        raise GraphError(f"{what} {_listed(specs)}, the graph says {_listed(stated)}.")


def _specs(graph: Graph, names: Iterable[str]) -> list[Spec]:
    return [graph.specs[name] for name in names]


def _listed(specs: Iterable[Spec]) -> str:
    return ", ".join(map(str, specs)) or "nothing"
