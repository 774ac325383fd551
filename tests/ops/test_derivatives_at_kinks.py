"""Derivatives where there is a choice: as PyTorch's, and as JAX's where PyTorch's is that too."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import ops


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (ops.relu, 0.0),
        (ops.abs, 0.0),
        (lambda x: ops.leaky_relu(x, negative_slope=0.1), 0.1),
        (ops.softplus, 0.5),
        (lambda x: ops.maximum(x, jnp.zeros_like(x)), 0.5),
        (lambda x: ops.minimum(x, jnp.zeros_like(x)), 0.5),
    ],
    ids=["relu", "abs", "leaky_relu", "softplus", "maximum", "minimum"],
)
def test_the_derivative_at_zero(f: Any, slope: float) -> None:
    assert float(jax.grad(f)(0.0)) == pytest.approx(slope)
    assert float(jax.jvp(f, (0.0,), (1.0,))[1]) == pytest.approx(slope)


WINDOWS = [((2, 2), (2, 2), (0, 0)), ((3, 3), (1, 2), (1, 1)), ((2, 3), (2, 1), (1, 0))]


@pytest.mark.parametrize(("kernel", "stride", "padding"), WINDOWS)
def test_pooling_and_its_gradient_with_ties_are_those_of_torch(
    kernel: Any, stride: Any, padding: Any
) -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).integers(0, 3, (2, 2, 6, 6)).astype(np.float32)
    attrs = {"kernel_size": kernel, "stride": stride, "padding": tuple((p, p) for p in padding)}
    own = {"max_pool2d": {"dilation": (1, 1)}, "avg_pool2d": {"divisor": kernel[0] * kernel[1]}}
    for name, rest in own.items():
        theirs = torch.tensor(x, requires_grad=True)
        y = getattr(torch.nn.functional, name)(theirs, kernel, stride, padding)
        weight = np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
        (y * torch.tensor(weight)).sum().backward()
        pool = partial(ops.TABLE[name], **attrs, **rest)
        ours, back = jax.jit(lambda x, w, f=pool: pulled_back(f, x, w))(x, weight)
        assert_close(ours, y.detach().numpy())
        assert_close(back, theirs.grad.numpy())


def pulled_back(f: Any, x: Any, weight: Any) -> tuple[Any, Any]:
    """The value, and the gradient of its weighted sum."""
    y, back = jax.vjp(f, x)
    return y, back(weight)[0]


def test_a_cast_between_floats_passes_its_tangent_on_and_one_to_integers_stops_it() -> None:
    x = jnp.array([1.25, -2.5])

    def through(dtype: str) -> Any:
        return lambda x: jnp.sum(ops.cast(ops.cast(x, dtype=dtype), dtype="float32"))

    assert_close(jax.grad(through("bfloat16"))(x), [1, 1])
    assert_close(jax.grad(through("int32"))(x), [0, 0])
    assert_close(jax.grad(lambda x: jnp.sum(ops.stop_gradient(x) * x))(x), x)


def test_nothing_flows_back_through_stop_gradient() -> None:
    x = jnp.array([1.5, -2.0])
    assert_close(jax.grad(lambda x: jnp.sum(x * ops.stop_gradient(x)))(x), x)
    assert_close(jax.jvp(ops.stop_gradient, (x,), (x,))[1], [0, 0])
