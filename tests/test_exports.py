"""Every public name: complete, sorted, documented, typed, and there."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import tensorem

SOURCE = Path(tensorem.__file__).parent
FOLDERS = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))
MODULES = sorted(p.stem for p in SOURCE.glob("*.py") if not p.stem.startswith("_"))


def exported(path: Path) -> set[str]:
    """The names that an __init__ re-exports in the explicit form."""
    nodes = ast.walk(ast.parse(path.read_text()))
    froms = [n for n in nodes if isinstance(n, ast.ImportFrom) and n.level == 1]
    return {a.asname for n in froms for a in n.names if a.asname and not a.asname.startswith("_")}


@pytest.mark.parametrize("folder", FOLDERS)
def test_all_lists_every_name_in_order(folder: str) -> None:
    module = importlib.import_module(f"tensorem.{folder}")
    listed = list(module.__all__)
    assert listed == sorted(listed) and len(set(listed)) == len(listed)
    assert exported(SOURCE / folder / "__init__.py") <= set(listed)
    for name in listed:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("name", [*FOLDERS, *MODULES])
def test_everything_public_is_documented(name: str) -> None:
    module = importlib.import_module(f"tensorem.{name}")
    assert module.__doc__ and module.__doc__.strip().endswith((".", ")", "|", ":"))
    listed = getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")])
    bare = []
    for public in listed:
        value = getattr(module, public)
        own = getattr(value, "__module__", "").startswith("tensorem")
        if own and (inspect.isclass(value) or inspect.isfunction(value)) and not value.__doc__:
            bare.append(public)
    assert not bare


def test_the_nouns_are_complete_and_loaded_when_used() -> None:
    assert tensorem.__all__ == sorted(tensorem.__all__)
    for name in tensorem.__all__:
        assert getattr(tensorem, name) is not None
    rooms = {*FOLDERS, *MODULES} - {"cli", "disk"}
    assert rooms <= set(tensorem.__all__)
    assert dir(tensorem) == tensorem.__all__


def test_the_nouns_are_typed() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    assert exported(SOURCE / "__init__.py") | {"__version__"} == set(tensorem.__all__)
    assert any(isinstance(node, ast.FunctionDef) for node in tree.body)


def test_an_unknown_noun_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tensorem' has no attribute 'nothing'"):
        _ = tensorem.nothing  # type: ignore[attr-defined]
