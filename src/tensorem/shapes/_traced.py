"""Sizes inside a trace of JAX: its dimensions as ours, and what its errors say of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from tensorem.errors import ShapeError, TensoremError

from ._equal import unequal
from ._shape import aligned
from ._size import UNKNOWN, Size, parse_size


def sizes(dims: Iterable[Any]) -> tuple[Size, ...]:
    """Dimensions as JAX has them, with the symbolic ones as polynomials."""
    return tuple(d if isinstance(d, int) else _parsed(str(d)) for d in dims)


@cache
def _parsed(dim: str) -> Size:
    try:
        return parse_size(dim)
    except TensoremError:
        return UNKNOWN  # such as floordiv(N, 2), which is no polynomial


_UNDECIDED = {
    r"Symbolic dimension comparison '(.*)' (\S+) '(.*)' is inconc": "whether {0} {1} {2}",
    r"the (?:start|stop) \((.*)\) must be resolved statically": "whether {0} is below 0",
    r"mod\(": "whether a division leaves a remainder",
    r"_DimExpr|Symbolic dimension|floordiv\(": "the number that it makes of a size",
}
"""What JAX says of a size with a name -> what the names would have to decide."""


def undecided(error: Exception) -> str:
    """In our words what a named size would have to be a number for; empty for any other error.

    Example:
        >>> undecided(ValueError("Symbolic dimension comparison 'H' > '3' is inconclusive."))
        'the names do not decide whether H > 3.'
    """
    reason = (str(error).splitlines() or [""])[0]
    for pattern, what in _UNDECIDED.items():
        if found := re.search(pattern, reason):
            return f"the names do not decide {what.format(*found.groups())}."
    is_other = type(error).__name__ == "InconclusiveDimensionOperation"
    return "the names do not decide a step of it." if is_other else ""


_OF_EQUALITY = ("for broadcasting", "to have the same shape", "Cannot concatenate")
_TUPLE = re.compile(r"\(([^()]*,[^()]*)\)")


def misfit(what: str, error: Exception) -> ShapeError | None:
    """In our words an error of JAX about shapes that must be equal; None for any other.

    Example:
        >>> print(misfit("f:", TypeError("Incompatible shapes for broadcasting: (M,), (3,).")))
        f: Incompatible shapes for broadcasting: (M,), (3,).
          help: in the input write 3 in place of M.
    """
    reason = (str(error).splitlines() or [""])[0]
    shapes = [shape for text in _TUPLE.findall(reason) if (shape := _read(text))]
    if len(shapes) < 2 or not any(words in reason for words in _OF_EQUALITY):
        return None
    pairs = [pair for shape in shapes[1:] for pair in aligned(shape, shapes[0])]
    return unequal(f"{what} {reason}", [pair for pair in pairs if 1 not in pair])


def _read(text: str) -> tuple[Size, ...]:
    """The sizes in a text such as `N, 3`; () if it is no shape."""
    return sizes(part.strip() for part in text.split(",") if part.strip())
