"""Errors about shapes: whose they are, and what they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tensorem.errors import TensoremError


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
        notes = {
            "where": error.where,
            "source": error.source,
            "because": error.because,
            "help": error.help,
        }
        raise type(error)(f"{name} {error.what}", **notes) from None


_OF_DIMENSIONS = ("_DimExpr", "Symbolic dimension", "mod(", "floordiv(")


def needs_numbers(error: Exception) -> bool:
    """Whether an error of JAX says that a named size would have to be a number."""
    text = str(error)
    kind = type(error).__name__
    return kind == "InconclusiveDimensionOperation" or any(w in text for w in _OF_DIMENSIONS)
