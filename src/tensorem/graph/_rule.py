"""What a rule of capture may do, and how it writes sizes down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from tensorem.graph._graph import Node, size_attr
from tensorem.ops import Attr, Op
from tensorem.shapes import Spec

Known = np.ndarray[Any, Any]
"""Numbers; of dtype object where they are sizes, integers and polynomials in names."""


class Builder(Protocol):
    """A graph in the making: nodes and constants are added, specs and known values asked for."""

    def node(self, row: Op, *inputs: str, **attrs: Attr) -> str: ...
    def constant(self, array: np.ndarray) -> str: ...
    def spec(self, name: str) -> Spec: ...
    def known(self, name: str) -> Known | None: ...
    def maker(self, name: str) -> Node | None: ...


Translation = Callable[[Builder, list[str], dict[str, Any]], str | list[str] | None]
"""(builder, names of the operands, parameters of the equation) -> name of the result, several, or
None where the rule does not cover this equation."""


def ints(values: Iterable[object]) -> tuple[Any, ...]:
    """Sizes as attributes: integers, or symbolic sizes as text."""
    return tuple(map(size_attr, values))


def plain(value: object) -> Attr:
    """A parameter as an attribute; a symbolic size becomes text."""
    if isinstance(value, tuple | list):
        return tuple(plain(v) for v in value)
    if isinstance(value, np.integer):
        return int(value)
    return value if isinstance(value, int | float | str | bool) else str(value)
