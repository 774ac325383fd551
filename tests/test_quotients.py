"""gradcheck takes right derivatives and refuses wrong ones, exactly and in float64."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import functional as F
from tensorem.errors import ArgumentError, CaptureError, DataError, DTypeError, MeaningError

X = np.array([[1.5, 0.0, -2.0]], np.float32)


def test_piecewise_linear_is_exact_and_a_kink_takes_what_lies_between() -> None:
    for f in (F.relu, F.abs, lambda x: F.clamp(x, -2.0, 1.0)):
        found = tm.gradcheck(f, X)
        assert (found.largest, found.entries, found.dtype) == (0, 9, "rational")
    curved = tm.gradcheck(lambda x: F.sum(x * x * x), X)
    assert 0 < curved.largest <= Fraction(2) ** -119  # the square of the step


def test_a_smooth_function_is_read_in_float64() -> None:
    assert tm.gradcheck(lambda x: F.softmax(x, -1), X, dtype="float64").largest < 1e-9
    tree = tm.gradcheck(
        lambda p, i: jnp.tanh(p["a"]) * i, {"a": X}, np.int32([2, 3, 4]), dtype="float64"
    )
    assert tree.entries == 9


def planted(slope: Callable[[Any, Any], Any], backward: bool) -> Callable[[Any], Any]:
    """x² with a derivative of one's own."""
    if backward:
        f: Any = jax.custom_vjp(lambda x: x * x)
        f.defvjp(lambda x: (x * x, x), lambda x, v: (slope(x, v),))
    else:
        f = jax.custom_jvp(lambda x: x * x)
        f.defjvp(lambda x, v: (x[0] * x[0], slope(x[0], v[0])))
    return f  # type: ignore[no-any-return]


@pytest.mark.parametrize("dtype", ["rational", "float64"])
@pytest.mark.parametrize("backward", [False, True])
def test_a_planted_fault_is_found(dtype: str, backward: bool) -> None:
    assert tm.gradcheck(planted(lambda x, v: 2 * x * v, backward), X, dtype=dtype).entries == 9
    with pytest.raises(ArgumentError, match=r"got 1\.5 for output 0 and args\[0\], where .* 3\.0"):
        tm.gradcheck(planted(lambda x, v: x * v, backward), X, dtype="rational")
    slightly = 1 + 1e-4
    with pytest.raises(ArgumentError, match="whose derivatives are those of its values"):
        tm.gradcheck(planted(lambda x, v: 2 * slightly * x * v, backward), X, dtype=dtype)


@pytest.mark.parametrize(
    ("f", "x", "dtype", "kind", "words"),
    [
        (jnp.tanh, X, "rational", MeaningError, r'gradcheck\(f, \.\.\., dtype="float64"\)'),
        (jnp.sqrt, np.float32(0), "float64", DataError, "output 0 is not, near args"),
        (jnp.sum, np.int32([1]), "rational", DTypeError, "gradcheck takes floats, got none"),
        (jnp.argmax, X, "rational", DTypeError, "gives floats, got one to int32"),
        (jnp.linalg.inv, X[:, :1], "rational", CaptureError, "JAX primitive `lu`"),
        (jnp.sum, X, "float32", ArgumentError, "dtype as one of rational, float64"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    f: Any, x: Any, dtype: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        tm.gradcheck(f, x, dtype=dtype)
