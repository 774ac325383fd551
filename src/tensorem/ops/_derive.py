"""Rows from facts."""

from __future__ import annotations

from typing import Any

from ._op import Op, Rule, Unsupported

LATER = Unsupported("not written yet")


def row(name: str, arity: int | tuple[int, ...] | None, shape: Rule, run: Rule, **rest: Any) -> Op:
    rest = {"exact": LATER, "interval": LATER, "lines": LATER} | rest
    return Op(name, arity, shape, run, **rest)
