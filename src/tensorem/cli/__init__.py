"""The command line: one file per command, and nothing heavy is loaded before one runs."""

from __future__ import annotations

from collections.abc import Sequence

from ._leave import leave_at_once

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a console script exits with it.

    Args:
        arguments: Those of the process if not given; then its signals are ours as well.
    """
    if arguments is None:
        leave_at_once()
    from . import _main

    return _main.main(arguments)
