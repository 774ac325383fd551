"""Printing: for people in tables that fit the width, for programs as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def console() -> Console:
    """A console on standard output: as wide as it is, without colour where NO_COLOR is set."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], numbers: int = 0) -> Table:
    """A table.

    Args:
        titles: One for each column.
        rows: The cells, printed as they are.
        numbers: How many columns from the right hold numbers.
    """
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, title in enumerate(titles):
        right = i >= len(titles) - numbers
        shown.add_column(title, justify="right" if right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*map(str, row))
    return shown


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=1))
