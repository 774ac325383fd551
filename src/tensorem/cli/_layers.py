"""`tensorem layers`: the table of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import _exit
from ._terminal import print_json, show, table

GROUPS = {
    "run": ("run", "eager", "resume"),
    "derivatives": ("grad", "jvp", "hvp", "vmap"),
    "graph": ("capture", "to_jax"),
    **{reading: (reading,) for reading in ("exact", "interval", "lines", "checker")},
}
"""Title of a column -> its meanings. What the ops of a layer decide is found; the rest every layer
does, and is tested to do: an example states what it does not."""


@dataclass(frozen=True)
class Layers:
    """Print the table of layers: which layer has which meaning."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        rows = dict(_rows())
        if self.json:
            print_json(rows)
        else:
            _print_table(rows)
        return _exit.OK


def _rows() -> Iterator[tuple[str, Mapping[str, str]]]:
    """For each layer what stands in the way of each meaning; "" where nothing does."""
    from tensorem import meanings, nn

    seen = set()
    for example in nn.examples.EXAMPLES:
        name = type(example.layer).__name__
        if name not in seen:
            seen.add(name)
            found = {**meanings.coverage(nn.build(example.layer, example.input)), **example.holes}
            yield name, {m: found.get(m, "") for group in GROUPS.values() for m in group}


def _print_table(rows: Mapping[str, Mapping[str, str]]) -> None:
    marks = (
        (name, *("-" if any(row[m] for m in group) else "yes" for group in GROUPS.values()))
        for name, row in rows.items()
    )
    show(table(("layer", *GROUPS), marks))
    holes = [(name, m, hole) for name, row in rows.items() for m, hole in row.items() if hole]
    print(f"{len(rows)} layers, {len(holes)} meanings that do not exist:")
    show(table(("layer", "meaning", "because"), holes))
