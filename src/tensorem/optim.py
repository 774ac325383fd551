"""Optimizers and learning-rate schedules: names and defaults of PyTorch over optax.

Each is a frozen description made of numbers and names, so that a run can record it and make it
again; optax is loaded when `transform` or `function` is called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import DTypeLike

from tensorem.calls import (
    ABOVE_0,
    AT_LEAST_0,
    FROM_0_BELOW_1,
    called,
    elsewhere,
    flag,
    integer,
    number,
)
from tensorem.errors import ArgumentError

if TYPE_CHECKING:
    import optax
else:
    __getattr__ = elsewhere(__name__)

__all__ = [
    "Argument",
    "Arguments",
    "Json",
    "Optimizer",
    "Schedule",
    "adam",
    "adamw",
    "chain",
    "check_dtype",
    "clip_grad_norm",
    "constant",
    "cosine_lr",
    "exponential_lr",
    "from_json",
    "rate_of",
    "sgd",
    "step_lr",
]

Argument = Union[float, bool, tuple[float, ...], "Schedule", tuple["Optimizer", ...]]
Arguments = tuple[tuple[str, Argument], ...]
Json = dict[str, Any]


@dataclass(frozen=True)
class _Description:
    """A call of a function of this module: its name and its arguments by name."""

    name: str
    arguments: Arguments

    def __post_init__(self) -> None:
        plain = tuple((name, _plain(value)) for name, value in self.arguments)
        object.__setattr__(self, "arguments", plain)

    def to_json(self) -> Json:
        """The description as JSON values; `from_json` is the inverse."""
        arguments = {name: _argument_to_json(value) for name, value in self.arguments}
        return {"name": self.name, "arguments": arguments}

    def __repr__(self) -> str:
        if self.name == "chain":
            parts: Any = dict(self.arguments)["optimizers"]
            return f"chain({', '.join(map(repr, parts))})"
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"


@dataclass(frozen=True, repr=False)
class Schedule(_Description):
    """A learning rate as a function of the number of optimizer steps taken.

    Args:
        name: The function of this module that makes it.
        arguments: Its arguments by name.

    Example:
        >>> step_lr(0.1, step_size=100)
        step_lr(lr=0.1, step_size=100, gamma=0.1)
    """

    def function(self) -> optax.Schedule:
        """The schedule as optax takes it: step -> learning rate."""
        return _SCHEDULES[self.name](**dict(self.arguments))


@dataclass(frozen=True, repr=False)
class Optimizer(_Description):
    """A rule that turns gradients into updates of parameters.

    Args:
        name: The function of this module that makes it.
        arguments: Its arguments by name.

    Example:
        >>> adam(1e-3)
        adam(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, maximize=False)
    """

    def transform(self) -> optax.GradientTransformation:
        """The optimizer as optax takes it."""
        return _TRANSFORMS[self.name](**dict(self.arguments))


@called
def sgd(
    lr: float | Schedule = 1e-3,
    momentum: float = 0.0,
    *,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> Optimizer:
    """Gradient descent: b = momentum b + g + weight_decay p;  p = p - lr b.

    Args:
        weight_decay: Factor of the parameter that is added to its gradient (L2).
        nesterov: Step along g + momentum b instead of b.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range, or nesterov without momentum.

    Example:
        >>> sgd(0.1, momentum=0.9, nesterov=True)
        sgd(lr=0.1, momentum=0.9, weight_decay=0.0, nesterov=True, maximize=False)

    Source:
        torch.optim.SGD with dampening 0.
    """
    _check_rate(lr)
    number("momentum", momentum, FROM_0_BELOW_1)
    number("weight_decay", weight_decay, AT_LEAST_0)
    flag("nesterov", nesterov)
    flag("maximize", maximize)
    if nesterov and momentum == 0:
        raise ArgumentError("takes nesterov with a momentum above 0, got momentum 0.")
    return Optimizer("sgd", _named(locals()))


@called
def adam(
    lr: float | Schedule = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Adam: steps by the mean of the gradient over the root of its mean square, both unbiased.

    Args:
        betas: Decay of the mean and of the mean square, each in [0, 1).
        eps: Added to the root.
        weight_decay: Factor of the parameter that is added to its gradient (L2).
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> adam(1e-3)
        adam(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, maximize=False)

    Source:
        Kingma and Ba 2015, algorithm 1; torch.optim.Adam.
    """
    betas = _checked_betas(betas)
    _check_rate(lr)
    number("eps", eps, AT_LEAST_0)
    number("weight_decay", weight_decay, AT_LEAST_0)
    flag("maximize", maximize)
    return Optimizer("adam", _named(locals()))


