"""report.html: one file that needs nothing else, and fetches nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from shlex import quote

import numpy as np

from tensorem import disk, nn, optim
from tensorem.errors import ArgumentError
from tensorem.graph import Graph
from tensorem.shapes import format_shape

from . import _draw
from ._curves import charts
from ._examples import outcomes
from ._gather import Counterexample, Facts
from ._robustness import Radius, Robustness
from ._style import STYLE
from ._table import table
from ._weights import histograms

DRAWN = 12
"""How many counterexamples are drawn."""


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
        outcomes(facts.outcomes) if facts.outcomes else "",
        histograms(facts.model),
        _proofs(facts),
        _files(facts),
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(facts.run.name)}</title><style>{STYLE}</style>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _title(facts: Facts) -> str:
    known = {name: value for name, value in facts.scores.items() if value is not None}
    scores = ", ".join(f"{name} {value:.4f}" for name, value in known.items())
    told = f"On examples that it was not trained on: {scores}." if scores else ""
    return f"<h1>{escape(facts.run.name)}</h1><p>A tensorem run. {escape(told)}</p>"


def _model(facts: Facts) -> str:
    model = facts.model
    shown = model._repr_html_() if isinstance(model, nn.Model) else _values(model.graph)
    return f'<h2>Model</h2><div class="scroll model">{shown}</div>'


def _values(graph: Graph) -> str:
    rows = [
        (name, node.op, format_shape(graph.specs[name].shape))
        for node in graph.nodes
        for name in node.outputs
    ]
    return table(("value", "op", "shape"), rows)


def _columns(facts: Facts) -> str:
    if facts.columns is None:
        return ""
    found = facts.columns
    targets = ", ".join(found.classes) or "numbers"
    rows = [("inputs", ", ".join(found.inputs)), (f"target {found.target}", targets)]
    return f'<h2>Table</h2><div class="scroll">{table(("", ""), rows)}</div>'


def _training(facts: Facts) -> str:
    drawn = charts(facts.history, facts.steps)
    plan = facts.config.get("plan", {})
    config = table(("", ""), [(name, _plain(value)) for name, value in plan.items()])
    shown = f'<h2>Training</h2><div class="charts">{"".join(drawn)}</div>' if drawn else ""
    return shown + (f'<h2>Config</h2><div class="config">{config}</div>' if plan else "")


def _plain(value: object) -> str:
    """A value of the plan; an optimizer as it is called, where it is one of ours."""
    if isinstance(value, dict):
        with suppress(ArgumentError):
            return repr(optim.from_json(value))
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
    return table(titles, rows, numbers=6)


def _cases(found: Sequence[Counterexample]) -> str:
    nearest = {case.test: case for case in reversed(found) if _draw.pixels(case.center) is not None}
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
    change = 0.5 + (case.point - case.center) / (2 * max(float(case.eps), 1e-9))
    pictures = (
        (case.center, f"input {case.test}, class {case.label}"),
        (case.point, f"counterexample, class {case.found}"),
        (np.clip(change, 0, 1), "difference"),
    )
    shown = (_draw.image(p, title) for x, title in pictures if (p := _draw.pixels(x)) is not None)
    told = f"test {case.test}, radius {case.eps}: {case.label} becomes {case.found}"
    return f'<div class="case">{"".join(shown)}<br>{escape(told)}</div>'


def _files(facts: Facts) -> str:
    rows = [(name, digest) for name, digest in facts.hashes.items()]
    command = f"tensorem {'check' if facts.certificates else 'show'} {quote(str(facts.run))}"
    told = f"certificates: {facts.certificates}; check again with " if facts.certificates else ""
    return (
        f'<h2>Files</h2><div class="scroll">{table(("file", "SHA-256"), rows)}</div>'
        f"<p>{told}<code>{escape(command)}</code></p>"
    )
