"""`tensorem diff`: where two runs differ first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import tyro

from . import _exit
from ._flags import RunFolder
from ._terminal import print_json, show, table

if TYPE_CHECKING:
    from tensorem.report import Difference, Entry

MOST = 12
"""Rows of a kind that are printed."""


@dataclass(frozen=True)
class Diff:
    """Say where two runs differ first; the exit code is 1 where their numbers do."""

    first: tyro.conf.Positional[RunFolder]
    """A run folder."""

    second: tyro.conf.Positional[RunFolder]
    """Another one."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import report

        found = report.difference(self.first, self.second)
        if self.json:
            print_json(found.to_json())
        else:
            _print(found)
        return _exit.OK if found.same else _exit.REFUTED


def _print(found: Difference) -> None:
    if found.config:
        _entries("config", found.config)
    if found.step is None:
        print(f"log: the same in {found.steps} common rows")
    else:
        _entries(f"log, first in step {found.step}", found.row)
    if found.tensors:
        rows = [(t.name, t.entries, t.told()) for t in found.tensors[:MOST]]
        show(table(("tensor", "entries", "apart by"), rows, numbers=2))
        print(f"{len(found.tensors)} tensors differ")
    else:
        print("checkpoint: the same bits")


def _entries(title: str, entries: tuple[Entry, ...]) -> None:
    show(table((title, "first", "second"), [(e.name, e.first, e.second) for e in entries[:MOST]]))
