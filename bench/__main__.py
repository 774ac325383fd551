"""`python -m bench [parts]`: measure, and print tables; `--help` lists the parts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from bench import tables
from bench.acas import widths
from bench.bounds import bounding
from bench.checker import checking
from bench.conditions import conditions
from bench.interleave import Comparison, compare
from bench.startup import startup
from bench.variants import variants
from bench.workloads import FAMILIES, FLOORS, kind_of

WORKLOADS = {kind: tuple(n for n in FLOORS if kind_of(n) == kind) for kind in FAMILIES}
PARTS = (*WORKLOADS, "startup", "acas", "bounds", "checker")


def main() -> int:
    """Measure what was asked for."""
    options = _options()
    found: dict[str, Any] = {}
    for part in options.parts or PARTS:
        for name, figures, table in _measured(part, options):
            found[name] = asdict(figures) if figures else None
            _show(table, options)
    if options.json:
        print(json.dumps({"conditions": conditions(), **found}, indent=1))
    else:
        print("; ".join(f"{name}: {value}" for name, value in conditions().items()))
    return 0


def _options() -> Any:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=40, help="slices of each variant")
    parser.add_argument("--seconds", type=float, default=0.1, help="length of a slice")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--markdown", action="store_true", help="print tables as markdown")
    options = parser.parse_args()
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if options.rounds < 2:
        parser.error("a spread takes at least 2 rounds")
    return options


def _measured(part: str, options: Any) -> Iterator[tuple[str, Any, tables.Table]]:
    if part in WORKLOADS:
        for work in WORKLOADS[part]:
            comparison = _compared(work, options)
            yield (
                work,
                comparison,
                tables.of_comparison(comparison, FAMILIES[part].what, FLOORS[work]),
            )
    elif part == "startup":
        seconds = startup(repetitions=2)
        yield part, seconds, tables.of_startup(seconds)
    elif part == "acas":
        found = widths()
        yield part, found, tables.of_widths(found)
    elif part == "bounds":
        for net in bounding():
            yield f"bounds, {net.net}", net, tables.of_bounding(net)
    else:
        times = checking()
        yield part, times, tables.of_checking(times)


def _compared(work: str, options: Any) -> Comparison:
    names = list(variants(kind_of(work)))
    return compare(work, names, options.rounds, options.seconds)


def _show(table: tables.Table, options: Any) -> None:
    if options.json:
        return
    if options.markdown:
        print(table.markdown())
        return
    from rich.console import Console
    from rich.table import Table as RichTable

    drawn = RichTable(*table.columns, title=table.title, caption=table.note, title_justify="left")
    for row in table.rows:
        drawn.add_row(*row)
    Console().print(drawn)


if __name__ == "__main__":
    sys.exit(main())
