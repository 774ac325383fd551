"""The row: counts of operands, holes with a reason, names, coverage."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from tensorem import ops
from tensorem.domains import Interval, Rational
from tensorem.errors import ArgumentError, DTypeError, MeaningError, ShapeError
from tensorem.shapes import Spec

CONV = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}


def test_a_wrong_number_of_operands_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"^add takes 2 operands, got 1\.$"):
        ops.add(jnp.ones(2))
    with pytest.raises(ArgumentError, match=r"^linear takes 2 or 3 operands, got 1\.$"):
        ops.linear(jnp.ones(2))


def test_a_hole_says_why_and_what_to_do() -> None:
    with pytest.raises(MeaningError, match="`exp` has no exact meaning") as caught:
        ops.exp.meaning("exact")
    assert caught.value.because == "its values at rational numbers are irrational"
    assert caught.value.help == "read it as an interval"


def test_every_row_states_every_meaning_or_says_why_not() -> None:
    for name, columns in ops.coverage().items():
        assert tuple(columns) == ops.MEANINGS, name
        assert all(stated in ("source", "because") for c in columns.values() for stated in c), name
        assert "source" in columns["run"] and "source" in columns["shape"]
    assert ops.coverage()["relu"]["exact"] == {"source": "by definition"}
    assert "irrational" in ops.coverage()["softmax"]["exact"]["because"]


@pytest.mark.parametrize("meaning", ["ball", "interval", "lines"])
def test_every_bound_says_where_it_comes_from(meaning: str) -> None:
    for name, row in ops.TABLE.items():
        rule = getattr(row, meaning)
        assert isinstance(rule, ops.Cited | ops.Unsupported), f"{name} cites nothing"
        assert row.coverage()[meaning] != {"source": "by definition"}, name


@pytest.mark.parametrize(
    ("name", "meaning", "words"),
    [
        ("relu", "interval", "rising: its ends, nothing is rounded"),
        ("relu", "lines", "Zhang et al. 2018 (CROWN), 3.3: chord, and adaptive slope"),
        ("rsqrt", "interval", "monotone: its ends, 2 ulp outward (held against mpmath)"),
        ("conv2d", "interval", "Rump 1999: midpoint and radius; rounding: Higham 2002, 3.1"),
        ("conv2d", "lines", "linear over a constant operand; else McCormick 1976"),
        ("mean", "interval", "sums of its ends; rounding: Higham 2002, 4.2"),
        ("mean", "lines", "linear: the op itself, and its transpose"),
        ("reshape", "interval", "a move: the ends change place, nothing is rounded"),
        ("batch_norm", "interval", "its definition, op by op"),
        ("softmax", "run", "its definition, op by op"),
        ("argmax", "lines", "flat: the ends of its interval meaning"),
    ],
)
def test_a_source_is_that_of_its_own_meaning(name: str, meaning: str, words: str) -> None:
    assert ops.TABLE[name].coverage()[meaning] == {"source": words}


def test_a_column_that_is_replaced_takes_its_source_with_it() -> None:
    row = dataclasses.replace(ops.relu, interval=ops.Cited(lambda x: x, "wrong"))
    assert row.coverage()["interval"] == {"source": "wrong"}
    assert row.coverage()["lines"] == ops.relu.coverage()["lines"]


def test_the_table_holds_each_row_under_its_name() -> None:
    assert all(op.name == name for name, op in ops.TABLE.items())
    assert all(getattr(ops, name) is op for name, op in ops.TABLE.items())


def test_a_call_stands_in_the_jaxpr_under_its_name() -> None:
    jaxpr = str(jax.make_jaxpr(lambda x: ops.softmax(x, dim=-1))(jnp.ones((2, 3))))
    assert ops.call_name(ops.softmax, {"dim": -1}) == "softmax(dim=-1)"
    assert "name=softmax(dim=-1)" in jaxpr


def test_shapes_with_names_go_through_every_family() -> None:
    x = Spec(("N", 3, 8, 8))
    conv = {"stride": (2, 2), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    y = ops.conv2d.shape(x, Spec((4, 3, 3, 3)), Spec((4,)), **conv)
    assert y == Spec(("N", 4, 4, 4))
    assert ops.reshape.shape(y, shape=("N", -1)) == Spec(("N", 64))
    assert ops.concat.shape(y, y, dim=0) == Spec(("2*N", 4, 4, 4))
    assert ops.linear.shape(Spec(("N", 64)), Spec((10, 64))) == Spec(("N", 10))
    assert ops.mean.shape(y, dims=(2, 3)) == Spec(("N", 4))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: ops.add.shape(Spec((2,)), Spec((3,))),
            ShapeError,
            r"takes operands of equal shapes, got \(2,\) and \(3,\)",
        ),
        (
            lambda: ops.add.shape(Spec((2,)), Spec((2,), "int32")),
            DTypeError,
            "takes operands of one dtype, got float32 and int32",
        ),
        (
            lambda: ops.where.shape(Spec((2,)), Spec((2,)), Spec((2,))),
            DTypeError,
            "takes a bool mask, got float32",
        ),
        (
            lambda: ops.logical_not.shape(Spec((2,))),
            DTypeError,
            "takes bool operands, got float32",
        ),
        (
            lambda: ops.linear.shape(Spec((2, 3)), Spec((4, 5))),
            ShapeError,
            r"takes \(\*batch, 5\), got \(2, 3\)",
        ),
        (
            lambda: ops.embedding.shape(Spec((2,)), Spec((4, 5))),
            DTypeError,
            r"takes integers \(int32, ...\), got float32",
        ),
        (
            lambda: ops.div.shape(Spec((2,), "int32"), Spec((2,), "int32")),
            DTypeError,
            "takes floats, got int32",
        ),
        (
            lambda: ops.pow_int.shape(Spec((2,), "int32"), exponent=-1),
            DTypeError,
            "takes floats, got int32",
        ),
        (lambda: ops.neg.shape(Spec((2,), "bool")), DTypeError, "takes numbers, got bool"),
        (lambda: ops.abs.shape(Spec((2,), "uint8")), DTypeError, "numbers with a sign, got uint8"),
        (
            lambda: ops.sum.shape(Spec((2,)), dims=(1,)),
            ShapeError,
            r"takes an input with the axes dims=\(1,\), each once, got \(2,\)",
        ),
        (
            lambda: ops.sum.shape(Spec((2, 2)), dims=(1, -1)),
            ShapeError,
            r"takes an input with the axes dims=\(1, -1\), each once, got \(2, 2\)",
        ),
        (
            lambda: ops.dot.shape(
                Spec((2, 3)), Spec((2, 3)), contract=((1,), (0,)), batch=((), ())
            ),
            ShapeError,
            r"takes equal sizes on axes 1 and 0, got \(2, 3\) and \(2, 3\)",
        ),
        (
            lambda: ops.conv2d.shape(Spec((1, 2, 4)), Spec((1, 2, 3, 3)), **CONV),
            ShapeError,
            r"takes 4 axes, got \(1, 2, 4\)",
        ),
        (
            lambda: ops.conv2d.shape(Spec((1, 2, 4, 4)), Spec((1, 3, 3, 3)), **CONV),
            ShapeError,
            r"takes \(N, 3, H, W\) or \(3, H, W\), got \(1, 2, 4, 4\)",
        ),
        (
            lambda: ops.permute.shape(Spec((2, 3)), dims=(1,)),
            ArgumentError,
            r"takes dims that name every axis of \(2, 3\) once, got \(1,\)",
        ),
        (
            lambda: ops.pad.shape(Spec((2,)), Spec((1,)), low=(0,), high=(0,), interior=(0,)),
            ShapeError,
            r"takes one number to pad with, got \(1,\)",
        ),
        (
            lambda: ops.pad.shape(Spec((2,)), Spec(()), low=(-2,), high=(-1,), interior=(0,)),
            ArgumentError,
            "takes frames that leave an image, got",
        ),
        (
            lambda: ops.slice.shape(Spec((2, 3)), start=(0,), stop=(1,), step=(1,)),
            ArgumentError,
            r"takes one number per axis of \(2, 3\), got",
        ),
        (
            lambda: ops.batch_norm.shape(*(Spec((3,)),) * 5, eps=1e-5),
            ShapeError,
            r"takes \(N, C, ...\), got \(3,\)",
        ),
    ],
)
def test_a_shape_rule_says_what_it_takes_and_got(call, error, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("cut", [(0, 6), (3, 2)])
def test_a_cut_lies_within_its_axis(cut: tuple[int, int]) -> None:
    start, stop = ((n,) for n in cut)
    with pytest.raises(ShapeError, match=r"slice takes a part of \(5,\), got"):
        ops.slice(jnp.ones(5), start=start, stop=stop, step=(1,))
    with pytest.raises(ArgumentError, match=r"slice takes steps of at least 1, got \(0,\)"):
        ops.slice(jnp.ones(5), start=(0,), stop=(5,), step=(0,))


@pytest.mark.parametrize(("dtype", "least", "greatest"), [("int8", -128, 127), ("uint8", 0, 255)])
def test_a_cast_beyond_its_integers_is_no_number_and_any_of_them(
    dtype: str, least: int, greatest: int
) -> None:
    edge, beyond = Interval.of([least], [greatest + 0.75]), Interval.of([0.0], [greatest + 1.0])
    found = ops.cast.interval(edge, dtype=dtype)
    assert (found.lower, found.upper) == (least, greatest)
    assert ops.cast.exact(Rational.of([greatest + 0.75]), dtype=dtype).fractions() == [greatest]
    found = ops.cast.interval(beyond, dtype=dtype)
    assert (found.lower, found.upper) == (least, greatest)
    with pytest.raises(MeaningError, match="`cast` has no exact meaning here") as caught:
        ops.cast.exact(Rational.of([greatest + 1.0]), dtype=dtype)
    assert caught.value.because == f"{dtype} does not hold its operand"


@pytest.mark.parametrize("name", ["amax", "amin", "mean"])
def test_of_nothing_there_is_no_extreme_and_no_mean(name: str) -> None:
    with pytest.raises(
        ShapeError, match=rf"{name} takes at least one entry along \(1,\), got \(2,"
    ):
        ops.TABLE[name](jnp.ones((2, 0)), dims=(1,))
    with pytest.raises(ShapeError, match=r"argmax takes at least one entry along \(0,\)"):
        ops.argmax(jnp.ones(0), dim=0)
    assert ops.sum(jnp.ones((2, 0)), dims=(1,)).tolist() == [0, 0]


def test_a_derivative_multiplies_by_nothing_that_does_not_move() -> None:
    w = jnp.ones((3, 3))

    def second(x: jax.Array) -> jax.Array:
        def first(x: jax.Array) -> jax.Array:
            return jax.jvp(lambda x: ops.tanh(ops.linear(x, w, w[0])), (x,), (w,))[1]

        return jax.jvp(first, (x,), (w,))[1]

    text = jax.jit(second).lower(w).compile().as_text()
    assert text.count(" dot(") == 2  # of x, and of the direction
