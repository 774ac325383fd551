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
from ._feed import Inputs, Targets, taken
from ._mesh import Grid
from ._objective import View
from ._state import Arrays, State, trained
from ._task import as_row

Step = Callable[[State, Inputs, Targets], tuple[State, Array]]
"""(state, inputs, targets) -> (state after the step, the pairs of the step in one row)."""


class Forward(Protocol):
    """The value in training: (params, buffers, inputs, key) -> (output, buffers)."""

    def __call__(
        self, params: Arrays, buffers: Arrays, inputs: Inputs, key: Array, /
    ) -> tuple[Any, Arrays]: ...


Measure = Callable[[View, Targets], tuple[Pair, ...]]
"""(the model with its output, targets) -> the pair of the loss, then those of the metrics."""


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


Summed = Callable[[Arrays, State, Inputs, Targets], tuple[Array, tuple[Array, Arrays, Array]]]
"""(params, state, inputs, targets) -> (sum of the loss, (its count, buffers after it, its row))."""


def make_summed(forward: Forward, measure: Measure) -> Summed:
    """What a step makes small, before it is divided by its count."""

    def summed(
        params: Arrays, state: State, inputs: Inputs, targets: Targets
    ) -> tuple[Array, tuple[Array, Arrays, Array]]:
        key = jax.random.fold_in(state.key, state.step)
        output, buffers = forward(params, state.buffers, inputs, key)

        def call(xs: Inputs) -> Any:
            return forward(params, state.buffers, xs, key)[0]

        pairs = measure(View(call, params, buffers, inputs, output), targets)
        total, count = pairs[0]
        return total, (count, buffers, as_row(pairs))

    return summed


def spread(summed: Summed, grid: Grid | None) -> Summed:
    """The same with the rows of a batch split among devices."""

    def split(params: Arrays, state: State, inputs: Inputs, targets: Targets) -> Any:
        assert grid is not None
        return summed(params, state, *grid.rows((inputs, targets)))

    return summed if grid is None else split


Gradient = Callable[[State, Inputs, Targets], tuple[Arrays, Arrays, Array]]
"""(state, inputs, targets) -> (gradients of the mean loss, buffers after it, its row)."""


def make_gradient(summed: Summed, frozen: frozenset[str], parts: int) -> Gradient:
    """The gradients of a batch in the parameters that are not frozen.

    Args:
        parts: How many parts a batch is computed in: sums over them are divided once.
    """

    def of(state: State, inputs: Inputs, targets: Targets, *, mean: bool) -> Any:
        still = {name: a for name, a in state.params.items() if name in frozen}

        def value(params: Arrays) -> tuple[Array, tuple[Arrays, Array]]:
            total, (count, buffers, row) = summed(still | params, state, inputs, targets)
            return total / count if mean else total, (buffers, row)

        grads, (buffers, row) = jax.grad(value, has_aux=True)(trained(state.params, frozen))
        return grads, buffers, row

    def whole(state: State, inputs: Inputs, targets: Targets) -> tuple[Arrays, Arrays, Array]:
        found: tuple[Arrays, Arrays, Array] = of(state, inputs, targets, mean=True)
        return found

    def in_parts(state: State, inputs: Inputs, targets: Targets) -> tuple[Arrays, Arrays, Array]:
        def add(sums: Any, part: Any) -> tuple[Any, None]:
            (grads, buffers, row), (number, (xs, ys)) = sums, part
            within = replace(state, buffers=buffers, key=jax.random.fold_in(state.key, number))
            more, buffers, more_row = of(within, xs, ys, mean=False)
            return (jax.tree.map(jnp.add, grads, more), buffers, row + more_row), None

        even, rest = _parted((inputs, targets), parts)
        forms = jax.eval_shape(lambda batch: of(state, *batch, mean=False), taken(even, 0))
        grads, _, row = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), forms)
        count = len(jax.tree.leaves(even)[0])
        sums, _ = jax.lax.scan(add, (grads, state.buffers, row), (jnp.arange(count), even))
        if rest is not None:
            sums, _ = add(sums, (count, rest))
        grads, buffers, row = sums
        return jax.tree.map(lambda g: g / row[1].astype(g.dtype), grads), buffers, row

    return whole if parts == 1 else in_parts


def normed(gradient: Gradient) -> Gradient:
    """The same with the norm of all gradients at the end of the row, as one of one step."""

    def with_norm(state: State, inputs: Inputs, targets: Targets) -> tuple[Arrays, Arrays, Array]:
        grads, buffers, row = gradient(state, inputs, targets)
        norm = jnp.asarray(optax.tree.norm(grads), row.dtype)
        return grads, buffers, jnp.concatenate([row, jnp.stack([norm, jnp.ones_like(norm)])])

    return with_norm


def _parted(batch: Any, parts: int) -> tuple[Any, Any]:
    """A batch as parts of one size along a new first axis, and what is left over."""
    size = len(jax.tree.leaves(batch)[0])
    each = -(-size // parts)
    even = size // each * each
    stacked = jax.tree.map(lambda a: a[:even].reshape(-1, each, *a.shape[1:]), batch)
    return stacked, jax.tree.map(lambda a: a[even:], batch) if even < size else None


def settled(step: Step, grid: Grid | None) -> Step:
    """The same with the arrays of its state where they lay before."""

    def stay(state: State, inputs: Inputs, targets: Targets) -> tuple[State, Array]:
        assert grid is not None
        return grid.held(step(state, inputs, targets))

    return step if grid is None else stay


Tell = Callable[[State, Array], State]
"""(state after a step, its row) -> the same state, with callbacks that were told of it."""


def make_step(
    gradient: Gradient, update: Callable[..., Any], frozen: frozenset[str], tell: Tell
) -> Step:
    """One step of gradient descent, as a pure function.

    Args:
        frozen: The parameters that it does not move.
    """

    def step(state: State, inputs: Inputs, targets: Targets) -> tuple[State, Array]:
        still = {name: a for name, a in state.params.items() if name in frozen}
        grads, buffers, row = gradient(state, inputs, targets)
        moved, optimizer = update(grads, state.optimizer, trained(state.params, frozen))
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
            after = answered(callback, before, event).memory
            memories |= {callback.name: after} if callback.name in memories else {}
        return replace(state, callbacks=memories)

    return tell


Chunk = Callable[[State, Inputs, Targets, Array, Array, Array], tuple[State, Array]]
"""(state, inputs, targets, order, start, stop) -> (state after the steps, one row per step)."""


def make_chunk(step: Step) -> Chunk:
    """The program of steps start <= i < stop over the batches order[i].

    The bounds are arguments, so any cutting of an epoch runs the same program and gives the same
    bits. The state that goes in is used up.
    """

    step = jax.jit(step, inline=True)  # traced once, for the form of its row and for the loop

    def chunk(
        state: State, inputs: Inputs, targets: Targets, order: Array, start: Array, stop: Array
    ) -> tuple[State, Array]:
        def body(i: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
            state, rows = carry
            state, row = step(state, *taken((inputs, targets), order[i]))
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
