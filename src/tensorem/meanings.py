"""One model, many meanings: a model or graph read in floats, rationals, balls or intervals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TypeVar

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorem import check, nn
from tensorem import graph as graphs
from tensorem.calls import named
from tensorem.domains import Ball, Interval, Rational
from tensorem.domains._ball import BITS, LEAST_BITS, MOST_BITS
from tensorem.dtypes import FLOATING, HALF, as_numbers, is_floating, taken
from tensorem.errors import ArgumentError, DTypeError, ShapeError
from tensorem.graph import (
    Graph,
    Node,
    by_rows,
    graph_of,
    read,
    to_jax,
    unflatten,
)
from tensorem.ops import Unsupported
from tensorem.rules._kinds import DTYPE
from tensorem.shapes import Spec, solve

Operand = ArrayLike | Ball | Interval | Rational | Sequence["Operand"] | Mapping[str, "Operand"]
"""An array, a list of numbers, a box; a tree of these where the input is one."""
Arguments = dict[str, Any]
"""Arguments by the names of a graph's inputs."""
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class GraphModel:
    """A graph as a function: what a model is without the code that made it.

    Args:
        graph: The program, with its weights.

    Example:
        >>> import numpy as np
        >>> double = GraphModel(capture(lambda x: x + x, ("N", 2)))
        >>> double
        GraphModel(float32 (N, 2) -> float32 (N, 2), 1 nodes)
        >>> double(np.ones((1, 2), np.float32)).tolist()
        [[2.0, 2.0]]
    """

    graph: Graph

    def __call__(self, *xs: Operand) -> Any:
        """The value at xs, compiled once for each batch size.

        Args:
            xs: Arrays, or lists of numbers.

        Raises:
            ShapeError: A shape is not that of `input`.
            DTypeError: A dtype is not that of `input`, and the values do not survive conversion.
        """
        values = _computed(self.graph, _leaves(self.graph, xs))
        run = self._compiled(_sizes(self.graph, values))
        return run(*_trees(self.graph, values))

    @property
    def input(self) -> Any:
        """The spec of the input; a tuple of them where there are several."""
        specs = tuple(unflatten(tree, self.graph.specs) for tree in self.graph.takes)
        return specs[0] if len(specs) == 1 else specs

    @property
    def output(self) -> Any:
        """The spec of the output."""
        return unflatten(self.graph.gives, self.graph.specs)

    def __repr__(self) -> str:
        return f"GraphModel({self.input} -> {self.output}, {len(self.graph.nodes)} nodes)"

    def _compiled(self, sizes: Mapping[str, int]) -> Callable[..., Any]:
        key = tuple(sorted(sizes.items()))
        if key not in self._programs:
            self._programs[key] = to_jax(self.graph.bind(**sizes))
        return self._programs[key]

    @cached_property
    def _programs(self) -> dict[tuple[tuple[str, int], ...], Callable[..., Any]]:
        return {}


Readable = nn.Model | GraphModel | Graph


def capture(model_or_function: Readable | Callable[..., Any], *specs: object) -> Graph:
    """The graph of a model, or of a pure function of arrays of these shapes.

    Raises:
        ArgumentError: Specs are given for a model, which has its own, or none for a function.
        CaptureError: It does something that no graph can say.

    Example:
        >>> import jax.numpy as jnp
        >>> print(capture(lambda x: jnp.tanh(x) * x, (3,)))
        graph(x0: float32(3,)):
          tanh_0: float32(3,) = tanh(x0)
          mul_1: float32(3,) = mul(tanh_0, x0)
          return mul_1
    """
    if isinstance(model_or_function, nn.Model | GraphModel | Graph):
        if specs:
            raise ArgumentError("tm.capture takes a model alone: its input is known, got specs.")
        return _graph_of(model_or_function)
    if isinstance(model_or_function, nn.Layer) or not callable(model_or_function):
        raise ArgumentError(
            f"tm.capture takes a model or a function, got {type(model_or_function).__name__}.",
            help="build a layer first: nn.build(layer, input=...).",
        )
    return graphs.capture(model_or_function, *specs)


