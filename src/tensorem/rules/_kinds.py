"""What an attribute of an op is: said by the annotations of the row's own shape rule."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NewType, TypeGuard, get_args, get_origin

from tensorem.errors import TensoremError
from tensorem.shapes import Poly, parse_size

DType = NewType("DType", str)
"""Annotates an attribute that names a dtype."""
Whole = NewType("Whole", tuple)  # type: ignore[type-arg]
"""Annotates an attribute that is the whole shape of the result; a graph writes it out."""


@dataclass(frozen=True, eq=False)
class Kind:
    """What an attribute can be.

    Args:
        takes: In words.
        fits: Whether a value is one.
    """

    takes: str
    fits: Callable[[object], bool]


def _is_integer(value: object) -> TypeGuard[int]:
    """Whether it is an integer of 64 bits, as every size and place is."""
    return type(value) is int and -(2**63) <= value < 2**63


def _is_number(value: object) -> bool:
    return _is_integer(value) or (isinstance(value, float) and math.isfinite(value))


def _is_size(value: object) -> bool:
    if not isinstance(value, str):
        return _is_integer(value)
    try:
        parse_size(value)
    except TensoremError:
        return False
    return True


def _is_length(value: object) -> bool:
    if isinstance(value, str):
        return _is_size(value) and isinstance(parse_size(value), Poly)
    return _is_integer(value) and value > 0


def _are_sizes(value: object) -> bool:
    return isinstance(value, tuple) and all(_is_size(v) or _are_sizes(v) for v in value)


INTEGER = Kind("an integer", _is_integer)
NUMBER = Kind("a finite number", _is_number)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
TEXT = Kind("a text", lambda value: isinstance(value, str))
DTYPE = Kind("the name of a dtype", lambda value: isinstance(value, str))
COUNT = Kind("an integer of at least 0", lambda value: _is_integer(value) and value >= 0)
LENGTH = Kind("an integer of at least 1, or a size with names", _is_length)
SIZES = Kind("a list of sizes", _are_sizes)
SHAPE = Kind("a list of sizes", _are_sizes)

_ANNOTATED: Mapping[Any, Kind] = {
    int: INTEGER,
    float: NUMBER,
    bool: FLAG,
    str: TEXT,
    DType: DTYPE,
    Whole: SHAPE,
}


def kinds(rule: Callable[..., Any]) -> dict[str, Kind]:
    """The attributes of a rule: its keyword-only parameters, by their annotations.

    A `Literal` is one of its texts; tuples, and what else is not in the list, are lists of sizes.

    Example:
        >>> def rule(x: Any, *, dim: int, approximate: Literal["none", "tanh"]) -> Any: ...
        >>> {name: kind.takes for name, kind in kinds(rule).items()}
        {'dim': 'an integer', 'approximate': "'none' or 'tanh'"}
    """
    parameters = inspect.signature(rule, eval_str=True).parameters.values()
    return {p.name: _kind(p) for p in parameters if p.kind is p.KEYWORD_ONLY}


def _kind(parameter: inspect.Parameter) -> Kind:
    told = parameter.annotation
    if told is parameter.empty:
        raise TypeError(
            f"An attribute says what it is by an annotation, `{parameter.name}` does not."
        )
    if get_origin(told) is Literal:
        values = get_args(told)
        return Kind(" or ".join(map(repr, values)), lambda value: value in values)
    return _ANNOTATED.get(told, SIZES)