@called
def adamw(
    lr: float | Schedule = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Adam with decoupled weight decay: also p = p - lr weight_decay p.

    Args:
        betas: Decay of the mean and of the mean square, each in [0, 1).
        eps: Added to the root.
        weight_decay: Factor of lr times the parameter that is taken away in each step.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> adamw(cosine_lr(1e-3, 100)).arguments[0][1]
        cosine_lr(lr=0.001, total_steps=100, min_lr=0.0)

    Source:
        Loshchilov and Hutter 2019, algorithm 2; torch.optim.AdamW.
    """
    betas = _checked_betas(betas)
    _check_rate(lr)
    number("eps", eps, AT_LEAST_0)
    number("weight_decay", weight_decay, AT_LEAST_0)
    flag("maximize", maximize)
    return Optimizer("adamw", _named(locals()))


@called
def clip_grad_norm(max_norm: float) -> Optimizer:
    """Gradients scaled down so that their joint Euclidean norm is at most max_norm.

    It updates nothing by itself: `chain` it in front of an optimizer.

    Raises:
        ArgumentError: max_norm is not above 0.

    Example:
        >>> chain(clip_grad_norm(1.0), adam()).name
        'chain'

    Source:
        torch.nn.utils.clip_grad_norm_.
    """
    number("max_norm", max_norm, ABOVE_0)
    return Optimizer("clip_grad_norm", _named(locals()))


@called
def chain(*optimizers: Optimizer) -> Optimizer:
    """The composition: each takes what the one before it gives.

    Raises:
        ArgumentError: There is none, or a member is no optimizer.

    Example:
        >>> chain(clip_grad_norm(1.0), sgd(0.1))
        chain(clip_grad_norm(max_norm=1.0), \
sgd(lr=0.1, momentum=0.0, weight_decay=0.0, nesterov=False, maximize=False))
    """
    if not optimizers or not all(isinstance(o, Optimizer) for o in optimizers):
        raise ArgumentError(f"takes one or more optimizers, got {optimizers!r}.")
    return Optimizer("chain", _named(locals()))


@called
def constant(lr: float) -> Schedule:
    """The same learning rate at every step.

    Raises:
        ArgumentError: lr is below 0 or not finite.

    Example:
        >>> constant(0.1)
        constant(lr=0.1)
    """
    number("lr", lr, AT_LEAST_0)
    return Schedule("constant", _named(locals()))


@called
def step_lr(lr: float, step_size: int, gamma: float = 0.1) -> Schedule:
    """lr gamma^floor(t / step_size) at step t.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> [round(float(step_lr(0.1, 2).function()(t)), 4) for t in range(5)]
        [0.1, 0.1, 0.01, 0.01, 0.001]

    Source:
        torch.optim.lr_scheduler.StepLR, stepped after each optimizer step.
    """
    number("lr", lr, AT_LEAST_0)
    integer("step_size", step_size, 1)
    number("gamma", gamma, ABOVE_0)
    return Schedule("step_lr", _named(locals()))


@called
def exponential_lr(lr: float, gamma: float) -> Schedule:
    """lr gamma^t at step t.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> [round(float(exponential_lr(0.1, 0.5).function()(t)), 4) for t in range(3)]
        [0.1, 0.05, 0.025]

    Source:
        torch.optim.lr_scheduler.ExponentialLR, stepped after each optimizer step.
    """
    number("lr", lr, AT_LEAST_0)
    number("gamma", gamma, ABOVE_0)
    return Schedule("exponential_lr", _named(locals()))


@called
def cosine_lr(lr: float, total_steps: int, min_lr: float = 0.0) -> Schedule:
    """Half a cosine from lr at step 0 to min_lr at total_steps, and min_lr from then on.

    Raises:
        ArgumentError: A value out of its range, or min_lr above lr.

    Example:
        >>> [round(float(cosine_lr(0.1, 4).function()(t)), 4) for t in (0, 2, 4, 9)]
        [0.1, 0.05, 0.0, 0.0]

    Source:
        Loshchilov and Hutter 2017, equation 5, without restarts.
    """
    number("lr", lr, ABOVE_0)
    integer("total_steps", total_steps, 1)
    number("min_lr", min_lr, AT_LEAST_0)
    if min_lr > lr:
        raise ArgumentError(f"takes min_lr up to lr = {lr}, got {min_lr}.")
    return Schedule("cosine_lr", _named(locals()))


def rate_of(optimizer: Optimizer) -> float | Schedule:
    """The learning rate of an optimizer, which steps against the gradient once.

    Raises:
        ArgumentError: It has none and would step along the gradient, or several in a chain.

    Example:
        >>> rate_of(chain(clip_grad_norm(1.0), sgd(0.1)))
        0.1
    """
    rates = _rates(optimizer)
    if len(rates) != 1:
        raise ArgumentError(
            f"Training takes an optimizer with one learning rate, got {optimizer!r} with "
            f"{len(rates)}.",
            help="for example optim.chain(optim.clip_grad_norm(1.0), optim.adam(1e-3)).",
        )
    [rate] = rates
    return rate


def _rates(optimizer: Optimizer) -> list[float | Schedule]:
    arguments: dict[str, Any] = dict(optimizer.arguments)
    if optimizer.name == "chain":
        return [rate for part in arguments["optimizers"] for rate in _rates(part)]
    return [arguments["lr"]] if "lr" in arguments else []


def check_dtype(optimizer: Optimizer, dtype: DTypeLike) -> None:
    """Check that an optimizer can work on parameters of a dtype.

    Raises:
        ArgumentError: Its rate or eps is infinite there, or 0: a gradient of 0 divided by 0.

    Example:
        >>> check_dtype(adam(1e-3, eps=1e-4), "float16")
    """
    for name, value in optimizer.arguments:
        if name in ("lr", "eps") and not isinstance(value, Schedule) and not _held(value, dtype):
            raise ArgumentError(
                f"{optimizer.name} takes an {name} that {np.dtype(dtype)} holds, got {value}.",
                help=_HELD[name].format(optimizer.name),
            )
        for part in value if isinstance(value, tuple) else ():
            if isinstance(part, Optimizer):
                check_dtype(part, dtype)


_HELD = {
    "lr": "a usual one is 1e-3.",
    "eps": "{}(..., eps=1e-4), or train in bfloat16.",
}


def _held(value: object, dtype: DTypeLike) -> bool:
    """Whether a number is neither infinite in a dtype, nor 0 without being so."""
    with np.errstate(all="ignore"):
        found = float(np.asarray(value, dtype))
    return math.isfinite(found) and bool(found) == bool(value)


def from_json(description: Mapping[str, Any]) -> Optimizer | Schedule:
    """The optimizer or schedule that a description names, with its arguments checked again.

    Raises:
        ArgumentError: The description names none, or its arguments are not those of the name.

    Example:
        >>> from_json(adam(constant(0.1)).to_json()) == adam(constant(0.1))
        True
    """
    if not isinstance(description, Mapping) or description.keys() != {"name", "arguments"}:
        raise ArgumentError(f"An optimizer takes a name and arguments, got {description!r}.")
    name, arguments = description["name"], description["arguments"]
    if not isinstance(name, str) or name not in _MAKERS:
        raise ArgumentError(f"An optimizer takes a name of {', '.join(_MAKERS)}, got {name!r}.")
    try:
        values = {key: _from_json(value) for key, value in arguments.items()}
        return chain(*values["optimizers"]) if name == "chain" else _MAKERS[name](**values)
    except (TypeError, KeyError, AttributeError) as error:
        raise ArgumentError(f"{name} takes its own arguments, got {arguments!r}.") from error


def _sgd(
    lr: float | Schedule, momentum: float, weight_decay: float, nesterov: bool, maximize: bool
) -> optax.GradientTransformation:
    import optax

    return _prepared(weight_decay, maximize, optax.sgd(_rate(lr), momentum or None, nesterov))


def _adam(
    lr: float | Schedule,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> optax.GradientTransformation:
    import optax

    return _prepared(weight_decay, maximize, optax.adam(_rate(lr), *betas, eps))


def _adamw(
    lr: float | Schedule,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> optax.GradientTransformation:
    import optax

    step = optax.adamw(_rate(lr), *betas, eps, weight_decay=weight_decay)
    return _prepared(0.0, maximize, step)


def _prepared(
    weight_decay: float, maximize: bool, step: optax.GradientTransformation
) -> optax.GradientTransformation:
    """The step after what changes the gradient: its sign, then the parameter that is added."""
    import optax

    before = [optax.scale(-1.0)] if maximize else []
    before += [optax.add_decayed_weights(weight_decay)] if weight_decay else []
    return optax.chain(*before, step) if before else step


def _clip_grad_norm(max_norm: float) -> optax.GradientTransformation:
    import optax

    return optax.clip_by_global_norm(max_norm)


def _chain(optimizers: tuple[Optimizer, ...]) -> optax.GradientTransformation:
    import optax

    return optax.chain(*(o.transform() for o in optimizers))


def _constant(lr: float) -> optax.Schedule:
    import optax

    return optax.constant_schedule(lr)


def _step_lr(lr: float, step_size: int, gamma: float) -> optax.Schedule:
    import optax

    return optax.exponential_decay(lr, step_size, gamma, staircase=True)


def _exponential_lr(lr: float, gamma: float) -> optax.Schedule:
    import optax

    return optax.exponential_decay(lr, 1, gamma)


def _cosine_lr(lr: float, total_steps: int, min_lr: float) -> optax.Schedule:
    import optax

    return optax.cosine_decay_schedule(lr, total_steps, alpha=min_lr / lr)


_TRANSFORMS: Mapping[str, Callable[..., optax.GradientTransformation]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "clip_grad_norm": _clip_grad_norm,
    "chain": _chain,
}
_SCHEDULES: Mapping[str, Callable[..., optax.Schedule]] = {
    "constant": _constant,
    "step_lr": _step_lr,
    "exponential_lr": _exponential_lr,
    "cosine_lr": _cosine_lr,
}
_MAKERS: Mapping[str, Callable[..., Optimizer | Schedule]] = {
    "sgd": sgd,
    "adam": adam,
    "adamw": adamw,
    "clip_grad_norm": clip_grad_norm,
    "chain": chain,
    "constant": constant,
    "step_lr": step_lr,
    "exponential_lr": exponential_lr,
    "cosine_lr": cosine_lr,
}


def _rate(lr: float | Schedule) -> float | optax.Schedule:
    return lr.function() if isinstance(lr, Schedule) else lr


def _named(arguments: dict[str, Any]) -> Arguments:
    # Called with the locals of a function that has none but its arguments.
    return tuple(arguments.items())


def _argument_to_json(value: object) -> object:
    if isinstance(value, _Description):
        return value.to_json()
    return [_argument_to_json(v) for v in value] if isinstance(value, tuple) else value


def _from_json(value: object) -> Any:
    if isinstance(value, Mapping):
        return from_json(value)
    return tuple(_from_json(v) for v in value) if isinstance(value, list) else value


def _plain(value: object) -> object:
    """A number of NumPy is that number."""
    if isinstance(value, tuple | list):
        return tuple(map(_plain, value))
    return value.item() if isinstance(value, np.generic) else value


def _check_rate(lr: object) -> None:
    if not isinstance(lr, Schedule):
        number("lr", lr, AT_LEAST_0, "a schedule")


def _checked_betas(betas: object) -> tuple[float, float]:
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise ArgumentError(f"takes betas as a pair, got {betas!r}.")
    for i, beta in enumerate(betas):
        number(f"betas[{i}]", beta, FROM_0_BELOW_1)
    return (betas[0], betas[1])
