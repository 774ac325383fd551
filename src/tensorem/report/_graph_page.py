"""graph.html: the graph of a run, drawn and listed, foldable by layer; it fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path

from tensorem import disk
from tensorem.graph import Graph, Node, boxes, graph_of, is_constant, to_svg
from tensorem.shapes import format_shape

from ._gather import Facts

FEW = 60
"""Ops up to which all layers are unfolded at first, and all ops are drawn."""
DRAWN = 400
"""Boxes up to which there is a picture."""

_STYLE = """
body{max-width:70rem;margin:2rem auto;padding:0 1.2rem;font:15px/1.5 system-ui,sans-serif;
  color:#1c2330;background:#fff}
h1{font-size:1.4rem} p,.soft{color:#667085} .picture{overflow:auto;max-height:80vh;
  border:1px solid #e3e6ec;padding:.5rem} code,.op{font:13px/1.6 ui-monospace,monospace}
details{border-left:2px solid #8db4f0;margin:.25rem 0;padding-left:.8rem}
summary{cursor:pointer;font-weight:600} .op{padding:.1rem 0} .op:target{background:#fff3cd}
.op b{color:#2563c9} button{font:inherit}
"""
_FOLD = "document.querySelectorAll('details').forEach(d=>d.open={})"


def write_graph(facts: Facts) -> Path:
    """Write graph.html into the run folder, and return its path.

    Raises:
        FileError: It cannot be written.
    """
    path = disk.RunFiles(facts.run).graph_page
    text = graph_page(graph_of(facts.model), facts.run.name)
    disk.write_whole(path, text.encode(errors="replace"))
    return path


def graph_page(graph: Graph, name: str) -> str:
    """The page: a picture where there are not too many boxes, and every op under its layer.

    Example:
        >>> from tensorem.graph import capture
        >>> page = graph_page(capture(lambda x: abs(x) * x, (3,)), "<net>")
        >>> "&lt;net&gt;" in page, page.count('class="op"')
        (True, 2)
    """
    placed = replace(graph, nodes=tuple(map(_placed, graph.nodes)))
    count = len(graph.nodes)
    buttons = "".join(
        f'<button onclick="{_FOLD.format(value)}">{word}</button> '
        for word, value in (("unfold all", "true"), ("fold all", "false"))
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(name)}: graph</title><style>{_STYLE}</style>"
        f"<body><h1>{escape(name)}</h1><p>{count} ops; takes {escape(_inputs(graph))}.</p>"
        f"{_picture(placed)}<h2>Layers</h2><p>{buttons}</p>{''.join(_listed(placed))}</body></html>\n"
    )


def _placed(node: Node) -> Node:
    """A graph that was read from a file knows layers by the names of their weights alone."""
    held = [name for name in node.inputs if "." in name and not is_constant(name)]
    known = node.place or next((name.rpartition(".")[0] for name in held), "")
    return replace(node, place="" if node.inputs and known in node.inputs else known)


def _inputs(graph: Graph) -> str:
    return ", ".join(f"{name} {format_shape(graph.specs[name].shape)}" for name in graph.inputs)


def _picture(graph: Graph) -> str:
    """As deep as there are not too many boxes, or none."""
    depths = [None, 4, 3, 2, 1]
    most = [DRAWN if depth == 1 else FEW for depth in depths]
    fitting = (d for d, n in zip(depths, most, strict=True) if len(boxes(graph, d)) <= n)
    depth = next(fitting, 0)
    return "" if depth == 0 else f'<div class="picture">{to_svg(graph, depth)}</div>'


def _listed(graph: Graph) -> Iterator[str]:
    """Every op, in order, within the layers of its path."""
    ids = {name: f"n{i}" for i, node in enumerate(graph.nodes) for name in node.outputs}
    sizes = _ops_by_layer(graph)
    opened: list[str] = []
    for node in graph.nodes:
        path = node.place.split(".") if node.place else []
        kept = _common(opened, path)
        yield "</details>" * (len(opened) - kept)
        for depth in range(kept, len(path)):
            layer = ".".join(path[: depth + 1])
            state = " open" if len(graph.nodes) <= FEW else ""
            count = f"{sizes[layer]} op{'s' * (sizes[layer] != 1)}"
            told = f'{escape(layer)} <span class="soft">{count}</span>'
            yield f"<details{state}><summary>{told}</summary>"
        opened = path
        yield _line(graph, node, ids)
    yield "</details>" * len(opened)


def _ops_by_layer(graph: Graph) -> dict[str, int]:
    counts: dict[str, int] = {}
    for node in graph.nodes:
        steps = node.place.split(".")
        for depth in range(len(steps)):
            layer = ".".join(steps[: depth + 1])
            counts[layer] = counts.get(layer, 0) + 1
    return counts


def _common(first: list[str], second: list[str]) -> int:
    """How many steps two paths share."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))


def _line(graph: Graph, node: Node, ids: dict[str, str]) -> str:
    attrs = "".join(f", {key}={value}" for key, value in node.attrs.items())
    taken = ", ".join(_operand(graph, name, ids) for name in node.inputs)
    given = ", ".join(
        f"{escape(name)} <span class=soft>{escape(format_shape(graph.specs[name].shape))}</span>"
        for name in node.outputs
    )
    line = f"{given} = <b>{escape(node.op)}</b>({taken}{escape(attrs)})"
    inner = (
        ""
        if node.body is None
        else f"<details><summary>body</summary><pre>{escape(str(node.body))}</pre></details>"
    )
    return f'<div class="op" id="{ids[node.outputs[0]]}">{line}{inner}</div>'


def _operand(graph: Graph, name: str, ids: dict[str, str]) -> str:
    if name in ids:
        return f'<a href="#{ids[name]}">{escape(name)}</a>'
    return f"{escape(name)} <span class=soft>{escape(format_shape(graph.specs[name].shape))}</span>"
