"""Rows with a counterpart in PyTorch: values and gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import ops

torch = pytest.importorskip("torch")

CONVS = [
    {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1},
    {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2), "groups": 2},
]


def _draw(*shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=s).astype(np.float32) for s in shapes]


def _agree(ours: Any, theirs: Any, arrays: list[Any]) -> None:
    """Equal results, and equal gradients of one weighted sum."""
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = theirs(*leaves)
    weight = np.cos(np.arange(y.numel())).reshape(y.shape).astype(np.float32)
    (y * torch.tensor(weight)).sum().backward()
    z, back = jax.vjp(ours, *map(jnp.asarray, arrays))
    assert_close(z, y.detach().numpy(), rtol=1e-4, atol=1e-5)
    for g, leaf in zip(back(jnp.asarray(weight)), leaves, strict=True):
        assert_close(g, leaf.grad.numpy(), rtol=1e-4, atol=1e-4)


def _framed(attrs: Any) -> Any:
    """The attributes as our row has them: padding before and after each axis."""
    return {**attrs, "padding": tuple((p, p) for p in attrs["padding"])}


@pytest.mark.parametrize("attrs", CONVS)
def test_conv2d(attrs: Any) -> None:
    _agree(
        lambda *a: ops.conv2d(*a, **_framed(attrs)),
        lambda *a: torch.nn.functional.conv2d(*a, **attrs),
        _draw((2, 4, 7, 6), (6, 4 // attrs["groups"], 3, 2), (6,)),
    )


@pytest.mark.parametrize("attrs", CONVS)
def test_the_transposes_of_conv2d_are_torchs_gradients(attrs: Any) -> None:
    x, w = _draw((2, 4, 7, 6), (6, 4 // attrs["groups"], 3, 2))
    y = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w), **attrs)
    g = np.cos(np.arange(y.numel())).reshape(y.shape).astype(np.float32)
    dx = torch.nn.grad.conv2d_input(x.shape, torch.tensor(w), torch.tensor(g), **attrs)
    dk = torch.nn.grad.conv2d_weight(torch.tensor(x), w.shape, torch.tensor(g), **attrs)
    ours = ops.conv2d_dx(jnp.asarray(g), jnp.asarray(w), size=x.shape[2:], **_framed(attrs))
    assert_close(ours, dx.numpy(), rtol=1e-4, atol=1e-4)
    ours = ops.conv2d_dk(jnp.asarray(x), jnp.asarray(g), size=w.shape[2:], **_framed(attrs))
    assert_close(ours, dk.numpy(), rtol=1e-4, atol=1e-4)


def test_linear() -> None:
    _agree(ops.linear, torch.nn.functional.linear, _draw((2, 3, 5), (4, 5), (4,)))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name: str) -> None:
    f = getattr(torch.nn.functional, name)
    _agree(lambda x: ops.TABLE[name](x, dim=1), lambda x: f(x, dim=1), _draw((3, 5, 2)))


def test_softmax_of_large_numbers_stays_finite() -> None:
    x = jnp.array([1000.0, 0.0, -1000.0])
    assert_close(ops.softmax(x, dim=0), [1, 0, 0])
    assert_close(ops.log_softmax(x, dim=0), [0, -1000, -2000])


def test_layer_norm() -> None:
    _agree(
        lambda *a: ops.layer_norm(*a, ndim=2, eps=1e-5),
        lambda x, w, b: torch.nn.functional.layer_norm(x, (3, 4), w, b, 1e-5),
        _draw((5, 3, 4), (3, 4), (3, 4)),
    )


def test_batch_norm() -> None:
    x, w, b, m = _draw((4, 3, 2, 2), (3,), (3,), (3,))
    v = np.float32([0.5, 1.0, 2.0])
    _agree(
        lambda x, w, b: ops.batch_norm(x, w, b, jnp.asarray(m), jnp.asarray(v), eps=1e-5),
        lambda x, w, b: torch.nn.functional.batch_norm(
            x, torch.tensor(m), torch.tensor(v), w, b, eps=1e-5
        ),
        [x, w, b],
    )
