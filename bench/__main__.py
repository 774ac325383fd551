"""`python -m bench [parts]`: measure, and print tables; `--help` lists the parts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from bench import depth, exchange, first, fits, floors, generation, layers, tables
from bench.acas import widths
from bench.bounds import NETS, bounding
from bench.checker import checking
from bench.conditions import conditions
from bench.interleave import Comparison, compare
from bench.startup import startup
from bench.variants import absent, variants
from bench.workloads import FAMILIES, kind_of

WORKLOADS = {kind: tuple(n for n in floors.TRAINING if kind_of(n) == kind) for kind in FAMILIES}
Measured = Iterator[tuple[str, Any, tables.Table]]
"""(name, plain figures, table) of everything that a part measures."""


def main() -> int:
    """Measure what was asked for."""
    options = _options()
    found: dict[str, Any] = {}
    for part in options.parts or PARTS:
        for name, figures, table in PARTS[part](options):
            found[name] = figures
            _show(table, options)
    if options.json:
        print(json.dumps({"conditions": conditions(), **found}, indent=1))
    else:
        print("; ".join(f"{name}: {value}" for name, value in conditions().items()))
    for name in absent():
        print(f"{name} is not installed, and was not measured.", file=sys.stderr)
    return 0


def _options() -> Any:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=40, help="slices of each variant")
    parser.add_argument("--seconds", type=float, default=0.1, help="length of a slice")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="what has a word in its name")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--markdown", action="store_true", help="print tables as markdown")
    options = parser.parse_args()
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if options.rounds < 2:
        parser.error("a spread takes at least 2 rounds")
    return options


def _only(options: Any) -> Callable[[str], bool]:
    words = options.only or ("",)
    return lambda name: any(word in name for word in words)


def _training(kind: str) -> Callable[[Any], Measured]:
    def measured(options: Any) -> Measured:
        for work in WORKLOADS[kind]:
            [found] = _compared(work, {work: tuple(variants(kind))}, options)
            yield work, asdict(found), tables.of_training(found)

    return measured


def _compared(group: str, asked: Any, options: Any) -> Iterator[Comparison]:
    return compare(group, asked, options.rounds, options.seconds)


def _first(options: Any) -> Measured:
    works = filter(_only(options), floors.TRAINING)
    found = list(first.firsts(works))
    yield "first", [asdict(one) for one in found], tables.of_firsts(found)


def _depth(options: Any) -> Measured:
    found = list(depth.depths(_only(options)))
    yield "depth", found, tables.of_depths(found)


def _layers(options: Any) -> Measured:
    asked = dict(layers.asked(_only(options)))
    found = list(_compared("layers", asked, options))
    yield "layers", [asdict(one) for one in found], tables.of_layers(found)


def _fit(options: Any) -> Measured:
    for work, ways in fits.asked():
        if _only(options)(work):
            [found] = _compared(f"fit {work}", {work: ways}, options)
            yield f"fit, {work}", asdict(found), tables.of_fit(found, fits.AGAINST)


def _generate(options: Any) -> Measured:
    asked = dict(generation.asked(_only(options)))
    found = list(_compared("generation", asked, options))
    yield "generate", [asdict(one) for one in found], tables.of_generation(found)
    if _only(options)("tokenizing"):
        ratio = {"encode over tokenizers": generation.tokenizing(2)}
        title, wanted = "Tokenizing 10 MB", {"encode over tokenizers": floors.TOKENIZE}
        yield "tokenizing", ratio, tables.of_figures(title, ratio, wanted)


def _exchange(options: Any) -> Measured:
    found = dict(exchange.exchange(min(options.rounds, 15), _only(options)))
    title = "Other readings and files"
    yield "exchange", found, tables.of_figures(title, found, floors.EXCHANGE)


def _startup(_: Any) -> Measured:
    seconds = startup(repetitions=2)
    yield "startup", asdict(seconds), tables.of_startup(seconds)


def _acas(_: Any) -> Measured:
    found = widths()
    yield "acas", found and asdict(found), tables.of_widths(found)


def _bounds(options: Any) -> Measured:
    for net in bounding(filter(_only(options), NETS), min(options.rounds, 15)):
        yield f"bounds, {net.net}", asdict(net), tables.of_bounding(net)


def _checker(_: Any) -> Measured:
    times = checking()
    yield "checker", asdict(times), tables.of_checking(times)


PARTS: dict[str, Callable[[Any], Measured]] = {
    **{kind: _training(kind) for kind in WORKLOADS if WORKLOADS[kind]},
    "first": _first,
    "depth": _depth,
    "layers": _layers,
    "fit": _fit,
    "generate": _generate,
    "exchange": _exchange,
    "startup": _startup,
    "acas": _acas,
    "bounds": _bounds,
    "checker": _checker,
}


def _show(table: tables.Table, options: Any) -> None:
    if options.json:
        return
    if options.markdown:
        print(table.markdown(), flush=True)
        return
    from rich.console import Console
    from rich.table import Table as RichTable

    drawn = RichTable(*table.columns, title=table.title, caption=table.note, title_justify="left")
    for row in table.rows:
        drawn.add_row(*row)
    Console().print(drawn)


if __name__ == "__main__":
    sys.exit(main())
