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
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


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


EXAMPLES = [(page.name, i, *b) for page in PAGES for i, b in enumerate(blocks(page))]


@pytest.mark.parametrize(
    ("page", "i", "code", "output"), EXAMPLES, ids=[f"{e[0]}-{e[1]}" for e in EXAMPLES]
)
def test_page_examples_print_what_the_page_says(
    page: str, i: int, code: str, output: str | None, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, f"{page} block {i}", "exec"), {"__name__": "example"})
    if output is not None:
        assert tidy(printed.getvalue()) == tidy(output)


def tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