def evaluate(model: Readable, *xs: Operand, dtype: str = "float32") -> Any:
    """The value of a model or graph at xs, read in one of several arithmetics.

    Args:
        model: A model, or a graph.
        xs: Arrays; floats are taken exactly as they are, for an input of integers its dtype must
            hold the numbers. A list stands for its numbers in the dtype of the input, so that every
            reading sees the same ones. For "interval" an input may be a `domains.Interval`: the
            result then encloses the values on the box.
        dtype: "float32", "float64", "float16" and "bfloat16" compute; the last two round weights
            and inputs first, each to the nearest. "rational" is exact; "interval" is rounded
            outward, so that it encloses the exact value; so does "ball", with 128 bits, or with as
            many as "ball[1000]" says, so that exp, softmax or erf read to any number of digits. In
            these three integers have no largest one: where int32 would overflow, they say what the
            sum or product is.

    Returns:
        A NumPy array, a `Rational`, an `Interval` or a `Ball`, in the tree of the model's output.

    Raises:
        DTypeError: There is no such meaning, or the dtype of an input does not hold the numbers.
        ShapeError: A shape is not that of the model's input.
        ArgumentError: An op does not take these sizes, such as the last but one of a single entry.
        MeaningError: An op has no such meaning, such as an irrational function in rationals; or
            python-flint is not installed, which balls are made of.

    Example:
        >>> import numpy as np
        >>> third = capture(lambda x: x / 3, (1,))
        >>> evaluate(third, np.ones(1, np.float32), dtype="rational")
        Rational([1/3])
    """
    meaning = _meaning(dtype)
    if meaning is None:
        _require_float32(_graph_of(model))
        run = model if isinstance(model, nn.Model) else GraphModel(_graph_of(model))
        return jax.tree.map(np.asarray, run(*xs))
    graph = _graph_of(model)
    values = {k: _numbers(x, graph.specs[k].dtype) for k, x in _leaves(graph, xs).items()}
    return meaning(graph.bind(**_sizes(graph, values)), values)


def _meaning(dtype: str) -> Meaning | None:
    """How a graph is read in a dtype; None for float32, in which the model runs itself."""
    if dtype == "float32":
        return None
    found = _BALL.fullmatch(dtype) if isinstance(dtype, str) else None
    if found is not None:
        bits = int(found[1] or BITS)
        if not LEAST_BITS <= bits <= MOST_BITS:
            raise DTypeError(f"ball takes {LEAST_BITS} to {MOST_BITS} bits, got {found[1]}.")
        return partial(_in_balls, bits)
    if dtype not in _MEANINGS:
        raise DTypeError(
            f"tm.evaluate takes dtype {', '.join(_NAMES)}, got {dtype!r}.",
            help="floats compute, rational is exact, interval and ball enclose.",
        )
    return _MEANINGS[dtype]


def _require_float32(graph: Graph) -> None:
    given = {graph.specs[name].dtype for name in graph.inputs}
    other = {dtype for dtype in given if dtype in FLOATING} - {"float32"}
    if other:
        raise DTypeError(
            f'The model takes {", ".join(sorted(other))}, got dtype="float32".',
            help='call it, model(x), or read it with dtype="float64".',
        )


def _in_floats(dtype: str, graph: Graph, values: Arguments) -> object:
    if dtype in HALF:
        values = {k: _rounded(x, dtype, k) for k, x in values.items()}
    whole = _retyped(graph, dtype)
    return jax.tree.map(np.asarray, to_jax(whole)(*_trees(whole, _computed(whole, values))))


def _in_rationals(graph: Graph, values: Arguments) -> object:
    arrays = {name: Rational.of(array) for name, array in graph.arrays.items()}
    return _read(graph, "exact", list(map(_rational, values.values())), arrays)


def _in_balls(bits: int, graph: Graph, values: Arguments) -> object:
    arrays = {name: Ball.of(array, bits) for name, array in graph.arrays.items()}
    return _read(graph, "ball", [_ball(x, bits) for x in values.values()], arrays)


def _in_intervals(graph: Graph, values: Arguments) -> object:
    arrays = {name: Interval.point(array) for name, array in graph.arrays.items()}
    return _read(graph, "interval", list(map(_interval, values.values())), arrays)


