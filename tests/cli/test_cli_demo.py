"""The demo, from its first line to its run folder, made small."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tensorem as tm
from tensorem import disk, report
from tensorem.cli import _demo, main
from tensorem.cli._digits import model_of, plan_of
from tensorem.cli._processes import Checking, Victim
from tensorem.cli._runs import written
from tensorem.errors import ResumeError

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small demo: its run folder and what it printed."""
    from contextlib import redirect_stdout
    from io import StringIO

    path, out = tmp_path_factory.mktemp("demo") / "run", StringIO()
    small = ["--epochs", "3", "--eps", "0.01", "0.05", "--images", "20", "--seed", "2"]
    with redirect_stdout(out):
        assert main(["demo", *small, "--path", str(path)]) == 0
    return path, out.getvalue()


def test_it_tells_the_whole_tour(told: tuple[Path, str]) -> None:
    path, out = told
    plain = re.sub(r"\s+", " ", out)
    assert "Conv2d(1, 16, 3" in plain and "2,730" in plain
    assert len(re.findall(r"^epoch \d/3  loss ", out, re.MULTILINE)) == 3
    assert re.search(r"accuracy 0\.9\d+ on 360 unseen digits", plain)
    assert re.search(r"compiled and eager .* agree: largest difference \S+ ", plain)
    killed = "a second process was killed (SIGKILL) after step 67 of 132 and resumed here"
    assert f"{killed} from its checkpoint: identical bytes" in plain
    assert "re-checked by the independent checker" in plain
    assert re.search(r"half of the digits are proved up to radius 0\.\d+", plain)
    assert f"Report: {path / 'report.html'}" in out and f"tensorem show {path}" in out


def test_every_radius_adds_up(told: tuple[Path, str]) -> None:
    found = report.Robustness.load(disk.RunFiles(told[0]).robustness)
    assert [r.eps for r in found.radii] == ["0.01", "0.05"] and found.count == 20
    for r in found.radii:
        assert r.crown + r.refuted + r.unknown == 20
        assert r.ibp <= r.crown == r.checked and r.refuted == r.replayed
    assert any(r.ibp < r.crown for r in found.radii)


def test_the_run_folder_is_complete(told: tuple[Path, str]) -> None:
    path, _ = told
    names = {file.name for file in path.iterdir()}
    assert {
        "model.safetensors", "graph.json", "config.json", "log.jsonl", "certificates",
        "report.html", "state.safetensors", "recipe.json", "robustness.json",
    } <= names  # fmt: skip
    # `require_new` keeps a new run from replacing any of these.
    assert names - {"state.safetensors", "config.json", "log.jsonl"} <= {
        file.name for file in written(disk.RunFiles(path))
    }
    assert not any(name.startswith(("killed", ".")) for name in names)
    assert isinstance(tm.load(path), tm.nn.Model)
    facts = report.gather(path)
    assert facts.robustness is not None and facts.stale == ()
    assert facts.certificates == sum(r.checked for r in facts.robustness.radii) > 0


def test_its_run_is_a_run_for_every_other_command(told: tuple[Path, str], capsys: Capture) -> None:
    path = str(told[0])
    assert main(["check", path]) == 0
    assert main(["eval", path, "--json"]) == 0
    scores = capsys.readouterr().out.partition("\n")[2]
    saved = json.loads((told[0] / "scores.json").read_text())
    assert json.loads(scores)["accuracy"] == saved["accuracy"]
    assert main(["verify", path, "--eps", "0.01", "--clip", "0", "1", "--index", "0"]) == 0
    assert main(["show", path]) == 0


