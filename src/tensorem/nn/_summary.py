"""The table of a model: path, layer, shape in, shape out, parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any

from ._specs import text
from ._tree import is_leaf

HEAD = ("path", "layer", "in", "out", "parameters")


@dataclass(frozen=True, eq=False)
class Row:
    """One layer of a model: where it stands, what goes in and out, how many numbers it trains."""

    path: str
    layer: Any
    takes: Any
    gives: Any
    parameters: int


def total(rows: tuple[Row, ...]) -> int:
    """The number of parameters; those of a shared layer once."""
    seen: dict[int, int] = {id(row.layer): row.parameters for row in rows}
    return sum(seen.values())


def cells(rows: tuple[Row, ...]) -> Iterator[tuple[str, ...]]:
    """The texts of the table, a row per layer."""
    seen: set[int] = set()
    for row in rows:
        count = f"{row.parameters:,}" if row.parameters or is_leaf(row.layer) else ""
        count = "shared" if row.parameters and id(row.layer) in seen else count
        seen.add(id(row.layer))
        called = row.gives != () or row.takes != ()
        flow = (text(row.takes), text(row.gives)) if called else ("not called", "")
        name = "  " * (row.path.count(".") + 1 if row.path else 0) + row.layer.label()
        yield row.path or "model", name, *flow, count


def rich_table(rows: tuple[Row, ...]) -> Any:
    """The table for a terminal."""
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_footer=True)
    for name in HEAD[:-1]:
        shown.add_column(name, overflow="fold", footer="total" if name == HEAD[0] else "")
    shown.add_column(HEAD[-1], justify="right", min_width=len(HEAD[-1]), footer=f"{total(rows):,}")
    for line in cells(rows):
        shown.add_row(*line)
    return shown


def table(rows: tuple[Row, ...], width: int) -> str:
    """The table as plain text of at most this width."""
    from rich.console import Console

    out = StringIO()
    Console(file=out, width=width, color_system=None, markup=False).print(rich_table(rows))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def html(rows: tuple[Row, ...]) -> str:
    """The table for a notebook."""
    head = "".join(f"<th>{name}</th>" for name in HEAD)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(c)}</td>" for c in line) + "</tr>" for line in cells(rows)
    )
    foot = f'<tr><th colspan="4">parameters in all</th><th>{total(rows):,}</th></tr>'
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody><tfoot>{foot}</tfoot></table>"
    )


def _cell(value: str) -> str:
    indent = len(value) - len(value.lstrip())
    return "&nbsp;" * indent + escape(value.lstrip())
