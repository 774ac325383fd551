"""Losses against PyTorch, sums and counts, and what is not broadcast."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from close import assert_close
from tensorem import losses
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError
from tensorem.shapes import Spec

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((6, 4)).astype(np.float32) * 3
CLASSES = np.array([0, 3, 2, 2, 1, 0], np.int32)
PROBABILITIES = RNG.dirichlet(np.ones(4), 6).astype(np.float32)

CASES = [
    ("mse", "mse_loss", PROBABILITIES),
    ("l1", "l1_loss", PROBABILITIES),
    ("bce_with_logits", "binary_cross_entropy_with_logits", PROBABILITIES),
    ("cross_entropy", "cross_entropy", CLASSES),
    ("cross_entropy", "cross_entropy", PROBABILITIES),
    ("nll", "nll_loss", CLASSES),
]


@pytest.mark.parametrize(("name", "theirs", "target"), CASES)
def test_value_and_gradient_are_torchs(name: str, theirs: str, target: Any) -> None:
    torch = pytest.importorskip("torch")
    x = torch.tensor(LOGITS, requires_grad=True)
    y = torch.tensor(target if target.dtype == np.float32 else target.astype(np.int64))
    expected = getattr(torch.nn.functional, theirs)(x, y)
    expected.backward()

    def mean(output: Any) -> Any:
        return losses.mean(losses.by_name(name)(output, jnp.asarray(target)))

    value, gradient = jax.jit(jax.value_and_grad(mean))(LOGITS)
    assert_close(value, expected.detach().numpy(), rtol=1e-5)
    assert_close(gradient, x.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_classes_on_axis_1_as_in_torch_are_moved_to_the_last() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    output = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    target = rng.integers(0, 3, (2, 4, 5))
    expected = torch.nn.functional.cross_entropy(torch.tensor(output), torch.tensor(target))
    pair = losses.cross_entropy(jnp.moveaxis(output, 1, -1), jnp.asarray(target, jnp.int32))
    assert_close(losses.mean(pair), expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize(("name", "_", "target"), CASES)
def test_pairs_of_parts_add_up_to_the_pair_of_the_whole(name: str, _: str, target: Any) -> None:
    loss = losses.by_name(name)
    whole = loss(jnp.asarray(LOGITS), jnp.asarray(target))
    parts = [
        loss(jnp.asarray(LOGITS[s]), jnp.asarray(target[s])) for s in (slice(0, 2), slice(2, 6))
    ]
    assert_close(parts[0][0] + parts[1][0], whole[0], rtol=1e-6)
    assert parts[0][1] + parts[1][1] == whole[1] == (6 if whole[1] < 7 else 24)


def test_classes_may_have_more_than_one_batch_axis() -> None:
    output = jnp.asarray(LOGITS.reshape(2, 3, 4))
    total, count = losses.cross_entropy(output, jnp.asarray(CLASSES.reshape(2, 3)))
    expected = losses.cross_entropy(jnp.asarray(LOGITS), jnp.asarray(CLASSES))
    assert_close(total, expected[0])
    assert count == 6


INF = np.inf
ROWS = [
    ([-INF, 0.0, 1.0], [0.0, 1.0, 0.0]),
    ([-INF, 0.0, 1.0], [0.0, 0.25, 0.75]),
    ([-INF, -INF, 3.0], [0.0, 0.0, 1.0]),
    ([1e4, -1e4, 0.0], [1.0, 0.0, 0.0]),
    ([1e4, -1e4, 0.0], [0.0, 1.0, 0.0]),
    ([-1e4, 1e4, 1e4], [0.25, 0.25, 0.5]),
    ([1.0, -INF, 0.0], [0.5, 0.5, 0.0]),  # what cannot happen does
]
"""Logits of a row, and its probabilities."""
BITS = [(x, y) for x in (1e4, -1e4, 30.0, -30.0) for y in (0.0, 0.25, 1.0)]
BITS += [(INF, 1.0), (-INF, 0.0), (INF, 0.0), (-INF, 0.5)]
V = jnp.array([0.5, -1.0, 2.0])


@partial(jax.jit, static_argnums=0)  # one program: primitive by primitive there are dozens
def _derivatives(f: Any, x: Any, v: Any) -> list[Any]:
    """The gradient, the derivative along v, and what the gradient changes along v, twice."""
    slope = lambda a: jnp.sum(jax.grad(f)(a) * v)  # noqa: E731
    along = jax.jvp(f, (x,), (v,))[1], jax.jvp(jax.grad(f), (x,), (v,))[1]
    return [jax.grad(f)(x), *along, jax.grad(slope)(x)]


def _surprise(z: list[float], p: list[float]) -> float:
    """The sum of p log(1 / softmax z) over the classes that can happen, in 300 bits."""
    with mpmath.workprec(300):
        total = mpmath.log(mpmath.fsum(mpmath.exp(a) for a in z))
        return float(mpmath.fsum(b * (total - a) for a, b in zip(z, p, strict=True) if b))


def _assert_cost(found: Any, true: float) -> None:
    assert float(found) == true == INF or abs(float(found) - true) <= 1e-6 * abs(true)


@pytest.mark.parametrize(("z", "p"), ROWS)
def test_what_has_probability_0_costs_nothing_at_any_logit(z: list[float], p: list[float]) -> None:
    logits, q = jnp.array(z), jnp.array(p)
    share = jax.nn.softmax(logits)
    bend = share * (V - jnp.sum(share * V))

    def checked(f: Any, target: Any) -> None:
        _assert_cost(f(logits), _surprise(z, p))
        slope = share - target
        found = _derivatives(f, logits, V)
        for value, true in zip(found, (slope, jnp.sum(slope * V), bend, bend), strict=True):
            assert_close(value, true)

    checked(lambda a: losses.cross_entropy(a, q)[0], q)
    checked(lambda a: losses.nll(jax.nn.log_softmax(a), q)[0], q)
    if max(p) == 1:
        hot = jnp.argmax(q)
        checked(lambda a: losses.cross_entropy(a, hot)[0], q)
        checked(lambda a: losses.nll(jax.nn.log_softmax(a), hot)[0], q)


@pytest.mark.parametrize(("x", "y"), BITS)
def test_bits_at_any_logit(x: float, y: float) -> None:
    f = lambda a: losses.bce_with_logits(a, jnp.array(y))[0]  # noqa: E731
    share = float(1 / (1 + mpmath.exp(-x)))
    kinds = [[x, 0.0], [0.0, -x]]  # the same two shares; one of the pairs has no logit of +inf
    _assert_cost(f(jnp.array(x)), _surprise(kinds[int(x > 0)], [y, 1 - y]))
    slope, bend = share - y, share * (1 - share)
    found = _derivatives(f, jnp.array(x), jnp.array(1.0))
    for value, true in zip(found, (slope, slope, bend, bend), strict=True):
        assert_close(value, true)


def test_of_nothing_expected_nothing_counted_costs_nothing() -> None:
    rate, slope = jnp.array(-INF), jnp.array(1.0)
    for count, cost in ((0.0, 0.0), (2.0, INF)):
        f = partial(losses.poisson_nll, target=jnp.array(count), reduction="sum")
        _assert_cost(f(rate), cost)
        for value, true in zip(_derivatives(f, rate, slope), (-count, -count, 0, 0), strict=True):
            assert_close(value, true)


def test_a_label_that_cannot_be_does_not_touch_the_rest_of_a_sequence() -> None:
    torch = pytest.importorskip("torch")
    logits = np.random.default_rng(0).normal(size=(6, 2, 4)).astype(np.float32)
    logits[:, :, 3] = -INF
    lengths = np.array([6, 5]), np.array([2, 1])

    def cost(x: Any, labels: Any) -> Any:
        logp = jax.nn.log_softmax(x)
        return losses.ctc(logp, jnp.asarray(labels), *map(jnp.asarray, lengths), reduction="sum")

    labels = np.array([[1, 2], [2, 1]])
    leaf = torch.tensor(logits[:, :, :3], requires_grad=True)  # with it, PyTorch's gradient is NaN
    given = (torch.tensor(labels), *map(torch.tensor, lengths))
    expected = torch.nn.functional.ctc_loss(leaf.log_softmax(-1), *given, reduction="sum")
    expected.backward()
    f = lambda x: cost(x, labels)  # noqa: E731
    assert_close(jax.jit(f)(logits), expected.detach().numpy(), rtol=1e-5)
    v = jnp.asarray(np.isfinite(logits), jnp.float32)
    slope, *rest = _derivatives(f, jnp.asarray(logits), v)
    assert_close(slope, np.pad(leaf.grad.numpy(), ((0, 0), (0, 0), (0, 1))))
    assert all(np.isfinite(value).all() for value in rest)
    assert jax.jit(lambda x: cost(x, np.array([[1, 3], [2, 1]])))(logits) == INF


def test_a_probability_that_moves_away_from_0_is_not_lost() -> None:
    """The derivative in the target is -log p, also where the target is 0."""
    z = jnp.array([0.0, 1.0])
    found = jax.grad(lambda p: losses.cross_entropy(z, p)[0])(jnp.array([0.0, 1.0]))
    assert_close(found, -jax.nn.log_softmax(z))


@pytest.mark.parametrize("name", ["mse", "l1", "bce_with_logits"])
def test_nothing_broadcasts(name: str) -> None:
    words = rf"{name} takes an output and a target of equal shapes, got \(4, 1\) and \(4,\)"
    with pytest.raises(ShapeError, match=words):
        losses.by_name(name)(jnp.ones((4, 1)), jnp.ones(4))
    with pytest.raises(DTypeError, match="of one dtype, got float32 and int32"):
        losses.by_name(name)(jnp.ones(4), jnp.ones(4, jnp.int32))


def test_targets_of_another_form_are_errors() -> None:
    output = jnp.asarray(LOGITS)
    words = r"takes classes \(6,\) or probabilities \(6, 4\), got"
    for target in (jnp.zeros((6, 1), jnp.int32), jnp.zeros(6), jnp.zeros(5, jnp.int32)):
        with pytest.raises(ShapeError, match=words):
            losses.cross_entropy(output, target)
    with pytest.raises(DTypeError, match="integer classes or float targets, got bool"):
        losses.cross_entropy(output, jnp.zeros(6, bool))
    with pytest.raises(ShapeError, match=r"takes an output \(\*batch, classes\) of floats"):
        losses.nll(jnp.ones((2, 2), jnp.int32), jnp.zeros(2, jnp.int32))
    with pytest.raises(
        ShapeError, match=r"takes an output \(\*batch, classes\) .*, got .*\(2, 0\)"
    ):
        losses.cross_entropy(jnp.ones((2, 0)), jnp.zeros(2, jnp.int32))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint32"])
@pytest.mark.parametrize("classes", [256, 300])
def test_narrow_class_numbers_meet_many_classes(dtype: str, classes: int) -> None:
    logits = np.random.default_rng(0).normal(size=(3, classes)).astype(np.float32)
    target = np.array([0, 44, 127])
    expected = -jax.nn.log_softmax(logits)[np.arange(3), target].sum()
    assert_close(jax.jit(losses.cross_entropy)(logits, target.astype(dtype))[0], expected)


@pytest.mark.parametrize("name", ["mse", "l1", "bce_with_logits"])
def test_integers_have_no_distance_here(name: str) -> None:
    with pytest.raises(DTypeError, match=f"{name} takes floats, got int32"):
        losses.by_name(name)(jnp.ones(3, jnp.int32), jnp.ones(3, jnp.int32))


@pytest.mark.parametrize("wrong", [4, -1, -100])
def test_a_class_out_of_range_is_never_silent(wrong: int) -> None:
    target = CLASSES.copy()
    target[3] = wrong
    with pytest.raises(DataError, match=f"takes classes from 0 to 3, got {wrong}") as caught:
        losses.cross_entropy(jnp.asarray(LOGITS), jnp.asarray(target))
    assert caught.value.where == "target[3]"
    total, _ = jax.jit(losses.cross_entropy)(jnp.asarray(LOGITS), jnp.asarray(target))
    assert np.isnan(total)


def test_a_whole_data_set_is_checked_beforehand() -> None:
    check = losses.check_targets
    output = Spec(("N", 4))
    check("cross_entropy", output, CLASSES)
    check("cross_entropy", output, PROBABILITIES)
    check("mse", output, PROBABILITIES)
    with pytest.raises(DataError, match="classes from 0 to 3, got 9") as caught:
        check("cross_entropy", output, np.array([0, 1, 9, 9]))
    assert caught.value.where == "target[2]"
    assert caught.value.help == "2 of 4 targets are out of range."
    with pytest.raises(DataError, match="mse takes finite targets, got nan"):
        check("mse", output, np.full((2, 4), np.nan))
    with pytest.raises(ShapeError, match=r"equal shapes, got \(6, 4\) and \(6,\)"):
        check("mse", output, PROBABILITIES[:, 0])
    with pytest.raises(ShapeError, match=r"takes classes \(6,\) or probabilities \(6, 4\)"):
        check("cross_entropy", output, PROBABILITIES[:, :2])
    with pytest.raises(DTypeError, match="takes integer classes or float targets, got bool"):
        check("cross_entropy", output, CLASSES > 0)


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("cross_entropy", PROBABILITIES * 7, r"probabilities in \[0, 1\], got"),
        ("cross_entropy", -PROBABILITIES, r"probabilities in \[0, 1\], got -"),
        ("cross_entropy", PROBABILITIES / 2, r"probabilities with the sum 1, got the sum 0\.5"),
        ("nll", PROBABILITIES / 2, r"probabilities with the sum 1, got the sum 0\.5"),
        ("bce_with_logits", PROBABILITIES + 1, r"probabilities in \[0, 1\], got 1\."),
    ],
)
def test_probabilities_are_probabilities(name: str, target: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        losses.check_targets(name, Spec(("N", 4)), target)


def test_targets_of_the_other_form_are_told_how_to_convert() -> None:
    with pytest.raises(ShapeError) as caught:
        losses.check_targets("cross_entropy", Spec(("N", 4)), CLASSES.astype(np.float32))
    assert caught.value.help == "classes are integers: target.astype('int32')."
    with pytest.raises(ShapeError) as caught:
        losses.check_targets("cross_entropy", Spec(("N", 4)), np.eye(4, dtype=np.int32))
    assert caught.value.help.startswith("probabilities are floats: target.astype('float32')")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ArgumentError, match=r"a name of mse, l1, .*, got 'quadratic'"):
        losses.by_name("quadratic")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_a_number_does_not_count_far_but_the_pair_does(dtype: str) -> None:
    entries = jnp.ones((70001, 1), dtype)
    total, count = losses.mse(entries, 3 * entries)
    assert (float(total), float(count)) == (4 * 70001, 70001)
    logits = jnp.zeros((70001, 2), dtype)
    _, count = losses.cross_entropy(logits, jnp.zeros(70001, jnp.int32))
    assert float(count) == 70001
    slope = jax.grad(lambda x: losses.mean(losses.mse(x, 3 * x)))(jnp.ones(4, dtype))
    assert slope.dtype == dtype
