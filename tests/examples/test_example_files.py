"""Every example runs, shows a figure beside its target, and leaves a model that needs no code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tensorem as tm

FOLDER = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
SHORT = {"auto_mpg", "karate"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in SHORT else pytest.mark.long) for n in NAMES]
)
def test_an_example_runs_and_its_graph_loads_without_its_code(name, tmp_path):
    pytest.importorskip("matplotlib")
    command = [sys.executable, FOLDER / f"{name}.py", "--quick", "--out", tmp_path / "out"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ)
    if ran.returncode and re.search("pip install|npm pack", ran.stderr):
        pytest.skip(ran.stderr.strip())
    assert not ran.returncode, ran.stderr
    assert "target" in ran.stdout
    assert [path for path in (tmp_path / "out").iterdir() if path.suffix in {".png", ".txt"}]
    tm.onnx.export(tm.load(tmp_path / "out"), tmp_path / "model.onnx")


def test_a_missing_package_is_one_line(tmp_path):
    given = "import _show; _show.file('no-such-package', 'a.csv')"
    ran = subprocess.run([sys.executable, "-c", given], capture_output=True, text=True, cwd=FOLDER)
    assert ran.returncode == 1
    assert ran.stderr.endswith("pip install --no-deps no-such-package\n")


def test_docs_list_every_example():
    said = (FOLDER.parent / "docs/examples.md").read_text()
    assert [name for name in NAMES if f"`examples/{name}.py`" not in said] == []
