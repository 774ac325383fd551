"""A backward pass through what some entries depend on says what one through everything says."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from checker_cases import CASES, Array, Case, Net, certify, fractions
from test_check_lemmas import LOUD, affine_step, interval, program_of
from test_check_sound import propagated

from tensorem.check import _narrow, _steps, prepare
from tensorem.check._bounds import lowest, propagate
from tensorem.check._graph import parse_graph
from tensorem.check._lower import lower
from tensorem.check._narrow import narrowed
from tensorem.check._numbers import EXACT
from tensorem.check._program import Bounds, Program, Relax
from tensorem.check._steps import Relu, read


def assert_alike(program: Program, values: Bounds, at: Array, a: Any) -> None:
    rows = fractions(np.random.default_rng(0).integers(-9, 9, (3, at.size)))
    part, known = narrowed(program, values, at)
    assert np.all(
        lowest(part, known, part.output, rows, a) == lowest(program, values, read(at), rows, a)
    )


@pytest.mark.parametrize("name", CASES)
def test_without_rounding_nothing_differs(name: str) -> None:
    """Even where a maximum has its lower line from another entry than its upper one."""
    case, rng = CASES[name](1, "0.3"), np.random.default_rng(1)
    for kind in filter(lambda kind: kind.startswith("pick_lower"), case.tensors):
        case.tensors[kind] = 0 * case.tensors[kind]
    program = lower(parse_graph(case.document), case.arrays, EXACT)
    values = propagated(case, EXACT)
    for _ in range(6):
        assert_alike(program, values, rng.integers(0, program.starts[-1], 3), EXACT)


def test_what_is_charged_is_the_same() -> None:
    """Where no error depends on how many numbers there are."""
    a = dataclasses.replace(LOUD, gamma=lambda n: Fraction(1, 50))
    rng = np.random.default_rng(0)
    (step, _), x = affine_step(rng), interval(rng, 12)
    step = dataclasses.replace(step, read=read(np.arange(12)[::-1]))
    program = program_of(_steps.Box(12), step, Relu(read(np.arange(12, 32)), Fraction(0), "y"))
    slopes = fractions(rng.integers(0, 8, (2, 20))) / 8
    drawn = Relax(lambda _, step, x: _steps.lines(step, x, (*slopes,), {}, a), lambda *_: [])
    values = propagate(program, x, drawn, a)
    assert_alike(program, values, np.array([38, 45, 50]), a)
    assert narrowed(program, values, np.array([50]))[0].starts == (0, 6, 16, 17)


def images() -> Case:
    rng = np.random.default_rng(0)
    net = Net((1, 1, 14, 14))
    h = net.op("relu", net.conv("x", 2, rng))
    tiles: Any = {"kernel_size": [2, 2], "stride": [2, 2], "padding": [[0, 0], [0, 0]]}
    h = net.op("max_pool2d", h, **tiles, dilation=[1, 1])
    h = net.op("relu", net.conv(h, 3, rng))
    net.linear(net.flatten(h), 3, rng)
    return certify(net, rng.uniform(0.2, 0.8, net.shape), "0.06", rng, ["0", "1"])


def test_entries_of_images_are_bounded_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    case, sizes = images(), []
    real = _narrow.narrowed

    def watched(program: Program, values: Bounds, at: Array) -> Any:
        part, known = real(program, values, at)
        sizes.append(part.starts[-1] / program.starts[-1])
        return part, known

    monkeypatch.setattr(_narrow, "narrowed", watched)
    monkeypatch.setattr(_narrow, "TOGETHER", 2)
    few = prepare(case.document, case.arrays).check(case.claim, case.tensors)
    assert len(sizes) > 3 and max(sizes) < 0.3
    monkeypatch.setattr(_narrow, "TOGETHER", 10**6)
    whole = prepare(case.document, case.arrays).check(case.claim, case.tensors)
    assert few.accepted and few.margin == pytest.approx(whole.margin, rel=1e-12)
