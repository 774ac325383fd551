"""docs/operators.md lists what the tables of operators hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from tensorem import onnx

DOCS = Path(__file__).parents[2] / "docs"


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("operators", DOCS / "operators.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_operators_is_as_the_tables_are() -> None:
    page = loaded().page()
    assert (DOCS / "operators.md").read_text() == page, "run: python docs/operators.py"
    assert all(f"`{name}`" in page for name in onnx.operators())
