"""Every optimizer and schedule against PyTorch's, over a whole run in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from close import assert_close
from tensorem import optim
from tensorem.optim import Optimizer

torch = pytest.importorskip("torch")

STEPS = 50
START = [np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 0.7]]), np.array([0.1, -0.2, 0.3])]


def gradients(t: int) -> list[Any]:
    """Gradients of very different sizes, with a zero and changes of sign."""
    rng = np.random.default_rng(t)
    return [rng.normal(size=p.shape) * 10.0 ** rng.integers(-4, 3) * (t % 5 > 0) for p in START]


def ours(optimizer: Optimizer, start: list[Any] = START) -> list[list[Any]]:
    """The parameters after each step."""
    import optax

    with jax.enable_x64(True):
        transform = optimizer.transform()
        params: Any = [jax.numpy.asarray(p) for p in start]

        @jax.jit
        def step(grads: Any, state: Any, params: Any) -> Any:
            updates, state = transform.update(grads, state, params)
            return optax.apply_updates(params, updates), state

        state, path = transform.init(params), []
        for t in range(STEPS):
            params, state = step(gradients(t)[: len(start)], state, params)
            path.append([np.asarray(p) for p in params])
    return path


def torchs(make: Any, clip: Any = None, start: list[Any] = START) -> list[list[Any]]:
    params = [torch.tensor(p, requires_grad=True) for p in start]
    optimizer = make(params)
    path = []
    for t in range(STEPS):
        for p, g in zip(params, gradients(t), strict=False):
            p.grad = torch.tensor(g)
        if clip:
            clip(params)
        optimizer.step()
        path.append([p.detach().numpy().copy() for p in params])
    return path


def check(got: list[list[Any]], expected: list[list[Any]], rtol: float = 1e-11) -> None:
    for a, b in zip(got, expected, strict=True):
        for x, y in zip(a, b, strict=True):
            assert_close(x, y, rtol=rtol, atol=rtol / 10)


# Name -> PyTorch's, and arguments besides its defaults: the first row of each has none.
CASES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "sgd": (
        "SGD",
        [
            {},
            {"lr": 0.1, "momentum": 0.9, "nesterov": True},
            {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.05, "maximize": True},
            {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.05},
            {"lr": 0.1, "dampening": 0.3},
        ],
    ),
    "adam": (
        "Adam",
        [
            {},
            {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.3, "maximize": True},
            {"lr": 0.1, "amsgrad": True, "weight_decay": 0.3, "betas": (0.9, 0.9)},
        ],
    ),
    "adamw": (
        "AdamW",
        [
            {},
            {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.3, "maximize": True},
            {"lr": 0.1, "amsgrad": True, "weight_decay": 0.3, "betas": (0.9, 0.9)},
        ],
    ),
    "adamax": ("Adamax", [{}, {"lr": 0.1, "betas": (0.5, 0.9), "weight_decay": 0.3}]),
    "nadam": (
        "NAdam",
        [
            {},
            {"lr": 0.1, "weight_decay": 0.3, "momentum_decay": 0.1, "maximize": True},
            {"lr": 0.1, "weight_decay": 0.3, "decoupled_weight_decay": True},
        ],
    ),
    "radam": (
        "RAdam",
        [
            {},
            {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.3, "eps": 1e-3},
            {"lr": 0.1, "weight_decay": 0.3, "decoupled_weight_decay": True},
        ],
    ),
    "adagrad": (
        "Adagrad",
        [
            {},
            {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.3, "initial_accumulator_value": 0.5},
        ],
    ),
    "rmsprop": (
        "RMSprop",
        [
            {},
            {"lr": 0.1, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.3, "centered": True},
            {"lr": 0.1, "momentum": 0.9, "maximize": True},
        ],
    ),
    "adadelta": ("Adadelta", [{}, {"lr": 0.1, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.3}]),
    "adafactor": (
        "Adafactor",
        [{}, {"lr": 0.5, "beta2_decay": -0.5, "eps": (1e-3, 0.1), "d": 1.5, "weight_decay": 0.3}],
    ),
}
ROWS = [(name, given) for name, (_, cases) in CASES.items() for given in cases]


@pytest.mark.parametrize(("name", "given"), ROWS)
def test_fifty_steps(name: str, given: dict[str, Any]) -> None:
    theirs = getattr(torch.optim, CASES[name][0])
    row = optim.OPTIMIZERS[name].make(**given)
    rtol = 1e-8 if name == "nadam" else 1e-11  # PyTorch keeps NAdam's product in float32
    check(ours(row), torchs(lambda params: theirs(params, **given)), rtol)


@pytest.mark.parametrize(
    "given", [{}, {"lr": 0.1, "nesterov": False, "adjust_lr_fn": "match_rms_adamw"}]
)
def test_fifty_steps_of_muon(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    # PyTorch rounds to bfloat16 what it makes orthogonal: here it is held back from that.
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    expected = torchs(lambda params: torch.optim.Muon(params, **given), start=START[:1])
    check(ours(optim.muon(**given), START[:1]), expected)


@pytest.mark.parametrize("history_size", [3, 100])
def test_steps_of_lbfgs_on_a_function(history_size: int) -> None:
    """Rosenbrock's function of four numbers, with all that is seen of it in one step."""

    def value(x: Any, log: Callable[[Any], Any]) -> Any:
        return sum(5 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(3)) + log(x[0])

    x = torch.tensor([0.5, 0.8, 0.3, 0.9], dtype=torch.float64, requires_grad=True)
    theirs = torch.optim.LBFGS([x], lr=0.5, max_iter=1, history_size=history_size)
    with jax.enable_x64(True):
        p = jax.numpy.asarray(x.detach().numpy())
        transform = optim.lbfgs(0.5, history_size).transform()
        state, grad = transform.init(p), jax.grad(lambda p: value(p, jax.numpy.cosh))
        update = jax.jit(lambda p, s: transform.update(grad(p), s, p))
        for _ in range(15):

            def closure() -> Any:
                theirs.zero_grad()
                loss = value(x, torch.cosh)
                loss.backward()
                return loss

            theirs.step(closure)
            move, state = update(p, state)
            p = p + move
            assert_close(np.asarray(p), x.detach().numpy(), rtol=1e-8)


