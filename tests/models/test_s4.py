"""S4D: its convolution is its recurrence, and both are those of the paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from close import assert_close
from tensorem import models, nn
from tensorem.errors import ArgumentError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 7, 3)).astype(np.float32)


@pytest.mark.parametrize("start", ["lin", "real"])
def test_the_convolution_is_the_recurrence_in_complex_numbers(start: str) -> None:
    model = nn.build(models.S4D(3, 4, start), ("N", 7, 3), seed=1)
    p = {name: np.asarray(v, np.float64) for name, v in model.params.items()}
    n = np.arange(4)
    a = -0.5 + 1j * np.pi * n if start == "lin" else -(n + 1.0) + 0j
    dt = np.exp(p["log_dt"])[:, None]
    keep, enter = np.exp(dt * a), (np.exp(dt * a) - 1) / a
    h, y = np.zeros((2, 3, 4), complex), []
    for u in np.moveaxis(X, 1, 0):
        h = keep * h + enter * u[..., None]
        y.append(2 * ((p["C"][..., 0] + 1j * p["C"][..., 1]) * h).sum(-1).real + p["D"] * u)
    assert_close(model(X), np.stack(y, 1), rtol=1e-4)


def test_steps_with_a_cache_are_the_whole_sequence() -> None:
    model = nn.build(models.S4D(3, 4), ("N", "T", 3), seed=1)
    layer: Any = model.layer
    cache, found = layer.init_cache(2), []
    for part in (X[:, :4], X[:, 4:5], X[:, 5:]):
        (y, cache), _ = layer.call((model.params, model.buffers), part, cache=cache)
        found.append(y)
    assert_close(np.concatenate(found, 1), model(X), rtol=1e-4)


def test_what_is_refused() -> None:
    for call, message in (
        (lambda: models.S4D(0), "dim"),
        (lambda: models.S4D(2, 0), "state"),
        (lambda: models.S4D(2, start="legs"), "start"),
        (lambda: models.s4_lm(5, 4, 0), "s4_lm takes depth"),
        (lambda: models.s4_classifier(5, 4, 0, 3), "s4_classifier takes depth"),
        (lambda: models.mamba_lm(5, 4, 0), "mamba_lm takes depth"),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()
