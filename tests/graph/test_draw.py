"""Graphs as DOT, as SVG, and as a page: well formed, escaped, and of a size that stays usable."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import pytest

import tensorem as tm
from tensorem import graph, nn, report

NET = nn.Sequential(nn.Linear(4, 4), nn.Residual(nn.Sequential(nn.Linear(4, 4), nn.ReLU())))


@pytest.fixture(scope="module")
def captured() -> graph.Graph:
    return tm.capture(nn.build(NET, input=("N", 4)))


def test_a_box_for_each_op_or_for_each_layer(captured: graph.Graph) -> None:
    assert [b.title for b in graph.boxes(captured)] == [
        "x0",
        "linear",
        "linear",
        "relu",
        "add",
        "output",
    ]
    layers = graph.boxes(captured, 1)
    assert [(b.title, b.takes) for b in layers] == [
        ("x0", ()),
        ("0", (0,)),
        ("1", (1,)),
        ("output", (2,)),
    ]
    assert all(b.about == "(N, 4)" for b in layers)
    assert all(i < n for n, b in enumerate(graph.boxes(captured)) for i in b.takes)


def test_dot_has_an_edge_for_each_operand(captured: graph.Graph) -> None:
    dot = graph.to_dot(captured)
    edges = [line.strip() for line in dot.splitlines() if "->" in line]
    assert edges == ["n0 -> n1", "n1 -> n2", "n2 -> n3", "n1 -> n4", "n3 -> n4", "n4 -> n5"]


def test_the_svg_is_well_formed_and_its_boxes_lie_apart(captured: graph.Graph) -> None:
    root = ElementTree.fromstring(graph.to_svg(captured))
    rects = [r.attrib for r in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(rects) == 6
    tops = [float(r["y"]) for r in rects]
    assert all(b - a >= 40 for a, b in pairwise(tops))
    assert all(float(r["x"]) >= 0 for r in rects)
    assert all(float(r["x"]) + float(r["width"]) <= float(root.attrib["width"]) for r in rects)


def hostile() -> graph.Graph:
    """Names as a file may have them."""
    bad = '<script>"&\\n'
    node = graph.Node("relu", (bad,), ("y",), place='0.<b>"')
    return graph.Graph(
        (bad,), ("y",), (node,), {bad: tm.Spec((2,)), "y": tm.Spec((2,))}, {}, (bad,), "y"
    )


def test_names_are_escaped() -> None:
    whole = hostile()
    for text in (graph.to_svg(whole), report.graph_page(whole, "<i>")):
        assert "<script" not in text and '<b>"' not in text and "<i>" not in text
    ElementTree.fromstring(graph.to_svg(whole))
    assert '\\"' in graph.to_dot(whole) and graph.to_dot(whole).count("\n") == 7


def test_a_page_folds_by_layer(captured: graph.Graph) -> None:
    page = report.graph_page(captured, "net")
    assert page.count("<details") == page.count("</details>") == 5
    assert all(f"<summary>{p} <" in page for p in ("0", "1", "1.inner", "1.inner.0", "1.inner.1"))
    read = graph.from_json(graph.to_json(captured), captured.arrays)  # without its places
    assert "<summary>1.inner.0 <" in report.graph_page(read, "net")
    assert 'href="#n0"' in page and page.count('class="op"') == 4


def test_a_loop_is_one_box_and_its_body_is_folded_away() -> None:
    def f(x: Any) -> Any:
        return jax.lax.fori_loop(0, 3, lambda i, y: y * y, x)

    whole = tm.capture(f, (2,))
    assert "loop 3 times" in graph.to_dot(whole)
    assert "<summary>body</summary>" in report.graph_page(whole, "loop")


def test_a_thousand_ops_are_a_small_page_that_is_folded() -> None:
    nodes, specs, value = [], {"x": tm.Spec((2,))}, "x"
    for i in range(1000):
        nodes.append(graph.Node("relu", (value,), (f"y{i}",), place=f"{i // 100}.{i // 10 % 10}"))
        value = f"y{i}"
        specs[value] = tm.Spec((2,))
    whole = graph.Graph(("x",), (value,), tuple(nodes), specs, {}, ("x",), value)
    page = report.graph_page(whole, "deep")
    assert len(page) < 300_000 and "<details open" not in page
    assert page.count("<rect") == 12 and np.all([f">{i} <" in page for i in range(10)])
