"""Every optimizer and schedule against PyTorch's, over several steps in float64."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from close import assert_close
from tensorem import optim
from tensorem.optim import Optimizer

torch = pytest.importorskip("torch")

STEPS = 20
START = [np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([0.1, -0.2, 0.3])]


def gradients(t: int) -> list[Any]:
    """Gradients of very different sizes, with a zero and changes of sign."""
    rng = np.random.default_rng(t)
    return [rng.normal(size=p.shape) * 10.0 ** rng.integers(-4, 3) * (t % 5 > 0) for p in START]


def ours(optimizer: Optimizer) -> list[list[Any]]:
    """The parameters after each step."""
    import optax

    with jax.enable_x64(True):
        transform = optimizer.transform()
        params: Any = [jax.numpy.asarray(p) for p in START]
        state, path = transform.init(params), []
        for t in range(STEPS):
            updates, state = transform.update(gradients(t), state, params)
            params = optax.apply_updates(params, updates)
            path.append([np.asarray(p) for p in params])
    return path


def torchs(make: Any, scheduler: Any = None, max_norm: float | None = None) -> list[list[Any]]:
    params = [torch.tensor(p, requires_grad=True) for p in START]
    optimizer = make(params)
    schedule = scheduler and scheduler(optimizer)
    path = []
    for t in range(STEPS):
        for p, g in zip(params, gradients(t), strict=True):
            p.grad = torch.tensor(g)
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(params, max_norm)
        optimizer.step()
        if schedule:
            schedule.step()
        path.append([p.detach().numpy().copy() for p in params])
    return path


def check(
    optimizer: Optimizer, expected: list[list[Any]], rtol: float = 1e-12, atol: float = 1e-13
) -> None:
    for got, want in zip(ours(optimizer), expected, strict=True):
        for a, b in zip(got, want, strict=True):
            assert_close(a, b, rtol=rtol, atol=atol)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"lr": 0.1},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        {"lr": 0.1, "weight_decay": 0.05},
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
        {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.05, "maximize": True},
    ],
)
def test_sgd(arguments: dict[str, Any]) -> None:
    check(optim.sgd(**arguments), torchs(lambda p: torch.optim.SGD(p, **arguments)))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3},
        {"lr": 0.1, "weight_decay": 0.3},
        {"lr": 0.1, "weight_decay": 0.3, "maximize": True},
    ],
)
def test_adam(arguments: dict[str, Any]) -> None:
    check(optim.adam(**arguments), torchs(lambda p: torch.optim.Adam(p, **arguments)))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.3},
        {"lr": 0.1, "weight_decay": 0.3, "maximize": True},
    ],
)
def test_adamw(arguments: dict[str, Any]) -> None:
    check(optim.adamw(**arguments), torchs(lambda p: torch.optim.AdamW(p, **arguments)))


def test_clip_grad_norm() -> None:
    # PyTorch divides by the norm + 1e-6, hence the looser comparison.
    clipped = optim.chain(optim.clip_grad_norm(0.5), optim.sgd(0.1))
    expected = torchs(lambda p: torch.optim.SGD(p, lr=0.1), max_norm=0.5)
    check(clipped, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("schedule", "scheduler"),
    [
        (optim.constant(0.1), None),
        (optim.step_lr(0.1, 3, 0.5), lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5)),
        (
            optim.exponential_lr(0.1, 0.8),
            lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.8),
        ),
        (
            optim.cosine_lr(0.1, STEPS, 0.02),
            lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS, 0.02),
        ),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_schedules(schedule: Any, scheduler: Any) -> None:
    expected = torchs(lambda p: torch.optim.SGD(p, lr=0.1), scheduler)
    # optax computes rates in float32, so a step errs by 1e-7 of its own size, up to 100 here.
    check(optim.sgd(schedule), expected, rtol=1e-6, atol=1e-5)


def test_cosine_stays_at_its_end() -> None:
    rate: Any = optim.cosine_lr(0.1, 10, 0.02).function()
    assert_close([rate(0), rate(10), rate(25)], [0.1, 0.02, 0.02], rtol=1e-6)
