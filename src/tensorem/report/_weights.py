"""The parameters of a model: how their numbers are spread."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem import nn
from tensorem.meanings import GraphModel

from . import _draw

BINS, WIDTH, HEIGHT = 32, 256, 56


def histograms(model: nn.Model | GraphModel) -> str:
    """A histogram for each parameter."""
    drawn = [_histogram(name, values) for name, values in _parameters(model)]
    return f'<h2>Parameters</h2><div class="cards">{"".join(drawn)}</div>' if drawn else ""


def _parameters(model: nn.Model | GraphModel) -> Iterator[tuple[str, NDArray[Any]]]:
    """The numbers of each; of a graph nothing says which of its arrays are trained."""
    arrays: Any = model.params if isinstance(model, nn.Model) else model.graph.arrays
    for name, array in arrays.items():
        found = np.asarray(array)
        if found.dtype.kind not in "biu" and found.size:
            yield name, found.astype(np.float64)


def _histogram(name: str, values: NDArray[np.float64]) -> str:
    finite = values[np.isfinite(values)]
    title = f"{name} {values.shape}"
    if not finite.size:
        return _draw.figure(title, "", "<p>no value is a finite number</p>")
    counts, edges = np.histogram(finite, BINS)
    told = (
        f"{finite.min():.4g} to {finite.max():.4g}, mean {finite.mean():.4g}, "
        f"standard deviation {finite.std():.4g}"
    )
    if finite.size < values.size:
        told += f"; {values.size - finite.size} of {values.size} no finite number"
    drawing = _draw.svg(_bins(counts) + _zero(edges), title, told, WIDTH, HEIGHT)
    return _draw.figure(title, "", f'{drawing}<p class="small">{escape(told)}</p>')


def _bins(counts: NDArray[np.int64]) -> str:
    wide = WIDTH / len(counts)
    tall = (HEIGHT - 2) * counts / counts.max()
    path = "".join(
        f"M{i * wide:.0f},{HEIGHT}v{-h:.2f}h{wide:.0f}v{h:.2f}z" for i, h in enumerate(tall) if h
    )
    return f'<path class="c0" d="{path}"/>'


def _zero(edges: NDArray[np.float64]) -> str:
    """Where 0 is, if it is in sight."""
    low, high = float(edges[0]), float(edges[-1])
    if not low < 0 < high:
        return ""
    x = WIDTH * -low / (high - low)
    return f'<line class="zero" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT}"/>'
