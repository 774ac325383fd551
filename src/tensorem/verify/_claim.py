"""Claims: what is said about a graph, in numbers that mean exactly one thing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation
from fractions import Fraction

import numpy as np

from tensorem.calls import AT_LEAST_0
from tensorem.disk import parse_json
from tensorem.dtypes import is_floating
from tensorem.errors import ArgumentError, CertificateError

FORMAT, VERSION = "tensorem.certificate", 1
_GREATEST, _PLACES = 37, 80
"""What a decimal of a certificate may have: a power of ten of float32, places after the point."""


@dataclass(frozen=True)
class Claim:
    """The output `label` is strictly above every other on a box around a centre.

    The box: every x with |x - centre| <= eps and clip[0] <= x <= clip[1], where eps and clip are
    the exact decimals and the centre is the exact float32 array that the certificate holds. The
    output is that of the graph in real arithmetic, with its float32 weights taken as exact numbers.

    Args:
        graph: SHA-256 of the canonical graph.json.
        weights: SHA-256 of the weights.
        label: Index of the output.
        eps: Radius in input units, a decimal.
        clip: The least and greatest input, decimals; None for all numbers.
        method: How the bound was found: "ibp" or "crown".
        semantics: "real".
    """

    graph: str
    weights: str
    label: int
    eps: str
    clip: tuple[str, str] | None = None
    method: str = "crown"
    semantics: str = "real"

    def to_json(self) -> str:
        """The claim as it stands in a certificate."""
        fields = {"format": FORMAT, "version": VERSION, "property": "robust", **asdict(self)}
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Claim:
        """Read a claim.

        Raises:
            CertificateError: The text is not a claim of this version.
        """
        try:
            fields = parse_json(text)
            kind = tuple(fields.pop(k) for k in ("format", "version", "property"))
            clip = fields.pop("clip")
            claim = Claim(**fields, clip=tuple(clip) if clip is not None else None)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CertificateError("A certificate holds a claim.", because=str(error)) from None
        if kind != (FORMAT, VERSION, "robust"):
            raise CertificateError(f"This reads {FORMAT} {VERSION} of robustness, got {kind}.")
        return claim


def decimal(value: object, name: str) -> str:
    """A number as an exact decimal: a float means the decimal that Python prints for it.

    Raises:
        ArgumentError: It is not a finite number, or one that no certificate can hold.
    """
    if isinstance(value, Fraction):
        raise ArgumentError(
            f"{name} takes a decimal, got {value!r}.", help=f'for example "{float(value):.6g}".'
        )
    try:
        text = str(value)
        number = Decimal(text if text.isascii() and "_" not in text else "none")
    except InvalidOperation:
        raise ArgumentError(f"{name} takes a number, got {value!r}.") from None
    if not number.is_finite():
        raise ArgumentError(f"{name} takes a finite number, got {value!r}.")
    if not number:
        return "0"
    _, digits, exponent = number.as_tuple()
    if number.adjusted() > _GREATEST or int(exponent) < -_PLACES or len(digits) > _PLACES:
        raise ArgumentError(
            f"{name} takes a decimal below 1e{_GREATEST + 1} with at most {_PLACES} places, got "
            f"{str(value)[:40]}."
        )
    return format(number, "f")


def radius(value: object) -> str:
    """A radius as an exact decimal.

    Raises:
        ArgumentError: It is not a finite number, or negative.
    """
    text = decimal(value, "eps")
    if Decimal(text) < 0:  # exactly: a float of it may be 0
        raise ArgumentError(f"eps takes {AT_LEAST_0.name}, got {value!r}.")
    return text


def clip_range(clip: object) -> tuple[str, str]:
    """The ends of a range as exact decimals.

    A float stands for its printed decimal. Where the nearest float32 lies outside of that, it
    stands for this number, rounded outward to nine digits: so 0.3 is the end of data in float32
    whose greatest value is 0.3.

    Raises:
        ArgumentError: It is no pair, or an end is no decimal, or the first is the greater.
    """
    ends = list(clip) if np.iterable(clip) and not isinstance(clip, str | dict | set) else []
    if len(ends) != 2:
        raise ArgumentError(f"clip takes (least, greatest), got {clip!r}.")
    low, high = (decimal(end, "clip") for end in ends)
    if Fraction(low) > Fraction(high):
        raise ArgumentError(f"clip takes (least, greatest), got {clip}.")
    return _outer(low, ends[0], ROUND_FLOOR), _outer(high, ends[1], ROUND_CEILING)


def _outer(text: str, value: object, rounding: str) -> str:
    """A decimal, or the float32 that a float is, where this lies further out."""
    if not is_floating(np.asarray(value).dtype):
        return text
    near = Decimal(float(np.asarray(value, np.float32)))
    outside = near > Decimal(text) if rounding == ROUND_CEILING else near < Decimal(text)
    return decimal(Context(9, rounding).create_decimal(near), "clip") if outside else text


def float32_range(clip: tuple[str, str] | None) -> tuple[np.float32, np.float32]:
    """The least and greatest float32 within a range."""
    if clip is None:
        return np.float32(-np.inf), np.float32(np.inf)
    return _inside(Fraction(clip[0]), np.inf), _inside(Fraction(clip[1]), -np.inf)


def float32_box(
    centers: np.ndarray, eps: str, clip: tuple[str, str] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Ends in float32 inside the box of a claim, one float32 from its faces at most."""
    reach = np.float64(eps)
    with np.errstate(over="ignore"):
        ends = [(centers + side * reach).astype(np.float32) for side in (-1, 1)]
    lower, upper = np.nextafter(ends[0], np.inf), np.nextafter(ends[1], -np.inf)
    low, high = float32_range(clip)
    lower, upper = np.maximum(lower, low), np.minimum(upper, high)
    return np.minimum(lower, centers), np.maximum(upper, centers)


def _inside(face: Fraction, inner: float) -> np.float32:
    """The float32 number next to a face, on its inner side."""
    near = np.float32(float(face))
    outside = Fraction(float(near)) < face if inner > 0 else Fraction(float(near)) > face
    return np.nextafter(near, np.float32(inner)) if outside else near


def contains(center: np.ndarray, eps: str, clip: tuple[str, str] | None, x: np.ndarray) -> bool:
    """Does a point lie in the box of a claim, exactly?"""
    reach = Fraction(eps)
    low, high = map(Fraction, clip) if clip else (None, None)
    for c, value in zip(center.flat, x.flat, strict=True):
        exact = Fraction(float(value))
        if abs(exact - Fraction(float(c))) > reach:
            return False
        if low is not None and high is not None and not low <= exact <= high:
            return False
    return True
