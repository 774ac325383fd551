"""Shapes against NumPy: broadcasting, reshaping, counting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tensorem.errors import DTypeError, ShapeError
from tensorem.shapes import (
    UNKNOWN,
    UNKNOWN_RANK,
    OpenShape,
    Shape,
    Spec,
    bind,
    broadcast_shapes,
    format_shape,
    numel,
    reshape_shape,
    same_shape,
    shape_of,
    solve,
    spec_of,
)

small = st.lists(st.sampled_from([0, 1, 2, 3]), max_size=4).map(tuple)


@given(small, small)
def test_broadcasting_is_numpys(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(ShapeError, match="Broadcasting takes"):
            broadcast_shapes(a, b)
    else:
        assert broadcast_shapes(a, b) == expected


@given(small, small, st.data())
def test_broadcasting_of_partly_known_shapes_contains_the_truth(
    a: tuple[int, ...], b: tuple[int, ...], data: st.DataObject
) -> None:
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        assume(False)
    result = broadcast_shapes(_veiled(a, data), _veiled(b, data))
    assert same_shape(result, expected) is not False


def _veiled(shape: tuple[int, ...], data: st.DataObject) -> Shape:
    """A partly known shape of which the given one is an instance."""
    hidden = tuple(UNKNOWN if data.draw(st.booleans()) else s for s in shape)
    return (
        OpenShape(hidden[data.draw(st.integers(0, len(hidden))) :])
        if data.draw(st.booleans())
        else hidden
    )


@given(small, st.lists(st.sampled_from([-1, 0, 1, 2, 3, 6]), max_size=4).map(tuple))
def test_reshape_is_numpys(shape: tuple[int, ...], target: tuple[int, ...]) -> None:
    try:
        expected = np.empty(shape).reshape(target).shape
    except ValueError:
        with pytest.raises(ShapeError, match="Reshape"):
            reshape_shape(shape, target)
    else:
        assert reshape_shape(shape, target) == expected


def test_reshape_of_symbolic_shapes() -> None:
    x = shape_of(("N", 16, 4, 4))
    assert format_shape(reshape_shape(x, ("N", -1))) == "(N, 256)"
    assert format_shape(reshape_shape(x, (-1,))) == "(256*N,)"
    assert format_shape(reshape_shape(x, (-1, 256))) == "(N, 256)"
    assert format_shape(reshape_shape(x, (-1, 3))) == "(?, 3)"
    assert reshape_shape(UNKNOWN_RANK, (2, -1)) == (2, UNKNOWN)


def test_reshape_errors_say_both_shapes() -> None:
    with pytest.raises(ShapeError) as error:
        reshape_shape((2, 3), (4, 2))
    assert str(error.value) == "Reshape of (2, 3) takes a target of 6 elements, got (4, 2)."
    with pytest.raises(ShapeError, match=r"at most one size of -1, got \(-1, -1\)\."):
        reshape_shape((2, 3), (-1, -1))


def test_broadcast_error_says_both_shapes() -> None:
    with pytest.raises(ShapeError) as error:
        broadcast_shapes(shape_of(("N", 3)), (4,))
    assert str(error.value) == (
        "Broadcasting takes sizes that are equal or 1, counted from the last axis, "
        "got (N, 3) and (4,)."
    )


def test_broadcasting_symbols() -> None:
    n = shape_of(("N", 4))
    assert broadcast_shapes(n, (1, 4)) == n
    assert broadcast_shapes(n, n) == n
    assert broadcast_shapes(n, (UNKNOWN, 1)) == (UNKNOWN, 4)
    assert broadcast_shapes(OpenShape((4,)), (3, 1)) == OpenShape((3, 4))
    with pytest.raises(ShapeError, match="Broadcasting takes"):
        broadcast_shapes(shape_of(("4*N",)), (3,))


def test_numel() -> None:
    assert numel(()) == 1
    assert numel((2, 3)) == math.prod((2, 3))
    assert numel(UNKNOWN_RANK) == numel((UNKNOWN, 3)) == UNKNOWN
    assert numel(OpenShape((0,))) == 0


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [
        ((2, 3), (2, 3), True),
        ((2, 3), (2, 4), False),
        ((2, 3), (3,), False),
        (("N", 3), (2, 3), None),
        (OpenShape((3,)), (2, 3), None),
        (OpenShape((3,)), (2, 4), False),
        (OpenShape((3, 4)), (4,), False),
        ((4,), OpenShape((3, 4)), False),
        (UNKNOWN_RANK, UNKNOWN_RANK, None),
    ],
)
def test_same_shape(a: object, b: object, answer: bool | None) -> None:
    assert same_shape(shape_of(a), shape_of(b)) is answer


def test_bind_and_solve_are_inverse() -> None:
    shape = shape_of(("N", "2*H+1", "N*H", 3))
    values = {"N": 4, "H": 5}
    bound = bind(shape, values)
    assert bound == (4, 11, 20, 3)
    assert solve(shape, (4, 11, 20, 3)) == values
    assert bind(OpenShape(shape_of(("N",))), values) == OpenShape((4,))  # type: ignore[arg-type]


def test_solve_of_open_and_unknown_shapes() -> None:
    assert solve(OpenShape((3,)), (9, 9, 3)) == {}
    assert solve((UNKNOWN, 3), (9, 3)) == {}
    assert solve(shape_of(("N",)), (0,)) == {"N": 0}


@pytest.mark.parametrize(
    "actual", [(4, 11, 21, 3), (4, 10, 20, 3), (4, 11, 20), (4, 11, 20, 4), (4, 11, 20, 3, 1)]
)
def test_solve_refuses_what_does_not_fit(actual: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"takes \(N, 2\*H\+1, H\*N, 3\), got "):
        solve(shape_of(("N", "2*H+1", "N*H", 3)), actual)


@pytest.mark.parametrize("bad", [5, "N", None, {1: 2}, 3.0])
def test_what_is_not_a_shape_is_refused(bad: object) -> None:
    with pytest.raises(ShapeError, match="A shape takes a tuple of sizes"):
        shape_of(bad)


def test_spec_normalises_and_prints() -> None:
    spec = Spec(("N", np.int64(3), None), np.dtype("int32").name)
    assert str(spec) == "int32 (N, 3, ?)"
    assert spec == Spec(shape_of(("N", 3, None)), "int32")
    assert hash(spec) == hash(Spec(("N", 3, None), "int32"))
    assert spec.bind({"N": 2}).shape == (2, 3, UNKNOWN)
    with pytest.raises(DTypeError, match=r"A dtype takes one of float32, .* got float33"):
        Spec((3,), "float33")


def test_spec_of_keeps_the_form_of_the_tree() -> None:
    tree: Any = spec_of({"a": (("N", 3), Spec((), "bool")), "b": [np.zeros((2, 1), np.float32)]})
    assert tree == {"a": (Spec(("N", 3)), Spec((), "bool")), "b": [Spec((2, 1))]}
    assert spec_of(()) == Spec(())


@pytest.mark.parametrize("bad", [3, "N", [1, 28], ((3,), 4)])
def test_spec_of_refuses_other_leaves(bad: object) -> None:
    with pytest.raises(ShapeError, match="An input takes a shape such as"):
        spec_of(bad)
