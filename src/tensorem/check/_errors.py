"""The three ways in which a check ends early."""

from __future__ import annotations


class MalformedError(ValueError):
    """A file that is not what its format says: nothing can be concluded from it."""


class UnsupportedError(ValueError):
    """A well-formed file that asks for something this checker does not know."""


class RejectedError(Exception):
    """A claim that does not follow. Never leaves the checker: it becomes a `Result`."""
