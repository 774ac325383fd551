"""What a derivative is where there is a choice: the table of the guide, line by line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import autograd
from tensorem import functional as F

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "derivatives.md"


def at(f: Any, *xs: float) -> list[float]:
    """The derivative in the first argument."""
    return [float(autograd.grad(f)(x)) for x in xs]


def tied_window() -> Any:
    return autograd.grad(lambda x: F.sum(F.max_pool2d(x, 2)))(jnp.ones((1, 1, 2, 2))).ravel()


def spread() -> Any:
    return autograd.grad(lambda x: F.sum(F.add(x, jnp.ones((3, 2)))))(jnp.ones(2))


LINES: dict[str, tuple[Any, Any]] = {
    "`relu` at 0": (lambda: at(F.relu, 0.0), [0]),
    "`abs` at 0": (lambda: at(F.abs, 0.0), [0]),
    "`clamp` outside": (lambda: at(lambda x: F.clamp(x, -1.0, 1.0), -2.0, 2.0), [0, 0]),
    "`clamp` at its ends": (lambda: at(lambda x: F.clamp(x, -1.0, 1.0), -1.0, 1.0), [1, 1]),
    "`sqrt` at 0": (lambda: 1 / np.array(at(F.sqrt, 0.0)), [0]),
    "`maximum`, `minimum` of equal numbers": (
        lambda: (
            autograd.grad(F.maximum, (0, 1))(1.0, 1.0) + autograd.grad(F.minimum, (0, 1))(1.0, 1.0)
        ),
        [0.5] * 4,
    ),
    "`max_pool2d` of equal numbers": (tied_window, [1, 0, 0, 0]),
    "what `jax.lax.stop_gradient` holds": (
        lambda: at(lambda x: x * jax.lax.stop_gradient(x), 1.5),
        [1.5],
    ),
    "a stretched axis": (spread, [3, 3]),
}


@pytest.mark.parametrize("line", LINES)
def test_a_derivative_is_what_the_guide_says(line: str) -> None:
    measured, expected = LINES[line]
    assert_close(measured(), expected)
    assert re.search(rf"^\| {re.escape(line)} \|", PAGE.read_text(), re.M)
