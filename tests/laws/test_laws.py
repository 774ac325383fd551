"""Every law over every row of the table."""

from __future__ import annotations

from typing import Any

import pytest
from law_cases import CASES, Case

import laws
from tensorem import ops

PAIRS = [
    pytest.param(ops.TABLE[name], case, id=f"{name}-{i}")
    for name, cases in CASES.items()
    for i, case in enumerate(cases)
]
BOX_ONLY = {"index", "mask"}
NO_LAW_AT_EVERY_SIZE = {
    *("sin", "cos", "embedding", "gather", "scatter_add"),
    *("logical_and", "logical_or", "logical_not"),
}
COMPOSITES = [p for p in PAIRS if p.values[0].definition is not None]  # type: ignore[union-attr]


def _seed(op: ops.Op) -> int:
    return sum(map(ord, op.name))


def test_there_is_a_case_for_every_row() -> None:
    assert set(CASES) == set(ops.TABLE)


@pytest.mark.parametrize(("op", "case"), PAIRS)
def test_values_lie_in_rigorous_intervals(op: ops.Op, case: Case) -> None:
    laws.enclosure(op, case, _seed(op))


def _of_every_size() -> list[Any]:
    skipped = {*NO_LAW_AT_EVERY_SIZE, "where", "batch_norm", "layer_norm"}
    return [p for p in PAIRS if p.values[0].name not in skipped]  # type: ignore[union-attr]


@pytest.mark.parametrize(("op", "case"), _of_every_size())
def test_values_of_every_size_lie_in_rigorous_intervals(op: ops.Op, case: Case) -> None:
    laws.enclosure_wide(op, case, _seed(op))


@pytest.mark.parametrize(("op", "case"), PAIRS)
def test_rounding_outward_loses_little(op: ops.Op, case: Case) -> None:
    laws.tight(op, case, _seed(op))


@pytest.mark.parametrize(("op", "case"), PAIRS)
def test_values_lie_in_balls_that_are_small_at_points(op: ops.Op, case: Case) -> None:
    pytest.importorskip("flint")
    laws.balls(op, case, _seed(op))


@pytest.mark.parametrize(("op", "case"), PAIRS)
def test_the_runtime_computes_the_exact_meaning(op: ops.Op, case: Case) -> None:
    laws.runs(op, case, _seed(op))


@pytest.mark.parametrize(("op", "case"), PAIRS)
def test_a_graph_of_the_row_is_read_back_as_it_was(op: ops.Op, case: Case) -> None:
    laws.saves(op, case)


@pytest.mark.parametrize(("op", "case"), PAIRS)
def test_the_shape_rule_foretells_the_result(op: ops.Op, case: Case) -> None:
    laws.shapes(op, case)


@pytest.mark.parametrize(("op", "case"), PAIRS)
def test_the_shape_rule_knows_every_dtype(op: ops.Op, case: Case) -> None:
    laws.dtypes(op, case)


@pytest.mark.parametrize(("op", "case"), PAIRS)
def test_the_fast_interval_is_the_rigorous_one(op: ops.Op, case: Case) -> None:
    laws.fast(op, case, _seed(op))


@pytest.mark.parametrize(("op", "case"), PAIRS)
def test_lines_bound_the_function(op: ops.Op, case: Case) -> None:
    laws.lines(op, case, _seed(op))


def _differentiable() -> list[Any]:
    """All but logic, which takes no floats, and what has another derivative than its quotient."""
    others = {"stop_gradient", "logical_and", "logical_or", "logical_not"}
    pairs = [(p, *p.values) for p in PAIRS]
    return [
        p
        for p, op, case in pairs
        if op.name not in others and case.attrs.get("dtype") != "float32"  # type: ignore[union-attr]
    ]


@pytest.mark.parametrize(("op", "case"), _differentiable())
def test_derivatives_agree_under_every_transform(op: ops.Op, case: Case) -> None:
    laws.derivatives(op, case, _seed(op))


@pytest.mark.parametrize(("op", "case"), COMPOSITES)
def test_direct_intervals_lie_in_derived_ones(op: ops.Op, case: Case) -> None:
    laws.direct_within_derived(op, case, _seed(op))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("op", "case"), PAIRS)
def test_values_lie_in_rigorous_intervals_again_and_again(
    op: ops.Op, case: Case, seed: int
) -> None:
    laws.enclosure(op, case, seed, tries=5)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("op", "case"), PAIRS)
def test_lines_bound_the_function_again_and_again(op: ops.Op, case: Case, seed: int) -> None:
    laws.lines(op, case, seed, tries=20)
