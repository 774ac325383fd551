"""docs/api.md names a home for every name of the original's page, and the home is there."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jax
import pytest

import tensorem as tm
from tensorem.layer._specs import is_shape

DOCS = Path(__file__).parents[2] / "docs"
NAMES: dict[str, Any] = {name: getattr(tm, name) for name in tm.__all__}
NAMES |= {"F": tm.functional, "jax": jax}


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("api_map", DOCS / "api_map.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["api_map"] = module
    spec.loader.exec_module(module)
    return module


API = loaded()
ENTRIES = list(API.entries())


def test_the_page_is_the_one_that_is_written() -> None:
    assert API.PAGE.read_text() == API.page(), "write it: python docs/api_map.py"


def test_every_definition_of_the_page_has_one_line() -> None:
    named = [(entry.group, name) for entry in ENTRIES for name in entry.names]
    assert len(set(named)) == len(named)
    counts = Counter(group for group, _ in named)
    # The counts of the original's page; train, loss and nn count what they give on as well.
    assert counts["Models"] == 3 and counts["nn.pure: layers"] == 25
    lifted = "nn.pure: lifting, convolution, pooling", "nn.pure: normalisation, attention"
    assert sum(counts[g] for g in lifted) == 44
    assert (counts["nn.pure.blocks"], counts["nn.pure.heads"], counts["optim"]) == (38, 4, 5)
    assert (counts["autograd.model"], counts["autograd.fn1"]) == (22, 8)
    assert counts["nn: names given on"] == 18


def test_every_home_is_there() -> None:
    differences = (DOCS / "differences.md").read_text()
    for entry in ENTRIES:
        if entry.home == API.ELSEWHERE:
            assert f"\n| {entry.told} |" in differences, entry
        elif entry.home != API.MISSING:
            assert eval(entry.home, NAMES) is not None, entry


@pytest.mark.parametrize("check", sorted({entry.check for entry in ENTRIES if entry.check}))
def test_a_layer_gives_the_shape_that_the_page_says(check: tuple[str, str, str]) -> None:
    layer, takes, gives = (eval(text, NAMES) for text in check)
    said = layer.output_shape(takes)
    if not is_shape(said) or not isinstance(said, tuple):
        said = tm.nn.build(layer, takes).output.shape
    assert said == gives
