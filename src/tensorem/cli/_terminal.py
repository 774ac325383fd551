"""Printing: for people in tables that fit the width, for programs as JSON."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


WIDE = 60
"""Columns from which on tables have air and titles stand beside their text."""

NARROW = 20
"""Columns that are always taken: in fewer a table would lose its cells."""


def note(text: str) -> None:
    """Say what a command made of its arguments, beside what it prints."""
    print(f"note: {text}", file=sys.stderr)


@contextmanager
def warnings_told() -> Iterator[None]:
    """Say what is warned of as notes, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        note(text)


def console() -> Console:
    """A console on standard output: as wide as it is, without colour where NO_COLOR is set."""
    from rich.console import Console

    found = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    found.width = max(found.width, NARROW)
    return found


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], numbers: int = 0) -> Table:
    """A table.

    Args:
        titles: One for each column.
        rows: The cells, printed as they are.
        numbers: How many columns from the right hold numbers.
    """
    from rich import box
    from rich.table import Table

    wide = console().width >= WIDE
    padding, edge = ((0, 1), True) if wide else ((0, 0), False)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=padding, show_edge=edge)
    for i, title in enumerate(titles):
        right = i >= len(titles) - numbers
        shown.add_column(title, justify="right" if right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*map(str, row))
    return shown


def show(item: object) -> None:
    """Print a table or anything else that rich knows, without space around it."""
    out = console()
    with out.capture() as captured:
        out.print(item)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    print("\n".join(lines).strip("\n"))


def step(title: str, text: str) -> None:
    """Print a step of a tour: beside its title what is said, below it where the width is small."""
    width = console().width
    indent = 10 if width >= WIDE else 2
    lines = [part for line in text.splitlines() for part in wrap(line, width - indent)]
    if indent == 2 and title:
        print(title)
        title = ""
    for line in lines:
        print(f"{title:<{indent}}{line}", flush=True)
        title = ""


def print_json(value: object) -> None:
    """One JSON document on standard output; JSON has no numbers that are not finite."""
    finite = json.loads(json.dumps(value), parse_constant=lambda name: None)
    print(json.dumps(finite, indent=1))
