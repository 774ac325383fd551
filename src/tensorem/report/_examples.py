"""Outcomes on a page: the confusion matrix, targets against outputs, and the worst examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _draw
from ._outcomes import Outcomes
from ._table import table

COUNTED = 16
"""Up to as many classes the cells of the matrix hold their counts."""
NAMED = 12
"""About as many classes stand beside the matrix."""
SHOWN = 8
"""How many numbers of an input stand in a table."""
SIDE, TOP = 300, 8
BLUE = (58, 120, 214)
"""Of the matrix; the root of a share is how opaque it is, on white and on black."""


def outcomes(found: Outcomes) -> str:
    """What a model says of examples that it was not trained on."""
    drawing = _confusion(found) if found.classes else _scatter(found.pairs)
    beside = _mistakes(found) if found.classes else ""
    both = f'<div class="two">{drawing}<div class="scroll">{beside}</div></div>'
    return f"<h2>Unseen examples</h2>{both}<h3>Worst examples</h3>{_worst(found)}"


def _confusion(found: Outcomes) -> str:
    counts, names = found.confusion, found.classes
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    pixels = np.zeros((*counts.shape, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = BLUE, np.rint(255 * np.sqrt(shares))
    margin = 14 + 6 * max(len(_short(name)) for name in names)
    body = (
        f'<image class="pixels" x="{margin}" y="{TOP}" width="{SIDE}" height="{SIDE}" '
        f'preserveAspectRatio="none" href="{_draw.address(pixels)}"/>'
        f'<rect class="frame" x="{margin}" y="{TOP}" width="{SIDE}" height="{SIDE}"/>'
    )
    body += _names(names, margin)
    body += _counts(counts, shares, margin) if len(names) <= COUNTED else ""
    right, every = int(counts.trace()), int(counts.sum())
    told = f"{right} of {every} examples are on the diagonal"
    title = "confusion: rows are classes, columns what was said"
    drawing = _draw.svg(body, title, told, margin + SIDE + 2, TOP + SIDE + margin)
    return _draw.figure(title, "", f'{drawing}<p class="small">{told}</p>')


def _names(names: Sequence[str], margin: int) -> str:
    step, every = SIDE / len(names), -(-len(names) // NAMED)
    shapes = []
    for i in range(0, len(names), every):
        middle, name = (i + 0.5) * step, _short(names[i])
        x, y = margin + middle, TOP + SIDE + 12
        shapes.append(_draw.text(margin - 6, TOP + middle + 4, name, "end"))
        shapes.append(
            f'<text transform="translate({x:.1f} {y}) rotate(-45)" text-anchor="end">'
            f"{escape(name)}</text>"
        )
    return "".join(shapes)


def _short(name: str) -> str:
    return name if len(name) <= 10 else f"{name[:5]}…{name[-4:]}"


def _counts(counts: NDArray[np.int64], shares: NDArray[np.float64], margin: int) -> str:
    step = SIDE / len(counts)
    return "".join(
        _draw.text(
            margin + (j + 0.5) * step, TOP + (i + 0.5) * step + 4, str(counts[i, j]),
            kind="on" if shares[i, j] > 0.3 else "off",
        )
        for i, j in np.argwhere(counts)
    )  # fmt: skip


def _mistakes(found: Outcomes) -> str:
    """What is most often taken for something else."""
    wrong = found.confusion - np.diag(found.confusion.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:WORST_PAIRS]
    places = [divmod(int(place), len(wrong)) for place in order]
    rows = [
        (found.classes[i], found.classes[j], wrong[i, j], found.confusion[i].sum())
        for i, j in places
        if wrong[i, j]
    ]
    if not rows:
        return "<p>No example was said to be of another class.</p>"
    return table(("class", "said to be", "times", "of"), rows, numbers=2)


WORST_PAIRS = 10


def _scatter(pairs: NDArray[Any]) -> str:
    """Targets across, outputs up; on the line both are equal."""
    ends = _draw.ticks(float(pairs.min()), float(pairs.max()))
    low, high = ends[0], ends[-1]
    across = [
        _draw.LEFT + (_draw.WIDTH - _draw.LEFT) * (x - low) / (high - low) for x in pairs[:, 0]
    ]
    up = [_draw.y_of(y, low, high) for y in pairs[:, 1]]
    dots = "".join(
        f'<circle class="dot c0" cx="{x:.1f}" cy="{y:.2f}" r="2"/>'
        for x, y in zip(across, up, strict=True)
    )
    corners = (
        f'x1="{_draw.LEFT}" y1="{_draw.y_of(low, low, high)}" x2="{_draw.WIDTH}" y2="{_draw.TOP}"'
    )
    marks = "".join(
        _draw.text(
            _draw.LEFT + (_draw.WIDTH - _draw.LEFT) * (t - low) / (high - low), _draw.HEIGHT - 8,
            f"{t:.4g}",
        )
        for t in ends[:-1]
    )  # fmt: skip
    body = _draw.grid([(t, _draw.y_of(t, low, high)) for t in ends]) + marks
    title = "outputs (up) by targets (across)"
    told = f"{len(pairs)} points around the line on which both are equal"
    return _draw.figure(
        title, "", _draw.svg(f'{body}<line class="zero" {corners}/>{dots}', title, told)
    )


def _worst(found: Outcomes) -> str:
    pictures = [_draw.pixels(x) for x in found.inputs]
    told = [_told(found, i) for i in range(len(found.index))]
    if all(p is not None for p in pictures):
        shown = (
            f'<div class="case">{_draw.image(p, words)}<br>{escape(words)}</div>'
            for p, words in zip(pictures, told, strict=True)
            if p is not None
        )
        return f'<div class="cases">{"".join(shown)}</div>'
    rows = [(*_numbers(x), words) for x, words in zip(found.inputs, told, strict=True)]
    return f'<div class="scroll">{table((*_titles(found), ""), rows)}</div>'


def _told(found: Outcomes, i: int) -> str:
    target, said = found.targets[i], found.said[i]
    if found.classes:
        names = found.classes[int(target[0])], found.classes[int(said[0])]
        words = (
            f"{names[0]}, said to be {names[1]}" if names[0] != names[1] else f"{names[0]}, found"
        )
    else:
        words = f"{' '.join(_numbers(target))}, said to be {' '.join(_numbers(said))}"
    return f"test {found.index[i]}: {words} (loss {found.losses[i]:.3g})"


def _numbers(x: NDArray[Any]) -> Iterable[str]:
    values = [f"{v:.4g}" for v in x.ravel()[:SHOWN]]
    return values + ["…"] * (x.size > SHOWN)


def _titles(found: Outcomes) -> list[str]:
    size = int(np.prod(found.inputs.shape[1:]))
    names = found.columns if len(found.columns) == size else [f"x[{i}]" for i in range(size)]
    return [*names[:SHOWN], *["…"] * (size > SHOWN)]
