"""Whose error it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from tensorem.errors import TensoremError

_IS_NAMED: ContextVar[bool] = ContextVar("is_named", default=False)


@contextmanager
def named(name: str | Callable[[], str]) -> Iterator[None]:
    """Put a name in front of errors raised inside whose message begins with `takes`.

    Args:
        name: The name, or what gives it once there is an error.

    Example:
        >>> from tensorem import rules
        >>> from tensorem.shapes import Spec
        >>> with named("F.linear"):
        ...     rules.linear(Spec((5, 128)), Spec((10, 127)))
        Traceback (most recent call last):
        tensorem.errors.ShapeError: F.linear takes (*batch, 127), got (5, 128).
          from: 127 is set by the weight (10, 127)
    """
    token = _IS_NAMED.set(True)
    try:
        yield
    except TensoremError as error:
        if not error.what.startswith("takes "):
            raise
        raise error.with_notes(owner=name if isinstance(name, str) else name()) from None
    finally:
        _IS_NAMED.reset(token)


@contextmanager
def unnamed() -> Iterator[None]:
    """Nobody outside has put a name: inside runs a layer, whose forward calls ops of its own."""
    token = _IS_NAMED.set(False)
    try:
        yield
    finally:
        _IS_NAMED.reset(token)


def unless_named(name: str) -> AbstractContextManager[None]:
    """As `named`, where nobody outside has put a name: an op is called by a function."""
    return nullcontext() if _IS_NAMED.get() else named(name)
