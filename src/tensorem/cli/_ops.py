"""`tensorem ops`: the table of operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from . import _exit
from ._terminal import print_json, show, table


@dataclass(frozen=True)
class Ops:
    """Print the table of operations: which op has which meaning."""

    meaning: Literal["all", "shape", "run", "exact", "interval", "lines"] = "all"
    """Show one meaning alone: for each op whether it has it, or why not, and the source."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import ops

        rows = ops.coverage()
        if self.json:
            meanings = ops.MEANINGS if self.meaning == "all" else (self.meaning,)
            columns = (*meanings, "source")
            print_json({name: {c: row[c] for c in columns} for name, row in rows.items()})
        elif self.meaning == "all":
            _print_table(rows, ops.MEANINGS)
        else:
            shown = ((name, row[self.meaning], row["source"]) for name, row in rows.items())
            show(table(("op", self.meaning, "source"), shown))
        return _exit.OK


def _print_table(rows: dict[str, dict[str, str]], meanings: tuple[str, ...]) -> None:
    marks = ((name, *(_mark(row[m]) for m in meanings)) for name, row in rows.items())
    show(table(("op", *meanings), marks))
    holes = [(name, m, row[m]) for name, row in rows.items() for m in meanings if row[m] != "yes"]
    print(f"{len(rows)} ops, {len(holes)} meanings that do not exist:")
    show(table(("op", "meaning", "because"), holes))


def _mark(coverage: str) -> str:
    return "yes" if coverage == "yes" else "-"
