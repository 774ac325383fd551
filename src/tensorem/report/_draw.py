"""Pictures without a library: curves and bars as SVG, images as PNG."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 520, 200, 46, 26, 10


def curves(lines: Mapping[str, Sequence[float]], title: str) -> str:
    """Curves over the epochs 1, 2, ..., with an axis of round numbers."""
    shown = {name: values for name, values in lines.items() if len(values)}
    if not shown:
        return ""
    everything = [v for values in shown.values() for v in values if np.isfinite(v)] or [0.0]
    ticks = _ticks(min(everything), max(everything))
    count = max(map(len, shown.values()))
    paths = [
        _curve(values, name, i, ticks, count) for i, (name, values) in enumerate(shown.items())
    ]
    legend = _legend([(name, f"c{i}") for i, name in enumerate(shown)]) if len(shown) > 1 else ""
    body = _grid(ticks) + _epochs(count) + "".join(paths)
    return _figure(title, legend, _svg(body, title))


def bars(columns: Sequence[tuple[str, Sequence[tuple[str, str, int]]]], title: str) -> str:
    """Stacked bars: for each column its name and (name, class, height) from the bottom up."""
    total = max(sum(part[2] for part in parts) for _, parts in columns)
    step = (WIDTH - LEFT) / len(columns)
    shapes = [_grid(_ticks(0, total), total)]
    for i, (name, parts) in enumerate(columns):
        x, below = LEFT + (i + 0.2) * step, 0
        for part, kind, height in parts:
            y, tall = _y(below + height, 0, total), _y(0, 0, total) - _y(height, 0, total)
            tip = f"<title>{escape(f'{name}: {height} {part}')}</title>"
            shapes.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{0.6 * step:.1f}" '
                f'height="{tall:.1f}">{tip}</rect>'
            )
            below += height
        shapes.append(_text(LEFT + (i + 0.5) * step, HEIGHT - 8, name, "middle"))
    legend = _legend([(part, kind) for part, kind, _ in columns[0][1]])
    return _figure(title, legend, _svg("".join(shapes), title))


def image(values: np.ndarray[Any, Any], title: str) -> str:
    """A grey image, 0 black and 1 white, as an element of a page."""
    grey = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
    data = base64.b64encode(_png(grey)).decode()
    return f'<img alt="{escape(title)}" title="{escape(title)}" src="data:image/png;base64,{data}">'


def _png(grey: np.ndarray[Any, Any]) -> bytes:
    height, width = grey.shape
    rows = b"".join(b"\0" + row.tobytes() for row in grey)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """About four round numbers that reach around a range."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** np.floor(np.log10(span / 4))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if span / (power * m) <= 4)
    first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
    return [float(n * step) for n in np.arange(first, max(last, first + 1) + 1)]


def _y(value: float, low: float, high: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low))


def _x(i: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT - 8) * (i / max(count - 1, 1))


def _curve(values: Sequence[float], name: str, i: int, ticks: list[float], count: int) -> str:
    points = [
        f"{_x(k, count):.1f},{_y(v, ticks[0], ticks[-1]):.1f}"
        for k, v in enumerate(values)
        if np.isfinite(v)
    ]
    tip = f"<title>{escape(name)}: {values[-1]:.4g} at the end</title>"
    return f'<polyline class="line c{i}" points="{" ".join(points)}">{tip}</polyline>'


def _grid(ticks: list[float], top: float | None = None) -> str:
    low, high = ticks[0], top or ticks[-1]
    shapes = []
    for tick in ticks:
        if tick <= high:
            y = _y(tick, low, high)
            shapes.append(
                f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            shapes.append(_text(LEFT - 6, y + 4, f"{tick:.4g}", "end"))
    return "".join(shapes)


def _epochs(count: int) -> str:
    every = max(1, round(count / 5))
    marks = sorted({0, count - 1, *range(every - 1, count, every)})
    near = [k for k in marks if k == count - 1 or count - 1 - k >= every / 2]
    return "".join(_text(_x(k, count), HEIGHT - 8, str(k + 1), "middle") for k in near)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    return "".join(f'<span><i class="{kind}"></i>{escape(name)}</span>' for name, kind in entries)


def _svg(body: str, title: str) -> str:
    label = f'role="img" aria-label="{escape(title)}"'
    return f'<svg viewBox="0 0 {WIDTH + 12} {HEIGHT}" {label}>{body}</svg>'


def _figure(title: str, legend: str, drawing: str) -> str:
    return (
        f"<figure><figcaption><b>{escape(title)}</b>"
        f'<span class="legend">{legend}</span></figcaption>{drawing}</figure>'
    )
