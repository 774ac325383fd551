"""The reference has an entry for every public name; the site is built of it without a warning."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import tensorem

DOCS = Path(__file__).parents[2] / "docs"
ROOMS = [name for name in tensorem.__all__ if inspect.ismodule(getattr(tensorem, name))]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module("reference")
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture(scope="module")
def pages(reference: ModuleType) -> dict[str, str]:
    found: dict[str, str] = reference.pages()
    return found


def entries(page: str) -> dict[str, str]:
    """The text of each entry of a page by its name."""
    found = re.findall(r"^::::\{py:\w+\} (\w+).*?\n(.*?)^::::$", page, re.M | re.S)
    return dict(found)


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_has_an_entry_that_says_something(
    room: str, pages: dict[str, str]
) -> None:
    module = getattr(tensorem, room)
    defined = (
        n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__
    )
    listed = getattr(module, "__all__", [n for n in defined if not n.startswith("_")])
    said = entries(pages[room])
    for name in listed:
        value = getattr(module, name)
        assert f"{room}.{name}" in pages if inspect.ismodule(value) else said[name].strip(), name


def test_the_nouns_say_where_their_entries_are(pages: dict[str, str]) -> None:
    said = entries(pages["tensorem"])
    assert "{py:obj}`files.load <tensorem.files.load>`" in said["load"]
    assert set(said) == set(tensorem.__all__) - set(ROOMS)


def test_sections_become_lists_and_blocks(reference: ModuleType) -> None:
    doc = """The sum a * b < 3 of `fit`.

    Shapes:
        x (*batch)  ->  y ()

    Args:
        a: One,
            or two.

    Raises:
        ShapeError: They do not fit.

    Example:
        >>> 1 + 1
        2

    The end.
    """
    assert reference.markdown(doc).split("\n\n") == [
        "The sum a \\* b \\< 3 of {py:obj}`fit <tensorem.train.fit>`.",
        "**Shapes**",
        "```text\nx (*batch)  ->  y ()\n```",
        "**Args**",
        "- **a**: One,\n    or two.",
        "**Raises**",
        "- {py:obj}`ShapeError <tensorem.errors.ShapeError>`: They do not fit.",
        "```pycon\n>>> 1 + 1\n2\n```",
        "The end.",
    ]


def test_the_front_page_lists_every_page() -> None:
    listed = re.findall(r"^   (\S+)$", (DOCS / "index.rst").read_text(), re.M)
    sources = {p.stem for p in DOCS.iterdir() if p.suffix in (".md", ".rst")}
    guide = {f"guide/{p.stem}" for p in (DOCS / "guide").iterdir()}
    assert sources | guide == {*listed, "index"} - {"api/index"}


def test_the_guide_lists_its_pages_and_each_is_short() -> None:
    pages = {p.name: p.read_text() for p in (DOCS / "guide").iterdir()}
    assert {*re.findall(r"^\| \[.*\]\((.*)\) \|", pages["index.md"], re.M), "index.md"} == {*pages}
    assert all(text.count("\n") < 400 for text in pages.values())


def test_a_room_links_to_its_page_of_the_guide(
    reference: ModuleType, pages: dict[str, str]
) -> None:
    for room, page in reference.GUIDE.items():
        assert f"](../guide/{page}.md)" in pages[room]
        assert (DOCS / "guide" / f"{page}.md").exists()


@pytest.mark.long
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("furo")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", DOCS, tmp_path / "html"],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    assert "tensorem.train.fit" in (tmp_path / "html/api/train.html").read_text()
