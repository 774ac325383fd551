"""The three ways in which a check ends early."""

from __future__ import annotations


class _ReasonedError(Exception):
    """Says why in one line of printable ASCII, whatever names the files chose."""

    def __init__(self, reason: str) -> None:
        super().__init__("".join(map(_plain, reason[:500])))


def _plain(c: str) -> str:
    return c if c.isascii() and c.isprintable() else c.encode("unicode_escape").decode()


class MalformedError(_ReasonedError, ValueError):
    """A file that is not what its format says: nothing can be concluded from it."""


class UnsupportedError(_ReasonedError, ValueError):
    """A well-formed file that asks for something this checker does not know."""


class RejectedError(_ReasonedError):
    """A claim that does not follow. Never leaves the checker: it becomes a `Result`."""
