"""`tensorem evaluate`: a saved model read in one of several arithmetics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tyro

from tensorem.errors import ArgumentError

from . import _exit
from ._flags import Place, RunFolder
from ._runs import require_run
from ._terminal import print_json, show, table


@dataclass(frozen=True)
class Evaluate:
    """Print what a saved model gives for inputs, in floats, exactly, or enclosed."""

    model: tyro.conf.Positional[RunFolder]
    """A run folder, or one written by tm.save."""

    input: Place = None
    """A .npy file of inputs, one per row."""

    dtype: str = "float32"
    """float32, float64, float16, bfloat16; rational (exact); interval, ball or ball[bits]."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        import tensorem as tm

        if self.input is None:
            raise ArgumentError("evaluate takes --input, a .npy file of inputs, got none.")
        model = tm.load(require_run(self.model))
        y = tm.evaluate(model, tm.data.read_npy(self.input), dtype=self.dtype)
        rows = list(_rows(y))
        if self.json:
            print_json({"dtype": self.dtype, "outputs": rows})
        else:
            cells = ((f"row {i}", "  ".join(map(str, row))) for i, row in enumerate(rows))
            show(table(("input", f"outputs, {self.dtype}"), cells))
        return _exit.OK


def _rows(y: Any) -> Iterator[list[Any]]:
    """What is said of each row: numbers, or texts of fractions, ends and balls."""
    import numpy as np

    texts = _texts(y)
    if texts.ndim == 0:
        texts = texts[None]
    for row in np.asarray(texts):
        yield np.ravel(row).tolist()


def _texts(y: Any) -> Any:
    import numpy as np

    from tensorem.domains import Ball, Interval, Rational

    if isinstance(y, Rational):
        return np.vectorize(str, [object])(y.fractions())
    if isinstance(y, Ball):
        return np.vectorize(y.text, [object])(y.values)
    if isinstance(y, Interval):
        return np.vectorize(lambda a, b: f"[{a:.17g}, {b:.17g}]", [object])(y.lower, y.upper)
    if isinstance(y, tuple | list | dict):
        raise ArgumentError("evaluate takes a model that gives one array, got one of several.")
    return np.asarray(y, np.float64)
