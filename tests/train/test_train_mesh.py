"""Runs on several devices and in several processes: the result of one device but for rounding."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import fit, mlp, normed, rows, state_of

from tensorem import train
from tensorem.errors import ArgumentError

HERE = Path(__file__).parent
ROUNDING = 2e-6
"""Of float32 in 9 steps, relative to the largest number of an array; seen: 3e-7."""


def started(program: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / program), *map(str, arguments)]
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def told(process: subprocess.Popen[str]) -> Any:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out.splitlines()[-1])


def test_eight_devices_give_what_one_gives(tmp_path: Path) -> None:
    found = told(started("on_devices.py", "few", tmp_path))
    assert found["apart"] < ROUNDING and found["devices"] == 8
    assert found["part"] == found["part of the optimizer"] == [1, 4]
    np.testing.assert_allclose(*found["losses"], rtol=ROUNDING)
    assert found["bytes on 8"] and found["resumed on 8"] == 0
    assert not found["bytes on 4"] and found["resumed on 4"] < ROUNDING


@pytest.mark.long
def test_every_way_to_split_gives_what_one_device_gives(tmp_path: Path) -> None:
    found = told(started("on_devices.py", "many", tmp_path))
    assert len(found) == 5
    assert all(apart < ROUNDING for apart in found.values()), found


@pytest.mark.long
def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [started("one_process.py", number, port, tmp_path / "run") for number in range(2)]
    first, second = map(told, both)
    run = fit(normed(), validation=rows(normed()))
    assert first["weights"] == second["weights"] and first["step"] == second["step"] == 9
    for name, array in run.model.params.items():
        np.testing.assert_allclose(first["weights"][name], array, rtol=0, atol=ROUNDING)
    assert first["saved"] == second["saved"] == [0, 3, 6]
    assert "takes a new run, got a folder that holds one" in first["refused"]
    assert "The first process takes a run folder to write to" in second["refused"]


def test_one_device_is_a_mesh_too(tmp_path: Path) -> None:
    at = train.Compute(devices=train.Mesh(1, rules={"*": "data"}))
    run, one = fit(mlp(), tmp_path / "mesh", backend=at), fit(mlp())
    for name, array in one.model.params.items():
        np.testing.assert_allclose(run.model.params[name], array, rtol=0, atol=ROUNDING)
    recorded = train.read_config(tmp_path / "mesh")["plan"]["backend"]
    assert recorded["devices"] == {"data": 1, "model": 1, "rules": [["*", "data"]]}
    before = state_of(tmp_path / "mesh")
    again = train.resume(tmp_path / "mesh", mlp(), rows(mlp()), progress="none")
    assert again.plan.backend == at and state_of(tmp_path / "mesh") == before


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: train.Mesh(data=0), "takes data as an integer of at least 1, got 0"),
        (lambda: train.Mesh(model=0), "takes model as an integer of at least 1, got 0"),
        (lambda: train.Mesh(rules={"*": "rows"}), r"'data', 'model', or a tuple .* '\*': 'rows'"),
        (lambda: train.Mesh(rules={"*": ("data", "data")}), "each once, got"),
        (lambda: train.Compute(devices=8), "Compute takes devices as a Mesh, got 8"),  # type: ignore[arg-type]
        (
            lambda: train.Compute("eager", devices=train.Mesh()),
            "takes devices with the backend compiled, got eager",
        ),
    ],
)
def test_what_is_no_mesh_is_an_error_of_ours(make: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


def test_what_does_not_fit_the_devices_or_the_model_is_an_error_of_ours() -> None:
    for mesh, words in (
        (train.Mesh(data=64), r"takes up to the \d+ devices that JAX has, got data=64 x model=1"),
        (train.Mesh(1, rules={"9.*": "data"}), "takes rules that fit parameters, got '9"),
        (train.Mesh(1, rules={"*.bias": ("data", None)}), r"got 0\.bias of shape \(8,\)"),
    ):
        with pytest.raises(ArgumentError, match=words):
            fit(mlp(), backend=train.Compute(devices=mesh))


def test_a_batch_that_cannot_be_split_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train.Mesh, "parts", lambda self: 3)
    with pytest.raises(ArgumentError, match="takes a batch_size that data=3 divides, got 8"):
        fit(mlp(), backend=train.Compute(devices=train.Mesh()))
