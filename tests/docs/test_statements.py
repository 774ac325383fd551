"""What the pages name is there: attributes, commands, flags, files, layers."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import tensorem as tm
from tensorem import functional, nn
from tensorem.cli._main import COMMANDS

ROOT = Path(__file__).parents[2]
HISTORY = {"decisions.md"}
"""It tells what was true once."""
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *(p for p in DOCS.glob("*.md") if p.name not in HISTORY),
    *(DOCS / "guide").glob("*.md"),
]
ROOMS: dict[str, Any] = {"F": functional, "tm": tm}
ROOMS |= {name: getattr(tm, name) for name in tm.__all__ if name not in ("Spec", "__version__")}
del ROOMS["torch"]  # alone it is PyTorch's

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def codes(page: Path) -> list[str]:
    """The code within the lines of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    return re.findall(r"`([^`]+)`", text)


@each_page
def test_every_name_of_a_room_is_there(page: Path) -> None:
    for code in codes(page):
        for room, name in re.findall(r"(?<![\w./\[])(\w+)\.([A-Za-z_]\w*)", code):
            if room in ROOMS and name not in ("md", "py", "json", "html", "safetensors"):
                assert hasattr(ROOMS[room], name), f"{page.name}: {room}.{name} in `{code}`"


@each_page
def test_every_command_and_its_flags_are_there(page: Path) -> None:
    for code in codes(page):
        if found := re.match(r"tensorem ([a-z]+)( .*)?$", code):
            command = COMMANDS[found[1]]
            known = {f.name.replace("_", "-") for f in fields(command)}  # type: ignore[arg-type]
            given = re.findall(r"--([a-z-]+)", found[2] or "")
            assert {*given, "help"} <= {*known, "help"}, f"{page.name}: `{code}`"


@each_page
def test_every_file_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def row(name: str) -> str:
    found = re.search(rf"^\| {name} \| (.*) \|$", (ROOT / "README.md").read_text(), re.M)
    assert found is not None
    return found[1]


def test_the_readme_lists_the_commands() -> None:
    listed = re.search(r"`tensorem ([^`]*)`", row("command line"))
    assert listed is not None and listed[1].split(", ") == list(COMMANDS)


def test_the_readme_names_layers_that_are_there() -> None:
    for name in re.findall(r"\b[A-Z]\w+", row("layers")):
        assert issubclass(getattr(nn, name), nn.Layer), name
