"""The verdict: a prepared graph, and what a certificate claims about it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ._bounds import least, propagate, tightened
from ._claim import Avoid, Claim, Robust, parse_claim, point
from ._errors import MalformedError, RejectedError, UnsupportedError
from ._files import (
    LARGEST_SIZE,
    graph_hash,
    parse_json,
    parse_safetensors,
    read_bytes,
    weights_hash,
)
from ._goals import Goal, against, parts, with_misses
from ._graph import Graph, Shape, parse_graph
from ._lower import lower, require_affordable
from ._numbers import (
    EXACT,
    FLOAT64,
    Arithmetic,
    Array,
    Enclosure,
    assert_gradual_underflow,
    float_above,
)
from ._program import Bounds, Program, Relax
from ._steps import EVIDENCE, Max, Relu, lines, opens, slopes

Tensors = Mapping[str, Array]
Programs = Mapping[str, Program]

MODES: dict[str, Arithmetic] = {"float64": FLOAT64, "exact": EXACT}

LARGEST_CLAIM = 2**23
"""The most characters of a claim: every number in it is read as an exact decimal."""

REPLAY_TOLERANCE = 1e-4
"""How far recorded outputs may be from the real ones, relative to 1 + the largest of them."""


@dataclass(frozen=True)
class Result:
    """What the checker says about a claim.

    Args:
        accepted: Whether the claim follows, for certain.
        reason: Why, or why not, in one line.
        margin: The least proved value of y[label] - y[j], rounded down; None if it came not so far.
    """

    accepted: bool
    reason: str
    margin: float | None = None


@dataclass(frozen=True)
class Checker:
    """A graph with its weights, read once, ready to check any number of certificates."""

    graph: Graph
    arrays: Mapping[str, Array]
    graph_hash: str
    weights_hash: str
    _programs: dict[str, Program] = field(default_factory=dict, repr=False)

    def check(
        self, claim: str | Mapping[str, Any], tensors: Mapping[str, Array], mode: str = "float64"
    ) -> Result:
        """Whether the claim follows from the graph, the weights and the certificate's tensors.

        Args:
            claim: The claim, as JSON text or parsed.
            tensors: `center`, `outputs`, and for the method crown `slope.*` and `pick_*.*`.
            mode: "float64" with proved error terms, or "exact" in rationals, along lines of the
                same slopes.

        Raises:
            MalformedError: The claim or a tensor is not of its form.
            UnsupportedError: The claim asks for something that this checker does not know.
        """
        a = _arithmetic(mode)
        parsed = parse_claim(_document(claim, "the claim", LARGEST_CLAIM))
        tensors = {name: np.asarray(tensor) for name, tensor in tensors.items()}
        assert_gradual_underflow()
        try:
            with np.errstate(all="ignore"):
                margin = _margin(self, parsed, tensors, a)
        except RejectedError as error:
            return Result(False, str(error))
        if not margin > 0:
            return Result(False, f"a margin is not proved positive: {margin:.6g}", margin)
        return Result(True, f"every margin is at least {margin:.6g}", margin)

    def program(self, mode: str) -> Program:
        """The graph lowered to steps over the numbers of a mode, made once."""
        if mode not in self._programs:
            with np.errstate(all="ignore"):
                self._programs[mode] = self._lowered(_arithmetic(mode))
        return self._programs[mode]

    def _lowered(self, a: Arithmetic) -> Program:
        if a.name != "float64":
            require_affordable(self.program("float64"), a)
            return lower(self.graph, self.arrays, a)
        program = lower(self.graph, self.arrays, a)
        require_affordable(program, a)
        return program


def prepare(graph: str | bytes | Mapping[str, Any], arrays: Mapping[str, Array]) -> Checker:
    """A checker for one graph and its weights.

    Args:
        graph: graph.json, as text or parsed.
        arrays: The float32 arrays that the graph names; others are not read.

    Raises:
        MalformedError: The graph is not well formed, or an array does not fit it.
        UnsupportedError: The graph is not one that can be checked.
    """
    document = _document(graph, "the graph")
    parsed = parse_graph(document)
    own = {name: _weights(name, arrays, parsed) for name in parsed.arrays}
    checker = Checker(parsed, own, graph_hash(document), weights_hash(own))
    checker.program("float64")
    return checker


def check(
    graph: str | bytes | Mapping[str, Any],
    arrays: Mapping[str, Array],
    claim: str | Mapping[str, Any],
    tensors: Mapping[str, Array],
    mode: str = "float64",
) -> Result:
    """Whether a certificate proves its claim about a graph; `prepare` serves many certificates."""
    return prepare(graph, arrays).check(claim, tensors, mode)


def prepare_files(graph: str | Path, weights: str | Path) -> Checker:
    """A checker for the graph and weights in files.

    Raises:
        MalformedError: A file is missing or not of its format.
        UnsupportedError: A file asks for something that this checker does not know.
    """
    document = _document(read_bytes(graph), "the graph")
    return prepare(document, parse_safetensors(read_bytes(weights), "the weights file"))


def check_files(
    graph: str | Path, weights: str | Path, certificate: str | Path, mode: str = "float64"
) -> Result:
    """Whether the certificate in a file proves its claim about the graph and weights in files.

    Raises:
        MalformedError: A file is missing or not of its format.
        UnsupportedError: A file asks for something that this checker does not know.
    """
    return prepare_files(graph, weights).check(*read_certificate(certificate), mode)


def read_certificate(path: str | Path) -> tuple[str, dict[str, Array]]:
    """The claim and the tensors of a certificate file, as `Checker.check` takes them."""
    file = parse_safetensors(read_bytes(path), "the certificate")
    if file.metadata.keys() != {"claim"}:
        raise MalformedError("the certificate's metadata is not one claim")
    return file.metadata["claim"], dict(file)


# --- the steps of a check


@dataclass(frozen=True)
class _Aim:
    """A claim held against its graph.

    Args:
        wanted: The tensors that its certificate holds: name -> dtype and shape.
        programs: What its goals are about, by mode.
        goals: They, once the tensors are of these forms.
    """

    wanted: Mapping[str, tuple[str, Shape]]
    programs: Programs
    goals: Callable[[], Iterator[Goal]]


def _margin(checker: Checker, claim: Claim, tensors: Tensors, a: Arithmetic) -> float:
    """The least lower bound of what must be positive: hashes, forms, replay, bounds, in order."""
    _require(claim.graph == checker.graph_hash, "the certificate is about another graph")
    _require(claim.weights == checker.weights_hash, "the certificate is about other weights")
    own = {mode: checker.program(mode) for mode in {"float64", a.name}}
    aim = (_label_aim if isinstance(claim.says, Robust) else _parts_aim)(
        checker, claim, tensors, own
    )
    _check_tensors(tensors, aim.wanted)
    _check_numbers(tensors, own[a.name])
    margins: list[Any] = []
    for goal in aim.goals():
        lined = goal.tensors if claim.method == "crown" else None
        if not margins:
            _replay(own, tensors, lined, a)
        margins.append(_least_on(aim.programs, goal, lined, a))
    return -float_above(-min(margins))


def _least_on(programs: Programs, goal: Goal, lined: Tensors | None, a: Arithmetic) -> Any:
    """The least lower bound of the rows of a goal on its box."""
    program, values = programs[a.name], _values(programs, goal.box, lined, a)
    margins = least(program, values, program.output, goal.count, goal.rows, a)
    _require(a.finite(margins), "a margin is not finite")
    return min(margins)


def _label_aim(checker: Checker, claim: Claim, tensors: Tensors, own: Programs) -> _Aim:
    says, classes = claim.says, _classes(checker.graph)
    assert isinstance(says, Robust)
    _require(0 <= says.label < classes, f"label {says.label} is not one of {classes} classes")
    wanted = _wanted(checker.graph, own["float64"], claim.method, ())
    return _Aim(wanted, own, lambda: iter([against(says, classes, tensors)]))


def _parts_aim(checker: Checker, claim: Claim, tensors: Tensors, own: Programs) -> _Aim:
    says, inputs = claim.says, math.prod(checker.graph.shapes[checker.graph.input])
    assert isinstance(says, Avoid)
    _require(len(says.lower) == inputs, f"the box is not one of {inputs} inputs")
    nodes = np.size(tensors.get("cut_axis", 0))
    leaves, rows = nodes // 2 + 1, sum(map(len, says.unsafe))
    if nodes * inputs > LARGEST_SIZE:
        raise UnsupportedError("the claim takes more parts than there is memory for their ends")
    for mode in own:
        require_affordable(own["float64"], MODES[mode], leaves, rows)
    wanted = _wanted(checker.graph, own["float64"], claim.method, (leaves,))
    wanted |= {"cut_axis": ("int32", (nodes,)), "cut_at": ("float32", (nodes,))}
    wanted["multipliers"] = ("float32", (leaves, rows))
    aimed = {mode: with_misses(program, says, MODES[mode]) for mode, program in own.items()}
    return _Aim(wanted, aimed, lambda: parts(says, tensors))


def _check_numbers(tensors: Tensors, program: Program) -> None:
    """Refuse what is not finite, slopes outside [0, 1], and picks that are not of the window."""
    windows = {step.name: step.inside for step in program.steps if isinstance(step, Max)}
    for name, values in tensors.items():
        kind, _, step = name.partition(".")
        if kind == "slope":
            _require(np.all((values >= 0) & (values <= 1)), f"`{name}` leaves [0, 1]")
        elif kind in ("pick_lower", "pick_upper"):
            inside = windows[step]
            picks = values.reshape(-1, len(inside))
            _require(
                np.all((picks >= 0) & (picks < inside.shape[1])), f"`{name}` leaves the window"
            )
            _require(np.all(inside[np.arange(len(inside)), picks]), f"`{name}` picks padding")
        elif kind == "multipliers":
            _require(
                np.all((values >= 0) & (values < np.inf)), "a multiplier is negative or not finite"
            )
        else:
            _require(np.all(np.isfinite(values)), f"`{name}` is not finite")


def _require(true: object, otherwise: str) -> None:
    if not bool(true):
        raise RejectedError(otherwise)


def _values(
    programs: Programs,
    box_in: Callable[[Arithmetic], Enclosure],
    lined: Tensors | None,
    a: Arithmetic,
) -> Bounds:
    """Bounds of every value on a box; what is opened, and the slopes, are those of float64."""
    if lined is None:
        return propagate(programs[a.name], box_in(a), None, a)
    first = MODES["float64"]
    drawn = Relax(
        lambda _, step, x: lines(step, x, slopes(step, x, lined), lined, first),
        lambda _, step, x: opens(step, x),
    )
    values = propagate(programs[first.name], box_in(first), drawn, first)
    if a is first:
        return values
    same = Relax(
        lambda i, step, x: lines(step, x, values.lines[i].slopes, lined, a),
        lambda i, *_: values.opened[i],
    )
    return propagate(programs[a.name], box_in(a), same, a)


def _replay(programs: Programs, tensors: Tensors, lined: Tensors | None, a: Arithmetic) -> None:
    """Refuse recorded outputs unless the graph gives them at the centre, up to float32 noise."""
    recorded = a.numbers(tensors["outputs"].ravel().astype(np.float64))
    tolerance = REPLAY_TOLERANCE * (1 + np.abs(recorded).max())
    # Intervals first: at a point they nearly always suffice, and cost no backward pass.
    program = programs[a.name]
    for given in (None, lined):
        values = _values(programs, lambda a: point(tensors["center"], a), given, a)
        at = np.arange(program.starts[-1])[program.output.at]
        real = values.at(at) if given is None else tightened(program, values, at, a)
        off = np.max(np.maximum(recorded - real.lower, real.upper - recorded))
        if off <= tolerance:
            return
    raise RejectedError(
        f"the graph does not give the recorded outputs: off by {float_above(off):.3g}"
    )


# --- forms


def _document(
    given: str | bytes | Mapping[str, Any], what: str, most: float = math.inf
) -> dict[str, Any]:
    """A JSON object; one that is parsed already goes through text, so that both are alike."""
    try:
        text = given if isinstance(given, str | bytes) else json.dumps(given)
    except (TypeError, ValueError, RecursionError) as error:
        raise MalformedError(f"{what} is not JSON: {str(error)[:200]}") from None
    if len(text) > most:
        raise UnsupportedError(f"{what} is longer than {most} characters")
    return parse_json(text, what)


def _arithmetic(mode: str) -> Arithmetic:
    if mode not in MODES:
        raise UnsupportedError(f"mode {mode!r} is not one of {', '.join(MODES)}")
    return MODES[mode]


def _classes(graph: Graph) -> int:
    shape = graph.shapes[graph.output]
    if len(shape) != 2 or shape[0] != 1 or shape[1] < 2:
        raise UnsupportedError(
            f"the output has shape {shape}; a label takes (1, classes), classes > 1"
        )
    return shape[1]


def _weights(name: str, arrays: Mapping[str, Array], graph: Graph) -> Array:
    if name not in arrays:
        raise MalformedError(f"array `{name}` is missing from the weights")
    array = np.array(arrays[name])  # a copy: the hash is of what will be checked
    if array.dtype.name != "float32":
        raise UnsupportedError(f"array `{name}` has dtype {array.dtype}; known is float32")
    if array.shape != graph.shapes[name]:
        shape = graph.shapes[name]
        raise MalformedError(f"array `{name}` has shape {array.shape}, the graph says {shape}")
    if not bool(np.all(np.isfinite(array))):
        raise MalformedError(f"array `{name}` is not finite")
    return array


def _wanted(
    graph: Graph, program: Program, method: str, boxes: Shape
) -> dict[str, tuple[str, Shape]]:
    """The tensors that a certificate holds, for so many boxes: name -> dtype and shape."""
    wanted = {"center": ("float32", graph.shapes[graph.input])}
    wanted["outputs"] = ("float32", graph.shapes[graph.output])
    if method == "ibp":
        return wanted
    for step in program.steps:
        if isinstance(step, Relu | Max):
            shape = (*boxes, *graph.shapes[step.name])
            kinds = EVIDENCE[type(step)].items()
            wanted |= {f"{kind}.{step.name}": (dtype, shape) for kind, dtype in kinds}
    return wanted


def _check_tensors(tensors: Mapping[str, Array], wanted: Mapping[str, tuple[str, Shape]]) -> None:
    for name in wanted.keys() - tensors.keys():
        raise MalformedError(f"tensor `{name}` is missing from the certificate")
    for name in tensors.keys() - wanted.keys():
        raise MalformedError(f"tensor `{name}` is not one that this certificate takes")
    for name, (dtype, shape) in wanted.items():
        found = tensors[name]
        if found.dtype.name != dtype or found.shape != shape:
            raise MalformedError(
                f"tensor `{name}` takes {dtype} of shape {shape}, "
                f"got {found.dtype.name} of shape {found.shape}"
            )
