"""The frame of every command: help, exit codes, errors on standard error, colours, pipes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import tensorem
from tensorem.cli import _main, _terminal, main
from tensorem.cli._digits import model_of
from tensorem.cli._leave import leave_at_once
from tensorem.cli._terminal import show
from tensorem.errors import ArgumentError
from tensorem.train import Interrupted

Capture = pytest.CaptureFixture[str]


def helped(capsys: Capture, *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_help_lists_the_commands_and_the_exit_codes(capsys: Capture) -> None:
    out = helped(capsys)
    for name in _main.COMMANDS:
        assert re.search(rf"• {name}\s", out)
    for line in ("0    done, proved or accepted", "1    refuted", "2    bad input", "3    unknown"):
        assert line in out
    assert "130  interrupted" in out and "143  terminated" in out


@pytest.mark.parametrize("name", _main.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: Capture) -> None:
    out = helped(capsys, name)
    assert f"usage: tensorem {name}" in out and (_main.COMMANDS[name].__doc__ or "")[:20] in out


def test_no_command_is_help(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 0 and "usage: tensorem" in capsys.readouterr().out


def test_the_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tensorem {tensorem.__version__}\n"


class Raises:
    """A command that ends in an error."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def run(self) -> int:
        raise self.error


def ended(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(_main, "_parsed", lambda arguments: Raises(error))
    return main(["ops"])


def test_an_error_of_ours_is_one_message_and_2(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert ended(ArgumentError("--x takes 1, got 2.", help="write 1."), monkeypatch) == 2
    assert capsys.readouterr().err == "ArgumentError: --x takes 1, got 2.\n  help: write 1.\n"


def test_ctrl_c_is_130_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert ended(KeyboardInterrupt(), monkeypatch) == 130
    assert capsys.readouterr().err == "Interrupted.\n"
    run: Any = None
    told = "saved. To continue: train.resume('runs/x', model, data)"
    assert ended(Interrupted(told, run, 15), monkeypatch) == 143
    assert capsys.readouterr().err == "saved. To continue: tensorem resume runs/x\n"


LEAVES = """
import signal
from tensorem.cli._leave import LEAVING, leave_at_once

leave_at_once()
LEAVING.callback(print, "put away")
print("begun")
try:
    signal.raise_signal(signal.{name})
finally:
    print("an exception")
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize(
    ("name", "code", "told"), [("SIGINT", 130, "Interrupted.\n"), ("SIGTERM", 143, "Terminated.\n")]
)
def test_a_signal_ends_a_command_at_once_in_one_line(name: str, code: int, told: str) -> None:
    program = [sys.executable, "-c", LEAVES.format(name=name)]
    done = subprocess.run(program, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, told)
    assert done.stdout == "begun\nput away\n"


def test_an_ignored_signal_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN)
    monkeypatch.setattr(signal, "signal", lambda number, handler: taken.append(number))
    leave_at_once()
    assert not taken
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_DFL)
    leave_at_once()
    assert taken == [signal.SIGINT, signal.SIGTERM]


def test_a_bug_is_70_and_shows_where(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert ended(ZeroDivisionError("oh"), monkeypatch) == 70
    told = capsys.readouterr().err
    assert "Traceback" in told and "This is a bug in tensorem" in told


def test_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)  # closed beforehand: whether `head` is fast enough must not matter
    command = [sys.executable, "-m", "tensorem", "ops", "--json"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_output_is_one_error_and_2() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "tensorem", "ops"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "FileError: The output: No space left on device.\n"


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_matter(closed: str) -> None:
    command = f'exec "{sys.executable}" -m tensorem ops {closed}'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_color_and_a_bare_locale() -> None:
    env = {**os.environ, "NO_COLOR": "1", "PYTHONIOENCODING": "ascii", "COLUMNS": "50"}
    done = subprocess.run(
        [sys.executable, "-m", "tensorem", "ops"], capture_output=True, text=True, env=env
    )
    assert done.returncode == 0 and not done.stderr
    assert "\x1b" not in done.stdout and "reshape" in done.stdout


def test_ops_prints_the_whole_table(capsys: Capture) -> None:
    assert main(["ops"]) == 0
    text = capsys.readouterr().out
    assert main(["ops", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows == tensorem.ops.coverage()
    assert all(re.search(rf"^ ?{name} ", text, re.MULTILINE) for name in rows)
    assert "exp of a nonzero rational is irrational" in re.sub(r"\s+", " ", text)


def test_ops_shows_one_meaning_with_sources(capsys: Capture) -> None:
    assert main(["ops", "--meaning", "interval", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows["relu"] == {"interval": {"source": "rising: its ends, nothing is rounded"}}
    assert main(["ops", "--meaning", "interval"]) == 0
    interval = capsys.readouterr().out
    assert "relu            rising: its ends, nothing is rounded\n" in interval
    assert main(["ops", "--meaning", "lines"]) == 0
    assert "relu            Zhang et al. 2018 (CROWN), 3.3" in capsys.readouterr().out
    assert main(["ops", "--meaning", "exact"]) == 0
    told = "exp             none: its values at rational numbers are irrational\n"
    assert told in capsys.readouterr().out


def test_doctor_finds_versions_devices_settings_and_extras(capsys: Capture) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["tensorem"] == tensorem.__version__
    assert found["machine"]["devices"] and found["settings"]
    cache = tensorem.runtime.compile_cache()
    assert found["compile cache"]["folder"] == cache.value
    assert found["compile cache"]["chosen by"] == cache.chosen_by
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert {*found["extras"], "docs", "dev", "examples"} == project["optional-dependencies"].keys()
    assert main(["doctor"]) == 0
    assert "compile cache" in capsys.readouterr().out


def test_a_model_fits_few_columns(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    show(model_of(seed=0))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 40
    assert "2,570 parameters" in re.sub(r"\s+", " ", out) and ", 0 parameters" not in out


@pytest.mark.parametrize("columns", [0, 1, 10])
def test_no_width_loses_a_cell(
    columns: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["ops", "--meaning", "exact"]) == 0
    assert "irrational" in re.sub(r"\s+", "", capsys.readouterr().out)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_tables_fit_the_width(
    columns: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for arguments in (["ops"], ["doctor"], ["ops", "--meaning", "exact"]):
        assert main(arguments) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= columns
        assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("columns", [20, 36, 60, 200])
def test_numbers_are_whole_at_every_width(
    columns: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    names = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
    rows = [(i, *(f"{i}.{k}234" for k in range(4))) for i in range(3)]
    _terminal.show(_terminal.table(names, rows, 4))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    assert set(map(str, sum(rows, ()))) | {*names} <= set(out.split())


def test_the_commands_of_the_docs_exist() -> None:
    """The commands that the design promises, one file each."""
    files = {path.stem for path in Path(_main.__file__).parent.glob("_*.py")}
    assert {f"_{name}" for name in _main.COMMANDS} <= files
