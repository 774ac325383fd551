"""The table of a model: path, layer, shape in, shape out, parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from io import StringIO
from textwrap import wrap
from typing import TYPE_CHECKING

from ._specs import Tree, text
from ._tree import Part, is_leaf

if TYPE_CHECKING:
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

HEAD = ("path", "layer", "in", "out", "parameters")
LAYER = HEAD.index("layer")
GAP = 3
"""The blanks between two columns."""
SHORTEST = 16
"""The least that a table shows of a layer."""


@dataclass(frozen=True, eq=False)
class LayerInfo:
    """One layer of a model: where it stands, what goes in and out, how many numbers it trains."""

    path: str
    layer: Part
    takes: Tree
    gives: Tree
    parameters: int


def total(table: tuple[LayerInfo, ...]) -> int:
    """The number of parameters; those of a shared layer once."""
    seen: dict[int, int] = {id(info.layer): info.parameters for info in table}
    return sum(seen.values())


def cells(table: tuple[LayerInfo, ...]) -> Iterator[tuple[str, ...]]:
    """The texts of the table, a line per layer."""
    seen: set[int] = set()
    for info in table:
        count = f"{info.parameters:,}" if info.parameters or is_leaf(info.layer) else ""
        count = "shared" if info.parameters and id(info.layer) in seen else count
        seen.add(id(info.layer))
        called = info.gives != () or info.takes != ()
        flow = (text(info.takes), text(info.gives)) if called else ("not called", "")
        name = "  " * (info.path.count(".") + 1 if info.path else 0) + info.layer.label()
        yield info.path or "model", name, *flow, count


def shown(table: tuple[LayerInfo, ...], width: int) -> RichTable | RichText:
    """What a terminal of this width shows: the table, or where it is too narrow a list."""
    wide, room = _room(table, width)
    return _listed(table, width) if room < min(wide, SHORTEST) else _table(table, room)


def summary(table: tuple[LayerInfo, ...], width: int) -> str:
    """The same as plain text."""
    from rich.console import Console

    out = StringIO()
    Console(file=out, width=width, color_system=None, markup=False).print(shown(table, width))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _room(table: tuple[LayerInfo, ...], width: int) -> tuple[int, int]:
    """The width that the longest layer takes, and the width that all other columns leave."""
    columns = zip(HEAD, *cells(table), ("total", "", "", "", f"{total(table):,}"), strict=True)
    widest = [max(map(len, column)) for column in columns]
    wide = widest.pop(LAYER)
    return wide, width - sum(widest) - GAP * len(widest)


def _table(table: tuple[LayerInfo, ...], room: int) -> RichTable:
    """The table for a terminal; only what a layer says of itself is cut."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_footer=True)
    for i, name in enumerate(HEAD[:-1]):
        cut = room if i == LAYER else None
        made.add_column(name, no_wrap=True, max_width=cut, footer="" if i else "total")
    made.add_column(HEAD[-1], no_wrap=True, justify="right", footer=f"{total(table):,}")
    for line in cells(table):
        made.add_row(*line)
    return made


def _listed(table: tuple[LayerInfo, ...], width: int) -> RichText:
    """Each layer on a line, and below it its shapes and numbers, broken between words at most."""
    from rich.text import Text

    lines = []
    for path, name, takes, gives, count in cells(table):
        first = f"{path}  {name.lstrip()}"
        lines.append(first if len(first) <= width else f"{first[: width - 1]}…")
        flow = f"{takes} -> {gives}" if gives else takes
        numbers = [] if count in ("", "0") else [f"{count} parameters"]
        together = "  ".join([flow, *numbers])
        for said in [together] if len(together) + 2 <= width else [flow, *numbers]:
            lines += _wrapped(said, width)
    return Text("\n".join([*lines, "", f"total  {total(table):,}"]))


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(
        text,
        width,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def html(table: tuple[LayerInfo, ...]) -> str:
    """The table for a notebook."""
    head = "".join(f"<th>{name}</th>" for name in HEAD)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(c)}</td>" for c in line) + "</tr>" for line in cells(table)
    )
    foot = f'<tr><th colspan="4">parameters in all</th><th>{total(table):,}</th></tr>'
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody><tfoot>{foot}</tfoot></table>"
    )


def _cell(value: str) -> str:
    indent = len(value) - len(value.lstrip())
    return "&nbsp;" * indent + escape(value.lstrip())
