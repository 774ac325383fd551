"""A runner: how a task is trained, in three pieces: init, step, epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import DTypeLike, NDArray

from tensorem import nn, optim, rand
from tensorem.errors import ArgumentError
from tensorem.layer import Programs, Spelling, spelled

from ._callback import Callback, begun
from ._checks import checked
from ._compute import Backend, Compute, compute_of
from ._feed import Batches, Inputs, Targets, examples, taken
from ._feed import feed as feed
from ._mesh import Grid, grid_of
from ._objective import View, bare
from ._pace import Pace
from ._processes import agreed
from ._record import Record
from ._state import Arrays, State, trained, unused
from ._step import (
    Forward,
    Measure,
    Order,
    Update,
    batch,
    make_chunk,
    make_gradient,
    make_step,
    make_summed,
    make_tell,
    normed,
    settled,
    spread,
)
from ._task import Scores, Task, require_hash
from ._whole import whole


@dataclass(frozen=True, eq=False)
class Runner:
    """A task and an optimizer as functions of a state; `fit` is made of these.

    It reads the code of the layers when it is made: `task.model` is the given one, `rebuild`.

    Args:
        task: The model, the loss and the metrics.
        optimizer: How gradients move the parameters.
        backend: How a step is computed: a `Compute`, or the name of its backend.
        callbacks: Those that are told of each step within it, at "update".

    Raises:
        ArgumentError: One of them is none, or the optimizer cannot train this model.

    Example:
        >>> from tensorem import data, nn
        >>> model = nn.build(nn.Linear(4, 3), input=("N", 4))
        >>> runner = Runner(Task(model), optim.sgd(0.1))
        >>> state = runner.init(seed=0)
        >>> state, record = runner.epoch(state, feed(data.iris().train))
        >>> sorted(record.means())
        ['accuracy', 'loss']
    """

    task: Task
    optimizer: optim.Optimizer
    backend: Backend | Compute = "compiled"
    callbacks: tuple[Callback, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.task, Task):
            raise ArgumentError(
                f"A Runner takes a task, got {type(self.task).__name__}.",
                help="train.Task(model, loss).",
            )
        object.__setattr__(self, "backend", compute_of(self.backend))
        object.__setattr__(self, "optimizer", required_rule(self.optimizer))
        object.__setattr__(self, "task", self.task.reread())
        optim.check_params(self.optimizer, self.task.model.params)
        _require_trained(self.task.model, _frozen(self.task, self.optimizer))
        for callback in self.callbacks:
            _require_traced(callback)

    def init(self, seed: int = 0) -> State:
        """The state before the first step."""
        model = self.task.model
        params, buffers = dict(model.params), dict(model.buffers)  # JAX is fastest on plain dicts
        with model.precision():
            state = _started(self.optimizer, _frozen(self.task, self.optimizer))(
                params, buffers, rand.jax_key(seed)
            )
            names = self.task.names
            state = replace(state, callbacks=begun(self.callbacks, state, names, names))
            return state if self.grid is None else self.grid.place(state)

    def step(self, state: State, x: Any, y: Any) -> tuple[State, Record]:
        """One step on one batch. The state that goes in is used up.

        Args:
            x: A batch of inputs; a tuple of them where the model takes several.
            y: Their targets.

        Raises:
            ShapeError: The batch is not what the model takes.
            DTypeError: The dtypes do not fit.
            DataError: A value or label is wrong, or the lengths differ.
            ArgumentError: The state was used up before.
        """
        with self.task.model.precision():
            found = checked(self.task, examples((x, y)), "batch")
            inputs = tuple(map(jnp.asarray, found.inputs))
            order = np.arange(len(found), dtype=np.int32)[np.newaxis]
            targets = jax.tree.map(jnp.asarray, found.targets)
            state, rows = self.advance(unused(state), inputs, targets, jnp.asarray(order), 0, 1)
        return state, Record.empty(self.task.names).followed_by(rows)

    def epoch(self, state: State, batches: Batches) -> tuple[State, Record]:
        """All steps that are left of the epoch in which a state stands; it is used up.

        Args:
            batches: Made by `feed`.

        Raises:
            ArgumentError: The state was used up before, or the batches are none.
        """
        if not hasattr(batches, "pieces"):
            raise ArgumentError(
                f"Runner.epoch takes batches, got {type(batches).__name__}.",
                help="train.feed(data, batch_size).",
            )
        record = Record.empty(self.task.names)
        with self.task.model.precision():
            *_, last = self.chunks(state, record, batches, Pace(seconds=60.0))
        return last

    def chunks(
        self, state: State, record: Record, batches: Batches, pace: Pace
    ) -> Iterator[tuple[State, Record]]:
        """The same, looking up after each chunk of steps; each state is used up by the next.

        Args:
            record: What the steps of this epoch measured before.
            pace: How long a chunk is.
        """
        if len(record) >= len(batches):
            return
        advance, taken = self.advance, int(unused(state).step)
        epoch, done = divmod(taken, len(batches))
        for piece in batches.pieces(epoch, done):
            given = (piece.inputs, piece.targets)
            given = given if self.grid is None else self.grid.everywhere(given)
            while done < piece.end:
                started, at = time.perf_counter(), done - piece.begin
                n = agreed(pace.length(taken, piece.end - done))
                state, rows = advance(unused(state), *given, piece.order, at, at + n)
                record = record.followed_by(rows)
                pace.took(piece.order.shape, n, time.perf_counter() - started)
                taken, done = taken + n, done + n
                yield state, record

    @cached_property
    def grid(self) -> Grid | None:
        """Where its arrays lie; None on one device."""
        return grid_of(compute_of(self.backend).devices, self.task.model.params)

    @cached_property
    def advance(self) -> Advance:
        """Some steps of a piece, without looking up."""
        compute = compute_of(self.backend)
        advance = _compiled if compute.backend == "compiled" else _eager
        return advance(self.task, self.optimizer, compute, self.callbacks, self.grid)


def _require_traced(callback: Callback) -> None:
    if getattr(callback, "when", "") != "update":
        raise ArgumentError(
            f"A Runner takes callbacks at 'update', got {callback!r}.",
            help="the others are told by train.fit.",
        )
    require_hash("A callback at 'update' takes a value", callback)


def required_rule(optimizer: object) -> optim.Optimizer:
    """The optimizer, which has one learning rate for each parameter.

    Raises:
        ArgumentError: It is none.
    """
    found = optim.optimizer_of(optimizer)
    optim.rates_of(found)
    return found


def _frozen(task: Task, optimizer: optim.Optimizer) -> frozenset[str]:
    """The parameters that stay: those of the model, and those of groups."""
    return task.model.frozen | optim.frozen_of(optimizer, task.model.params)


def _require_trained(model: nn.Model, frozen: frozenset[str]) -> None:
    if frozen and frozen == model.params.keys():
        raise ArgumentError(
            f"Training takes a model with something to train, got one whose {len(frozen)} "
            "parameters are all frozen.",
            help='model.unfreeze("*"), or a pattern of fewer.',
        )


def _started(
    optimizer: optim.Optimizer, frozen: frozenset[str]
) -> Callable[[Arrays, Arrays, Array], State]:
    """(params, buffers, key) -> the state before the first step, as one program."""
    start = _start if _is_ours(optimizer) else _start.__wrapped__
    return start(optimizer, frozen)


@lru_cache(maxsize=32)
def _start(
    optimizer: optim.Optimizer, frozen: frozenset[str]
) -> Callable[[Arrays, Arrays, Array], State]:
    transform = optimizer.transform()

    def start(params: Arrays, buffers: Arrays, key: Array) -> State:
        # A chunk uses up its state, and the model's own arrays must stay.
        params, buffers = jax.tree.map(jnp.copy, (params, buffers))
        began = transform.init(trained(params, frozen))
        return State(params, buffers, began, jnp.zeros((), jnp.int32), key)

    return jax.jit(start)


Advance = Callable[[State, Inputs, Targets, Order, int, int], tuple[State, NDArray[Any]]]
"""(state, inputs, targets, order, start, stop) -> the state after the steps start <= i < stop
over the batches order[i], and a row for each of these steps."""


def _compiled(
    task: Task,
    optimizer: optim.Optimizer,
    compute: Compute,
    callbacks: tuple[Callback, ...],
    grid: Grid | None,
) -> Advance:
    """Many steps in one program."""
    built, scores, update = task.model.built, task.scores, Update(optimizer.transform())
    frozen = _frozen(task, optimizer)
    forward = forward_of(built.layer, nn.Context(training=True), compute)
    summed = spread(make_summed(forward, scores), grid)
    gradient = make_gradient(summed, frozen, compute.accumulate)
    gradient = normed(gradient) if task.of_steps else gradient
    own, tell = scores.own, make_tell(callbacks, task.names)

    def of_user(state: State, inputs: Inputs, targets: Targets) -> tuple[Any, ...]:
        key = state.key
        output, buffers = forward(state.params, state.buffers, inputs, key)

        def call(xs: Inputs) -> Any:
            return forward(state.params, state.buffers, xs, key)[0]

        view = View(call, state.params, buffers, inputs, output)
        told = tell(state, jnp.ones(2 * len(task.names))) if callbacks else state
        return output, buffers, own(view, targets), told.callbacks

    rule = optimizer if _is_ours(optimizer) else object()
    key = (built.layer, scores, task.of_steps, frozen, rule, compute, callbacks)
    step = settled(make_step(gradient, update, frozen, tell), grid)
    programs = Programs(key, lambda: make_chunk(step))

    def advance(
        state: State, inputs: Inputs, targets: Targets, order: Order, start: int, stop: int
    ) -> tuple[State, NDArray[Any]]:
        def spell() -> Spelling:
            if not own.functions and not callbacks and built.says_training():
                return built.spelling
            return spelled(of_user, state, batch(inputs, order), batch(targets, order))[0]

        chunk = programs.of((inputs, targets, order), spell)
        state = state if grid is None else grid.place(state)
        state, rows = chunk(state, inputs, targets, order, np.int32(start), np.int32(stop))
        return state, np.asarray(whole(rows))[start:stop]

    return advance


def _is_ours(optimizer: optim.Optimizer) -> bool:
    """Whether an optimizer is made of descriptions alone; a class of the user's own is code."""
    try:
        return bool(optim.from_json(optimizer.to_json()) == optimizer)
    except ArgumentError:
        return False


