"""Where a step left the finite numbers: it is reached again and taken layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from tensorem import nn

from ._compute import compute_of
from ._feed import Batches, Inputs
from ._runner import Runner, forward_of
from ._state import State, nonfinite


def origin(runner: Runner, batches: Batches, start: Callable[[], State], step: int) -> str:
    """Which layer gave what is not finite in a step, and what went in, in words.

    The order of the examples and all draws follow from the step, so that the steps before it are
    taken again. Empty where a step is not to be reached so: from another epoch, in parts, on
    several devices, or from a stream.

    Args:
        start: Gives a state that is kept; it is used up.
    """
    if compute_of(runner.backend).accumulate > 1 or runner.grid is not None:
        return ""
    epoch, last = divmod(step, len(batches))
    inputs = batches.inputs_of(epoch, last)
    if inputs is None or int((state := start()).step) // len(batches) != epoch:
        return ""
    return _told(runner, _before(runner, batches, state, step), inputs)


def _before(runner: Runner, batches: Batches, state: State, step: int) -> State:
    """The state before a step, of one that stands earlier in its epoch."""
    epoch, done = divmod(int(state.step), len(batches))
    last = step % len(batches)
    for piece in batches.pieces(epoch, done):
        stop = min(piece.end, last)
        if done < stop:
            given = piece.inputs, piece.targets, piece.order
            state, _ = runner.advance(state, *given, done - piece.begin, stop - piece.begin)
            done = stop
    return state


def _told(runner: Runner, state: State, inputs: Inputs) -> str:
    found = nonfinite(state.params)
    if found is not None:
        return f"{found[0]} is {found[1]} before this step, by the gradient of the one before it."
    said: list[str] = []

    def look(frame: Any, leaf: Any, xs: Any, kw: Any) -> Any:
        y = nn.eager(frame, leaf, xs, kw)
        traced = any(isinstance(a, Tracer) for a in jax.tree.leaves(y))
        if not traced and not said and not _is_finite(y):
            arrays = {name: getattr(leaf, name) for name in frame.layer.parameters()}
            given = {f"x{i}" if i else "x": x for i, x in enumerate(jax.tree.leaves(xs))}
            place = f"{frame.layer.label()} at {frame.path or 'the root'}"
            verb = "gives" if _is_finite(xs) else "is the first layer that takes"
            said.append(
                f"{place} {verb} what is not finite: {_ranges({**given, **arrays})}, "
                f"result {_range(y)}."
            )
        return y

    context = nn.Context(training=True, run_leaf=look)
    forward = forward_of(runner.task.model.layer, context, compute_of(runner.backend))
    key = jax.random.fold_in(state.key, state.step)
    output, _ = forward(state.params, state.buffers, inputs, key)
    if said:
        return said[0]
    if not _is_finite(output):
        return "every layer alone gives finite numbers, but not what is computed around them."
    return f"the output is finite, {_range(output)}: the loss is not, or its gradient."


def _is_finite(tree: Any) -> bool:
    return all(np.isfinite(np.asarray(a, np.float64)).all() for a in jax.tree.leaves(tree))


def _ranges(arrays: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_range(a)}" for name, a in arrays.items() if a is not None)


def _range(tree: Any) -> str:
    """The range of the finite numbers, and how many are none."""
    values = np.concatenate([np.ravel(a).astype(np.float64) for a in jax.tree.leaves(tree)])
    finite = values[np.isfinite(values)]
    span = f"from {finite.min():.6g} to {finite.max():.6g}" if finite.size else "without a number"
    bad = values.size - finite.size
    return f"{span} ({bad} of {values.size} not finite)" if bad else span
