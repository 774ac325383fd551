"""Random damage to files and documents ends in a verdict or in one of the checker's own errors."""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checker_cases import CASES, write

from tensorem.check import MalformedError, UnsupportedError, check, check_files

ODD: list[Any] = [None, True, 0, -1, 2, 10**6, 2**63, 10**40, 0.5, 1e308, "", "x", "N", "8*N-7"]
ODD += ["v0", [], [[]], [0], [1, 1], [-1, 2**40], {}, {"a": 1}, "\ud800", "1e400", [None], [["N"]]]


def damage(value: Any, rng: Any) -> Any:
    """The value with one leaf, or one whole part, replaced by something odd."""
    if isinstance(value, dict | list) and value and rng.random() < 0.95:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = keys[rng.integers(len(keys))]
        value[key] = damage(value[key], rng)
        return value
    return copy.deepcopy(ODD[rng.integers(len(ODD))])


def assert_documents_are_survived(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cases = [make(1) for make in CASES.values()]
    for _ in range(count):
        case = cases[rng.integers(len(cases))].copy()
        for _ in range(rng.integers(1, 3)):
            damage(case.document if rng.random() < 0.8 else case.claim, rng)
        with contextlib.suppress(KeyError, TypeError, AttributeError):
            case.rehash()
        with contextlib.suppress(MalformedError, UnsupportedError):
            check(case.document, case.arrays, case.claim, case.tensors)


def assert_files_are_survived(count: int, seed: int, folder: Path) -> None:
    rng = np.random.default_rng(seed)
    paths = [Path(path) for path in write(CASES["cnn"](1), folder)]
    whole = [path.read_bytes() for path in paths]
    for _ in range(count):
        i = rng.integers(3)
        data = bytearray(whole[i])
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(min(len(data), 800))] = rng.integers(256)
        paths[i].write_bytes(data[: rng.integers(len(data))] if rng.random() < 0.2 else data)
        with contextlib.suppress(MalformedError, UnsupportedError):
            check_files(*paths)
        paths[i].write_bytes(whole[i])


def test_damaged_documents_are_survived() -> None:
    assert_documents_are_survived(500, 0)


def test_damaged_files_are_survived(tmp_path: Path) -> None:
    assert_files_are_survived(500, 0, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 6))
def test_much_damage_is_survived(seed: int, tmp_path: Path) -> None:
    assert_documents_are_survived(10_000, seed)
    assert_files_are_survived(5_000, seed, tmp_path)
