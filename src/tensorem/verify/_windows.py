"""Rows that are one entry of an image each: through convolutions and poolings they see a window.

As long as that is a small part of an image, rows are kept on it alone, and the lines of a call are
drawn on the cut-out piece of its operand, by the call's own rule without padding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tensorem.ops._derive import Box, boxed

from ._calls import Known, Rest, Step, are_diagonal, of, through

Two = tuple[int, int]

FILLS: Mapping[str, float] = {"conv2d": 0.0, "avg_pool2d": 0.0, "max_pool2d": -1e30}
"""The ops whose entries see a window, and what a cell beyond the image is for them: no greatest."""
_NONE = ((0, 0), (0, 0))
LARGEST = 0.5
"""The share of an image that a window may be."""


@dataclass(frozen=True)
class Slide:
    """How the window of an entry before a call follows from its window after it.

    Args:
        operand: Which operand has it.
        start: The first entry of a window of one entry at 0.
        stride: How far that moves from one entry to the next.
        reach: How many entries it has.
        fill: What cells beyond the image are.
    """

    operand: int
    start: Two = (0, 0)
    stride: Two = (1, 1)
    reach: Two = (1, 1)
    fill: float = 0.0

    def size(self, size: Two) -> Two:
        """How many entries a window has before the call."""
        h, w = ((n - 1) * s + r for n, s, r in zip(size, self.stride, self.reach, strict=True))
        return h, w

    def at(self, at: Array) -> Array:
        """Where it begins there."""
        return at * np.array(self.stride) + np.array(self.start)


Path = list[tuple[Step, Slide]]
"""Calls, and how each moves windows."""


def seen(path: Path, value: int, places: Array, known: Known) -> tuple[Array, Rest]:
    """Rows of one entry of an image each, and their opposites, sent backward through windows.

    Returns:
        What they have come to, and the rows on the image that is reached.
    """
    shape = boxed(*of(known, (value,))).shape

    def one(place: Array) -> tuple[Array, Array, Array]:
        channel = jax.nn.one_hot(place // math.prod(shape[2:]), shape[1])[:, None, None]
        pixel = place % math.prod(shape[2:])
        at, rows = jnp.stack([pixel // shape[3], pixel % shape[3]]), jnp.stack([channel, -channel])
        total, rows = jnp.zeros(2, rows.dtype), rows[:, None]
        for step, slide in path:
            at = slide.at(at)
            term, rows = _through(step, slide, rows, at, known)
            total = total + term
        return total, rows, at

    total, rows, at = jax.vmap(one, out_axes=(1, 1, 0))(places)
    step, slide = path[-1]
    reached = step.operands[slide.operand]
    whole = jax.vmap(partial(_spread, boxed(*of(known, (reached,))).shape))
    both = jnp.concatenate([whole(rows[0], at), whole(rows[1], at)])
    return total.reshape(-1), {reached: both}


def path_of(steps: Iterable[Step], value: int, known: Known) -> Path:
    """The calls through which the windows of entries stay small, the last first."""
    path, size = Path(), (1, 1)
    for step in steps:
        if value not in step.results:
            continue
        slide = _slide(step, known)
        if slide is None:
            break
        value, size = step.operands[slide.operand], slide.size(size)
        height, width = boxed(*of(known, (value,))).shape[2:]
        if size[0] * size[1] > LARGEST * height * width:
            break
        path.append((step, slide))
    return path


def _slide(step: Step, known: Known) -> Slide | None:
    """How a call moves windows over its one operand that varies; None if it does not."""
    boxes, varying = of(known, step.operands), [i for i, v in enumerate(step.call.varies) if v]
    shape = boxed(boxes[varying[0]]).shape
    if len(varying) > 1 or len(step.results) > 1 or len(shape) != 4 or shape[0] != 1:
        return None
    if step.call.op.name not in FILLS:
        entrywise = are_diagonal(step.call.lines(*boxes))
        return Slide(varying[0]) if entrywise else None
    attrs: dict[str, Any] = dict(step.call.attrs)
    kernel = attrs["kernel_size"] if "kernel_size" in attrs else boxed(boxes[1]).shape[2:]
    spread = attrs.get("dilation", (1, 1))
    (top, _), (left, _) = attrs["padding"]
    height, width = (d * (k - 1) + 1 for d, k in zip(spread, kernel, strict=True))
    fill = FILLS[step.call.op.name]
    return Slide(0, (-top, -left), attrs["stride"], (height, width), fill)


def _through(step: Step, slide: Slide, rows: Array, at: Array, known: Known) -> tuple[Array, Array]:
    """A pair of rows on a window of the result, sent to the window before, that begins `at`."""
    boxes = of(known, step.operands)
    shape = boxed(boxes[slide.operand]).shape
    size = slide.size((rows.shape[-2], rows.shape[-1]))
    cut = [_cut(box, shape, at, size, slide.fill) for box in boxes]
    attrs = tuple((k, _NONE if k == "padding" else v) for k, v in step.call.attrs)
    [lines] = replace(step.call, attrs=attrs).lines(*cut)
    parts: list[Array | None] = [None] * len(boxes)
    total, part = through(rows, lines, parts), parts[slide.operand]
    if part is None:  # the lines are flat
        return total, jnp.zeros((2, *shape[:2], *size), rows.dtype)
    return total, jnp.where(_inside(shape, at, size), part, 0)


def _cut(box: Box, shape: tuple[int, ...], at: Array, size: Two, fill: float) -> Box:
    """The window of an image of this shape; other operands as they are."""
    if boxed(box).shape != shape:
        return box
    (h, w), start = size, at + np.array(size) - 1
    frame = [(0, 0, 0), (0, 0, 0), (h - 1, h - 1, 0), (w - 1, w - 1, 0)]

    def cut(x: Array) -> Array:
        framed = lax.pad(x, jnp.asarray(fill, x.dtype), frame)
        return lax.dynamic_slice(framed, (0, 0, start[0], start[1]), (*shape[:2], *size))

    return jax.tree.map(cut, box)  # type: ignore[no-any-return]


def _inside(shape: tuple[int, ...], at: Array, size: Two) -> Array:
    """Which entries of a window lie in the image."""
    y, x = (at[i] + jnp.arange(size[i]) for i in (0, 1))
    return ((y >= 0) & (y < shape[2]))[:, None] & ((x >= 0) & (x < shape[3]))


def _spread(shape: tuple[int, ...], rows: Array, at: Array) -> Array:
    """Rows on a window as rows on the image."""
    h, w = rows.shape[-2:]
    framed = jnp.zeros((*shape[:2], shape[2] + 2 * h - 2, shape[3] + 2 * w - 2), rows.dtype)
    framed = lax.dynamic_update_slice(framed, rows, (0, 0, at[0] + h - 1, at[1] + w - 1))
    return framed[:, :, h - 1 : h - 1 + shape[2], w - 1 : w - 1 + shape[3]]
