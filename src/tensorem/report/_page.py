"""report.html: one file that needs nothing else, and fetches nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from tensorem import disk, nn
from tensorem.shapes import format_shape

from . import _draw
from ._gather import Counterexample, Facts
from ._robustness import Radius, Robustness

DRAWN = 12
"""How many counterexamples are drawn."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #667085; --line: #e3e6ec; --paper: #fff;
  --blue: #2563c9; --sky: #8db4f0; --grey: #c3c9d4; --red: #c8413b; --amber: #d08a1d }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #2b3342;
  --paper: #12161f; --blue: #6ea3f5; --sky: #345b96; --grey: #4a5365; --red: #e5736d } }
body { max-width: 62rem; margin: 2.5rem auto; padding: 0 1.25rem; color: var(--ink);
  background: var(--paper); font: 15px/1.55 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.05rem; margin: 2.4rem 0 .6rem }
p, .soft { color: var(--soft) } .scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .28rem 1.1rem .28rem 0; border-bottom: 1px solid var(--line) }
th { font-weight: 600; color: var(--soft) }
td.n, th.n, tfoot th:last-child { text-align: right }
.model td:last-child, .model th:last-child { text-align: right; padding-right: 0 }
code { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
td.n, th.n { padding-right: .7rem }
.two td, .two th { padding-right: .45rem; font-size: 14px }
.two { display: flex; flex-wrap: wrap; gap: 1.5rem } .two > * { flex: 1 1 22rem; min-width: 0 }
figure { margin: 0 } figcaption { display: flex; justify-content: space-between; gap: 1rem }
svg { width: 100%; height: auto } svg text { font: 11px system-ui, sans-serif; fill: var(--soft) }
.grid { stroke: var(--line) } .line { fill: none; stroke-width: 2; stroke-linejoin: round }
.line.c0 { stroke: var(--blue) } .line.c1 { stroke: var(--amber) } .line.c2 { stroke: var(--red) }
i.c0, .ibp { fill: var(--blue); background: var(--blue) }
i.c1 { background: var(--amber) } i.c2 { background: var(--red) }
.crown { fill: var(--sky); background: var(--sky) }
.unknown { fill: var(--grey); background: var(--grey) }
.refuted { fill: var(--red); background: var(--red) }
.legend span { margin-left: .9rem; color: var(--soft); white-space: nowrap }
.legend i { display: inline-block; width: .7em; height: .7em; border-radius: 2px;
  margin-right: .35em }
.cases { display: flex; flex-wrap: wrap; gap: 1.4rem } .case { font-size: 13px }
.case img { width: 5.2rem; image-rendering: pixelated; border: 1px solid var(--line);
  margin-right: .3rem }
"""


def write(facts: Facts) -> Path:
    """Write report.html into the run folder, and return its path.

    Raises:
        FileError: It cannot be written.
    """
    path = disk.RunFiles(facts.run).report
    disk.write_whole(path, page(facts).encode(errors="replace"))  # a file name may be no text
    return path


def page(facts: Facts) -> str:
    """The report as HTML."""
    parts = (
        _title(facts),
        _model(facts),
        _columns(facts),
        _training(facts),
        _proofs(facts),
        _files(facts),
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(facts.run.name)}</title><style>{_STYLE}</style>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _title(facts: Facts) -> str:
    known = {name: value for name, value in facts.scores.items() if value is not None}
    scores = ", ".join(f"{name} {value:.4f}" for name, value in known.items())
    told = f"On examples that it was not trained on: {scores}." if scores else ""
    return f"<h1>{escape(facts.run.name)}</h1><p>A tensorem run. {escape(told)}</p>"


def _model(facts: Facts) -> str:
    if isinstance(facts.model, nn.Model):
        table = facts.model._repr_html_()
    else:
        specs = facts.model.graph.specs
        rows = [
            (name, node.op, format_shape(specs[name].shape))
            for node in facts.model.graph.nodes
            for name in node.outputs
        ]
        table = _table(("value", "op", "shape"), rows)
    return f'<h2>Model</h2><div class="scroll model">{table}</div>'


def _columns(facts: Facts) -> str:
    if facts.columns is None:
        return ""
    found = facts.columns
    targets = ", ".join(found.classes) or "numbers"
    rows = [("inputs", ", ".join(found.inputs)), (f"target {found.target}", targets)]
    return f'<h2>Table</h2><div class="scroll">{_table(("", ""), rows)}</div>'


def _training(facts: Facts) -> str:
    names = {name for row in facts.history for name, v in row.items() if isinstance(v, float)}
    charts = [_chart(facts, kind, names) for kind in ("loss", "accuracy")]
    plan = facts.config.get("plan", {})
    config = _table(("", ""), [(name, _plain(value)) for name, value in plan.items()])
    shown = f'<h2>Training</h2><div class="two">{"".join(charts)}</div>' if any(charts) else ""
    return shown + (f'<h2>Config</h2><div class="scroll">{config}</div>' if plan else "")


def _chart(facts: Facts, kind: str, names: set[str]) -> str:
    lines = {
        name: [row[name] for row in facts.history if isinstance(row.get(name), float)]
        for name in sorted(names)
        if name.split()[-1].endswith(kind)
    }
    return _draw.curves(lines, kind) if lines else ""


def _plain(value: object) -> str:
    if isinstance(value, dict) and value.keys() == {"name", "arguments"}:
        inner = ", ".join(f"{k}={_plain(v)}" for k, v in value["arguments"].items())
        return f"{value['name']}({inner})"
    return value if isinstance(value, str) else json.dumps(value)


def _proofs(facts: Facts) -> str:
    if facts.robustness is None:
        return _stale(facts)
    found = facts.robustness
    within = f", clipped to [{', '.join(found.clip)}]" if found.clip else ""
    told = f"L-infinity robustness of {found.count} inputs ({found.inputs}){within}."
    if found.half:
        told += f" Half of them are proved up to radius {found.half}."
    return (
        f"<h2>Robustness</h2><p>{escape(told)}</p>"
        f'<div class="two">{_draw.bars([_column(r) for r in found.radii], "inputs by radius")}'
        f'<div class="scroll">{_radii(found)}</div></div>{_cases(facts.counterexamples)}'
        f"{_stale(facts)}"
    )


def _stale(facts: Facts) -> str:
    return f"<h2>Stale</h2><p>{escape(told_stale(facts.stale))}</p>" if facts.stale else ""


def told_stale(stale: Sequence[str]) -> str:
    """What files about other weights are worth, in a sentence."""
    folder = disk.RunFiles(Path()).certificates.name
    inside = [path for path in stale if Path(path).parts[0] == folder]
    count = (f"{len(inside)} certificate{'s' * (len(inside) > 1)}",) if inside else ()
    names = ", ".join((*count, *(path for path in stale if path not in inside)))
    return (
        f"{names}: about other weights than model.safetensors, and not counted; prove again, "
        "or delete."
    )


def _column(r: Radius) -> tuple[str, list[tuple[str, str, int]]]:
    parts = [
        ("proved by intervals", "ibp", r.ibp),
        ("only by CROWN", "crown", r.crown - r.ibp),
        ("unknown", "unknown", r.unknown),
        ("refuted", "refuted", r.refuted),
    ]
    return r.eps, parts


def _radii(found: Robustness) -> str:
    titles = ("radius", "IBP", "CROWN", "refuted", "unknown", "checked", "replayed")
    rows = [
        (r.eps, r.ibp, r.crown, r.refuted, r.unknown, r.checked, r.replayed) for r in found.radii
    ]
    return _table(titles, rows, numbers=6)


def _cases(found: Sequence[Counterexample]) -> str:
    nearest = {case.test: case for case in reversed(found) if _is_image(case.center)}
    drawn = [nearest[test] for test in sorted(nearest)][:DRAWN]
    if not drawn:
        return ""
    told = (
        f"{len(drawn)} of {len(nearest)} inputs with one: the input, a counterexample at the "
        "smallest radius tried, and their difference (grey is none). Each holds in the runtime "
        "and in exact arithmetic."
    )
    cases = "".join(map(_case, drawn))
    return f'<h2>Counterexamples</h2><p>{told}</p><div class="cases">{cases}</div>'


def _case(case: Counterexample) -> str:
    center, point = (a.reshape(a.shape[-2:]) for a in (case.center, case.point))
    change = 0.5 + (point - center) / (2 * max(float(case.eps), 1e-9))
    pictures = (
        _draw.image(center, f"input {case.test}, class {case.label}"),
        _draw.image(point, f"counterexample, class {case.found}"),
        _draw.image(change, "difference"),
    )
    told = f"test {case.test}, radius {case.eps}: {case.label} becomes {case.found}"
    return f'<div class="case">{"".join(pictures)}<br>{escape(told)}</div>'


def _is_image(x: np.ndarray[Any, Any]) -> bool:
    return x.ndim >= 2 and min(x.shape[-2:]) > 1 and x.size == math.prod(x.shape[-2:])


def _files(facts: Facts) -> str:
    rows = [(name, digest) for name, digest in facts.hashes.items()]
    command = f"tensorem {'check' if facts.certificates else 'show'} {quote(str(facts.run))}"
    told = f"certificates: {facts.certificates}; check again with " if facts.certificates else ""
    return (
        f'<h2>Files</h2><div class="scroll">{_table(("file", "SHA-256"), rows)}</div>'
        f"<p>{told}<code>{escape(command)}</code></p>"
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]], numbers: int = 0) -> str:
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
