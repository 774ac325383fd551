"""Indexing, stacking and tiling become moves, also where the batch has no size yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tensorem import graph
from tensorem.errors import CaptureError
from tensorem.shapes import Spec

X = np.arange(24, dtype=np.float32).reshape(2, 4, 3)

INDEXING: dict[str, Callable[[Any], Any]] = {
    "column": lambda x: x[:, 1],
    "last": lambda x: x[..., -1],
    "range": lambda x: x[:, 1:3],
    "rest": lambda x: x[1:],
    "steps": lambda x: x[:, ::2],
    "reversed": lambda x: x[:, ::-1],
    "backwards": lambda x: x[..., 2:0:-1],
    "list": lambda x: x[:, jnp.array([3, 0, 3])],
    "negative list": lambda x: x[:, :, np.array([-1, 0])],
    "take": lambda x: jnp.take(x, 2, axis=1),
    "two at once": lambda x: x[:, 2, 1],
    "new axis": lambda x: x[:, None, 1],
    "stack": lambda x: jnp.stack([x, -x], axis=1),
    "unstack": lambda x: jax.grad(lambda x: jnp.sum(jnp.stack([x, x * x], axis=1) ** 2))(x),
    "tile": lambda x: jnp.tile(x, (1, 2, 3)),
}


@pytest.mark.parametrize("batch", [2, "N"])
@pytest.mark.parametrize("name", INDEXING)
def test_indexing_is_captured_exactly(name: str, batch: Any) -> None:
    f = INDEXING[name]
    g = graph.capture(f, (batch, 4, 3))
    bound = g.bind(N=2) if batch == "N" else g
    ours, theirs = np.asarray(graph.to_jax(bound)(X)), np.asarray(f(jnp.asarray(X)))
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype


@pytest.mark.parametrize(
    ("f", "primitive"),
    [
        (lambda x, i: x[:, i], "dynamic_slice|gather"),
        (lambda x, i: jnp.take(x, jnp.array([9]), axis=1), "gather"),
    ],
)
def test_an_index_that_is_not_known_is_an_error(f: Any, primitive: str) -> None:
    with pytest.raises(CaptureError, match=f"JAX primitive `({primitive})`"):
        graph.capture(f, ("N", 4), Spec((), "int32"))


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: jnp.tile(x, (300,)), "captured tile takes 1 to 256 copies, got 300"),
        (
            lambda x: jax.lax.reshape(x[None], (3,), dimensions=(1, 0)),
            "captured reshape keeps the order of the axes",
        ),
    ],
)
def test_what_a_rule_does_not_cover_is_an_error(f: Any, words: str) -> None:
    with pytest.raises(CaptureError, match=words) as caught:
        graph.capture(f, (3,))
    assert caught.value.help


@pytest.mark.parametrize(
    "f", [lambda x: x if x.sum() > 0 else -x, np.tanh, lambda x: x * float(x[0])]
)
def test_a_function_that_asks_for_values_is_an_error(f: Any) -> None:
    with pytest.raises(
        CaptureError, match="The captured function asks for the values of an array"
    ) as caught:
        graph.capture(f, (3,))
    assert "jnp.where in place of if" in caught.value.help


def test_arguments_and_results_are_counted_and_are_arrays() -> None:
    with pytest.raises(CaptureError, match=r"takes a shape for each argument .*missing"):
        graph.capture(jax.nn.relu)
    with pytest.raises(CaptureError, match=r"a shape for each argument .*too many positional"):
        graph.capture(lambda x: x, (3,), (3,))
    with pytest.raises(CaptureError, match="The captured function makes what is no array"):
        graph.capture(lambda x: "text", (3,))
