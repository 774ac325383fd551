"""`tensorem runs`: all runs of a folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from . import _exit
from ._terminal import number, print_json, show, table


@dataclass(frozen=True)
class Runs:
    """List the runs of a folder: how far they came, and their last scores."""

    folder: tyro.conf.Positional[Path] = Path("runs")
    """A folder with runs in it."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import report

        found = report.runs(self.folder)
        if self.json:
            print_json([asdict(line) | {"path": str(line.path)} for line in found])
            return _exit.OK
        names = list(dict.fromkeys(name for line in found for name in line.scores))
        show(
            table(
                ("run", "model", "seed", "epochs", *names),
                [
                    (
                        line.path,
                        line.model,
                        line.seed,
                        f"{line.epochs}/{line.planned}",
                        *(number(line.scores.get(name)) for name in names),
                    )
                    for line in found
                ],
                len(names) + 2,
            )
        )
        return _exit.OK
