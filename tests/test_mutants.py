"""What is wrong in a file whose hashes are right is an error of ours, never one of Python's."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorem as tm
from mutants import mutate
from tensorem import report, train, verify
from tensorem.cli import main
from tensorem.cli._recipe import Recipe, splits
from tensorem.disk import RunFiles
from tensorem.errors import FileError, TensoremError
from tensorem.graph import graph_hash, graph_of, weights_hash
from tensorem.train import _checkpoint

Capture = pytest.CaptureFixture[str]


COMMANDS = (
    ("resume",), ("eval",), ("predict",), ("verify", "--count", "1"), ("check",),
    ("show",),
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with every file that there is."""
    folder = tmp_path_factory.mktemp("mutants")
    rows = "".join(f"{i % 5},{i % 2},{'ab'[i % 2]}\n" for i in range(20))
    (folder / "x.csv").write_text("u,v,kind\n" + rows)
    run = folder / "run"
    given = ["--data", str(folder / "x.csv"), "--epochs", "2", "--hidden", "3", "--lr", "0.1"]
    assert main(["train", *given, "--path", str(run), "--json"]) == 0
    model, test = tm.load(run), splits(Recipe.load(run)).test
    label = int(np.asarray(model(test.x[:1])).argmax())
    proof = verify.robust(model, test.x[0], label, "0.000001")
    RunFiles(run).certificates.mkdir()
    proof.save(RunFiles(run).certificates / "one.safetensors")
    graph = graph_of(model)
    radius = report.Radius("0.1", 1, 1, 0, 0, checked=1, replayed=0)
    names = (graph_hash(graph), weights_hash(graph.arrays))
    report.Robustness(*names, "rows", 1, None, (radius,)).save(RunFiles(run).robustness)
    case = report.Counterexample("0.1", 0, 0, 1, test.x[0], test.x[1])
    report.save_counterexamples(RunFiles(run).counterexamples, (case,))
    return run


def readers(run: Path) -> list[Callable[[], object]]:
    """All that reads a run folder."""

    def command(*given: str) -> object:
        code = main([*given, str(run), "--json"])
        assert code in (0, 1, 2, 3), (given, code)
        return code

    return [
        lambda: report.page(report.gather(run)),
        lambda: tm.load(run)(np.zeros((1, 2), np.float32)),
        lambda: train.read_config(run),
        *(lambda name=name: command(*name) for name in COMMANDS),  # type: ignore[misc]
    ]


def meet(whole: Path, tmp_path: Path, seed: int) -> str:
    """Everything that reads a mutant either reads it or raises an error of ours."""
    run = tmp_path / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(whole, run)
    name = mutate(run, random.Random(seed))
    for i, read in enumerate(readers(run)):
        try:
            read()
        except TensoremError:
            pass
        except Exception as error:
            raise AssertionError(f"mutant {seed} of {name}, reader {i}: {error!r}") from error
    return name


@pytest.mark.parametrize("seed", range(4))
def test_a_mutant_is_read_or_refused(whole: Path, tmp_path: Path, seed: int) -> None:
    meet(whole, tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("tens", range(1, 51))
def test_many_mutants_are_read_or_refused(whole: Path, tmp_path: Path, tens: int) -> None:
    for seed in range(10 * tens, 10 * tens + 10):
        meet(whole, tmp_path, seed)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"plan": 3}, "plan is not what it should be"),
        ({"plan": {"loss": "mse"}}, "plan is not what it should be"),
        ({"history": True}, "history is not what it should be"),
        ({"history": [{"step": "1"}]}, "history is not what it should be"),
        ({"history": []}, "of one step, got a state after 2 and a record up to 0"),
        ({"fingerprint": {"jax": 1}}, "fingerprint is not what it should be"),
        ({"record": np.zeros(3)}, "record is not what it should be"),
        ({"record": np.zeros((0, 3), np.float32)}, "of one step"),
    ],
)
def test_a_checkpoint_that_says_something_else_is_named(
    changes: dict[str, Any], words: str, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    found = _checkpoint.read_checkpoint(RunFiles(run).state)
    arrays = {k: v for k, v in changes.items() if k == "record"}
    facts = {k: v for k, v in changes.items() if k != "record"}
    changed = _checkpoint.Checkpoint(found.arrays | arrays, found.facts | facts)
    _checkpoint.write_checkpoint(RunFiles(run).state, changed)
    capsys.readouterr()
    assert main(["resume", str(run)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(FileError.__name__) and words in told
