"""The gradient of every loss of a model is captured, and means what JAX computes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import graph, losses, nn
from tensorem.shapes import Spec

MODEL = nn.build(nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)), ("N", 4))


@pytest.mark.parametrize("name", losses.LOSSES)
def test_the_gradient_of_a_loss_is_a_graph(name: str) -> None:
    classes = name in ("cross_entropy", "nll", "multi_margin")
    target = np.array([1, 0, 1], np.int32) if classes else np.ones((3, 2), np.float32)
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)

    def gradient(x: Any, target: Any) -> Any:
        def mean(params: Any) -> Any:
            return losses.mean(losses.by_name(name)(MODEL.apply(params, x), target))

        return jax.grad(mean)(MODEL.params)

    captured = graph.capture(gradient, (3, 4), Spec(target.shape, target.dtype))
    actual = jax.jit(graph.to_jax(captured))(x, jnp.asarray(target))
    expected = jax.jit(gradient)(x, target)
    for path, value in expected.items():
        assert_close(actual[path], value)
