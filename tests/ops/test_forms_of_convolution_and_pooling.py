"""Convolution and max pooling have two forms each, by size; PyTorch agrees with all of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
import pytest

from close import assert_close
from tensorem import functional as F

torch = pytest.importorskip("torch")
rng = np.random.default_rng(0)

CONVOLUTIONS = [
    # channels in, kernel, stride, padding, dilation: up to 32 products are written out
    (1, (3, 3), (1, 1), (1, 1), (1, 1)),
    (3, (2, 3), (2, 1), (0, 2), (1, 2)),
    (2, (4, 4), (3, 3), (1, 2), (1, 1)),
    (2, (4, 5), (3, 2), (1, 2), (2, 1)),
]
POOLS = [
    # kernel, stride, padding, dilation, ceil_mode: up to 16 entries are read one by one
    ((2, 2), (2, 2), (0, 0), (1, 1), False),
    ((3, 2), (2, 1), (1, 1), (1, 1), False),
    ((5, 4), (2, 3), (2, 1), (1, 1), False),
    ((6, 3), (6, 3), (0, 0), (1, 1), False),
    ((2, 2), (2, 2), (0, 0), (2, 3), False),
    ((3, 2), (3, 4), (1, 1), (3, 1), True),
    ((5, 4), (5, 4), (0, 0), (1, 1), True),
]


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolution(case: Any) -> None:
    channels, kernel, stride, padding, dilation = case
    arrays = (_drawn(2, channels, 9, 10), _drawn(4, channels, *kernel), _drawn(4))
    attrs = dict(stride=stride, padding=padding, dilation=dilation, groups=1)
    _require_same(
        lambda *xs: F.conv2d(*xs, **attrs),
        lambda *xs: torch.nn.functional.conv2d(*xs, **attrs),
        arrays,
    )


@pytest.mark.parametrize("case", POOLS, ids=str)
def test_pooling_with_ties(case: Any) -> None:
    images = rng.integers(0, 3, (2, 3, 12, 9)).astype(np.float32)  # so that many entries are equal
    _require_same(
        lambda x: F.max_pool2d(x, *case),
        lambda x: torch.nn.functional.max_pool2d(x, *case),
        (images,),
    )


def _drawn(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def _require_same(f: Any, g: Any, arrays: tuple[np.ndarray, ...]) -> None:
    """Equal values, and equal gradients of a weighted sum."""
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = g(*tensors)
    weights = _drawn(*expected.shape)
    (expected * torch.tensor(weights)).sum().backward()
    actual, gradients = _pulled_back(f, arrays, weights)
    assert_close(actual, expected.detach().numpy(), rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(gradients, tensors, strict=True):
        assert_close(ours, theirs.grad.numpy(), rtol=1e-4, atol=1e-4)


@partial(jax.jit, static_argnums=0)  # one program: primitive by primitive there are dozens
def _pulled_back(f: Any, arrays: Any, weights: Any) -> tuple[Any, Any]:
    y, back = jax.vjp(f, *arrays)
    return y, back(weights)
