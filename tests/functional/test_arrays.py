"""A list, a number or nothing where an array belongs: one error for all functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

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
            if str(parameter.annotation).startswith("Array"):
                yield name, parameter.name


def arguments(f: Callable[..., Any]) -> dict[str, Any]:
    """What a call needs: arrays, and 1 for anything else."""
    needed = [p for p in inspect.signature(f).parameters.values() if p.default is p.empty]
    return {p.name: jnp.ones(2) if str(p.annotation).startswith("Array") else 1 for p in needed}


def test_every_function_takes_an_array() -> None:
    assert {name for name, _ in places()} == FUNCTIONS.keys() - {"F.cat"}


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


def test_numbers_are_taken_where_a_function_says_so() -> None:
    assert F.relu(-1.0) == 0 and F.mul(2, jnp.ones(1)) == 2 and F.sub(jnp.ones(1), 1) == 0
    for call in (lambda: F.sum(1.0), lambda: F.linear(jnp.ones(2), 2.0), lambda: F.sigmoid(None)):
        with pytest.raises(DTypeError, match="takes arrays, got"):
            call()


def test_arrays_of_numpy_are_arrays() -> None:
    x = np.ones((1, 2), np.float32)
    assert F.linear(x, x, np.ones(1, np.float32)) == 3
    assert losses.mse(x, x)[0] == 0
    assert metrics.accuracy(x, np.zeros(1, np.int32)) == (1, 1)
