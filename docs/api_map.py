"""The page docs/api.md: for every name of the original's API page, where it is here.

Run: python docs/api_map.py

It is written from api_names.txt, where a line of a group is `names | home | check or remark`. A
home is an expression in the rooms of tensorem; `differences`, whose remark is the matter of a row
of docs/differences.md; or `not there yet`. A check is `layer: shape -> shape`. The tests evaluate
them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

PAGE = Path(__file__).with_name("api.md")
NAMES = Path(__file__).with_name("api_names.txt")
MISSING = "not there yet"
ELSEWHERE = "differences"

_CHECK = re.compile(r"(.+): (\(.*\)) -> (\(.*\))$")

HEAD = """# The original's names, and where they are here

For every name of the original's API page, its definitions and what it gives on: {total} names,
of which {missing} are not there yet. What a name does otherwise is in
[the differences](differences.md). Written by `python docs/api_map.py`; the tests evaluate every
home and every shape."""


@dataclass(frozen=True)
class Entry:
    """Names of one meaning, their home, and what a shape becomes there or a remark."""

    group: str
    names: tuple[str, ...]
    home: str
    told: str

    @property
    def check(self) -> tuple[str, str, str] | None:
        """A layer, what goes in, what comes out; None where there is a remark."""
        found = _CHECK.match(self.told)
        return (found[1], found[2], found[3]) if found else None


def entries() -> Iterator[Entry]:
    """Every line of every group."""
    group = ""
    for line in filter(None, NAMES.read_text().splitlines()):
        if line.startswith("# "):
            group = line.removeprefix("# ")
        else:
            names, home, told = (part.strip() for part in line.split("|"))
            yield Entry(group, tuple(names.split(", ")), home, told)


def page() -> str:
    """docs/api.md."""
    found = list(entries())
    total = sum(len(entry.names) for entry in found)
    missing = sum(len(entry.names) for entry in found if entry.home == MISSING)
    tables = (
        _table(group, list(of)) for group, of in groupby(found, key=lambda entry: entry.group)
    )
    return "\n".join([HEAD.format(total=total, missing=missing), *tables, ""])


def _table(group: str, found: list[Entry]) -> str:
    lines = map(_line, found)
    return "\n".join([f"\n## {group}\n", "| there | here | |", "|---|---|---|", *lines])


def _line(entry: Entry) -> str:
    names = ", ".join(f"`{name}`" for name in entry.names)
    if entry.home == ELSEWHERE:
        return f"| {names} | [differences](differences.md) | {entry.told} |"
    home = entry.home if entry.home == MISSING else f"`{entry.home}`"
    told = "`{}` takes {}, gives {}".format(*entry.check) if entry.check else entry.told
    return f"| {names} | {home} | {told} |"


if __name__ == "__main__":
    PAGE.write_text(page())
