"""Claims: exact decimals, boxes that do not leave the claim, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from tensorem.errors import ArgumentError, CertificateError
from tensorem.verify import Claim
from tensorem.verify._claim import clip_range, contains, decimal, float32_box, radius


def test_the_float32_box_lies_inside_the_exact_one() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.uniform(0.5, 1, 500) * 2.0 ** rng.integers(-20, 1, 500)
    centers = sizes.astype(np.float32)
    for eps in ("0", "0.1", "0.000001", "1e-9", "3"):
        lower, upper = float32_box(centers, radius(eps), ("0", "1"))
        for ends in (lower, upper):
            assert contains(centers, radius(eps), ("0", "1"), ends)
        reach = np.float64(upper) - np.float64(lower)
        wanted = np.minimum(centers + float(eps), 1.0) - np.maximum(centers - float(eps), 0.0)
        assert (reach >= wanted - 4e-7).all()


def test_a_point_a_hair_outside_is_outside() -> None:
    center = np.array([0.5], np.float32)
    inside = np.array([0.5 + 2**-4], np.float32)
    assert contains(center, "0.0625", None, inside)
    assert not contains(center, "0.0624999999999999999999", None, inside)
    assert not contains(center, "0.0625", ("0", "0.5624"), inside)


@pytest.mark.parametrize("seed", range(3))
def test_a_range_holds_its_ends_as_decimals_and_as_float32_and_no_other_float32(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for end in (rng.uniform(-1, 1, 300) * 10.0 ** rng.integers(-44, 37, 300)).tolist():
        for low, high in (clip_range((end, end)), clip_range((np.float32(end), np.float32(end)))):
            near = np.float32(end)
            assert Fraction(low) <= Fraction(float(near)) <= Fraction(high)
            below, above = np.nextafter(near, [-np.inf, np.inf], dtype=np.float32).tolist()
            assert Fraction(below) < Fraction(low) and Fraction(high) < Fraction(above)
        low, high = clip_range((end, end))
        assert Fraction(low) <= Fraction(str(end)) <= Fraction(high)


def test_an_end_is_its_decimal_unless_float32_lies_further_out() -> None:
    assert clip_range((0, 1)) == ("0", "1") and clip_range((0.0, 1.0)) == ("0", "1.0")
    assert clip_range((-0.4242, 0.7)) == ("-0.4242", "0.7")
    assert clip_range((0.7, 0.3 + 0.4)) == ("0.699999988", "0.7")
    assert clip_range((0, 0.3)) == ("0", "0.300000012")
    assert clip_range(("0.7", Decimal("0.7"))) == ("0.7", "0.7")
    assert clip_range((16777217, 16777217)) == ("16777217", "16777217")


def test_a_float_means_its_printed_decimal() -> None:
    assert Fraction(decimal(0.02, "eps")) == Fraction(2, 100)
    assert radius("1e-3") == "0.001"


@pytest.mark.parametrize(
    ("value", "words"),
    [("x", "takes a number, got 'x'"), (float("nan"), "finite"), (-1, "at least 0")],
)
def test_a_radius_is_a_finite_number_of_at_least_zero(value: object, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        radius(value)


def test_a_claim_is_read_back_and_nothing_else_is() -> None:
    claim = Claim("a" * 64, "b" * 64, 3, "0.02", ("0", "1"))
    assert Claim.from_json(claim.to_json()) == claim
    for text in ("", "[]", "{}", claim.to_json().replace("robust", "fast"), "null", "[" * 100_000):
        with pytest.raises(CertificateError):
            Claim.from_json(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1_0", "eps takes a number, got '1_0'"),
        ("٣", "eps takes a number, got '٣'"),
        ("1e38", "takes a decimal below 1e38 with at most 80 places, got 1e38"),
        ("1e-81", "takes a decimal below 1e38 with at most 80 places, got 1e-81"),
        ("1e999999999", "takes a decimal below 1e38"),
        (Fraction(1, 3), r"eps takes a decimal, got Fraction\(1, 3\)"),
    ],
)
def test_a_number_that_no_certificate_can_hold_is_refused(value: object, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        radius(value)


def test_zero_has_one_spelling() -> None:
    assert {decimal(zero, "eps") for zero in (0, -0.0, "0.000", "0e-999")} == {"0"}