Meaning = Callable[[Graph, Arguments], object]
_BALL = re.compile(r"ball(?:\[(\d{1,9})\])?", re.ASCII)
_MEANINGS: dict[str, Meaning] = {
    **{dtype: partial(_in_floats, dtype) for dtype in ("float64", *HALF)},
    "rational": _in_rationals,
    "interval": _in_intervals,
}
_NAMES = ("float32", *_MEANINGS, "ball", "ball[bits]")


def _read(graph: Graph, meaning: str, inputs: list[Any], arrays: Mapping[str, Any]) -> object:
    results = read(graph, by_rows(meaning), inputs, arrays)
    return unflatten(graph.gives, dict(zip(graph.outputs, results, strict=True)))


def _graph_of(model: Readable) -> Graph:
    if isinstance(model, nn.Model | GraphModel | Graph):
        return graph_of(model)
    raise ArgumentError(
        f"tm.evaluate takes a model or a graph, got {type(model).__name__}.",
        help="capture a function first: tm.capture(f, (3,)).",
    )


def _rational(x: object) -> Rational:
    if isinstance(x, Ball | Interval):
        kind = type(x).__name__
        raise DTypeError(
            f"An exact reading takes numbers, got {'an' if kind[0] == 'I' else 'a'} {kind}.",
            help=f'write dtype="{kind.lower()}".',
        )
    return Rational.of(x)


def _ball(x: object, bits: int) -> Ball:
    if isinstance(x, Interval):
        return Ball.between(x.lower, x.upper, bits)
    return x if isinstance(x, Ball) else Ball.of(x, bits)


def _interval(x: object) -> Interval:
    if isinstance(x, Ball):
        raise DTypeError("An interval reading takes numbers or a box, got a Ball.")
    if isinstance(x, Interval):
        return x
    numbers = x.fractions() if isinstance(x, Rational) else x
    return Interval.of(numbers, numbers)


# --- arguments


def boxed(model: Readable, xs: tuple[Operand, ...]) -> tuple[Graph, dict[str, Interval]]:
    """The graph of a model without names of sizes, and its arguments as boxes, by name.

    Raises:
        ShapeError: A shape is not that of the model's input.
        DTypeError: The dtype of an input does not hold the numbers.
    """
    graph = _graph_of(model)
    values = {k: _numbers(x, graph.specs[k].dtype) for k, x in _leaves(graph, xs).items()}
    boxes = {name: _interval(x) for name, x in values.items()}
    return graph.bind(**_sizes(graph, values)), boxes


def bound(graph: Graph, xs: tuple[Operand, ...]) -> tuple[Graph, Arguments]:
    """A graph without names of sizes, and its arguments and arrays by name, in its dtypes.

    Raises:
        ShapeError: A shape is not that of the graph's input.
        DTypeError: The dtype of an input does not hold the numbers.
    """
    values = _computed(graph, _leaves(graph, xs))
    return graph.bind(**_sizes(graph, values)), {**graph.arrays, **values}


def _leaves(graph: Graph, xs: tuple[Operand, ...]) -> Arguments:
    """The arguments by the names of the graph's inputs, in their order."""
    if len(xs) != len(graph.takes):
        raise ShapeError(f"The graph takes {len(graph.takes)} inputs, got {len(xs)}.")
    return {
        name: value
        for tree, x in zip(graph.takes, xs, strict=True)
        for name, value in _pairs(graph, tree, x)
    }


def _pairs(graph: Graph, tree: Any, x: object) -> Iterator[tuple[str, object]]:
    if isinstance(tree, str):
        yield tree, x
    elif isinstance(tree, Mapping):
        if not isinstance(x, Mapping) or x.keys() != tree.keys():
            raise ShapeError(f"The graph takes a dict of {sorted(tree)}, got {type(x).__name__}.")
        for key in sorted(tree):
            yield from _pairs(graph, tree[key], x[key])
    else:
        if not isinstance(x, tuple | list) or len(x) != len(tree):
            raise ShapeError(f"The graph takes a tuple of {len(tree)}, got {type(x).__name__}.")
        for part, value in zip(tree, x, strict=True):
            yield from _pairs(graph, part, value)


