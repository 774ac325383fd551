"""`tensorem show`: a run printed, and its report written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from tensorem.errors import FileError

from . import _exit
from ._flags import RunFolder
from ._runs import require_run
from ._terminal import number, print_json, show, table

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from tensorem.report import Facts, Radius

SHOWN = ("loss", "epochs", "batch_size", "seed", "backend")


@dataclass(frozen=True)
class Show:
    """Print a run, and write its report.html."""

    folder: tyro.conf.Positional[RunFolder]
    """A run folder."""

    graph: bool = False
    """Write graph.html: the graph with its shapes, foldable by layer."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import report

        facts = report.gather(require_run(self.folder))
        page = _written(facts)
        if self.json:
            print_json({**facts.to_json(), "report": str(page) if isinstance(page, Path) else None})
        else:
            _print(facts)
        if isinstance(page, FileError):
            raise page
        drawn = report.write_graph(facts) if self.graph else None
        if not self.json:
            print(f"report: {page}")
            print(f"graph: {drawn}" if drawn else "", end="\n" if drawn else "")
        return _exit.OK


def _written(facts: Facts) -> Path | FileError:
    """The page, or why it cannot be written: what there is to see is printed all the same."""
    from tensorem import report

    try:
        return report.write(facts)
    except FileError as error:
        return error


def _print(facts: Facts) -> None:
    from tensorem import report

    show(facts.model)
    plan = facts.config.get("plan", {})
    print(", ".join(f"{name} {plan[name]}" for name in SHOWN if name in plan))
    if facts.history:
        show(_epochs(facts.history))
    else:
        print("no epoch is recorded")
    if facts.scores:
        print("test: " + "  ".join(f"{k} {number(v)}" for k, v in facts.scores.items()))
    if facts.robustness is not None:
        show(radii_table(facts.robustness.radii))
    print(f"certificates: {facts.certificates}")
    if facts.stale:
        print(f"stale: {report.told_stale(facts.stale)}")


def radii_table(radii: Sequence[Radius]) -> Table | Text:
    """The verdicts radius by radius."""
    titles = ("radius", "IBP", "CROWN", "refuted", "unknown", "checked")
    rows = [(r.eps, r.ibp, r.crown, r.refuted, r.unknown, r.checked) for r in radii]
    return table(titles, rows, numbers=5)


def _epochs(history: Sequence[dict[str, Any]]) -> Table | Text:
    names = [
        name
        for name in history[-1]
        if name not in ("epoch", "step") and name[:3] not in ("lr", "lr[")
    ]
    cells = ([row["epoch"], *(number(row.get(n)) for n in names)] for row in _some(history))
    return table(("epoch", *names), cells, len(names))


def _some(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most ten epochs, evenly spread, the last among them."""
    every = -(-len(history) // 10) or 1
    return [row for i, row in enumerate(history, 1) if i % every == 0 or i == len(history)]
