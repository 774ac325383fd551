"""The float32 rule of every row: no execution lies further off than it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from law_cases import CASES, KINDS, Case, typed

from tensorem import ops
from tensorem.domains import Ball, Executed, Interval
from tensorem.errors import MeaningError
from tensorem.ops import Op, _float32
from tensorem.ops._curve import Curve

Array = Any
Execution = Callable[..., Array]
FACTS = {
    name: [case.attrs for case in CASES[name]]
    for name, row in ops.TABLE.items()
    if row.signature is not None and isinstance(row.signature(**CASES[name][0].attrs), Curve)
}
"""Functions of one number, with the attributes that are tried."""


def operands(case: Case, rng: Any, low: int, high: int) -> list[Array]:
    """As the op takes them; floats that float32 holds, of sizes by these binary exponents more."""
    values = [KINDS[case.kind(i)](rng, shape) for i, shape in enumerate(case.shapes)]
    is_float = [case.kind(i) not in ("mask", "index") for i in range(len(values))]
    scaled = [
        np.ldexp(x.astype(np.float32), rng.integers(low, high + 1, x.shape)) if f else x
        for x, f in zip(values, is_float, strict=True)
    ]
    return typed(case, scaled, "float32")


def given(x: Array, radius: float) -> Executed:
    """Operands as they are, or any within a box around them."""
    if x.dtype != np.float32 or not radius:
        return Executed.given(Interval.of(x, x), x.dtype.name)
    reach = np.abs(x.astype(np.float64)) * radius
    return Executed.given(Interval.of(x - reach, x + reach), x.dtype.name)


def off(op: Op, case: Case, xs: list[Array], execution: Execution, radius: float = 0) -> Array:
    """By how much a result exceeds its bound, at the worst; below 0 where the law holds."""
    with np.errstate(all="ignore"):
        real = op.meaning("ball")(*(Ball.of(x, 400) for x in xs), **case.attrs)
        bound = ops.executed(op, *(given(x, radius) for x in xs), **case.attrs).error
    result = np.asarray(execution(*xs, **case.attrs), np.float64)
    bad = ~np.isfinite(result) & np.isfinite(bound)
    far = abs(Ball.of(np.where(np.isfinite(result), result, 0.0), 400) - real)
    known = np.isfinite(bound) & np.isfinite(result)
    beyond = np.where(known, far.to_float() - far.radius() - bound, -1.0)
    return np.max(np.where(bad, np.inf, beyond), initial=-1.0)


@pytest.mark.parametrize("name", list(ops.TABLE))
def test_no_run_lies_further_off_than_its_rule_says(name: str) -> None:
    op, rng = ops.TABLE[name], np.random.default_rng(0)
    for case in CASES[name]:
        for low, high in ((0, 0), (-3, 3), (-126, -100)):
            xs = operands(case, rng, low, high)
            assert off(op, case, xs, op) <= 0
            assert off(op, case, xs, op, radius=2.0**-6) <= 0


@pytest.mark.long
@pytest.mark.parametrize("name", list(ops.TABLE))
def test_it_holds_at_many_points(name: str) -> None:
    op, rng = ops.TABLE[name], np.random.default_rng(1)
    for case in CASES[name]:
        for _ in range(200):
            low = int(rng.integers(-130, 100))
            xs = operands(case, rng, low, low + int(rng.integers(0, 30)))
            assert off(op, case, xs, op, radius=float(rng.choice([0, 2.0**-20, 0.5]))) <= 0


@pytest.mark.parametrize("name", ["add", "linear", "exp", "softmax", "div", "mean"])
def test_a_rule_that_forgets_the_rounding_is_caught(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_float32.Call, "rounded", lambda self, size, *_: np.zeros(size.shape))
    op, rng = ops.TABLE[name], np.random.default_rng(0)
    tries = [(case, operands(case, rng, -3, 3)) for case in CASES[name] for _ in range(20)]
    assert any(off(op, case, xs, op) > 0 for case, xs in tries)


def test_a_rule_that_forgets_an_operand_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both operands of a product bring along what they are off."""
    x = np.float32([3.0, -2.0])
    near = replace(given(x, 0), error=np.full(2, 0.5), noise=np.full(2, 0.5))
    true = np.abs((x + 0.5) * (x + 0.5) - x * x).max()
    assert ops.executed(ops.mul, near, near).error.max() >= true
    monkeypatch.setattr(_float32, "_along", lambda x, *_: _float32._spread(x, np.zeros(x.shape)))
    assert ops.executed(ops.mul, near, near).error.max() < true


def test_every_row_has_a_rule_or_the_definition_of_its_parts() -> None:
    without = [n for n, row in ops.TABLE.items() if n not in _float32.RULES and not row.definition]
    assert not without
    assert set(_float32.RULES) <= set(ops.TABLE)


def test_an_op_without_a_rule_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(_float32.RULES, "tanh")  # type: ignore[attr-defined]
    with pytest.raises(MeaningError, match="`tanh` has no float32 meaning") as caught:
        ops.executed(ops.tanh, given(np.float32([1.0]), 0))
    assert caught.value.because == "no bound of its rounding is stated"
    wide = Executed.given(Interval.of([1.0], [1.0]), "float64")
    with pytest.raises(MeaningError, match="`exp` has no float32 execution"):
        ops.executed(ops.exp, wide)


def every_binade(rng: Any, count: int) -> Array:
    """Floats of every exponent, both signs, and many between -20 and 20."""
    bits = np.arange(1, 255, dtype=np.uint32)[:, None] << 23
    bits = bits | rng.integers(0, 2**23, (254, count), dtype=np.uint32)
    x = bits.ravel().view(np.float32)
    return np.concatenate([x, -x, rng.uniform(-20, 20, 254 * count).astype(np.float32)])


@pytest.mark.parametrize("name", FACTS)
def test_the_runtime_keeps_the_units_of_functions_of_one_number(name: str) -> None:
    op, x = ops.TABLE[name], every_binade(np.random.default_rng(2), 400)
    units, grain = _float32.UNITS.get(name, (4, 0.0))
    for attrs in FACTS[name]:
        assert op.signature is not None
        with np.errstate(all="ignore"):
            true = np.asarray(op.signature(**attrs).wide(x.astype(np.float64)), np.float64)
            given_ = np.asarray(op(x, **attrs), np.float64)
        lost = 2 * _float32._FLUSHED * 2.0**-126
        reach = units * 2.0**-23 * np.maximum(np.abs(true), grain) + lost
        known = np.isfinite(true) & (np.abs(true) < 3.4e38)
        assert np.all(np.abs(given_[known] - true[known]) <= reach[known])
