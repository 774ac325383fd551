"""The claim of a certificate: which graph, which weights, which box, and what holds on it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ._errors import MalformedError, RejectedError, UnsupportedError
from ._numbers import Arithmetic, Array, Enclosure, above, bounds, exactly

_FIXED = {"format": "tensorem.certificate", "semantics": "real"}
_COMMON = {*_FIXED, "version", "property", "graph", "weights", "method"}
_PROPERTIES = {
    "robust": (1, {"eps", "clip", "label"}),
    "avoid": (2, {"lower", "upper", "unsafe"}),
}
"""Property -> the version that it came with, and its own fields."""

MOST_INEQUALITIES = 2**14


@dataclass(frozen=True)
class Robust:
    """For every real x with |x - center| <= eps and clip[0] <= x <= clip[1], y[label] is largest.

    Strictly so, in real arithmetic, with the float32 weights taken as exact.
    """

    eps: Fraction
    clip: tuple[Fraction, Fraction] | None
    label: int


@dataclass(frozen=True)
class Inequality:
    """The sum of coefficient * y[place] over the terms is at most the bound."""

    terms: tuple[tuple[int, Fraction], ...]
    bound: Fraction


@dataclass(frozen=True)
class Avoid:
    """For every real x with lower <= x <= upper, y lies in none of the unsafe sets.

    An unsafe set is where all of some inequalities hold; places are those of the flat output.
    """

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    unsafe: tuple[tuple[Inequality, ...], ...]


@dataclass(frozen=True)
class Claim:
    """What is said of which graph and weights, and by which method it is shown."""

    graph: str
    weights: str
    method: str
    says: Robust | Avoid


def parse_claim(fields: Mapping[str, Any]) -> Claim:
    """The claim, refused unless every field is there and of its form."""
    kind = fields.get("property")
    if not isinstance(kind, str) or kind not in _PROPERTIES:
        raise UnsupportedError(f"the claim's property is not {' or '.join(_PROPERTIES)}")
    version, own = _PROPERTIES[kind]
    if fields.keys() != _COMMON | own:
        odd = sorted(map(str, fields.keys() ^ (_COMMON | own)))
        raise MalformedError(f"the claim has missing or unknown fields: {', '.join(odd)[:200]}")
    for name, value in (_FIXED | {"version": version}).items():
        if type(fields[name]) is not type(value) or fields[name] != value:
            raise UnsupportedError(f"the claim's {name} is not {value}")
    if fields["method"] not in ("crown", "ibp"):
        raise UnsupportedError("the claim's method is not crown or ibp")
    graph, weights = (_hash(fields[name], name) for name in ("graph", "weights"))
    says = _robust(fields) if kind == "robust" else _avoid(fields)
    return Claim(graph, weights, fields["method"], says)


def _robust(fields: Mapping[str, Any]) -> Robust:
    if type(fields["label"]) is not int:
        raise MalformedError("the claim's label is not an integer")
    eps, clip = _decimal(fields["eps"], "eps"), _clip(fields["clip"])
    if eps < 0:
        raise MalformedError("the claim's eps is negative")
    return Robust(eps, clip, fields["label"])


def _avoid(fields: Mapping[str, Any]) -> Avoid:
    ends = [_some(fields[name], name) for name in ("lower", "upper")]
    lower, upper = (tuple(_decimal(v, "box") for v in end) for end in ends)
    if len(lower) != len(upper) or any(low > high for low, high in zip(lower, upper, strict=True)):
        raise MalformedError("the claim's box is empty, or its ends are not of one length")
    unsafe = [_some(one, "set") for one in _some(fields["unsafe"], "unsafe")]
    if sum(map(len, unsafe)) > MOST_INEQUALITIES:
        raise UnsupportedError(f"the claim has more than {MOST_INEQUALITIES} inequalities")
    return Avoid(lower, upper, tuple(tuple(map(_inequality, one)) for one in unsafe))


def _inequality(value: object) -> Inequality:
    if not isinstance(value, dict) or value.keys() != {"terms", "bound"}:
        raise MalformedError("an inequality of the claim takes terms and bound")
    terms = tuple(map(_term, _some(value["terms"], "terms")))
    if len({place for place, _ in terms}) != len(terms):
        raise MalformedError("an inequality of the claim names an output twice")
    return Inequality(terms, _decimal(value["bound"], "bound"))


def _term(value: object) -> tuple[int, Fraction]:
    if not isinstance(value, list) or len(value) != 2 or type(value[0]) is not int:
        raise MalformedError("a term of the claim is not a place and a coefficient")
    return value[0], _decimal(value[1], "coefficient")


def _some(value: object, name: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise MalformedError(f"the claim's {name} is not a list of at least one")
    return value


def _hash(value: object, name: str) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise MalformedError(f"the claim's {name} is not a SHA-256 in hex")
    return value


_DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,80})?([eE][+-]?[0-9]{1,2})?")


def _decimal(value: object, name: str) -> Fraction:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise MalformedError(f"the claim's {name} is not a decimal of ordinary length")
    return Fraction(value)


def _clip(value: object) -> tuple[Fraction, Fraction] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise MalformedError("the claim's clip is not a pair or null")
    low, high = (_decimal(v, "clip") for v in value)
    if low > high:
        raise MalformedError("the claim's clip is empty")
    return low, high


# --- the box


def box(claim: Robust, center: Array, a: Arithmetic) -> Enclosure:
    """[center - eps, center + eps] within the clip range, rounded outward.

    The centre must lie in the clip range, so that no claim is about nothing.
    """
    point = a.numbers(np.asarray(center, np.float64).ravel())
    if not _inside(claim.clip, point, a):
        raise RejectedError("the centre lies outside the clip range")
    eps = above(claim.eps, a)
    lower, upper = -a.up(eps - point), a.up(point + eps)
    if claim.clip is not None:
        low, high = claim.clip
        lower, upper = np.maximum(lower, -above(-low, a)), np.minimum(upper, above(high, a))
    return bounds(lower, upper, a)


def between(lower: Sequence[Fraction], upper: Sequence[Fraction], a: Arithmetic) -> Enclosure:
    """The box of these ends, rounded outward."""
    return bounds(enclosed(lower, a).lower, enclosed(upper, a).upper, a)


def enclosed(values: Sequence[Fraction], a: Arithmetic) -> Enclosure:
    """The bounds of rationals that are known."""
    ends = [[sign * above(sign * v, a) for v in values] for sign in (-1, 1)]
    return bounds(np.array(ends[0], a.dtype), np.array(ends[1], a.dtype), a)


def point(center: Array, a: Arithmetic) -> Enclosure:
    """The box that is the centre alone."""
    return exactly(center.ravel(), a)


def _inside(clip: tuple[Fraction, Fraction] | None, x: Array, a: Arithmetic) -> bool:
    """For a float x, low <= x exactly where x is at least the least float above low."""
    if clip is None:
        return True
    return bool(np.all((x >= above(clip[0], a)) & (x <= -above(-clip[1], a))))
