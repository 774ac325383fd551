"""A run folder and the one process that trains in it."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tensorem import disk
from tensorem.disk import RunFiles, held
from tensorem.errors import FileError

HERE = platform.node()
HOLDING = (
    "import sys; from pathlib import Path; from tensorem.disk import held\n"
    "with held(Path(sys.argv[1])): "
)
LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it needs /proc")


def lock_of(folder: Path, **changes: Any) -> Path:
    """The lock that this process writes, changed and left behind."""
    lock = RunFiles(folder).lock
    with held(folder):
        said = json.loads(lock.read_text())
    lock.write_text(json.dumps(said | changes))
    return lock


def test_a_folder_is_made_held_and_let_go(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    with held(folder):
        said = json.loads(RunFiles(folder).lock.read_text())
        assert (said["pid"], said["host"]) == (os.getpid(), HERE)
        assert [file.name for file in folder.iterdir()] == ["lock.json"]
    assert list(folder.iterdir()) == []
    with pytest.raises(RuntimeError), held(folder):
        raise RuntimeError
    assert list(folder.iterdir()) == []


def test_who_comes_second_is_told_who_holds_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    program = [sys.executable, "-c", HOLDING + "print('held', flush=True); input()", str(tmp_path)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        for folder in (tmp_path, tmp_path / "link"):
            with pytest.raises(FileError) as caught, held(folder):
                pass
            told = f"{folder} takes one process at a time, got a folder that process {other.pid}"
            assert str(caught.value).startswith(f"{told} on {HERE}, since 20")
            assert f"if it is dead, remove {folder / 'lock.json'}" in caught.value.help
        other.kill()
        assert (tmp_path / "lock.json").exists()
    with held(tmp_path):  # what a dead process held
        pass


def test_a_dead_process_that_nobody_has_waited_for_holds_nothing(tmp_path: Path) -> None:
    program = [sys.executable, "-c", HOLDING + "import os; os.kill(os.getpid(), 9)", str(tmp_path)]
    with subprocess.Popen(program) as other:
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        with held(tmp_path):
            pass


def test_another_thread_is_refused_too(tmp_path: Path) -> None:
    caught: list[BaseException] = []

    def second() -> None:
        try:
            with held(tmp_path):
                pass
        except FileError as error:
            caught.append(error)

    with held(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert f"process {os.getpid()} on {HERE}" in str(caught[0])


@LINUX
def test_a_number_that_another_process_has_by_now_holds_nothing(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    with pytest.raises(FileError, match="takes one process at a time"), held(tmp_path):
        pass
    lock_of_dead = lock.read_text().replace(json.loads(lock.read_text())["began"], "boot 1")
    lock.write_text(lock_of_dead)
    with held(tmp_path):
        assert json.loads(lock.read_text())["began"] != "boot 1"


@pytest.mark.parametrize(
    ("pid", "free"),
    [(os.getpid(), False), (1, False), (2**22 + 1, True)],
    ids=["own", "first", "none"],
)
def test_where_the_system_does_not_say_when_it_began_its_life_counts(
    pid: int, free: bool, tmp_path: Path
) -> None:
    lock_of(tmp_path, began="", pid=pid)
    if free:
        with held(tmp_path):
            return
    with pytest.raises(FileError, match=f"that process {pid} on"), held(tmp_path):
        pass


def test_of_another_machine_nothing_is_taken_over(tmp_path: Path) -> None:
    lock = lock_of(tmp_path, host="elsewhere", pid=2**22 + 1)
    with pytest.raises(FileError, match="on elsewhere, since") as caught, held(tmp_path):
        pass
    assert "known there alone" in caught.value.because and f"remove {lock}" in caught.value.help


NO_NUMBER = '{"pid": "1", "host": "", "began": "", "since": ""}'


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 3}', "[" * 10**5, NO_NUMBER])
def test_what_names_no_holder_is_refused(text: str, tmp_path: Path) -> None:
    RunFiles(tmp_path).lock.write_text(text)
    told = "does not say which process trains there"
    with pytest.raises(FileError, match=told) as caught, held(tmp_path):
        pass
    assert caught.value.help == "if none does, remove it."


def _write_often(path: Path, byte: int) -> None:
    for _ in range(60):
        disk.write_together({path: bytes([byte]) * 200_000, path.with_name("b"): b""})


def test_processes_that_write_one_file_leave_it_whole(tmp_path: Path) -> None:
    start = multiprocessing.get_context("spawn").Process
    writers = [start(target=_write_often, args=(tmp_path / "a", byte)) for byte in (65, 66)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        if (tmp_path / "a").exists():
            assert len(set(content := disk.read_whole(tmp_path / "a"))) == 1
            assert len(content) == 200_000
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}
