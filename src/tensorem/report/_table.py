"""Tables of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], numbers: int = 0) -> str:
    """A table.

    Args:
        titles: One for each column; no line of them where all are empty.
        rows: The cells.
        numbers: How many columns from the right hold numbers.
    """

    def line(cells: Sequence[object], tag: str) -> str:
        first = len(cells) - numbers
        inner = "".join(
            f"<{tag}{' class=n' if i >= first else ''}>{_cell(cell)}</{tag}>"
            for i, cell in enumerate(cells)
        )
        return f"<tr>{inner}</tr>"

    head = line(titles, "th") if any(titles) else ""
    return f"<table>{head}{''.join(line(row, 'td') for row in rows)}</table>"


def _cell(value: object) -> str:
    text = escape(str(value))
    return f"<code>{text}</code>" if len(text) == 64 and text.isalnum() else text
