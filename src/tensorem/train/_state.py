"""The state of a run: one tree, every array with a name."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray

from tensorem.errors import ArgumentError, FileError

from ._whole import whole

Arrays = dict[str, Array]
_SAVED = ("params", "buffers", "optimizer", "step", "callbacks")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """Everything that a step reads and writes.

    Args:
        params: The trained arrays by state-dict name.
        buffers: The arrays carried along, by state-dict name.
        optimizer: The state of the optimizer.
        step: How many steps were taken; with the key it decides every random draw.
        key: The random key of the run, made from its seed.
        callbacks: What the callbacks of a step remember, by their names.
    """

    params: Arrays
    buffers: Arrays
    optimizer: optax.OptState
    step: Array
    key: Array
    callbacks: dict[str, Any] = field(default_factory=dict)


def trained(params: Arrays, frozen: frozenset[str]) -> Arrays:
    """The parameters that a step moves."""
    return {name: array for name, array in params.items() if name not in frozen}


def used_up(state: State) -> bool:
    """Whether a step took over arrays of this state."""
    return any(a.is_deleted() for a in jax.tree.leaves(state) if isinstance(a, jax.Array))


def unused(state: State) -> State:
    """The state itself.

    Raises:
        ArgumentError: It is used up, or no state.
    """
    if not isinstance(state, State):
        raise ArgumentError(
            f"A step takes a state, got {type(state).__name__}.", help="runner.init(seed)."
        )
    if used_up(state):
        raise ArgumentError(
            "A step takes a state that is whole, got one that is used up.",
            because="a state is used up by the step it goes into.",
            help="go on with the state that came back: state, record = runner.step(state, x, y).",
        )
    return state


def nonfinite(params: Arrays) -> tuple[str, float] | None:
    """A parameter that is not finite throughout, and such a value of it."""
    for name, array in params.items():
        values = np.asarray(whole(array))
        if not np.isfinite(values).all():
            return name, float(values[~np.isfinite(values)][0])
    return None


def named_arrays(state: State) -> dict[str, NDArray[Any]]:
    """Copies of a state's arrays, as "params.0.weight"; the key follows from the seed."""
    return {name: np.array(whole(leaf)) for name, leaf in _named_leaves(state)}


def with_arrays(state: State, arrays: dict[str, NDArray[Any]], where: str) -> State:
    """The same state with other arrays.

    Raises:
        FileError: A name, shape or dtype is not that of the state.
    """
    expected = dict(_named_leaves(state))
    _check_names(expected.keys(), arrays.keys(), where)
    for name, leaf in expected.items():
        _check_leaf(name, leaf, arrays[name], where)
    parts = {}
    for part in _SAVED:
        leaves = [
            arrays[name] if isinstance(leaf, np.ndarray) else jnp.asarray(arrays[name])
            for name, leaf in expected.items()
            if name.split(".")[0] == part
        ]
        parts[part] = jax.tree.unflatten(jax.tree.structure(getattr(state, part)), leaves)
    return replace(state, **parts)


def _named_leaves(state: State) -> list[tuple[str, Array]]:
    found = []
    for part in _SAVED:
        for path, leaf in jax.tree_util.tree_flatten_with_path(getattr(state, part))[0]:
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            found.append((f"{part}.{name}" if name else part, leaf))
    return found


def _check_names(expected: Set[str], got: Set[str], where: str) -> None:
    missing, extra = sorted(expected - got), sorted(got - expected)
    if missing or extra:
        raise FileError(
            f"{where} takes the arrays of this model and optimizer, got others.",
            because="; ".join(
                f"{label}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
                for label, names in (("missing", missing), ("without a place", extra))
                if names
            ),
        )


def _check_leaf(name: str, leaf: Array, got: NDArray[Any], where: str) -> None:
    if (leaf.shape, leaf.dtype) != (got.shape, got.dtype):
        raise FileError(
            f"{name} takes {leaf.dtype} {leaf.shape}, got {got.dtype} {got.shape}.", where=where
        )
