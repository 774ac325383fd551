"""Comparisons, logic and choice."""

from __future__ import annotations

from typing import Any

from jax import lax

from tensorem.errors import DTypeError

from . import _specs
from ._derive import row

Array = Any


def _logic_shape(*xs: Any) -> Any:
    if any(x.dtype != "bool" for x in xs):
        raise DTypeError(f"takes bool operands, got {', '.join(x.dtype for x in xs)}.")
    return _specs.alike(*xs)


def _where_shape(mask: Any, x: Any, y: Any) -> Any:
    if mask.dtype != "bool":
        raise DTypeError(f"takes a bool mask, got {mask.dtype}.")
    _specs.require_equal(mask.shape, x.shape)
    return _specs.alike(x, y)


equal = row("equal", 2, _specs.predicate, lax.eq)
not_equal = row("not_equal", 2, _specs.predicate, lax.ne)
less = row("less", 2, _specs.predicate, lax.lt)
less_equal = row("less_equal", 2, _specs.predicate, lax.le)
greater = row("greater", 2, _specs.predicate, lax.gt)
greater_equal = row("greater_equal", 2, _specs.predicate, lax.ge)
logical_and = row("logical_and", 2, _logic_shape, lax.bitwise_and)
logical_or = row("logical_or", 2, _logic_shape, lax.bitwise_or)
logical_not = row("logical_not", 1, _logic_shape, lax.bitwise_not)
where = row("where", 3, _where_shape, lax.select)
