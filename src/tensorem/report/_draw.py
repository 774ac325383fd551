"""Pictures without a library: the frame of a drawing as SVG, axes, bars, images as PNG."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 400, 210, 48, 26, 10


def bars(columns: Sequence[tuple[str, Sequence[tuple[str, str, int]]]], title: str) -> str:
    """Stacked bars: for each column its name and (name, class, height) from the bottom up."""
    total = max(sum(part[2] for part in parts) for _, parts in columns)
    step = (WIDTH - LEFT) / len(columns)
    shapes = [grid([(t, y_of(t, 0, total)) for t in ticks(0, total) if t <= total])]
    for i, (name, parts) in enumerate(columns):
        x, below = LEFT + (i + 0.2) * step, 0
        for part, kind, height in parts:
            y, tall = y_of(below + height, 0, total), y_of(0, 0, total) - y_of(height, 0, total)
            tip = f"<title>{escape(f'{name}: {height} {part}')}</title>"
            shapes.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{0.6 * step:.1f}" '
                f'height="{tall:.1f}">{tip}</rect>'
            )
            below += height
        shapes.append(text(LEFT + (i + 0.5) * step, HEIGHT - 8, name))
    told = "; ".join(
        f"{name}: {', '.join(f'{n} {p}' for p, _, n in parts)}" for name, parts in columns
    )
    named = legend([(part, kind) for part, kind, _ in columns[0][1]])
    return figure(title, named, svg("".join(shapes), title, told))


def image(pixels: NDArray[np.uint8], title: str) -> str:
    """Pixels as an element of a page."""
    return f'<img alt="{escape(title)}" title="{escape(title)}" src="{address(pixels)}">'


def address(pixels: NDArray[np.uint8]) -> str:
    """Pixels as an address that holds them all."""
    return f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"


def pixels(x: NDArray[Any]) -> NDArray[np.uint8] | None:
    """An example as a picture: (height, width) or (3, height, width), behind axes of size 1.

    Values from 0 to 1 are black to white; others are spread over what there is.
    """
    while x.ndim > 2 and x.shape[0] == 1:
        x = x[0]
    if min(x.shape[-2:], default=0) < 2 or not (x.ndim == 2 or x.shape[:-2] == (3,)):
        return None
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 1.0)
    low, high = (0.0, 1.0) if (low, high) == (0, 1) else (float(x.min()), float(x.max()))
    shown = np.rint(255 * (x.astype(np.float64) - low) / ((high - low) or 1.0)).astype(np.uint8)
    return shown if x.ndim == 2 else np.moveaxis(shown, 0, -1)


_COLOURS = {1: 0, 3: 2, 4: 6}
"""Channels to the number of their kind in a PNG file: grey, RGB, RGB with opacity."""


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of pixels (height, width) or (height, width, channels)."""
    height, width, channels = (*pixels.shape, 1)[:3]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def ticks(low: float, high: float) -> list[float]:
    """About four round numbers that reach around a range."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** np.floor(np.log10(span / 4))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if span / (power * m) <= 4)
    first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
    return [float(n * step) for n in np.arange(first, max(last, first + 1) + 1)]


def y_of(value: float, low: float, high: float) -> float:
    """The height of a value on an axis, from the top."""
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low))


def grid(places: Sequence[tuple[float, float]]) -> str:
    """Lines across a drawing, each with its number: (number, height)."""
    return "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        + text(LEFT - 6, y + 4, f"{number:.4g}", "end")
        for number, y in places
    )


def text(x: float, y: float, text: str, anchor: str = "middle", kind: str = "") -> str:
    """A text in a drawing."""
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Names with their colours: (name, class)."""
    return "".join(f'<span><i class="{kind}"></i>{escape(name)}</span>' for name, kind in entries)


def svg(body: str, title: str, told: str, width: int = WIDTH + 12, height: int = HEIGHT) -> str:
    """A drawing with its name and what it shows in words."""
    said = f"<title>{escape(title)}</title><desc>{escape(told)}</desc>"
    return f'<svg viewBox="0 0 {width} {height}" role="img">{said}{body}</svg>'


def figure(title: str, legend: str, drawing: str) -> str:
    """A drawing under its title."""
    return (
        f"<figure><figcaption><b>{escape(title)}</b>"
        f'<span class="legend">{legend}</span></figcaption>{drawing}</figure>'
    )
