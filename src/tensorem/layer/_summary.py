"""The table of a model: path, layer, shape in, shape out, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from io import StringIO
from textwrap import wrap
from typing import TYPE_CHECKING

from tensorem.shapes import Size

from ._costs import short
from ._specs import Tree, text
from ._tree import Part, is_leaf

if TYPE_CHECKING:
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

HEAD = ("path", "layer", "in", "out", "parameters", "FLOPs", "bytes")
NUMBERS = HEAD.index("parameters")
LAYER = HEAD.index("layer")
GAP = 3
"""The blanks between two columns."""
SHORTEST = 16
"""The least that a table shows of a layer."""


@dataclass(frozen=True, eq=False)
class LayerInfo:
    """One layer of a model: where it stands, what goes in and out, and what it costs.

    Args:
        parameters: How many numbers it has itself that can be trained.
        trained: How many of them are not frozen.
        flops: The floating point operations of one evaluation, with those of the layers below it;
            those of all turns of a loop are of the layer that the loop calls. A contraction of m
            by k with k by n takes 2 m k n, all else one for each number.
        activations: The bytes of what the layers in it give that have none below them, each for
            its first call: about what a training step keeps.
    """

    path: str
    layer: Part
    takes: Tree
    gives: Tree
    parameters: int
    trained: int
    flops: Size
    activations: Size


def total(table: tuple[LayerInfo, ...]) -> int:
    """The number of parameters; those of a shared layer once."""
    seen: dict[int, int] = {id(info.layer): info.parameters for info in table}
    return sum(seen.values())


def _trained(table: tuple[LayerInfo, ...]) -> int:
    """The number of parameters that are not frozen."""
    seen: dict[int, int] = {id(info.layer): info.trained for info in reversed(table)}
    return sum(seen.values())


def _sums(table: tuple[LayerInfo, ...]) -> dict[str, str]:
    """The last lines: what there is in all, and where some is frozen how much is trained."""
    whole, moved = total(table), _trained(table)
    share = {"trained": f"{moved:,} ({moved / whole:.1%})"} if moved != whole else {}
    return {"total": f"{whole:,}", **share}


def cells(table: tuple[LayerInfo, ...]) -> Iterator[tuple[str, ...]]:
    """The texts of the table, a line per layer."""
    seen: set[int] = set()
    for info in table:
        count = "shared" if info.parameters and id(info.layer) in seen else _count(info)
        seen.add(id(info.layer))
        called = info.gives != () or info.takes != ()
        flow = (text(info.takes), text(info.gives)) if called else ("not called", "")
        costs = (short(info.flops), short(info.activations)) if called else ("", "")
        name = "  " * (info.path.count(".") + 1 if info.path else 0) + info.layer.label()
        yield info.path or "model", name, *flow, count, *costs


def _count(info: LayerInfo) -> str:
    if not info.parameters:
        return "0" if is_leaf(info.layer) else ""
    frozen = info.parameters - info.trained
    some = "" if frozen == info.parameters else f"{frozen:,} "
    return f"{info.parameters:,}" + (f" ({some}frozen)" if frozen else "")


def shown(table: tuple[LayerInfo, ...], width: int) -> RichTable | RichText:
    """What a terminal of this width shows: the table, with fewer columns, or a list."""
    for columns in (len(HEAD), NUMBERS + 1):
        wide, room = _room(table, width, columns)
        if room >= min(wide, SHORTEST):
            return _table(table, room, columns)
    return _listed(table, width)


def summary(table: tuple[LayerInfo, ...], width: int) -> str:
    """The same as plain text."""
    from rich.console import Console

    out = StringIO()
    Console(file=out, width=width, color_system=None, markup=False).print(shown(table, width))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _room(table: tuple[LayerInfo, ...], width: int, columns: int) -> tuple[int, int]:
    """The width that the longest layer takes, and the width that all other columns leave."""
    sums = ((name, "", "", "", count, "", "") for name, count in _sums(table).items())
    texts = list(zip(HEAD, *cells(table), *sums, strict=True))[:columns]
    widest = [max(map(len, column)) for column in texts]
    wide = widest.pop(LAYER)
    return wide, width - sum(widest) - GAP * len(widest)


def _table(table: tuple[LayerInfo, ...], room: int, columns: int) -> RichTable:
    """The table for a terminal; only what a layer says of itself is cut."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_footer=True)
    sums = _sums(table)
    made.add_column(HEAD[0], no_wrap=True, footer="\n".join(sums))
    for i, name in enumerate(HEAD[1:NUMBERS], 1):
        made.add_column(name, no_wrap=True, max_width=room if i == LAYER else None)
    made.add_column(HEAD[NUMBERS], no_wrap=True, justify="right", footer="\n".join(sums.values()))
    for name in HEAD[NUMBERS + 1 : columns]:
        made.add_column(name, no_wrap=True, justify="right")
    for line in cells(table):
        made.add_row(*line[:columns])
    return made


def _listed(table: tuple[LayerInfo, ...], width: int) -> RichText:
    """Each layer on a line, and below it its shapes and numbers, broken between words at most."""
    from rich.text import Text

    lines = []
    for path, name, takes, gives, count, *_ in cells(table):
        first = f"{path}  {name.lstrip()}"
        lines.append(first if len(first) <= width else f"{first[: width - 1]}…")
        flow = f"{takes} -> {gives}" if gives else takes
        numbers = [] if count in ("", "0") else [f"{count} parameters"]
        together = "  ".join([flow, *numbers])
        for said in [together] if len(together) + 2 <= width else [flow, *numbers]:
            lines += _wrapped(said, width)
    sums = (f"{name}  {count}" for name, count in _sums(table).items())
    return Text("\n".join([*lines, "", *sums]))


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
    foot = "".join(
        f'<tr><th colspan="{NUMBERS}">{name}</th><th>{count}</th></tr>'
        for name, count in _sums(table).items()
    )
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody><tfoot>{foot}</tfoot></table>"
    )


def _cell(value: str) -> str:
    indent = len(value) - len(value.lstrip())
    return "&nbsp;" * indent + escape(value.lstrip())
