"""`tensorem ops`: the table of operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from . import _exit
from ._terminal import print_json, show, table

Stated = Mapping[str, str]
Coverage = Mapping[str, Mapping[str, Stated]]


@dataclass(frozen=True)
class Ops:
    """Print the table of operations: which op has which meaning."""

    meaning: Literal["all", "shape", "run", "exact", "ball", "interval", "lines"] = "all"
    """Show one meaning alone: for each op where its rule comes from, or why there is none."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import ops

        meanings = ops.MEANINGS if self.meaning == "all" else (self.meaning,)
        rows = {name: {m: row[m] for m in meanings} for name, row in ops.coverage().items()}
        if self.json:
            print_json(rows)
        elif self.meaning == "all":
            _print_table(rows, meanings)
        else:
            told = ((name, _told(row[self.meaning])) for name, row in rows.items())
            show(table(("op", f"source of its {self.meaning} rule"), told))
        return _exit.OK


def _print_table(rows: Coverage, meanings: tuple[str, ...]) -> None:
    marks = ((name, *(_mark(row[m]) for m in meanings)) for name, row in rows.items())
    show(table(("op", *meanings), marks))
    cells = [(name, m, row[m].get("because")) for name, row in rows.items() for m in meanings]
    holes = [(name, m, because) for name, m, because in cells if because]
    print(f"{len(rows)} ops, {len(holes)} meanings that do not exist:")
    show(table(("op", "meaning", "because"), holes))


def _mark(stated: Stated) -> str:
    return "-" if "because" in stated else "yes"


def _told(stated: Stated) -> str:
    return f"none: {stated['because']}" if "because" in stated else stated["source"]
