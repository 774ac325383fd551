"""Bounds of float32 runs, held against exact arithmetic in adverse orders and the runtime."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import nn, ops
from tensorem.domains import Ball, Executed, Interval
from tensorem.errors import DTypeError, MeaningError, ShapeError
from tensorem.explain import float32_error
from tensorem.ops import _float32, executed

Array = Any
F32 = np.float32


def rounded(x: Fraction, flush: bool = False) -> Fraction:
    """To the nearest float32; the double rounding on the way is within a unit in 2^-53."""
    near = F32(float(x))
    return Fraction(0) if flush and abs(near) < 2.0**-126 else Fraction(float(near))


def summed(products: list[tuple[Fraction, Fraction]], fused: bool, flush: bool) -> Fraction:
    """One execution of a dot product, from left to right."""
    total = Fraction(0)
    for a, b in products:
        product = a * b if fused else rounded(a * b, flush)
        total = rounded(total + product, flush)
    return total


def pairwise(terms: list[Fraction], flush: bool) -> Fraction:
    while len(terms) > 1:
        terms = [
            rounded(sum(terms[i : i + 2], Fraction(0)), flush) for i in range(0, len(terms), 2)
        ]
    return terms[0]


def fractions(x: Array) -> list[Fraction]:
    return [Fraction(float(v)) for v in np.ravel(x)]


def a_dot(weights: Array, bias: float = 0.0) -> nn.Model:
    model = nn.build(nn.Linear(len(weights), 1), input=("N", len(weights)))
    return model.load_state_dict({"weight": F32(weights)[None], "bias": F32([bias])})


@pytest.mark.parametrize("exponent", [0, -62, -70])
def test_adverse_orders_of_a_sum_stay_within_the_bound_and_come_near(exponent: int) -> None:
    """Every order of six terms that cancel, fused and not, with subnormals and without."""
    rng = np.random.default_rng(3)
    w = F32(np.ldexp([1e8, 1.0, -1e8, 3.14159, 1e8, -1e8], exponent))
    x = F32(np.ldexp(1 + rng.uniform(0, 2.0**-10, 6), exponent))
    [[bound]] = float32_error(a_dot(w), x[None]).bounds
    pairs = list(zip(fractions(x), fractions(w), strict=True))
    real, worst = sum((a * b for a, b in pairs), Fraction(0)), Fraction(0)
    for order in permutations(pairs):
        for fused, flush in ((False, False), (True, False), (False, True), (True, True)):
            worst = max(worst, abs(summed(list(order), fused, flush) - real))
        worst = max(worst, abs(pairwise([rounded(a * b) for a, b in order], False) - real))
    assert worst <= Fraction(float(bound)) <= 100 * worst + Fraction(2) ** -120


def test_the_runtime_stays_within_the_bound_of_a_long_sum_that_cancels() -> None:
    rng = np.random.default_rng(4)
    w = np.concatenate([rng.normal(size=500) * 1e6, rng.normal(size=500)]).astype(F32)
    w[250:500] = -w[:250]
    model, x = a_dot(w, 0.25), np.ones((1, 1000), F32)
    real = sum(fractions(w), Fraction(1, 4))
    [[bound]] = float32_error(model, x).bounds
    for y in (model(x)[0, 0], np.sum(np.sort(w)) + F32(0.25), w[::-1].cumsum()[-1] + F32(0.25)):
        assert abs(Fraction(float(y)) - real) <= Fraction(float(bound))


def test_a_sum_that_a_box_hides_is_known() -> None:
    """relu(x + 2^24) - 2^24: at 1.5 a run gives 2."""
    graph = tm.capture(lambda x: ops.relu(x + 2.0**24) - 2.0**24, (1,))
    found = float32_error(graph, Interval.of([0.0], [1.5]))
    run = tm.evaluate(graph, F32([1.5]))
    assert run == 2.0 and 0.5 <= found.worst <= 2.5
    assert found.real.upper >= 1.5 and found.real.upper < 1.5001


def deep(depth: int, width: int) -> nn.Model:
    parts = [part for _ in range(depth) for part in (nn.Linear(width, width), nn.ReLU())]
    return nn.build(nn.Sequential(*parts, nn.Linear(width, 3)), input=("N", width))


def test_the_bound_does_not_grow_as_the_product_of_all_weights() -> None:
    model, x = deep(12, 32), np.linspace(-1, 1, 32, dtype=F32)[None]
    norms = [np.abs(np.asarray(w)).sum(1).max() for n, w in model.params.items() if "weight" in n]
    found = float32_error(model, x)
    forward = 2.0**-24 * np.prod(norms)
    assert found.worst < 1e-5 < 1e-3 * forward
    real = tm.evaluate(model, x, dtype="float64")
    assert np.all(np.abs(model(x) - real) <= found.bounds + 1e-12)


def test_open_relus_count_with_half_of_what_they_may_pass_on() -> None:
    model, x = deep(2, 16), np.linspace(-1, 1, 16, dtype=F32)[None]
    bounds = [float32_error(model, Interval.of(x - e, x + e)).worst for e in (0, 1e-3, 1e-1, 1e30)]
    assert bounds == sorted(bounds) and bounds[2] < 1e-4 and np.isfinite(bounds[3])


def test_a_jump_is_as_high_as_it_is() -> None:
    graph = tm.capture(lambda x: jnp.where(x * 1.1 > 1.1, 5.0, 2.0) + 0 * x, (1,))
    assert float32_error(graph, F32([1.0])).worst >= 3
    assert float32_error(graph, F32([1.1])).worst < 1e-5


@pytest.mark.parametrize("reach", [0.1, 10.0])
def test_a_norm_is_bounded_where_the_variance_may_be_zero(reach: float) -> None:
    """n numbers over their root mean square are at most sqrt n, whatever was rounded before."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0)
    model = nn.build(nn.Sequential(layer, nn.RMSNorm(8)), input=("N", 5, 8), seed=0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 5, 8))
    found = float32_error(model, Interval.of(F32(x - reach), F32(x + reach)))
    assert found.worst < 2.1 * 8**0.5 and found.lost == ""
    for _ in range(5):
        inside = F32(x + rng.uniform(-0.99 * reach, 0.99 * reach, x.shape))
        far = abs(Ball.of(np.asarray(model(inside))) - tm.evaluate(model, inside, dtype="ball"))
        assert np.all(far.to_float() <= found.bounds)