def _numbers(x: object, dtype: str) -> NDArray[Any] | Ball | Interval | Rational:
    """The numbers of an array of floats as they are, all others as the graph takes them."""
    if isinstance(x, Ball | Interval | Rational):
        return x
    with named("The graph"):
        is_typed = hasattr(x, "dtype") and dtype in FLOATING
        return as_numbers(x if is_typed else taken(x, dtype))


def _sizes(graph: Graph, values: Arguments) -> dict[str, int]:
    """The names of the graph's sizes as the shapes of the arguments have them."""
    sizes: dict[str, int] = {}
    for name, value in values.items():
        with named("The graph"):
            sizes |= solve(graph.specs[name].bind(sizes).shape, tuple(value.shape))
    return sizes


def _computed(graph: Graph, values: Arguments) -> Arguments:
    """The arguments in the dtypes that the graph takes."""
    return {name: _array(x, graph.specs[name].dtype) for name, x in values.items()}


def _array(x: object, dtype: str) -> jax.Array | NDArray[Any]:
    if isinstance(x, Ball | Interval | Rational):
        raise DTypeError(
            f"Computing in {dtype} takes arrays, got a {type(x).__name__}.",
            help='write dtype="interval", dtype="ball" or dtype="rational".',
        )
    with named("The graph"):
        return taken(x, dtype)


def _trees(graph: Graph, values: Arguments) -> tuple[Any, ...]:
    """The arguments in the trees that the graph takes."""
    return tuple(unflatten(tree, values) for tree in graph.takes)


def _retyped(graph: Graph, dtype: str) -> Graph:
    """The same program in other floats: specs, arrays and casts.

    Raises:
        DTypeError: A weight lies beyond them.
    """

    def typed(name: T) -> T | str:
        return dtype if name in FLOATING else name

    def node(node: Node) -> Node:
        attrs = {k: typed(v) if node.kinds[k] is DTYPE else v for k, v in node.attrs.items()}
        return replace(node, attrs=attrs, body=_retyped(node.body, dtype) if node.body else None)

    return replace(
        graph,
        nodes=tuple(map(node, graph.nodes)),
        specs={k: Spec(spec.shape, typed(spec.dtype)) for k, spec in graph.specs.items()},
        arrays={
            k: _rounded(array, typed(array.dtype.name), k) for k, array in graph.arrays.items()
        },
    )


def _rounded(x: Any, dtype: str, name: str) -> Any:
    """An array of floats rounded to a dtype, none of them to infinity; any other as it is."""
    if not isinstance(x, np.ndarray) or not is_floating(x.dtype):
        return x
    with np.errstate(all="ignore"):
        rounded = x.astype(dtype)
        overflown = np.isfinite(x) & ~np.isfinite(rounded.astype(np.float64))
    if not overflown.any():
        return rounded
    raise DTypeError(f"{dtype} does not hold {x[overflown][0]}.", where=name)


# --- what there is


def coverage(model: Readable) -> dict[str, str]:
    """For each reading of a model "" where there is one, or what stands in its way.

    "exact", "ball", "interval" and "lines" are the readings of `evaluate` and of bounds; "checker"
    is whether the independent checker knows every op.

    Raises:
        CaptureError: A layer does something that no graph can say.

    Example:
        >>> model = nn.build(nn.Sequential(nn.Linear(3, 2), nn.Tanh()), input=("N", 3))
        >>> coverage(model)["exact"], coverage(model)["interval"]
        ('tanh: its values at rational numbers are irrational', '')
    """
    nodes = tuple(_all_nodes(graph_of(model)))
    unknown = (f"{n.op}: the checker does not know it" for n in nodes if n.op not in check.KNOWN)
    meanings = ("exact", "ball", "interval", "lines")
    readings = {meaning: _hole(nodes, meaning) for meaning in meanings}
    return {**readings, "checker": next(unknown, "")}


def _all_nodes(graph: Graph) -> Iterator[Node]:
    """The nodes of a graph, and of the bodies of its loops in their place."""
    for node in graph.nodes:
        yield from _all_nodes(node.body) if node.body is not None else (node,)


def _hole(nodes: tuple[Node, ...], meaning: str) -> str:
    """The first op that does not have a meaning, and why; "" if all have it."""
    rules = ((node.op, getattr(node.row, meaning)) for node in nodes)
    return next((f"{op}: {r.because}" for op, r in rules if isinstance(r, Unsupported)), "")
