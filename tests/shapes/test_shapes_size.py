"""Sizes against Python's own integers: every law is checked by putting numbers in for the names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorem.errors import ShapeError
from tensorem.shapes import UNKNOWN, Poly, Size, bind_size, parse_size, same_size, size_of

POINTS = [{"N": n, "M": m, "H": h} for n in (1, 2, 5) for m in (1, 3) for h in (1, 4, 7)]


@st.composite
def sizes(draw: st.DrawFn) -> Size:
    """A polynomial in three names, built term by term."""
    size: Size = draw(st.integers(-9, 9))
    for _ in range(draw(st.integers(0, 3))):
        term: Size = draw(st.integers(-5, 5))
        for name in draw(st.lists(st.sampled_from("NMH"), max_size=3)):
            term = term * parse_size(name)
        size = size + term
    return size


def value(size: Size, point: dict[str, int]) -> int:
    """The polynomial at a point, by Python's own evaluation of its text."""
    return int(eval(str(size).replace("^", "**"), {}, point))


@given(sizes(), sizes())
def test_arithmetic_is_that_of_the_values(x: Size, y: Size) -> None:
    for point in POINTS:
        p, q = value(x, point), value(y, point)
        assert value(x + y, point) == p + q
        assert value(x - y, point) == p - q
        assert value(x * y, point) == p * q


@given(sizes(), sizes())
def test_equal_polynomials_are_equal_values(x: Size, y: Size) -> None:
    assert (x + y) * (x - y) == x * x - y * y
    assert hash((x + y) * x) == hash(x * x + y * x)
    assert x - x == 0 and isinstance(x - x, int)


@given(sizes(), sizes())
def test_same_size_never_lies(x: Size, y: Size) -> None:
    answer = same_size(x, y)
    equal = [value(x, p) == value(y, p) for p in POINTS]
    assert answer is not True or all(equal)
    assert answer is not False or not any(equal)


@given(sizes(), sizes())
def test_division_undoes_multiplication(x: Size, y: Size) -> None:
    if y != 0:
        assert (x * y) // y == x


@given(sizes(), st.integers(1, 6))
def test_division_by_an_integer_is_the_floor_or_unknown(x: Size, d: int) -> None:
    quotient = x // d
    if quotient != UNKNOWN:
        assert all(value(quotient, p) == value(x, p) // d for p in POINTS)


@given(sizes())
def test_text_reads_back(x: Size) -> None:
    if all(value(x, p) >= 0 for p in POINTS):
        assert parse_size(str(x)) == x


@given(sizes())
def test_bind_is_evaluation(x: Size) -> None:
    for point in POINTS:
        if value(x, point) >= 0:
            assert bind_size(x, point) == value(x, point)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("8*N", "8*N"),
        ("H + 2", "H+2"),
        ("N*M", "M*N"),
        ("2*(N+1)*3", "6*N+6"),
        ("N*N - 1", "N^2-1"),
        ("N^2 - N**2 + 7", "7"),
        ("?", "?"),
        ("12", "12"),
    ],
)
def test_print_is_canonical(text: str, printed: str) -> None:
    assert str(parse_size(text)) == printed


def test_division_that_is_not_exact_is_unknown() -> None:
    n, h = parse_size("N"), parse_size("H")
    assert n // 2 == UNKNOWN
    assert 6 // n == UNKNOWN
    assert (n * h + 1) // n == UNKNOWN
    assert (8 * n - 1) // 2 == 4 * n - 1
    assert (n * n - h * h) // (n + h) == n - h


def test_unknown_absorbs() -> None:
    n = parse_size("N")
    for size in (UNKNOWN + 1, 1 + UNKNOWN, n + UNKNOWN, UNKNOWN - n, n - UNKNOWN, UNKNOWN * n):
        assert size == UNKNOWN
    assert n // UNKNOWN == UNKNOWN // n == 3 // UNKNOWN == UNKNOWN
    assert 0 * UNKNOWN == UNKNOWN * 0 == 0
    assert same_size(UNKNOWN, UNKNOWN) is None


def test_same_size_decides_by_sign_and_by_divisibility() -> None:
    n = parse_size("N")
    assert same_size(n, n + 1) is False
    assert same_size(2 * n, 3 * n) is False
    assert same_size(8 * n, 12) is False
    assert same_size(4 * n, 12) is None
    assert same_size(n, parse_size("M")) is None


@pytest.mark.parametrize(
    "bad",
    [-1, True, 1.5, [1], "-N", "N/2", "N+", "", "N(2)", "N.x", "2N", "1if", "N**N", "N^99", "é"],
)
def test_what_is_not_a_size_is_refused(bad: object) -> None:
    with pytest.raises(ShapeError, match="A size takes"):
        size_of(bad)


@pytest.mark.parametrize("hostile", ["N*" * 120 + "N", "(" * 180 + "N", "-" * 199 + "N"])
def test_hostile_texts_end_in_the_same_error(hostile: str) -> None:
    with pytest.raises(ShapeError, match="A size takes"):
        parse_size(hostile)


def test_the_error_repeats_the_value() -> None:
    with pytest.raises(ShapeError) as error:
        size_of("N/2")
    assert str(error.value) == (
        "A size takes an integer of at least 0, a polynomial in names such as '8*N', or None, "
        "got 'N/2'."
    )


def test_a_polynomial_below_zero_at_a_binding_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"The size H-4 takes names .* got H = 2\."):
        bind_size(parse_size("H-4"), {"H": 2, "N": 1})


def test_division_by_zero_is_refused() -> None:
    with pytest.raises(ShapeError, match="divisor other than 0"):
        parse_size("N") // 0


def test_names() -> None:
    size = parse_size("N*M+3*H")
    assert isinstance(size, Poly)
    assert size.names == {"N", "M", "H"}
