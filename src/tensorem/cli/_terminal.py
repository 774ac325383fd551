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
    from rich.text import Text


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


LEAST = 8
"""Columns that a text takes at least, in a table whose numbers are not broken."""


def table(
    titles: Sequence[str], rows: Iterable[Sequence[object]], numbers: int = 0
) -> Table | Text:
    """A table; where its numbers do not fit the width, each row as lines of titles and cells.

    Args:
        titles: One for each column.
        rows: The cells, printed as they are.
        numbers: How many columns from the right hold numbers.
    """
    from rich import box
    from rich.table import Table

    width, cells = console().width, [tuple(map(str, row)) for row in rows]
    wide, texts = width >= WIDE, len(titles) - numbers
    if numbers and _least([titles, *cells], texts, wide) > width:
        return _listed(titles, cells, width)
    padding, edge = ((0, 1), True) if wide else ((0, 0), False)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=padding, show_edge=edge)
    for i, title in enumerate(titles):
        right = i >= texts
        shown.add_column(title, justify="right" if right else "left", overflow="fold")
    for row in cells:
        shown.add_row(*row)
    return shown


def _least(lines: Sequence[Sequence[str]], texts: int, wide: bool) -> int:
    """The width in which no number is broken."""
    widest = [max(map(len, column)) for column in zip(*lines, strict=True)]
    widths = [min(w, LEAST) if i < texts else w for i, w in enumerate(widest)]
    return sum(widths) + (3 if wide else 1) * (len(widths) - 1)


def _listed(titles: Sequence[str], rows: Iterable[Sequence[str]], width: int) -> Text:
    """Each row as lines, broken between its cells."""
    from rich.text import Text

    lines: list[str] = []
    for row in rows:
        for i, (title, cell) in enumerate(zip(titles, row, strict=True)):
            told = f"{title} {cell}"
            if i and len(lines[-1]) + 2 + len(told) <= width:
                lines[-1] += f"  {told}"
            else:
                lines.append(told if i == 0 else f"  {told}")
    return Text("\n".join(lines))


def number(value: float | None) -> str:
    """A score as it stands in a table."""
    return "-" if value is None else f"{value:.4f}"


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
