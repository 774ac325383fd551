"""The claim of a certificate: which graph, which weights, which box, which label."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ._errors import MalformedError, RejectedError, UnsupportedError
from ._numbers import Arithmetic, Array, Enclosure, above, bounds, exactly

_FIXED = {
    "format": "tensorem.certificate",
    "version": 1,
    "property": "robust",
    "semantics": "real",
}
_FREE = {"graph", "weights", "eps", "clip", "label", "method"}


@dataclass(frozen=True)
class Claim:
    """For every real x with |x - center| <= eps and clip[0] <= x <= clip[1], y[label] is largest.

    Strictly so, in real arithmetic, with the float32 weights taken as exact.
    """

    graph: str
    weights: str
    eps: Fraction
    clip: tuple[Fraction, Fraction] | None
    label: int
    method: str


def parse_claim(fields: Mapping[str, Any]) -> Claim:
    """The claim, refused unless every field is there and of its form."""
    if fields.keys() != _FIXED.keys() | _FREE:
        odd = sorted(map(str, fields.keys() ^ (_FIXED.keys() | _FREE)))
        raise MalformedError(f"the claim has missing or unknown fields: {', '.join(odd)[:200]}")
    for name, value in _FIXED.items():
        if type(fields[name]) is not type(value) or fields[name] != value:
            raise UnsupportedError(f"the claim's {name} is not {value}")
    if fields["method"] not in ("crown", "ibp"):
        raise UnsupportedError("the claim's method is not crown or ibp")
    if type(fields["label"]) is not int:
        raise MalformedError("the claim's label is not an integer")
    graph, weights = (_hash(fields[name], name) for name in ("graph", "weights"))
    eps, clip = _decimal(fields["eps"], "eps"), _clip(fields["clip"])
    if eps < 0:
        raise MalformedError("the claim's eps is negative")
    return Claim(graph, weights, eps, clip, fields["label"], fields["method"])


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


def box(claim: Claim, center: Array, a: Arithmetic) -> Enclosure:
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


def point(center: Array, a: Arithmetic) -> Enclosure:
    """The box that is the centre alone."""
    return exactly(center.ravel(), a)


def _inside(clip: tuple[Fraction, Fraction] | None, x: Array, a: Arithmetic) -> bool:
    """For a float x, low <= x exactly where x is at least the least float above low."""
    if clip is None:
        return True
    return bool(np.all((x >= above(clip[0], a)) & (x <= -above(-clip[1], a))))
