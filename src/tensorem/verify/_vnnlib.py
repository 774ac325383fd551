"""VNN-LIB files as properties: the package `vnnlib` parses, here it is read as boxes and sets.

The package knows version 2. A file of version 1, which declares X_0 and Y_0 one by one, is spelled
anew first: its variables are the entries of one network's X and Y.

Source: the VNN-LIB standard, https://www.vnnlib.org.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Sized
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import reduce
from importlib import import_module
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tensorem.disk import parse_json, path_of, read_whole
from tensorem.errors import ArgumentError, FileError

from ._claim import decimal
from ._property import Inequality, Property

_LARGEST = 2**24
"""Bytes of a file."""
_DEEPEST = 64
"""Brackets within each other: the parser is not ours, and goes down with each."""
_MOST_CASES = 2**14
_MOST_ATOMS = 2**22
"""After every `or` has been multiplied out."""
_PLACES = 80
_CONTEXT = Context(prec=200)

T = TypeVar("T", bound=Sized)
Linear = dict[tuple[str, int], Fraction]
"""Coefficients by kind of variable and place; the constant too has a place."""
CONSTANT = ("Constant", 0)
Ends = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Atom:
    """A linear form is at most zero; strictly, below it."""

    form: Linear
    strict: bool


Cases = list[list[Atom]]
"""Any of several lists of atoms, of which all hold."""


def vnnlib(path: str | Path) -> tuple[Property, ...]:
    """The properties of a VNN-LIB file, of version 1 or 2, plain or in gzip: one for each box.

    What the file asserts is what is unsafe. All of its numbers are taken as exact decimals.

    Args:
        path: The file.

    Raises:
        FileError: It cannot be read, is malformed, too deep or too large, or asserts what is no box
            of inputs with linear inequalities of outputs.
        ArgumentError: The package vnnlib is not installed.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "below.vnnlib"
        >>> _ = file.write_text(
        ...     "(declare-const X_0 Real) (declare-const Y_0 Real)"
        ...     "(assert (>= X_0 -1)) (assert (<= X_0 0.5)) (assert (>= Y_0 2e-1))"
        ... )
        >>> [one] = vnnlib(file)
        >>> one.lower, one.upper, one.unsafe[0][0].terms, one.unsafe[0][0].bound
        (('-1',), ('0.5',), ((0, '-1'),), '-0.2')
    """
    file = path_of(path)
    try:
        query = _parsed(_text(read_whole(file)))
        inputs = _input_count(query)
        cases = _all(list(map(_cases, (assertion.expr for assertion in query.assertions))))
        return _properties(cases, inputs)
    except (_UnreadableError, ArgumentError) as error:
        if isinstance(error, ArgumentError) and "not installed" in str(error):
            raise
        raise FileError(
            f"{file} is no property that can be proved.", because=str(error).splitlines()[0][:300]
        ) from None


class _UnreadableError(Exception):
    """What is wrong with a file, in a few words."""


# --- text


def _text(data: bytes) -> str:
    """Version 2 of what a file says, without comments."""
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(data)) as unpacked:
                data = unpacked.read(_LARGEST + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise _UnreadableError(f"it is no gzip: {error}") from None
    if len(data) > _LARGEST:
        raise _UnreadableError(f"it has more than {_LARGEST} bytes")
    data = re.sub(rb";[^\n]*", b"", data)
    marks = np.frombuffer(data, np.uint8)
    depth = np.cumsum((marks == ord("(")).astype(int) - (marks == ord(")")))
    if not data.isascii() or (depth < 0).any() or depth[-1:].any():
        raise _UnreadableError("it is no ASCII text whose brackets match")
    if depth.max(initial=0) > _DEEPEST:
        raise _UnreadableError(f"its brackets are more than {_DEEPEST} deep")
    text = data.decode()
    return text if "declare-network" in text else _spelled_anew(text)


_DECLARED = re.compile(
    r"\(\s*(?:declare-const\s+|declare-fun\s+)([XY])_(\d{1,8})\s+(?:\(\s*\)\s*)?Real\s*\)"
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def _spelled_anew(text: str) -> str:
    """Version 1, which declares variables X_0 and Y_0 one by one, as version 2."""
    places: dict[str, set[int]] = {"X": set(), "Y": set()}
    for kind, place in _DECLARED.findall(text):
        places[kind].add(int(place))
    if any(not found or max(found) + 1 != len(found) for found in places.values()):
        raise _UnreadableError("it does not declare X_0, X_1, ... and Y_0, Y_1, ..., each once")
    sizes = {kind: len(found) for kind, found in places.items()}
    body = re.sub(r"[^\s()]+", _spelled, _DECLARED.sub("", text))
    declared = " ".join(
        f"(declare-{word} {kind} float64 [{sizes[kind]}])"
        for word, kind in (("input", "X"), ("output", "Y"))
    )
    return f"(vnnlib-version <2.0>) (declare-network N {declared}) {body}"


def _spelled(word: re.Match[str]) -> str:
    """A variable as an entry, a number as a real one without a power of ten."""
    text = word.group()
    if re.fullmatch(r"[XY]_\d+", text):
        return f"{text[0]}[{int(text[2:])}]"
    if not _NUMBER.fullmatch(text):
        return text
    number = decimal(text, "a number")
    return number if "." in number else f"{number}.0"


# --- what the parser gives


def _parsed(text: str) -> Any:
    try:
        package = import_module("vnnlib")
    except ImportError as error:
        raise ArgumentError(
            "Reading VNN-LIB takes the package vnnlib, which is not installed.",
            help='pip install "tensorem[vnnlib]"',
        ) from error
    try:
        return package.parse_query_string(text)
    except (package.VNNLibException, ValueError, RuntimeError) as error:
        raise _UnreadableError(_first(" ".join(str(error).split()))) from None


def _first(text: str) -> str:
    """The first of the errors in what the package says, which is JSON at times."""
    try:
        error = parse_json(text)["errors"][0]
        return f"{error['message']}: {error['offendingSymbol']} (line {error['line']})"
    except (ValueError, TypeError, LookupError):
        return text


def _input_count(query: Any) -> int:
    networks = query.networks
    if len(networks) != 1 or len(networks[0].inputs) != 1 or len(networks[0].outputs) != 1:
        raise _UnreadableError("it is not about one network of one input and one output")
    return prod(networks[0].inputs[0].shape)


def _cases(expression: Any) -> Cases:
    kind = type(expression).__name__
    if kind == "And":
        return _all([_cases(one) for one in expression.args])
    if kind == "Or":
        _few(expression.args)  # before they are read
        return _few([case for one in expression.args for case in _cases(one)])
    left, right = _linear(expression.lhs), _linear(expression.rhs)
    below, above = _sum(left, _scaled(right, -1)), _sum(right, _scaled(left, -1))
    made = {
        "LessEqual": [[Atom(below, False)]],
        "LessThan": [[Atom(below, True)]],
        "GreaterEqual": [[Atom(above, False)]],
        "GreaterThan": [[Atom(above, True)]],
        "Equal": [[Atom(below, False), Atom(above, False)]],
        "NotEqual": [[Atom(below, True)], [Atom(above, True)]],
    }
    return made[kind]


def _all(parts: list[Cases]) -> Cases:
    """Every way to take one case of each part."""
    always = [atom for cases in parts if len(cases) == 1 for atom in cases[0]]
    several = [cases for cases in parts if len(cases) != 1]
    if prod(map(len, several)) * (1 + len(always)) > _MOST_ATOMS:
        raise _UnreadableError("its cases, multiplied out, are too many")
    return _few([always + [a for case in taken for a in case] for taken in product(*several)])


def _few(cases: T) -> T:
    if len(cases) > _MOST_CASES:
        raise _UnreadableError(f"it has more than {_MOST_CASES} cases")
    return cases


def _linear(expression: Any) -> Linear:
    kind = type(expression).__name__
    if kind == "Var":
        return {_variable(expression): Fraction(1)}
    if kind in ("Float", "Int", "Literal", "IntExpr"):
        return {CONSTANT: Fraction(decimal(expression.lexeme, "a number"))}
    if kind == "Negate":
        return _scaled(_linear(expression.expr), -1)
    if kind == "Minus":
        rest = [_scaled(_linear(one), -1) for one in expression.rest]
        return reduce(_sum, rest, _linear(expression.head))
    found = [_linear(one) for one in expression.args]
    return reduce(_sum if kind == "Plus" else _times, found)


def _variable(given: Any) -> tuple[str, int]:
    if given.kind.name not in ("Input", "Output"):
        raise _UnreadableError(f"{given.name} is neither an input nor an output")
    place = np.ravel_multi_index(tuple(given.indices), tuple(given.shape))
    return given.kind.name, int(place)


def _sum(one: Linear, other: Linear) -> Linear:
    return {k: one.get(k, Fraction(0)) + other.get(k, Fraction(0)) for k in one | other}


def _scaled(one: Linear, factor: Fraction | int) -> Linear:
    return {k: factor * v for k, v in one.items()}


def _times(one: Linear, other: Linear) -> Linear:
    if other.keys() != {CONSTANT}:
        one, other = other, one
    if other.keys() != {CONSTANT}:
        raise _UnreadableError("it multiplies variables, which is not linear")
    return _scaled(one, other[CONSTANT])


# --- properties


def _properties(cases: Cases, inputs: int) -> tuple[Property, ...]:
    """The cases by their boxes; one whose box is empty says nothing."""
    boxes: dict[Ends, list[tuple[Inequality, ...]]] = {}
    for case in cases:
        box = _box([atom for atom in case if _kinds(atom) == {"Input"}], inputs)
        unsafe = tuple(_inequality(atom) for atom in case if _kinds(atom) != {"Input"})
        if box is not None:
            boxes.setdefault(box, []).append(unsafe)
    if not boxes:
        raise _UnreadableError("no input is in any of its boxes")
    return tuple(Property(*box, tuple(sets)).checked() for box, sets in boxes.items())


def _kinds(atom: Atom) -> set[str]:
    return {kind for (kind, _), c in atom.form.items() if c and kind != CONSTANT[0]}


def _box(atoms: list[Atom], inputs: int) -> Ends | None:
    """The ends of the box that these atoms are; none if it is empty."""
    lower: dict[int, Fraction] = {}
    upper: dict[int, Fraction] = {}
    for atom in atoms:
        place, c, end = _bound(atom)
        if c > 0:
            upper[place] = min(end, upper.get(place, end))
        else:
            lower[place] = max(end, lower.get(place, end))
    for place in range(inputs):
        if place not in lower or place not in upper:
            raise _UnreadableError(f"input {place} is not bounded from both sides")
    if any(lower[place] > upper[place] for place in range(inputs)):
        return None
    low, high = (tuple(_written(end[place]) for place in range(inputs)) for end in (lower, upper))
    return low, high


def _bound(atom: Atom) -> tuple[int, Fraction, Fraction]:
    """The input that an atom bounds, the sign of it, and the bound."""
    pairs = [(place, c) for (kind, place), c in atom.form.items() if c and kind != CONSTANT[0]]
    if len(pairs) != 1 or atom.strict:
        raise _UnreadableError("its inputs are no box with its ends: one is of several, or strict")
    [(place, c)] = pairs
    return place, c, -atom.form.get(CONSTANT, Fraction(0)) / c


def _inequality(atom: Atom) -> Inequality:
    if _kinds(atom) != {"Output"}:
        raise _UnreadableError("an inequality is of no variable, or of inputs and outputs at once")
    terms = (
        (p, _written(c)) for (kind, p), c in sorted(atom.form.items()) if kind == "Output" and c
    )
    return Inequality(tuple(terms), _written(-atom.form.get(CONSTANT, Fraction(0))), atom.strict)


def _written(q: Fraction) -> str:
    scaled = q * 10**_PLACES
    if scaled.denominator != 1:
        raise _UnreadableError(f"{q} is no decimal of {_PLACES} places")
    exact = Decimal(scaled.numerator).scaleb(-_PLACES, _CONTEXT)
    return decimal(exact.normalize(_CONTEXT), "a number")
