"""Metrics of a whole data set against scipy, counts by hand, and definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from close import assert_close
from tensorem import losses, metrics
from tensorem.errors import ArgumentError, DataError, ShapeError

RNG = np.random.default_rng(0)
SCORES, CLASSES = RNG.standard_normal((60, 4)), RNG.integers(0, 4, 60)


def test_counts_are_those_of_a_loop() -> None:
    expected = np.zeros((4, 4), int)
    for row, c in zip(SCORES, CLASSES, strict=True):
        expected[c, list(row).index(max(row))] += 1
    assert np.array_equal(metrics.confusion_matrix(SCORES, CLASSES), expected)


@pytest.mark.parametrize("average", ["macro", "micro", "none"])
def test_precision_recall_and_f1_are_their_definitions(average: Any) -> None:
    said = SCORES.argmax(1)
    p = np.array([np.mean(CLASSES[said == c] == c) for c in range(4)])
    r = np.array([np.mean(said[c == CLASSES] == c) for c in range(4)])
    share = np.mean(said == CLASSES)
    for metric, each in (("precision", p), ("recall", r), ("f1", 2 * p * r / (p + r))):
        found = getattr(metrics, metric)(SCORES, CLASSES, average=average)
        assert_close(found, {"macro": each.mean(), "micro": share, "none": each}[average])


def test_a_class_that_nobody_is_or_says_counts_0() -> None:
    scores, classes = np.eye(3)[[0, 0, 1]], np.array([0, 1, 1])
    for metric in (metrics.precision, metrics.recall, metrics.f1):
        assert metric(scores, classes, average="none")[2] == 0


@pytest.mark.parametrize("decimals", [8, 0])
def test_the_area_is_the_share_of_pairs_in_order(decimals: int) -> None:
    scores, bits = SCORES[:, 0].round(decimals), CLASSES % 2
    one, zero = scores[bits == 1], scores[bits == 0]
    u = stats.mannwhitneyu(one, zero).statistic
    assert_close(metrics.auroc(scores, bits), u / (len(one) * len(zero)))


def test_r2_is_the_square_of_the_correlation_of_a_fitted_line() -> None:
    x, y = SCORES[:, 0], SCORES[:, 0] * 2 + SCORES[:, 1]
    line = stats.linregress(x, y)
    assert_close(metrics.r2(line.intercept + line.slope * x, y), line.rvalue**2)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_k_largest_are_those_of_a_sort(k: int) -> None:
    order = np.argsort(-SCORES, axis=1, kind="stable")[:, :k]
    expected = np.mean([c in row for c, row in zip(CLASSES, order, strict=True)])
    pair = metrics.top_k_accuracy(jnp.asarray(SCORES), jnp.asarray(CLASSES), k=k)
    assert_close(losses.mean(pair), expected)
    tied = metrics.top_k_accuracy(jnp.zeros((1, 4)), jnp.array([2]), k=2)
    assert tied[0] == 0  # of equal entries the first two count


def test_perplexity_of_even_guesses_is_the_number_of_classes() -> None:
    pair = losses.cross_entropy(jnp.zeros((5, 7)), jnp.arange(5))
    assert_close(metrics.perplexity(pair), 7.0, 1e-6)
    with pytest.raises(ArgumentError, match=r"perplexity takes \(pair\): too many positional"):
        metrics.perplexity(*pair)  # type: ignore[call-arg]


def test_errors_are_those_of_the_losses() -> None:
    x, y = jnp.asarray(SCORES), jnp.zeros((60, 4))
    assert metrics.squared_error(x, y)[0] == losses.mse(x, y)[0]
    assert metrics.absolute_error(x, y)[0] == losses.l1(x, y)[0]


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: metrics.confusion_matrix(SCORES[:, 0], CLASSES),
        ShapeError,
        r"confusion_matrix takes an output \(N, classes\) and integer classes \(N,\), got \(60,\)",
    ),
    (lambda: metrics.recall(SCORES, CLASSES + 1), DataError, "recall takes classes from 0 to 3"),
    (
        lambda: metrics.f1(SCORES, CLASSES, average="all"),  # type: ignore[arg-type]
        ArgumentError,
        "f1 takes average as one of macro, micro, none, got 'all'",
    ),
    (lambda: metrics.r2(SCORES[:1], SCORES[:1]), ShapeError, "r2 takes two or more outputs"),
    (lambda: metrics.r2(SCORES, SCORES * 0), DataError, "r2 takes targets that differ"),
    (lambda: metrics.auroc(SCORES, CLASSES), ShapeError, r"auroc takes scores \(N,\)"),
    (lambda: metrics.auroc(SCORES[:, 0], CLASSES), DataError, "auroc takes targets 0 and 1"),
    (
        lambda: metrics.top_k_accuracy(jnp.ones((2, 3)), jnp.zeros(2, int), k=4),
        ArgumentError,
        "top_k_accuracy takes k as an integer of at most 3, got 4",
    ),
    (
        lambda: metrics.top_k_accuracy(jnp.ones((2, 3)), jnp.ones((2, 3))),
        ArgumentError,
        "top_k_accuracy takes classes as targets, got probabilities",
    ),
    (
        lambda: metrics.top_k_accuracy(jnp.ones((2, 6)), jnp.full(2, 6)),
        DataError,
        "top_k_accuracy takes classes from 0 to 5, got 6",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), WRONG)
def test_what_a_metric_does_not_take_is_said(
    call: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call()