CLIPS = {
    "clip_grad_norm": (0.5, torch.nn.utils.clip_grad_norm_, 1e-5),
    "clip_grad_value": (0.01, torch.nn.utils.clip_grad_value_, 1e-12),
}


@pytest.mark.parametrize("name", CLIPS)
def test_clipping(name: str) -> None:
    # PyTorch divides by the norm + 1e-6, hence the looser comparison.
    most, theirs, rtol = CLIPS[name]
    clipped = optim.chain(getattr(optim, name)(most), optim.sgd(0.1))
    expected = torchs(lambda p: torch.optim.SGD(p, lr=0.1), lambda params: theirs(params, most))
    check(ours(clipped), expected, rtol=rtol)


S = torch.optim.lr_scheduler
SCHEDULES: dict[str, list[tuple[Any, Any]]] = {
    "constant": [(optim.constant(0.1), lambda o: S.ConstantLR(o, 1.0))],
    "step_lr": [(optim.step_lr(0.1, 3, 0.5), lambda o: S.StepLR(o, 3, 0.5))],
    "multi_step_lr": [
        (optim.multi_step_lr(0.1, (3, 4, 30)), lambda o: S.MultiStepLR(o, [3, 4, 30]))
    ],
    "exponential_lr": [(optim.exponential_lr(0.1, 0.8), lambda o: S.ExponentialLR(o, 0.8))],
    "linear_lr": [
        (optim.linear_lr(0.1, total_steps=5), S.LinearLR),
        (optim.linear_lr(0.1, 1, 0.2, 40), lambda o: S.LinearLR(o, 1, 0.2, 40)),
    ],
    "polynomial_lr": [
        (optim.polynomial_lr(0.1, 5), S.PolynomialLR),
        (optim.polynomial_lr(0.1, 40, 2.5), lambda o: S.PolynomialLR(o, 40, 2.5)),
    ],
    "cosine_lr": [
        (optim.cosine_lr(0.1, STEPS, 0.02), lambda o: S.CosineAnnealingLR(o, STEPS, 0.02))
    ],
    "cosine_restarts_lr": [
        (optim.cosine_restarts_lr(0.1, 7), lambda o: S.CosineAnnealingWarmRestarts(o, 7)),
        (
            optim.cosine_restarts_lr(0.1, 4, 3, 0.01),
            lambda o: S.CosineAnnealingWarmRestarts(o, 4, 3, 0.01),
        ),
    ],
    "one_cycle_lr": [
        (optim.one_cycle_lr(0.1, STEPS), lambda o: S.OneCycleLR(o, 0.1, STEPS)),
        (
            optim.one_cycle_lr(0.1, STEPS, 0.2, "linear", div_factor=3, three_phase=True),
            lambda o: S.OneCycleLR(
                o,
                0.1,
                STEPS,
                pct_start=0.2,
                anneal_strategy="linear",
                div_factor=3,
                three_phase=True,
            ),
        ),
    ],
    "cyclic_lr": [
        (optim.cyclic_lr(0.01, 0.1, 5), lambda o: S.CyclicLR(o, 0.01, 0.1, 5)),
        (
            optim.cyclic_lr(0.01, 0.1, 5, 3, "triangular2"),
            lambda o: S.CyclicLR(o, 0.01, 0.1, 5, 3, "triangular2"),
        ),
        (
            optim.cyclic_lr(0.01, 0.1, 5, 3, "exp_range", 0.9),
            lambda o: S.CyclicLR(o, 0.01, 0.1, 5, 3, "exp_range", 0.9),
        ),
    ],
    "sequential_lr": [
        (
            optim.sequential_lr(
                optim.exponential_lr(0.1, 0.9), optim.step_lr(0.1, 3), milestones=(10,)
            ),
            lambda o: S.SequentialLR(o, [S.ExponentialLR(o, 0.9), S.StepLR(o, 3)], [10]),
        )
    ],
    "warmup_lr": [
        (
            optim.warmup_lr(optim.cosine_lr(0.1, 40), 10, 0.25),
            lambda o: S.SequentialLR(
                o, [S.LinearLR(o, 0.25, 1.0, 10), S.CosineAnnealingLR(o, 40)], [10]
            ),
        )
    ],
    "function": [
        (optim.function(lambda t: 0.1 / (1 + t)), lambda o: S.LambdaLR(o, lambda t: 1 / (1 + t)))
    ],
}
PAIRS = [pair for pairs in SCHEDULES.values() for pair in pairs]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("schedule", "scheduler"), PAIRS, ids=lambda x: getattr(x, "name", ""))
def test_rates_of_a_whole_run(schedule: Any, scheduler: Any) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs, expected = scheduler(optimizer), []
    for _ in range(STEPS):
        expected.append(optimizer.param_groups[0]["lr"])
        if len(expected) < STEPS:
            optimizer.step()
            theirs.step()
    with jax.enable_x64(True):
        rates = jax.vmap(schedule.function())(np.arange(STEPS))
    # optax computes some rates in float32.
    assert_close(np.asarray(rates), np.array(expected), rtol=1e-6, atol=1e-9)


PAPERS = {"lamb", "lion"}
"""Rows that PyTorch has not: tests/test_optim.py holds them to their papers."""


def test_every_row_is_held_to_something() -> None:
    others = {"muon", "lbfgs", "chain", "groups", "frozen", "scaled", "from_optax", *CLIPS}
    assert CASES.keys() | others | PAPERS == optim.OPTIMIZERS.keys()
    assert SCHEDULES.keys() == optim.SCHEDULES.keys()


def test_defaults_and_order_are_pytorchs() -> None:
    from inspect import signature

    for name, (theirs, _) in CASES.items():
        form = signature(getattr(torch.optim, theirs)).parameters
        for key, parameter in signature(getattr(optim, name)).parameters.items():
            assert parameter.default == form[key].default, (name, key)
