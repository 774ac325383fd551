"""A list, a number or nothing where an array belongs: one error for all functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tensorem import functional as F
from tensorem import losses, metrics
from tensorem.errors import DTypeError

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f"F.{name}": getattr(F, name) for name in F.__all__ if name not in ("called", "shape")},
    **losses.LOSSES,
    **metrics.METRICS,
}


def places() -> Iterator[tuple[str, str]]:
    for name, f in FUNCTIONS.items():
        for parameter in inspect.signature(f).parameters.values():
            one = parameter.kind is not parameter.VAR_POSITIONAL
            if one and str(parameter.annotation).startswith("Array"):
                yield name, parameter.name


def arguments(f: Callable[..., Any]) -> dict[str, Any]:
    """What a call needs: arrays, and 1 for anything else."""
    needed = [p for p in inspect.signature(f).parameters.values() if p.default is p.empty]
    return {p.name: jnp.ones(2) if str(p.annotation).startswith("Array") else 1 for p in needed}


def test_every_function_takes_an_array() -> None:
    assert {name for name, _ in places()} == FUNCTIONS.keys() - {"F.cat", "F.einsum"}


@pytest.mark.parametrize(("name", "parameter"), list(places()))
@pytest.mark.parametrize("value", [[1.0], (1, 2), "a", {}])
def test_what_is_no_array_is_said(name: str, parameter: str, value: Any) -> None:
    f = FUNCTIONS[name]
    with pytest.raises(DTypeError) as caught:
        f(**arguments(f) | {parameter: value})
    help = "jax.random.key(0)." if parameter == "key" else f"jnp.asarray({parameter})."
    kind = type(value).__name__
    assert str(caught.value) == f"{name} takes arrays, got {kind}.\n  help: {help}"


def test_members_of_a_list_are_arrays() -> None:
    with pytest.raises(DTypeError) as caught:
        F.cat([jnp.ones(2), [1.0]])
    assert str(caught.value) == "F.cat takes arrays, got list.\n  help: jnp.asarray(xs[1])."
    with pytest.raises(DTypeError, match=r"F.einsum takes arrays, got list"):
        F.einsum("i,i->", jnp.ones(1), [1.0])  # type: ignore[arg-type]


def test_numbers_are_taken_where_a_function_says_so() -> None:
    assert F.relu(-1.0) == 0 and F.mul(2, jnp.ones(1)) == 2 and F.sub(jnp.ones(1), 1) == 0
    for call in (lambda: F.sum(1.0), lambda: F.linear(jnp.ones(2), 2.0), lambda: F.sigmoid(None)):
        with pytest.raises(DTypeError, match="takes arrays, got"):
            call()


WIDE = {
    "F.relu": lambda: F.relu(np.array([2**40])),
    "F.sum": lambda: F.sum(np.array([2**40])),
    "F.exp": lambda: F.exp(np.array([0.1])),
    "F.mul": lambda: F.mul(jnp.ones(1), np.array([0.1])),
    "F.cat": lambda: F.cat([jnp.ones(1), np.array([0.1])]),
    "F.linear": lambda: F.linear(jnp.ones((1, 1)), weight=np.array([[1e30]])),
    "mse": lambda: losses.mse(np.array([1e30]), np.array([0.0])),
    "accuracy": lambda: metrics.accuracy(np.array([[0.1, 0.2]]), np.array([0])),
}
"""64 bits that 32 do not hold."""


@pytest.mark.parametrize("name", WIDE)
def test_an_array_of_numpy_is_never_rounded(name: str) -> None:
    with pytest.raises(DTypeError) as caught:
        WIDE[name]()
    narrow, wide = ("int32", "int64") if name in ("F.relu", "F.sum") else ("float32", "float64")
    given = {"F.mul": "y", "F.cat": "xs[1]", "F.linear": "weight"}.get(name, "x")
    given = "output" if not name.startswith("F.") else given
    assert str(caught.value) == (
        f"{name} takes {narrow}, got {wide} with values that {narrow} does not hold.\n"
        f"  help: round on purpose: {given}.astype('{narrow}')."
    )


def test_an_array_of_numpy_is_taken_where_its_values_are() -> None:
    assert F.linear(np.ones((2, 3)), jnp.ones((4, 3))).dtype == jnp.float32
    assert F.relu(np.array([2**30])).tolist() == [2**30]
    assert F.mul(jnp.ones(1), np.float64(0.1)) == jnp.float32(0.1)  # a number of Python's
    with jax.enable_x64(True):
        assert F.exp(np.array([0.1])).dtype == jnp.float64
        assert F.sum(np.array([2**40])) == 2**40


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.array(["a"]), r"F.relu takes numbers, got <U1 \(ndarray\)"),
        (np.array([1j]), r"F.relu takes numbers, got complex128 \(ndarray\)"),
        (np.ma.array([1.0], mask=[1]), "F.relu takes numbers, got masked values"),
    ],
)
def test_an_array_of_numpy_holds_numbers(x: Any, words: str) -> None:
    with pytest.raises(DTypeError, match=words):
        F.relu(x)


def test_arrays_of_numpy_are_arrays() -> None:
    x = np.ones((1, 2), np.float32)
    assert F.linear(x, x, np.ones(1, np.float32)) == 3
    assert losses.mse(x, x)[0] == 0
    assert metrics.accuracy(x, np.zeros(1, np.int32)) == (1, 1)
