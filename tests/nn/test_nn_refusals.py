"""What the layers of activations, norms and forms do not take, in their words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from tensorem import functional as F
from tensorem import nn
from tensorem.errors import ArgumentError, DTypeError, LayerError, PathError, ShapeError

KEY = jax.random.key(0)
X = jnp.ones((2, 3))
WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: nn.GELU("erf"), ArgumentError, "GELU takes approximate as one of none, tanh"),
    (lambda: nn.ELU("a"), ArgumentError, "ELU takes alpha as a finite number"),  # type: ignore[arg-type]
    (lambda: nn.CELU(0.0), ArgumentError, "CELU takes alpha as a finite number above 0, got 0.0"),
    (lambda: nn.Hardtanh(1.0, 1.0), ArgumentError, "takes max_val above min_val = 1.0, got 1.0"),
    (lambda: nn.Hardtanh(None), ArgumentError, "Hardtanh takes min_val as a finite number"),  # type: ignore[arg-type]
    (lambda: nn.PReLU(0), ArgumentError, "PReLU takes num_parameters as an integer of at least 1"),
    (
        lambda: nn.build(nn.PReLU(3), ("N", 4)),
        ShapeError,
        r"PReLU\(num_parameters=3\) takes \(N, 3, ...\), got \(N, 4\)",
    ),
    (lambda: F.prelu(X, jnp.ones(2)), ShapeError, r"F.prelu takes \(N, 2, ...\), got \(2, 3\)"),
    (lambda: nn.GLU(0.5), ArgumentError, "GLU takes dim as an integer"),  # type: ignore[arg-type]
    (
        lambda: nn.build(nn.GLU(), ("N", 3)),
        ShapeError,
        r"GLU takes an even number along axis -1, got",
    ),
    (lambda: F.swiglu(X), ShapeError, r"F.swiglu takes an even number along axis -1, got \(2, 3\)"),
    (lambda: nn.LogSoftmax("a"), ArgumentError, "LogSoftmax takes dim as an integer"),  # type: ignore[arg-type]
    (lambda: nn.build(nn.Softmin(3), ("N", 3)), ShapeError, "takes an input with axis dim=3"),
    (lambda: nn.Dropout2d(1.5), ArgumentError, r"Dropout2d takes p as a number in \[0, 1\]"),
    (lambda: nn.AlphaDropout(1.0), ArgumentError, r"AlphaDropout takes p as a number in \[0, 1\)"),
    (
        lambda: nn.build(nn.Dropout2d(), ("N", 3)),
        ShapeError,
        r"takes \(N, C, H, W\) or \(C, H, W\), got \(N, 3\)",
    ),
    (
        lambda: F.channel_dropout(X[0], axes=1, key=KEY),
        ShapeError,
        "F.channel_dropout takes channels of 1 axes each",
    ),
    (lambda: F.alpha_dropout(X > 0, 0.5, key=KEY), DTypeError, "F.alpha_dropout takes floats"),
    (
        lambda: nn.build(nn.Unflatten(1, (2, 2)), ("N", 6)),
        ShapeError,
        r"takes 4 entries on axis 1, got \(N, 6\)",
    ),
    (lambda: nn.Unflatten(1, (2, 0)), ArgumentError, "Unflatten takes unflattened_size as"),
    (lambda: nn.Sum("a"), ArgumentError, "Sum takes dim as a tuple of integers"),  # type: ignore[arg-type]
    (lambda: nn.build(nn.Sum(2), ("N", 6)), ShapeError, "takes an input with axis dim=2"),
    (lambda: nn.Bilinear(3, 0, 2), ArgumentError, "Bilinear takes in2_features as an integer"),
    (
        lambda: nn.build(nn.Bilinear(3, 4, 2), (("N", 3), ("M", 4))),
        ShapeError,
        r"takes batches of equal shapes, got \(N, 3\) and \(M, 4\)",
    ),
    (
        lambda: F.bilinear(X, X, jnp.ones((2, 3, 4))),
        ShapeError,
        r"F.bilinear takes x1 \(\*batch, 3\) and x2 \(\*batch, 4\)",
    ),
    (lambda: nn.GroupNorm(4, 6), ArgumentError, "GroupNorm takes groups that divide 6 channels"),
    (
        lambda: nn.build(nn.GroupNorm(2, 6), ("N", 4, 3)),
        ShapeError,
        r"takes \(N, 6, ...\), got \(N, 4, 3\)",
    ),
    (lambda: F.group_norm(X, 2), ArgumentError, "F.group_norm takes groups that divide 3 channels"),
    (lambda: F.group_norm(X[0], 1), ShapeError, r"F.group_norm takes \(N, C, ...\), got"),
    (
        lambda: nn.build(nn.GroupNorm(1, 3), ("N", 3, "T")),
        ShapeError,
        r"F.group_norm takes \(N, C, ...\) whose sizes but N are numbers, got \(N, 3, T\)",
    ),
    (lambda: nn.Sequential(nn.ReLU())[3], PathError, "This Sequential has the layers 0, got 3"),
    (lambda: nn.Sequential(nn.ReLU())[-2], PathError, "This Sequential has the layers 0, got -2"),
    (
        lambda: nn.Concat(nn.ReLU(), nn.ReLU()),  # type: ignore[arg-type]
        LayerError,
        r"Concat takes a tuple of layers, got ReLU\(\).\n  help: write nn.Concat\(\(a, b\)",
    ),
    (lambda: F.instance_norm(X), ShapeError, r"F.instance_norm takes \(N, C, ...\)"),
    (
        lambda: F.instance_norm(X[..., None]),
        ShapeError,
        "F.instance_norm takes more than one value per channel",
    ),
    (
        lambda: nn.build(nn.InstanceNorm2d(3), ("N", 3, 4)),
        ShapeError,
        r"takes \(N, 3, H, W\), got \(N, 3, 4\)",
    ),
    (lambda: nn.RMSNorm(3, -1.0), ArgumentError, "RMSNorm takes eps as a finite number of at"),
    (lambda: F.rms_norm(X, 4), ShapeError, r"rms_norm takes \(\*batch, 4\), got \(2, 3\)"),
    (lambda: nn.LocalResponseNorm(0), ArgumentError, "takes size as an integer of at least 1"),
    (lambda: F.local_response_norm(X[0], 1), ShapeError, r"takes \(N, C, ...\), got \(3,\)"),
    (
        lambda: nn.build(nn.BatchNorm1d(3), ("N", 3, 4, 4)),
        ShapeError,
        r"BatchNorm1d\(3\) takes \(N, 3\) or \(N, 3, L\), got \(N, 3, 4, 4\)",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), WRONG)
def test_what_a_layer_does_not_take_is_said(
    call: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("layer", [nn.Dropout1d(0.5), nn.Dropout2d(0.5), nn.AlphaDropout(0.5)])
def test_a_training_step_draws_and_keeps_the_mean(layer: nn.Layer) -> None:
    shape = (400, 8, 2, 2)[: 3 if isinstance(layer, nn.Dropout1d) else 4]
    model = nn.build(layer, shape)
    x = jax.random.normal(jax.random.key(1), shape) + (not isinstance(layer, nn.AlphaDropout))
    y, _ = model.train_apply(model.params, model.buffers, x, key=KEY)
    assert abs(float(y.mean()) - float(x.mean())) < 0.1
    if isinstance(layer, nn.AlphaDropout):
        assert abs(float(y.var()) - 1) < 0.1
    else:
        gone = (y == 0).reshape(*shape[:2], -1)
        assert bool((gone.all(-1) == gone.any(-1)).all()) and 0.4 < gone.mean() < 0.6
