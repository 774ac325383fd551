"""Sums and means: against PyTorch's words and NumPy's numbers, and what is refused."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import functional as F
from tensorem.errors import ShapeError
from tensorem.graph import capture, to_jax
from tensorem.shapes import Spec

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, -1, (0, 2), (2, 0), (-1, -2), ()])
def test_axes_are_reduced_as_numpy_does(dim: Any, keepdim: bool) -> None:
    x = X.astype(np.float64)
    for ours, theirs in ((F.mean, np.mean), (F.sum, np.sum)):
        found = ours(jnp.asarray(X), dim, keepdim)
        assert_close(found, theirs(x, axis=dim, keepdims=keepdim), 1e-5, 1e-5)


@pytest.mark.parametrize("dim", [3, -4, (0, 0), (1, -2), (0, 5)])
def test_an_axis_that_is_not_there_is_named(dim: Any) -> None:
    for f, name in ((F.mean, "mean"), (F.sum, "sum")):
        with pytest.raises(ShapeError) as caught:
            f(jnp.asarray(X), dim)
        several = isinstance(dim, tuple)
        takes = f"the axes dim={dim}, each once" if several else f"axis dim={dim}"
        assert f"F.{name} takes an input with {takes}, got (2, 3, 4)" in str(caught.value)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8"])
def test_integers_are_added_up_as_in_pytorch(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    x = np.full((2, 100), 100, dtype)
    expected = torch.sum(torch.tensor(x), 1)
    for is_wide, name in ((False, "int32"), (True, "int64")):
        with jax.enable_x64(is_wide):
            found = F.sum(jnp.asarray(x), 1)
        assert (found.dtype.name, found.tolist()) == (name, expected.tolist())


def test_unsigned_integers_that_int32_does_not_hold_stay_unsigned() -> None:
    found = F.sum(jnp.asarray([2**31, 1], jnp.uint32))
    assert (found.dtype, found.item()) == (jnp.uint32, 2**31 + 1)


def test_a_captured_sum_of_integers_has_the_same_bits() -> None:
    graph = capture(F.sum, Spec((100,), "int8"))
    assert [node.op for node in graph.nodes] == ["cast", "sum"]
    assert to_jax(graph)(jnp.full(100, 100, jnp.int8)).item() == 10000
