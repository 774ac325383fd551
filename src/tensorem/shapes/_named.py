"""Errors about shapes: whose they are, and where the names in them are set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tensorem.errors import TensoremError

from ._shape import Shape, format_shape, names_in


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put a name in front of errors raised inside whose message begins with `takes`.

    Example:
        >>> from tensorem.shapes import rules
        >>> with named("Linear(127 -> 10)"):
        ...     rules.linear((5, 128), 127, 10)
        Traceback (most recent call last):
        tensorem.errors.ShapeError: Linear(127 -> 10) takes (*batch, 127), got (5, 128).
          help: write nn.Linear(128, 10).
    """
    try:
        yield
    except TensoremError as error:
        if not error.what.startswith("takes "):
            raise
        raise error.with_notes(owner=name) from None


def set_by(names: Iterable[str], inputs: Iterable[tuple[str, Shape]]) -> str:
    """Which input sets which name.

    Example:
        >>> from tensorem.shapes import shape_of
        >>> set_by(["M", "N"], [("the input", shape_of(("N", "M", 3)))])
        'M and N are set by the input (N, M, 3)'
    """
    left, found = set(names), []
    for label, shape in inputs:
        here = sorted(left & names_in(shape))
        left -= set(here)
        if here:
            verb = "is" if len(here) == 1 else "are"
            found.append(f"{' and '.join(here)} {verb} set by {label} {format_shape(shape)}")
    return ", ".join(found)
