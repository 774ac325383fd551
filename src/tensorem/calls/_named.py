"""Whose error it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tensorem.errors import TensoremError


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put a name in front of errors raised inside whose message begins with `takes`.

    Example:
        >>> from tensorem import rules
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
