"""The first op where a value stops being a finite number, and what went into it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from tensorem import autograd, graph, losses, nn, runtime
from tensorem.calls import called
from tensorem.errors import ArgumentError
from tensorem.graph import Graph, Node, graph_of, is_constant
from tensorem.graph._rewrite import needed
from tensorem.meanings import Readable, bound
from tensorem.ops._op import results
from tensorem.shapes import spec_of

from ._numbers import Numbers

Values = dict[str, Any]
LOSS = "loss"
"""The place of what a loss computes, beside the paths of the layers."""


@dataclass(frozen=True)
class Origin:
    """An op that gives what is not finite, or an input or weight that holds it.

    Args:
        value: The name of the value in the graph.
        op: The op that makes it; "" where it is an input or a weight.
        layer: The path of the layer; "" for the model itself, "loss" for the loss.
        in_gradient: Whether it is computed for the gradient.
        operands: The numbers that go in, by name.
        result: The numbers that come out.
        entry: Where the first one stands that is not finite.
        there: That one.
    """

    value: str
    op: str
    layer: str
    in_gradient: bool
    operands: Mapping[str, Numbers]
    result: Numbers
    entry: tuple[int, ...]
    there: float

    def __str__(self) -> str:
        if not self.op:
            return f"{self.value} holds {self._there}: {self.result.told}."
        part = "the gradient of " if self.in_gradient else ""
        head = f"{self.op} gives {self._there}, in {part}{_place(self.layer)}."
        lines = [f"  {name}: {numbers.told}" for name, numbers in self.operands.items()]
        return "\n".join([head, *lines, f"  gives {self.value}: {self.result.told}"])

    @property
    def _there(self) -> str:
        where = f" at [{', '.join(map(str, self.entry))}]" if self.entry else ""
        return ("NaN" if math.isnan(self.there) else str(self.there)) + where


@dataclass(frozen=True)
class Explanation:
    """What `explain_nan` found; printed, it is the explanation.

    Args:
        first: Where a value first leaves the finite numbers; None where all that comes out is
            finite.
        nan: Where it becomes NaN, if that is another op.
    """

    first: Origin | None
    nan: Origin | None = None

    def __str__(self) -> str:
        if self.first is None:
            return "Everything that comes out is finite."
        told = str(self.first)
        return told if self.nan is None else f"{told}\nThen {self.nan}"


@called
def explain_nan(
    model: Readable, *xs: Any, loss: autograd.OutputLoss | None = None, target: Any = None
) -> Explanation:
    """Where a value leaves the finite numbers: the op, its layer, and what went in.

    The graph of the model is computed op by op, as `GraphModel` computes it; only what the outputs
    that are not finite depend on counts, so that a mask of -inf which softmax takes away is no
    fault. Ops of a loop are looked at turn by turn.

    Args:
        model: A model, or a graph.
        xs: Its inputs.
        loss: (output, target) -> one number or a pair (sum, count), or the name of a loss. With it
            the loss and its gradient in the parameters are looked at too.
        target: What the loss compares with.

    Raises:
        ArgumentError: A loss is given without a target, or for what is no model.
        ShapeError: A shape is not that of the model's input.
        DTypeError: The dtype of an input does not hold the numbers.
        CaptureError: A layer does something that no graph can say.

    Example:
        >>> import jax.numpy as jnp
        >>> from tensorem.graph import capture
        >>> odds = capture(lambda p: jnp.log(p / (1 - p)), (3,))
        >>> print(explain_nan(odds, np.array([0.5, 1.0, 0.0], np.float32)))
        div gives inf at [1], in the model.
          x0: from 0 to 1
          sub_1: from 0 to 1
          gives div_2: from 0 to 1, 1 of 3 infinite
    """
    if loss is None:
        program, values = bound(graph_of(model), xs)
    else:
        program, values = _with_gradient(model, xs, loss, target)
    with program.precision():
        flat = graph.unroll(program, limit=max(program.work, 1))
        return _explained(_Looked.at(flat, values, several=loss is not None))


def _with_gradient(
    model: Readable, xs: tuple[Any, ...], loss: autograd.OutputLoss, target: Any
) -> tuple[Graph, Values]:
    """The loss, then its gradient by name, as a graph and what goes into it."""
    if not isinstance(model, nn.Model):
        raise ArgumentError(f"takes a model where a loss is given, got {type(model).__name__}.")
    if target is None:
        raise ArgumentError("takes a target where a loss is given, got none.")
    score: Callable[..., Any] = losses.by_name(loss) if isinstance(loss, str) else loss

    def placed(output: Any, target: Any) -> Any:
        with runtime.scope(LOSS):
            return score(output, target)

    def f(weights: Mapping[str, Any], x: Any, target: Any) -> Any:
        params, buffers = ({k: weights[k] for k in part} for part in (model.params, model.buffers))
        own = model.replace(params=params, buffers=buffers)
        return autograd.value_and_grad_params(own, placed, x, target)

    with model.precision():
        given = model.built.given(xs)
        x, target = (given[0] if len(given) == 1 else given), jax.tree.map(np.asarray, target)
        program = graph.capture(f, spec_of(x), spec_of(target), weights=model.state_dict())
    return bound(program, (x, target))


@dataclass(frozen=True)
class _Looked:
    """A graph without loops, all of its values, and what is said of them."""

    program: Graph
    values: Values
    numbers: Mapping[str, Numbers]
    forward: set[str] | None

    @staticmethod
    def at(program: Graph, values: Values, several: bool) -> _Looked:
        """Every value computed. Of several results the first is the loss: what it needs is forward,
        and the rest its gradient.
        """
        for node in program.nodes:
            given = node.row(*(values[name] for name in node.inputs), **node.attrs)
            values |= zip(node.outputs, results(given), strict=True)
        numbers = {name: Numbers.of(value) for name, value in values.items()}
        forward = needed(program.nodes, program.outputs[:1])[1] if several else None
        return _Looked(program, values, numbers, forward)

    @cached_property
    def makers(self) -> dict[str, Node]:
        """The node of each value that is computed."""
        return {name: node for node in self.program.nodes for name in node.outputs}

    def behind(self, outputs: Iterable[str]) -> list[str]:
        """What outputs depend on, in order. A constant is what the program means, and no fault."""
        nodes, live = needed(self.program.nodes, outputs)
        given = [*self.program.inputs, *self.program.arrays]
        held = [name for name in given if name in live and not is_constant(name)]
        return [*held, *(name for node in nodes for name in node.outputs)]

    def born(self, names: Iterable[str], wrong: Callable[[Numbers], bool]) -> str | None:
        """The first value with what is wrong that is given so, or made of others without it."""
        return next((n for n in names if wrong(self.numbers[n]) and not self._came(n, wrong)), None)

    def _came(self, name: str, wrong: Callable[[Numbers], bool]) -> bool:
        node = self.makers.get(name)
        return node is not None and any(wrong(self.numbers[i]) for i in node.inputs)

    def origin(self, name: str) -> Origin:
        """What is to be said of a value that is not finite."""
        node, array = self.makers.get(name), np.asarray(self.values[name]).astype(np.float64)
        entry = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        return Origin(
            value=name,
            op=node.op if node else "",
            layer=node.place if node else "",
            in_gradient=self.forward is not None and name not in self.forward,
            operands={i: self.numbers[i] for i in node.inputs} if node else {},
            result=self.numbers[name],
            entry=entry,
            there=float(array[entry]),
        )


def _explained(looked: _Looked) -> Explanation:
    bad = [name for name in looked.program.outputs if not looked.numbers[name].is_finite]
    if not bad:
        return Explanation(None)
    nan = looked.born(looked.behind(bad), lambda numbers: numbers.nan > 0)
    behind = looked.behind(bad if nan is None else [nan])
    first = looked.born(behind, lambda numbers: not numbers.is_finite) or nan or bad[0]
    later = None if nan in (None, first) else nan
    return Explanation(looked.origin(first), looked.origin(later) if later else None)


def _place(path: str) -> str:
    if path == LOSS:
        return "the loss"
    return f"layer {path}" if path else "the model"
