"""Every example runs: the docstrings of all modules, and the Python blocks of README and docs."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
MODULES = sorted(
    ".".join(p.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for p in SOURCE.rglob("*.py")
    if p.name != "__main__.py"
)
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *(DOCS / "guide").glob("*.md")])


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    failed, _ = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert failed == 0


def blocks(page: Path) -> list[tuple[str, str | None]]:
    """The Python blocks of a page, each with the plain block after it, which is its output."""
    found: list[Any] = re.findall(r"```(\w*)\n(.*?)```", page.read_text(), re.DOTALL)
    return [
        (body, output if kind == "" else None)
        for (language, body), (kind, output) in pairwise([*found, ("", None)])
        if language == "python"
    ]


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: page.name)
def test_every_block_of_code_is_one_that_runs(page: Path) -> None:
    fences = re.findall(r"^ *```(.*)$", page.read_text(), re.MULTILINE)
    assert set(fences) <= {"", "python"}
    assert fences.count("python") == len(blocks(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_print_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}
    for code, output in blocks(page):
        check_printed(page, code, output, names)


@pytest.mark.parametrize("number", range(len(blocks(README))))
def test_a_block_of_the_readme_runs_when_it_is_pasted_alone(number: int) -> None:
    check_printed(README, *blocks(README)[number], {"__name__": "example"})


def check_printed(page: Path, code: str, output: str | None, names: dict[str, Any]) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, page.name, "exec", dont_inherit=True), names)
    assert output is None or tidy(printed.getvalue()) == tidy(output)


def tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
