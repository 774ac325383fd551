"""Honest certificates are accepted, by both arithmetics and from files; false ones are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checker_cases import CASES, Case, Net, as_ibp, certify, cnn, evaluate, fractions, mlp, write

from tensorem.check import Result, check, check_files, prepare


def verdict(case: Case, mode: str = "float64") -> Result:
    return check(case.document, case.arrays, case.claim, case.tensors, mode)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_both_arithmetics_prove_the_same_margin(name: str, seed: int) -> None:
    case = CASES[name](seed)
    rounded, exact = verdict(case), verdict(case, "exact")
    assert rounded.accepted and exact.accepted
    assert rounded.margin is not None and exact.margin is not None
    assert abs(rounded.margin - exact.margin) <= 1e-11 * max(1, exact.margin)


@pytest.mark.parametrize("name", ["mlp", "cnn", "odd_cnn"])
def test_intervals_prove_less_than_lines(name: str) -> None:
    case = CASES[name](1)
    intervals, lines = verdict(as_ibp(case)).margin, verdict(case).margin
    assert intervals is not None and lines is not None
    assert intervals < lines


def test_intervals_need_no_slopes_and_take_none() -> None:
    case = as_ibp(mlp(1, "0.0001"))
    assert verdict(case).accepted


def integer_net(rng: Any) -> Case:
    """A small net of integers with three layers of bends, many of whose bounds are 0 exactly."""
    net = Net((1, 2))

    def linear(h: str, out: int, least: int) -> str:
        weight = rng.integers(least, 3, (out, net.shape_of(h)[1]))
        return net.op("linear", h, net.array(f"w{len(net.arrays)}", weight))

    def bend(h: str) -> str:
        match rng.integers(3):
            case 0:
                return net.op("relu", h)
            case 1:
                return net.op("leaky_relu", h, negative_slope=float(rng.choice([0.25, 1])))
            case _:
                image = net.op("reshape", h, shape=[1, 1, 2, 2])
                sides = {"kernel_size": [1, 2], "stride": [1, 1], "padding": [[0, 0], [1, 0]]}
                return net.flatten(net.op("max_pool2d", image, **sides, dilation=[1, 1]))

    h = bend(linear("x", 4, -2))
    h = bend(linear(h, 4, int(rng.choice([-1, 0]))))
    h = bend(linear(h, 4, 0))
    net.op("add", linear(h, 2, -2), net.array("bias", 5 * rng.normal(size=(1, 2))))
    case = certify(net, rng.integers(-1, 2, (1, 2)), "0.5", rng)
    for name, given in case.tensors.items():
        if name.startswith("slope"):
            case.tensors[name] = rng.integers(0, 2, given.shape).astype(np.float32)
    return case


def test_exact_arithmetic_proves_what_float64_proves_where_bounds_are_zero() -> None:
    rng, accepted = np.random.default_rng(0), 0
    for _ in range(100):
        case = integer_net(rng)
        rounded, exact = verdict(case), verdict(case, "exact")
        assert rounded.margin is not None and exact.margin is not None
        assert rounded.margin <= exact.margin <= rounded.margin + 1e-9
        accepted += exact.accepted
    assert 10 < accepted < 90


def test_a_dot_over_all_axes_is_a_number() -> None:
    net = Net((1, 2))
    both = net.array("c", [1, 2, 3])
    dot = net.op("dot", both, both, contract=[[0], [0]], batch=[[], []])
    net.op("add", "x", net.op("broadcast", dot, shape=[1, 2], dims=[]))
    case = certify(net, [[1, 2]], "0.25", np.random.default_rng(0))
    assert verdict(case).margin == pytest.approx(0.5, rel=1e-9)


def test_a_deep_net_is_replayed_though_its_intervals_are_wide() -> None:
    """Rotations there and back: intervals double in each layer, even those of a point."""
    net, turn = (
        Net((1, 4)),
        np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]),
    )
    weight, h = net.array("turn", turn / 2), "x"
    away, back = net.array("away", [4] * 4), net.array("back", [-8, 0, 0, 0])
    for _ in range(22):
        for bias in (away, back):
            h = net.op("relu", net.op("linear", h, weight, bias))
    case = certify(net, [[1, 0.5, 0.25, 0.75]], "0.01", np.random.default_rng(0))
    assert verdict(case).margin == pytest.approx(0.23, rel=1e-6)
    assert "recorded outputs" in verdict(as_ibp(case)).reason


def test_a_stable_net_is_bounded_by_its_vertices_exactly() -> None:
    """Where every bend is settled the linear bound is the minimum over the vertices."""
    case = mlp(1, "0.00001")
    x, eps = fractions(case.tensors["center"]), fractions(np.array([0.00001]))[0]
    label, out = case.claim["label"], case.document["outputs"][0]
    size = x.size
    found = []
    for corner in range(2**size):
        signs = np.array([1 if corner >> i & 1 else -1 for i in range(size)], object)
        y = evaluate(case.document, case.arrays, x + eps * signs)[out][0]
        found.append(min(y[label] - y[j] for j in range(3) if j != label))
    margin = verdict(case).margin
    assert margin is not None
    assert float(min(found)) == pytest.approx(margin, rel=1e-12)
    assert margin <= min(found)


def test_a_large_eps_is_rejected() -> None:
    case = mlp(1, "0.9")
    result = verdict(case)
    assert not result.accepted and "not proved positive" in result.reason
    assert result.margin is not None and result.margin < 0


def test_a_symbolic_batch_is_read_as_one() -> None:
    case = mlp(1)
    for spec in case.document["specs"].values():
        if len(spec["shape"]) == 2 and spec["shape"][0] == 1:
            spec["shape"][0] = "N"
    assert verdict(case.rehash()).accepted


def trap(threshold: float) -> Case:
    """Claims relu(x + 2^24) - 2^24 < threshold for x in [0, 1.5]: the bound 1.5 is attained."""
    net, large = Net((1, 1)), np.full((1, 1), 2.0**24)
    lifted = net.op("add", "x", net.array("up", large))
    y = net.op("sub", net.op("relu", lifted), net.array("down", large))
    net.op("concat", net.array("threshold", [[threshold]]), y, dim=1)
    case = certify(net, np.array([[0.75]]), "0.75", np.random.default_rng(0))
    case.claim["label"] = 0
    return case


@pytest.mark.parametrize("mode", ["float64", "exact"])
def test_the_trap_of_rounding_at_2_to_the_24(mode: str) -> None:
    """verification.md 3.6: float32 tools prove y <= 0.5 by intervals."""
    assert not verdict(trap(0.5), mode).accepted
    assert not verdict(trap(1.5), mode).accepted
    assert verdict(trap(1.5001), mode).accepted


def test_a_margin_of_exactly_zero_is_not_positive() -> None:
    result = verdict(trap(1.5), "exact")
    assert not result.accepted and result.margin == 0


def test_a_run_that_rounds_away_its_input_is_not_what_the_graph_says() -> None:
    case = trap(1.6)
    y = evaluate(case.document, case.arrays, case.tensors["center"])
    case.tensors["outputs"] = y[case.document["outputs"][0]]
    result = verdict(case)
    assert not result.accepted and "does not give the recorded outputs" in result.reason


def constant_net() -> Net:
    net = Net((1, 3))
    net.op("relu", net.array("c", [[1, 2, 3]]))
    return net


def unused_net() -> Net:
    net = Net((1, 3))
    net.op("relu", "x")
    net.op("add", net.op("sub", "x", "x"), net.array("c", [[1, 2, 3]]))
    return net


def bare_net(output: str) -> Net:
    net = Net((1, 3))
    net.array("c", [[1, 2, 3]])
    net.document["outputs"] = [output]
    return net


@pytest.mark.parametrize("mode", ["float64", "exact"])
@pytest.mark.parametrize(
    ("net", "eps", "margin"),
    [
        (constant_net(), "9", 1),
        (unused_net(), "1e3", 1),
        (bare_net("c"), "9", 1),
        (bare_net("x"), "0.25", 0.5),
    ],
)
def test_odd_graphs_mean_what_they_say(net: Net, eps: str, margin: float, mode: str) -> None:
    """Constants only, x - x, a bend that nobody reads, an output that is an array or the input."""
    case = certify(net, [[1, 2, 3]], eps, np.random.default_rng(0))
    if not any("x" in node["inputs"] for node in net.document["nodes"]):
        case.tensors = {name: case.tensors[name] for name in ("center", "outputs")}
    found = verdict(case, mode)
    assert found.accepted and found.margin == pytest.approx(margin, rel=1e-9)


@pytest.mark.parametrize("mode", ["float64", "exact"])
def test_recorded_outputs_may_be_off_by_float32_noise_and_no_more(mode: str) -> None:
    for off, accepted in [(1e-5, True), (1e-3, False)]:
        case = mlp(1)
        case.tensors["outputs"] = case.tensors["outputs"] + np.float32(off)
        assert verdict(case, mode).accepted is accepted


def test_one_prepared_graph_checks_many_certificates() -> None:
    checker = prepare(cnn(1).document, cnn(1).arrays)
    case = cnn(1)
    for eps, accepted in [("0.001", True), ("0.01", True), ("0.5", False)]:
        case.claim["eps"] = eps
        assert checker.check(case.claim, case.tensors).accepted is accepted


def test_files_say_the_same_as_values(tmp_path: Path) -> None:
    case = cnn(1)
    assert check_files(*write(case, tmp_path)) == verdict(case)
    assert check_files(*write(case, tmp_path), mode="exact") == verdict(case, "exact")