def test_what_does_not_hold_is_said_and_is_the_exit_code(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The killed process trains from another seed, and the checker loses a certificate."""
    accepted = Checking.accepted
    monkeypatch.setattr(_demo, "Victim", lambda path, seed, n: Victim(path, seed + 1, n))
    monkeypatch.setattr(Checking, "accepted", lambda self: accepted(self) - 1)
    small = ["--epochs", "1", "--images", "3", "--eps", "0.001", "--path", str(tmp_path / "run")]
    assert main(["demo", *small]) == 1
    told = capsys.readouterr()
    assert "OTHER bytes" in told.out
    bytes_differ, checked_less = told.err.splitlines()
    assert bytes_differ.startswith("FAILED: the killed run, resumed, ends in other bytes than")
    words = r"FAILED: radius 0\.001: (\d) proved, the checker accepts (\d)\."
    counts = re.fullmatch(words, checked_less)
    assert counts and int(counts[1]) == int(counts[2]) + 1


def test_a_counterexample_that_does_not_replay_is_a_failure() -> None:
    radii = (report.Radius("0.1", 1, 2, 3, 0, checked=2, replayed=1),)
    found = report.Robustness("g", "w", "digits", 5, None, radii)
    assert _demo._failures(found, resumed=True) == ["radius 0.1: 3 refuted, 1 replayed."]


def test_a_second_process_that_ends_otherwise_is_an_error(tmp_path: Path) -> None:
    with Victim(tmp_path, seed=0, epochs=1) as victim:
        victim.start()
        [folder] = tmp_path.iterdir()
        (folder / "state.safetensors").write_text("")
        with pytest.raises(ResumeError, match="was to be killed, it ended with 1") as caught:
            victim.wait()
    told = f"FileError: {folder} takes a new run, got a folder that holds one."
    assert caught.value.because.startswith(told) and "Traceback" not in caught.value.because
    assert not list(tmp_path.iterdir())


def test_all_that_a_demo_makes_is_in_its_run_folder(tmp_path: Path) -> None:
    """Killed with its second process in full swing, it leaves nothing elsewhere."""
    elsewhere, path = tmp_path / "tmp", tmp_path / "run"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "tensorem", "demo", "--path", str(path)]
    environment = os.environ | {"TMPDIR": str(elsewhere)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        began = any(line.startswith("epoch") for line in demo.stdout)
        demo.kill()
    assert began and len(list(path.glob("killed-*"))) == 1
    assert {p.name for p in tmp_path.iterdir()} == {"run", "tmp"}
    assert not list(elsewhere.iterdir())


def test_a_stopped_demo_is_continued_by_train(tmp_path: Path, capsys: Capture) -> None:
    class Stop:
        def moved(self, moment: tm.train.Moment) -> None:
            if moment.epoch == 1:
                raise KeyboardInterrupt

        def finished(self, *_: object) -> None: ...

        def close(self) -> None: ...

    path, fit = tmp_path / "stopped", tm.train.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tm.train, "fit", lambda *a, **k: fit(*a, progress=Stop(), **k))
        assert main(["demo", "--epochs", "2", "--path", str(path)]) == 130
    assert main(["resume", str(path), "--json"]) == 0
    done = json.loads("{" + capsys.readouterr().out.partition("\n{")[2])
    assert [row["epoch"] for row in done["history"]] == [1, 2]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--epochs", "10001"], "--epochs takes an integer from 1 to 10000, got 10001"),
        (["--images", "361"], "--images takes an integer from 1 to 360, got 361"),
        (["--eps"], "--eps takes at least one radius"),
        (["--eps", "wide"], "--eps takes decimals"),
    ],
    ids=str,
)
def test_bad_input_ends_before_anything_is_made(
    given: list[str], words: str, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["demo", *given, "--path", str(tmp_path / "x")]) == 2
    assert words in capsys.readouterr().err and not (tmp_path / "x").exists()


def test_a_folder_that_holds_a_run_is_kept(told: tuple[Path, str], capsys: Capture) -> None:
    before = (told[0] / "model.safetensors").read_bytes()
    assert main(["demo", "--epochs", "1", "--path", str(told[0])]) == 2
    assert "got a folder that holds one" in capsys.readouterr().err
    assert (told[0] / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("seed", range(5))
def test_unseen_digits_are_recognised(seed: int) -> None:
    digits = tm.data.digits()
    plan = plan_of(seed, epochs=20)
    run = tm.train.fit(model_of(seed), digits.train, progress="none", **plan)
    assert tm.train.evaluate(run.model, digits.test)["accuracy"] >= 0.97
