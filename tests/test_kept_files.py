"""Files that were written once, in tests/kept, still load and still mean what they did."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorem as tm
from tensorem import check, nn, report, verify
from tensorem.cli import main
from tensorem.cli._recipe import Recipe
from tensorem.disk import RunFiles
from tensorem.graph import _json as graph_json
from tensorem.report import _robustness
from tensorem.train import _checkpoint, _folder
from tensorem.verify import _claim

KEPT = Path(__file__).parent / "kept"
FORMATS = Path(__file__).parents[1] / "docs" / "formats.md"

OUTPUTS = {
    "convolution": [-0.021312448665, -1.213688610346, 1.235001059011, 0.269620040849],
    "loop": [-0.39628391741, 0.113244106639, 0.422008000818, -0.582539119068],
    "iris": [-0.378127296337, 0.326065480919, -0.035027587914, -1.185116466489],
}
"""What each gave for the input below, in float64, when it was written."""


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_model_loads_and_computes_what_it_did(name: str) -> None:
    model = tm.load(KEPT / name)
    shape = [n if isinstance(n, int) else 2 for n in model.input.shape]
    x = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    found = tm.evaluate(model, x, dtype="float64").ravel()[:4]
    assert np.allclose(found, OUTPUTS[name], rtol=0, atol=1e-9)


def test_a_model_knows_its_layers_and_what_is_frozen() -> None:
    model = tm.load(KEPT / "convolution")
    assert isinstance(model, nn.Model) and model.frozen == {"0.weight", "0.bias"}
    assert isinstance(tm.load(KEPT / "loop"), tm.GraphModel)


def test_a_graph_is_written_as_it_was_read() -> None:
    for folder in KEPT.iterdir():
        text = (folder / "graph.json").read_text()
        assert tm.graph.to_json(tm.files.load_graph(folder)) == text


def test_a_certificate_is_accepted() -> None:
    files = RunFiles(KEPT / "iris")
    [certificate] = files.certificates.rglob("*.safetensors")
    assert check.check_files(files.graph, files.weights, certificate).accepted


def test_a_checkpoint_a_log_and_a_recipe_are_read() -> None:
    files = RunFiles(KEPT / "iris")
    checkpoint = _checkpoint.read_checkpoint(files.state)
    weights = tm.load(KEPT / "iris").state_dict()
    assert all(np.array_equal(checkpoint.arrays[f"params.{k}"], a) for k, a in weights.items())
    assert Recipe.load(KEPT / "iris").hidden == (4,)
    facts: Any = report.gather(KEPT / "iris")
    assert [row["epoch"] for row in facts.history] == [1, 2] and facts.certificates == 1
    assert facts.config["format"] == _folder.FORMAT and not facts.stale


def test_the_command_line_reads_a_run(tmp_path: Path) -> None:
    run = Path(shutil.copytree(KEPT / "iris", tmp_path / "iris"))
    for command in ("eval", "predict", "show", "check"):
        assert main([command, str(run)]) == 0


def test_the_page_states_every_format_with_its_version() -> None:
    stated = dict(re.findall(r"`(tensorem\.\w+)` \| (\d+|none)", FORMATS.read_text()))
    assert stated == {
        graph_json.FORMAT: str(graph_json.VERSION),
        "tensorem.model": "none",
        _claim.FORMAT: str(_claim.VERSION),
        _checkpoint.FORMAT: str(_checkpoint.VERSION),
        _folder.FORMAT: "1",
        _robustness.FORMAT: str(_robustness.VERSION),
    }


def test_the_page_states_every_file_of_a_run_folder() -> None:
    page = FORMATS.read_text()
    names = [p for p in vars(RunFiles) if isinstance(vars(RunFiles)[p], property)]
    for name in names:
        file = getattr(RunFiles(Path("run")), name).relative_to("run").as_posix()
        assert f"`{file}`" in page, file
    assert verify.Claim.__doc__ and "`certificates`" in page