@pytest.mark.parametrize("op", [ops.layer_norm, ops.rms_norm])
def test_what_is_surely_known_of_a_norm_is_never_exceeded(op: ops.Op) -> None:
    """Even of numbers of which float32 knows nothing."""
    rng = np.random.default_rng(1)
    x, w, b = (F32(rng.normal(size=n)) for n in ((1, 4), 4, 4))
    rest = [w, b] if op is ops.layer_norm else [w]
    lost = Executed(Interval.of(x, x), np.full(x.shape, 1e9), np.full(x.shape, 1e9))
    params = [Executed.given(Interval.of(v, v), "float32") for v in rest]
    found = executed(op, lost, *params, ndim=1, eps=1e-5)
    real = np.asarray(op(x, *rest, ndim=1, eps=1e-5))
    for far in (0.0, 1.0, 1e8):
        moved = F32(x + far * rng.uniform(-1, 1, x.shape))
        assert np.all(abs(np.asarray(op(moved, *rest, ndim=1, eps=1e-5)) - real) <= found.error)
    assert np.all(found.error <= 2 * 2.001 * abs(w) + 1e-5)


def test_what_overflows_is_said() -> None:
    graph = tm.capture(lambda x: jnp.exp(x) * 2, (2,))
    found = float32_error(graph, F32([1.0, 100.0]))
    assert np.isfinite(found.bounds[0]) and np.isinf(found.bounds[1])
    assert found.lost.startswith("exp_0 = exp in the model may be any number: its real value lies")
    assert found.lost in str(found)


def test_the_report_says_where_the_error_arises() -> None:
    model = deep(2, 8)
    found = float32_error(model, np.ones((1, 8), F32))
    lines = str(found).splitlines()
    assert lines[0].startswith("|float32 - real| <= ") and lines[1].split() == [
        *("layer", "op", "error", "share")
    ]
    assert {(p.path, p.op) for p in found.parts} == {(n, "linear") for n in "024"}
    assert sum(p.share for p in found.parts) == pytest.approx(1, abs=1e-5)
    assert "nothing is rounded" in str(float32_error(tm.capture(lambda x: -x, (2,)), F32([1, 2])))


def test_what_it_takes() -> None:
    wide = tm.capture(lambda x: x + 1, tm.Spec((2,), "float64"))
    with pytest.raises(DTypeError, match="float32_error takes a model of float32"):
        float32_error(wide, np.ones(2))
    with pytest.raises(ShapeError, match="The graph takes 1 inputs, got 2"):
        float32_error(tm.capture(lambda x: x, (2,)), F32([1, 2]), F32([1, 2]))


def test_an_op_without_a_rule_is_named_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(_float32.RULES, "tanh")  # type: ignore[attr-defined]
    with pytest.raises(MeaningError, match="`tanh` has no float32 meaning") as caught:
        float32_error(tm.capture(jnp.tanh, (2,)), F32([1, 2]))
    assert caught.value.where == "tanh_0"
