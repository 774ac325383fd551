"""Sums and means: against PyTorch's words and NumPy's numbers, and what is refused."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import functional as F
from tensorem.errors import ShapeError

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
        assert f"F.{name} takes an input with the axes dim={dim}, each once, got (2, 3, 4)" in str(
            caught.value
        )
