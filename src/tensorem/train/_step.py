"""The pure step, and the chunk: the one program through which every compiled step goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray

from tensorem.losses import Pair

from ._callback import Callback, Updated, answered
from ._feed import Inputs
from ._state import Arrays, State, trained
from ._task import as_row

Step = Callable[[State, Inputs, Array], tuple[State, Array]]
"""(state, inputs, targets) -> (state after the step, the pairs of the step in one row)."""


class Forward(Protocol):
    """The value in training: (params, buffers, inputs, key) -> (output, buffers)."""

    def __call__(
        self, params: Arrays, buffers: Arrays, inputs: Inputs, key: Array, /
    ) -> tuple[Any, Arrays]: ...


Measure = Callable[[Any, Array], tuple[Pair, ...]]
"""(output, targets) -> the pair of the loss, then those of the metrics."""


@dataclass(frozen=True)
class Update:
    """An optimizer as a function: (gradients, its state, params) -> (params, its state)."""

    transform: optax.GradientTransformation

    def __call__(
        self, grads: Arrays, state: optax.OptState, params: Arrays
    ) -> tuple[Arrays, optax.OptState]:
        updates, state = self.transform.update(grads, state, params)
        moved: Any = optax.apply_updates(params, updates)  # pyright: ignore[reportArgumentType]
        return moved, state


Objective = Callable[[Arrays, State, Inputs, Array], tuple[Array, tuple[Arrays, Array]]]
"""(params, state, inputs, targets) -> (mean loss, (buffers after the step, its row))."""


def make_objective(forward: Forward, measure: Measure) -> Objective:
    """What a step makes small, as a function of the parameters."""

    def objective(
        params: Arrays, state: State, inputs: Inputs, targets: Array
    ) -> tuple[Array, tuple[Arrays, Array]]:
        key = jax.random.fold_in(state.key, state.step)
        output, buffers = forward(params, state.buffers, inputs, key)
        pairs = measure(output, targets)
        total, count = pairs[0]
        return total / count, (buffers, as_row(pairs))

    return objective


Tell = Callable[[State, Array], State]
"""(state after a step, its row) -> the same state, with callbacks that were told of it."""


def make_step(
    objective: Objective, update: Callable[..., Any], frozen: frozenset[str], tell: Tell
) -> Step:
    """One step of gradient descent on an objective, as a pure function.

    Args:
        frozen: The parameters that it neither differentiates nor moves.
    """

    def step(state: State, inputs: Inputs, targets: Array) -> tuple[State, Array]:
        still = {name: a for name, a in state.params.items() if name in frozen}
        moving = trained(state.params, frozen)

        def of_moving(params: Arrays) -> tuple[Array, tuple[Arrays, Array]]:
            return objective(still | params, state, inputs, targets)

        grads, (buffers, row) = jax.grad(of_moving, has_aux=True)(moving)
        moved, optimizer = update(grads, state.optimizer, moving)
        after = replace(
            state, params=still | moved, buffers=buffers, optimizer=optimizer, step=state.step + 1
        )
        return tell(after, row), row

    return step


def make_tell(callbacks: Sequence[Callback], names: tuple[str, ...]) -> Tell:
    """Callbacks at "update" as a part of the step."""

    def tell(state: State, row: Array) -> State:
        if not callbacks:
            return state
        event = Updated(state, dict(zip(names, row[::2] / row[1::2], strict=True)))
        memories = dict(state.callbacks)
        for callback in callbacks:
            before = memories.get(callback.name, ())
            after, _ = answered(callback, before, event)
            memories |= {callback.name: after} if callback.name in memories else {}
        return replace(state, callbacks=memories)

    return tell


Chunk = Callable[[State, Inputs, Array, Array, Array, Array], tuple[State, Array]]
"""(state, inputs, targets, order, start, stop) -> (state after the steps, one row per step)."""


def make_chunk(step: Step) -> Chunk:
    """The program of steps start <= i < stop over the batches order[i].

    The bounds are arguments, so any cutting of an epoch runs the same program and gives the same
    bits. The state that goes in is used up.
    """

    def chunk(
        state: State, inputs: Inputs, targets: Array, order: Array, start: Array, stop: Array
    ) -> tuple[State, Array]:
        def body(i: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
            state, rows = carry
            state, row = step(state, tuple(x[order[i]] for x in inputs), targets[order[i]])
            return state, rows.at[i].set(row)

        row = jax.eval_shape(step, state, batch(inputs, order), batch(targets, order))[1]
        rows = jnp.zeros((order.shape[0], *row.shape), row.dtype)
        done: tuple[State, Array] = jax.lax.fori_loop(start, stop, body, (state, rows))
        return done

    return jax.jit(chunk, donate_argnums=0)


Order = Array | NDArray[np.int32]
"""The rows that each step takes, of shape (steps, batch)."""


def batch(arrays: object, order: Order) -> Any:
    """The forms of one batch: as many rows as a row of the order names."""
    size = order.shape[1]
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype), arrays)
