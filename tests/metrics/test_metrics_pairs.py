"""Metrics against exact counts."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from tensorem import metrics
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError

OUTPUT = jnp.asarray([[0.1, 0.9], [0.8, 0.2], [0.5, 0.5], [0.0, 1.0]])


def test_accuracy_counts_rows_and_the_first_of_equals_wins() -> None:
    assert metrics.accuracy(OUTPUT, jnp.asarray([1, 1, 0, 1])) == (3.0, 4.0)
    one_hot = jnp.asarray(np.eye(2, dtype=np.float32)[[1, 1, 1, 1]])
    assert metrics.accuracy(OUTPUT, one_hot) == (2.0, 4.0)
    assert metrics.accuracy(OUTPUT.reshape(2, 2, 2), jnp.zeros((2, 2), jnp.int32)) == (2.0, 4.0)


def test_binary_accuracy_compares_signs_with_bits() -> None:
    logits, bits = jnp.asarray([1.0, -2.0, 0.5, 0.0]), jnp.asarray([1.0, 0.0, 0.0, 0.0])
    assert metrics.binary_accuracy(logits, bits) == (3.0, 4.0)


def test_shapes_and_names_are_checked() -> None:
    with pytest.raises(ShapeError, match=r"accuracy takes classes \(4,\) or .*, got int32 \(3,\)"):
        metrics.accuracy(OUTPUT, jnp.zeros(3, jnp.int32))
    with pytest.raises(ShapeError, match=r"takes an output \(\*batch, classes\) of floats, got"):
        metrics.accuracy(jnp.zeros(()), jnp.zeros((), jnp.int32))
    with pytest.raises(ShapeError) as caught:
        metrics.accuracy(jnp.eye(3), jnp.eye(3, 5))
    assert str(caught.value) == (
        "accuracy takes classes (3,) or probabilities (3, 3), got float32 (3, 5)."
    )
    with pytest.raises(ShapeError, match=r"probabilities \(4, 2\), got float32 \(4, 1\)"):
        metrics.accuracy(OUTPUT, jnp.ones((4, 1)))
    with pytest.raises(ShapeError, match=r"got float32 \(4,\)\.\n  help: classes are integers"):
        metrics.accuracy(OUTPUT, jnp.ones(4))
    with pytest.raises(DTypeError, match="accuracy takes integer classes or float targets, got bo"):
        metrics.accuracy(OUTPUT, jnp.ones(4, bool))
    with pytest.raises(ShapeError, match=r"equal shapes, got \(4, 2\) and \(4,\)"):
        metrics.binary_accuracy(OUTPUT, jnp.zeros(4))
    with pytest.raises(ArgumentError, match=r"a name of accuracy, .*, got 'f1'"):
        metrics.by_name("f1")


def test_a_class_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="accuracy takes classes from 0 to 1, got 2"):
        metrics.accuracy(jnp.zeros((3, 2)), jnp.array([0, 1, 2]))
