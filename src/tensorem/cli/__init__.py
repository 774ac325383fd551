"""The command line: one file per command, and nothing heavy is loaded before one runs."""

from ._main import main as main

__all__ = ["main"]
