"""Sizes that must be equal: what passes, and what is advised where they are not."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorem.errors import ShapeError
from tensorem.shapes import (
    OpenShape,
    Size,
    bind_size,
    broadcast_shapes,
    differ,
    misfit,
    require_equal,
    reshape_shape,
    same_size,
    shape_of,
    size_of,
    unequal,
)

SIZES = ["1", "3", "8", "N", "M", "2*N", "2*N+1", "N+1", "N+3", "N*M", "N^2", "N^2-N+2", "2*M+2*N"]


@pytest.mark.parametrize(("a", "b"), list(product(SIZES, SIZES)))
def test_sizes_differ_unless_they_are_equal_for_all_names(a: str, b: str) -> None:
    x, y = size_of(a), size_of(b)
    values = [{"N": n, "M": m} for n in range(1, 5) for m in range(1, 5)]
    equal = [bind_size(x, v) == bind_size(y, v) for v in values]
    assert differ(x, y) is not all(equal)
    assert differ(x, y) is (same_size(x, y) is not True)


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 99))
def test_the_advised_number_is_right_and_there_is_none_only_where_none_is(
    slope: int, offset: int, wanted: int
) -> None:
    size: Size = size_of(f"{slope}*N+{offset}")
    error = unequal("w", [(size, wanted)])
    roots = [n for n in range(1, 100) if slope * n + offset == wanted]
    found = re.findall(r"write (\d+) in place of N", error.help)
    assert list(map(int, found)) == roots
    assert bool(error.because) is not bool(roots)


ADVICE = [
    ([("2*H", 8)], "help: in the input write 4 in place of H."),
    ([("H^2", 64)], "help: in the input write 8 in place of H."),
    ([("H^2", 63)], "because: H^2 is 63 for no value of H."),
    ([("2*H", 9)], "because: 2*H is 9 for no value of H."),
    ([(3, "H+5")], "because: H+5 is 3 for no value of H."),
    ([("M", "N")], "help: in the input write N in place of M."),
    ([("2*M", "N")], "help: in the input write 2*M in place of N."),
    ([("N", "N+1")], "because: N is N+1 for no value of N."),
    ([("C", 4), ("D", 8)], "help: in the input write 4 in place of C and 8 in place of D."),
    ([("H", 4), ("2*H", 8)], "help: in the input write 4 in place of H."),
    (
        [("C*H", 8)],
        "help: in the input write numbers in place of C and H for which C*H is 8.",
    ),
    ([("H", 4), ("H", 8)], ""),
    ([("H", 4), (7, 8)], ""),
]


@pytest.mark.parametrize(("pairs", "advice"), ADVICE)
def test_advice_word_by_word(pairs: Any, advice: str) -> None:
    error = unequal("takes that.", [(size_of(a), size_of(b)) for a, b in pairs])
    assert str(error) == "takes that." + (f"\n  {advice}" if advice else "")


def test_advice_without_names_is_the_callers() -> None:
    assert unequal("w", [(3, 4)], "write 3.").help == "write 3."
    assert unequal("w", [(3, 4)]).names == ()
    assert unequal("w", [(size_of("N"), 4), (size_of("M"), size_of("M"))]).names == ("N",)


def test_shapes_that_must_be_equal() -> None:
    n = shape_of(("N", 3))
    for wanted in (n, (None, 3), ("N", None), OpenShape((3,)), OpenShape()):
        require_equal(n, wanted if isinstance(wanted, OpenShape) else shape_of(wanted), "w")
    for wanted in ((3, 3), ("M", 3), (3,), OpenShape((4,)), OpenShape((1, 1, 3))):
        with pytest.raises(ShapeError, match="w"):
            require_equal(n, wanted if isinstance(wanted, OpenShape) else shape_of(wanted), "w")


def test_broadcasts_and_reshapes_hold_for_all_names() -> None:
    with pytest.raises(ShapeError) as error:
        broadcast_shapes(shape_of(("N", 3)), shape_of(("M", 3)))
    assert error.value.help == "in the input write N in place of M."
    with pytest.raises(ShapeError) as error:
        broadcast_shapes(shape_of(("N", 4)), (7, 1))
    assert error.value.help == "in the input write 7 in place of N."
    with pytest.raises(ShapeError) as error:
        reshape_shape(shape_of(("N", 2)), (2, 4))
    assert str(error.value) == (
        "Reshape of (N, 2) takes a target of 2*N elements, got (2, 4).\n"
        "  help: in the input write 4 in place of N."
    )


def test_errors_of_jax_are_read_where_they_speak_of_equal_shapes() -> None:
    text = "Incompatible shapes for broadcasting: shapes=[(N, 3), (1, 3), (M, 3)]"
    ours = misfit("It does not fit:", ValueError(text))
    assert str(ours) == (f"It does not fit: {text}\n  help: in the input write N in place of M.")
    for other in ("got (N, 3) and (M, 3)", "to have the same shape, f(x)", ""):
        assert misfit("w", TypeError(other)) is None
