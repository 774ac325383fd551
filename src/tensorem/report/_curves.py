"""What a run measured, as curves over its epochs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any, TypeGuard

import numpy as np

from tensorem.train import OF_STEPS, is_rate

from . import _draw

Row = Mapping[str, Any]
COLOURS = 6
RATE = "learning rate"
DECADES = 3
"""From as many powers of ten on, an axis is logarithmic."""


@dataclass(frozen=True)
class Line:
    """A curve.

    Args:
        name: What it is called.
        x: Epochs; a part of one where steps were logged.
        y: A value for each; NaN or infinite where there is none.
        kind: Its class in the page.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    kind: str = "c0"

    def finite(self) -> tuple[float, ...]:
        """The values that can be drawn."""
        return tuple(filter(math.isfinite, self.y))


def charts(history: Sequence[Row], steps: Sequence[Row]) -> list[str]:
    """A chart for each column with its validation, and one for all learning rates.

    Args:
        history: The rows of the epochs 1, 2, ...
        steps: The rows within them, if any were logged.
    """
    ends = [row.get("step") for row in history[:1]] + [row.get("step") for row in steps[-1:]]
    length = next(filter(_is_count, ends), 1)
    places = [(float(i), row) for i, row in enumerate(history, 1)]
    within = [(row["step"] / length, row) for row in steps if _is_count(row.get("step"))]
    names = dict.fromkeys(name for row in (*history, *steps) for name in row)
    found: dict[str, list[str]] = {}
    for name in names.keys() - {"epoch", "in_epoch", "step"}:
        title = RATE if is_rate(name) else name.removeprefix("val_")
        found.setdefault(title, []).append(name)
    last = (RATE, *OF_STEPS)  # how a run went, after what it gave
    order = sorted(found.items(), key=lambda item: (item[0] != "loss", item[0] in last, item[0]))
    return [curves(_lines(sorted(group), places, within), title) for title, group in order]


def _is_count(step: object) -> TypeGuard[float]:
    return isinstance(step, int | float) and math.isfinite(step) and step > 0


def _lines(
    names: Sequence[str], history: Sequence[tuple[float, Row]], steps: Sequence[tuple[float, Row]]
) -> list[Line]:
    """A line for each column; where steps were logged, they are its points."""
    lines = []
    for i, name in enumerate(names):
        rows = [r for r in steps if name in r[1]] or [r for r in history if name in r[1]]
        values = (row[name] for _, row in rows)
        y = tuple(math.nan if value is None else float(value) for value in values)
        lines.append(Line(name, tuple(x for x, _ in rows), y, f"c{i % COLOURS}"))
    return lines


def curves(lines: Sequence[Line], title: str) -> str:
    """Curves over the epochs, with an axis of round numbers.

    What is no finite number is left out and counted below; a point alone is a dot.
    """
    values = [v for line in lines for v in line.finite()]
    if not values:
        return _draw.figure(title, "", "<p>no value is a finite number</p>")
    axis, across = _Axis.of(values), _Span.of([x for line in lines for x in line.x])
    body = _draw.grid([(tick, axis.place(tick)) for tick in axis.ticks]) + across.marks()
    body += "".join(_drawn(line, axis, across) for line in lines)
    legend = [(f"{line.name} {_last(line)}", line.kind) for line in lines]
    drawing = _draw.svg(body, f"{title} by epoch", "; ".join(map(_told, lines)))
    return _draw.figure(title, _draw.legend(legend), drawing + _missing(lines) + axis.told())


@dataclass(frozen=True)
class _Axis:
    """What stands how high.

    Args:
        ticks: Round numbers around all values.
        log: Whether equal factors are equally far apart.
    """

    ticks: tuple[float, ...]
    log: bool

    @staticmethod
    def of(values: Sequence[float]) -> _Axis:
        low, high = min(values), max(values)
        if low == high:
            low, high = low - (abs(low) / 2 or 1), high + (abs(high) / 2 or 1)
        if low <= 0 or high < low * 10**DECADES:
            return _Axis(tuple(_draw.ticks(low, high)), False)
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        every = -(-(last - first) // 5)
        powers = range(first, last + every, every)
        return _Axis(tuple(10.0**power for power in powers), True)

    def place(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        if self.log:
            value, low, high = (math.log10(v) for v in (value, low, high))
        return _draw.y_of(value, low, high)

    def told(self) -> str:
        return '<p class="small">logarithmic axis</p>' if self.log else ""


@dataclass(frozen=True)
class _Span:
    """Epochs from left to right."""

    low: float
    high: float

    @staticmethod
    def of(xs: Sequence[float]) -> _Span:
        low, high = math.floor(min(xs)), max(xs)
        return _Span(low - 0.5, high + 0.5) if low == high else _Span(low, high)

    def place(self, x: float) -> float:
        room = _draw.WIDTH - _draw.LEFT - 8
        return _draw.LEFT + room * (x - self.low) / (self.high - self.low)

    def marks(self) -> str:
        """Whole epochs, about five of them."""
        span = max(self.high - self.low, 1)
        step = max(1, next(s for s in _round_steps() if span / s <= 5.5))
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        places = (step * i for i in range(first, last + 1))
        return "".join(_draw.text(self.place(x), _draw.HEIGHT - 8, f"{x:g}") for x in places)


def _round_steps() -> Iterator[int]:
    return (m * 10**power for power in range(12) for m in (1, 2, 5))


def _drawn(line: Line, axis: _Axis, across: _Span) -> str:
    tip = f"<title>{escape(_told(line))}</title>"
    kind = f"{line.kind} val" if line.name.startswith("val_") else line.kind
    points = list(zip(line.x, line.y, strict=True))
    parts = [list(part) for ok, part in groupby(points, lambda p: math.isfinite(p[1])) if ok]
    shapes = []
    for part in parts:
        places = [(across.place(x), axis.place(y)) for x, y in part]
        if len(places) == 1:
            x, y = places[0]
            shapes.append(
                f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="3">{tip}</circle>'
            )
        else:
            path = " ".join(f"{x:.1f},{y:.2f}" for x, y in places)
            shapes.append(f'<polyline class="line {kind}" points="{path}">{tip}</polyline>')
    return "".join(shapes)


def _last(line: Line) -> str:
    return f"{line.y[-1]:.4g}" if math.isfinite(line.y[-1]) else "-"


def _told(line: Line) -> str:
    """A curve in words."""
    found = [(y, x) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y)]
    if not found:
        return f"{line.name}: no finite number"
    (first, begin), (last, end) = found[0], found[-1]
    least, at = min(found)
    ends = f"from {first:.4g} in epoch {begin:.4g} to {last:.4g} in epoch {end:.4g}"
    return f"{line.name}: {ends}, least {least:.4g} in epoch {at:.4g}"


def _missing(lines: Sequence[Line]) -> str:
    told = [
        f"{count} of {len(line.y)} of {line.name}"
        for line in lines
        if (count := int(np.sum(~np.isfinite(line.y))))
    ]
    return f'<p class="small">no finite number: {escape(", ".join(told))}</p>' if told else ""