def _eager(
    task: Task,
    optimizer: optim.Optimizer,
    compute: Compute,
    callbacks: tuple[Callback, ...],
    grid: Grid | None,
) -> Advance:
    """One step after another, layer by layer, each layer a program of its own."""
    scores, update = task.scores, Update(optimizer.transform())
    forward = forward_of(task.model.layer, nn.Context(training=True, run_leaf=nn.eager), compute)
    summed, moved = make_summed(forward, _measured(scores)), jax.jit(lambda *given: update(*given))
    frozen = _frozen(task, optimizer)
    gradient = make_gradient(summed, frozen, compute.accumulate)
    gradient = normed(gradient) if task.of_steps else gradient
    tell = make_tell(callbacks, task.names)
    step = make_step(gradient, moved, frozen, jax.jit(tell) if callbacks else tell)

    def advance(
        state: State, inputs: Inputs, targets: Targets, order: Order, start: int, stop: int
    ) -> tuple[State, NDArray[Any]]:
        rows = []
        for index in order[start:stop]:
            state, row = step(state, *taken((inputs, targets), index))
            rows.append(np.asarray(row))
        return state, np.stack(rows)

    return advance


def _measured(scores: Scores) -> Measure:
    """Scores as one program, where none calls the model: that is read layer by layer."""
    if scores.plain != scores:
        return scores
    of_output = jax.jit(lambda output, targets: scores(bare(output), targets))
    return lambda view, targets: of_output(view.output, targets)


def forward_of(layer: nn.Layer, context: nn.Context, compute: Compute) -> Forward:
    """A layer as a step calls it, in the precision of the step."""

    def forward(params: Arrays, buffers: Arrays, inputs: Inputs, key: Array) -> tuple[Any, Arrays]:
        return layer.call((params, buffers), *inputs, ctx=replace(context, key=key))

    def lowered(params: Arrays, buffers: Arrays, inputs: Inputs, key: Array) -> tuple[Any, Arrays]:
        given, xs = _cast((params, inputs), jnp.bfloat16)
        output, buffers = forward(given, buffers, xs, key)
        return _cast(output, jnp.float32), buffers

    return lowered if compute.precision == "bf16" else forward


def _cast(tree: Any, dtype: DTypeLike) -> Any:
    """The same tree with its floating arrays in another dtype."""
    return jax.tree.map(
        lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree
    )
