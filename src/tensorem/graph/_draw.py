"""A graph as a picture: boxes for its ops, or for its layers, with shapes; as DOT and as SVG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from tensorem.graph._graph import Graph, Node
from tensorem.shapes import Spec, format_shape

HIGH, GAP, LETTER = 40, 34, 7.2
"""Of a box and between two rows; the width of a letter."""
LONGEST = 32
"""The letters of a line that a box shows."""

STYLE = (
    "svg.graph text{font:12px ui-monospace,monospace;text-anchor:middle;fill:#1c2330}"
    "svg.graph text.shape{fill:#667085;font-size:11px}"
    "svg.graph rect{fill:#f4f7fc;stroke:#8db4f0}svg.graph rect.end{fill:#fff;stroke:#c3c9d4}"
    "svg.graph path{fill:none;stroke:#98a2b3}"
)


@dataclass(frozen=True)
class Box:
    """A part of a picture.

    Args:
        title: An op, a layer, or the name of an input.
        about: The shape of what it gives.
        takes: The numbers of the boxes whose values it takes, all of them earlier ones.
        is_end: Whether it is an input or an output.
    """

    title: str
    about: str
    takes: tuple[int, ...] = ()
    is_end: bool = False


def boxes(graph: Graph, depth: int | None = None) -> list[Box]:
    """The boxes of a graph, in order: inputs, ops, outputs; weights belong to their ops.

    Args:
        depth: With a number, ops in a row that are of one layer are one box: for 1 of "0", for 2 of
            "0.inner". None for a box for each op.
    """
    made = [Box(name, _typed([graph.specs[name]]), is_end=True) for name in graph.inputs]
    owner = {name: i for i, name in enumerate(graph.inputs)}
    for title, nodes in _runs(graph, depth):
        takes = dict.fromkeys(owner[i] for node in nodes for i in node.inputs if i in owner)
        specs = [graph.specs[name] for name in nodes[-1].outputs]
        own = len(made)
        made.append(Box(title, _typed(specs), tuple(i for i in takes if i != own)))
        owner |= {name: own for node in nodes for name in node.outputs}
    ends = dict.fromkeys(owner[name] for name in graph.outputs if name in owner)
    specs = [graph.specs[name] for name in graph.outputs]
    return [*made, Box("output", _typed(specs), tuple(ends), is_end=True)]


def _runs(graph: Graph, depth: int | None) -> Iterable[tuple[str, list[Node]]]:
    """Titles and their nodes. What follows each other in the order of the graph has no cycles."""
    runs: list[tuple[str, list[Node]]] = []
    for node in graph.nodes:
        layer = ".".join(node.place.split(".")[:depth]) if depth is not None else ""
        if layer and runs and runs[-1][0] == layer:
            runs[-1][1].append(node)
        else:
            runs.append((layer or _title(node), [node]))
    return runs


def _title(node: Node) -> str:
    return node.op if node.body is None else f"loop {node.attrs['length']} times"


def _typed(specs: list[Spec]) -> str:
    return ", ".join(format_shape(spec.shape) for spec in specs)


def to_dot(graph: Graph, depth: int | None = None) -> str:
    """The picture in DOT, the language of Graphviz.

    Args:
        graph: What is drawn.
        depth: How many steps of a layer's path are told apart, as in "0.inner"; None draws all ops.

    Example:
        >>> from tensorem.graph import capture
        >>> print(to_dot(capture(lambda x: abs(x) * x, (3,))))
        digraph {
          node [shape=box, fontname=monospace]
          n0 [label="x0\\n(3,)", style=rounded]
          n1 [label="abs\\n(3,)"]
          n0 -> n1
          n2 [label="mul\\n(3,)"]
          n1 -> n2
          n0 -> n2
          n3 [label="output\\n(3,)", style=rounded]
          n2 -> n3
        }
    """
    lines = ["digraph {", "  node [shape=box, fontname=monospace]"]
    for i, box in enumerate(boxes(graph, depth)):
        style = ", style=rounded" if box.is_end else ""
        lines.append(f'  n{i} [label="{_quoted(box.title)}\\n{_quoted(box.about)}"{style}]')
        lines += [f"  n{j} -> n{i}" for j in box.takes]
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def to_svg(graph: Graph, depth: int | None = None) -> str:
    """The picture as SVG, with its own style: a file, or a part of a page.

    Args:
        graph: What is drawn.
        depth: As in `to_dot`.

    Example:
        >>> from tensorem.graph import capture
        >>> to_svg(capture(lambda x: abs(x) * x, (3,))).count("<rect")
        4
    """
    drawn = boxes(graph, depth)
    rows, row_of = _rows(drawn)
    across = max(sum(_wide(drawn[i]) + GAP for i in row) for row in rows)
    # A curve that passes boxes goes this far aside, of which a cubic reaches three quarters.
    aside = across / 2 / 0.75 + GAP / 2
    width = across + 2 * aside * 0.3 + 2 * GAP
    middle = {i: x for row in rows for i, x in _places(row, drawn, width)}
    place = {i: (x, row_of[i] * (HIGH + GAP) + GAP / 2) for i, x in middle.items()}
    edges = [(j, i) for i, box in enumerate(drawn) for j in box.takes]
    parts = [_edge(place[j], place[i], aside * (row_of[i] - row_of[j] > 1)) for j, i in edges]
    parts += [_drawn(box, *place[i]) for i, box in enumerate(drawn)]
    high = len(rows) * (HIGH + GAP)
    return (
        f'<svg class="graph" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {high}" '
        f'width="{width:.0f}" height="{high}"><style>{STYLE}</style>{"".join(parts)}</svg>'
    )


def _rows(drawn: list[Box]) -> tuple[list[list[int]], list[int]]:
    """Each box below all that it takes; within a row in the order of the graph."""
    row_of: list[int] = []
    for box in drawn:
        row_of.append(1 + max((row_of[i] for i in box.takes), default=-1))
    rows: list[list[int]] = [[] for _ in range(max(row_of) + 1)]
    for i, row in enumerate(row_of):
        rows[row].append(i)
    return rows, row_of


def _wide(box: Box) -> float:
    return LETTER * max(len(_cut(box.title)), len(_cut(box.about)), 6) + 16


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _places(row: list[int], drawn: list[Box], width: float) -> Iterable[tuple[int, float]]:
    """The middles of the boxes of a row, which stands in the middle."""
    left = (width - sum(_wide(drawn[i]) + GAP for i in row)) / 2
    for i in row:
        reach = _wide(drawn[i]) + GAP
        yield i, left + reach / 2
        left += reach


def _edge(start: tuple[float, float], end: tuple[float, float], aside: float) -> str:
    """From below a box to above another, straight or around what is between them."""
    (x, y), (u, v) = (start[0], start[1] + HIGH), end
    bend = min((v - y) / 2, 3 * GAP)
    swing = max(x, u) + aside if aside else None
    left, right = (x, u) if swing is None else (swing, swing)
    return (
        f'<path d="M{x:.1f} {y:.1f}C{left:.1f} {y + bend:.1f} '
        f'{right:.1f} {v - bend:.1f} {u:.1f} {v:.1f}"/>'
    )


def _drawn(box: Box, x: float, y: float) -> str:
    wide, kind = _wide(box), ' class="end" rx="9"' if box.is_end else ' rx="3"'
    return (
        f"<g><title>{escape(f'{box.title}: {box.about}')}</title>"
        f'<rect x="{x - wide / 2:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{HIGH}"{kind}/>'
        f'<text x="{x:.1f}" y="{y + 16:.1f}">{escape(_cut(box.title))}</text>'
        f'<text x="{x:.1f}" y="{y + 31:.1f}" class="shape">{escape(_cut(box.about))}</text></g>'
    )
