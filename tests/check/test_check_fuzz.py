"""Random damage to files and documents ends in a verdict or in one of the checker's own errors."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checker_cases import CASES, TILES, Net, write

from tensorem.check import MalformedError, UnsupportedError, check, check_files, prepare
from tensorem.check._lower import OPS

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


IMAGE = (1, 2, 4, 4)
FOUR = {"low": [0, 1, 0, 0], "high": [0, 0, 1, 0], "interior": [0, 0, 0, 1]}
WINDOW = TILES | {"stride": [1, 1]}
MOVES = {"stride": [1, 1], "padding": [[1, 1], [1, 1]], "dilation": [1, 1]}
DRAWN = np.random.default_rng(0)
CALLS: list[tuple[str, tuple[int, ...], list[Any], dict[str, Any]]] = [
    ("conv2d", IMAGE, [DRAWN.normal(size=(2, 1, 3, 3)), np.ones(2)], MOVES | {"groups": 2}),
    ("batch_norm", IMAGE, [np.ones(2)] * 4, {"eps": 1e-5}),
    ("leaky_relu", IMAGE, [], {"negative_slope": 0.5}),
    ("max_pool2d", IMAGE, [], WINDOW | {"dilation": [1, 1]}),
    ("avg_pool2d", IMAGE, [], WINDOW | {"divisor": 4}),
    ("permute", IMAGE, [], {"dims": [0, 3, 1, 2]}),
    ("flip", IMAGE, [], {"dims": [1, 2]}),
    ("slice", IMAGE, [], {"start": [0] * 4, "stop": [1, 2, 2, 2], "step": [1] * 4}),
    ("pad", IMAGE, [0.0], FOUR),
    ("concat", IMAGE, [np.ones(IMAGE)], {"dim": 1}),
    ("sum", IMAGE, [], {"dims": [1]}),
    ("mean", IMAGE, [], {"dims": [-1]}),
    ("broadcast", (1, 3), [], {"shape": [1, 2, 3], "dims": [0, 2]}),
    ("cast", IMAGE, [], {"dtype": "float32"}),
    (
        "dot",
        (1, 2, 3),
        [DRAWN.normal(size=(2, 3, 2))],
        {"contract": [[2], [1]], "batch": [[1], [0]]},
    ),
    ("reshape", (1, 2, 2), [], {"shape": [1, 4]}),
    ("gelu", (1, 3), [], {"approximate": "none"}),
    ("pow_int", (1, 3), [], {"exponent": 2}),
    ("softmax", (1, 2, 3), [], {"dim": -1}),
    ("log_softmax", (1, 2, 3), [], {"dim": 1}),
    ("layer_norm", (1, 2, 3), [np.ones(3), np.zeros(3)], {"ndim": 1, "eps": 1e-5}),
    ("rms_norm", (1, 2, 3), [np.ones(3)], {"ndim": 1, "eps": 1e-5}),
]
"""Every op that takes attributes: its input, its constants, its attributes."""


def called(op: str, shape: tuple[int, ...], constants: list[Any], attrs: dict[str, Any]) -> Net:
    net = Net(shape)
    y = net.op(op, "x", *(net.array(f"c{i}", c) for i, c in enumerate(constants)), **attrs)
    net.flatten(y)
    return net


def changes(value: Any) -> Iterator[Any]:
    """The value negated, longer, shorter, and with each of its leaves odd."""
    if not isinstance(value, list):
        yield from ODD
        yield from [] if isinstance(value, str) else [-value, value + 1]
        return
    yield from ([], [*value, *value], value[:-1], [*value, 0], value[::-1])
    yield [[-n for n in v] if isinstance(v, list) else -v for v in value]
    for i, part in enumerate(value):
        yield from ([*value[:i], other, *value[i + 1 :]] for other in changes(part))


def paired(attrs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The attributes with one changed, and with two lists of axes changed at once."""
    for name, value in attrs.items():
        yield from (attrs | {name: other} for other in changes(value))
    axes: list[Any] = [[], [0], [1], [1, 2]]
    if "contract" in attrs:
        for a, b, c, d in itertools.product(axes, repeat=4):
            yield {"contract": [a, b], "batch": [c, d]}


def test_all_ops_with_attributes_are_called() -> None:
    assert {op for op, (_, _, attrs) in OPS.items() if attrs} == {op for op, *_ in CALLS}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_odd_attributes_of_every_op_are_survived(call: Any) -> None:
    net = called(*call)
    prepare(net.document, net.arrays)
    node, *rest = net.document["nodes"]
    for attrs in paired(node["attrs"]):
        other = net.document | {"nodes": [node | {"attrs": attrs}, *rest]}
        with contextlib.suppress(MalformedError, UnsupportedError):
            prepare(other, net.arrays)


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
