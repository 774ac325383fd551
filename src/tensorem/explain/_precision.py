"""How many bits a run loses, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from tensorem import nn
from tensorem.calls import among, called
from tensorem.errors import ArgumentError, LayerError
from tensorem.meanings import capture, evaluate

from ._trace import aligned

BITS = {"float32": 24, "float16": 11, "bfloat16": 8}
"""Of the mantissa of each dtype, the leading one counted."""
HEAD = ("path", "layer", "error", "bits", "lost here")


@dataclass(frozen=True)
class LayerPrecision:
    """How exact the output of a layer is in a run.

    Args:
        path: Where the layer stands; "" is the model.
        layer: What it calls itself.
        error: The largest difference to float64, over the largest number that the layer gives.
        bits: How many leading bits are right, 0 to those of the dtype.
        lost: How many fewer than in the least exact of the outputs before; 0 where not fewer.
    """

    path: str
    layer: str
    error: float
    bits: float
    lost: float

    def cells(self) -> tuple[str, ...]:
        """The line of the table."""
        numbers = (f"{self.error:.2g}", f"{self.bits:.1f}", f"{self.lost:.1f}")
        return (self.path or "model", self.layer, *numbers)


@dataclass(frozen=True)
class PrecisionReport:
    """What `precision_report` measured; printed, it is a table.

    Args:
        dtype: In which the model ran.
        lines: One for each layer, in the order of the model's table.
    """

    dtype: str
    lines: tuple[LayerPrecision, ...]

    @property
    def worst(self) -> LayerPrecision:
        """The layer that loses most: the first to keep in a longer dtype."""
        return max(self.lines, key=lambda line: line.lost)

    def __str__(self) -> str:
        return aligned([HEAD, *(line.cells() for line in self.lines)], words=2)


@called
def precision_report(model: nn.Model, *xs: Any, dtype: str = "float32") -> PrecisionReport:
    """How exact every layer's output is in a dtype, held against the same model in float64.

    What is measured is one run on these inputs, and no bound: "interval" and "ball" in
    `tm.evaluate` give bounds. A layer that runs within a transform of JAX has no line.

    Args:
        model: A model of float32.
        xs: Its inputs.
        dtype: "float32", "float16" or "bfloat16".

    Raises:
        ArgumentError: It is no model, or there is no such dtype.
        ShapeError: A shape is not that of the model's input.
        DTypeError: The dtype does not hold an input or a weight.

    Example:
        >>> layer = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
        >>> model = nn.build(layer, input=("N", 8))
        >>> report = precision_report(model, np.ones((1, 8), np.float32), dtype="bfloat16")
        >>> [line.path for line in report.lines], report.lines[-1].bits > 3
        (['0', '1', '2', ''], True)
    """
    if not isinstance(model, nn.Model):
        raise ArgumentError(f"takes a model, got {type(model).__name__}.")
    among("dtype", dtype, tuple(BITS))
    paths = _seen(model, [info.path for info in model.table if info.path])
    watched = capture(model.with_outputs(*paths))
    narrow, wide = (evaluate(watched, *xs, dtype=kind) for kind in (dtype, "float64"))
    layers = {info.path: info.layer.label() for info in model.table}
    lines: list[LayerPrecision] = []
    for path, near, true in _outputs(narrow, wide, paths):
        error = _error(near, true)
        bits = min(max(-math.log2(error), 0.0) if error else BITS[dtype], float(BITS[dtype]))
        before = min((line.bits for line in lines), default=float(BITS[dtype]))
        lost = max(before - bits, 0.0)
        lines.append(LayerPrecision(path, layers[path], error, bits, lost))
    return PrecisionReport(dtype, tuple(lines))


def _seen(model: nn.Model, paths: list[str]) -> list[str]:
    """The layers whose outputs can be looked at: those that are called, and in no transform."""
    try:
        model.with_outputs(*paths)
    except LayerError:
        half = len(paths) // 2
        return [] if not half else _seen(model, paths[:half]) + _seen(model, paths[half:])
    return paths


def _outputs(narrow: Any, wide: Any, paths: Sequence[str]) -> list[tuple[str, Any, Any]]:
    """Path, output and true output of each layer, then of the model."""
    (y, inner), (true_y, true_inner) = narrow, wide
    return [*((path, inner[path], true_inner[path]) for path in paths), ("", y, true_y)]


def _error(near: Any, true: Any) -> float:
    """The largest difference over the largest number; infinite where one is not finite."""
    pairs = zip(jax.tree.leaves(near), jax.tree.leaves(true), strict=True)
    both = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in pairs]
    size = max((float(abs(b).max(initial=0)) for _, b in both), default=0.0)
    off = max((float(abs(a - b).max(initial=0)) for a, b in both), default=0.0)
    if not math.isfinite(off):
        return math.inf
    return off / size if size else 0.0 if off == 0 else math.inf
