"""A value that XLA computes once."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from tensorem import functional as F
from tensorem import graph
from tensorem.ops._kept import kept

X = jnp.ones((4, 8, 16))


def _largest_loop(depth: int) -> int:
    """Lines of the longest computation in the gradient of layers that are added up."""

    def loss(w: Any) -> Any:
        x = X
        for _ in range(depth):
            x = x + jnp.tanh(F.layer_norm(x, 16) @ w)
        return (x**2).sum()

    text = jax.jit(jax.grad(loss)).lower(jnp.eye(16)).compile().as_text()
    return max(c.count("\n") for c in text.split("\n\n") if c.startswith("%fused"))


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="of XLA:CPU alone")
def test_no_loop_of_a_deep_net_adds_up_all_layers_before() -> None:
    assert _largest_loop(9) == _largest_loop(3)


def test_it_is_the_identity_to_every_transform() -> None:
    slope, curvature = jax.grad(lambda x: kept(x) ** 3), jax.hessian(lambda x: kept(x) ** 3)
    assert (slope(2.0), curvature(2.0)) == (12.0, 12.0)
    assert jax.vmap(kept)(X).shape == X.shape
    assert ("inlineable" in jax.jit(kept).lower(X).as_text()) == (jax.default_backend() == "cpu")
    captured = graph.capture(lambda x: jnp.sin(kept(x)), X)
    assert [node.op for node in captured.nodes] == ["sin"]


def test_a_program_for_another_device_is_without_it() -> None:
    exported = jax.export.export(jax.jit(kept), platforms=("cuda",))(X)
    assert "inlineable" not in exported.mlir_module()
