"""What every layer of a model gives: shape, dtype and statistics, call by call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from jax.core import Tracer

from tensorem import nn
from tensorem.calls import called
from tensorem.errors import ArgumentError
from tensorem.layer import Call, Log
from tensorem.shapes import Spec, format_shape

from ._numbers import Numbers

HEAD = ("path", "layer", "out", "dtype", "min", "max", "mean", "std", "zeros", "not finite")


@dataclass(frozen=True)
class LayerOutput:
    """An array that a call of a layer gives.

    Args:
        path: Where the layer stands; "" is the model.
        layer: What it calls itself.
        spec: Shape and dtype.
        numbers: Statistics; None within a transform of JAX, where nobody knows values.
    """

    path: str
    layer: str
    spec: Spec
    numbers: Numbers | None

    def cells(self) -> tuple[str, ...]:
        """The line of the table."""
        head = (self.path or "model", self.layer, format_shape(self.spec.shape), self.spec.dtype)
        return (*head, *(("?",) * 6 if self.numbers is None else _told(self.numbers)))


def _told(numbers: Numbers) -> Iterator[str]:
    for value in (numbers.least, numbers.greatest, numbers.mean, numbers.std):
        yield f"{value:.4g}"
    yield f"{numbers.zeros / max(numbers.size, 1):.1%}"
    yield str(numbers.infinite + numbers.nan)


@dataclass(frozen=True)
class Trace:
    """What `trace` saw; printed, it is a table. Indexed by a path it gives its last line.

    Args:
        lines: One for each array that a call gave, in the order in which the calls ended.
    """

    lines: tuple[LayerOutput, ...]

    def __getitem__(self, path: str) -> LayerOutput:
        found = [line for line in self.lines if line.path == path]
        if not found:
            raise ArgumentError(
                f"A trace takes paths of layers that were called, got {path!r}.",
                help=f"one of {', '.join(sorted({repr(line.path) for line in self.lines}))}.",
            )
        return found[-1]

    def __str__(self) -> str:
        return aligned([HEAD, *(line.cells() for line in self.lines)], words=4)


def aligned(rows: Sequence[Sequence[str]], words: int) -> str:
    """Rows as a table: so many columns of words to the left, then numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths, words) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int], words: int) -> str:
    pairs = enumerate(zip(row, widths, strict=True))
    cells = (f"{c:<{w}}" if i < words else f"{c:>{w}}" for i, (c, w) in pairs)
    return "  ".join(cells).rstrip()


@called
def trace(model: nn.Model, *xs: Any) -> Trace:
    """Statistics of what every layer of a model gives for an input, in evaluation.

    Nothing is compiled, so that a loop is seen turn by turn; what runs within another transform of
    JAX, as in `nn.MapBatch` and `nn.Checkpoint`, has a line without numbers.

    Args:
        model: A model.
        xs: Its inputs.

    Raises:
        ArgumentError: It is no model: a graph has no layers.
        ShapeError: A shape is not that of the model's input.
        DTypeError: The dtype of an input does not hold the numbers.

    Example:
        >>> import numpy as np
        >>> model = nn.build(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), input=("N", 2), seed=1)
        >>> model = model.replace(params={"0.weight": np.eye(3, 2), "0.bias": np.zeros(3)})
        >>> print(trace(model, [[1, -2]]))
        path   layer           out     dtype    min  max     mean    std  zeros  not finite
        0      Linear(2 -> 3)  (1, 3)  float32   -2    1  -0.3333  1.247  33.3%           0
        1      ReLU            (1, 3)  float32    0    1   0.3333 0.4714  66.7%           0
        model  Sequential      (1, 3)  float32    0    1   0.3333 0.4714  66.7%           0
    """
    if not isinstance(model, nn.Model):
        raise ArgumentError(
            f"takes a model, got {type(model).__name__}.",
            help="tm.load(folder) gives a model where the file knows its layers.",
        )
    log = Log()
    with model.precision(), jax.disable_jit():
        given = model.built.given(xs)
        log.begin(given)
        model.layer.call((model.params, model.buffers), *given, ctx=nn.Context(log=log))
        values = {id(leaf): leaf for leaf in jax.tree.leaves(log.alive)}
        return Trace(tuple(line for call in log.calls for line in _lines(call, values)))


def _lines(call: Call, values: dict[int, Any]) -> Iterator[LayerOutput]:
    assert call.layer is not None
    for value in (values[i] for i in call.outputs):
        spec = Spec(tuple(value.shape), jax.numpy.result_type(value).name)
        known = not isinstance(value, Tracer)
        yield LayerOutput(call.path, call.layer.label(), spec, Numbers.of(value) if known else None)
