"""Losses against PyTorch, sums and counts, and what is not broadcast."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
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


def test_extreme_logits_stay_finite() -> None:
    big = jnp.asarray([[1e4, -1e4]])
    assert float(losses.cross_entropy(big, jnp.asarray([1]))[0]) == 2e4
    assert float(losses.bce_with_logits(big, jnp.zeros((1, 2)))[0]) == 1e4


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
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(3, classes)))
    target = np.array([0, 44, 127])
    expected = losses.cross_entropy(logits, jnp.asarray(target))
    for loss in (losses.cross_entropy, jax.jit(losses.cross_entropy)):
        assert_close(loss(logits, jnp.asarray(target, dtype))[0], expected[0])


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
    with pytest.raises(ArgumentError, match=r"a name of mse, l1, .*, got 'huber'"):
        losses.by_name("huber")


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
