"""What is asked of a description: made again from JSON, its rates, the parameters it has."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import DTypeLike, NDArray

from tensorem.errors import ArgumentError

from ._description import Optimizer, Schedule
from ._groups import require_members, split
from ._table import Row, rows

CODE = ("from_optax", "function")
"""Rows whose argument is code."""


def from_json(description: Mapping[str, Any]) -> Any:
    """The optimizer, schedule or duration that a description names, its arguments checked again.

    Raises:
        ArgumentError: The description names none, or its arguments are not those of the name.

    Example:
        >>> from tensorem.optim import adam, constant
        >>> from_json(adam(constant(0.1)).to_json()) == adam(constant(0.1))
        True
    """
    if not isinstance(description, Mapping) or description.keys() != {"name", "arguments"}:
        raise ArgumentError(f"An optimizer takes a name and arguments, got {description!r}.")
    name, arguments, table = description["name"], description["arguments"], rows()
    if not isinstance(name, str) or name not in table:
        raise ArgumentError(f"An optimizer takes a name of {', '.join(table)}, got {name!r}.")
    try:
        return _made(table[name], {key: _from_json(value) for key, value in arguments.items()})
    except (TypeError, KeyError, AttributeError) as error:
        raise ArgumentError(f"{name} takes its own arguments, got {arguments!r}.") from error


def _made(row: Row, values: dict[str, Any]) -> Any:
    places = values.pop(row.spread) if row.spread else ()
    return row.make(*places, **values)


def _from_json(value: object) -> Any:
    if isinstance(value, Mapping):
        return from_json(value)
    return tuple(_from_json(v) for v in value) if isinstance(value, list) else value


def needs_code(value: object) -> bool:
    """Whether JSON of a description stands for code, which is not in it.

    Example:
        >>> from tensorem.optim import sgd
        >>> needs_code(sgd(lambda step: 0.1).to_json()), needs_code(sgd().to_json())
        (True, False)
    """
    if isinstance(value, Mapping):
        return value.get("name") in CODE or any(map(needs_code, value.values()))
    return isinstance(value, list) and any(map(needs_code, value))


Rates = dict[str, "float | Schedule"]


def rates_of(optimizer: Optimizer) -> Rates:
    """The learning rates of an optimizer: "lr", or of groups "lr[pattern]" each.

    Nothing is known of those of a transformation of optax; a frozen group has none.

    Raises:
        ArgumentError: It has none and would step along the gradient, or several in a chain.

    Example:
        >>> from tensorem.optim import chain, clip_grad_norm, groups, sgd
        >>> rates_of(chain(clip_grad_norm(1.0), sgd(0.1)))
        {'lr': 0.1}
        >>> rates_of(groups({"0.*": sgd(0.1), "1.*": None, "*": sgd(0.2)}))
        {'lr[0.*]': 0.1, 'lr[*]': 0.2}
    """
    if optimizer.name in ("from_optax", "frozen"):
        return {}
    given: dict[str, Any] = dict(optimizer.arguments)
    if optimizer.name == "scaled":
        return rates_of(given["optimizer"])
    if optimizer.name == "groups":
        return {
            f"lr[{pattern}]" if name == "lr" else name: rate
            for pattern, part in given["groups"]
            for name, rate in rates_of(part).items()
        }
    if optimizer.name != "chain":
        return _one(optimizer, [{"lr": given["lr"]}] if "lr" in given else [])
    parts = [part for part in _parts(optimizer) if part.name not in CLIPS]
    known = [rates_of(part) for part in parts if part.name != "from_optax"]
    return {} if parts and not known else _one(optimizer, known)


CLIPS = ("clip_grad_norm", "clip_grad_value")


def _parts(optimizer: Optimizer) -> list[Optimizer]:
    """The members of a chain, and of the chains in it."""
    members: Any = dict(optimizer.arguments)["optimizers"]
    return [p for m in members for p in (_parts(m) if m.name == "chain" else [m])]


def _one(optimizer: Optimizer, rates: list[Rates]) -> Rates:
    if len(rates) != 1:
        raise ArgumentError(
            f"Training takes an optimizer with one learning rate, got {optimizer!r} with "
            f"{len(rates)}.",
            help="for example optim.chain(optim.clip_grad_norm(1.0), optim.adam(1e-3)).",
        )
    return rates[0]


def frozen_of(optimizer: Optimizer, names: Iterable[str]) -> frozenset[str]:
    """The names of the parameters that an optimizer leaves as they are.

    Example:
        >>> from tensorem.optim import chain, clip_grad_norm, groups, sgd
        >>> rule = chain(clip_grad_norm(1.0), groups({"*.bias": None, "*": sgd()}))
        >>> sorted(frozen_of(rule, ["0.weight", "0.bias"]))
        ['0.bias']
    """
    known, given = list(names), dict[str, Any](optimizer.arguments)
    if optimizer.name == "frozen":
        return frozenset(known)
    if optimizer.name == "scaled":
        return frozen_of(given["optimizer"], known)
    if optimizer.name == "chain":
        return frozenset[str]().union(*(frozen_of(o, known) for o in given["optimizers"]))
    if optimizer.name != "groups":
        return frozenset()
    found = split(dict(given["groups"]), known)
    return frozenset[str]().union(*(frozen_of(o, found[p]) for p, o in given["groups"]))


def check_params(optimizer: Optimizer, params: Mapping[str, Any]) -> None:
    """Check that an optimizer can work on parameters: arrays, or their forms, by name.

    Raises:
        ArgumentError: Its rate or eps is infinite in the dtype of one, or 0: a gradient of 0
            divided by 0; `muon` and no matrix; a pattern of `groups` without a parameter, or a
            parameter without a pattern.

    Example:
        >>> from tensorem.optim import adam
        >>> check_params(adam(1e-3, eps=1e-4), {"weight": np.zeros(3, np.float16)})
    """
    given: dict[str, Any] = dict(optimizer.arguments)
    if optimizer.name in ("chain", "scaled"):
        for part in given.get("optimizers") or (given["optimizer"],):
            check_params(part, params)
    elif optimizer.name == "groups":
        require_members(dict(given["groups"]), params)
        found = split(dict(given["groups"]), params)
        for pattern, part in given["groups"]:
            check_params(part, {name: params[name] for name in found[pattern]})
    else:
        _check_dtypes(optimizer, {array.dtype for array in params.values()})
        _check_matrices(optimizer, params)


def _check_dtypes(optimizer: Optimizer, dtypes: Iterable[DTypeLike]) -> None:
    numbers = {k: v for k, v in optimizer.arguments if k in _HELD and isinstance(v, int | float)}
    for dtype in dtypes:
        for name, value in numbers.items():
            if not _held(value, dtype):
                raise ArgumentError(
                    f"{optimizer.name} takes an {name} that {np.dtype(dtype)} holds, got {value}.",
                    help=_HELD[name].format(optimizer.name),
                )


_HELD = {
    "lr": "a usual one is 1e-3.",
    "eps": "{}(..., eps=1e-4), or train in bfloat16.",
}


def _held(value: object, dtype: DTypeLike) -> bool:
    """Whether a number is neither infinite in a dtype, nor 0 without being so."""
    with np.errstate(all="ignore"):
        found = float(np.asarray(value, dtype))
    return math.isfinite(found) and bool(found) == bool(value)


def _check_matrices(optimizer: Optimizer, params: Mapping[str, Any]) -> None:
    wrong = [name for name, array in params.items() if len(array.shape) != 2]
    if optimizer.name == "muon" and wrong:
        raise ArgumentError(
            f"muon takes matrices, got {wrong[0]} of shape {tuple(params[wrong[0]].shape)}.",
            help='optim.groups({"*.bias": optim.adamw(), ..., "*": optim.muon()}).',
        )


def learning_rates(optimizer: Optimizer, steps: Sequence[int]) -> list[dict[str, float]]:
    """The learning rates of `rates_of` at some steps; a schedule is asked for many of them at once.

    Example:
        >>> from tensorem.optim import sgd, step_lr
        >>> learning_rates(sgd(step_lr(0.5, 1, 0.5)), range(3))
        [{'lr': 0.5}, {'lr': 0.25}, {'lr': 0.125}]
    """
    found: list[dict[str, float]] = [{} for _ in steps]
    for name, rate in rates_of(optimizer).items():
        for rates, value in zip(found, _at(rate, steps), strict=True):
            rates[name] = value
    return found


def _at(rate: float | Schedule, steps: Sequence[int]) -> list[float]:
    if not isinstance(rate, Schedule):
        return [float(rate)] * len(steps)
    places = np.zeros((-(-len(steps) // _AT_ONCE), _AT_ONCE), np.int32)
    places.flat[: len(steps)] = steps
    blocks = np.asarray([_many(rate)(block) for block in places], float)
    rates: list[float] = blocks.ravel()[: len(steps)].tolist()
    return rates


_AT_ONCE = 64
"""Always as many, so that one program gives all rates, and a rate the same in any company."""


@lru_cache(maxsize=32)
def _many(rate: Schedule) -> Callable[[NDArray[np.int32]], Array]:
    function = rate.function()
    return jax.jit(jax.vmap(lambda step: jnp.asarray(function(step))))
